/* URLs of repositories, as users and Applications spell them. Normalising twice is normalising once; what is
 * shown of a URL has no password; what was parsed can be given to a program. */
#include "common/argo/giturl.h"
#include "repo-server/git/url.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *text = take_text(&data, &size);
    AUTO(free_p) char *normal = giturl_normalize(text);
    AUTO(free_p) char *shown = git_url_for_message(text);
    AUTO(free_p) char *key = git_url_storage_key(text);
    giturl_is_ssh(text);
    for (const char *p = normal; *p; p++)
        REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
    const char *scheme = strstr(shown, "://");
    if (scheme)
        REQUIRE(!memchr(scheme + 3, '@', strcspn(scheme + 3, "/")));
    struct git_url u;
    if (git_url_parse(text, &u, NULL) == 0) {
        REQUIRE(*key && u.port <= 65535);
        REQUIRE(*u.host != '-' && *u.path != '-' && (!u.user || *u.user != '-'));
        REQUIRE(u.scheme == GIT_SCHEME_FILE || *u.host);
        git_url_dispose(&u);
    } else {
        REQUIRE(!*key);
    }
    return 0;
}
