/* Durations and times that were read are written, and read back the same. */
#include "tests/fuzz/fuzz.h"
#include "common/base/clock.h"

static void duration(const char *text)
{
    int64_t ns, back, seconds;
    if (duration_parse(text, false, &ns)) {
        char out[DURATION_TEXT];
        duration_format(ns, out);
        REQUIRE(duration_parse(out, false, &back));
        REQUIRE(back == ns);
        REQUIRE(duration_parse(text, true, &back) && back == ns);
    }
    duration_parse(text, true, &ns);
    duration_parse_or_seconds(text, &seconds);
}

static void date(const char *text)
{
    wall_t t, back;
    if (!rfc3339_parse(text, &t))
        return;
    char out[RFC3339_TEXT];
    rfc3339_nano(t, out);
    REQUIRE(rfc3339_parse(out, &back) && back.ns == t.ns);
    rfc3339_micro(t, out);
    REQUIRE(rfc3339_parse(out, &back) && t.ns - back.ns >= 0 && t.ns - back.ns < NS_PER_US);
    rfc3339(t, out);
    REQUIRE(rfc3339_parse(out, &back) && t.ns - back.ns >= 0 && t.ns - back.ns < NS_PER_SEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *text = take_text(&data, &size);
    duration(text);
    date(text);
    int64_t ns;
    if (size == sizeof(ns)) {
        char out[DURATION_TEXT];
        memcpy(&ns, data, sizeof(ns));
        duration_format(ns, out);
        int64_t back;
        REQUIRE(duration_parse(out, false, &back) && back == ns);
    }
    return 0;
}
