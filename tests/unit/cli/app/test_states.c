#include "tests/unit/test.h"
#include "cli/app/states.h"

static json_t *doc(const char *text)
{
    AUTO_ERR err = NULL;
    json_t *v = NULL;
    ASSERT_OK(json_read_str(text, &v, &err));
    return v;
}

static void filters(void **state)
{
    static const struct {
        const char *filters[3];
        const char *group, *kind, *ns, *name;
        bool match;
    } cases[] = {
        {{NULL}, "apps", "Deployment", "a", "x", true},
        {{"apps:Deployment:x"}, "apps", "Deployment", "a", "x", true},
        {{"apps:Deployment:x"}, "apps", "Deployment", "a", "y", false},
        {{":Service:x"}, "", "Service", "a", "x", true},
        {{":Service:x"}, NULL, "Service", NULL, "x", true},
        {{":Service:x"}, "apps", "Service", "a", "x", false},
        {{"*:*:*"}, "g", "K", "n", "x", true},
        {{"apps:Deployment:b/x"}, "apps", "Deployment", "a", "x", false},
        {{"apps:Deployment:*/x"}, "apps", "Deployment", "a", "x", true},
        {{"!apps:Deployment:x"}, "apps", "Deployment", "a", "x", false},
        {{"!apps:Deployment:x"}, "", "Service", "a", "x", true},
        {{"*:*:*", "!*:Service:*"}, "", "Service", "a", "x", false},
        {{"!*:Service:*", "*:*:*"}, "", "Service", "a", "x", false},
        {{"!*:Service:*", "apps:*:*"}, "", "ConfigMap", "a", "x", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        res_filters_t f = {};
        for (size_t k = 0; k < 3 && cases[i].filters[k]; k++)
            ASSERT_OK(res_filters_add(&f, cases[i].filters[k], &err));
        bool match = res_filters_match(&f, cases[i].group, cases[i].kind, cases[i].ns, cases[i].name);
        if (match != cases[i].match)
            fail_msg("case %zu", i);
        res_filters_dispose(&f);
    }
    static const char *const bad[][2] = {
        {"a:b", "resource should have GROUP:KIND:NAME, but instead got: a:b"},
        {"!a:b:c:d", "resource should have GROUP:KIND:NAME, but instead got: a:b:c:d"},
        {"a:b:c/d/e",
         "resource with namespace should have GROUP:KIND:NAMESPACE/NAME, but instead got: a:b:c/d/e"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_ERR err = NULL;
        res_filters_t f = {};
        assert_int_equal(res_filters_add(&f, bad[i][0], &err), -ERR_INVALID_ARGUMENT);
        assert_string_equal(err_text(err), bad[i][1]);
        res_filters_dispose(&f);
    }
}

static const char app_text[] =
    "{'status':{'resources':["
    "{'kind':'Service','namespace':'n','name':'s','status':'Synced','health':{'status':'Healthy'}},"
    "{'group':'apps','kind':'Deployment','namespace':'n','name':'d','status':'OutOfSync','health':{'status':'"
    "Progressing'}},"
    "{'kind':'ConfigMap','namespace':'n','name':'c','status':'Synced'}],"
    "'operationState':{'syncResult':{'resources':["
    "{'kind':'Job','group':'batch','namespace':'n','name':'h','hookType':'PreSync','hookPhase':'Running','"
    "message':'m1'},"
    "{'kind':'Deployment','group':'apps','namespace':'n','name':'d','hookPhase':'Running','status':'Synced','"
    "message':'created'},"
    "{'kind':'Job','group':'batch','namespace':'n','name':'h','hookType':'PreSync','hookPhase':'Succeeded','"
    "message':''},"
    "{'kind':'Pod','namespace':'n','name':'gone','hookPhase':'Succeeded','status':'Pruned','message':'pruned'"
    "}]}}}}";

static json_t *app_doc(const char *text)
{
    AUTO(free_p) char *copy = xstrdup(text);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    return doc(copy);
}

static void put(const res_states_t *states, str_t *out)
{
    VEC_FOREACH(states, s) {
        for (size_t i = 0; i < RES_FIELDS; i++)
            str_printf(out, "%s%s", i ? "|" : "", s->f[i]);
        str_putc(out, '\n');
    }
}

static void rows(void **state)
{
    AUTO_JSON app = app_doc(app_text);
    AUTO_STR all = STR_INIT, grouped = STR_INIT, some = STR_INIT;
    res_states_t states = {};
    res_states_of(app, NULL, &states);
    put(&states, &all);
    res_states_dispose(&states);
    assert_string_equal(str_text(&all), "batch|Job|n|h|Running||PreSync|m1\n"
                                        "apps|Deployment|n|d|OutOfSync|Progressing||created\n"
                                        "batch|Job|n|h|Succeeded||PreSync|\n"
                                        "|Pod|n|gone|Succeeded|Pruned||pruned\n"
                                        "|ConfigMap|n|c|Synced|||\n"
                                        "|Service|n|s|Synced|Healthy||\n");
    res_states_grouped(app, NULL, &states);
    put(&states, &grouped);
    res_states_dispose(&states);
    assert_string_equal(str_text(&grouped), "batch|Job|n|h|Succeeded||PreSync|m1\n"
                                            "apps|Deployment|n|d|OutOfSync|Progressing||created\n"
                                            "|Pod|n|gone|Succeeded|Pruned||pruned\n"
                                            "|ConfigMap|n|c|Synced|||\n"
                                            "|Service|n|s|Synced|Healthy||\n");
    res_filters_t f = {};
    assert_int_equal(res_filters_add(&f, "!*:Job:*", NULL), 0);
    assert_int_equal(res_filters_add(&f, "!:*:*", NULL), 0);
    res_states_of(app, &f, &states);
    put(&states, &some);
    assert_string_equal(str_text(&some), "apps|Deployment|n|d|OutOfSync|Progressing||created\n");
    AUTO_JSON selected = res_filters_select(&f, app);
    AUTO(free_p) char *text = json_text(selected, JSON_GO);
    assert_string_equal(text,
                        "[{\"group\":\"apps\",\"kind\":\"Deployment\",\"name\":\"d\",\"namespace\":\"n\"}]");
    res_states_dispose(&states);
    res_filters_dispose(&f);
}

static void merging(void **state)
{
    AUTO_JSON app = app_doc(app_text);
    res_states_t states = {};
    res_states_of(app, NULL, &states);
    struct res_state copy = res_state_copy(&states.v[1]), *same = res_states_find(&states, &copy);
    assert_ptr_equal(same, &states.v[1]);
    assert_false(res_state_merge(same, &copy));
    free(copy.f[RES_STATUS]);
    free(copy.f[RES_MESSAGE]);
    copy.f[RES_STATUS] = xstrdup("Synced");
    copy.f[RES_MESSAGE] = xstrdup(""); /* nothing is forgotten */
    assert_true(res_state_merge(same, &copy));
    assert_string_equal(same->f[RES_STATUS], "Synced");
    assert_string_equal(same->f[RES_MESSAGE], "created");
    for (size_t i = 0; i < RES_FIELDS; i++)
        free(copy.f[i]);
    res_states_dispose(&states);
}

#define SYNCED "'sync':{'status':'Synced'},'health':{'status':'Healthy'}"
#define DONE   "'operationState':{'finishedAt':'2026-01-01T00:00:10Z'},'reconciledAt':"

static void waiting(void **state)
{
    static const struct wait_for_what both = {.sync = true, .health = true, .operation = true},
                                      sync = {.sync = true}, operation = {.operation = true},
                                      gone = {.gone = true}, bad = {.degraded = true, .suspended = true},
                                      hydrated = {.hydrated = true};
    static const struct {
        const char *app;
        const struct wait_for_what *what;
        bool satisfied, in_progress;
    } cases[] = {
        {"{'status':{" SYNCED "}}", &both, true, false},
        {"{'operation':{'sync':{}},'status':{" SYNCED "}}", &both, false, true},
        {"{'operation':{'sync':{}},'status':{" SYNCED "}}", &sync, true, true},
        {"{'status':{'sync':{'status':'OutOfSync'},'health':{'status':'Healthy'}}}", &both, false, false},
        {"{'status':{'sync':{'status':'OutOfSync'}}}", &operation, true, false},
        {"{'status':{'operationState':{'phase':'Running'}}}", &operation, true, true},
        {"{'status':{" DONE "'2026-01-01T00:00:09Z'}}", &operation, true, true},
        {"{'status':{" DONE "'2026-01-01T00:00:10Z'}}", &operation, true, false},
        {"{'status':{'operationState':{'finishedAt':'2026-01-01T00:00:10Z'}}}", &operation, true, true},
        {"{'status':{'operationState':{'finishedAt':'2026-01-01T00:00:10Z','operation':{'sync':{'dryRun':"
         "true}}}}}",
         &operation, true, false},
        {"{'status':{" SYNCED "}}", &gone, false, false},
        {"{'status':{'health':{'status':'Suspended'}}}", &bad, true, false},
        {"{'status':{'health':{'status':'Degraded'}}}", &bad, true, false},
        {"{'status':{'health':{'status':'Healthy'}}}", &bad, false, false},
        {"{'status':{}}", &hydrated, false, false},
        {"{'status':{'sourceHydrator':{'currentOperation':{'phase':'Hydrated','drySHA':'a','sourceHydrator':{"
         "'x':1}},"
         "'lastSuccessfulOperation':{'drySHA':'a','sourceHydrator':{'x':1}}}}}",
         &hydrated, true, false},
        {"{'status':{'sourceHydrator':{'currentOperation':{'phase':'Hydrated','drySHA':'b'},"
         "'lastSuccessfulOperation':{'drySHA':'a'}}}}",
         &hydrated, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON app = app_doc(cases[i].app);
        bool in_progress;
        bool satisfied = wait_satisfied(app, cases[i].what, NULL, &in_progress);
        if (satisfied != cases[i].satisfied || in_progress != cases[i].in_progress)
            fail_msg("case %zu: %d %d", i, satisfied, in_progress);
    }
    AUTO_JSON app = app_doc(app_text);
    res_filters_t f = {};
    bool in_progress;
    assert_int_equal(res_filters_add(&f, "*:Service:*", NULL), 0);
    assert_true(wait_satisfied(app, &(struct wait_for_what){.sync = true, .health = true}, &f, &in_progress));
    assert_int_equal(res_filters_add(&f, "apps:*:*", NULL), 0);
    assert_false(
        wait_satisfied(app, &(struct wait_for_what){.sync = true, .health = true}, &f, &in_progress));
    res_filters_dispose(&f);
}

static void pruning(void **state)
{
    AUTO_JSON app = app_doc(
        "{'status':{'operationState':{'syncResult':{'resources':["
        "{'status':'PruneSkipped','message':'ignored (requires pruning)'},"
        "{'status':'PruneSkipped','message':'ignored (no prune)'},{'status':'Pruned'}]}}}}");
    assert_int_equal(pruning_required(app), 1);
}

TESTS(T(filters), T(rows), T(merging), T(waiting), T(pruning))
