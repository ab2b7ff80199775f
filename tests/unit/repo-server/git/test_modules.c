#include "repo-server/git/modules.h"
#include "tests/unit/repo-server/fixture/fixture.h"

static void files_are_read(void **state)
{
    static const struct {
        const char *text, *found;
    } cases[] = {
        {"[submodule \"a\"]\n\tpath = a/b\n\turl = https://x/y.git\n", "a/b=https://x/y.git\n"},
        {"[submodule \"a\"]\npath=\"q #\\\" r\" ; c\nURL = ../z # c\n", "q #\" r=../z\n"},
        {"[core]\npath = x\nurl = y\n", ""},
        {"[submodule \"a\"]\npath = x\n[submodule \"b\"]\npath = p\nurl = u\nbranch = main\n", "p=u\n"},
        {"[submodule \"a\"]\npath = x\nurl = one\nurl = two\n[Submodule \"c\"]\nurl = v\npath = w",
         "x=two\nw=v\n"},
        {"", ""},
        {"garbage", ""},
        {"[submodule", ""},
        {"= =\n[submodule \"\"]\n=\npath", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        git_modules_t m = {};
        AUTO_ERR err = NULL;
        AUTO_STR found = STR_INIT;
        ASSERT_OK(git_modules_parse(cases[i].text, strlen(cases[i].text), &m, &err));
        VEC_FOREACH(&m, e)
            str_printf(&found, "%s=%s\n", e->path, e->url);
        assert_string_equal(str_text(&found), cases[i].found);
        git_modules_dispose(&m);
    }
    AUTO_STR many = STR_INIT;
    for (int i = 0; i <= GIT_MODULES_MAX; i++)
        str_printf(&many, "[submodule \"%d\"]\npath = %d\nurl = u\n", i, i);
    git_modules_t m = {};
    AUTO_ERR err = NULL;
    assert_int_equal(git_modules_parse(many.p, many.len, &m, &err), -ERR_RESOURCE_EXHAUSTED);
    git_modules_dispose(&m);
}

static void urls_are_resolved(void **state)
{
    static const struct {
        const char *parent, *url, *full;
    } cases[] = {
        {"https://h/team/app.git", "../lib.git", "https://h/team/lib.git"},
        {"https://h/team/app.git/", "../../other/lib", "https://h/other/lib"},
        {"https://h/team/app.git", "./sub", "https://h/team/app.git/sub"},
        {"https://h/team/app.git", "../../../x", NULL},
        {"git@h:team/app.git", "../lib.git", "git@h:team/lib.git"},
        {"git@h:app.git", "../lib.git", "git@h:lib.git"},
        {"git@h:app.git", "../../lib.git", NULL},
        {"ssh://git@h:22/a/b", "../c", "ssh://git@h:22/a/c"},
        {"https://h/a", "https://o/b", "https://o/b"},
        {"https://h/a", "git@o:b", "git@o:b"},
        {"https://h/a", "...", "..."},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *full = git_modules_resolve(cases[i].parent, cases[i].url);
        if (!str_eq(full, cases[i].full))
            fail_msg("%s + %s: %s", cases[i].parent, cases[i].url, full ? full : "none");
    }
}

static void credentials_stay_with_their_server(void **state)
{
    static const struct {
        const char *url;
        bool password, key;
    } cases[] = {
        {"../lib.git", true, true},       {"https://h/other", true, true},
        {"https://H/other", true, true},  {"https://h:444/other", false, false},
        {"http://h/other", false, false}, {"https://evil.example/x", false, false},
        {"git@o:lib", false, true},
    };
    AUTO_ERR err = NULL;
    AUTO(origin_unref_p) origin_t *parent = NULL;
    struct git_access access = {.url = "https://h/team/app",
                                .username = "u",
                                .password = "p",
                                .bearer_token = "t",
                                .tls_client_cert = "c",
                                .tls_client_key = "k",
                                .ssh_private_key = "s",
                                .insecure = true};
    ASSERT_OK(origin_new(&access, fx_settings(), &parent, &err));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(origin_unref_p) origin_t *o = NULL;
        ASSERT_OK(git_modules_origin(parent, cases[i].url, fx_settings(), &o, &err));
        bool all = o->username && o->password && o->bearer_token && o->tls_client_cert && o->tls_client_key &&
                   o->insecure;
        bool none = !o->username && !o->password && !o->bearer_token && !o->tls_client_cert &&
                    !o->tls_client_key && !o->insecure;
        if ((cases[i].password ? !all : !none) || (o->ssh_private_key != NULL) != cases[i].key)
            fail_msg("%s", cases[i].url);
    }
    origin_t *o = NULL;
    assert_int_equal(git_modules_origin(parent, "--upload-pack=x", fx_settings(), &o, &err),
                     -ERR_INVALID_ARGUMENT);
    assert_int_equal(git_modules_origin(parent, "ext::sh -c x", fx_settings(), &o, &err),
                     -ERR_INVALID_ARGUMENT);
}

REPO_TESTS(fx_begin, fx_end, T(files_are_read), T(urls_are_resolved), T(credentials_stay_with_their_server))
