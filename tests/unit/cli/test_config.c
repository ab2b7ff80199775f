#include "tests/unit/test.h"
#include "cli/config.h"
#include "common/base/file.h"

#include <sys/stat.h>
#include <unistd.h>

static const char whole[] =
    "contexts:\n- name: a\n  server: s:1\n  user: a\n- name: b\n  server: t\n  user: nobody\n"
    "current-context: a\nfuture: {x: 1}\n"
    "servers:\n- server: s:1\n  plain-text: true\n- server: t\n"
    "users:\n- name: a\n  auth-token: tok\n";

static json_t *parse(const char *text)
{
    AUTO_ERR err = NULL;
    json_t *c = NULL;
    ASSERT_OK(config_parse(text, strlen(text), &c, &err));
    return c;
}

static void contexts(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_JSON c = parse(whole);
    struct config_context context;
    ASSERT_OK(config_context(c, "", &context, &err));
    assert_string_equal(context.name, "a");
    assert_true(json_bool_at(context.server, "plain-text"));
    assert_string_equal(json_str_at(context.user, "auth-token"), "tok");
    assert_int_equal(config_context(c, "b", &context, &err), -ERR_NOT_FOUND);
    assert_string_equal(err_text(err), "User 'nobody' undefined");
    assert_int_equal(config_context(c, "x", &context, &err), -ERR_NOT_FOUND);
    assert_string_equal(err_text(err), "Context 'x' undefined");
    config_set_current(c, "");
    assert_true(config_context(c, "", &context, &err) < 0);
    assert_string_equal(err_text(err), "local config: current-context unset");
}

static void bad_texts(void **state)
{
    static const char *const cases[] = {"[1, 2]", "a: [", "current-context: x\n",
                                        "current-context: x\ncontexts: [{name: x}]\n"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON c = NULL;
        assert_true(config_parse(cases[i], strlen(cases[i]), &c, NULL) < 0);
        assert_null(c);
    }
    AUTO_JSON empty = parse("");
    assert_string_equal(config_current(empty), "");
    assert_false(config_prompts(empty));
}

static json_t *entry(const char *name, const char *token)
{
    json_t *e = json_object();
    json_set_str(e, "name", name);
    json_set_str(e, "auth-token", token);
    return e;
}

static void changes(void **state)
{
    AUTO_JSON c = parse(whole);
    config_upsert(c, CONFIG_USERS, entry("a", "new"));
    config_upsert(c, CONFIG_USERS, entry("z", "other"));
    assert_int_equal(json_array_size(json_object_get(c, "users")), 2);
    assert_string_equal(json_str_at(config_find(c, CONFIG_USERS, "a"), "auth-token"), "new");
    assert_true(config_remove(c, CONFIG_USERS, "a"));
    assert_false(config_remove(c, CONFIG_USERS, "a"));
    assert_null(config_find(c, CONFIG_USERS, "a"));
    assert_true(config_check(c, NULL) < 0);
}

/* What another program wrote into the file stays; the file is its owner's only, and a link stays one. */
static void the_file(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *dir = NULL;
    ASSERT_OK(dir_make_temp(NULL, "cli-config-", &dir, &err));
    AUTO(free_p) char *path = xasprintf("%s/sub/config", dir), *link = xasprintf("%s/link", dir);
    AUTO_JSON c = parse(whole), *back = NULL, *none = NULL;
    struct stat st;
    ASSERT_OK(config_read(path, &none, &err));
    assert_null(none);
    ASSERT_OK(config_write(path, c, &err));
    ASSERT_OK(config_read(path, &back, &err));
    assert_int_equal(json_int_at(back, "future", "x"), 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(symlink(path, link), 0);
    config_set_current(c, "b");
    config_upsert(c, CONFIG_USERS, entry("nobody", "t"));
    ASSERT_OK(config_write(link, c, &err));
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    json_decref(back);
    ASSERT_OK(config_read(path, &back, &err));
    assert_string_equal(config_current(back), "b");
    assert_int_equal(chmod(path, 0644), 0);
    json_decref(back);
    back = NULL;
    assert_int_equal(config_read(path, &back, &err), -ERR_PERMISSION_DENIED);
    assert_non_null(strstr(err_text(err), "-rw-r--r--"));
    ASSERT_OK(dir_remove(dir, &err));
}

static const char *vars[4];
static const char *env(const char *name)
{
    static const char *const names[] = {"ARGOCD_CONFIG_DIR", "HOME", "XDG_CONFIG_HOME"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(names[i], name))
            return vars[i];
    return NULL;
}

static void folders(void **state)
{
    static const char *const cases[][4] = {
        {"/x", "/home/u", "/y", "/x"},
        {NULL, "/nonexistent", NULL, "/nonexistent/.config/argocd"},
        {"", "/nonexistent", "/y", "/y/argocd"},
        {NULL, "", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *dir = NULL;
        memcpy(vars, cases[i], sizeof(vars));
        int rc = config_dir(env, &dir, NULL);
        assert_int_equal(rc == 0, cases[i][3] != NULL);
        if (rc == 0)
            assert_string_equal(dir, cases[i][3]);
    }
}

static void tokens(void **state)
{
    /* {"sub":"admin:login","email":"","name":"N"} */
    AUTO_ERR err = NULL;
    AUTO_JSON claims = NULL;
    ASSERT_OK(
        token_claims("e30.eyJzdWIiOiJhZG1pbjpsb2dpbiIsImVtYWlsIjoiIiwibmFtZSI6Ik4ifQ.c2ln", &claims, &err));
    assert_string_equal(token_display_name(claims), "N");
    json_object_del(claims, "name");
    assert_string_equal(token_display_name(claims), "admin:login");
    json_set_str(claims, "email", "a@b");
    assert_string_equal(token_display_name(claims), "a@b");
    static const char *const bad[] = {"", "a", "a.b", "a.!.c", "a.e30"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_JSON c = NULL;
        assert_int_equal(token_claims(bad[i], &c, NULL), -ERR_UNAUTHENTICATED);
    }
}

TESTS(T(contexts), T(bad_texts), T(changes), T(the_file), T(folders), T(tokens))
