#include "tests/unit/test.h"

#include "api-server/auth/password.h"
#include "api-server/auth/session.h"
#include "common/base/enc.h"

static char *admin_hash;

static json_t *secret_with(const char *const pairs[][2], size_t n)
{
    json_t *s = json_object();
    for (size_t i = 0; i < n; i++) {
        AUTO_STR b64 = STR_INIT;
        base64_encode(pairs[i][1], strlen(pairs[i][1]), &b64);
        json_put_at(s, json_string(str_text(&b64)), "data", pairs[i][0]);
    }
    return s;
}

static config_t *make(const char *cm_json, const char *rbac_json, const char *mtime, const config_t *previous)
{
    AUTO_ERR err = NULL;
    AUTO_JSON cm = NULL;
    AUTO_JSON rbac = NULL;
    const char *const pairs[][2] = {
        {"server.secretkey", "YWJjZGVmZ2hpamtsbW5vcA=="},
        {"admin.password", admin_hash},
        {"admin.passwordMtime", mtime},
        {"accounts.alice.password", admin_hash},
        {"accounts.bot.tokens", "[{\"id\":\"t1\",\"iat\":1},{\"id\":\"t2\",\"iat\":2,\"exp\":3}]"},
        {"oidc.secret", "hush"},
    };
    AUTO_JSON secret = secret_with(pairs, ARRAY_LEN(pairs));
    ASSERT_OK(json_read_str(cm_json, &cm, &err));
    ASSERT_OK(json_read_str(rbac_json, &rbac, &err));
    struct config_source source = {.cm = cm, .rbac_cm = rbac, .secret = secret};
    return config_new(&source, previous, NULL);
}

static const char base_cm[] =
    "{\"data\":{\"accounts.alice\":\"login\",\"accounts.bot\":\"apiKey\",\"accounts.off\":\"login, apiKey\","
    "\"accounts.off.enabled\":\"false\",\"users.session.duration\":\"1h\",\"x\":\"$oidc.secret\"}}";

static int setup(void **state)
{
    return password_hash("correct horse", &admin_hash, NULL);
}

static int teardown(void **state)
{
    free(admin_hash);
    return 0;
}

static bool has_token(void *ctx, const char *project, const char *role, const char *id, int64_t iat)
{
    return !strcmp(project, "shop") && !strcmp(role, "ci") && !strcmp(id, "good");
}

struct world {
    config_box_t *box;
    auth_t *auth;
};

static struct world world_new(const char *cm, bool disabled)
{
    struct world w = {.box = config_box_new()};
    config_box_put(w.box, make(cm, "{}", "2020-01-01T00:00:00Z", NULL));
    struct auth_options o = {
        .config = w.box, .project_token = has_token, .failure_window_ns = -1, .disabled = disabled};
    w.auth = auth_new(&o);
    return w;
}

static void world_free(struct world *w)
{
    auth_free(w->auth);
    config_box_free(w->box);
}

static void settings_are_read(void **state)
{
    AUTO(config_unref_p) config_t *c = make(base_cm, "{}", "2020-01-01T00:00:00Z", NULL);
    size_t n;
    const struct account *a = config_accounts(c, &n);
    assert_int_equal(n, 4);
    assert_string_equal(a[0].name, "admin");
    assert_true(a[0].login && !a[0].api_key && a[0].enabled);
    assert_int_equal(a[0].password_mtime, 1577836800);
    assert_true(!a[2].login && a[2].api_key);
    assert_int_equal(a[2].tokens.n, 2);
    assert_false(a[3].enabled);
    assert_true(config_session_ns(c) == SECONDS(3600));
    AUTO(free_p) char *resolved = config_resolve(c, "$oidc.secret"), *kept = config_resolve(c, "$no.such");
    assert_string_equal(resolved, "hush");
    assert_string_equal(kept, "$no.such");
}

static void a_bad_policy_leaves_the_old_one(void **state)
{
    AUTO(config_unref_p)
    config_t *a = make("{}", "{\"data\":{\"policy.csv\":\"p, bob, clusters, get, *, allow\"}}", "", NULL);
    AUTO(config_unref_p) config_t *b = make("{}", "{\"data\":{\"policy.csv\":\"nonsense\"}}", "", a);
    AUTO(config_unref_p)
    config_t *c = make("{}",
                       "{\"data\":{\"policy.csv\":\"\",\"policy.b.csv\":\"p, bob, clusters, "
                       "get, *, allow\"}}",
                       "", NULL);
    AUTO(config_unref_p) config_t *d = make("{}", "{\"data\":{\"policy.csv\":\"nonsense\"}}", "", NULL);
    const config_t *all[] = {a, b, c, d};
    for (size_t i = 0; i < 4; i++) {
        AUTO(rbac_caller_free_p) rbac_caller_t *bob = rbac_caller_new(config_rbac(all[i]), "bob", NULL);
        assert_int_equal(rbac_allows(bob, NULL, "clusters", "get", "x"), i != 3);
        AUTO(rbac_caller_free_p) rbac_caller_t *admin = rbac_caller_new(config_rbac(all[i]), "admin", NULL);
        assert_true(rbac_allows(admin, NULL, "clusters", "get", "x"));
    }
}

static void logins(void **state)
{
    static const struct {
        const char *user, *password;
        enum err_code code;
        const char *text;
    } cases[] = {
        {"admin", "correct horse", ERR_OK, ""},
        {"alice", "correct horse", ERR_OK, ""},
        {"admin", "wrong", ERR_UNAUTHENTICATED, "Invalid username or password"},
        {"nobody", "correct horse", ERR_UNAUTHENTICATED, "Invalid username or password"},
        {"bot", "correct horse", ERR_UNAUTHENTICATED, "Invalid username or password"},
        {"", "x", ERR_UNAUTHENTICATED, "no credentials supplied"},
        {"admin", "", ERR_UNAUTHENTICATED, "no credentials supplied"},
        {"a-name-that-is-longer-than-thirty-two", "x", ERR_INVALID_ARGUMENT,
         "Username is too long (32 bytes max)"},
    };
    struct world w = world_new(base_cm, false);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(free_p) char *token = NULL;
        int64_t delay;
        int rc = auth_login(w.auth, cases[i].user, cases[i].password, &token, &delay, &err);
        assert_int_equal(err_code(err), cases[i].code);
        assert_string_equal(err_text(err), cases[i].text);
        assert_int_equal(rc == 0, token != NULL);
        if (rc == 0) {
            AUTO(identity_unref_p) identity_t *id = NULL;
            ASSERT_OK(auth_verify(w.auth, token, &id, NULL, &err));
            assert_string_equal(id->subject, cases[i].user);
            assert_string_equal(id->issuer, "argocd");
            assert_int_equal(id->exp - id->iat, 3600);
        } else if (cases[i].code == ERR_UNAUTHENTICATED && *cases[i].user && *cases[i].password)
            assert_true(delay >= MILLIS(500) && delay < SECONDS(1));
    }
    world_free(&w);
}

static void a_locked_name_answers_as_a_wrong_password(void **state)
{
    struct world w = world_new(base_cm, false);
    for (int i = 0; i < 5; i++) {
        AUTO_ERR err = NULL;
        int64_t delay;
        AUTO(free_p) char *token = NULL;
        auth_login(w.auth, "alice", "wrong", &token, &delay, &err);
    }
    AUTO_ERR err = NULL;
    int64_t delay;
    AUTO(free_p) char *token = NULL;
    assert_true(auth_login(w.auth, "alice", "correct horse", &token, &delay, &err) < 0);
    assert_string_equal(err_text(err), "Invalid username or password");
    world_free(&w);
}

static void tokens_end(void **state)
{
    static const struct {
        const char *subject, *id, *cm, *mtime;
        bool revoke;
        const char *text; /* NULL: accepted */
    } cases[] = {
        {"alice:login", "x", base_cm, "", false, NULL},
        {"alice:login", "x", "{}", "", false, "invalid session: account 'alice' does not exist"},
        {"off:login", "x", base_cm, "", false, "invalid session: account off is disabled"},
        {"bot:login", "x", base_cm, "", false,
         "invalid session: account bot does not have 'login' capability"},
        {"alice:apiKey", "x", base_cm, "", false,
         "invalid session: account alice does not have 'apiKey' capability"},
        {"alice", "x", base_cm, "", false,
         "invalid session: account alice does not have 'apiKey' capability"},
        {"bot:apiKey", "t1", base_cm, "", false, NULL},
        {"bot", "t2", base_cm, "", false, NULL},
        {"bot:apiKey", "t9", base_cm, "", false,
         "invalid session: account bot does not have token with id t9"},
        {"alice:login", "", base_cm, "", false, "invalid session: token does not have jti claim"},
        {"alice:login", "x", base_cm, "", true, "invalid session: token is revoked, please re-login"},
        {"admin:login", "x", base_cm, "2099-01-01T00:00:00Z", false,
         "invalid session: account password has changed since token issued"},
        {"proj:shop:ci", "good", base_cm, "", false, NULL},
        {"proj:shop:ci", "bad", base_cm, "", false, "invalid session: token does not exist in project shop"},
        {"proj:shop", "good", base_cm, "", false,
         "invalid session: token subject proj:shop is no project role"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(free_p) char *token = NULL;
        AUTO(identity_unref_p) identity_t *id = NULL;
        struct world w = world_new(cases[i].cm, false);
        config_box_put(w.box, make(cases[i].cm, "{}", cases[i].mtime, NULL));
        ASSERT_OK(auth_make_token(w.auth, cases[i].subject, cases[i].id, SECONDS(3600), &token, &err));
        if (cases[i].revoke)
            auth_revoke(w.auth, cases[i].id, 0);
        int rc = auth_verify(w.auth, token, &id, NULL, &err);
        if ((rc == 0) != !cases[i].text || (rc < 0 && strcmp(err_text(err), cases[i].text) != 0))
            fail_msg("case %zu: %s", i, err_text(err));
        world_free(&w);
    }
}

static void sessions_are_renewed_near_their_end(void **state)
{
    struct world w = world_new(base_cm, false);
    for (int minutes = 1; minutes < 10; minutes += 7) {
        AUTO_ERR err = NULL;
        AUTO(free_p) char *token = NULL, *fresh = NULL;
        AUTO(identity_unref_p) identity_t *id = NULL;
        ASSERT_OK(auth_make_token(w.auth, "admin:login", "x", SECONDS(60 * minutes), &token, &err));
        ASSERT_OK(auth_verify(w.auth, token, &id, &fresh, &err));
        assert_int_equal(fresh != NULL, minutes == 1);
    }
    world_free(&w);
}

static void where_the_token_comes_from(void **state)
{
    struct world w = world_new(base_cm, false);
    AUTO_ERR err = NULL;
    AUTO(free_p) char *good = NULL;
    ASSERT_OK(auth_make_token(w.auth, "admin:login", "x", SECONDS(3600), &good, &err));
    AUTO(free_p)
    char *bearer = xasprintf("Bearer %s", good), *cookie = xasprintf("a=b; argocd.token=%s", good);
    const struct {
        const char *name, *value, *name2, *value2;
        bool ok;
    } cases[] = {
        {"token", good, NULL, NULL, true},
        {"grpc-metadata-token", good, NULL, NULL, true},
        {"authorization", bearer, NULL, NULL, true},
        {"cookie", cookie, NULL, NULL, true},
        {"authorization", "Bearer not-a-jwt", "cookie", cookie, true},
        {"authorization", "Basic abc", "cookie", cookie, true},
        {"token", "stale", "cookie", cookie, false},
        {"token", "", "cookie", cookie, true},
        {"x", "y", NULL, NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct web_request r = {};
        headers_add(&r.headers, cases[i].name, strlen(cases[i].name), cases[i].value, strlen(cases[i].value));
        if (cases[i].name2)
            headers_add(&r.headers, cases[i].name2, strlen(cases[i].name2), cases[i].value2,
                        strlen(cases[i].value2));
        AUTO(identity_unref_p) identity_t *id = NULL;
        AUTO_ERR why = NULL;
        if ((auth_request(w.auth, &r, &id, NULL, &why) == 0) != cases[i].ok)
            fail_msg("case %zu: %s", i, err_text(why));
        assert_int_equal(auth_plausible(w.auth, &r), cases[i].ok);
        headers_dispose(&r.headers);
    }
    world_free(&w);
}

/* CVE-2022-29165: with anonymous access a bad token must give nobody's rights, not those that it claims. */
static void anonymous_and_disabled(void **state)
{
    struct world w = world_new("{\"data\":{\"users.anonymous.enabled\":\"true\"}}", false);
    struct web_request r = {};
    AUTO_ERR err = NULL;
    const char *forged = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsImlzcyI6ImFyZ29jZCJ9.AA";
    headers_add(&r.headers, "token", 5, forged, strlen(forged));
    AUTO(identity_unref_p) identity_t *id = NULL;
    ASSERT_OK(auth_request(w.auth, &r, &id, NULL, &err));
    assert_string_equal(id->subject, "");
    assert_false(id->authenticated || id->all_powers);
    world_free(&w);
    struct world off = world_new(base_cm, true);
    AUTO(identity_unref_p) identity_t *any = NULL;
    ASSERT_OK(auth_request(off.auth, &r, &any, NULL, &err));
    assert_true(any->all_powers);
    headers_dispose(&r.headers);
    world_free(&off);
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(settings_are_read),
                                       T(a_bad_policy_leaves_the_old_one),
                                       T(logins),
                                       T(a_locked_name_answers_as_a_wrong_password),
                                       T(tokens_end),
                                       T(sessions_are_renewed_near_their_end),
                                       T(where_the_token_comes_from),
                                       T(anonymous_and_disabled)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
