#include "app-controller/journal.h"
#include "tests/unit/test.h"

static json_t *reasons_of(const char *text)
{
    json_t *reasons = json_array();
    reason_add(reasons, "%s", text);
    return reasons;
}

/* "decision verdict reason;…", newest first. */
static char *told(const struct journal *j)
{
    AUTO_JSON list = journal_read(j);
    AUTO_STR out = STR_INIT;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        assert_non_null(json_str_at(e, "time"));
        str_printf(&out, "%s %s %s;", json_str_at(e, "decision"), json_str_at(e, "verdict"),
                   str_or_empty(json_string_value(json_array_get(json_at(e, "reasons"), 0))));
    }
    return str_take(&out);
}

static void newest_first_and_once(void **state)
{
    struct journal j = {};
    journal_add(&j, "refresh", "target", reasons_of("a"));
    journal_add(&j, "compare", "Synced", NULL);
    journal_add(&j, "refresh", "target", reasons_of("a"));
    AUTO(free_p) char *twice = told(&j);
    assert_string_equal(twice, "refresh target a;compare Synced ;");
    journal_add(&j, "refresh", "target", reasons_of("b"));
    journal_add(&j, "refresh", "target", reasons_of("a"));
    AUTO(free_p) char *changed = told(&j);
    assert_string_equal(changed, "refresh target a;refresh target b;refresh target a;compare Synced ;");
    journal_dispose(&j);
}

/* What happens all the time does not push out what happened once. */
static void rare_decisions_stay(void **state)
{
    struct journal j = {};
    journal_add(&j, "auto-sync", "no", reasons_of("once"));
    journal_add(&j, "compare", "OutOfSync", reasons_of("field"));
    for (int i = 0; i < 100; i++) {
        AUTO(free_p) char *text = xasprintf("%d", i);
        journal_add(&j, "refresh", "live", reasons_of(text));
    }
    AUTO(free_p) char *all = told(&j);
    assert_non_null(strstr(all, "refresh live 99;refresh live 98;"));
    assert_non_null(strstr(all, "compare OutOfSync field;auto-sync no once;"));
    AUTO_JSON list = journal_read(&j);
    assert_int_equal(json_array_size(list), JOURNAL_SIZE);
    journal_dispose(&j);
}

static const char *verdict(const json_t *list, size_t i)
{
    return json_str_at(json_array_get(list, i), "verdict");
}

static void add(struct journal *j, const char *decision, const char *verdict_text)
{
    json_t *reasons = json_array();
    reason_add(reasons, "because of %s", verdict_text);
    journal_add(j, decision, verdict_text, reasons);
}

static void newest_first_and_bounded(void **state)
{
    (void)state;
    struct journal j = {};
    for (int i = 0; i < 3 * JOURNAL_SIZE; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        add(&j, "compare", text);
    }
    AUTO_JSON list = journal_read(&j);
    assert_int_equal(json_array_size(list), JOURNAL_SIZE);
    assert_string_equal(verdict(list, 0), "35");
    assert_string_equal(verdict(list, JOURNAL_SIZE - 1), "24");
    assert_string_equal(json_string_value(json_array_get(json_at(json_array_get(list, 0), "reasons"), 0)),
                        "because of 35");
    journal_dispose(&j);
}

static void the_same_again_only_renews_the_time(void **state)
{
    (void)state;
    struct journal j = {};
    add(&j, "refresh", "normal");
    add(&j, "compare", "Synced");
    add(&j, "refresh", "normal");
    AUTO_JSON list = journal_read(&j);
    assert_int_equal(json_array_size(list), 2);
    add(&j, "refresh", "hard");
    add(&j, "refresh", "normal"); /* since then it was another */
    AUTO_JSON longer = journal_read(&j);
    assert_int_equal(json_array_size(longer), 4);
    assert_string_equal(verdict(longer, 0), "normal");
    wall_t t;
    assert_true(rfc3339_parse(json_str_at(json_array_get(longer, 0), "time"), &t));
    journal_dispose(&j);
}

TESTS(T(newest_first_and_once), T(rare_decisions_stay), T(newest_first_and_bounded),
      T(the_same_again_only_renews_the_time))
