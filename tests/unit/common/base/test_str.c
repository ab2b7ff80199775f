#include "tests/unit/test.h"

static void overflow_is_sticky(void **state)
{
    AUTO_STR s = STR_MAX(5);
    str_puts(&s, "abc");
    str_puts(&s, "def");
    assert_true(str_overflowed(&s));
    str_puts(&s, "g");
    assert_string_equal(str_text(&s), "abc");
    str_reset(&s);
    str_puts(&s, "12345");
    assert_false(str_overflowed(&s));
}

static void consume_and_truncate(void **state)
{
    AUTO_STR s = STR_INIT;
    assert_string_equal(str_text(&s), "");
    str_printf(&s, "%s-%d", "abc", 42);
    str_consume(&s, 2);
    assert_string_equal(str_text(&s), "c-42");
    str_truncate(&s, 1);
    assert_string_equal(str_text(&s), "c");
    str_consume(&s, 9);
    assert_int_equal(s.len, 0);
    AUTO(free_p) char *p = str_take(&s);
    assert_string_equal(p, "");
}

static void splits(void **state)
{
    AUTO(strv_free_p) char **v = strv_split(" a, ,b ", ",", true);
    assert_int_equal(strv_len(v), 2);
    assert_string_equal(v[1], "b");
    AUTO(strv_free_p) char **w = strv_split("a::b", ":", false);
    assert_int_equal(strv_len(w), 3);
    AUTO(free_p) char *joined = strv_join(w, "-");
    assert_string_equal(joined, "a--b");
    view_t rest = view_of("x=y="), part;
    assert_true(view_split(&rest, '=', &part) && view_eq(part, "x"));
    assert_true(view_split(&rest, '=', &part) && view_eq(part, "y"));
    assert_true(view_split(&rest, '=', &part) && part.n == 0);
    assert_false(view_split(&rest, '=', &part));
}

static void numbers(void **state)
{
    int64_t i;
    uint64_t u;
    bool b;
    assert_true(str_to_i64("-9223372036854775808", &i) && i == INT64_MIN);
    assert_false(str_to_i64("9223372036854775808", &i));
    assert_false(str_to_i64("1x", &i) || str_to_i64("", &i) || str_to_i64(" 1", &i));
    assert_true(str_to_u64("18446744073709551615", &u) && u == UINT64_MAX);
    assert_false(str_to_u64("-1", &u));
    assert_true(str_to_bool("T", &b) && b);
    assert_false(str_to_bool("yes", &b));
}

static void utf8(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {{"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true},
                 {"\xc0\x80", false},
                 {"\xed\xa0\x80", false},
                 {"\xf4\x90\x80\x80", false},
                 {"\xe2\x82", false},
                 {"\x80", false},
                 {"", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(utf8_valid(cases[i].text, strlen(cases[i].text)), cases[i].valid);
    char buf[4];
    uint32_t cp;
    for (uint32_t c = 1; c < 0x110000; c += 97) {
        size_t n = utf8_encode(c, buf);
        if (c >= 0xd800 && c < 0xe000) {
            assert_int_equal(n, 0);
            continue;
        }
        assert_int_equal(utf8_decode(buf, n, &cp), n);
        assert_int_equal(cp, c);
    }
}

static void natural_order(void **state)
{
    assert_true(str_natural_cmp("a9", "a10") < 0);
    assert_true(str_natural_cmp("a010", "a9") > 0);
    assert_true(str_natural_cmp("a", "a1") < 0);
    assert_int_equal(str_natural_cmp("x1y", "x1y"), 0);
}

TESTS(T(overflow_is_sticky), T(consume_and_truncate), T(splits), T(numbers), T(utf8), T(natural_order))
