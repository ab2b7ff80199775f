/* What a path means, in Argo CD's order: log out, gRPC by its content type, then the longest prefix. */
#include "api-server/auth/cookie.h"
#include "api-server/http/assets.h"
#include "api-server/services/server.h"
#include "common/base/log.h"

#include <strings.h>

#define WS_PATH "/api/v1/stream/ws"

/* The path below the root path; NULL when it is not below it. */
static const char *below_root(const server_t *s, const char *path)
{
    const char *root = str_or_empty(s->flags->root_path);
    while (*root == '/')
        root++;
    size_t n = strlen(root);
    while (n && root[n - 1] == '/')
        n--;
    if (!n)
        return path;
    if (strncmp(path + 1, root, n) != 0 || (path[n + 1] != '/' && path[n + 1]))
        return NULL;
    return path[n + 1] ? path + n + 1 : "/";
}

/* ---- gRPC: the seam ---- */

/* Trailers-only answers: the status is among the headers, the body empty. */
static void grpc_unimplemented(exchange_t *ex, const char *content_type)
{
    exchange_headerf(ex, "Grpc-Status", "%d", ERR_UNIMPLEMENTED);
    exchange_header(ex, "Grpc-Message", "gRPC is not served; use REST");
    AUTO_STR none = STR_INIT;
    exchange_reply(ex, 200, content_type, &none);
}

static bool is_grpc(exchange_t *ex)
{
    const struct web_request *r = exchange_request(ex);
    const char *type = str_or_empty(headers_get(&r->headers, "content-type"));
    if (!strcmp(type, "application/grpc-web+proto"))
        grpc_unimplemented(ex, type);
    else if (r->http2 && str_has_prefix(type, "application/grpc"))
        grpc_unimplemented(ex, "application/grpc");
    else
        return false;
    return true;
}

/* ---- log out ---- */

static bool same_origin(const char *url, const char *scheme, const char *host)
{
    AUTO(free_p) char *origin = xasprintf("%s://%s", scheme, host);
    size_t n = strlen(origin);
    return !strncasecmp(url, origin, n) && (!url[n] || url[n] == '/');
}

/* Where the browser goes afterwards: the additional URL of this host, else the URL. */
static char *home_url(const config_t *config, const struct web_request *r)
{
    AUTO(strv_free_p) char **more = config_list(config, "additionalUrls");
    for (char **u = more; *u; u++)
        if (same_origin(*u, "https", r->host) || same_origin(*u, "http", r->host))
            return xstrdup(*u);
    const char *url = config_get(config, "url");
    return xstrdup(str_empty(url) ? "/" : url);
}

static void log_out(server_t *s, exchange_t *ex)
{
    const struct web_request *r = exchange_request(ex);
    const char *cookies = headers_get(&r->headers, "cookie");
    AUTO(free_p) char *token = cookie_join(cookies, SESSION_COOKIE);
    AUTO(config_unref_p) config_t *config = config_box_get(s->config);
    AUTO(identity_unref_p) identity_t *id = NULL;
    if (!token) {
        exchange_reply_text(ex, 400, "text/plain; charset=utf-8", "Failed to retrieve Argo CD auth token\n");
        return;
    }
    AUTO(free_p) char *attributes = cookie_attributes(s->flags->base_href, !s->flags->insecure);
    AUTO(strv_free_p) char **clear = cookie_clear(cookies, attributes);
    for (char **k = clear; *k; k++)
        exchange_header(ex, "Set-Cookie", *k);
    if (auth_verify(s->auth, token, &id, NULL, NULL) == 0)
        auth_revoke(s->auth, id->jti, id->exp);
    AUTO(free_p) char *home = home_url(config, r);
    exchange_header(ex, "Location", home);
    exchange_reply_text(ex, 303, NULL, "");
}

/* ---- WebSocket ---- */

/* A page of another origin must not ride on the cookie. Clients that are no browsers send no Origin. */
static bool origin_ok(const config_t *config, const struct web_request *r)
{
    const char *origin = headers_get(&r->headers, "origin");
    if (!origin || same_origin(origin, "https", r->host) || same_origin(origin, "http", r->host))
        return true;
    size_t n = strlen(origin);
    const char *url = str_or_empty(config_get(config, "url"));
    if (!strncasecmp(url, origin, n) && (!url[n] || url[n] == '/'))
        return n > 0;
    AUTO(strv_free_p) char **more = config_list(config, "additionalUrls");
    for (char **u = more; *u; u++)
        if (!strncasecmp(*u, origin, n) && (!(*u)[n] || (*u)[n] == '/'))
            return n > 0;
    return false;
}

struct job {
    server_t *s;
    exchange_t *ex;
};

static void refuse(exchange_t *ex, err_t *err)
{
    AUTO_STR body = STR_INIT;
    gateway_error_body(err, &body);
    exchange_reply(ex, err_code_to_http(err_code(err)), "application/json", &body);
}

static void open_websocket(void *arg)
{
    struct job *j = arg;
    server_t *s = j->s;
    exchange_t *ex = j->ex;
    free(j);
    AUTO_ERR err = NULL;
    AUTO(identity_unref_p) identity_t *id = NULL;
    AUTO(config_unref_p) config_t *config = config_box_get(s->config);
    const struct web_request *r = exchange_request(ex);
    if (!origin_ok(config, r)) {
        err_set(&err, ERR_PERMISSION_DENIED, "origin is not allowed");
        refuse(ex, err);
    } else if (auth_request(s->auth, r, &id, NULL, &err) < 0)
        refuse(ex, err);
    else
        ws_accept(s->ws, ex, id);
}

static void websocket(server_t *s, exchange_t *ex)
{
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){s, ex};
    if (pool_submit(s->handlers, open_websocket, j, NULL) == 0)
        return;
    free(j);
    exchange_header(ex, "Retry-After", "1");
    exchange_reply_text(ex, 503, "text/plain; charset=utf-8", "busy\n");
}

/* ---- the rest ---- */

static void health(server_t *s, exchange_t *ex)
{
    bool ok = state_ready(s->state) && live_apps_ready(s->live);
    exchange_reply_text(ex, ok ? 200 : 503, "text/plain; charset=utf-8", ok ? "ok\n" : "");
}

static void assets(server_t *s, exchange_t *ex, const char *path)
{
    AUTO(config_unref_p) config_t *config = config_box_get(s->config);
    const struct assets_options o = {
        .directory = s->flags->static_assets,
        .base_href = str_empty(s->flags->base_href) || str_eq(s->flags->base_href, "/") ? s->flags->root_path
                                                                                        : s->flags->base_href,
        .x_frame_options = s->flags->x_frame_options,
        .csp = s->flags->csp,
        .css_url = config_get(config, "ui.cssurl")};
    assets_serve(ex, path, &o);
}

static void on_request(void *ctx, exchange_t *ex)
{
    server_t *s = ctx;
    const struct web_request *r = exchange_request(ex);
    const char *path = below_root(s, r->path);
    if (!strcmp(r->path, "/healthz") || (path && !strcmp(path, "/healthz")))
        health(s, ex);
    else if (!path)
        exchange_reply_text(ex, 404, "text/plain; charset=utf-8", "404 page not found\n");
    else if (!strcmp(path, "/auth/logout"))
        log_out(s, ex);
    else if (is_grpc(ex))
        return;
    else if (!strcmp(path, WS_PATH))
        websocket(s, ex);
    else if (str_has_prefix(path, "/api/"))
        gateway_handle(s, ex, path);
    else
        assets(s, ex, path);
}

static size_t body_limit(void *ctx, const struct web_request *r)
{
    server_t *s = ctx;
    const char *path = below_root(s, r->path);
    return path && str_has_prefix(path, "/api/") ? gateway_body_limit(s, r, path) : 64 << 10;
}

const struct front_ops server_front_ops = {body_limit, on_request};
