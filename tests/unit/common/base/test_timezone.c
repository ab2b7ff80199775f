#include "common/base/timezone.h"
#include "tests/unit/test.h"

static void offsets(void **state)
{
    static const struct {
        const char *zone, *at;
        int32_t offset;
    } cases[] = {
        {"UTC", "2026-07-01T00:00:00Z", 0},
        {"Asia/Tokyo", "2026-07-01T00:00:00Z", 32400},
        {"Asia/Kolkata", "2026-07-01T00:00:00Z", 19800},
        {"Europe/Berlin", "1890-01-01T00:00:00Z", 3208},
        {"Europe/Berlin", "2026-03-29T00:59:59Z", 3600},
        {"Europe/Berlin", "2026-03-29T01:00:00Z", 7200},
        {"Europe/Berlin", "2026-10-25T00:59:59Z", 7200},
        {"Europe/Berlin", "2026-10-25T01:00:00Z", 3600},
        /* after the last transition of the table: the rule */
        {"Europe/Berlin", "2090-03-26T00:59:59Z", 3600},
        {"Europe/Berlin", "2090-03-26T01:00:00Z", 7200},
        {"Europe/Berlin", "2090-10-29T00:59:59Z", 7200},
        {"Europe/Berlin", "2090-10-29T01:00:00Z", 3600},
        {"Europe/Dublin", "2090-07-01T00:00:00Z", 3600},
        {"Europe/Dublin", "2090-12-01T00:00:00Z", 0},
        {"Australia/Lord_Howe", "2090-01-01T00:00:00Z", 39600},
        {"Australia/Lord_Howe", "2090-07-01T00:00:00Z", 37800},
        {"America/New_York", "2090-07-01T00:00:00Z", -14400},
        {"Etc/GMT+5", "2090-07-01T00:00:00Z", -18000},
        {"", "2026-07-01T00:00:00Z", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        wall_t t;
        assert_true(rfc3339_parse(cases[i].at, &t));
        const timezone_t *z = timezone_find(cases[i].zone);
        assert_non_null(z);
        int32_t offset = timezone_offset(z, t.ns / NS_PER_SEC - (t.ns % NS_PER_SEC < 0));
        if (offset != cases[i].offset)
            fail_msg("%s at %s: %d", cases[i].zone, cases[i].at, offset);
    }
}

static void names_that_are_none(void **state)
{
    static const char *const names[] = {
        "Nowhere",        "../zoneinfo/UTC",
        "/etc/localtime", "Europe",
        "Europe\\Berlin", "tzdata.zi",
        "a/../UTC",       "0123456789012345678901234567890123456789012345678901234567890123456789"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_null(timezone_find(names[i]));
}

static void files_that_are_none(void **state)
{
    char file[200] = "TZif2";
    for (size_t n = 0; n < sizeof(file); n++)
        assert_null(timezone_parse(file, n));
    memset(file + 20, 0xff, 24);
    assert_null(timezone_parse(file, sizeof(file)));
}

TESTS(T(offsets), T(names_that_are_none), T(files_that_are_none))
