#include "tests/unit/test.h"
#include "common/net/http.h"
#include "common/net/http_url.h"

static void urls_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *origin, *path;
    } good[] = {
        {"http://a", "http://a:80", "/"},
        {"HTTPS://Example.COM/x?y=1", "https://example.com:443", "/x?y=1"},
        {"https://[::1]:6443/a%2fb", "https://[::1]:6443", "/a%2fb"},
        {"http://a:8080/../x/./y", "http://a:8080", "/../x/./y"},
        {"http://a/#fragment", "http://a:80", "/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        AUTO_ERR err = NULL;
        struct http_url u;
        ASSERT_OK(http_url_parse(good[i].text, &u, &err));
        AUTO(free_p) char *origin = http_url_origin(&u);
        assert_string_equal(origin, good[i].origin);
        assert_string_equal(u.path_query, good[i].path);
        http_url_dispose(&u);
    }
}

static void bad_urls_are_refused_without_leaking(void **state)
{
    static const char *const bad[] = {"",
                                      "ftp://a/",
                                      "file:///etc/passwd",
                                      "http://",
                                      "//a/b",
                                      "http://bob:hunter2@a/",
                                      "http://bob@a/",
                                      "http://a:99999/",
                                      "http://a:0/",
                                      "http://a b/",
                                      "gopher://x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_ERR err = NULL;
        struct http_url u;
        assert_int_equal(http_url_parse(bad[i], &u, &err), -ERR_INVALID_ARGUMENT);
        assert_null(strstr(err_text(err), "hunter2"));
    }
    AUTO_ERR err = NULL;
    struct http_url u;
    AUTO(free_p) char *huge = xcalloc(1, HTTP_MAX_URL + 100);
    memset(huge, 'a', HTTP_MAX_URL + 50);
    memcpy(huge, "http://a/", 9);
    assert_int_equal(http_url_parse(huge, &u, &err), -ERR_INVALID_ARGUMENT);
}

static void redirects_resolve(void **state)
{
    static const struct {
        const char *base, *location, *result;
    } cases[] = {
        {"http://a/x/y?q", "z", "http://a/x/z"},
        {"http://a/x/y", "/z?1", "http://a/z?1"},
        {"http://a/x", "https://b:1/z#f", "https://b:1/z"},
        {"https://a/x", "//b/z", "https://b/z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(free_p) char *out = NULL;
        ASSERT_OK(http_url_resolve(cases[i].base, cases[i].location, &out, &err));
        assert_string_equal(out, cases[i].result);
    }
}

static void messages_show_no_secrets(void **state)
{
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"https://host:443/path?token=s", "https://host:443/path"},
        {"https://bob:pw@host/path", "https://host/path"},
        {"https://bob:p/w@host/path?q=a@b", "https://b"},
        {"https://bob:p?w@host/path", "https://host/path"},
        {"https://host/@scope/x", "https://host/@scope/x"},
        {"https://host:8443/@scope/x", "https://host:8443/@scope/x"},
        {"https://[::1]:1/x#y", "https://[::1]:1/x"},
        {"nonsense\r\nX: y", "nonsense??X: y"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *shown = http_url_for_message(cases[i].url);
        assert_string_equal(shown, cases[i].shown);
    }
    AUTO(free_p) char *huge = xcalloc(1, 10001);
    memset(huge, 'x', 10000);
    AUTO(free_p) char *shown = http_url_for_message(huge);
    assert_true(strlen(shown) < 600);
}

static void headers_are_found(void **state)
{
    AUTO_STR h = STR_INIT;
    str_puts(&h, "content-type: text/plain\nx-empty: \nx: 1\nx: 2\n");
    static const struct {
        const char *name, *value;
    } cases[] = {{"content-type", "text/plain"}, {"x-empty", ""}, {"x", "1"}, {"content", NULL}, {"y", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *v = http_header(&h, cases[i].name);
        assert_true(str_eq(v, cases[i].value));
    }
}

TESTS(T(urls_are_taken_apart), T(bad_urls_are_refused_without_leaking), T(redirects_resolve),
      T(messages_show_no_secrets), T(headers_are_found))
