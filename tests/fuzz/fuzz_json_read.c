/* What is read is written and read back equal, in every style, and jansson's own reader agrees on what is
 * JSON. */
#include "tests/fuzz/fuzz.h"
#include "common/json/json.h"

static void reads_back(const json_t *v, unsigned style)
{
    AUTO_STR text = STR_INIT, again = STR_INIT;
    AUTO_JSON back = NULL;
    json_write(v, style, &text);
    REQUIRE(json_read(text.p, text.len, &back, NULL) == 0);
    REQUIRE(json_same(v, back));
    REQUIRE(json_compare(v, back) == 0);
    REQUIRE(json_hash(v, 7) == json_hash(back, 7));
    json_write(back, style, &again);
    REQUIRE(text.len == again.len && memcmp(text.p, again.p, text.len) == 0);
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

/* The order is total and consistent with equality and hashes. */
static void orders(const json_t *a, const json_t *b, const json_t *c)
{
    int ab = sign(json_compare(a, b)), bc = sign(json_compare(b, c)), ac = sign(json_compare(a, c));
    REQUIRE(ab == -sign(json_compare(b, a)));
    REQUIRE((ab == 0) == json_same(a, b));
    REQUIRE(ab != 0 || json_hash(a, 1) == json_hash(b, 1));
    REQUIRE(!(ab <= 0 && bc <= 0) || ac <= 0);
    REQUIRE(!(ab >= 0 && bc >= 0) || ac >= 0);
}

/* jansson refuses more (numbers out of range, lone surrogates) but must not accept more. A zero byte is an
 * end for it. */
static void jansson_agrees(const char *p, size_t n, const char *why)
{
    json_error_t e;
    AUTO_JSON v = json_loadb(p, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    REQUIRE(!v || memchr(p, 0, n) || strstr(why, "nested deeper"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ERR err = NULL;
    AUTO_JSON v = NULL;
    if (json_read((const char *)data, size, &v, &err) < 0) {
        REQUIRE(!v && err_code(err) == ERR_INVALID_ARGUMENT && str_has_prefix(err_text(err), "line "));
        jansson_agrees((const char *)data, size, err_text(err));
        return 0;
    }
    for (unsigned style = 0; style < 8; style++)
        reads_back(v, style);
    AUTO_JSON copy = json_copy_deep(v);
    REQUIRE(json_same(v, copy));
    for (size_t i = 0; json_is_array(v) && i + 2 < json_array_size(v) && i < 20; i++)
        orders(json_array_get(v, i), json_array_get(v, i + 1), json_array_get(v, i + 2));
    return 0;
}
