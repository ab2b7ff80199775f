/* Tasks and results in detail; how a sync goes with them is tested by traces and at random. */
#include "tests/unit/golden.h"
#include "tests/unit/kit/hostile.h"
#include "common/base/clock.h"
#include "common/engine/annotations.h"
#include "common/engine/sync.h"

static struct sync_task *find(const struct sync_plan *p, const char *name)
{
    VEC_FOREACH(&p->tasks, t)
        if (strcmp((*t)->name, name) == 0)
            return *t;
    fail_msg("no task %s", name);
    return NULL;
}

static void hooks_as_they_are_made(void **state)
{
    static const struct {
        const char *hook, *revision, *name;
    } cases[] = {
        {"{\"generateName\":\"Do-\"}", "0123456789", "Do-0123456-postsync-1700000000"},
        {"{\"generateName\":\"do-\"}", "01234567", "do-0123456-postsync-1700000000"},
        {"{\"generateName\":\"do-\"}", "1.2.3", "do-1.2.3-postsync-1700000000"},
        {"{\"generateName\":\"do-\"}", "ABCDEFGHI", "do-abcdefg-postsync-1700000000"},
        {"{\"generateName\":\"do-\"}", "", "do--postsync-1700000000"},
        {"{\"generateName\":\"do-\",\"name\":\"fixed\"}", "0123456789", "fixed"},
        {"{}", "0123456789", "0123456-postsync-1700000000"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON hook = json_pack("{s:s,s:s,s:o}", "apiVersion", "batch/v1", "kind", "Job", "metadata",
                                   json_of(cases[i].hook));
        object_set_annotation(hook, "argocd.argoproj.io/hook", "PostSync");
        json_t *hooks[] = {hook};
        AUTO_JSON given = json_copy_deep(hook);
        struct sync_input in = {.hooks = hooks,
                                .nhooks = 1,
                                .ns = "web",
                                .revision = cases[i].revision,
                                .started_at = 1700000000,
                                .operation_id = "op1"};
        struct sync_plan p;
        sync_plan_init(&p, &in, NULL);
        assert_int_equal(p.tasks.n, 1);
        const struct sync_task *t = p.tasks.v[0];
        assert_string_equal(t->name, cases[i].name);
        assert_string_equal(object_name(t->target), cases[i].name);
        assert_string_equal(t->ns, "web");
        assert_string_equal(object_annotation(t->target, ANNOTATION_HOOK_OPERATION), "op1/PostSync");
        assert_true(health_held_as_hook(t->target));
        assert_json_same(hook, given, "the hook as given"); /* its own copy is changed */
        sync_plan_dispose(&p);
    }
}

static void finalizer_once(void **state)
{
    AUTO_JSON hook = json_of(
        "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"h\",\"annotations\":"
        "{\"argocd.argoproj.io/hook\":\"PreSync,PostSync\"},\"finalizers\":[\"a\","
        "\"argocd.argoproj.io/hook-finalizer\"]}}");
    json_t *hooks[] = {hook};
    struct sync_input in = {.hooks = hooks, .nhooks = 1, .ns = "web"};
    struct sync_plan p;
    sync_plan_init(&p, &in, NULL);
    assert_int_equal(p.tasks.n, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(json_array_size(json_at(p.tasks.v[i]->target, "metadata", "finalizers")), 2);
    assert_int_equal(p.tasks.v[0]->phase, PHASE_PRE_SYNC);
    assert_int_equal(p.tasks.v[1]->phase, PHASE_POST_SYNC);
    sync_plan_dispose(&p);
}

/* Which of these a selection takes. */
static void selections(void **state)
{
    static const struct {
        const char *selection;
        bool config, role;
    } cases[] = {
        {"[]", true, true},
        {"[{\"kind\":\"ConfigMap\",\"name\":\"c\"}]", true, false},
        {"[{\"kind\":\"ConfigMap\",\"name\":\"c\",\"namespace\":\"web\"}]", true, false},
        {"[{\"kind\":\"ConfigMap\",\"name\":\"c\",\"namespace\":\"other\"}]", false, false},
        {"[{\"kind\":\"ConfigMap\",\"name\":\"c\",\"group\":\"apps\"}]", false, false},
        {"[{\"kind\":\"ConfigMap\",\"name\":\"*\"}]", false, false},
        {"[{\"kind\":\"ClusterRole\",\"group\":\"rbac.authorization.k8s.io\",\"name\":\"r\"}]", false, true},
        /* A target's odd namespace does not count when the object that exists has none. */
        {"[{\"kind\":\"ClusterRole\",\"group\":\"rbac.authorization.k8s.io\",\"name\":\"r\",\"namespace\":"
         "\"odd\"}]",
         false, false},
        {"[null,5,{\"kind\":7},{\"kind\":\"ConfigMap\",\"name\":\"c\",\"namespace\":\"\"}]", true, false},
    };
    AUTO_JSON config = json_of(
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\",\"namespace\":"
        "\"web\"}}");
    AUTO_JSON role = json_of(
        "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\",\"metadata\":"
        "{\"name\":\"r\",\"namespace\":\"odd\"}}");
    AUTO_JSON live = json_of(
        "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\",\"metadata\":"
        "{\"name\":\"r\"}}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON selection = json_of(cases[i].selection);
        struct sync_pair pairs[] = {
            {config, NULL, true, true}, {role, live, true, true}, {NULL, live, true, false}};
        struct sync_input in = {.pairs = pairs, .npairs = 3, .resources = selection, .ns = "web"};
        struct sync_plan p;
        sync_plan_init(&p, &in, NULL);
        if (p.tasks.n != (size_t)cases[i].config + cases[i].role)
            fail_msg("%s: %zu tasks", cases[i].selection, p.tasks.n);
        if (p.tasks.n == 1)
            assert_string_equal(p.tasks.v[0]->kind, cases[i].config ? "ConfigMap" : "ClusterRole");
        sync_plan_dispose(&p);
    }
}

static void results_are_kept_and_brought_up_to_date(void **state)
{
    AUTO_JSON target = json_of(
        "{\"apiVersion\":\"batch/v1\",\"kind\":\"CronJob\",\"metadata\":{\"name\":\"j\"},\"spec\":"
        "{\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"a\"},{},"
        "{\"image\":\"b\"},7]}}}}}}");
    struct sync_pair pairs[] = {{target, NULL, true, true}};
    struct sync_input in = {.pairs = pairs, .npairs = 1, .ns = "web"};
    struct sync_plan p;
    json_t *before = json_of("[{\"kind\":\"Gone\",\"name\":\"g\",\"extra\":1},5,null]");
    sync_plan_init(&p, &in, before);
    assert_true(p.started);
    struct sync_task *t = find(&p, "j");
    sync_set_result(&p, t, RESULT_SYNCED, OP_RUNNING, "made");
    AUTO_JSON made = json_of(
        "[{\"kind\":\"Gone\",\"name\":\"g\",\"extra\":1},5,null,{\"group\":\"batch\",\"version\":\"v1\","
        "\"kind\":\"CronJob\",\"namespace\":\"web\",\"name\":\"j\",\"syncPhase\":\"Sync\",\"images\":"
        "[\"a\",\"b\"],\"status\":\"Synced\",\"message\":\"made\",\"hookPhase\":\"Running\"}]");
    assert_json_same(p.results, made, "a new result");
    sync_set_result(&p, t, RESULT_SYNC_FAILED, OP_ERROR, "");
    assert_string_equal(t->message, "made"); /* an empty message keeps the last one */
    sync_set_result(&p, t, RESULT_NONE, OP_PENDING, t->message + 2);
    AUTO_JSON after = json_of(
        "{\"group\":\"batch\",\"version\":\"v1\",\"kind\":\"CronJob\",\"namespace\":\"web\",\"name\":"
        "\"j\",\"syncPhase\":\"Sync\",\"images\":[\"a\",\"b\"],\"message\":\"de\"}");
    assert_json_same(json_array_get(p.results, 3), after, "a changed result");
    json_t *again = json_copy_deep(p.results);
    sync_plan_dispose(&p);
    /* Joined again, fields of others and images of then stay. */
    json_object_set_new(json_array_get(again, 3), "images", json_pack("[s]", "old"));
    json_object_set_new(json_array_get(again, 3), "status", json_string("Synced"));
    json_object_set_new(json_array_get(again, 3), "hookPhase", json_string("Succeeded"));
    sync_plan_init(&p, &in, again);
    t = find(&p, "j");
    assert_int_equal(t->code, RESULT_SYNCED);
    assert_int_equal(t->op, OP_SUCCEEDED);
    assert_string_equal(t->message, "de");
    sync_set_result(&p, t, RESULT_SYNCED, OP_SUCCEEDED, "end");
    assert_int_equal(json_array_size(p.results), 4);
    assert_string_equal(json_string_value(json_array_get(json_at(json_array_get(p.results, 3), "images"), 0)),
                        "old");
    sync_plan_dispose(&p);
}

static void namespace_that_cannot_be_made(void **state)
{
    AUTO_JSON ns = json_of("{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"web\"}}");
    AUTO_JSON target = json_of(
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"}}");
    struct sync_pair pairs[] = {{target, NULL, true, true}};
    struct sync_input in = {.pairs = pairs,
                            .npairs = 1,
                            .ns = "web",
                            .namespace_target = ns,
                            .namespace_error = "namespace auto creation failed: forbidden"};
    struct sync_plan p;
    sync_plan_init(&p, &in, NULL);
    assert_int_equal(sync_plan_next(&p), STEP_END);
    assert_int_equal(p.phase, OP_FAILED);
    assert_string_equal(p.message,
                        "one or more synchronization tasks completed unsuccessfully, reason: namespace auto "
                        "creation failed: forbidden");
    assert_string_equal(json_str_at(json_array_get(p.results, 0), "hookPhase"), "Error");
    assert_string_equal(json_str_at(json_array_get(p.results, 0), "namespace"), "");
    sync_plan_dispose(&p);
}

/* A hook whose health cannot be told has ended in an error; a resource stays as it is. */
static void health_that_cannot_be_told(void **state)
{
    AUTO_JSON hook = json_of(
        "{\"apiVersion\":\"batch/v1beta1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"h\",\"annotations\":"
        "{\"argocd.argoproj.io/hook\":\"PreSync\"}}}");
    AUTO_JSON object = json_of(
        "{\"apiVersion\":\"batch/v1beta1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"o\"}}");
    AUTO_JSON live = json_copy_deep(hook);
    json_t *hooks[] = {hook};
    struct sync_pair pairs[] = {{object, object, true, true}, {NULL, live, true, true}};
    struct sync_input in = {.pairs = pairs, .npairs = 2, .hooks = hooks, .nhooks = 1, .ns = ""};
    struct sync_plan p;
    sync_plan_init(&p, &in, NULL);
    sync_set_result(&p, find(&p, "h"), RESULT_SYNCED, OP_RUNNING, "");
    sync_set_result(&p, find(&p, "o"), RESULT_SYNCED, OP_RUNNING, "applied");
    json_t *results = json_copy_deep(p.results);
    sync_plan_dispose(&p);
    sync_plan_init(&p, &in, results);
    assert_int_equal(sync_plan_next(&p), STEP_END); /* "o" is of a later phase and still runs */
    assert_string_equal(p.message, "waiting for healthy state of batch/Job/o");
    assert_int_equal(find(&p, "h")->op, OP_ERROR);
    assert_string_equal(find(&p, "h")->message,
                        "failed to get resource health: unsupported Job GVK: batch/v1beta1, Kind=Job");
    assert_int_equal(find(&p, "o")->op, OP_RUNNING);
    sync_plan_dispose(&p);
}

static void prune_options(void **state)
{
    static const struct {
        const char *own, *fallback;
        bool forbidden, confirm;
    } cases[] = {{"", "", false, false},
                 {"", "false", true, false},
                 {"", "confirm", false, true},
                 {"Prune=true", "false", false, false},
                 {"Prune=true", "confirm", false, false},
                 {"Prune=false", "confirm", true, false},
                 {"Prune=confirm", "false", false, true},
                 {"Prune=", "false", false, false},
                 {"PruneLast=true", "false", true, false},
                 {"A, Prune=false", NULL, true, false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON o = json_object();
        if (*cases[i].own)
            object_set_annotation(o, ANNOTATION_SYNC_OPTIONS, cases[i].own);
        assert_int_equal(prune_forbidden(o, cases[i].fallback), cases[i].forbidden);
        assert_int_equal(prune_needs_confirmation(o, cases[i].fallback), cases[i].confirm);
    }
}

static void phases_and_codes(void **state)
{
    static const char *const phases[] = {"", "Running", "Succeeded", "Failed", "Error"};
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        assert_string_equal(op_phase_name((enum op_phase)i), phases[i]);
        assert_int_equal(op_phase_parse(phases[i]), i);
    }
    assert_int_equal(op_phase_parse("Terminating"), OP_PENDING);
    assert_int_equal(op_phase_parse(NULL), OP_PENDING);
    assert_int_equal(sync_result_phase(RESULT_SYNCED, false), OP_RUNNING);
    assert_int_equal(sync_result_phase(RESULT_SYNCED, true), OP_SUCCEEDED);
    assert_int_equal(sync_result_phase(RESULT_SYNC_FAILED, true), OP_FAILED);
    assert_int_equal(sync_result_phase(RESULT_PRUNED, false), OP_SUCCEEDED);
    assert_int_equal(sync_result_phase(RESULT_PRUNE_SKIPPED, false), OP_SUCCEEDED);
}

/* ---- bad documents ---- */

static const char *const documents[] = {
    "{\"apiVersion\":\"batch/"
    "v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"annotations\":"
    "{\"argocd.argoproj.io/hook\":\"PreSync,SyncFail\",\"argocd.argoproj.io/sync-wave\":\"3\",\"cargocd.io/"
    "operation-id\":"
    "\"op/PreSync\"},\"finalizers\":[\"argocd.argoproj.io/"
    "hook-finalizer\"]},\"status\":{\"conditions\":[{\"type\":"
    "\"Complete\",\"status\":\"True\"}]}}",
    "{\"apiVersion\":\"apiextensions.k8s.io/"
    "v1\",\"kind\":\"CustomResourceDefinition\",\"metadata\":{\"name\":\"b\"},"
    "\"spec\":{\"group\":\"g\",\"names\":{\"kind\":\"K\"}}}",
    "{\"apiVersion\":\"g/"
    "v1\",\"kind\":\"K\",\"metadata\":{\"name\":\"c\",\"namespace\":\"n\",\"annotations\":"
    "{\"argocd.argoproj.io/sync-options\":\"PruneLast=true,Prune=confirm\"}}}",
    "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"n\"}}",
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"d\",\"deletionTimestamp\":\"2024-01-"
    "01T00:00:00Z\"},"
    "\"spec\":{\"containers\":[{\"image\":\"i\"}]},\"status\":{\"phase\":\"Failed\"}}",
};

static json_t *some(struct hostile *h)
{
    AUTO_JSON doc = json_of(documents[hostile_below(h, ARRAY_LEN(documents))]);
    return hostile_below(h, 3) ? hostile_document(h, doc) : TAKE(doc);
}

static json_t *some_results(struct hostile *h)
{
    AUTO_JSON list = json_of(
        "[{\"group\":\"batch\",\"kind\":\"Job\",\"namespace\":\"n\",\"name\":\"a\",\"status\":\"Synced\","
        "\"hookPhase\":\"Running\",\"syncPhase\":\"PreSync\"},{\"group\":\"\",\"kind\":\"Pod\","
        "\"namespace\":\"n\",\"name\":\"d\",\"status\":\"Pruned\",\"hookPhase\":\"Succeeded\","
        "\"syncPhase\":\"Sync\"},{\"group\":\"g\",\"kind\":\"K\",\"namespace\":\"n\",\"name\":\"c\","
        "\"status\":\"SyncFailed\",\"hookPhase\":\"Failed\",\"syncPhase\":\"Sync\",\"message\":\"m\"}]");
    if (!hostile_below(h, 3))
        return NULL;
    return hostile_below(h, 2) ? hostile_document(h, list) : TAKE(list);
}

static void drive(struct hostile *h, struct sync_plan *p)
{
    bool terminate = !hostile_below(h, 4);
    size_t steps = 0;
    while ((terminate ? sync_plan_terminate(p) : sync_plan_next(p)) != STEP_END) {
        assert_true(steps++ < 20);
        for (size_t i = 0; i < p->nrun; i++) {
            static const enum result_code codes[] = {RESULT_SYNCED, RESULT_SYNC_FAILED, RESULT_PRUNED,
                                                     RESULT_NONE};
            enum result_code code = codes[hostile_below(h, ARRAY_LEN(codes))];
            if (hostile_below(h, 2))
                sync_set_result(p, p->run[i], code, sync_result_phase(code, false), "m");
        }
        p->outcome = (enum sync_outcome)hostile_below(h, 3);
    }
    assert_non_null(p->message);
    assert_true(p->phase != OP_PENDING);
}

/* Whatever the documents, what is on record and the runner's answers are: the pass ends, and says how. */
static void wrong_types(void **state)
{
    struct hostile h = {4711};
    for (int n = 0; n < 4000; n++) {
        struct sync_pair pairs[4] = {};
        json_t *hooks[2] = {some(&h), some(&h)};
        for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
            bool target = hostile_below(&h, 4) != 0, live = !target || hostile_below(&h, 2);
            pairs[i] = (struct sync_pair){target ? some(&h) : NULL, live ? some(&h) : NULL,
                                          hostile_below(&h, 2), hostile_below(&h, 8) != 0};
        }
        AUTO_JSON selection = hostile_below(&h, 8) ? NULL : some_results(&h);
        struct sync_input in = {.pairs = pairs,
                                .npairs = ARRAY_LEN(pairs),
                                .hooks = hooks,
                                .nhooks = ARRAY_LEN(hooks),
                                .resources = selection,
                                .ns = hostile_below(&h, 4) ? "n" : NULL,
                                .operation_id = "op",
                                .prune = hostile_below(&h, 2),
                                .prune_last = hostile_below(&h, 2),
                                .apply_out_of_sync_only = hostile_below(&h, 2),
                                .dry_run = !hostile_below(&h, 6)};
        struct sync_plan p;
        sync_plan_init(&p, &in, some_results(&h));
        if (p.tasks.n && !hostile_below(&h, 10))
            sync_task_invalid(&p, p.tasks.v[0], "no");
        drive(&h, &p);
        sync_plan_dispose(&p);
        for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
            json_decref(pairs[i].target);
            json_decref(pairs[i].live);
        }
        json_decref(hooks[0]);
        json_decref(hooks[1]);
    }
}

/* ---- many ---- */

/* A pass over many objects takes time in proportion to them. */
static void many_objects(void **state)
{
    enum { N = 4000 };
    struct sync_pair *pairs = xcalloc(N, sizeof(*pairs));
    for (size_t i = 0; i < N; i++) {
        AUTO(free_p) char *name = xasprintf("object-%zu", i);
        pairs[i].target = json_pack("{s:s,s:s,s:{s:s,s:s}}", "apiVersion", "v1", "kind", "ConfigMap",
                                    "metadata", "name", name, "namespace", "web");
        pairs[i].live = i % 2 ? json_incref(pairs[i].target) : NULL;
        pairs[i].modified = pairs[i].self_referenced = true;
    }
    struct sync_input in = {.pairs = pairs, .npairs = N, .ns = "web"};
    struct sync_plan p;
    sync_plan_init(&p, &in, NULL);
    VEC_FOREACH(&p.tasks, t)
        sync_set_result(&p, *t, RESULT_SYNCED, OP_RUNNING, "configured");
    json_t *results = json_copy_deep(p.results);
    sync_plan_dispose(&p);
    mono_t start = mono_now();
    sync_plan_init(&p, &in, results);
    assert_int_equal(sync_plan_next(&p), STEP_END);
    int64_t took = mono_now().ns - start.ns;
    assert_int_equal(json_array_size(p.results), N);
    sync_plan_dispose(&p);
    print_message("a pass over %d objects: %lld us\n", N, (long long)(took / NS_PER_US));
    assert_true(took < MILLIS(2000)); /* quadratic, it would take many times that under a sanitizer */
    for (size_t i = 0; i < N; i++) {
        json_decref(pairs[i].target);
        json_decref(pairs[i].live);
    }
    free(pairs);
}

TESTS(T(hooks_as_they_are_made), T(finalizer_once), T(selections), T(results_are_kept_and_brought_up_to_date),
      T(namespace_that_cannot_be_made), T(health_that_cannot_be_told), T(prune_options), T(phases_and_codes),
      T(wrong_types), T(many_objects))
