/* Versions and constraints. Comparing is antisymmetric; a version satisfies the constraint "=" of itself. */
#include "common/base/semver.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *constraint = take_text(&data, &size);
    AUTO(free_p) char *a_text = take_text(&data, &size);
    AUTO(free_p) char *b_text = take_text(&data, &size);
    AUTO(semver_constraint_free_p) semver_constraint_t *c = NULL;
    AUTO(free_p) char *selected = NULL;
    semver_t a, b;
    bool is_constraint = semver_constraint_parse(constraint, &c, NULL) == 0;
    if (semver_parse(a_text, &a)) {
        AUTO(free_p) char *own = xasprintf("=%s", a_text);
        AUTO(semver_constraint_free_p) semver_constraint_t *equal = NULL;
        if (strlen(own) <= SEMVER_TEXT_MAX && semver_constraint_parse(own, &equal, NULL) == 0)
            REQUIRE(semver_satisfies(equal, &a));
        REQUIRE(semver_compare(&a, &a) == 0);
        if (is_constraint)
            semver_satisfies(c, &a);
        if (semver_parse(b_text, &b))
            REQUIRE(semver_compare(&a, &b) == -semver_compare(&b, &a));
    }
    char *const names[] = {a_text, b_text};
    if (semver_select(names, 2, constraint, NULL, &selected, NULL) == 0)
        REQUIRE(selected != NULL);
    return 0;
}
