/* .gitmodules of repositories: few, with path and URL; a URL against another never leaves its host. The same
 * as .lfsconfig, which is of that syntax. */
#include "repo-server/git/lfs_config.h"
#include "repo-server/git/modules.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    git_modules_t m = {};
    if (git_modules_parse((const char *)data, size, &m, NULL) == 0)
        REQUIRE(m.n <= GIT_MODULES_MAX);
    VEC_FOREACH(&m, e) {
        AUTO(free_p)
        char *full = e->path && e->url ? git_modules_resolve("https://h/team/app.git", e->url) : NULL;
        if (full && strncmp(e->url, "../", 3) == 0)
            REQUIRE(str_has_prefix(full, "https://h/"));
    }
    git_modules_dispose(&m);
    AUTO(free_p) char *url = lfs_config_url((const char *)data, size);
    REQUIRE(!url || *url);
    return 0;
}
