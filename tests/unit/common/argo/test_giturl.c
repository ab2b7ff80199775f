#include "tests/unit/test.h"
#include "common/argo/giturl.h"

static void normalizes_as_argo_cd(void **state)
{
    static const struct {
        const char *url, *normal;
    } cases[] = {
        {"https://github.com/Argoproj/Example.git", "https://github.com/argoproj/example"},
        {" https://github.com/argoproj/example ", "https://github.com/argoproj/example"},
        {"https://github.com/argoproj/example.git.git", "https://github.com/argoproj/example.git"},
        {"https://github.com/argoproj/example/", "https://github.com/argoproj/example/"},
        {"git@github.com:argoproj/example.git", "git@github.com/argoproj/example"},
        {"git@GITHUB.com:argoproj/example", "git@github.com/argoproj/example"},
        {"ssh://git@github.com/argoproj/example.git", "git@github.com/argoproj/example"},
        {"ssh://git@github.com:22/argoproj/example", "git@github.com:22/argoproj/example"},
        {"ssh://github.com/a/b", "github.com/a/b"},
        {"https://user@host/a", "https://user@host/a"},
        {"https://user:p%40ss@host/a", "https://user:p%40ss@host/a"},
        {"https://host/a b.git", "https://host/a%20b"},
        {"https://host/a%20b", "https://host/a%20b"},
        {"https://host/\xc3\xa9", "https://host/%C3%A9"},
        {"https://host:8443/x", "https://host:8443/x"},
        {"https://[::1]:8443/x", "https://[::1]:8443/x"},
        {"https://host:port/x", ""},
        {"https://host/%zz", ""},
        {"https://host/a\nb", ""},
        {"", ""},
        {"foo:bar:baz", "foo:bar:baz"},
        {"1foo:bar", ""},
        {"/srv/repo.git", "/srv/repo"},
        {"file:///srv/Repo.git", "file:///srv/repo"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *n = giturl_normalize(cases[i].url);
        assert_string_equal(n, cases[i].normal);
    }
    assert_true(giturl_same("https://h/A.git", "https://h/a"));
    assert_false(giturl_same("https://h/a", "https://h/b"));
}

static void tells_ssh(void **state)
{
    static const struct {
        const char *url;
        bool ssh;
    } cases[] = {{"git@h:x", true},        {"ssh://git@h/x", true}, {"ssh://h/x", false},
                 {"https://u@h/x", false}, {"a@b@c", false},        {"@h", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(giturl_is_ssh(cases[i].url), cases[i].ssh);
}

TESTS(T(normalizes_as_argo_cd), T(tells_ssh))
