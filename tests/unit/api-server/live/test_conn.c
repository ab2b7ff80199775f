/* Connections of argocd-live.v1 against a store that is fed by hand. */
#include "tests/unit/test.h"

#include "api-server/live/conn.h"
#include "common/base/enc.h"

static struct {
    config_box_t *box;
    auth_t *auth;
    live_t *live;
    int wakes, trees_wanted;
} w;

static rbac_project_t *no_project(void *ctx, const char *name)
{
    return NULL;
}

static void want_tree(void *ctx, const char *ns, const char *name)
{
    w.trees_wanted++;
}

static void woke(void *arg)
{
    w.wakes++;
}

static void set_policy(const char *csv)
{
    AUTO_JSON rbac = json_object();
    AUTO_JSON cm = json_object();
    AUTO_JSON secret = json_object();
    AUTO_STR key = STR_INIT;
    base64_encode("key", 3, &key);
    json_put_at(secret, json_string(str_text(&key)), "data", "server.secretkey");
    json_put_at(cm, json_string("login"), "data", "accounts.alice");
    json_put_at(cm, json_string("login"), "data", "accounts.bob");
    json_put_at(rbac, json_string(csv), "data", "policy.csv");
    struct config_source source = {.cm = cm, .rbac_cm = rbac, .secret = secret};
    config_box_put(w.box, config_new(&source, NULL, NULL));
}

static int setup(void **state)
{
    memset(&w, 0, sizeof w);
    w.box = config_box_new();
    set_policy("p, alice, applications, get, open/*, allow\n");
    w.auth = auth_new(&(struct auth_options){.config = w.box});
    w.live = live_new(&(struct live_options){.control_ns = "argocd",
                                             .config = w.box,
                                             .auth = w.auth,
                                             .project = no_project,
                                             .want_tree = want_tree});
    return 0;
}

static int teardown(void **state)
{
    live_free(w.live);
    auth_free(w.auth);
    config_box_free(w.box);
    return 0;
}

static identity_t *login(const char *user, int64_t seconds)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *token = NULL, *subject = xasprintf("%s:login", user);
    identity_t *id = NULL;
    ASSERT_OK(auth_make_token(w.auth, subject, user, SECONDS(seconds), &token, &err));
    ASSERT_OK(auth_verify(w.auth, token, &id, NULL, &err));
    return id;
}

static live_conn_t *connect_as(const char *user)
{
    AUTO(identity_unref_p) identity_t *id = login(user, 3600);
    return live_conn_new(w.live, id, woke, NULL);
}

static void put_app(const char *name, const char *project, const char *health, int rv)
{
    AUTO(free_p)
    char *text = xasprintf(
        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"argocd\",\"resourceVersion\":\"%d\","
        "\"managedFields\":[1],"
        "\"labels\":{\"team\":\"%s\"}},\"spec\":{\"project\":\"%s\",\"destination\":{\"server\":\"s\"}},"
        "\"status\":{\"health\":{\"status\":\"%s\"},\"resources\":[{\"kind\":\"Pod\",\"name\":\"p\","
        "\"status\":\"%s\"}]}}",
        name, rv, project, project, health, health);
    live_app_put(w.live, text, strlen(text));
}

static void del_app(const char *name)
{
    AUTO(free_p) char *text = xasprintf("{\"metadata\":{\"name\":\"%s\",\"namespace\":\"argocd\"}}", name);
    live_app_del(w.live, text, strlen(text));
}

static mono_t at(int64_t ms)
{
    return (mono_t){SECONDS(1000) + MILLIS(ms)};
}

static void say(live_conn_t *c, const char *text)
{
    assert_int_equal(live_conn_input(c, text, strlen(text), at(0)), CLOSE_NONE);
}

/* The next message, "" when there is none; the caller's. */
static char *hear(live_conn_t *c, int64_t ms)
{
    AUTO_STR s = STR_INIT;
    if (!live_conn_output(c, &s, at(ms)))
        return xstrdup("");
    AUTO_JSON doc = NULL;
    AUTO_ERR err = NULL;
    ASSERT_OK(json_read(str_text(&s), s.len, &doc, &err));
    return str_take(&s);
}

static void expect(live_conn_t *c, int64_t ms, const char *part)
{
    AUTO(free_p) char *m = hear(c, ms);
    if (*part ? !strstr(m, part) : *m != 0)
        fail_msg("expected %s, got %s", part, m);
}

static void ready(void)
{
    live_apps_begin(w.live);
    put_app("a", "open", "Healthy", 1);
    put_app("b", "closed", "Healthy", 2);
    live_apps_synced(w.live, "10");
}

static void rows_of_the_list(void **state)
{
    live_conn_t *c = connect_as("alice");
    expect(c, 0, "\"ev\":\"hello\",\"proto\":1,\"epoch\":\"");
    say(c, "{\"op\":\"sub\",\"id\":3,\"topic\":\"apps\",\"args\":{}}");
    expect(c, 0, ""); /* nothing before the list is there */
    ready();
    assert_int_equal(w.wakes, 1);
    assert_int_equal(live_conn_due(c, at(0)), 0);
    AUTO(free_p) char *snap = hear(c, 0);
    assert_non_null(strstr(snap, "\"ev\":\"snap\",\"id\":3,\"seq\":0"));
    assert_non_null(strstr(snap, "[\"argocd/a\","));
    assert_non_null(strstr(snap, "\"total\":1}"));
    assert_null(strstr(snap, "closed"));
    expect(c, 0, "");
    /* the first change at once, then one frame per 100 ms */
    put_app("a", "open", "Degraded", 11);
    expect(c, 150, "\"set\":[[\"argocd/a\",{\"health\":\"Degraded\",\"rv\":\"11\"}]]");
    put_app("a", "open", "Healthy", 12);
    put_app("a", "open", "Missing", 13);
    expect(c, 160, "");
    assert_true(live_conn_due(c, at(160)) == MILLIS(90));
    expect(c, 250, "[[\"argocd/a\",{\"health\":\"Missing\",\"rv\":\"13\"}]]");
    /* hidden ones come and go unseen; one that moves away is deleted */
    put_app("b", "closed", "Degraded", 14);
    del_app("b");
    expect(c, 500, "");
    put_app("a", "closed", "Missing", 15);
    expect(c, 600, "\"del\":[\"argocd/a\"]");
    put_app("a", "closed", "Healthy", 16);
    expect(c, 900, "");
    say(c, "{\"op\":\"unsub\",\"id\":3}");
    put_app("a", "open", "Healthy", 17);
    expect(c, 1200, "");
    live_conn_free(c);
}

static void filters(void **state)
{
    static const struct {
        const char *args;
        bool a;
    } cases[] = {{"{}", true},
                 {"{\"projects\":[\"open\"]}", true},
                 {"{\"projects\":[\"other\"]}", false},
                 {"{\"appNamespace\":\"argocd\"}", true},
                 {"{\"appNamespace\":\"x\"}", false},
                 {"{\"names\":[\"a\",\"z\"]}", true},
                 {"{\"names\":[\"z\"]}", false},
                 {"{\"selector\":\"team=open\"}", true},
                 {"{\"selector\":\"team!=open\"}", false}};
    ready();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        live_conn_t *c = connect_as("alice");
        expect(c, 0, "hello");
        AUTO(free_p)
        char *m = xasprintf("{\"op\":\"sub\",\"id\":1,\"topic\":\"apps\",\"args\":%s}", cases[i].args);
        say(c, m);
        expect(c, 0, cases[i].a ? "\"total\":1}" : "\"total\":0}");
        live_conn_free(c);
    }
    live_conn_t *c = connect_as("alice");
    expect(c, 0, "hello");
    say(c, "{\"op\":\"sub\",\"id\":1,\"topic\":\"apps\",\"args\":{\"selector\":\"((\"}}");
    expect(c, 0, "\"code\":\"InvalidArgument\",\"http\":400");
    live_conn_free(c);
}

static void one_application_and_its_tree(void **state)
{
    ready();
    live_conn_t *c = connect_as("alice");
    expect(c, 0, "hello");
    say(c, "{\"op\":\"sub\",\"id\":1,\"topic\":\"app\",\"args\":{\"name\":\"b\"}}");
    expect(c, 0,
           "{\"ev\":\"err\",\"id\":1,\"code\":\"PermissionDenied\",\"http\":403,\"message\":\"permission "
           "denied\",\"retry\":false}");
    say(c, "{\"op\":\"sub\",\"id\":1,\"topic\":\"app\",\"args\":{\"name\":\"nosuch\"}}");
    expect(c, 0,
           "{\"ev\":\"err\",\"id\":1,\"code\":\"PermissionDenied\",\"http\":403,\"message\":\"permission "
           "denied\",\"retry\":false}");
    say(c,
        "{\"op\":\"sub\",\"id\":1,\"topic\":\"app\",\"args\":{\"name\":\"a\",\"appNamespace\":\"argocd\"}}");
    AUTO(free_p) char *snap = hear(c, 0);
    assert_non_null(strstr(snap, "[\"app\","));
    assert_non_null(strstr(snap, "[\"r:/Pod//p\","));
    assert_null(strstr(snap, "managedFields"));
    put_app("a", "open", "Degraded", 11);
    expect(c, 200, "[\"r:/Pod//p\",{\"status\":\"Degraded\"}]");
    say(c, "{\"op\":\"unsub\",\"id\":1}");
    say(c, "{\"op\":\"sub\",\"id\":2,\"topic\":\"tree\",\"args\":{\"name\":\"a\"}}");
    assert_int_equal(w.trees_wanted, 1);
    assert_true(live_tree_wanted(w.live, "argocd", "a"));
    expect(c, 300, "");
    AUTO_ERR why = NULL;
    err_set(&why, ERR_UNAVAILABLE, "the controller is away");
    live_fail_tree(w.live, "argocd", "a", why);
    expect(c, 400,
           "\"id\":2,\"code\":\"Unavailable\",\"http\":503,\"message\":\"the controller is "
           "away\",\"retry\":true");
    say(c, "{\"op\":\"sub\",\"id\":3,\"topic\":\"tree\",\"args\":{\"name\":\"a\"}}");
    AUTO_ERR err = NULL;
    AUTO_JSON tree = NULL;
    ASSERT_OK(json_read_str(
        "{\"nodes\":[{\"kind\":\"Pod\",\"name\":\"p\",\"uid\":\"u1\"},{\"kind\":\"Secret\",\"name\":\"s\"}],"
        "\"orphanedNodes\":[{\"kind\":\"Job\",\"name\":\"j\",\"uid\":\"u2\"}],\"hosts\":[{\"name\":\"n1\"}]}",
        &tree, &err));
    live_put_tree(w.live, "argocd", "a", tree);
    AUTO(free_p) char *nodes = hear(c, 500);
    assert_non_null(strstr(nodes, "[\"u1\","));
    assert_non_null(strstr(nodes, "[\"/Secret//s\","));
    assert_non_null(strstr(nodes, "[\"h:n1\","));
    assert_non_null(strstr(nodes, "\"total\":4"));
    json_drop_at(tree, "orphanedNodes");
    live_put_tree(w.live, "argocd", "a", tree);
    expect(c, 700, "\"del\":[\"u2\"]");
    live_tree_news(w.live, "argocd", "a");
    live_tree_news(w.live, NULL, NULL);
    assert_int_equal(w.trees_wanted, 3);
    put_app("a", "closed", "Healthy", 12); /* hidden now: all of it goes */
    expect(c, 900, "\"del\":[");
    del_app("a");
    expect(c, 1200, "");
    live_conn_free(c);
}

static void resuming_and_policy(void **state)
{
    ready();
    live_conn_t *c = connect_as("alice");
    AUTO(free_p) UNUSED char *hello = hear(c, 0);
    say(c, "{\"op\":\"sub\",\"id\":1,\"topic\":\"apps\"}");
    AUTO(free_p) char *snap = hear(c, 0);
    int rev = (int)strtol(strstr(snap, "\"rev\":") + 6, NULL, 10);
    live_conn_free(c);
    put_app("a", "open", "Degraded", 20);
    for (int i = 0; i < 4; i++) { /* right, wrong epoch, wrong policy, too far ahead */
        c = connect_as("alice");
        expect(c, 0, "hello");
        AUTO(free_p)
        char *m = xasprintf("{\"op\":\"sub\",\"id\":9,\"topic\":\"apps\",\"args\":{},\"since\":{\"epoch\":\"%"
                            "s\",\"pe\":%d,\"rev\":%d}}",
                            i == 1 ? "x" : live_epoch(w.live), i == 2 ? 7 : 1, i == 3 ? rev + 1000 : rev);
        say(c, m);
        expect(c, 0, i == 0 ? "\"reset\":false" : "\"reset\":true");
        if (i == 0)
            expect(c, 200, "[[\"argocd/a\",{\"health\":\"Degraded\",\"rv\":\"20\"}]]");
        live_conn_free(c);
    }
    c = connect_as("alice");
    expect(c, 0, "\"pe\":1,");
    say(c, "{\"op\":\"sub\",\"id\":1,\"topic\":\"apps\"}");
    expect(c, 0, "\"total\":1}");
    set_policy("p, alice, applications, get, */*, allow\n");
    live_policy_changed(w.live);
    expect(c, 200, "\"total\":2}");
    set_policy("");
    live_policy_changed(w.live);
    expect(c, 400, "\"rows\":[],\"more\":false,\"total\":0}");
    live_conn_free(c);
}

static void pausing_and_pings(void **state)
{
    ready();
    live_conn_t *c = connect_as("alice");
    expect(c, 0, "hello");
    say(c, "{\"op\":\"sub\",\"id\":1,\"topic\":\"apps\"}");
    expect(c, 0, "snap");
    say(c, "{\"op\":\"pause\"}");
    put_app("a", "open", "Degraded", 20);
    say(c, "{\"op\":\"ping\",\"t\":12.5}");
    expect(c, 300, "{\"ev\":\"pong\",\"t\":12.5}");
    expect(c, 300, "");
    assert_true(live_conn_due(c, at(300)) < 0);
    say(c, "{\"op\":\"resume\"}");
    expect(c, 300, "delta");
    say(c, "{\"op\":\"what-is-new\",\"x\":1}");
    live_conn_free(c);
}

static void protocol_errors(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "null",
        "{\"op\":\"sub\",\"topic\":\"apps\"}",
        "{\"op\":\"sub\",\"id\":-1,\"topic\":\"apps\"}",
        "{\"op\":\"sub\",\"id\":\"1\",\"topic\":\"apps\"}",
        "{\"op\":\"sub\",\"id\":1e3000,\"topic\":\"apps\"}",
        "\xff",
        "{\"op\":\"ping\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        live_conn_t *c = connect_as("alice");
        if (live_conn_input(c, bad[i], strlen(bad[i]), at(0)) != CLOSE_PROTOCOL)
            fail_msg("%s", bad[i]);
        live_conn_free(c);
    }
    live_conn_t *c = connect_as("alice");
    expect(c, 0, "hello");
    say(c, "{\"op\":\"sub\",\"id\":1,\"topic\":\"nonsense\"}");
    expect(c, 0, "Unimplemented");
    say(c, "{\"op\":\"sub\",\"id\":1,\"topic\":\"app\",\"args\":{\"name\":[]}}");
    expect(c, 0, "InvalidArgument");
    for (int i = 0; i < LIVE_MAX_SUBS + 1; i++) {
        AUTO(free_p) char *m = xasprintf("{\"op\":\"sub\",\"id\":%d,\"topic\":\"apps\"}", i);
        say(c, m);
    }
    expect(c, 0, "\"code\":\"ResourceExhausted\",\"http\":429");
    const char *again = "{\"op\":\"sub\",\"id\":1,\"topic\":\"apps\"}";
    assert_int_equal(live_conn_input(c, again, strlen(again), at(0)), CLOSE_PROTOCOL);
    live_conn_free(c);
    /* a flood ends the connection; what it asks for stays bounded */
    c = connect_as("alice");
    enum live_close code = CLOSE_NONE;
    for (int i = 0; i < 1000 && !code; i++)
        code = live_conn_input(c, "{\"op\":\"ping\"}", 13, at(i / 100));
    assert_int_equal(code, CLOSE_PROTOCOL);
    live_conn_free(c);
}

static void sessions_end(void **state)
{
    AUTO(identity_unref_p) identity_t *id = login("alice", 3600);
    live_conn_t *c = live_conn_new(w.live, id, woke, NULL);
    expect(c, 0, "hello");
    wall_t now = wall_now(), later = {now.ns + SECONDS(3550)}, end = {now.ns + SECONDS(3601)};
    assert_int_equal(live_conn_check(c, mono_now(), now), CLOSE_NONE);
    expect(c, 0, "");
    assert_int_equal(live_conn_check(c, mono_now(), later), CLOSE_NONE);
    expect(c, 0, "{\"ev\":\"auth\",\"in\":");
    assert_int_equal(live_conn_check(c, mono_now(), later), CLOSE_NONE);
    expect(c, 0, ""); /* said once */
    assert_int_equal(live_conn_check(c, mono_now(), end), CLOSE_EXPIRED);
    auth_revoke(w.auth, id->jti, id->exp);
    assert_int_equal(live_conn_check(c, mono_after(mono_now(), SECONDS(20)), now), CLOSE_EXPIRED);
    live_conn_free(c);
    AUTO(identity_unref_p) identity_t *bob = login("bob", 3600);
    c = live_conn_new(w.live, bob, woke, NULL);
    AUTO_JSON cm = json_object();
    json_put_at(cm, json_string("login"), "data", "accounts.bob");
    json_put_at(cm, json_string("false"), "data", "accounts.bob.enabled");
    AUTO_JSON secret = json_object();
    json_put_at(secret, json_string("a2V5"), "data", "server.secretkey");
    struct config_source source = {.cm = cm, .secret = secret};
    config_box_put(w.box, config_new(&source, NULL, NULL));
    assert_int_equal(live_conn_check(c, mono_after(mono_now(), SECONDS(20)), now), CLOSE_DISABLED);
    live_conn_free(c);
}

static void five_thousand_rows_cost_little(void **state)
{
    live_apps_begin(w.live);
    for (int i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof name, "app-%04d", i);
        put_app(name, "open", "Healthy", i + 1);
    }
    live_apps_synced(w.live, "1");
    live_conn_t *c = connect_as("alice");
    expect(c, 0, "hello");
    say(c, "{\"op\":\"sub\",\"id\":1,\"topic\":\"apps\"}");
    int messages = 0;
    for (;; messages++) {
        AUTO(free_p) char *m = hear(c, messages);
        if (!*m)
            break;
        assert_true(strlen(m) < 80 << 10);
    }
    assert_true(messages >= 10);
    assert_true(live_conn_memory(c) <= 16 << 10);
    live_conn_free(c);
}

static _Atomic int told, timed_out_told;
static bool no_refresh(void *arg, const struct live_doc *doc)
{
    return strstr(doc->bytes, "Degraded") != NULL;
}
static void done(void *arg, struct live_doc *doc, bool timed_out)
{
    told++;
    timed_out_told += timed_out;
}

static void waiting_for_a_state(void **state)
{
    ready();
    told = timed_out_told = 0;
    struct live_wait wait = {no_refresh, done, NULL, MONO_NEVER, NULL};
    live_wait_app(w.live, "argocd", "a", &wait);
    put_app("a", "open", "Missing", 11);
    assert_int_equal(told, 0);
    put_app("a", "open", "Degraded", 12);
    assert_int_equal(told, 1);
    live_wait_app(w.live, "", "a", &wait); /* true already */
    assert_int_equal(told, 2);
    put_app("a", "open", "Healthy", 13);
    live_wait_app(w.live, "argocd", "a", &wait);
    del_app("a");
    assert_int_equal(told, 3);
    wait.deadline = mono_now();
    live_wait_app(w.live, "argocd", "b", &wait);
    live_tick(w.live);
    assert_int_equal(told, 4);
    assert_int_equal(timed_out_told, 1);
}

static void a_new_list_forgets_what_is_gone(void **state)
{
    ready();
    live_conn_t *c = connect_as("alice");
    expect(c, 0, "hello");
    say(c, "{\"op\":\"sub\",\"id\":1,\"topic\":\"apps\"}");
    expect(c, 0, "\"total\":1}");
    live_apps_begin(w.live);
    put_app("c", "open", "Healthy", 30);
    live_apps_synced(w.live, "31");
    expect(c, 200, "\"del\":[\"argocd/a\"]");
    assert_int_equal(live_app_count(w.live), 1);
    AUTO(free_p) char *version = live_apps_version(w.live);
    assert_string_equal(version, "31");
    live_conn_free(c);
}

int main(void)
{
#define S(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {S(rows_of_the_list),
                                       S(filters),
                                       S(one_application_and_its_tree),
                                       S(resuming_and_policy),
                                       S(pausing_and_pings),
                                       S(protocol_errors),
                                       S(sessions_end),
                                       S(five_thousand_rows_cost_little),
                                       S(waiting_for_a_state),
                                       S(a_new_list_forgets_what_is_gone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
