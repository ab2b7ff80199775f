/* The Kubernetes client against a real API server (KUBECONFIG). With KUBE_RESTART set to a command that kills
 * the API server and starts it again, also what happens then. Seen on Kubernetes 1.20. */
#include "tests/unit/test.h"
#include "tests/integration/kube_fixture.h"
#include "common/base/map.h"
#include "common/base/proc.h"
#include "common/json/scan.h"

#include <unistd.h>

static struct fixture f;

#define NEED_CLUSTER()                                                                                       \
    do {                                                                                                     \
        if (!f.api)                                                                                          \
            skip();                                                                                          \
    } while (0)

/* ---- discovery ---- */

static void discovers_what_the_server_has(void **state)
{
    NEED_CLUSTER();
    AUTO_ERR err = NULL;
    AUTO(free_p) char *version = NULL;
    ASSERT_OK(kube_version(f.k, &version, &err));
    assert_int_equal(version[0], 'v');
    static const struct {
        const char *group, *version, *kind, *plural, *subresource;
        bool namespaced;
    } known[] = {
        {"", NULL, "Pod", "pods", "log", true},
        {"", "v1", "Namespace", "namespaces", "finalize", false},
        {"apps", NULL, "Deployment", "deployments", "scale", true},
        {"batch", "v1", "Job", "jobs", "status", true},
        {"rbac.authorization.k8s.io", NULL, "ClusterRole", "clusterroles", NULL, false},
        {"apiextensions.k8s.io", NULL, "CustomResourceDefinition", "customresourcedefinitions", "status",
         false},
        {"coordination.k8s.io", NULL, "Lease", "leases", NULL, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const struct kube_resource *r = kube_api_find(f.api, known[i].group, known[i].version, known[i].kind);
        assert_non_null(r);
        assert_string_equal(r->plural, known[i].plural);
        assert_int_equal(r->namespaced, known[i].namespaced);
        assert_true(r->preferred);
        assert_int_equal(r->verbs & (KUBE_LIST | KUBE_WATCH), KUBE_LIST | KUBE_WATCH);
        if (known[i].subresource) {
            AUTO(strv_free_p) char **subs = strv_split(r->subresources, ",", true);
            assert_true(strv_contains(subs, known[i].subresource));
        }
    }
    size_t n;
    kube_api_all(f.api, &n);
    assert_true(n > 50);
    assert_null(kube_api_find(f.api, "", NULL, "NoSuchKind"));
    assert_true(kube_api_serves_group(f.api, "apps"));
    assert_false(kube_api_serves_group(f.api, "no.such.group"));
}

/* ---- objects ---- */

static json_t *make_deployment(const char *name, int replicas)
{
    AUTO(free_p)
    char *text = xasprintf(
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"%s\"},\"spec\":{\"replicas\":%d,"
        "\"selector\":{\"matchLabels\":{\"a\":\"%s\"}},\"template\":{\"metadata\":{\"labels\":{"
        "\"a\":\"%s\"}},\"spec\":"
        "{\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}]}}}}",
        name, replicas, name, name);
    json_t *o = NULL;
    json_read_str(text, &o, NULL);
    return o;
}

static void objects_are_created_changed_and_deleted(void **state)
{
    NEED_CLUSTER();
    AUTO_ERR err = NULL;
    AUTO_JSON d = make_deployment("web", 0);
    AUTO_JSON got = NULL;
    ASSERT_OK(kube_create(f.k, f.deployments, f.ns, d, NULL, &got, &err));
    assert_string_equal(json_str_at(got, "kind"), "Deployment");
    assert_int_equal(json_int_at(got, "spec", "replicas"), 0);
    struct kube_failure failure = {};
    struct kube_params params = {.failure = &failure};
    assert_int_equal(kube_create(f.k, f.deployments, f.ns, d, &params, NULL, &err), -ERR_ALREADY_EXISTS);
    assert_string_equal(failure.reason, "AlreadyExists");
    assert_int_equal(failure.http_status, 409);
    assert_string_equal(failure.message, err_text(err));
    kube_failure_dispose(&failure);
    /* PUT: with the version it was read at, then with one that is gone. */
    AUTO_JSON cm = make_configmap("put", NULL, "1");
    AUTO_JSON read = NULL;
    AUTO_JSON updated = NULL;
    ASSERT_OK(kube_create(f.k, f.configmaps, f.ns, cm, NULL, &read, &err));
    json_put_at(read, json_string("2"), "data", "v");
    ASSERT_OK(kube_update(f.k, f.configmaps, f.ns, "put", read, NULL, &updated, &err));
    assert_string_equal(json_str_at(updated, "data", "v"), "2");
    assert_int_equal(kube_update(f.k, f.configmaps, f.ns, "put", read, NULL, NULL, &err), -ERR_ABORTED);
    /* Wrong input is named. */
    json_put_at(got, json_string("many"), "spec", "replicas");
    assert_int_equal(kube_update(f.k, f.deployments, f.ns, "web", got, NULL, NULL, &err),
                     -ERR_INVALID_ARGUMENT);
    AUTO_JSON missing = NULL;
    assert_int_equal(kube_get(f.k, f.deployments, f.ns, "nope", NULL, &missing, &err), -ERR_NOT_FOUND);
    assert_string_equal(err_text(err), "deployments.apps \"nope\" not found");
    /* A subresource. */
    AUTO_JSON scale = NULL;
    ASSERT_OK(kube_get(f.k, f.deployments, f.ns, "web", &(struct kube_params){.subresource = "scale"}, &scale,
                       &err));
    assert_string_equal(json_str_at(scale, "kind"), "Scale");
    ASSERT_OK(kube_delete(f.k, f.deployments, f.ns, "web", NULL, NULL, &err));
}

static json_t *parse(const char *text)
{
    json_t *v = NULL;
    AUTO_ERR err = NULL;
    ASSERT_OK(json_read_str(text, &v, &err));
    return v;
}

static void patches_of_every_kind(void **state)
{
    NEED_CLUSTER();
    static const struct {
        enum kube_patch_type type;
        const char *patch, *image;
        int replicas;
        const char *second; /* name of the second container */
    } cases[] = {
        {KUBE_PATCH_MERGE, "{\"spec\":{\"replicas\":0},\"metadata\":{\"labels\":{\"l\":\"1\"}}}", "i:1", 0,
         NULL},
        {KUBE_PATCH_JSON,
         "[{\"op\":\"replace\",\"path\":\"/spec/template/spec/containers/0/image\",\"value\":\"i:2\"}]",
         "i:2", 0, NULL},
        {KUBE_PATCH_STRATEGIC,
         "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"d\",\"image\":\"j\"}]}}}}", "i:2", 0,
         "d"},
        {KUBE_PATCH_APPLY,
         "{\"apiVersion\":\"apps/"
         "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"template\":"
         "{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i:3\"}]}}}}",
         "i:3", 0, "d"},
    };
    AUTO_ERR err = NULL;
    AUTO_JSON d = make_deployment("p", 0);
    ASSERT_OK(kube_create(f.k, f.deployments, f.ns, d, &(struct kube_params){.field_manager = "first"}, NULL,
                          &err));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON patch = parse(cases[i].patch);
        AUTO_JSON out = NULL;
        struct kube_params params = {.field_manager = "tester", .force = true};
        ASSERT_OK(kube_patch(f.k, f.deployments, f.ns, "p", cases[i].type, patch, &params, &out, &err));
        const json_t *containers = json_at(out, "spec", "template", "spec", "containers");
        const json_t *c0 = json_array_get(containers, 0), *c1 = json_array_get(containers, 1);
        bool c_first = str_eq(json_str_at(c0, "name"), "c");
        assert_string_equal(json_str_at(c_first ? c0 : c1, "image"), cases[i].image);
        assert_true(str_same(json_str_at(c_first ? c1 : c0, "name"), cases[i].second));
    }
    /* Server-side apply without force meets the owner of the field. */
    AUTO_JSON conflict = parse(cases[3].patch);
    struct kube_params other = {.field_manager = "somebody"};
    json_array_clear(json_at(conflict, "spec", "template", "spec", "containers"));
    json_array_append_new(json_at(conflict, "spec", "template", "spec", "containers"),
                          parse("{\"name\":\"c\",\"image\":\"i:9\"}"));
    assert_int_equal(
        kube_patch(f.k, f.deployments, f.ns, "p", KUBE_PATCH_APPLY, conflict, &other, NULL, &err),
        -ERR_ABORTED);
    assert_non_null(strstr(err_text(err), "conflict"));
    ASSERT_OK(kube_delete(f.k, f.deployments, f.ns, "p", NULL, NULL, &err));
}

static void dry_runs_change_nothing(void **state)
{
    NEED_CLUSTER();
    AUTO_ERR err = NULL;
    struct kube_params dry = {.dry_run = true};
    AUTO_JSON cm = make_configmap("dry", NULL, "1");
    AUTO_JSON out = NULL;
    AUTO_JSON none = NULL;
    AUTO_JSON still = NULL;
    ASSERT_OK(kube_create(f.k, f.configmaps, f.ns, cm, &dry, &out, &err));
    assert_string_equal(json_str_at(out, "data", "v"), "1");
    assert_int_equal(kube_get(f.k, f.configmaps, f.ns, "dry", NULL, &none, &err), -ERR_NOT_FOUND);
    ASSERT_OK(kube_create(f.k, f.configmaps, f.ns, cm, NULL, NULL, &err));
    AUTO_JSON patch = parse("{\"data\":{\"v\":\"2\"}}");
    AUTO_JSON patched = NULL;
    ASSERT_OK(kube_patch(f.k, f.configmaps, f.ns, "dry", KUBE_PATCH_MERGE, patch, &dry, &patched, &err));
    assert_string_equal(json_str_at(patched, "data", "v"), "2");
    ASSERT_OK(kube_delete(f.k, f.configmaps, f.ns, "dry", NULL, &dry, &err));
    ASSERT_OK(kube_get(f.k, f.configmaps, f.ns, "dry", NULL, &still, &err));
    assert_string_equal(json_str_at(still, "data", "v"), "1");
    ASSERT_OK(kube_delete(f.k, f.configmaps, f.ns, "dry", NULL, NULL, &err));
}

static void deletes_keep_to_their_preconditions(void **state)
{
    NEED_CLUSTER();
    AUTO_ERR err = NULL;
    AUTO_JSON cm = make_configmap("del", NULL, "1");
    AUTO_JSON made = NULL;
    AUTO_JSON left = NULL;
    ASSERT_OK(kube_create(f.k, f.configmaps, f.ns, cm, NULL, &made, &err));
    struct kube_delete wrong = {.uid = "00000000-0000-0000-0000-000000000000", .grace_seconds = -1};
    assert_int_equal(kube_delete(f.k, f.configmaps, f.ns, "del", &wrong, NULL, &err), -ERR_ABORTED);
    struct kube_delete stale = {.resource_version = "1", .grace_seconds = -1};
    assert_int_equal(kube_delete(f.k, f.configmaps, f.ns, "del", &stale, NULL, &err), -ERR_ABORTED);
    struct kube_delete right = {.uid = json_str_at(made, "metadata", "uid"), .grace_seconds = -1};
    ASSERT_OK(kube_delete(f.k, f.configmaps, f.ns, "del", &right, NULL, &err));
    /* Foreground: the object stays, marked, until what it owns is gone. */
    AUTO_JSON d = make_deployment("fg", 0);
    json_put_at(d, parse("[\"example.com/hold\"]"), "metadata", "finalizers");
    ASSERT_OK(kube_create(f.k, f.deployments, f.ns, d, NULL, NULL, &err));
    struct kube_delete foreground = {.propagation = "Foreground", .grace_seconds = -1};
    ASSERT_OK(kube_delete(f.k, f.deployments, f.ns, "fg", &foreground, NULL, &err));
    ASSERT_OK(kube_get(f.k, f.deployments, f.ns, "fg", NULL, &left, &err));
    assert_non_null(json_str_at(left, "metadata", "deletionTimestamp"));
    AUTO_JSON release = parse("{\"metadata\":{\"finalizers\":null}}");
    ASSERT_OK(kube_patch(f.k, f.deployments, f.ns, "fg", KUBE_PATCH_MERGE, release, NULL, NULL, &err));
}

static void others_may_less(void **state)
{
    NEED_CLUSTER();
    AUTO_ERR err = NULL;
    kube_t *other = kube_impersonate(f.k, "system:serviceaccount:default:nobody");
    AUTO_JSON out = NULL;
    assert_int_equal(kube_get(other, f.configmaps, f.ns, "x", NULL, &out, &err), -ERR_PERMISSION_DENIED);
    assert_non_null(strstr(err_text(err), "system:serviceaccount:default:nobody"));
    kube_close(other);
    AUTO_STR text = STR_MAX(64 << 20);
    ASSERT_OK(kube_raw(f.k, "GET", "/openapi/v2", NULL, NULL, 0, NULL, &text, &err));
    assert_true(text.len > 100000);
}

/* ---- lists ---- */

enum { MANY = 1000 };

static void create_one(void *arg, size_t i)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *name = xasprintf("many-%04zu", i);
    AUTO_JSON cm = make_configmap(name, i % 10 ? "some" : f.ns, "0");
    if (kube_create(f.k, f.configmaps, f.ns, cm, NULL, NULL, &err) < 0) {
        print_message("# %s\n", err_text(err));
        __atomic_add_fetch((int *)arg, 1, __ATOMIC_RELAXED);
    }
}

struct listed {
    map_t names;
    size_t n, doubled, bare;
};

static int on_item(void *arg, const char *p, size_t n)
{
    struct listed *l = arg;
    AUTO_JSON o = NULL;
    if (json_read(p, n, &o, NULL) < 0)
        return -ERR_DATA_LOSS;
    l->n++;
    l->bare += !json_str_at(o, "kind");
    l->doubled += !map_put(&l->names, json_str_at(o, "metadata", "name"), NULL);
    return 0;
}

static void long_lists_come_in_pages(void **state)
{
    NEED_CLUSTER();
    AUTO_ERR err = NULL;
    int failed = 0;
    in_parallel(16, MANY, create_one, &failed);
    assert_int_equal(failed, 0);
    static const struct kube_list_ops ops = {.on_item = on_item};
    AUTO(free_p) char *all = xasprintf("x in (some,%s)", f.ns);
    AUTO(free_p) char *tenth = xasprintf("x=%s", f.ns);
    const struct {
        struct kube_list what;
        size_t n;
    } cases[] = {
        {{.ns = f.ns, .page_size = 100, .label_selector = all}, MANY},
        {{.ns = f.ns, .label_selector = tenth}, MANY / 10},
        {{.ns = f.ns, .page_size = 7, .label_selector = tenth, .metadata_only = true}, MANY / 10},
        {{.label_selector = tenth, .page_size = 100000}, MANY / 10},
        {{.ns = f.ns, .field_selector = "metadata.name=many-0003"}, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct listed l = {};
        AUTO(free_p) char *version = NULL;
        ASSERT_OK(kube_list(f.k, f.configmaps, &cases[i].what, &ops, &l, &version, &err));
        assert_int_equal(l.n, cases[i].n);
        assert_int_equal(l.doubled, 0);
        assert_int_equal(l.bare, 0);
        assert_true(*version);
        map_dispose(&l.names);
    }
    AUTO_JSON items = NULL;
    ASSERT_OK(kube_list_json(f.k, f.configmaps, &cases[4].what, &items, &err));
    assert_string_equal(json_str_at(json_array_get(items, 0), "apiVersion"), "v1");
}

/* ---- watches ---- */

enum { WATCHES = 300 };

/* What one watch knows of its object; written on the I/O thread. */
struct seen {
    lock_t lock;
    int lists, synced, adds, mods, dels, back; /* back: an older value after a newer one */
    int64_t value;                             /* -1: the object does not exist */
    bool marked, failing;
};
static struct seen seen[WATCHES];

static void on_list(void *arg)
{
    struct seen *s = arg;
    LOCKED(&s->lock);
    s->lists++;
    s->marked = false;
}

static void on_event(void *arg, enum kube_event event, const char *p, size_t n)
{
    struct seen *s = arg;
    AUTO_JSON o = NULL;
    json_read(p, n, &o, NULL);
    int64_t value = 0;
    str_to_i64(str_or_empty(json_str_at(o, "data", "v")), &value);
    LOCKED(&s->lock);
    s->adds += event == KUBE_ADDED;
    s->mods += event == KUBE_MODIFIED;
    s->dels += event == KUBE_DELETED;
    s->back += value < s->value;
    s->value = event == KUBE_DELETED ? -1 : value;
    s->marked = true;
}

static void on_synced(void *arg, const char *resource_version)
{
    struct seen *s = arg;
    LOCKED(&s->lock);
    s->synced++;
    if (!s->marked)
        s->value = -1;
}

static void on_error(void *arg, err_t *err)
{
    struct seen *s = arg;
    LOCKED(&s->lock);
    s->failing = err != NULL;
}

static const struct kube_watch_ops watch_ops = {on_list, on_event, on_synced, on_error, NULL};

static kube_watch_t *watches[WATCHES];

static void start_watches(void)
{
    for (size_t i = 0; i < WATCHES; i++) {
        AUTO(free_p) char *selector = xasprintf("x=w%zu", i);
        seen[i] = (struct seen){.lock = LOCK_INIT, .value = -1};
        struct kube_watch_spec spec = {.resource = f.configmaps,
                                       .list = {.ns = f.ns, .label_selector = selector}};
        watches[i] = kube_watch_start(f.k, &spec, &watch_ops, &seen[i]);
    }
}

static void stop_watches(void)
{
    for (size_t i = 0; i < WATCHES; i++)
        kube_watch_stop(watches[i]);
}

/* Waits until every watch satisfies the condition. */
#define WAIT_ALL(condition, seconds)                                                                         \
    do {                                                                                                     \
        mono_t end_ = mono_after(mono_now(), SECONDS(seconds));                                              \
        size_t bad_ = WATCHES;                                                                               \
        while (bad_ && mono_left(end_)) {                                                                    \
            bad_ = 0;                                                                                        \
            for (size_t i = 0; i < WATCHES; i++) {                                                           \
                LOCKED(&seen[i].lock);                                                                       \
                struct seen *s = &seen[i];                                                                   \
                bad_ += !(condition);                                                                        \
            }                                                                                                \
            sleep_ns(MILLIS(10));                                                                            \
        }                                                                                                    \
        if (bad_)                                                                                            \
            fail_msg("%zu of %d watches: not " #condition, bad_, WATCHES);                                   \
    } while (0)

static void write_one(size_t i, int value, int *failed)
{
    AUTO(free_p)
    char *name = xasprintf("w-%zu", i), *label = xasprintf("w%zu", i), *text = xasprintf("%d", value);
    AUTO_ERR err = NULL;
    AUTO_JSON cm = make_configmap(name, label, text);
    int r;
    if (value < 0)
        r = kube_delete(f.k, f.configmaps, f.ns, name, NULL, NULL, &err);
    else if (value == 0)
        r = kube_create(f.k, f.configmaps, f.ns, cm, NULL, NULL, &err);
    else
        r = kube_patch(f.k, f.configmaps, f.ns, name, KUBE_PATCH_MERGE, cm, NULL, NULL, &err);
    if (r < 0)
        __atomic_add_fetch(failed, 1, __ATOMIC_RELAXED);
}

static int round_failed, round_value;

static void write_round(void *arg, size_t i)
{
    write_one(i, round_value, &round_failed);
}

static void write_all(int value)
{
    round_failed = 0;
    round_value = value;
    in_parallel(8, WATCHES, write_round, NULL);
}

static void many_watches_see_every_event(void **state)
{
    NEED_CLUSTER();
    start_watches();
    WAIT_ALL(s->synced == 1 && s->lists == 1, 60);
    write_all(0);
    assert_int_equal(round_failed, 0);
    WAIT_ALL(s->adds == 1 && s->value == 0, 20);
    for (int v = 1; v <= 3; v++) {
        write_all(v);
        assert_int_equal(round_failed, 0);
    }
    WAIT_ALL(s->mods == 3 && s->value == 3, 20);
    write_one(0, -1, &round_failed);
    mono_t end = mono_after(mono_now(), SECONDS(10));
    while (__atomic_load_n(&seen[0].dels, __ATOMIC_RELAXED) == 0 && mono_left(end))
        sleep_ns(MILLIS(10));
    assert_int_equal(seen[0].dels, 1);
    write_one(0, 0, &round_failed);
    stop_watches();
    for (size_t i = 0; i < WATCHES; i++)
        if (seen[i].back || seen[i].lists != 1)
            fail_msg("watch %zu: %d lists, %d steps back", i, seen[i].lists, seen[i].back);
}

static bool restarted; /* atomic accesses only */

static void *restart(void *arg)
{
    char *argv[] = {"/bin/sh", "-c", getenv("KUBE_RESTART"), NULL};
    char *path = xasprintf("PATH=%s", getenv("PATH"));
    char *env[] = {path, NULL};
    struct proc_spec spec = {.argv = argv, .env = env, .timeout_ns = SECONDS(120)};
    AUTO_ERR err = NULL;
    if (proc_run(&spec, NULL, NULL, NULL, &err) < 0)
        print_message("# %s\n", err_text(err));
    free(path);
    __atomic_store_n(&restarted, true, __ATOMIC_RELAXED);
    return NULL;
}

static void wait_for_server(void)
{
    mono_t end = mono_after(mono_now(), SECONDS(60));
    AUTO(free_p) char *version = NULL;
    while (kube_version(f.k, &version, NULL) < 0 && mono_left(end))
        sleep_ns(MILLIS(100));
    assert_non_null(version);
}

static void watches_survive_the_death_of_the_server(void **state)
{
    NEED_CLUSTER();
    if (str_empty(getenv("KUBE_RESTART"))) {
        print_message("# KUBE_RESTART is not set\n");
        skip();
    }
    start_watches();
    WAIT_ALL(s->synced >= 1 && s->value >= 0, 60);
    pthread_t t = thread_start("restart", restart, NULL);
    for (int v = 100; !__atomic_load_n(&restarted, __ATOMIC_RELAXED); v++) {
        write_all(v); /* many of these fail: the server is away */
        sleep_ns(MILLIS(100));
    }
    pthread_join(t, NULL);
    wait_for_server();
    write_all(1000);
    assert_int_equal(round_failed, 0);
    mono_t since = mono_now();
    WAIT_ALL(s->value == 1000 && !s->failing, 30);
    print_message("# all watches were up to date %.1f s after the last write\n",
                  (double)(mono_now().ns - since.ns) / 1e9);
    stop_watches();
    for (size_t i = 0; i < WATCHES; i++)
        assert_int_equal(seen[i].back, 0);
}

static int setup(void **state)
{
    process_setup();
    const char *why = fixture_open(&f, 2000);
    if (why) {
        print_message("# skipped: %s\n", why);
        f.api = NULL;
    }
    return 0;
}

static int teardown(void **state)
{
    if (f.api)
        fixture_close(&f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(discovers_what_the_server_has),
        T(objects_are_created_changed_and_deleted),
        T(patches_of_every_kind),
        T(dry_runs_change_nothing),
        T(deletes_keep_to_their_preconditions),
        T(others_may_less),
        T(long_lists_come_in_pages),
        T(many_watches_see_every_event),
        T(watches_survive_the_death_of_the_server),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
