#include "common/argo/windows.h"
#include "tests/unit/golden.h"

static wall_t at(const char *text)
{
    wall_t t;
    if (!rfc3339_parse(text, &t))
        fail_msg("no time: %s", text);
    return t;
}

static json_t *app_of(const json_t *c)
{
    return json_pack("{s:{s:O},s:{s:{s:O,s:O,s:O}}}", "metadata", "name", json_at(c, "app", "Name"), "spec",
                     "destination", "server", json_at(c, "app", "Server"), "name",
                     json_at(c, "app", "Cluster"), "namespace", json_at(c, "app", "Namespace"));
}

static json_t *project_of(const json_t *windows)
{
    return json_pack("{s:{s:O}}", "spec", "syncWindows", windows);
}

static json_t *places(const json_t *matching, const json_t *all)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(matching); i++)
        for (size_t k = 0; k < json_array_size(all); k++)
            if (json_array_get(all, k) == json_array_get(matching, i))
                json_array_append_new(out, json_integer((json_int_t)k));
    return out;
}

static void run_case(const json_t *c, const char *what)
{
    AUTO_JSON app = app_of(c);
    AUTO_JSON project = project_of(json_at(c, "windows"));
    AUTO_JSON matching = windows_matching(project, app);
    AUTO_JSON found = places(matching, json_at(c, "windows"));
    assert_json_same(found, json_at(c, "expect", "matches"), what);
    struct window_question q = {.manual = json_bool_at(c, "manual"), .now = at(json_str_at(c, "at"))};
    struct window_answer a;
    AUTO_ERR err = NULL;
    const char *wanted = json_str_at(c, "expect", "error");
    int r = windows_ask(matching, &q, &a, &err);
    if ((r < 0) != (wanted != NULL) || (wanted && !str_has_prefix(wanted, err_text(err))))
        fail_msg("%s: %s instead of %s", what, r < 0 ? err_text(err) : "no error", wanted ? wanted : "none");
    if (a.can_sync != json_bool_at(c, "expect", "can"))
        fail_msg("%s: %d", what, a.can_sync);
}

static void as_argo_cd(void **state)
{
    golden_each("windows/cases.jsonl", 1300, run_case);
}

/* The answer stays the same up to next_change (but for the very moment at which one start of a window ends
 * and the next begins), and a window by itself changes there. */
static void check_change(const json_t *c, const char *what)
{
    AUTO_JSON app = app_of(c);
    AUTO_JSON project = project_of(json_at(c, "windows"));
    AUTO_JSON matching = windows_matching(project, app);
    struct window_question q = {.manual = json_bool_at(c, "manual"), .now = at(json_str_at(c, "at"))};
    struct window_answer now, later;
    if (windows_ask(matching, &q, &now, NULL) < 0 || !now.next_change.ns)
        return;
    if (now.next_change.ns < q.now.ns)
        fail_msg("%s: the next change is past", what);
    static const int parts = 16;
    int64_t left = now.next_change.ns - q.now.ns;
    for (int i = 0; left > 0 && i < parts; i++) {
        struct window_question between = {.manual = q.manual, .now = {q.now.ns + left / parts * i + 1}};
        assert_int_equal(windows_ask(matching, &between, &later, NULL), 0);
        if (later.can_sync != now.can_sync)
            fail_msg("%s: changes before it should", what);
    }
    if (json_array_size(matching) != 1)
        return;
    bool before, after;
    const json_t *w = json_array_get(matching, 0);
    assert_int_equal(window_is_active(w, q.now, &before, NULL), 0);
    assert_int_equal(window_is_active(w, (wall_t){now.next_change.ns + 1}, &after, NULL), 0);
    /* Windows that follow one another without end are only looked at again after a while. */
    if (before == after && left < SECONDS(12 * 3600))
        fail_msg("%s: does not change when it should", what);
}

static void changes_are_foreseen(void **state)
{
    golden_each("windows/cases.jsonl", 1300, check_change);
}

static void syncs_that_began_in_time_may_overrun(void **state)
{
    static const struct {
        const char *windows, *now, *started;
        bool can_sync;
    } cases[] = {
        {"[{'kind':'deny','schedule':'0 10 * * *','duration':'1h','applications':['*'],'syncOverrun':true}]",
         "2026-11-23T10:10:00Z", "2026-11-23T09:59:00Z", true},
        {"[{'kind':'deny','schedule':'0 10 * * *','duration':'1h','applications':['*'],'syncOverrun':true}]",
         "2026-11-23T10:10:00Z", "2026-11-23T10:01:00Z", false},
        {"[{'kind':'deny','schedule':'0 10 * * *','duration':'1h','applications':['*']}]",
         "2026-11-23T10:10:00Z", "2026-11-23T09:59:00Z", false},
        {"[{'kind':'deny','schedule':'0 10 * * *','duration':'1h','applications':['*'],'syncOverrun':true},"
         "{'kind':'deny','schedule':'5 10 * * *','duration':'1h','applications':['*']}]",
         "2026-11-23T10:10:00Z", "2026-11-23T09:59:00Z", false},
        {"[{'kind':'allow','schedule':'0 10 * * *','duration':'1h','applications':['*'],'syncOverrun':true}]",
         "2026-11-23T11:10:00Z", "2026-11-23T10:59:00Z", true},
        {"[{'kind':'allow','schedule':'0 10 * * *','duration':'1h','applications':['*'],'syncOverrun':true}]",
         "2026-11-23T11:10:00Z", "2026-11-23T11:01:00Z", false},
        {"[{'kind':'allow','schedule':'0 10 * * *','duration':'1h','applications':['*'],'syncOverrun':true},"
         "{'kind':'allow','schedule':'0 20 * * *','duration':'1h','applications':['*']}]",
         "2026-11-23T11:10:00Z", "2026-11-23T10:59:00Z", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *text = xstrdup(cases[i].windows);
        for (char *p = text; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        AUTO_JSON windows = json_of(text);
        struct window_question q = {.now = at(cases[i].now), .started = at(cases[i].started)};
        struct window_answer a;
        assert_int_equal(windows_ask(windows, &q, &a, NULL), 0);
        if (a.can_sync != cases[i].can_sync)
            fail_msg("case %zu: %d", i, a.can_sync);
    }
}

static void windows_are_checked(void **state)
{
    static const struct {
        const char *window, *problem;
    } cases[] = {
        {"{\"kind\":\"allow\",\"schedule\":\"* * * * *\",\"duration\":\"1h\"}", NULL},
        {"{\"kind\":\"deny\",\"schedule\":\"* * * * *\",\"duration\":\"1h\",\"timeZone\":\"No/Where\"}",
         NULL},
        {"{\"kind\":\"both\",\"schedule\":\"* * * * *\",\"duration\":\"1h\"}",
         "kind 'both' mismatch: can only be allow or deny"},
        {"{\"kind\":\"deny\",\"schedule\":\"* * *\",\"duration\":\"1h\"}",
         "cannot parse schedule '* * *': expected exactly 5 fields, found 3: [* * *]"},
        {"{\"kind\":\"deny\",\"schedule\":\"* * * * *\",\"duration\":\"1\"}", "cannot parse duration '1'"},
        {"[]", "a sync window is no object"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON w = json_of(cases[i].window);
        assert_int_equal(window_check(w, &err) < 0, cases[i].problem != NULL);
        assert_string_equal(err_text(err), str_or_empty(cases[i].problem));
    }
}

/* Germany's clocks go back an hour on 25 October 2026. */
static void summer_time_counts(void **state)
{
    AUTO_JSON w = json_of("{\"kind\":\"allow\",\"schedule\":\"0 10 * * "
                          "*\",\"duration\":\"1h\",\"timeZone\":\"Europe/Berlin\"}");
    static const struct {
        const char *now;
        bool active;
    } cases[] = {{"2026-10-24T08:30:00Z", true},
                 {"2026-10-24T09:30:00Z", false},
                 {"2026-10-26T08:30:00Z", false},
                 {"2026-10-26T09:30:00Z", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool active;
        assert_int_equal(window_is_active(w, at(cases[i].now), &active, NULL), 0);
        assert_int_equal(active, cases[i].active);
    }
}

TESTS(T(as_argo_cd), T(changes_are_foreseen), T(syncs_that_began_in_time_may_overrun), T(windows_are_checked),
      T(summer_time_counts))
