#include "tests/unit/test.h"
#include "common/base/file.h"
#include "common/net/http.h"
#include "tests/unit/kit/certs.h"
#include "tests/unit/kit/fake_http.h"

static http_t *h;

static int setup(void **state)
{
    h = http_new("http-test");
    return 0;
}

static int teardown(void **state)
{
    http_free(h);
    return 0;
}

/* Does a GET as that endpoint; the body or the error's text goes to *said. */
static int get_as(const struct http_endpoint_config *config, const char *url, unsigned redirects,
                  const char *const *headers, str_t *said)
{
    AUTO_ERR err = NULL;
    http_endpoint_t *e = http_endpoint_new(config);
    struct http_response out = {};
    struct http_request r = {
        .url = url, .endpoint = e, .max_redirects = redirects, .headers = headers, .timeout_ns = SECONDS(20)};
    int result = http_do(h, &r, &out, &err);
    str_reset(said);
    str_puts(said, result < 0 ? err_text(err) : str_text(&out.body));
    int status = out.status;
    http_response_dispose(&out);
    http_endpoint_unref(e);
    return result < 0 ? result : status;
}

static bool introduce(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    AUTO(free_p) char *host = fake_header(r, "Host");
    AUTO_STR s = STR_INIT;
    str_printf(&s, "peer %s host %s", r->peer ? r->peer : "none", host);
    fake_reply(c, "200 OK", NULL, str_text(&s));
    return true;
}

static void servers_are_verified(void **state)
{
    const struct certs *certs = certs_get();
    fake_http_t *f = fake_http_start(true, introduce, NULL);
    AUTO(free_p) char *url = fake_http_url(f, "/");
    AUTO(free_p) char *by_name = xasprintf("https://localhost:%d/", fake_http_port(f));
    AUTO(free_p) char *here = xasprintf("host 127.0.0.1:%d", fake_http_port(f));
    AUTO(free_p) char *dir = NULL;
    AUTO_ERR err = NULL;
    ASSERT_OK(dir_make_temp(NULL, "tls", &dir, &err));
    AUTO(free_p) char *ca_file = xasprintf("%s/ca.crt", dir);
    ASSERT_OK(file_write(ca_file, certs->ca, strlen(certs->ca), 0600, &err));
    const struct {
        struct http_endpoint_config config;
        const char *url;
        int result;
        const char *said;
    } cases[] = {
        {{.ca_pem = certs->ca}, url, 200, "peer none"},
        {{.ca_file = ca_file}, url, 200, "peer none"},
        {{.ca_file = "/nonexistent/ca.crt"}, url, -ERR_INVALID_ARGUMENT, "ca.crt"},
        {{.ca_pem = "rubbish"}, url, -ERR_INVALID_ARGUMENT, NULL},
        {{.insecure = true}, url, 200, "peer none"},
        {{.ca_pem = NULL}, url, -ERR_UNAVAILABLE, "certificate"},
        {{.ca_pem = certs->ca}, by_name, 200, "host localhost"},
        {{.ca_pem = certs->ca, .server_name = "kube.example"}, url, 200, here},
        {{.ca_pem = certs->ca, .server_name = "other.example"}, url, -ERR_UNAVAILABLE, "other.example"},
        {{.ca_pem = certs->ca, .client_cert_pem = certs->client_cert, .client_key_pem = certs->client_key},
         url,
         200,
         "peer tester"},
        {{.ca_pem = certs->ca, .client_cert_pem = certs->client_cert, .client_key_pem = certs->server_key},
         url,
         -ERR_INVALID_ARGUMENT,
         NULL},
        {{.ca_pem = certs->ca}, url, 200, "peer none"}, /* not the connection of the one before */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR said = STR_INIT;
        int r = get_as(&cases[i].config, cases[i].url, 0, NULL, &said);
        if (r != cases[i].result || (cases[i].said && !strstr(str_text(&said), cases[i].said)))
            fail_msg("case %zu: %d %s", i, r, str_text(&said));
    }
    ASSERT_OK(dir_remove(dir, &err));
    fake_http_stop(f);
}

static bool plain_http(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    fake_reply(c, "200 OK", NULL, "plain");
    return true;
}

static void tls_to_a_plain_port_fails_well(void **state)
{
    fake_http_t *f = fake_http_start(false, plain_http, NULL);
    AUTO(free_p) char *url = xasprintf("https://127.0.0.1:%d/", fake_http_port(f));
    AUTO_STR said = STR_INIT;
    assert_int_equal(
        get_as(&(struct http_endpoint_config){.connect_timeout_ns = SECONDS(1)}, url, 0, NULL, &said),
        -ERR_UNAVAILABLE);
    fake_http_stop(f);
}

/* ---- redirects ---- */

struct redirector {
    fake_http_t *other;
    str_t last; /* the request the target saw */
};

static bool redirect(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    struct redirector *x = arg;
    if (strncmp(r->target, "/end", 4) == 0) {
        str_reset(&x->last);
        str_printf(&x->last, "%s %s peer %s\n%s--%s", r->method, r->target, r->peer ? r->peer : "none",
                   r->head, str_text(&r->body));
        fake_reply(c, "200 OK", NULL, "arrived");
        return true;
    }
    const char *status = strncmp(r->target, "/303", 4) == 0 ? "303 See Other" : "307 Temporary Redirect";
    if (strncmp(r->target, "/302", 4) == 0)
        status = "302 Found";
    AUTO(free_p) char *location = NULL;
    if (strstr(r->target, "loop"))
        location = xstrdup("Location: /loop\r\n");
    else if (strstr(r->target, "same"))
        location = xstrdup("Location: ./end\r\n");
    else if (strstr(r->target, "file"))
        location = xstrdup("Location: file:///etc/passwd\r\n");
    else if (strstr(r->target, "userinfo"))
        location = xstrdup("Location: http://u:p@127.0.0.1/\r\n");
    else if (strstr(r->target, "back"))
        location = xasprintf("Location: %s\r\n", strchr(r->target, '?') + 1);
    else
        location = xasprintf("Location: http%s://localhost:%d/end\r\n", strstr(r->target, "plain") ? "" : "s",
                             fake_http_port(x->other ? x->other : fake_server(c)));
    fake_reply(c, status, location, "elsewhere");
    return true;
}

static void credentials_stay_with_their_host(void **state)
{
    const struct certs *certs = certs_get();
    struct redirector target = {}, first = {};
    first.other = fake_http_start(true, redirect, &target);
    fake_http_t *f = fake_http_start(true, redirect, &first);
    struct http_endpoint_config config = {.ca_pem = certs->ca,
                                          .bearer_token = "t0k",
                                          .client_cert_pem = certs->client_cert,
                                          .client_key_pem = certs->client_key};
    static const char *const headers[] = {"X-Api-Key: k3y", "Accept: text/x", "Cookie: c=1", NULL};
    AUTO_STR said = STR_INIT;
    AUTO(free_p) char *same = fake_http_url(f, "/same");
    assert_int_equal(get_as(&config, same, 3, headers, &said), 200);
    assert_non_null(strstr(str_text(&first.last), "GET /end peer tester"));
    assert_non_null(strstr(str_text(&first.last), "Bearer t0k"));
    assert_non_null(strstr(str_text(&first.last), "k3y"));
    AUTO(free_p) char *away = fake_http_url(f, "/away");
    assert_int_equal(get_as(&config, away, 3, headers, &said), 200);
    const char *seen = str_text(&target.last);
    assert_non_null(strstr(seen, "GET /end peer none"));
    assert_null(strstr(seen, "t0k"));
    assert_null(strstr(seen, "k3y"));
    assert_null(strstr(seen, "c=1"));
    assert_non_null(strstr(seen, "Accept: text/x"));
    /* There and back again: they do not come back either. */
    AUTO(free_p) char *end = fake_http_url(f, "/end");
    AUTO(free_p)
    char *back = xasprintf("https://127.0.0.1:%d/back?https://localhost:%d/back?%s", fake_http_port(f),
                           fake_http_port(first.other), end);
    assert_int_equal(get_as(&config, back, 3, headers, &said), 200);
    assert_non_null(strstr(str_text(&first.last), "peer none"));
    assert_null(strstr(str_text(&first.last), "t0k"));
    fake_http_stop(f);
    fake_http_stop(first.other);
    str_dispose(&target.last);
    str_dispose(&first.last);
}

static void redirects_are_bounded(void **state)
{
    struct redirector x = {};
    fake_http_t *f = fake_http_start(true, redirect, &x);
    struct http_endpoint_config config = {.ca_pem = certs_get()->ca};
    static const struct {
        const char *path;
        unsigned redirects;
        int result;
        const char *said;
    } cases[] = {
        {"/same", 0, 307, "elsewhere"},
        {"/loop", 5, 307, "elsewhere"},
        {"/plain", 3, -ERR_UNAVAILABLE, "from https to http"},
        {"/file", 3, -ERR_INVALID_ARGUMENT, "only http and https"},
        {"/userinfo", 3, -ERR_INVALID_ARGUMENT, "credentials"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR said = STR_INIT;
        AUTO(free_p) char *url = fake_http_url(f, cases[i].path);
        int r = get_as(&config, url, cases[i].redirects, NULL, &said);
        if (r != cases[i].result || !strstr(str_text(&said), cases[i].said))
            fail_msg("%s: %d %s", cases[i].path, r, str_text(&said));
    }
    assert_int_equal(fake_http_requests(f), 1 + 6 + 3);
    fake_http_stop(f);
    str_dispose(&x.last);
}

static void redirects_keep_or_change_the_method(void **state)
{
    struct redirector x = {};
    fake_http_t *f = fake_http_start(false, redirect, &x);
    static const struct {
        const char *path, *method, *seen;
    } cases[] = {
        {"/303same", "POST", "GET /end"},  {"/302same", "POST", "GET /end"},
        {"/307same", "POST", "POST /end"}, {"/302same", "PUT", "PUT /end"},
        {"/303same", "HEAD", "HEAD /end"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct http_response out;
        AUTO(free_p) char *url = fake_http_url(f, cases[i].path);
        struct http_request r = {
            .method = cases[i].method, .url = url, .body = "b0dy", .body_size = 4, .max_redirects = 1};
        if (strcmp(cases[i].method, "HEAD") == 0)
            r.body = NULL;
        ASSERT_OK(http_do(h, &r, &out, &err));
        const char *seen = str_text(&x.last);
        assert_ptr_equal(strstr(seen, cases[i].seen), seen);
        assert_true(str_has_suffix(seen, "b0dy") == (cases[i].seen[0] == 'P'));
        http_response_dispose(&out);
    }
    fake_http_stop(f);
    str_dispose(&x.last);
}

/* ---- proxies ---- */

static bool proxy(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    AUTO(free_p) char *auth = fake_header(r, "Proxy-Authorization");
    AUTO(free_p) char *origin_auth = fake_header(r, "Authorization");
    if (!str_eq(auth, "Basic dTpw")) {
        fake_reply(c, "407 Proxy Authentication Required", NULL, "who?");
        return true;
    }
    if (strcmp(r->method, "CONNECT") != 0) {
        AUTO_STR s = STR_INIT;
        str_printf(&s, "proxied %s auth %s", r->target, origin_auth ? "sent" : "none");
        fake_reply(c, "200 OK", NULL, str_text(&s));
        return true;
    }
    if (origin_auth) {
        fake_reply(c, "500 Leak", NULL, "the credential for the server reached the proxy");
        return false;
    }
    fake_puts(c, "HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n");
    fake_tunnel(c, atoi(strrchr(r->target, ':') + 1));
    return false;
}

static void requests_go_through_a_proxy(void **state)
{
    fake_http_t *p = fake_http_start(false, proxy, NULL);
    fake_http_t *f = fake_http_start(true, introduce, NULL);
    AUTO(free_p) char *with = xasprintf("http://u:p@127.0.0.1:%d", fake_http_port(p));
    AUTO(free_p) char *without = xasprintf("http://127.0.0.1:%d", fake_http_port(p));
    AUTO(free_p) char *tls_url = fake_http_url(f, "/");
    AUTO(free_p) char *dead = xasprintf("http://u:s3cret@127.0.0.1:%d", 1);
    const struct {
        const char *proxy, *no_proxy, *url, *server_name;
        int result;
        const char *said;
    } cases[] = {
        {with, NULL, tls_url, NULL, 200, "peer tester"},
        {with, NULL, tls_url, "kube.example", 200, "peer tester host 127.0.0.1"},
        {without, NULL, tls_url, NULL, -ERR_UNAVAILABLE, "407"},
        {with, NULL, "http://far.example/x", NULL, 200, "proxied http://far.example/x auth sent"},
        {with, "far.example", "http://far.example.invalid/x", NULL, 200, "proxied"},
        {with, "127.0.0.0/8", tls_url, NULL, 200, "peer tester"},
        {dead, NULL, tls_url, NULL, -ERR_UNAVAILABLE, "refused"},
        {"gopher://x", NULL, tls_url, NULL, -ERR_INVALID_ARGUMENT, "unknown kind of proxy"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR said = STR_INIT;
        struct http_endpoint_config config = {.ca_pem = certs_get()->ca,
                                              .proxy = cases[i].proxy,
                                              .no_proxy = cases[i].no_proxy,
                                              .bearer_token = "t0k",
                                              .client_cert_pem = certs_get()->client_cert,
                                              .client_key_pem = certs_get()->client_key,
                                              .server_name = cases[i].server_name};
        int r = get_as(&config, cases[i].url, 0, NULL, &said);
        if (r != cases[i].result || !strstr(str_text(&said), cases[i].said) ||
            strstr(str_text(&said), "s3cret"))
            fail_msg("case %zu: %d %s", i, r, str_text(&said));
    }
    fake_http_stop(f);
    fake_http_stop(p);
}

#define H(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
TESTS(H(servers_are_verified), H(tls_to_a_plain_port_fails_well), H(credentials_stay_with_their_host),
      H(redirects_are_bounded), H(redirects_keep_or_change_the_method), H(requests_go_through_a_proxy))
