#include "app-controller/autosync.h"
#include "tests/unit/golden.h"

static const wall_t now = {1800000000 * NS_PER_SEC};

/* Without what Go leaves out of its JSON. */
static json_t *lean(const json_t *v)
{
    json_t *out = json_is_object(v) ? json_object() : json_is_array(v) ? json_array() : json_copy_deep(v);
    json_t *it_of = (json_t *)(uintptr_t)v;
    for (size_t i = 0; i < json_array_size(v); i++)
        json_array_append_new(out, lean(json_array_get(v, i)));
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        json_t *member = lean(json_object_iter_value(it));
        if (json_is_zero(member))
            json_decref(member);
        else
            json_object_set_new(out, json_object_iter_key(it), member);
    }
    return out;
}

static void run_case(const json_t *c, const char *what)
{
    AUTO_JSON app = json_copy_deep(json_at(c, "app"));
    AUTO_JSON expect = lean(json_at(c, "expect"));
    AUTO_JSON have = json_object();
    int64_t ago;
    if (json_to_i64(json_at(c, "finishedAgo"), &ago) && json_at(app, "status", "operationState")) {
        char text[RFC3339_TEXT];
        rfc3339((wall_t){now.ns - SECONDS(ago)}, text);
        json_put_at(app, json_str_new(text), "status", "operationState", "finishedAt");
    }
    struct autosync_options options = {.heal_timeout_ns = SECONDS(json_int_at(c, "healTimeout")),
                                       .backoff_ns = json_bool_at(c, "backoff") ? SECONDS(2) : 0,
                                       .backoff_factor = 3,
                                       .backoff_cap_ns = SECONDS(300)};
    struct autosync_decision d;
    autosync_decide(app, json_bool_at(c, "revisionsMayHaveChanged"), &options, now, &d);
    if (d.operation)
        json_object_set_new(have, "operation", lean(d.operation));
    if (d.condition) {
        AUTO(free_p) char *text = xasprintf("SyncError: %s", d.condition);
        json_object_set_new(have, "condition", json_str_new(text));
    }
    if (d.verdict == AUTOSYNC_LATER)
        json_object_set_new(have, "wait", json_integer((d.wait_ns + NS_PER_SEC / 2) / NS_PER_SEC));
    assert_json_same(have, expect, what);
    assert_int_equal(d.verdict == AUTOSYNC_GO, d.operation != NULL);
    assert_int_equal(d.verdict == AUTOSYNC_REFUSED, d.condition != NULL);
    assert_false(str_empty(d.reason));
    autosync_dispose(&d);
}

static void as_argo_cd(void **state)
{
    golden_each("autosync/cases.jsonl", 800, run_case);
}

TESTS(T(as_argo_cd))
