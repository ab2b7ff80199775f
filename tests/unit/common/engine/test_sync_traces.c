/* The plan against gitops-engine's own, pass by pass. */
#include "tests/unit/golden.h"
#include "tests/unit/kit/sync_sim.h"

static void check_pass(const struct sim *s, const json_t *wanted, const char *what)
{
    AUTO(free_p) char *where = xasprintf("%s, pass %d", what, s->pass);
    if (strcmp(op_phase_name(s->phase), json_str_at(wanted, "phase")) != 0 ||
        strcmp(s->message, json_str_at(wanted, "message")) != 0)
        fail_msg("%s: %s \"%s\" instead of %s \"%s\"", where, op_phase_name(s->phase), s->message,
                 json_str_at(wanted, "phase"), json_str_at(wanted, "message"));
    AUTO_JSON actions = sim_actions(s);
    assert_json_same(actions, json_at(wanted, "actions"), where);
}

static void run_case(const json_t *c, const char *what)
{
    const json_t *passes = json_at(c, "expect", "passes");
    struct sim s;
    sim_init(&s, c);
    s.cannot_look = true; /* gitops-engine does not judge what it looks up before the next pass */
    for (size_t i = 0; i < json_array_size(passes); i++) {
        s.terminate = json_int_at(c, "options", "terminate") == s.pass + 1;
        sim_pass(&s);
        check_pass(&s, json_array_get(passes, i), what);
    }
    AUTO_JSON results = sim_results(&s);
    AUTO_JSON cluster = sim_cluster(&s);
    assert_json_same(results, json_at(c, "expect", "results"), what);
    assert_json_same(cluster, json_at(c, "expect", "cluster"), what);
    sim_dispose(&s);
}

static void as_gitops_engine(void **state)
{
    golden_each("sync/traces.jsonl", 520, run_case);
}

TESTS(T(as_gitops_engine))
