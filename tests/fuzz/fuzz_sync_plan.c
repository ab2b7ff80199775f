/* "steps NUL object NUL object …": a sync of objects whose annotations, names and waves are anybody's. What
 * each object is (target, live, both, a hook), the options and what the runner answers are taken from the
 * first text, byte by byte. Every pass ends and says how; a pass that begins with what an earlier one
 * recorded does too; annotations are read the same way twice. */
#include "tests/fuzz/fuzz.h"

#include "common/engine/annotations.h"
#include "common/engine/sync_options.h"
#include "common/engine/sync_tasks.h"

enum { OBJECTS = 6, STEPS = 40 };

struct tape {
    const char *text;
    size_t at;
};

static unsigned next(struct tape *t)
{
    unsigned c = (unsigned char)t->text[t->at];
    t->at += c ? 1 : 0;
    return c;
}

static void check_object(const json_t *o)
{
    static const char *const names[] = {"Prune", "Delete", "ServerSideApply", ""};
    unsigned types = hook_types(o), policies = hook_delete_policies(o);
    REQUIRE(types < 128 && policies > 0 && policies < 8);
    REQUIRE(!object_is_skipped(o) || (types & HOOK_SKIP));
    REQUIRE(object_wave(o) >= -WAVE_MAX && object_wave(o) <= WAVE_MAX);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        AUTO(free_p) char *value = annotation_value(o, ANNOTATION_SYNC_OPTIONS, names[i]);
        AUTO(free_p) char *item = xasprintf("%s=%s", names[i], str_or_empty(value));
        REQUIRE(!value || annotation_has(o, ANNOTATION_SYNC_OPTIONS, item));
    }
    AUTO_JSON options = json_array();
    struct sync_choice c = sync_choose(options, false, o, o, false),
                       dry = sync_choose(options, false, o, o, true);
    REQUIRE(c.replace == dry.replace && c.force == dry.force && !dry.server_side);
}

static void answer(struct sync_plan *p, struct tape *t)
{
    static const enum result_code codes[] = {RESULT_SYNCED, RESULT_SYNC_FAILED, RESULT_PRUNED,
                                             RESULT_PRUNE_SKIPPED, RESULT_NONE};
    for (size_t i = 0; i < p->nrun; i++) {
        unsigned c = next(t);
        enum result_code code = codes[c % ARRAY_LEN(codes)];
        REQUIRE(p->run[i]->target || p->run[i]->live);
        if (c & 16)
            sync_set_result(p, p->run[i], code, sync_result_phase(code, false), "m");
    }
    p->outcome = (enum sync_outcome)(next(t) % 3);
}

static json_t *pass(const struct sync_input *in, json_t *results_take, struct tape *t)
{
    struct sync_plan p;
    sync_plan_init(&p, in, results_take);
    bool terminate = (next(t) & 7) == 7;
    size_t steps = 0;
    while ((terminate ? sync_plan_terminate(&p) : sync_plan_next(&p)) != STEP_END) {
        REQUIRE(steps++ < STEPS);
        answer(&p, t);
    }
    REQUIRE(p.message && p.phase != OP_PENDING);
    for (size_t i = 1; i < p.tasks.n; i++)
        REQUIRE(p.tasks.v[i - 1]->phase <= p.tasks.v[i]->phase);
    json_t *results = json_copy_deep(p.results);
    sync_plan_dispose(&p);
    return results;
}

static size_t read_objects(const uint8_t **data, size_t *size, json_t *out[OBJECTS])
{
    size_t n = 0;
    while (n < OBJECTS && *size) {
        AUTO(free_p) char *text = take_text(data, size);
        json_t *o = NULL;
        if (json_read_str(text, &o, NULL) < 0 || !json_is_map(o)) {
            json_decref(o);
            continue;
        }
        check_object(o);
        out[n++] = o;
    }
    return n;
}

static void plan(json_t *const *objects, size_t n, struct tape *t)
{
    struct sync_pair pairs[OBJECTS];
    json_t *hooks[OBJECTS];
    size_t npairs = 0, nhooks = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned c = next(t);
        if (c % 4 == 3)
            hooks[nhooks++] = objects[i];
        else
            pairs[npairs++] = (struct sync_pair){c % 4 != 1 ? objects[i] : NULL, c % 4 ? objects[i] : NULL,
                                                 (c & 4) != 0, (c & 8) == 0};
    }
    unsigned c = next(t);
    struct sync_input in = {.pairs = pairs,
                            .npairs = npairs,
                            .hooks = hooks,
                            .nhooks = nhooks,
                            .ns = "web",
                            .revision = "0123456789",
                            .operation_id = "op",
                            .default_prune = c & 64 ? "confirm" : "",
                            .prune = (c & 1) != 0,
                            .prune_last = (c & 2) != 0,
                            .apply_out_of_sync_only = (c & 4) != 0,
                            .dry_run = (c & 8) != 0,
                            .prune_confirmed = (c & 16) != 0,
                            .skip_hooks = (c & 32) != 0};
    json_t *results = NULL;
    for (int i = 0; i < 3; i++)
        results = pass(&in, results, t);
    json_decref(results);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *steps = take_text(&data, &size);
    struct tape t = {steps, 0};
    json_t *objects[OBJECTS];
    size_t n = read_objects(&data, &size, objects);
    plan(objects, n, &t);
    for (size_t i = 0; i < n; i++)
        json_decref(objects[i]);
    return 0;
}
