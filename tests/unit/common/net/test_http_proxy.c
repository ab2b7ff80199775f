#include "tests/unit/test.h"
#include "common/net/http_proxy.h"

static void no_proxy_rules(void **state)
{
    static const struct {
        const char *rules, *host;
        unsigned port;
        bool applies;
    } cases[] = {
        {"", "example.com", 80, true},
        {"", "localhost", 80, false},
        {"", "127.0.0.5", 80, false},
        {"", "::1", 80, false},
        {"*", "example.com", 80, false},
        {"example.com", "example.com", 80, false},
        {"example.com", "EXAMPLE.com", 80, false},
        {"example.com", "sub.example.com", 80, false},
        {"example.com", "notexample.com", 80, true},
        {".example.com", "example.com", 80, true},
        {".example.com", "sub.example.com", 80, false},
        {"*.example.com", "sub.example.com", 80, false},
        {"*.example.com", "example.com", 80, true},
        {"example.com:8080", "example.com", 80, true},
        {"example.com:8080", "example.com", 8080, false},
        {" a , example.com ,", "example.com", 80, false},
        {"10.0.0.0/8", "10.1.2.3", 443, false},
        {"10.0.0.0/8", "11.1.2.3", 443, true},
        {"10.0.0.0/8", "ten.example.com", 443, true},
        {"10.1.2.3", "10.1.2.3", 443, false},
        {"10.1.2.3:80", "10.1.2.3", 443, true},
        {"fd00::/8", "fd12::1", 443, false},
        {"fd00::/8", "fe80::1", 443, true},
        {"0.0.0.0/0", "8.8.8.8", 443, false},
        {"::/0", "8.8.8.8", 443, true},
        {"172.16.0.0/12", "172.31.255.255", 443, false},
        {"172.16.0.0/12", "172.32.0.0", 443, true},
        {"[fd00::1]:443", "fd00::1", 443, false},
        {"[fd00::1]:443", "fd00::1", 80, true},
        {"fd00::1", "fd00::1", 80, false},
        {"10.0.0.0/33", "10.0.0.1", 80, true},
        {"[", "example.com", 80, true},
        {":", "example.com", 80, true},
        {".svc,.cluster.local,10.0.0.1", "kubernetes.default.svc", 443, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (http_proxy_applies(cases[i].rules, cases[i].host, cases[i].port) != cases[i].applies)
            fail_msg("NO_PROXY=%s for %s:%u", cases[i].rules, cases[i].host, cases[i].port);
}

static void proxies_have_a_normal_form(void **state)
{
    static const struct {
        const char *text, *normal;
    } cases[] = {
        {"proxy:3128", "http://proxy:3128"},
        {"http://proxy", "http://proxy"},
        {"https://u:p@proxy", "https://u:p@proxy"},
        {"socks5://proxy:1080", "socks5h://proxy:1080"},
        {"ftp://proxy", NULL},
        {"http://", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(free_p) char *out = NULL;
        int r = http_proxy_normal(cases[i].text, &out, &err);
        assert_int_equal(r, cases[i].normal ? 0 : -ERR_INVALID_ARGUMENT);
        assert_true(str_eq(out, cases[i].normal));
    }
}

static char *choose(const char *proxy, const char *no_proxy, const char *url)
{
    AUTO_ERR err = NULL;
    struct http_url u;
    char *out = NULL;
    ASSERT_OK(http_url_parse(url, &u, &err));
    ASSERT_OK(http_proxy_for(proxy, no_proxy, &u, &out, &err));
    http_url_dispose(&u);
    return out;
}

static void the_environment_is_asked(void **state)
{
    static const char *const names[] = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY",   "https_proxy",
                                        "NO_PROXY",   "no_proxy",   "REQUEST_METHOD"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    setenv("https_proxy", "s:1", 1);
    setenv("HTTP_PROXY", "h:1", 1);
    setenv("NO_PROXY", ".internal", 1);
    static const struct {
        const char *proxy, *no_proxy, *url, *chosen;
    } cases[] = {
        {NULL, NULL, "https://a/", "http://s:1"},
        {NULL, NULL, "http://a/", "http://h:1"},
        {NULL, NULL, "https://x.internal/", NULL},
        {NULL, "a", "https://a/", NULL},
        {"", NULL, "https://a/", NULL},
        {"http://p", NULL, "https://x.internal/", "http://p"},
        {"http://p", NULL, "https://127.0.0.1/", "http://p"},
        {"http://p", "", "https://127.0.0.1/", NULL},
        {"http://p", "b,a", "https://a/", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *chosen = choose(cases[i].proxy, cases[i].no_proxy, cases[i].url);
        if (!str_eq(chosen, cases[i].chosen))
            fail_msg("case %zu: %s", i, str_or_empty(chosen));
    }
    setenv("REQUEST_METHOD", "GET", 1);
    AUTO(free_p) char *cgi = choose(NULL, NULL, "http://a/");
    assert_null(cgi);
}

TESTS(T(no_proxy_rules), T(proxies_have_a_normal_form), T(the_environment_is_asked))
