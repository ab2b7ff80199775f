/* "text NUL text": small grammars of the repository server: challenges of registries, variables, sizes, globs
 * over paths, selectors. */
#include "repo-server/artifact/registry.h"
#include "repo-server/build_env.h"
#include "repo-server/doublestar.h"
#include "repo-server/quantity.h"
#include "tests/fuzz/fuzz.h"

#include "common/argo/selector.h"
#include "common/kinds/kinds.h"

static void sizes(const char *text)
{
    uint64_t bytes;
    int64_t milli;
    AUTO_STR once = STR_INIT, twice = STR_INIT;
    quantity_parse(text, &bytes);
    quantity_milli(text, &milli);
    if (!quantity_canonical(text, &once))
        return;
    REQUIRE(quantity_canonical(str_text(&once), &twice) && strcmp(str_text(&once), str_text(&twice)) == 0);
    REQUIRE(quantity_equal(text, str_text(&once)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *a = take_text(&data, &size);
    AUTO(free_p) char *b = take_text(&data, &size);
    if (strlen(a) > 512 || strlen(b) > 512)
        return 0;
    const struct build_env env = {"app", "ns", "default", "0123456789abcdef", "https://g/r", ".", "HEAD"};
    pathspec_match(a, b);
    free(challenge_parameter(a, "realm"));
    free(build_env_subst(&env, a, NULL));
    sizes(a);
    doublestar_match(a, b);
    selector_t *s = NULL;
    if (selector_parse(a, &s, NULL) == 0) {
        selector_matches(s, NULL);
        selector_free(s);
    }
    return 0;
}
