#include "app-controller/journal.h"
#include "tests/unit/test.h"

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

TESTS(T(newest_first_and_bounded), T(the_same_again_only_renews_the_time))
