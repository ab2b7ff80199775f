#include "app-controller/refresh_internal.h"
#include "tests/unit/golden.h"

static const char *const level_names[] = {"none", "tree", "live", "target", "resolve"};

static const struct {
    const char *name;
    uint64_t bit;
} bit_names[] = {{"check", REFRESH_CHECK},   {"tree", REFRESH_TREE},   {"live", REFRESH_LIVE},
                 {"target", REFRESH_TARGET}, {"timer", REFRESH_TIMER}, {"operated", REFRESH_OPERATED},
                 {"ended", REFRESH_RESOLVE}};

static uint64_t bits_of(const json_t *names, const char *what)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < json_array_size(names); i++) {
        uint64_t bit = 0;
        for (size_t k = 0; k < ARRAY_LEN(bit_names); k++)
            if (str_eq(json_string_value(json_array_get(names, i)), bit_names[k].name))
                bit = bit_names[k].bit;
        if (!bit)
            fail_msg("%s: no such request", what);
        bits |= bit;
    }
    return bits;
}

/* 0: never. */
static mono_t ago(const json_t *c, const char *key)
{
    int64_t seconds;
    return json_to_i64(json_at(c, key), &seconds) ? (mono_t){mono_now().ns - SECONDS(seconds)} : (mono_t){0};
}

static void run_case(const json_t *c, const char *what)
{
    AUTO_JSON doc = json_copy_deep(json_at(c, "app"));
    AUTO_JSON have = json_object();
    struct controller ctl = {.options = {.resync_ns = SECONDS(json_int_at(c, "period")),
                                         .hard_resync_ns = SECONDS(json_int_at(c, "hardPeriod"))}};
    struct app app = {.refreshed_at = ago(c, "refreshed"), .hard_refreshed_at = ago(c, "hardRefreshed")};
    pthread_mutex_init(&app.lock, NULL);
    app.woken_by = xstrdup(json_str_at(c, "wokenBy"));
    const json_t *left = json_at(c, "finalizersLeft");
    if (left) {
        AUTO_JSON before = json_pack("{s:{s:O}}", "metadata", "finalizers", left);
        app.finalizers = refresh_finalizers_hash(before);
    }
    struct refresh r = {.ctl = &ctl, .app = &app, .doc = doc};
    refresh_decide(&r, bits_of(json_at(c, "requests"), what));
    json_object_set_new(have, "level", json_string(level_names[r.level + 1]));
    if (r.why)
        json_object_set_new(have, "why", json_string(r.why));
    if (r.hard)
        json_object_set_new(have, "hard", json_true());
    if (r.requested)
        json_object_set_new(have, "requested", json_true());
    assert_json_same(have, json_at(c, "expect"), what);
    free(r.why);
    free(app.woken_by);
    refresh_request_dispose(&r.request);
    pthread_mutex_destroy(&app.lock);
}

/* Argo CD: which of its reasons comes first. */
static void first_reason_wins(void **state)
{
    golden_each("refresh/cases.jsonl", 40, run_case);
}

TESTS(T(first_reason_wins))
