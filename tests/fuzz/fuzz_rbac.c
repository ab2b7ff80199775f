/* A policy, "NUL", then subject, resource, action and object: any CSV is accepted or refused with an error; a
 * decision ends soon; nobody is allowed what no rule mentions. */
#include "tests/fuzz/fuzz.h"

#include "common/argo/rbac.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p)
    char *csv = take_text(&data, &size), *subject = take_text(&data, &size),
         *resource = take_text(&data, &size), *action = take_text(&data, &size),
         *object = take_text(&data, &size);
    if (strlen(csv) > 2000 || strlen(object) > 200)
        return 0;
    for (int regex = 0; regex < 2; regex++) {
        AUTO_ERR err = NULL;
        AUTO(rbac_unref_p) rbac_t *r = NULL;
        struct rbac_config config = {.policy = csv, .regex = regex, .no_builtin = true};
        if (rbac_new(&config, &r, &err) < 0) {
            REQUIRE(*err_text(err));
            continue;
        }
        AUTO(rbac_caller_free_p) rbac_caller_t *c = rbac_caller_new(r, subject, NULL);
        bool allowed = rbac_allows(c, NULL, resource, action, object);
        REQUIRE(!allowed || strstr(csv, "allow"));
        AUTO(rbac_caller_free_p) rbac_caller_t *nobody = rbac_caller_new(r, "nobody-of-that-name-0f3b", NULL);
        REQUIRE(!rbac_allows(nobody, NULL, resource, action, object) || allowed || strstr(csv, ",,") ||
                strstr(csv, "\"\"") || strpbrk(csv, "\r\t\v\f ,"));
    }
    return 0;
}
