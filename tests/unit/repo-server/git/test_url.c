#include "tests/unit/test.h"
#include "repo-server/git/url.h"

static void parses(void **state)
{
    static const struct {
        const char *url;
        enum git_scheme scheme;
        const char *user, *password, *host;
        unsigned port;
        const char *path;
    } cases[] = {
        {"https://GitHub.com/a/B.git", GIT_SCHEME_HTTPS, NULL, NULL, "github.com", 0, "/a/B.git"},
        {"http://u:p%40@h:8080/x", GIT_SCHEME_HTTP, "u", "p@", "h", 8080, "/x"},
        {"https://token@h/x", GIT_SCHEME_HTTPS, "token", NULL, "h", 0, "/x"},
        {"git@h:a/b.git", GIT_SCHEME_SSH, "git", NULL, "h", 0, "a/b.git"},
        {"h:/abs/b", GIT_SCHEME_SSH, NULL, NULL, "h", 0, "/abs/b"},
        {"ssh://git@h:2222/~/b", GIT_SCHEME_SSH, "git", NULL, "h", 2222, "/~/b"},
        {"ssh://git@[fe80::1]:22/b", GIT_SCHEME_SSH, "git", NULL, "fe80::1", 22, "/b"},
        {"git://h/b", GIT_SCHEME_GIT, NULL, NULL, "h", 0, "/b"},
        {"file:///srv/x", GIT_SCHEME_FILE, NULL, NULL, "", 0, "/srv/x"},
        {"/srv/x", GIT_SCHEME_FILE, NULL, NULL, "", 0, "/srv/x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct git_url u;
        ASSERT_OK(git_url_parse(cases[i].url, &u, &err));
        assert_int_equal(u.scheme, cases[i].scheme);
        assert_true(str_eq(u.user, cases[i].user) && str_eq(u.password, cases[i].password));
        assert_string_equal(u.host, cases[i].host);
        assert_int_equal(u.port, cases[i].port);
        assert_string_equal(u.path, cases[i].path);
        git_url_dispose(&u);
    }
}

static void refuses(void **state)
{
    static const char *const bad[] = {"",
                                      "foo",
                                      "ftp://h/x",
                                      "https:///x",
                                      "https://h:99999/x",
                                      "https://h:x/y",
                                      "ssh://-oProxyCommand=x/y",
                                      "ssh://-l@h/x",
                                      "-oFoo@h:x",
                                      "git@h:-x",
                                      "https://h/a\nb",
                                      "https://h o/x",
                                      "ext::sh -c x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_ERR err = NULL;
        struct git_url u;
        if (git_url_parse(bad[i], &u, &err) == 0)
            fail_msg("'%s' was accepted", bad[i]);
    }
    AUTO_ERR err = NULL;
    struct git_url u;
    assert_true(git_url_parse("ftp://u:secret@h/x?token=secret", &u, &err) < 0);
    assert_null(strstr(err_text(err), "secret"));
}

static void storage_keys_keep_case_of_paths(void **state)
{
    static const struct {
        const char *url, *key;
    } cases[] = {
        {"https://u:p@Host/Team/X.git", "https://host/Team/X"},
        {"https://host/team/x", "https://host/team/x"},
        {"git@host:Team/X.git", "ssh://host/Team/X"},
        {"ssh://git@host/Team/X/", "ssh://host/Team/X"},
        {"/srv/x.git", "file:///srv/x"},
        {"nonsense", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *k = git_url_storage_key(cases[i].url);
        assert_string_equal(k, cases[i].key);
    }
}

static void messages_hide_credentials(void **state)
{
    AUTO(free_p) char *a = git_url_for_message("https://u:secret@h/x?private_token=secret#y");
    assert_string_equal(a, "https://h/x");
    AUTO(free_p) char *b = git_url_for_message("git@h:a/b");
    assert_string_equal(b, "git@h:a/b");
    AUTO(free_p) char *c = git_url_for_message(NULL);
    assert_string_equal(c, "");
}

TESTS(T(parses), T(refuses), T(storage_keys_keep_case_of_paths), T(messages_hide_credentials))
