#include "common/base/cron.h"
#include "tests/unit/test.h"

static int64_t seconds(const char *text)
{
    wall_t t;
    if (!rfc3339_parse(text, &t))
        fail_msg("no time: %s", text);
    return t.ns / NS_PER_SEC;
}

static void next_times(void **state)
{
    static const struct {
        const char *schedule, *from, *next;
    } cases[] = {
        {"* * * * *", "2026-11-23T10:00:00Z", "2026-11-23T10:01:00Z"},
        {"* * * * *", "2026-11-23T10:00:59Z", "2026-11-23T10:01:00Z"},
        {"0 0 29 2 *", "2026-11-23T10:00:00Z", "2028-02-29T00:00:00Z"},
        {"0 0 1 1 *", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
        {"0 0 13 * 5", "2026-11-07T00:00:00Z", "2026-11-13T00:00:00Z"},
        {"0 0 13 * fri", "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z"},
        {"0 0 */2 * fri", "2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z"},
        {"0 0 * * fri", "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z"},
        {"0 0 30 2 *", "2026-11-01T00:00:00Z", NULL},
        {", * * * *", "2026-11-01T00:00:00Z", NULL},
        {"0 9 * * *", "1969-12-31T10:00:00Z", "1970-01-01T09:00:00Z"},
        {"TZ=Asia/Tokyo 0 9 * * *", "2026-11-23T10:00:00Z", "2026-11-24T00:00:00Z"},
        {"CRON_TZ=Europe/Berlin 0 9 * * *", "2026-07-01T10:00:00Z", "2026-07-02T07:00:00Z"},
        /* 02:30 does not exist on the day on which clocks go forward, and comes twice when they go back */
        {"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-29T00:00:00Z", "2026-03-30T00:30:00Z"},
        {"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"},
        {"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"},
        {"CRON_TZ=Europe/Berlin 0 0 1 5 *", "2026-11-23T10:00:00Z", "2027-04-30T22:00:00Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct cron c;
        int64_t next = 0;
        ASSERT_OK(cron_parse(cases[i].schedule, &c, &err));
        bool found = cron_next(&c, seconds(cases[i].from), &next);
        assert_int_equal(found, cases[i].next != NULL);
        if (found && next != seconds(cases[i].next))
            fail_msg("%s after %s: %lld", cases[i].schedule, cases[i].from, (long long)next);
    }
}

static void malformed(void **state)
{
    AUTO(free_p) char *long_text = xmalloc(10001);
    memset(long_text, '*', 10000);
    long_text[10000] = 0;
    const char *const texts[] = {"",
                                 "TZ=",
                                 "TZ=UTC",
                                 "CRON_TZ=Nowhere * * * * *",
                                 "* * * * 7",
                                 "--1 * * * *",
                                 "+ * * * *",
                                 "+-1 * * * *",
                                 "1--2 * * * *",
                                 "/ * * * *",
                                 long_text};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct cron c;
        if (cron_parse(texts[i], &c, NULL) == 0)
            fail_msg("%s is accepted", texts[i]);
    }
}

TESTS(T(next_times), T(malformed))
