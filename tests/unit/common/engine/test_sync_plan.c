/* What must hold for every sync, however it goes and whenever it is killed. */
#include "tests/unit/golden.h"
#include "tests/unit/kit/hostile.h"
#include "tests/unit/kit/sync_sim.h"

enum { PASSES = 60, RANDOM_CASES = 3000 };

static const char *text(const json_t *rule, const char *field)
{
    return str_or_empty(json_str_at(rule, field));
}

static const char *one_of(struct hostile *r, const char *const *list)
{
    size_t n = 0;
    while (list[n])
        n++;
    return list[hostile_below(r, n)];
}

#define ONE_OF(r, ...) one_of(r, (const char *const[]){__VA_ARGS__, NULL})

static bool chance(struct hostile *r, size_t percent)
{
    return hostile_below(r, 100) < percent;
}

static void put_some(struct hostile *r, json_t *rule, const char *field, size_t percent, int from, int to)
{
    if (chance(r, percent))
        json_object_set_new(rule, field, json_integer(from + (int)hostile_below(r, (size_t)(to - from + 1))));
}

static json_t *random_rule(struct hostile *r, bool hook, size_t i)
{
    json_t *o = json_object();
    AUTO(free_p) char *name = xasprintf("%c%zu", hook ? 'h' : 'o', i);
    json_set_str(o, "k",
                 hook ? ONE_OF(r, "Job", "Job", "Workflow", "ConfigMap")
                      : ONE_OF(r, "ConfigMap", "Secret", "Workflow", "Workflow", "Job", "Service", "Widget",
                               "ClusterRole"));
    json_set_str(o, "n", name);
    json_put_str(o, "w", ONE_OF(r, "", "", "-2", "-1", "1", "1", "2", "7"));
    put_some(r, o, "delay", 50, 0, 3);
    put_some(r, o, "linger", 30, 1, 3);
    if (chance(r, 6))
        json_object_set_new(o, "fail", json_true());
    if (chance(r, 2))
        json_object_set_new(o, "failDry", json_true());
    if (chance(r, 1))
        json_object_set_new(o, "forbid", json_true());
    if (chance(r, 12))
        json_object_set_new(o, "same", json_true());
    if (chance(r, 10))
        json_set_str(o, "end", ONE_OF(r, "Failed", "Failed", "Odd"));
    if (!hook)
        return o;
    json_set_str(o, "h",
                 ONE_OF(r, "PreSync", "PreSync", "Sync", "PostSync", "PostSync", "SyncFail", "SyncFail"));
    json_put_str(o, "d",
                 ONE_OF(r, "", "", "BeforeHookCreation", "HookSucceeded", "HookFailed",
                        "HookSucceeded,HookFailed", "BeforeHookCreation,HookSucceeded",
                        "BeforeHookCreation,HookFailed"));
    if (chance(r, 10))
        json_object_set_new(o, "gn", json_true());
    return o;
}

/* What is there from before: the same object, as an earlier operation left it. */
static void add_earlier(struct hostile *r, json_t *live, const json_t *target)
{
    static const char *const fields[] = {"k", "n", "w", "h", "d"};
    if (json_bool_at(target, "gn") || !chance(r, 40))
        return;
    json_t *o = json_object();
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        json_put_str(o, fields[i], text(target, fields[i]));
    if (*text(target, "h") && chance(r, 60))
        json_object_set_new(o, "fin", json_true());
    json_array_append_new(live, o);
}

static void add_extra(struct hostile *r, json_t *live, size_t i)
{
    AUTO(free_p) char *name = xasprintf("x%zu", i);
    json_t *o = json_object();
    json_set_str(o, "k", ONE_OF(r, "ConfigMap", "Workflow", "Service", "ClusterRole"));
    json_set_str(o, "n", name);
    json_put_str(o, "w", ONE_OF(r, "", "", "1", "2", "5"));
    json_put_str(o, "o", ONE_OF(r, "", "", "", "Prune=false", "PruneLast=true", "Prune=confirm"));
    put_some(r, o, "linger", 40, 1, 3);
    if (chance(r, 10))
        json_object_set_new(o, "deleting", json_true());
    json_array_append_new(live, o);
}

static json_t *random_case(struct hostile *r)
{
    static const struct {
        const char *name;
        size_t percent;
    } options[] = {{"prune", 70},     {"pruneLast", 15}, {"outOfSync", 15},
                   {"skipHooks", 10}, {"confirmed", 60}, {"createNs", 15}};
    json_t *c = json_object(), *targets = json_array(), *live = json_array(), *o = json_object();
    json_object_set_new(c, "targets", targets);
    json_object_set_new(c, "live", live);
    json_object_set_new(c, "options", o);
    for (size_t i = 0, n = hostile_below(r, 8); i < n; i++)
        json_array_append_new(targets, random_rule(r, false, i));
    for (size_t i = 0, n = hostile_below(r, 4); i < n; i++)
        json_array_append_new(targets, random_rule(r, true, i));
    for (size_t i = 0; i < json_array_size(targets); i++)
        add_earlier(r, live, json_array_get(targets, i));
    for (size_t i = 0, n = hostile_below(r, 4); i < n; i++)
        add_extra(r, live, i);
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (chance(r, options[i].percent))
            json_object_set_new(o, options[i].name, json_true());
    return c;
}

/* ---- order ---- */

static int phase_of(const json_t *rule)
{
    const char *h = text(rule, "h");
    return strcmp(h, "PreSync") == 0    ? 0
           : strcmp(h, "PostSync") == 0 ? 2
           : strcmp(h, "SyncFail") == 0 ? 3
                                        : 1;
}

static int order_of(const json_t *rule)
{
    return phase_of(rule) * 1000 + atoi(text(rule, "w"));
}

static const json_t *rule_of(const struct sim *s, const struct sync_task *t)
{
    const json_t *targets = json_at(s->c, "targets");
    for (size_t i = 0; i < json_array_size(targets); i++) {
        const json_t *r = json_array_get(targets, i);
        bool named = strcmp(text(r, "n"), t->name) == 0 ||
                     (json_bool_at(r, "gn") && str_has_prefix(t->name, text(r, "n")));
        if (named && strcmp(text(r, "k"), t->kind) == 0)
            return r;
    }
    return NULL;
}

static bool has_ended_well(const struct sim *s, const json_t *rule)
{
    const char *kind = text(rule, "k"), *name = text(rule, "n");
    AUTO(free_p) char *key = xasprintf("%s/%s", kind, name);
    bool skipped = *text(rule, "h")
                       ? json_bool_at(s->c, "options", "skipHooks")
                       : json_bool_at(s->c, "options", "outOfSync") && json_bool_at(rule, "same");
    if (skipped || json_bool_at(rule, "gn"))
        return true;
    if (!map_has(&s->applied, key))
        return false;
    const struct sim_object *x = sim_find(s, kind, "web", name);
    if (!x || (strcmp(kind, "Job") != 0 && strcmp(kind, "Workflow") != 0))
        return true;
    struct health h;
    health_assess(x->doc, &h, NULL);
    bool well = h.status == HEALTH_HEALTHY || x->deleted_at >= 0;
    health_dispose(&h);
    return well;
}

/* Nothing starts before what is due earlier was applied and is well. */
static void check_order(struct sim *s, const struct sync_plan *p)
{
    const json_t *targets = json_at(s->c, "targets");
    for (size_t i = 0; i < p->nrun && !s->terminate; i++) {
        const json_t *rule = p->run[i]->target ? rule_of(s, p->run[i]) : NULL;
        if (!rule || phase_of(rule) == 3)
            continue;
        for (size_t k = 0; k < json_array_size(targets); k++) {
            const json_t *other = json_array_get(targets, k);
            if (order_of(other) < order_of(rule) && !has_ended_well(s, other))
                fail_msg("%s runs before %s is done", text(rule, "n"), text(other, "n"));
        }
    }
}

/* What is pruned goes from the last wave to the first. */
static void check_prunes(const struct sim *s, int *last)
{
    const json_t *live = json_at(s->c, "live");
    for (size_t i = 0; i < json_array_size(s->actions); i++) {
        const char *action = json_string_value(json_array_get(s->actions, i));
        const char *name = str_has_prefix(action, "delete ") ? strchr(action, '/') + 1 : "";
        for (size_t k = 0; *name == 'x' && k < json_array_size(live); k++) {
            const json_t *rule = json_array_get(live, k);
            if (strcmp(text(rule, "n"), name) != 0 || json_bool_at(s->c, "options", "pruneLast") ||
                strcmp(text(rule, "o"), "PruneLast=true") == 0)
                continue;
            int wave = atoi(text(rule, "w"));
            if (wave > *last)
                fail_msg("wave %d is pruned after wave %d", wave, *last);
            *last = wave;
        }
    }
}

/* ---- ends ---- */

static bool anything_went_wrong(const struct sim *s)
{
    for (size_t i = 0; i < json_array_size(s->results); i++) {
        const json_t *r = json_array_get(s->results, i);
        const char *phase = text(r, "hookPhase");
        if (strcmp(text(r, "syncPhase"), "SyncFail") != 0 &&
            (strcmp(phase, "Failed") == 0 || strcmp(phase, "Error") == 0 ||
             strcmp(text(r, "status"), "SyncFailed") == 0))
            return true;
    }
    return false;
}

static size_t fail_hooks_on_record(const struct sim *s)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(s->results); i++)
        n += strcmp(text(json_array_get(s->results, i), "syncPhase"), "SyncFail") == 0;
    return n;
}

static size_t fail_hooks_applied(const struct sim *s)
{
    const json_t *targets = json_at(s->c, "targets");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(targets); i++) {
        const json_t *rule = json_array_get(targets, i);
        AUTO(free_p) char *key = xasprintf("%s/%s", text(rule, "k"), text(rule, "n"));
        n += phase_of(rule) == 3 && map_has(&s->applied, key);
    }
    return n;
}

static size_t fail_hooks_of(const struct sim *s)
{
    const json_t *targets = json_at(s->c, "targets");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(targets) && !json_bool_at(s->c, "options", "skipHooks"); i++)
        n += phase_of(json_array_get(targets, i)) == 3;
    return n;
}

static char *describe(const struct sim *s)
{
    AUTO(free_p) char *c = json_text(s->c, JSON_GO);
    return xasprintf("%s -> %s \"%s\"", c, op_phase_name(s->phase), str_or_empty(s->message));
}

static void demand(const struct sim *s, bool holds, const char *what)
{
    if (holds)
        return;
    AUTO(free_p) char *story = describe(s);
    fail_msg("%s: %s", what, story);
}

static void check_end(const struct sim *s)
{
    MAP_FOREACH(&s->made, e)
        if ((uintptr_t)e->value > 1)
            fail_msg("hook %s was made %zu times", e->key, (size_t)(uintptr_t)e->value);
    bool ran = str_has_prefix(s->message, "one or more synchronization tasks completed") ||
               str_has_prefix(s->message, "one or more objects failed to apply, reason");
    size_t applied = fail_hooks_applied(s);
    bool wrong = anything_went_wrong(s);
    if (s->phase == OP_SUCCEEDED) {
        demand(s, applied == 0, "SyncFail hooks ran");
        demand(s, !wrong, "something went wrong");
        demand(s, str_has_prefix(s->message, "successfully synced"), "an odd message");
    } else if (s->phase == OP_FAILED && ran) {
        demand(s, fail_hooks_on_record(s) == fail_hooks_of(s), "not all SyncFail hooks ran");
        demand(s, wrong, "nothing went wrong");
    } else if (s->phase == OP_FAILED && !s->terminate) {
        demand(s, applied == 0, "SyncFail hooks ran");
    }
    for (size_t i = 0; sim_ended(s) && i < json_array_size(s->results); i++) {
        const json_t *r = json_array_get(s->results, i);
        if (*text(r, "hookType") && strcmp(text(r, "hookPhase"), "Running") == 0)
            fail_msg("%s: hook %s still runs", s->message, text(r, "name"));
    }
    MAP_FOREACH(&s->objects, e) {
        const struct sim_object *x = e->value;
        AUTO(free_p) char *key = xasprintf("%s/%s", object_kind(x->doc), object_name(x->doc));
        if (sim_ended(s) && map_has(&s->applied, key) && health_held_as_hook(x->doc))
            fail_msg("%s: %s keeps its finalizer", s->message, e->key);
    }
}

static void run(struct sim *s, const json_t *c, bool adopts_answers, int fuel, int terminate_at)
{
    int last_prune = INT32_MAX;
    sim_init(s, c);
    s->adopts_answers = adopts_answers;
    s->cannot_look = fuel % 2;
    s->fuel = fuel;
    s->before_run = check_order;
    while (s->pass < PASSES && !sim_ended(s)) {
        s->terminate = terminate_at && s->pass + 1 >= terminate_at;
        sim_pass(s);
        if (s->killed)
            s->fuel = -1;
        check_prunes(s, &last_prune);
    }
}

static void randomly(void **state)
{
    struct hostile r = {20240607};
    size_t ends[5] = {};
    for (int i = 0; i < RANDOM_CASES; i++) {
        AUTO_JSON c = random_case(&r);
        struct sim s;
        run(&s, c, i % 2, -1, 0);
        ends[s.phase]++;
        check_end(&s);
        sim_dispose(&s);
    }
    assert_true(ends[OP_SUCCEEDED] > RANDOM_CASES / 3 && ends[OP_FAILED] > RANDOM_CASES / 10);
}

static void terminated(void **state)
{
    struct hostile r = {77};
    for (int i = 0; i < RANDOM_CASES / 3; i++) {
        AUTO_JSON c = random_case(&r);
        struct sim s;
        run(&s, c, i % 2, chance(&r, 50) ? (int)hostile_below(&r, 10) : -1, 1 + (int)hostile_below(&r, 5));
        if (s.terminate)
            assert_string_equal(s.message, "Operation terminated");
        assert_true(sim_ended(&s));
        check_end(&s);
        sim_dispose(&s);
    }
}

/* What there is after everything that is being deleted has gone. How far a sync that fails got with pruning
 * depends on when: the waves of prunes are mirrored among those that are left. */
static json_t *settled(struct sim *s)
{
    sim_idle(s, PASSES);
    AUTO_JSON all = sim_cluster(s);
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *line = json_array_get(all, i);
        if (s->phase == OP_SUCCEEDED || strstr(json_string_value(line), "/x") == NULL)
            json_array_append(out, line);
    }
    return out;
}

/* However a pass dies, the operation comes to the same end. */
static void kill_everywhere(const json_t *c, bool adopts_answers, const char *what)
{
    struct sim whole;
    run(&whole, c, adopts_answers, -1, 0);
    AUTO_JSON end = settled(&whole);
    for (int fuel = 0; fuel < 200; fuel++) {
        struct sim s;
        run(&s, c, adopts_answers, fuel, 0);
        bool lived = s.fuel > 0;
        AUTO(free_p) char *story = describe(&s);
        AUTO(free_p) char *where = xasprintf("%s: killed after %d effects: %s", what, fuel, story);
        if (s.phase != whole.phase)
            fail_msg("%s; not killed: %s \"%s\"", where, op_phase_name(whole.phase), whole.message);
        check_end(&s);
        AUTO_JSON cluster = settled(&s);
        if (sim_ended(&s))
            assert_json_same(cluster, end, where);
        sim_dispose(&s);
        if (lived)
            break;
    }
    sim_dispose(&whole);
}

static void killed_anywhere(void **state)
{
    struct hostile r = {31337};
    for (int i = 0; i < RANDOM_CASES / 6; i++) {
        AUTO_JSON c = random_case(&r);
        AUTO(free_p) char *what = xasprintf("random %d", i);
        kill_everywhere(c, i % 2, what);
    }
}

/* An operation that is a dry run tries everything and touches nothing. */
static void dry(void **state)
{
    struct hostile r = {99};
    for (int i = 0; i < RANDOM_CASES / 3; i++) {
        AUTO_JSON c = random_case(&r);
        json_put_at(c, json_true(), "options", "dryRun");
        struct sim s;
        sim_init(&s, c);
        AUTO_JSON before = sim_cluster(&s);
        sim_pass(&s);
        AUTO(free_p) char *story = describe(&s);
        if (!sim_ended(&s))
            fail_msg("goes on: %s", story);
        for (size_t k = 0; k < json_array_size(s.actions); k++)
            if (!str_has_prefix(json_string_value(json_array_get(s.actions, k)), "try "))
                fail_msg("%s: %s", json_string_value(json_array_get(s.actions, k)), story);
        sim_dispose(&s);
        struct sim untouched;
        sim_init(&untouched, c);
        AUTO_JSON same = sim_cluster(&untouched);
        assert_json_same(same, before, story);
        sim_dispose(&untouched);
    }
}

/* The answer to an apply is a live object: what has no health then needs no further pass. */
static void answers_save_passes(void **state)
{
    AUTO_JSON c = json_of("{\"options\":{\"createNs\":true},\"targets\":[{\"k\":\"ConfigMap\",\"n\":\"a\"},"
                          "{\"k\":\"Job\",\"n\":\"h\",\"h\":\"PreSync\",\"delay\":1}],\"live\":[]}");
    struct sim s;
    sim_init(&s, c);
    s.adopts_answers = true;
    sim_pass(&s);
    assert_string_equal(s.message, "waiting for completion of hook batch/Job/h");
    sim_pass(&s);
    assert_string_equal(s.message, "successfully synced (all tasks run)");
    sim_dispose(&s);
}

/* A hook that was made before its group was cut short may need the rest of the group. */
static void group_is_finished_before_its_hook_is_waited_for(void **state)
{
    AUTO_JSON c = json_of(
        "{\"options\":{},\"targets\":[{\"k\":\"Job\",\"n\":\"h\",\"h\":\"Sync\",\"delay\":9},"
        "{\"k\":\"Widget\",\"n\":\"w\"},{\"k\":\"Widget\",\"n\":\"z\"}],\"live\":[]}");
    for (int again = -1; again < 3; again++) {
        struct sim s;
        sim_init(&s, c);
        s.fuel = 1; /* the hook comes first, by its kind */
        sim_pass(&s);
        assert_true(s.killed);
        assert_int_equal(map_has(&s.applied, "Job/h") + map_has(&s.applied, "Widget/w"), 1);
        s.fuel = again; /* and again, or not */
        sim_pass(&s);
        s.fuel = -1;
        sim_pass(&s);
        assert_true(str_has_prefix(s.message, "waiting for completion of hook batch/Job/h"));
        assert_true(map_has(&s.applied, "Widget/w") && map_has(&s.applied, "Widget/z"));
        check_end(&s);
        sim_dispose(&s);
    }
}

TESTS(T(dry), T(answers_save_passes), T(group_is_finished_before_its_hook_is_waited_for), T(randomly),
      T(terminated), T(killed_anywhere))
