#include "tests/unit/test.h"
#include "common/base/enc.h"
#include "common/base/hash.h"
#include "common/base/rand.h"

static void base64_vectors(void **state)
{
    /* RFC 4648 section 10. */
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR enc = STR_INIT;
        AUTO_STR dec = STR_INIT;
        base64_encode(cases[i][0], strlen(cases[i][0]), &enc);
        assert_string_equal(str_text(&enc), cases[i][1]);
        assert_true(base64_decode(str_text(&enc), enc.len, &dec));
        assert_string_equal(str_text(&dec), cases[i][0]);
    }
    static const char *const bad[] = {"Z", "Zg=", "Zm9v=", "Z!==", "Zg==Zg=="};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_STR dec = STR_INIT;
        assert_false(base64_decode(bad[i], strlen(bad[i]), &dec));
        assert_int_equal(dec.len, 0);
    }
    AUTO_STR url = STR_INIT;
    base64url_encode("\xfb\xff", 2, &url);
    assert_string_equal(str_text(&url), "-_8");
}

static void escapes(void **state)
{
    AUTO_STR s = STR_INIT;
    url_escape("a b/\xc3\xa9~", false, &s);
    assert_string_equal(str_text(&s), "a%20b%2F%C3%A9~");
    AUTO_STR back = STR_INIT;
    assert_true(url_unescape(view_of(str_text(&s)), false, &back));
    assert_string_equal(str_text(&back), "a b/\xc3\xa9~");
    static const char *const bad[] = {"%", "%4", "a%zz", "%%"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_STR out = STR_INIT;
        assert_false(url_unescape(view_of(bad[i]), false, &out));
    }
    AUTO_STR form = STR_INIT;
    assert_true(url_unescape(view_of("a+%2B"), true, &form));
    assert_string_equal(str_text(&form), "a +");
}

static void hashes(void **state)
{
    char hex[SHA256_HEX];
    sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(fnv1a32("a", 1), 0xe40c292c);
    assert_true(fnv1a64("a", 1) == 0xaf63dc4c8601ec8cULL);
    assert_true(hash_content("a", 1, 0) != hash_content("b", 1, 0));
    assert_true(hash_content("", 0, 1) != hash_content("", 0, 2));
    sha256_ctx_t *a = sha256_begin(), *b = sha256_begin();
    sha256_field_str(a, "ab");
    sha256_field_str(a, "c");
    sha256_field_str(b, "a");
    sha256_field_str(b, "bc");
    unsigned char ra[SHA256_SIZE], rb[SHA256_SIZE];
    sha256_end(a, ra);
    sha256_end(b, rb);
    assert_memory_not_equal(ra, rb, SHA256_SIZE);
    unsigned char raw[2];
    assert_true(hex_decode("fF0a", 4, raw) && raw[0] == 0xff && raw[1] == 10);
    assert_false(hex_decode("f", 1, raw) || hex_decode("fg", 2, raw));
}

static void random_is_in_range(void **state)
{
    for (int i = 0; i < 1000; i++) {
        assert_true(random_below(7) < 7);
        double u = random_unit();
        assert_true(u >= 0 && u < 1);
    }
    char uuid[UUID_TEXT];
    random_uuid(uuid);
    assert_int_equal(strlen(uuid), 36);
    assert_int_equal(uuid[14], '4');
    AUTO(free_p) char *text = random_text(16, "ab");
    assert_int_equal(strspn(text, "ab"), 16);
}

TESTS(T(base64_vectors), T(escapes), T(hashes), T(random_is_in_range))
