#include "tests/unit/test.h"
#include "common/base/clock.h"
#include "common/kube/status.h"

static void answers_become_errors(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum err_code code;
        const char *text;
    } cases[] = {
        {409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"it exists\"}",
         ERR_ALREADY_EXISTS, "it exists"},
        {409, "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"changed\"}", ERR_ABORTED,
         "changed"},
        {404, "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"no\"}", ERR_NOT_FOUND, "no"},
        {410, "{\"kind\":\"Status\",\"reason\":\"Expired\",\"message\":\"old\"}", ERR_OUT_OF_RANGE, "old"},
        {410, "{\"kind\":\"Status\",\"reason\":\"Gone\",\"message\":\"old\"}", ERR_OUT_OF_RANGE, "old"},
        {422, "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"bad\"}", ERR_INVALID_ARGUMENT,
         "bad"},
        {403, "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}", ERR_PERMISSION_DENIED,
         "no"},
        {401, "{\"kind\":\"Status\",\"reason\":\"Unauthorized\",\"message\":\"who\"}", ERR_UNAUTHENTICATED,
         "who"},
        {429, "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\",\"message\":\"slow\"}",
         ERR_RESOURCE_EXHAUSTED, "slow"},
        {500, "{\"kind\":\"Status\",\"reason\":\"ServerTimeout\",\"message\":\"later\"}", ERR_UNAVAILABLE,
         "later"},
        {504, "{\"kind\":\"Status\",\"reason\":\"Timeout\",\"message\":\"late\"}", ERR_DEADLINE_EXCEEDED,
         "late"},
        {500, "{\"kind\":\"Status\",\"message\":\"boom\"}", ERR_INTERNAL, "boom"},
        {502, "<html>\n<b>Bad Gateway</b>", ERR_UNAVAILABLE,
         "GET https://h/x: the server answered 502: <html> <b>Bad Gateway</b>"},
        {500, "", ERR_INTERNAL, "GET https://h/x: the server answered 500"},
        {404, "404 page not found\n", ERR_NOT_FOUND,
         "GET https://h/x: the server answered 404: 404 page not found"},
        {404, "{\"kind\":\"Other\",\"message\":\"x\"}", ERR_NOT_FOUND, NULL},
        {302, "", ERR_INTERNAL, "GET https://h/x: the server answered 302"},
        {400, "{\"kind\":\"Status\",\"reason\":5,\"message\":[]}", ERR_INVALID_ARGUMENT, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct kube_failure f = {};
        int r = kube_status_error(cases[i].status, NULL, cases[i].body, strlen(cases[i].body),
                                  "GET https://h/x", &f, &err);
        assert_int_equal(r, -(int)cases[i].code);
        assert_int_equal(f.http_status, cases[i].status);
        assert_string_equal(f.message, err_text(err));
        if (cases[i].text)
            assert_string_equal(err_text(err), cases[i].text);
        kube_failure_dispose(&f);
    }
}

static void huge_pages_are_cut(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *page = xcalloc(1, 100001);
    memset(page, 'x', 100000);
    kube_status_error(500, NULL, page, 100000, "GET /", NULL, &err);
    assert_true(strlen(err_text(err)) < 400);
}

static void retry_after_is_read(void **state)
{
    static const struct {
        const char *headers;
        int64_t seconds;
    } cases[] = {{"retry-after: 3\n", 3},    {"x: y\nretry-after: 10\n", 10},
                 {"retry-after: soon\n", 0}, {"", 0},
                 {"retry-after: -1\n", 0},   {"retry-after: 99999999999\n", 3600}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR h = STR_INIT;
        str_puts(&h, cases[i].headers);
        assert_int_equal(kube_retry_after(&h), SECONDS(cases[i].seconds));
    }
}

static void warnings_are_collected(void **state)
{
    AUTO_STR h = STR_INIT;
    AUTO_STR out = STR_INIT;
    str_puts(
        &h,
        "warning: 299 - \"first \\\"quoted\\\" \\\\\"\nx: y\n"
        "warning: 299 - \"second\" \"Sat, 25 Aug 2012 23:34:45 GMT\", 299 agent \"third\"\n"
        "warning: 299 - \"second\"\nwarning: nonsense\nwarning: 299 - \"open\nwarning: 299 - \"d\" \"open\n");
    kube_warnings(&h, &out);
    assert_string_equal(str_text(&out), "first \"quoted\" \\\nsecond\nthird\nd\n");
}

TESTS(T(answers_become_errors), T(huge_pages_are_cut), T(retry_after_is_read), T(warnings_are_collected))
