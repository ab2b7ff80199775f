/* From a request to an easy handle that curl can run. */
#include "common/net/http_internal.h"

#include <ctype.h>

enum { BUFFER_WATCH = 2 << 10, BUFFER_LIST = 64 << 10, BUFFER = 16 << 10 };

static bool is_token(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("!#$%&'*+-.^_`|~", s[i]))
            return false;
    return n > 0;
}

int http_request_check(const struct http_request *r, err_t **err)
{
    if (!r->url)
        return err_set(err, ERR_INVALID_ARGUMENT, "a request without a URL");
    if (r->method && !is_token(r->method, strlen(r->method)))
        return err_set(err, ERR_INVALID_ARGUMENT, "'%.40s' is no HTTP method", r->method);
    if (r->lane >= HTTP_LANE_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "lane %d does not exist", (int)r->lane);
    for (size_t i = 0; r->headers && r->headers[i]; i++) {
        const char *line = r->headers[i], *colon = strchr(line, ':');
        if (!colon || !is_token(line, (size_t)(colon - line)) || strpbrk(line, "\r\n"))
            return err_set(err, ERR_INVALID_ARGUMENT, "malformed header '%.*s'",
                           (int)min_size(strcspn(line, ":"), 40), line);
    }
    return 0;
}

static bool header_is(const char *line, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(line, name, n) == 0 && line[n] == ':';
}

static bool has_header(http_transfer_t *t, const char *name)
{
    for (size_t i = 0; t->headers[i]; i++)
        if (header_is(t->headers[i], name))
            return true;
    return false;
}

/* Of a request that was redirected to another origin only these go there: any other may be a credential. */
static bool fit_for_strangers(const char *line)
{
    static const char *const names[] = {
        "Accept",        "Accept-Encoding",   "Accept-Language", "Content-Type", "Git-Protocol",
        "If-None-Match", "If-Modified-Since", "Range",           "User-Agent"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (header_is(line, names[i]))
            return true;
    return false;
}

static void add_line(http_transfer_t *t, const char *line)
{
    struct curl_slist *l = curl_slist_append(t->lines, line);
    if (!l)
        oom();
    t->lines = l;
}

/* "X-Empty:" would remove the header in curl's notation; "X-Empty;" sends it empty. */
static void add_header(http_transfer_t *t, const char *line)
{
    const char *value = strchr(line, ':') + 1;
    if (value[strspn(value, " \t")]) {
        add_line(t, line);
        return;
    }
    AUTO(free_p) char *empty = xasprintf("%.*s;", (int)(value - 1 - line), line);
    add_line(t, empty);
}

static void set_headers(http_transfer_t *t, const char *host)
{
    for (size_t i = 0; t->headers[i]; i++)
        if (!t->stranger || fit_for_strangers(t->headers[i]))
            add_header(t, t->headers[i]);
    if (t->endpoint->authorization && !t->stranger && !has_header(t, "Authorization"))
        add_line(t, t->endpoint->authorization);
    if (host && !has_header(t, "Host")) {
        AUTO(free_p) char *line = xasprintf("Host: %s", host);
        add_line(t, line);
    }
    if (!has_header(t, "Content-Type"))
        add_line(t, "Content-Type:"); /* curl would call it a form */
    add_line(t, "Expect:");
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->lines);
    if (t->endpoint->c.compression && !has_header(t, "Accept-Encoding"))
        curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
}

static void set_method(http_transfer_t *t)
{
    bool wants_body = str_eq(t->method, "POST") || str_eq(t->method, "PUT") || str_eq(t->method, "PATCH");
    if (t->body || wants_body) {
        curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_size);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body ? t->body : "");
    }
    if (str_eq(t->method, "HEAD"))
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, t->method);
}

static char *bracketed(const char *host)
{
    return strchr(host, ':') ? xasprintf("[%s]", host) : xstrdup(host);
}

/* The URL and, where another name than its host is to be verified, the way round: curl is told that name as
 * the host, connects to the real one, and names the real one in the Host header. */
static void set_url(http_transfer_t *t, const struct http_url *url, char **host_header)
{
    const char *name = t->endpoint->c.server_name;
    if (str_empty(name) || t->stranger || strcmp(url->scheme, "https") != 0) {
        curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
        return;
    }
    AUTO(free_p) char *host = bracketed(url->host);
    AUTO(free_p) char *shown = bracketed(name);
    AUTO(free_p) char *text = xasprintf("https://%s:%u%s", shown, url->port, url->path_query);
    AUTO(free_p) char *to = xasprintf("::%s:%u", host, url->port);
    curl_easy_setopt(t->easy, CURLOPT_URL, text);
    if (!(t->connect_to = curl_slist_append(NULL, to)))
        oom();
    curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
    *host_header = url->port == 443 ? xstrdup(host) : xasprintf("%s:%u", host, url->port);
}

/* Called when the connection is ready, before each sending. curl sends again by itself when a kept connection
 * turns out to be dead, whatever the method: here that is refused to what must not be done twice. */
static int on_ready(void *transfer, char *ip, char *local_ip, int port, int local_port)
{
    http_transfer_t *t = transfer;
    long sent = 0;
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
    if (sent > 0 && !t->idempotent)
        return CURL_PREREQFUNC_ABORT;
    t->last_byte = mono_now();
    http_group_ready(t);
    http_transfer_watch_time(t);
    return CURL_PREREQFUNC_OK;
}

static long at_least_a_second(int64_t ns)
{
    return ns > NS_PER_SEC ? (long)(ns / NS_PER_SEC) : 1;
}

/* With silent connections, in use or idle. */
static void set_patience(const struct http_endpoint_config *c, CURL *e)
{
    if (c->keepalive_ns > 0) {
        curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
        curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, at_least_a_second(c->keepalive_ns));
        curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, at_least_a_second(c->keepalive_ns));
    }
    if (c->idle_ns > 0)
        curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, at_least_a_second(c->idle_ns));
}

static void set_plumbing(http_transfer_t *t)
{
    CURL *e = t->easy;
    bool one = t->endpoint->c.http1_only || t->lane == HTTP_LANE_STREAM;
    long buffer = t->lane == HTTP_LANE_WATCH  ? BUFFER_WATCH
                  : t->lane == HTTP_LANE_LIST ? BUFFER_LIST
                                              : BUFFER;
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_error);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* else a cancel waits for a name server */
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)(one ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, buffer);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(mono_left(t->connect_by) / NS_PER_MS) + 1);
    set_patience(&t->endpoint->c, e);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, http_on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_ready);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, http_lane_open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, http_lane_close_socket);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, t->h);
}

int http_transfer_prepare(http_transfer_t *t)
{
    struct http_url url;
    int r = http_url_parse(t->url, &url, &t->error);
    if (r < 0)
        return r;
    if (!(t->easy = curl_easy_init()))
        oom();
    AUTO(free_p) char *host = NULL;
    t->curl_error[0] = '\0';
    str_reset(&t->head);
    t->head_done = t->redirecting = t->curl_paused = false;
    t->header_bytes = t->discarded = 0;
    t->attempts++;
    set_plumbing(t);
    set_url(t, &url, &host);
    set_method(t);
    set_headers(t, host);
    r = http_endpoint_apply(t->endpoint, t->easy, &url, t->stranger, &t->error);
    http_url_dispose(&url);
    return r;
}
