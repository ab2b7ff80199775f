/* The scanner accepts what the reader accepts, and skipping a value ends where reading it does. */
#include "tests/fuzz/fuzz.h"
#include "common/json/scan.h"

static bool scan_all(const char *p, size_t n)
{
    struct json_scan s;
    enum json_token t;
    unsigned open = 0;
    AUTO_STR text = STR_INIT;
    json_scan_init(&s, p, n);
    while ((t = json_scan_next(&s)) != JT_END && t != JT_ERROR) {
        REQUIRE(s.p > p && s.p <= p + n);
        open += t == JT_OBJECT_BEGIN || t == JT_ARRAY_BEGIN;
        if (t == JT_OBJECT_END || t == JT_ARRAY_END)
            REQUIRE(open-- > 0);
        REQUIRE(open == s.depth && open <= JSON_MAX_DEPTH);
        str_reset(&text);
        if ((t == JT_KEY || t == JT_STRING) && !json_unescape(s.text, &text))
            return false;
        if (t == JT_KEY)
            REQUIRE(!memchr(str_text(&text), 0, text.len) == json_scan_is(&s, str_text(&text)));
    }
    REQUIRE(t != JT_ERROR || json_scan_error(&s, NULL) < 0);
    REQUIRE(t != JT_END || open == 0);
    return t == JT_END && s.p == s.end;
}

static void skips_to_the_end(const char *p, size_t n)
{
    struct json_scan a, b;
    view_t value;
    json_scan_init(&a, p, n);
    json_scan_init(&b, p, n);
    REQUIRE(json_scan_skip(&a, json_scan_next(&a)));
    REQUIRE(json_scan_value(&b, json_scan_next(&b), &value));
    REQUIRE(a.p == b.p && a.p == value.p + value.n);
    REQUIRE(json_scan_next(&a) == JT_END && json_scan_next(&b) == JT_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON v = NULL;
    const char *p = (const char *)data;
    bool reads = json_read(p, size, &v, NULL) == 0;
    REQUIRE(scan_all(p, size) == reads);
    if (reads)
        skips_to_the_end(p, size);
    return 0;
}
