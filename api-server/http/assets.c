/* Embedded files are compressed already: a client that takes gzip gets the very bytes of the binary.
 * index.html is changed on the way (its base), and stands for every page of the dashboard. */
#include "api-server/http/assets.h"

#include "api-server/http/web_assets.h"
#include "common/base/enc.h"
#include "common/base/file.h"
#include "common/base/hash.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

enum { MAX_ASSET = 32 << 20 };

/* ---- headers ---- */

static bool host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(".-:[]", c);
}

/* "https://host" of an absolute URL; false for a relative one or anything that could be more than a source.
 */
static bool origin_of(const char *url, str_t *out)
{
    const char *rest = str_after(str_or_empty(url), "https://");
    if (!rest)
        return false;
    size_t n = 0;
    while (rest[n] && host_char(rest[n]))
        n++;
    if (!n || (rest[n] && rest[n] != '/'))
        return false;
    str_printf(out, "https://%.*s", (int)n, rest);
    return true;
}

char *assets_default_csp(const char *css_url)
{
    AUTO_STR css = STR_INIT;
    AUTO_STR origin = STR_INIT;
    if (origin_of(css_url, &origin))
        str_printf(&css, " %s", str_text(&origin));
    return xasprintf(
        "default-src 'self'; img-src 'self' data: https:; style-src 'self' 'unsafe-inline'%s; object-src "
        "'none'; base-uri 'self'; frame-ancestors 'self'",
        str_text(&css));
}

static void common_headers(exchange_t *ex, const struct assets_options *o)
{
    AUTO(free_p) char *csp = o->csp ? xstrdup(o->csp) : assets_default_csp(o->css_url);
    if (!str_empty(o->x_frame_options))
        exchange_header(ex, "X-Frame-Options", o->x_frame_options);
    if (*csp)
        exchange_header(ex, "Content-Security-Policy", csp);
    exchange_header(ex, "X-Content-Type-Options", "nosniff");
    exchange_header(ex, "X-XSS-Protection", "1");
    exchange_header(ex, "X-Robots-Tag", "noindex, nofollow");
}

static bool takes_gzip(const struct web_request *r)
{
    const char *v = headers_get(&r->headers, "accept-encoding");
    return v && strcasestr(v, "gzip");
}

static bool etag_matches(const struct web_request *r, const char *etag)
{
    const char *v = headers_get(&r->headers, "if-none-match");
    return v && strstr(v, etag);
}

/* ---- content ---- */

static bool inflate_asset(const struct web_asset *a, str_t *out)
{
    z_stream z = {.next_in = (Bytef *)a->gz, .avail_in = (uInt)a->gz_size};
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return false;
    int rc = Z_OK;
    while (rc == Z_OK && out->len < MAX_ASSET) {
        char *to = str_reserve(out, 64 << 10);
        if (!to)
            break;
        z.next_out = (Bytef *)to;
        z.avail_out = 64 << 10;
        rc = inflate(&z, Z_NO_FLUSH);
        out->len += (64 << 10) - z.avail_out;
    }
    inflateEnd(&z);
    str_putc(out, 0); /* what str_reserve gave is not terminated */
    str_truncate(out, out->len - 1);
    return rc == Z_STREAM_END;
}

static const struct web_asset *find(const char *name)
{
    for (size_t i = 0; i < web_assets_n; i++)
        if (!strcmp(web_assets[i].path, name))
            return &web_assets[i];
    return NULL;
}

/* A regular file below the directory, wherever links in it point. */
static bool read_override(const char *directory, const char *name, str_t *out)
{
    struct stat st;
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    if (str_empty(directory) || !*name)
        return false;
    AUTO(close_p) int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO(close_p) int fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
    out->max = MAX_ASSET;
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fd_read_all(fd, name, out, NULL) == 0;
}

static const char *mime_of(const char *name)
{
    static const struct {
        const char *suffix, *mime;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".svg", "image/svg+xml"},
                 {".png", "image/png"},
                 {".ico", "image/x-icon"},
                 {".json", "application/json"},
                 {".woff2", "font/woff2"},
                 {".txt", "text/plain; charset=utf-8"},
                 {".map", "application/json"}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_has_suffix(name, types[i].suffix))
            return types[i].mime;
    return "application/octet-stream";
}

/* ---- index.html ---- */

static void html_escape(const char *s, str_t *out)
{
    for (; *s; s++)
        switch (*s) {
        case '"':
            str_puts(out, "&#34;");
            break;
        case '<':
            str_puts(out, "&lt;");
            break;
        case '&':
            str_puts(out, "&amp;");
            break;
        default:
            str_putc(out, *s);
        }
}

static void write_base(const char *href, str_t *out)
{
    AUTO_STR path = STR_INIT;
    for (const char *p = str_or_empty(href); *p; p++)
        if (*p != '/' || (path.len && path.p[path.len - 1] != '/'))
            str_putc(&path, *p);
    while (path.len && path.p[path.len - 1] == '/')
        str_truncate(&path, path.len - 1);
    str_puts(out, "<base href=\"/");
    html_escape(str_text(&path), out);
    str_puts(out, path.len ? "/\">" : "\">");
}

/* The page with its base set; the first <base …> is replaced. */
static void rebase(const str_t *page, const char *href, str_t *out)
{
    const char *p = str_text(page), *base = strcasestr(p, "<base href="),
               *end = base ? strchr(base, '>') : NULL;
    if (!end) {
        str_add(out, page->p, page->len);
        return;
    }
    str_add(out, p, (size_t)(base - p));
    write_base(href, out);
    str_puts(out, end + 1);
}

static void serve_index(exchange_t *ex, const struct assets_options *o)
{
    AUTO_STR page = STR_INIT;
    AUTO_STR out = STR_INIT;
    char etag[SHA256_HEX];
    const struct web_asset *a = find("index.html");
    if (!read_override(o->directory, "index.html", &page) && !(a && inflate_asset(a, &page))) {
        exchange_reply_text(ex, 404, "text/plain; charset=utf-8", "404 page not found\n");
        return;
    }
    rebase(&page, o->base_href, &out);
    sha256_hex(out.p, out.len, etag);
    common_headers(ex, o);
    exchange_headerf(ex, "ETag", "\"%s\"", etag);
    exchange_header(ex, "Expires", "Thu, 01 Jan 1970 00:00:00 UTC");
    exchange_header(ex, "Cache-Control", "no-cache, private, max-age=0");
    exchange_header(ex, "Pragma", "no-cache");
    exchange_header(ex, "X-Accel-Expires", "0");
    if (etag_matches(exchange_request(ex), etag))
        exchange_reply_text(ex, 304, NULL, "");
    else
        exchange_reply(ex, 200, "text/html; charset=utf-8", &out);
}

/* ---- files ---- */

static void serve_override(exchange_t *ex, const char *name, str_t *body, const struct assets_options *o)
{
    char etag[SHA256_HEX];
    sha256_hex(body->p, body->len, etag);
    common_headers(ex, o);
    exchange_headerf(ex, "ETag", "\"%s\"", etag);
    exchange_header(ex, "Cache-Control", "no-cache");
    if (etag_matches(exchange_request(ex), etag))
        exchange_reply_text(ex, 304, NULL, "");
    else
        exchange_reply(ex, 200, mime_of(name), body);
}

static void serve_embedded(exchange_t *ex, const struct web_asset *a, const struct assets_options *o)
{
    const struct web_request *r = exchange_request(ex);
    common_headers(ex, o);
    exchange_headerf(ex, "ETag", "\"%s\"", a->etag);
    exchange_header(ex, "Cache-Control", a->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    exchange_header(ex, "Vary", "Accept-Encoding");
    if (etag_matches(r, a->etag)) {
        exchange_reply_text(ex, 304, NULL, "");
        return;
    }
    if (takes_gzip(r)) {
        exchange_header(ex, "Content-Encoding", "gzip");
        exchange_reply_static(ex, 200, a->mime, a->gz, a->gz_size);
        return;
    }
    AUTO_STR plain = STR_INIT;
    if (inflate_asset(a, &plain))
        exchange_reply(ex, 200, a->mime, &plain);
    else
        exchange_reply_text(ex, 500, NULL, "");
}

static bool wants_html(const struct web_request *r)
{
    const char *accept = headers_get(&r->headers, "accept");
    AUTO(strv_free_p) char **types = strv_split(str_or_empty(accept), ",", true);
    for (char **t = types; *t; t++)
        if (str_has_prefix(*t, "text/html") || !strcmp(*t, "html"))
            return true;
    return false;
}

void assets_serve(exchange_t *ex, const char *path, const struct assets_options *o)
{
    const struct web_request *r = exchange_request(ex);
    AUTO_STR name = STR_INIT;
    AUTO_STR body = STR_INIT;
    if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0) {
        exchange_reply_text(ex, 405, "text/plain; charset=utf-8", "Method Not Allowed\n");
        return;
    }
    while (*path == '/')
        path++;
    bool named = url_unescape(view_of(path), false, &name) && strlen(str_text(&name)) == name.len;
    const struct web_asset *a = named ? find(str_text(&name)) : NULL;
    bool index = !name.len || !strcmp(str_text(&name), "index.html");
    if (named && !index && read_override(o->directory, str_text(&name), &body))
        serve_override(ex, str_text(&name), &body, o);
    else if (named && !index && a)
        serve_embedded(ex, a, o);
    else if (named && (index || wants_html(r)))
        serve_index(ex, o);
    else {
        common_headers(ex, o);
        exchange_reply_text(ex, 404, "text/plain; charset=utf-8", "404 page not found\n");
    }
}
