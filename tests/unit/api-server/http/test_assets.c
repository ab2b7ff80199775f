#include "tests/unit/test.h"

#include "api-server/http/assets.h"
#include "api-server/http/exchange_impl.h"
#include "api-server/http/web_assets.h"
#include "common/base/file.h"
#include "common/base/thread.h"

#include <sys/stat.h>
#include <unistd.h>

/* gzip -9 of a page with a base, and of twenty lines "console.log(1);" */
static const unsigned char page_gz[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xb3, 0x51, 0x4c, 0xc9, 0x4f,
    0x2e, 0xa9, 0x2c, 0x48, 0x55, 0xc8, 0x28, 0xc9, 0xcd, 0xb1, 0xb3, 0x81, 0x92, 0xa9, 0x89,
    0x29, 0x76, 0x36, 0x49, 0x89, 0xc5, 0x40, 0xe1, 0xa2, 0xd4, 0x34, 0x5b, 0x25, 0x7d, 0x25,
    0x3b, 0x9b, 0x92, 0xcc, 0x92, 0x9c, 0x54, 0xbb, 0x12, 0x1b, 0x7d, 0x08, 0xc3, 0x46, 0x1f,
    0xa2, 0x4a, 0x1f, 0xac, 0x05, 0x00, 0xd6, 0xfc, 0x7d, 0xee, 0x48, 0x00, 0x00, 0x00};
static const unsigned char js_gz[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b,
                                      0xce, 0xcf, 0x2b, 0xce, 0xcf, 0x49, 0xd5, 0xcb, 0xc9, 0x4f, 0xd7,
                                      0x30, 0xd4, 0xb4, 0xe6, 0x4a, 0x1e, 0xe5, 0x93, 0xc4, 0x07, 0x00,
                                      0xb3, 0x53, 0x0f, 0x6d, 0x40, 0x01, 0x00, 0x00};
const struct web_asset web_assets[] = {
    {"index.html", "text/html; charset=utf-8", "e1", false, page_gz, sizeof page_gz},
    {"app-1A2B3C4D.js", "text/javascript; charset=utf-8", "e2", true, js_gz, sizeof js_gz},
};
const size_t web_assets_n = 2;

/* The answer is looked at where the loop would take it. */
static exchange_t *answered;
void front_post(front_t *f, exchange_t *ex)
{
    answered = exchange_ref(ex);
}
void front_budget_return(front_t *f, size_t n) {}

static exchange_t *ask(const char *path, const char *accept, const char *more, const char *value,
                       const struct assets_options *o)
{
    exchange_t *ex = exchange_new(NULL);
    ex->request.method = xstrdup("GET");
    ex->request.path = xstrdup(path);
    if (accept)
        headers_add(&ex->request.headers, "accept", 6, accept, strlen(accept));
    if (more)
        headers_add(&ex->request.headers, more, strlen(more), value, strlen(value));
    assets_serve(ex, path, o);
    return answered;
}

static const char *header(const exchange_t *ex, const char *name)
{
    return str_or_empty(headers_get(&ex->headers, name));
}

static const char *body(const exchange_t *ex)
{
    return str_text(&ex->body);
}

static void pages_and_files(void **state)
{
    static const struct {
        const char *path, *accept;
        int status;
        const char *part, *cache;
    } cases[] = {
        {"/", NULL, 200, "<title>t", "no-cache, private, max-age=0"},
        {"/index.html", NULL, 200, "<title>t", "no-cache, private, max-age=0"},
        {"/applications/a/b", "text/html,*/*", 200, "<title>t", "no-cache, private, max-age=0"},
        {"/applications/a/b", "html", 200, "<title>t", "no-cache, private, max-age=0"},
        {"/app-1A2B3C4D.js", "*/*", 200, "console.log", "public, max-age=31536000, immutable"},
        {"/app%2D1A2B3C4D.js", "*/*", 200, "console.log", "public, max-age=31536000, immutable"},
        {"/gone-1A2B3C4D.js", "*/*", 404, "404", ""},
        {"/..%2fx", "*/*", 404, "404", ""},
        {"/a%00b", "text/html", 404, "404", ""},
        {"/a%zz", "text/html", 404, "404", ""},
    };
    struct assets_options o = {.x_frame_options = "sameorigin"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        exchange_t *ex = ask(cases[i].path, cases[i].accept, NULL, NULL, &o);
        if (ex->status != cases[i].status || !strstr(body(ex), cases[i].part))
            fail_msg("%s: %d %s", cases[i].path, ex->status, body(ex));
        assert_string_equal(header(ex, "Cache-Control"), cases[i].cache);
        assert_string_equal(header(ex, "X-Frame-Options"), "sameorigin");
        assert_string_equal(header(ex, "X-Content-Type-Options"), "nosniff");
        assert_non_null(strstr(header(ex, "Content-Security-Policy"), "default-src 'self'"));
        exchange_unref(ex);
    }
}

static void compression_and_etags(void **state)
{
    struct assets_options o = {};
    exchange_t *ex = ask("/app-1A2B3C4D.js", "*/*", "accept-encoding", "br, gzip", &o);
    assert_ptr_equal(ex->fixed, js_gz);
    assert_string_equal(header(ex, "Content-Encoding"), "gzip");
    assert_string_equal(header(ex, "ETag"), "\"e2\"");
    exchange_unref(ex);
    ex = ask("/app-1A2B3C4D.js", "*/*", "if-none-match", "\"e2\"", &o);
    assert_int_equal(ex->status, 304);
    exchange_unref(ex);
    ex = ask("/", NULL, NULL, NULL, &o);
    AUTO(free_p) char *etag = xstrdup(header(ex, "ETag"));
    exchange_unref(ex);
    ex = ask("/", NULL, "if-none-match", etag, &o);
    assert_int_equal(ex->status, 304);
    exchange_unref(ex);
}

static void bases(void **state)
{
    static const struct {
        const char *href, *expect;
    } cases[] = {{NULL, "<base href=\"/\">"},
                 {"/", "<base href=\"/\">"},
                 {"argo", "<base href=\"/argo/\">"},
                 {"//a//b/", "<base href=\"/a/b/\">"},
                 {"x\"><script>", "<base href=\"/x&#34;>&lt;script>/\">"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct assets_options o = {.base_href = cases[i].href};
        exchange_t *ex = ask("/", NULL, NULL, NULL, &o);
        if (!strstr(body(ex), cases[i].expect))
            fail_msg("%s: %s", cases[i].href, body(ex));
        exchange_unref(ex);
    }
}

static void policies(void **state)
{
    static const struct {
        const char *css, *part;
    } cases[] = {{NULL, "style-src 'self' 'unsafe-inline';"},
                 {"./custom.css", "style-src 'self' 'unsafe-inline';"},
                 {"https://cdn.example/x.css", "'unsafe-inline' https://cdn.example;"},
                 {"https://a;script-src *", "style-src 'self' 'unsafe-inline';"},
                 {"https://a b/x", "style-src 'self' 'unsafe-inline';"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *csp = assets_default_csp(cases[i].css);
        if (!strstr(csp, cases[i].part) || strstr(csp, "script"))
            fail_msg("%s: %s", cases[i].css, csp);
    }
    struct assets_options o = {.csp = "x", .x_frame_options = ""};
    exchange_t *ex = ask("/", NULL, NULL, NULL, &o);
    assert_string_equal(header(ex, "Content-Security-Policy"), "x");
    assert_string_equal(header(ex, "X-Frame-Options"), "");
    exchange_unref(ex);
}

/* A directory overrides file by file; what links in it point to stays inside it. */
static void a_directory_overrides(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *dir = NULL;
    ASSERT_OK(dir_make_temp(NULL, "assets-", &dir, &err));
    AUTO(free_p)
    char *js = xasprintf("%s/app-1A2B3C4D.js", dir), *out = xasprintf("%s/out", dir),
         *up = xasprintf("%s/up", dir), *index = xasprintf("%s/index.html", dir);
    ASSERT_OK(file_write(js, "mine", 4, 0644, &err));
    ASSERT_OK(file_write(index, "<base href='x'>own", 18, 0644, &err));
    assert_int_equal(symlink("/etc/passwd", out), 0);
    assert_int_equal(symlink("../../../../etc/passwd", up), 0);
    struct assets_options o = {.directory = dir};
    static const struct {
        const char *path;
        int status;
        const char *body;
    } cases[] = {{"/app-1A2B3C4D.js", 200, "mine"},
                 {"/", 200, "<base href=\"/\">own"},
                 {"/out", 404, "404"},
                 {"/up", 404, "404"},
                 {"/../../etc/passwd", 404, "404"},
                 {"/%2fetc%2fpasswd", 404, "404"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        exchange_t *ex = ask(cases[i].path, "*/*", NULL, NULL, &o);
        if (ex->status != cases[i].status || !str_has_prefix(body(ex), cases[i].body))
            fail_msg("%s: %d %s", cases[i].path, ex->status, body(ex));
        exchange_unref(ex);
    }
    dir_remove(dir, NULL);
}

TESTS(T(pages_and_files), T(compression_and_etags), T(bases), T(policies), T(a_directory_overrides))
