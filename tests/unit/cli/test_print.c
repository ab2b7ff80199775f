#include "tests/unit/test.h"
#include "cli/print.h"

#include <time.h>

static void ages(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {-5, "<invalid>"}, {-1, "0s"},         {0, "0s"},        {119, "119s"},      {120, "2m"},
        {125, "2m5s"},     {599, "9m59s"},     {600, "10m"},     {10799, "179m"},    {10800, "3h"},
        {10860, "3h1m"},   {28800, "8h"},      {172799, "47h"},  {172800, "2d"},     {176400, "2d1h"},
        {691200, "8d"},    {63071999, "729d"}, {63072000, "2y"}, {63158400, "2y1d"}, {252288000, "8y"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR out = STR_INIT;
        put_age(SECONDS(cases[i].seconds), &out);
        assert_string_equal(str_text(&out), cases[i].text);
    }
}

static void times(void **state)
{
    static const char *const cases[][3] = {
        {"UTC", "2026-11-23T08:24:46Z", "2026-11-23 08:24:46 +0000 UTC"},
        {"UTC", "2026-11-23T08:24:46.5+01:00", "2026-11-23 07:24:46 +0000 UTC"},
        {"CET-1", "2026-11-23T08:24:46Z", "2026-11-23 09:24:46 +0100 CET"},
        {"UTC", "no time", "no time"},
        {"UTC", NULL, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR out = STR_INIT;
        setenv("TZ", cases[i][0],
               1); /* lint: allow setenv, because the test has one thread and tests the zone */
        tzset();
        put_go_time(cases[i][1], &out);
        assert_string_equal(str_text(&out), cases[i][2]);
    }
}

TESTS(T(ages), T(times))
