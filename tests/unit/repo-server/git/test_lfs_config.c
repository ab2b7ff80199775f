#include "repo-server/git/lfs_config.h"
#include "tests/unit/test.h"

static void what_says_where_the_objects_are(void **state)
{
    static const struct {
        const char *text, *url;
    } cases[] = {
        {"[lfs]\n\turl = https://lfs.example/x\n", "https://lfs.example/x"},
        {"[LFS]\nURL=\"https://lfs.example/x\" # there\n", "https://lfs.example/x"},
        {"[lfs]\nurl = https://a/\nurl = https://b/\n", "https://b/"},
        {"[remote \"origin\"]\nlfsurl = https://c/\n", "https://c/"},
        {"[remote \"origin\"]\nlfsurl = https://c/\n[lfs]\nurl = https://a/\n", "https://a/"},
        {"[lfs]\nurl =\n[remote \"origin\"]\nlfsurl = https://c/\n", "https://c/"},
        {"[remote \"other\"]\nlfsurl = https://c/\n", NULL},
        {"[lfs \"https://x/\"]\nurl = https://a/\naccess = basic\n", NULL},
        {"[lfs]\nfetchexclude = *\nconcurrenttransfers = 3\n", NULL},
        {"[lfs", NULL},
        {"url = https://a/\n", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *url = lfs_config_url(cases[i].text, strlen(cases[i].text));
        if (!str_same(url, cases[i].url))
            fail_msg("%s: %s", cases[i].text, url ? url : "(none)");
    }
}

TESTS(T(what_says_where_the_objects_are))
