#include "repo-server/artifact/remote.h"
#include "common/base/file.h"
#include "common/base/thread.h"
#include "common/net/http_url.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define FORM_TYPE "Content-Type: application/x-www-form-urlencoded"

enum { TLS_FILE_MAX = 4 << 20, MAX_REDIRECTS = 10, IDLE_S = 60, URL_MAX = 8192 };

/* ---- who is asked, and by whom ---- */

static void wipe_text(char *s)
{
    if (s)
        wipe(s, strlen(s));
    free(s);
}

static char *given(const char *s)
{
    return str_empty(s) ? NULL : xstrdup(s);
}

static void compute_access_key(remote_t *r)
{
    sha256_ctx_t *c = sha256_begin();
    const char *parts[] = {r->base,           r->path,  r->username, r->password, r->tls_client_cert,
                           r->tls_client_key, r->proxy, r->no_proxy};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        sha256_field_str(c, str_or_empty(parts[i]));
    unsigned char flags = (unsigned char)(r->insecure | r->oci << 1 | r->azure << 2);
    sha256_field(c, &flags, 1);
    sha256_end_hex(c, r->access_key);
}

/* Docker's own registry has its interface elsewhere, and its official images in a folder. */
static void split_registry(remote_t *r, const char *rest, bool plain_http)
{
    size_t n = strcspn(rest, "/");
    AUTO(free_p) char *host = xstrndup(rest, n);
    bool docker = str_eq(host, "docker.io") || str_eq(host, "index.docker.io");
    r->base = xasprintf("%s://%s", plain_http ? "http" : "https", docker ? "registry-1.docker.io" : host);
    const char *path = rest + n + strspn(rest + n, "/");
    r->path = docker && *path && !strchr(path, '/') ? xasprintf("library/%s", path) : xstrdup(path);
    for (size_t len = strlen(r->path); len && r->path[len - 1] == '/'; len--)
        r->path[len - 1] = '\0';
}

static bool is_registry_name(const char *path)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    return strspn(path, allowed) == strlen(path) && !strstr(path, "//") && !strstr(path, "..");
}

static int set_url(remote_t *r, const struct remote_access *a, err_t **err)
{
    view_t v = view_trim(view_of(a->url));
    AUTO(free_p) char *url = xstrndup(v.p ? v.p : "", v.n);
    const char *oci = str_after(url, "oci://");
    size_t n = strlen(url);
    while (n && url[n - 1] == '/')
        url[--n] = '\0';
    if (!n || n > URL_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a repository needs a URL");
    r->oci = oci || a->oci;
    if (!r->oci) {
        r->base = xstrdup(url);
        r->path = xstrdup("");
        return 0;
    }
    if (!oci && strstr(url, "://"))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "OCI Helm repository URL should include hostname and port only");
    split_registry(r, oci ? oci : url, a->plain_http);
    return is_registry_name(r->path)
               ? 0
               : err_set(err, ERR_INVALID_ARGUMENT, "'%s' is no name of a repository in a registry", r->path);
}

int remote_new(const struct remote_access *a, remote_t **out, err_t **err)
{
    AUTO(remote_unref_p) remote_t *r = xcalloc(1, sizeof(*r));
    struct http_url parsed = {};
    r->refs = 1;
    int e = set_url(r, a, err);
    if (e == 0)
        e = http_url_parse(r->base, &parsed, err);
    if (e < 0)
        return e;
    r->origin = http_url_origin(&parsed);
    http_url_dispose(&parsed);
    r->shown = r->oci ? xasprintf("oci://%s%s%s", strstr(r->base, "://") + 3, *r->path ? "/" : "", r->path)
                      : http_url_for_message(r->base);
    r->username = given(a->username);
    r->password = given(a->password);
    r->tls_client_cert = given(a->tls_client_cert);
    r->tls_client_key = given(a->tls_client_key);
    r->proxy = given(a->proxy);
    r->no_proxy = given(a->no_proxy);
    r->insecure = a->insecure;
    r->azure = a->azure;
    compute_access_key(r);
    *out = TAKE(r);
    return 0;
}

remote_t *remote_ref(remote_t *r)
{
    r->refs++;
    return r;
}

void remote_unref(remote_t *r)
{
    if (!r || --r->refs > 0)
        return;
    free(r->base);
    free(r->path);
    free(r->shown);
    free(r->origin);
    wipe_text(r->username);
    wipe_text(r->password);
    wipe_text(r->tls_client_cert);
    wipe_text(r->tls_client_key);
    wipe_text(r->proxy);
    free(r->no_proxy);
    free(r);
}

/* ---- reading ---- */

char *remote_authorities(const char *tls_dir, const char *host)
{
    AUTO_STR text = STR_MAX(TLS_FILE_MAX);
    if (str_empty(tls_dir) || str_empty(host) || strchr(host, '/') || *host == '.')
        return NULL;
    AUTO(free_p) char *path = xasprintf("%s/%s", tls_dir, host);
    return file_read(path, &text, NULL) == 0 && text.len ? str_take(&text) : NULL;
}

static http_endpoint_t *endpoint(const remote_t *r, const struct remote_settings *s,
                                 const struct remote_get *get, const char *host)
{
    bool self = get->identity == REMOTE_SELF, cert = self || get->identity == REMOTE_CERT;
    bool insecure = r->insecure && cert;
    AUTO(free_p) char *ca = insecure ? NULL : remote_authorities(s->tls_dir, host);
    return http_endpoint_new(&(struct http_endpoint_config){
        .ca_pem = ca,
        .client_cert_pem = cert ? r->tls_client_cert : NULL,
        .client_key_pem = cert ? r->tls_client_key : NULL,
        .insecure = insecure,
        .proxy = r->proxy,
        .no_proxy = r->no_proxy,
        .username = self ? r->username : NULL,
        .password = self ? r->password : NULL,
        .user_agent = s->user_agent,
        .compression = get->fd < 0,
    });
}

/* One waiting caller; guarded by its lock until done. */
struct waiter {
    lock_t lock;
    cond_t wake;
    bool done;
    struct remote_answer *answer;
    const struct remote_get *get;
    uint64_t n;
    int io_errno;
    sha256_ctx_t *digest;
    err_t *error;
};

static int on_head(void *arg, int status, const str_t *headers)
{
    struct waiter *w = arg;
    w->answer->status = status;
    str_reset(&w->answer->headers);
    str_add(&w->answer->headers, str_text(headers), headers->len);
    return 0;
}

static int to_file(struct waiter *w, const char *p, size_t n)
{
    while (n) {
        ssize_t wrote = write(w->get->fd, p, n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            w->io_errno = errno;
            return -ERR_RESOURCE_EXHAUSTED;
        }
        p += wrote;
        n -= (size_t)wrote;
    }
    return 0;
}

static int on_data(void *arg, const char *p, size_t n)
{
    struct waiter *w = arg;
    w->n += n;
    if (w->n > w->get->max)
        return -ERR_RESOURCE_EXHAUSTED;
    sha256_add(w->digest, p, n);
    if (w->get->fd >= 0 && w->answer->status == 200)
        return to_file(w, p, n);
    str_add(&w->answer->body, p, n);
    return 0;
}

static void on_done(void *arg, err_t *err)
{
    struct waiter *w = arg;
    LOCKED(&w->lock);
    w->error = err_copy(err);
    w->done = true;
    pthread_cond_signal(&w->wake);
}

static void wait_done(struct waiter *w, http_transfer_t *t)
{
    atomic_bool *canceled = w->get->canceled;
    bool told = false;
    LOCKED(&w->lock);
    while (!w->done) {
        cond_wait_until(&w->wake, &w->lock, canceled ? mono_after(mono_now(), MILLIS(100)) : MONO_NEVER);
        if (canceled && atomic_load_explicit(canceled, memory_order_relaxed) && !told && !w->done) {
            http_cancel(t);
            told = true;
        }
    }
}

static int outcome(struct waiter *w, const struct remote_get *get, err_t **err)
{
    AUTO(free_p) char *shown = http_url_for_message(get->url);
    AUTO_ERR why = TAKE(w->error);
    if (w->io_errno)
        return err_set_errno(err, w->io_errno, "keep what %s sends", shown);
    if (w->n > get->max)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s: more than %llu bytes", shown,
                       (unsigned long long)get->max);
    return why ? err_move(err, TAKE(why)) : 0;
}

static void exchange(const struct remote_settings *s, const struct http_request *request, struct waiter *w)
{
    static const struct http_stream_ops ops = {.on_head = on_head, .on_data = on_data, .on_done = on_done};
    cond_init(&w->wake);
    w->digest = sha256_begin();
    http_transfer_t *t = http_start(s->http, request, &ops, w);
    wait_done(w, t);
    http_transfer_release(t);
    sha256_end(w->digest, w->answer->sha256);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
}

int remote_get(const remote_t *r, const struct remote_settings *s, const struct remote_get *get,
               struct remote_answer *out, err_t **err)
{
    struct http_url parsed;
    int e = http_url_parse(get->url, &parsed, err);
    if (e < 0)
        return e;
    http_endpoint_t *point = endpoint(r, s, get, parsed.host);
    http_url_dispose(&parsed);
    const char *headers[4] = {}, *all[] = {get->accept, get->authorization, get->form ? FORM_TYPE : NULL};
    for (size_t i = 0, n = 0; i < ARRAY_LEN(all); i++)
        if (all[i])
            headers[n++] = all[i];
    struct http_request request = {
        .method = get->form ? "POST" : "GET",
        .url = get->url,
        .body = get->form,
        .body_size = get->form ? strlen(get->form) : 0,
        .endpoint = point,
        .headers = headers,
        .lane = HTTP_LANE_STREAM,
        .timeout_ns = s->timeout_ns,
        .idle_timeout_ns = SECONDS(IDLE_S),
        .max_redirects = get->form ? 0 : MAX_REDIRECTS,
    };
    *out = (struct remote_answer){.body.max = get->max + 1};
    struct waiter w = {.lock = LOCK_INIT, .answer = out, .get = get};
    exchange(s, &request, &w);
    http_endpoint_unref(point);
    e = outcome(&w, get, err);
    if (e < 0)
        remote_answer_dispose(out);
    return e;
}

void remote_answer_dispose(struct remote_answer *a)
{
    str_dispose(&a->headers);
    str_dispose(&a->body);
    *a = (struct remote_answer){};
}

int remote_refused(const char *url, int status, err_t **err)
{
    AUTO(free_p) char *shown = http_url_for_message(url);
    if (status == 401)
        return err_set(err, ERR_UNAUTHENTICATED, "%s: authentication required (status 401)", shown);
    if (status == 403)
        return err_set(err, ERR_PERMISSION_DENIED, "%s: access denied (status 403)", shown);
    if (status == 404)
        return err_set(err, ERR_NOT_FOUND, "%s: not found (status 404)", shown);
    return err_set(err, status >= 500 || status == 429 ? ERR_UNAVAILABLE : ERR_UNKNOWN,
                   "%s: the server answered with status %d", shown, status);
}
