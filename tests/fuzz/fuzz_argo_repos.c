/* "url NUL Secret NUL Secret …": repositories and templates, and which one a URL finds. */
#include "tests/fuzz/fuzz.h"
#include "common/argo/giturl.h"
#include "common/argo/repos.h"

static void ask(const repos_t *r, const char *url)
{
    AUTO_JSON found = repos_find(r, url, "team");
    AUTO_JSON helm = repos_helm(r, "team", false);
    AUTO_JSON oci = repos_helm(r, "", true);
    AUTO_JSON creds = repos_helm_creds(r);
    json_decref(repos_scoped_urls(r, "team"));
    REQUIRE(json_is_map(found) && json_is_array(helm) && json_is_array(oci) && json_is_array(creds));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *url = take_text(&data, &size);
    if (!utf8_valid(url, strlen(url)))
        return 0;
    repos_t *r = repos_new();
    AUTO_STR problem = STR_MAX(1 << 16);
    AUTO(free_p) char *normal = giturl_normalize(url);
    REQUIRE(giturl_same(url, url) || !*normal);
    unsigned i = 0;
    for (; size > 0 && i < 4; i++) {
        AUTO(free_p) char *text = take_text(&data, &size);
        AUTO_JSON secret = NULL;
        char name[] = {(char)('a' + i), 0};
        if (json_read_str(text, &secret, NULL) == 0)
            repos_put(r, name, secret, &problem);
    }
    ask(r, url);
    while (i-- > 0)
        repos_put(r, (char[]){(char)('a' + i), 0}, NULL, NULL);
    ask(r, url);
    repos_free(r);
    return 0;
}
