#include "tests/unit/test.h"
#include "common/base/clock.h"

static void durations(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t ns;
        const char *back;
    } cases[] = {
        {"5s", true, SECONDS(5), "5s"},
        {"1h30m", true, SECONDS(5400), "1h30m0s"},
        {"1.5s", true, MILLIS(1500), "1.5s"},
        {"-1m", true, SECONDS(-60), "-1m0s"},
        {"100ms", true, MILLIS(100), "100ms"},
        {"1us", true, 1000, "1\xc2\xb5s"},
        {"10ns", true, 10, "10ns"},
        {"0", true, 0, "0s"},
        {"2m0.001s", true, SECONDS(120) + MILLIS(1), "2m0.001s"},
        {"2562047h47m16.854775807s", true, INT64_MAX, "2562047h47m16.854775807s"},
        {"-2562047h47m16.854775808s", true, INT64_MIN, "-2562047h47m16.854775808s"},
        {"2562047h47m16.854775808s", false, 0, NULL},
        {"0.000000000001h", true, 3, "3ns"},
        {"0.3333333333333333333h", true, SECONDS(1200), "20m0s"},
        {"1.2345678901234567890123s", true, 1234567890, "1.23456789s"},
        {"0.9ns", true, 0, "0s"},
        {".5s", true, MILLIS(500), "500ms"},
        {".s", false, 0, NULL},
        {"1d", false, 0, NULL},
        {"5", false, 0, NULL},
        {"", false, 0, NULL},
        {"s", false, 0, NULL},
        {"1h-5m", false, 0, NULL},
        {"9999999999h", false, 0, NULL},
        {"1.2.3s", false, 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = 0;
        bool ok = duration_parse(cases[i].text, false, &ns);
        if (ok != cases[i].ok || (ok && ns != cases[i].ns))
            fail_msg("%s: %d %lld", cases[i].text, ok, (long long)ns);
        if (ok) {
            char back[DURATION_TEXT];
            duration_format(ns, back);
            assert_string_equal(back, cases[i].back);
        }
    }
    int64_t ns;
    assert_true(duration_parse("1d12h", true, &ns) && ns == SECONDS(36 * 3600));
    assert_true(duration_parse_or_seconds("90", &ns) && ns == SECONDS(90));
    assert_true(duration_parse_or_seconds("2m", &ns) && ns == SECONDS(120));
    assert_false(duration_parse_or_seconds("x", &ns));
}

static void times(void **state)
{
    static const struct {
        const char *text, *seconds, *nano;
    } cases[] = {
        {"2026-11-23T04:54:00Z", "2026-11-23T04:54:00Z", "2026-11-23T04:54:00Z"},
        {"2026-11-23T06:54:00+02:00", "2026-11-23T04:54:00Z", "2026-11-23T04:54:00Z"},
        {"2026-11-23T04:54:00.120Z", "2026-11-23T04:54:00Z", "2026-11-23T04:54:00.12Z"},
        {"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.5Z"},
        {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        wall_t t;
        char out[RFC3339_TEXT];
        assert_true(rfc3339_parse(cases[i].text, &t));
        rfc3339(t, out);
        assert_string_equal(out, cases[i].seconds);
        rfc3339_nano(t, out);
        assert_string_equal(out, cases[i].nano);
    }
    char out[RFC3339_TEXT];
    rfc3339_micro((wall_t){1500}, out);
    assert_string_equal(out, "1970-01-01T00:00:00.000001Z");
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-13-01T00:00:00Z",
                                      "2026-02-30T00:00:00Z",
                                      "2026-01-01T00:00:00",
                                      "2026-01-01T00:00:00Zx",
                                      "2026-01-01T25:00:00Z",
                                      "2026-01-01T00:00:00.Z"};
    wall_t t;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(rfc3339_parse(bad[i], &t));
}

static void deadlines(void **state)
{
    assert_int_equal(mono_left(mono_after(mono_now(), -5)), 0);
    assert_int_equal(mono_after(mono_now(), INT64_MAX).ns, MONO_NEVER.ns);
    assert_true(mono_cmp(mono_now(), mono_after(mono_now(), SECONDS(1))) < 0);
}

static void pauses(void **state)
{
    (void)state;
    static const struct {
        int64_t since, pause, now, left;
    } cases[] = {{SECONDS(100), SECONDS(10), SECONDS(104), SECONDS(6)},
                 {SECONDS(100), SECONDS(10), SECONDS(110), 0},
                 {SECONDS(100), SECONDS(10), SECONDS(97), SECONDS(13)}, /* clocks differ a little */
                 {SECONDS(100), SECONDS(10), SECONDS(94), 0},           /* set back */
                 {INT64_MIN, SECONDS(10), SECONDS(1), 0},
                 {INT64_MAX, SECONDS(10), -SECONDS(1), 0},
                 {SECONDS(100), INT64_MAX, SECONDS(99), 0},
                 {SECONDS(100), 0, SECONDS(100), 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(wall_pause_left((wall_t){cases[i].since}, cases[i].pause, (wall_t){cases[i].now}),
                         cases[i].left);
    assert_int_equal(wall_since((wall_t){SECONDS(3)}, (wall_t){SECONDS(1)}), -SECONDS(2));
    assert_int_equal(wall_since((wall_t){INT64_MIN}, (wall_t){1}), INT64_MAX);
    assert_int_equal(wall_since((wall_t){INT64_MAX}, (wall_t){-2}), INT64_MIN);
}

TESTS(T(pauses), T(durations), T(times), T(deadlines))
