/* Base64, hex and percent-encoding: decoding what was encoded gives the same bytes, and decoding anything is
 * safe. */
#include "tests/fuzz/fuzz.h"
#include "common/base/enc.h"

static void base64(const char *p, size_t n)
{
    AUTO_STR std = STR_INIT, url = STR_INIT, back = STR_INIT, decoded = STR_INIT;
    base64_encode(p, n, &std);
    base64url_encode(p, n, &url);
    REQUIRE(base64_decode(str_text(&std), std.len, &back) && back.len == n &&
            memcmp(str_text(&back), p, n) == 0);
    str_reset(&back);
    REQUIRE(base64_decode(str_text(&url), url.len, &back) && back.len == n &&
            memcmp(str_text(&back), p, n) == 0);
    str_puts(&decoded, "x");
    bool ok = base64_decode(p, n, &decoded);
    REQUIRE(ok || (decoded.len == 1 && decoded.p[0] == 'x'));
    REQUIRE(!ok || decoded.len <= 1 + n / 4 * 3 + 2);
}

static void hex(const char *p, size_t n)
{
    AUTO(free_p) char *text = xmalloc(2 * n + 1);
    AUTO(free_p) unsigned char *back = xmalloc(n + 1);
    hex_encode(p, n, text);
    REQUIRE(strlen(text) == 2 * n && hex_decode(text, 2 * n, back) && memcmp(back, p, n) == 0);
    hex_decode(p, n, back);
}

static void percent(const char *p, size_t n)
{
    AUTO(free_p) char *text = xstrndup(p, n);
    AUTO_STR escaped = STR_INIT, back = STR_INIT, any = STR_INIT;
    for (int keep = 0; keep < 2; keep++) {
        str_reset(&escaped);
        str_reset(&back);
        url_escape(text, keep, &escaped);
        REQUIRE(url_unescape((view_t){str_text(&escaped), escaped.len}, keep, &back));
        REQUIRE(strcmp(str_text(&back), text) == 0);
    }
    url_unescape((view_t){p, n}, true, &any);
    REQUIRE(any.len <= n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    base64((const char *)data, size);
    hex((const char *)data, size);
    percent((const char *)data, size);
    return 0;
}
