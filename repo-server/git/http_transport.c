/* Git's smart protocol over HTTP (https://git-scm.com/docs/http-protocol) as a libgit2 subtransport on
 * libcurl.
 *
 * libgit2 asks for a stream per request: it writes the request's body, if any, and then reads the response.
 * The request is sent at the first read. From then on curl is driven only while the reader has nothing, so
 * that a pack of any size passes through a few dozen KiB.
 *
 * Redirects are followed for the first GET only, as git does, never from https to http; the POSTs then go to
 * where the GET ended. Credentials are sent to the host of the URL and to no other. */
#include "repo-server/git/transport.h"

#include <curl/curl.h>

enum { MAX_REDIRECTS = 5, STALL_SECONDS = 60, MAX_REQUEST = 64 << 20 };

struct http {
    git_smart_subtransport parent;
    struct git_session *session;
    CURL *curl;
    CURLM *multi;
    char *base;     /* the URL without a trailing slash; after a redirect, the new one */
    bool elsewhere; /* redirected to another host: no credentials there */
};

struct stream {
    git_smart_subtransport_stream parent;
    struct http *http;
    bool post, started, done, judged;
    str_t request, response;
    size_t taken; /* of response */
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];
};

static const char *base_of(const char *url, const char *suffix)
{
    size_t n = strlen(url), m = strlen(suffix);
    return n > m && strcmp(url + n - m, suffix) == 0 ? url + n - m : NULL;
}

static size_t on_data(char *p, size_t size, size_t n, void *arg)
{
    struct stream *s = arg;
    str_add(&s->response, p, size * n);
    return str_overflowed(&s->response) ? 0 : size * n;
}

static void set_blob(CURL *c, CURLoption option, const char *text)
{
    struct curl_blob blob = {(void *)text, strlen(text), CURL_BLOB_COPY};
    curl_easy_setopt(c, option, &blob);
}

struct tls {
    bool insecure;
    const char *ca_pem, *client_cert, *client_key;
};

static void set_tls(CURL *c, const struct tls *t)
{
    if (t->insecure) {
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (t->ca_pem) {
        set_blob(c, CURLOPT_CAINFO_BLOB, t->ca_pem);
        curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    }
    if (t->client_cert && t->client_key) {
        set_blob(c, CURLOPT_SSLCERT_BLOB, t->client_cert);
        set_blob(c, CURLOPT_SSLKEY_BLOB, t->client_key);
    }
}

/* Basic wins over a bearer token only when it is forced or there is no token, as in Argo CD. A user name
 * without a password comes from URLs such as https://token@host/. */
void git_http_credentials(struct git_session *s, void *curl, void *headers)
{
    CURL *c = curl;
    struct curl_slist **list = headers;
    const struct git_job *job = s->job;
    const struct git_url *u = &s->url;
    const char *user = job->username ? job->username : u->user;
    const char *password = job->password ? job->password : u->password;
    if (job->bearer_token && !(job->force_basic && password)) {
        AUTO(free_p) char *line = xasprintf("Authorization: Bearer %s", job->bearer_token);
        *list = curl_slist_append(*list, line);
        wipe(line, strlen(line));
    } else if (user || password) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(c, CURLOPT_USERNAME, user ? user : "x-access-token");
        curl_easy_setopt(c, CURLOPT_PASSWORD, str_or_empty(password));
    }
}

static void set_up(struct git_session *s, CURL *c, const struct tls *tls)
{
    const struct git_job *job = s->job;
    set_tls(c, tls);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR,
                     s->url.scheme == GIT_SCHEME_HTTPS ? "https" : "http,https");
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 15L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 64L << 10);
    /* Servers decide by "git/" whether to speak to a browser or to Git. */
    curl_easy_setopt(c, CURLOPT_USERAGENT, "git/2.0 (cargocd " CARGOCD_VERSION ")");
    if (job->proxy && *job->proxy)
        curl_easy_setopt(c, CURLOPT_PROXY, job->proxy);
    if (job->no_proxy && *job->no_proxy)
        curl_easy_setopt(c, CURLOPT_NOPROXY, job->no_proxy);
}

void git_http_setup(struct git_session *s, void *curl)
{
    const struct git_job *job = s->job;
    set_up(s, curl, &(struct tls){job->insecure, job->ca_pem, job->tls_client_cert, job->tls_client_key});
}

void git_http_setup_elsewhere(struct git_session *s, void *curl, const char *ca_pem)
{
    set_up(s, curl, &(struct tls){.ca_pem = ca_pem});
}

static void prepare(struct stream *s)
{
    struct http *h = s->http;
    CURL *c = h->curl;
    curl_easy_reset(c); /* keeps the connection */
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->reason);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
    git_http_setup(h->session, c);
    if (!h->elsewhere)
        git_http_credentials(h->session, c, &s->headers);
    AUTO(free_p) char *url = NULL;
    if (s->post) {
        url = xasprintf("%s/git-upload-pack", h->base);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, str_text(&s->request));
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->request.len);
        s->headers = curl_slist_append(s->headers, "Content-Type: application/x-git-upload-pack-request");
        s->headers = curl_slist_append(s->headers, "Accept: application/x-git-upload-pack-result");
        s->headers = curl_slist_append(s->headers, "Expect:");
    } else {
        url = xasprintf("%s/info/refs?service=git-upload-pack", h->base);
        curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
        curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    }
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, s->headers);
    curl_multi_add_handle(h->multi, c);
}

int git_http_failed(struct git_session *session, int code, const char *reason)
{
    const char *why = *reason ? reason : curl_easy_strerror((CURLcode)code);
    switch ((CURLcode)code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return git_session_fail(session, ERR_FAILED_PRECONDITION,
                                "the server's certificate is not trusted: %s", why);
    case CURLE_SSL_CERTPROBLEM:
        return git_session_fail(session, ERR_UNAUTHENTICATED, "the TLS client certificate cannot be used: %s",
                                why);
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return git_session_fail(session, ERR_FAILED_PRECONDITION, "%s", why);
    case CURLE_WRITE_ERROR:
        return git_session_fail(session, ERR_RESOURCE_EXHAUSTED, "the server's answer is too large");
    default:
        return git_session_fail(session, ERR_UNAVAILABLE, "%s", why);
    }
}

static int check_status(struct stream *s)
{
    struct git_session *session = s->http->session;
    long status = 0;
    const char *type = NULL;
    curl_easy_getinfo(s->http->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(s->http->curl, CURLINFO_CONTENT_TYPE, &type);
    if (status == 401)
        return git_session_fail(session, ERR_UNAUTHENTICATED,
                                "authentication required: the server answered 401");
    if (status == 403)
        return git_session_fail(session, ERR_PERMISSION_DENIED,
                                "authorization failed: the server answered 403");
    if (status == 404 || status == 410)
        return git_session_fail(session, ERR_NOT_FOUND, "repository not found");
    if (status == 429 || status >= 500)
        return git_session_fail(session, ERR_UNAVAILABLE, "the server answered %ld", status);
    if (status != 200)
        return git_session_fail(session, ERR_UNKNOWN, "the server answered %ld", status);
    const char *want = s->post ? "application/x-git-upload-pack-result"
                               : "application/x-git-upload-pack-advertisement";
    if (!type || !str_has_prefix(type, want))
        return git_session_fail(session, ERR_FAILED_PRECONDITION,
                                "the server does not speak Git's smart protocol here (Content-Type %s)",
                                type ? type : "is missing");
    return 0;
}

/* After the first GET: where it ended is where the rest is sent. */
static void note_redirect(struct http *h)
{
    const char *url = NULL;
    curl_easy_getinfo(h->curl, CURLINFO_EFFECTIVE_URL, &url);
    const char *end = url ? base_of(url, "/info/refs?service=git-upload-pack") : NULL;
    if (!end || (strncmp(url, h->base, (size_t)(end - url)) == 0 && strlen(h->base) == (size_t)(end - url)))
        return;
    struct git_url u;
    char *base = xstrndup(url, (size_t)(end - url));
    if (git_url_parse(base, &u, NULL) == 0) {
        const struct git_url *o = &h->session->url;
        h->elsewhere = strcmp(u.host, o->host) != 0 || u.scheme != o->scheme || u.port != o->port;
        git_url_dispose(&u);
    }
    free(h->base);
    h->base = base;
}

/* Once, when the head of the response is there: libgit2 does not read on to the end. */
static int judge(struct stream *s)
{
    if (s->judged)
        return 0;
    s->judged = true;
    int r = check_status(s);
    if (r == 0 && !s->post)
        note_redirect(s->http);
    return r;
}

/* Moves bytes until the reader has some or the exchange is over. Nothing of an error page reaches the reader.
 */
static int drive(struct stream *s)
{
    struct http *h = s->http;
    while (!s->done && s->taken == s->response.len) {
        int running = 0, left = 0;
        str_reset(&s->response);
        s->taken = 0;
        if (curl_multi_perform(h->multi, &running) != CURLM_OK)
            return git_session_fail(h->session, ERR_INTERNAL, "curl failed");
        CURLMsg *m = curl_multi_info_read(h->multi, &left);
        if (m && m->msg == CURLMSG_DONE) {
            s->done = true;
            if (m->data.result != CURLE_OK)
                return git_http_failed(h->session, m->data.result, s->reason);
        } else if (!s->response.len && curl_multi_poll(h->multi, NULL, 0, 1000, NULL) != CURLM_OK) {
            return git_session_fail(h->session, ERR_INTERNAL, "curl failed");
        }
    }
    return judge(s);
}

static int stream_read(git_smart_subtransport_stream *stream, char *buf, size_t size, size_t *n)
{
    struct stream *s = CONTAINER_OF(stream, struct stream, parent);
    if (!s->started) {
        s->started = true;
        prepare(s);
    }
    if (drive(s) < 0)
        return -1;
    *n = min_size(size, s->response.len - s->taken);
    if (*n)
        memcpy(buf, s->response.p + s->taken, *n);
    s->taken += *n;
    return 0;
}

static int stream_write(git_smart_subtransport_stream *stream, const char *buf, size_t n)
{
    struct stream *s = CONTAINER_OF(stream, struct stream, parent);
    str_add(&s->request, buf, n);
    if (str_overflowed(&s->request))
        return git_session_fail(s->http->session, ERR_RESOURCE_EXHAUSTED, "the request is too large");
    return 0;
}

static void stream_free(git_smart_subtransport_stream *stream)
{
    struct stream *s = CONTAINER_OF(stream, struct stream, parent);
    if (s->started)
        curl_multi_remove_handle(s->http->multi, s->http->curl);
    curl_slist_free_all(s->headers);
    str_dispose(&s->request);
    str_dispose(&s->response);
    free(s);
}

static int http_action(git_smart_subtransport_stream **out, git_smart_subtransport *t, const char *url,
                       git_smart_service_t action)
{
    struct http *h = CONTAINER_OF(t, struct http, parent);
    if (action != GIT_SERVICE_UPLOADPACK_LS && action != GIT_SERVICE_UPLOADPACK)
        return git_session_fail(h->session, ERR_INTERNAL, "only fetching is supported");
    struct stream *s = xcalloc(1, sizeof(*s));
    s->parent = (git_smart_subtransport_stream){t, stream_read, stream_write, stream_free};
    s->http = h;
    s->post = action == GIT_SERVICE_UPLOADPACK;
    s->request.max = MAX_REQUEST;
    *out = &s->parent;
    return 0;
}

static int http_close(git_smart_subtransport *t)
{
    return 0;
}

static void http_free(git_smart_subtransport *t)
{
    struct http *h = CONTAINER_OF(t, struct http, parent);
    curl_easy_cleanup(h->curl);
    curl_multi_cleanup(h->multi);
    free(h->base);
    free(h);
}

/* The URL without user information: credentials are set apart, and only for its own host. */
char *git_http_base(const struct git_url *u)
{
    AUTO_STR s = STR_INIT;
    bool v6 = strchr(u->host, ':') != NULL;
    str_printf(&s, "%s://%s%s%s", u->scheme == GIT_SCHEME_HTTPS ? "https" : "http", v6 ? "[" : "", u->host,
               v6 ? "]" : "");
    if (u->port)
        str_printf(&s, ":%u", u->port);
    str_puts(&s, u->path);
    while (s.len && s.p[s.len - 1] == '/')
        str_truncate(&s, s.len - 1);
    return str_take(&s);
}

int git_http_subtransport(git_smart_subtransport **out, git_transport *owner, void *session)
{
    struct http *h = xcalloc(1, sizeof(*h));
    h->parent = (git_smart_subtransport){http_action, http_close, http_free};
    h->session = session;
    h->base = git_http_base(&h->session->url);
    h->curl = curl_easy_init();
    h->multi = curl_multi_init();
    if (!h->curl || !h->multi)
        oom();
    *out = &h->parent;
    return 0;
}
