#include "cli/remote/client.h"

#include "cli/print.h"
#include "common/base/enc.h"
#include "common/base/file.h"
#include "common/base/log.h"

enum { PEM_MAX = 1 << 20, ANSWER_MAX = 512 << 20, TRIES = 3 };

struct client {
    http_t *http;
    http_endpoint_t *endpoint;
    char *server, *base; /* "https://host:port/root" */
    char **headers;      /* lines; NULL-terminated */
    bool plaintext;
    int64_t retries, timeout_ns;
    int *error_status; /* of the run; NULL: of nobody */
};

/* ---- making one ---- */

/* "name:value" as a line; the caller's headers and the one of what we send. */
static int header_lines(char *const *headers, char ***out, err_t **err)
{
    size_t n = strv_len(headers);
    AUTO(strv_free_p) char **lines = xcalloc(n + 2, sizeof(*lines));
    for (size_t i = 0; i < n; i++) {
        const char *colon = strchr(headers[i], ':');
        if (!colon || colon == headers[i])
            return err_set(err, ERR_INVALID_ARGUMENT, "additional headers must be colon(:)-separated: %s",
                           headers[i]);
        view_t value = view_trim(view_of(colon + 1));
        lines[i] = xasprintf("%.*s: %.*s", (int)(colon - headers[i]), headers[i], (int)value.n, value.p);
    }
    lines[n] = xstrdup("Content-Type: application/json");
    *out = TAKE(lines);
    return 0;
}

/* Whether an address has a port: "host:80", "[::1]:80"; not "host", "[::1]". */
static bool has_port(const char *server)
{
    const char *colon = strrchr(server, ':');
    return colon && !strchr(colon, ']');
}

static char *base_url(const struct client_options *o, const char *server)
{
    const char *root = str_or_empty(o->root_path);
    while (*root == '/')
        root++;
    size_t n = strlen(root);
    while (n && root[n - 1] == '/')
        n--;
    return xasprintf("%s://%s%s%.*s", o->plaintext ? "http" : "https", server, n ? "/" : "", (int)n, root);
}

int client_new(const struct client_options *o, client_t **out, err_t **err)
{
    AUTO(strv_free_p) char **lines = NULL;
    *out = NULL;
    if (str_empty(o->server))
        return err_set(err, ERR_FAILED_PRECONDITION, "Argo CD server address unspecified");
    int rc = header_lines(o->headers, &lines, err);
    if (rc < 0)
        return rc;
    const struct http_endpoint_config config = {.ca_pem = o->ca_pem,
                                                .client_cert_pem = o->cert_pem,
                                                .client_key_pem = o->key_pem,
                                                .insecure = o->insecure,
                                                .bearer_token = str_empty(o->token) ? NULL : o->token,
                                                .compression = true};
    client_t *c = *out = xcalloc(1, sizeof(*c));
    c->server = has_port(o->server) ? xstrdup(o->server) : xasprintf("%s:443", o->server);
    c->base = base_url(o, c->server);
    c->headers = TAKE(lines);
    c->plaintext = o->plaintext;
    c->retries = o->retries;
    c->endpoint = http_endpoint_new(&config);
    c->http = http_new("http");
    return 0;
}

void client_free(client_t *c)
{
    if (!c)
        return;
    http_free(c->http);
    http_endpoint_unref(c->endpoint);
    strv_free(c->headers);
    free(c->server);
    free(c->base);
    free(c);
}

const char *client_server(const client_t *c)
{
    return c->server;
}

bool client_plaintext(const client_t *c)
{
    return c->plaintext;
}

void client_set_timeout(client_t *c, int64_t ns)
{
    c->timeout_ns = ns;
}

http_t *client_http(client_t *c)
{
    return c->http;
}

/* ---- from the command line ---- */

/* A member of the context in base64, or the file that an option names. */
static int read_pem(const struct run *r, const char *option, const json_t *server, const char *key,
                    char **out, err_t **err)
{
    AUTO_STR text = STR_MAX(PEM_MAX);
    const char *path = args_text(r->args, option), *data = key ? json_str_at(server, key) : NULL;
    if (*path) {
        int rc = file_read(path, &text, err);
        if (rc < 0)
            return rc;
    } else if (str_empty(data)) {
        return 0;
    } else if (!base64_decode(data, strlen(data), &text)) {
        return err_set(err, ERR_INVALID_ARGUMENT, "%s is no base64", key);
    }
    *out = str_take(&text);
    return 0;
}

int client_certificates(const struct run *r, const json_t *server, char *pem[3], err_t **err)
{
    if (!*args_text(r->args, "client-crt") != !*args_text(r->args, "client-crt-key"))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "--client-crt and --client-crt-key must always be specified together");
    if (str_empty(json_str_at(server, "client-certificate-data")) !=
        str_empty(json_str_at(server, "client-certificate-key-data")))
        return err_set(
            err, ERR_INVALID_ARGUMENT,
            "client-certificate-data and client-certificate-key-data must always be specified together");
    int rc = read_pem(r, "server-crt", server, "certificate-authority-data", &pem[0], err);
    if (rc == 0)
        rc = read_pem(r, "client-crt", server, "client-certificate-data", &pem[1], err);
    return rc == 0 ? read_pem(r, "client-crt-key", server, "client-certificate-key-data", &pem[2], err) : rc;
}

int client_flags_check(const struct run *r, err_t **err)
{
    static const char *const flags[] = {"core", "port-forward"};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (args_bool(r->args, flags[i]))
            return err_set(err, ERR_UNIMPLEMENTED,
                           "--%s is not available; forward a port with kubectl and give --server", flags[i]);
    if (*args_text(r->args, "port-forward-namespace"))
        return err_set(
            err, ERR_UNIMPLEMENTED,
            "--port-forward-namespace is not available; forward a port with kubectl and give --server");
    return 0;
}

static const char *either(const char *first, const char *second)
{
    return str_empty(first) ? str_or_empty(second) : first;
}

static int open_client(const struct run *r, client_t **out, err_t **err)
{
    AUTO_JSON config = NULL;
    AUTO(free_p) char *ca = NULL, *cert = NULL, *key = NULL;
    struct config_context context = {};
    int rc = client_flags_check(r, err);
    if (rc == 0)
        rc = config_read(r->config_path, &config, err);
    if (rc == 0 && config)
        rc = config_context(config, args_text(r->args, "argocd-context"), &context, err);
    char *pem[3] = {};
    if (rc == 0)
        rc = client_certificates(r, context.server, pem, err);
    ca = pem[0];
    cert = pem[1];
    key = pem[2];
    if (rc < 0)
        return rc;
    AUTO(free_p)
    char *token = xstrdup(either(args_text(r->args, "auth-token"), json_str_at(context.user, "auth-token")));
    view_t trimmed = view_trim(view_of(token));
    AUTO(free_p) char *clean = xstrndup(trimmed.p, trimmed.n);
    const struct client_options o = {
        .server = either(args_text(r->args, "server"), json_str_at(context.server, "server")),
        .plaintext = args_bool(r->args, "plaintext") || json_bool_at(context.server, "plain-text"),
        .insecure = args_bool(r->args, "insecure") || json_bool_at(context.server, "insecure"),
        .root_path = either(args_text(r->args, "grpc-web-root-path"),
                            json_str_at(context.server, "grpc-web-root-path")),
        .token = clean,
        .ca_pem = ca,
        .cert_pem = cert,
        .key_pem = key,
        .headers = args_list(r->args, "header"),
        .retries = args_int(r->args, "http-retry-max")};
    return client_new(&o, out, err);
}

int client_of_run(const struct run *r, client_t **out, err_t **err)
{
    *r->error_status = 1;
    int rc = open_client(r, out, err);
    if (rc == 0) {
        *r->error_status = EXIT_GENERIC;
        (*out)->error_status = r->error_status;
    }
    return rc;
}

/* ---- paths ---- */

void path_add(str_t *path, const char *segment)
{
    str_putc(path, '/');
    url_escape(segment, false, path);
}

void query_add(str_t *path, const char *name, const char *value)
{
    if (str_empty(value))
        return;
    str_printf(path, "%c%s=", strchr(str_text(path), '?') ? '&' : '?', name);
    url_escape(value, false, path);
}

void query_add_bool(str_t *path, const char *name, bool value)
{
    query_add(path, name, value ? "true" : "false");
}

/* ---- calls ---- */

void client_request(const client_t *c, const char *path, struct http_request *out, char **url)
{
    *url = xasprintf("%s%s", c->base, path);
    *out = (struct http_request){.url = *url,
                                 .endpoint = c->endpoint,
                                 .headers = (const char *const *)c->headers,
                                 .max_body = ANSWER_MAX};
}

int client_rpc_error(const json_t *error, err_t **err)
{
    int64_t code = json_int_at(error, "code");
    const char *message = json_str_at(error, "message"), *other = json_str_at(error, "error");
    if (code <= 0 || code >= ERR_CODE_MAX)
        code = ERR_UNKNOWN;
    return err_set(err, (enum err_code)code, "rpc error: code = %s desc = %s",
                   err_code_name((enum err_code)code), str_empty(message) ? str_or_empty(other) : message);
}

/* Something else than the API answered: a proxy, a page, another program. */
static int strange_answer(const char *url, int status, const char *body, size_t n, err_t **err)
{
    AUTO(free_p) char *where = http_url_for_message(url);
    view_t text = view_trim((view_t){body, min_size(n, 200)});
    enum err_code code = status == 404 ? ERR_UNIMPLEMENTED : err_code_from_http(status);
    if (code == ERR_OK)
        code = ERR_UNKNOWN;
    return err_set(err, code, "rpc error: code = %s desc = unexpected answer with status %d from %s: %.*s",
                   err_code_name(code), status, where, (int)text.n, text.p);
}

int client_refused(const char *url, int status, const char *body, size_t n, err_t **err)
{
    AUTO_JSON error = NULL;
    if (json_read(body, n, &error, NULL) == 0 && json_is_map(error) && json_object_get(error, "code"))
        return client_rpc_error(error, err);
    return strange_answer(url, status, body, n, err);
}

static int read_answer(const char *url, const struct http_response *response, json_t **out, err_t **err)
{
    const char *body = str_text(&response->body);
    size_t n = response->body.len;
    AUTO_JSON v = NULL;
    if (response->status / 100 != 2)
        return client_refused(url, response->status, body, n, err);
    if (!n)
        v = json_object();
    else if (json_read(body, n, &v, NULL) < 0)
        return strange_answer(url, response->status, body, n, err);
    if (out)
        *out = TAKE(v);
    return 0;
}

/* Whether it is worth trying again: the server was not reached, or is too busy. */
static bool try_again(const client_t *c, int rc, int status, int64_t attempt)
{
    if (rc == -ERR_UNAVAILABLE)
        return attempt < c->retries;
    return rc == 0 && (status == 503 || status == 429) && attempt + 1 < TRIES;
}

static int not_reached(const client_t *c, err_t *why_take, err_t **err)
{
    enum err_code code = err_code(why_take);
    int rc = err_move(err, why_take);
    if (code != ERR_UNAVAILABLE || !c->error_status)
        return rc;
    *c->error_status = 1;
    return err_wrap(err, "Failed to establish connection to %s", c->server);
}

int client_call(client_t *c, const char *method, const char *path, const json_t *body, json_t **out,
                err_t **err)
{
    AUTO(free_p) char *url = NULL, *text = body ? json_text(body, JSON_KEEP_ORDER) : NULL;
    struct http_request request;
    client_request(c, path, &request, &url);
    request.method = method;
    request.timeout_ns = c->timeout_ns;
    request.body = text;
    request.body_size = text ? strlen(text) : 0;
    for (int64_t attempt = 0;; attempt++) {
        struct http_response response = {};
        AUTO_ERR why = NULL;
        int rc = http_do(c->http, &request, &response, &why);
        if (try_again(c, rc, response.status, attempt)) {
            http_response_dispose(&response);
            log_debug(NULL, "%s %s: trying again", method, url);
            sleep_ns(SECONDS(1));
            continue;
        }
        rc = rc < 0 ? not_reached(c, TAKE(why), err) : read_answer(url, &response, out, err);
        http_response_dispose(&response);
        return rc;
    }
}

int client_get(client_t *c, const char *path, json_t **out, err_t **err)
{
    return client_call(c, "GET", path, NULL, out, err);
}

int client_log_out(const struct client_options *options, const char *token, int *status, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *url = NULL, *cookie = xasprintf("Cookie: argocd.token=%s", token);
    struct http_request request;
    struct http_response response = {};
    int rc = client_new(options, &c, err);
    if (rc < 0)
        return rc;
    client_request(c, "/auth/logout", &request, &url);
    const char *headers[] = {cookie, NULL};
    request.headers = headers;
    request.method = "POST";
    request.timeout_ns = SECONDS(30);
    rc = http_do(c->http, &request, &response, err);
    *status = response.status;
    http_response_dispose(&response);
    return rc;
}
