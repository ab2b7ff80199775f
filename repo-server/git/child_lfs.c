/* One object of Git LFS by the batch API (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md):
 * the server is asked where the object is, and it is downloaded from there.
 *
 * The API is at the repository's URL, or at that of the commit's .lfsconfig; over ssh the server tells by
 * git-lfs-authenticate where it is and what to present there. The credential is sent to the repository's
 * server only; to another one what the API gave for it. */
#include "common/base/hash.h"
#include "common/json/json.h"
#include "repo-server/artifact/remote.h"
#include "repo-server/git/child.h"
#include "repo-server/git/transport.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { ANSWER_MAX = 1 << 20, MAX_REDIRECTS = 5, HEADERS_MAX = 50 };

#define MEDIA_TYPE "application/vnd.git-lfs+json"

struct object {
    char oid[65];
    uint64_t size;
};

/* The object as it comes in. */
struct sink {
    int fd;
    sha256_ctx_t *hash;
    uint64_t got, max;
    bool over; /* more came than there should be */
};

struct exchange {
    struct git_session *session;
    CURL *curl;
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];
};

static unsigned port_of(const struct git_url *u)
{
    return u->port ? u->port : u->scheme == GIT_SCHEME_HTTPS ? 443 : 80;
}

static bool is_same(const struct git_url *a, const struct git_url *b)
{
    return a->scheme == b->scheme && port_of(a) == port_of(b) && strcmp(a->host, b->host) == 0;
}

static bool same_server(const struct git_url *a, const char *url)
{
    struct git_url u;
    if (git_url_parse(url, &u, NULL) < 0)
        return false;
    bool same = is_same(a, &u);
    git_url_dispose(&u);
    return same;
}

/* What the repository's Secret says of TLS is said of its server. */
static void set_up(struct exchange *x, const char *url)
{
    struct git_session *s = x->session;
    struct git_url u = {};
    if (same_server(&s->url, url)) {
        git_http_setup(s, x->curl);
        return;
    }
    AUTO(free_p)
    char *ca = git_url_parse(url, &u, NULL) == 0 ? remote_authorities(s->job->tls_dir, u.host) : NULL;
    bool ssh = s->url.scheme == GIT_SCHEME_SSH && u.host && strcmp(u.host, s->url.host) == 0;
    if (ssh && s->job->insecure) /* the same host, unverified by either protocol */
        git_http_setup(s, x->curl);
    else
        git_http_setup_elsewhere(s, x->curl, ca);
    git_url_dispose(&u);
}

static void exchange_begin(struct exchange *x, struct git_session *s, const char *url)
{
    *x = (struct exchange){.session = s, .curl = curl_easy_init()};
    if (!x->curl)
        oom();
    curl_easy_setopt(x->curl, CURLOPT_ERRORBUFFER, x->reason);
    curl_easy_setopt(x->curl, CURLOPT_URL, url);
    set_up(x, url);
}

static void exchange_end(struct exchange *x)
{
    curl_slist_free_all(x->headers);
    curl_easy_cleanup(x->curl);
}

static void add_header(struct exchange *x, const char *line)
{
    x->headers = curl_slist_append(x->headers, line);
}

/* {"Authorization": "…"} of the API's answers. */
static void add_headers(struct exchange *x, const json_t *headers)
{
    const char *name;
    const json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)headers, name, value) {
        const char *text = json_string_value(value);
        if (!text || n++ >= HEADERS_MAX || strpbrk(name, "\r\n:") || strpbrk(text, "\r\n"))
            continue;
        AUTO(free_p) char *line = xasprintf("%s: %s", name, text);
        add_header(x, line);
    }
}

static int perform(struct exchange *x)
{
    long status = 0;
    curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, x->headers);
    CURLcode code = curl_easy_perform(x->curl);
    if (code != CURLE_OK)
        return git_http_failed(x->session, code, x->reason);
    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        return 0;
    enum err_code e = status == 401                    ? ERR_UNAUTHENTICATED
                      : status == 403                  ? ERR_PERMISSION_DENIED
                      : status == 404 || status == 410 ? ERR_NOT_FOUND
                                                       : ERR_UNAVAILABLE;
    return git_session_fail(x->session, e, "the LFS server answered %ld", status);
}

/* ---- where the API is ---- */

struct api {
    char *url;
    json_t *doc;           /* of git-lfs-authenticate */
    const json_t *headers; /* NULL: the session's credential, where the server is the session's */
};

static int no_lfs(struct git_session *s)
{
    return git_session_fail(s, ERR_FAILED_PRECONDITION, "the server has no Git LFS");
}

static int find_by_ssh(struct git_session *s, const struct git_url *where, struct api *out)
{
    AUTO_STR text = STR_MAX(ANSWER_MAX);
    if (s->url.scheme != GIT_SCHEME_SSH)
        return git_session_fail(s, ERR_FAILED_PRECONDITION,
                                ".lfsconfig names an ssh server, for which the repository has no key");
    if (git_ssh_run(s, where, "git-lfs-authenticate", "download", &text) < 0)
        return -1;
    if (json_read(str_text(&text), text.len, &out->doc, NULL) < 0)
        return no_lfs(s);
    out->headers = json_object_get(out->doc, "header");
    out->url = xstrdup(str_or_empty(json_str_at(out->doc, "href")));
    return str_has_prefix(out->url, "https://") || str_has_prefix(out->url, "http://") ? 0 : no_lfs(s);
}

/* What .lfsconfig says is what a committer says: it leads to servers, not to files, and takes no credential
 * along to another one (same_server, find_by_ssh: a key is shown to any, as for submodules). */
static int find_as_configured(struct git_session *s, struct api *out)
{
    struct git_url u;
    if (git_url_parse(s->job->lfs_url, &u, NULL) < 0)
        return git_session_fail(s, ERR_INVALID_ARGUMENT, "the URL in .lfsconfig cannot be read");
    int r = 0;
    if (u.scheme == GIT_SCHEME_SSH)
        r = find_by_ssh(s, &u, out);
    else if (u.scheme == GIT_SCHEME_HTTP || u.scheme == GIT_SCHEME_HTTPS)
        out->url = git_http_base(&u);
    else
        r = git_session_fail(s, ERR_INVALID_ARGUMENT, "the URL in .lfsconfig must be http, https or ssh");
    git_url_dispose(&u);
    return r;
}

static int find_api(struct git_session *s, struct api *out)
{
    const struct git_url *u = &s->url;
    if (s->job->lfs_url)
        return find_as_configured(s, out);
    if (u->scheme == GIT_SCHEME_SSH)
        return find_by_ssh(s, u, out);
    if (u->scheme != GIT_SCHEME_HTTP && u->scheme != GIT_SCHEME_HTTPS)
        return git_session_fail(s, ERR_FAILED_PRECONDITION, "Git LFS wants http, https or ssh");
    AUTO(free_p) char *base = git_http_base(u);
    out->url = xasprintf("%s%s/info/lfs", base, str_has_suffix(base, ".git") ? "" : ".git");
    return 0;
}

/* ---- where the object is ---- */

static size_t on_answer(char *p, size_t size, size_t n, void *arg)
{
    str_t *out = arg;
    str_add(out, p, size * n);
    return str_overflowed(out) ? 0 : size * n;
}

static int find_action(struct git_session *s, const json_t *answer, const struct object *o,
                       const json_t **out)
{
    const json_t *entry = json_array_get(json_object_get(answer, "objects"), 0);
    int64_t code = json_int_at(entry, "error", "code");
    if (!str_eq(json_str_at(entry, "oid"), o->oid))
        return git_session_fail(s, ERR_UNAVAILABLE, "the LFS server's answer is malformed");
    if (json_object_get(entry, "error"))
        return git_session_fail(s, code == 404 || code == 410 ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
                                "the LFS server does not have it: %.200s",
                                str_or_empty(json_str_at(entry, "error", "message")));
    *out = json_at(entry, "actions", "download");
    return str_empty(json_str_at(*out, "href"))
               ? git_session_fail(s, ERR_NOT_FOUND, "the LFS server does not have it")
               : 0;
}

static int ask_batch(struct git_session *s, const struct api *api, const struct object *o, json_t **answer)
{
    struct exchange x;
    AUTO_STR text = STR_MAX(ANSWER_MAX);
    AUTO(free_p) char *url = xasprintf("%s/objects/batch", api->url);
    AUTO(free_p)
    char *body = xasprintf(
        "{\"operation\":\"download\",\"transfers\":[\"basic\"],\"objects\":[{\"oid\":\"%s\","
        "\"size\":%llu}]}",
        o->oid, (unsigned long long)o->size);
    exchange_begin(&x, s, url);
    if (api->headers)
        add_headers(&x, api->headers);
    else if (same_server(&s->url, url))
        git_http_credentials(s, x.curl, &x.headers);
    add_header(&x, "Accept: " MEDIA_TYPE);
    add_header(&x, "Content-Type: " MEDIA_TYPE);
    curl_easy_setopt(x.curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(x.curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(x.curl, CURLOPT_WRITEDATA, &text);
    int r = perform(&x);
    exchange_end(&x);
    if (r == 0 && json_read(str_text(&text), text.len, answer, NULL) < 0)
        r = git_session_fail(s, ERR_FAILED_PRECONDITION, "the server has no Git LFS");
    return r;
}

/* ---- the object ---- */

static size_t on_object(char *p, size_t size, size_t n, void *arg)
{
    struct sink *s = arg;
    n *= size;
    s->over = n > s->max - s->got;
    if (s->over)
        return 0;
    s->got += n;
    sha256_add(s->hash, p, n);
    for (size_t at = 0; at < n;) {
        ssize_t w = write(s->fd, p + at, n - at);
        if (w < 0 && errno != EINTR)
            return 0;
        at += w > 0 ? (size_t)w : 0;
    }
    return n;
}

/* Redirects carry no credential: curl drops it when the host changes, and headers of our own are only sent
 * where there is none to follow. */
static int download(struct git_session *s, const struct api *api, const json_t *action, struct sink *sink)
{
    struct exchange x;
    const char *href = json_str_at(action, "href");
    const json_t *headers = json_object_get(action, "header");
    if (!str_has_prefix(href, "https://") &&
        (!str_has_prefix(href, "http://") || str_has_prefix(api->url, "https://")))
        return git_session_fail(s, ERR_FAILED_PRECONDITION, "the LFS object is at a URL that is not safe");
    exchange_begin(&x, s, href);
    if (json_object_size(headers))
        add_headers(&x, headers);
    else if (!api->headers && same_server(&s->url, href))
        git_http_credentials(s, x.curl, &x.headers);
    if (!x.headers) {
        curl_easy_setopt(x.curl, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(x.curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    }
    curl_easy_setopt(x.curl, CURLOPT_WRITEFUNCTION, on_object);
    curl_easy_setopt(x.curl, CURLOPT_WRITEDATA, sink);
    curl_easy_setopt(x.curl, CURLOPT_FAILONERROR, 0L);
    int r = perform(&x);
    exchange_end(&x);
    return r;
}

static int receive(struct git_session *s, const struct api *api, const json_t *action, const struct object *o)
{
    char hex[SHA256_HEX];
    AUTO(free_p) char *path = xasprintf("%s/%s", s->job->dir, o->oid);
    AUTO(free_p) char *temp = xasprintf("%s.tmp-XXXXXX", path);
    struct sink sink = {.fd = mkostemp(temp, O_CLOEXEC), .hash = sha256_begin(), .max = o->size};
    if (sink.fd < 0)
        return git_session_fail(s, ERR_INTERNAL, "write the LFS object: %s", strerror(errno));
    int r = download(s, api, action, &sink);
    sha256_end_hex(sink.hash, hex);
    if (sink.over)
        err_clear(&s->err);
    if (sink.over || (r == 0 && (sink.got != o->size || strcmp(hex, o->oid) != 0)))
        r = git_session_fail(s, ERR_UNAVAILABLE, "the LFS server sent something else");
    if (close(sink.fd) < 0 || (r == 0 && rename(temp, path) < 0))
        r = git_session_fail(s, ERR_INTERNAL, "write the LFS object: %s", strerror(errno));
    if (r < 0)
        unlink(temp);
    return r;
}

static bool read_want(const char *want, struct object *o)
{
    size_t n = strcspn(want, " ");
    if (n != 64 || strspn(want, "0123456789abcdef") != 64 || !want[n])
        return false;
    memcpy(o->oid, want, 64);
    return str_to_u64(want + n + 1, &o->size);
}

int git_child_lfs(struct git_session *s, err_t **err)
{
    struct object o = {};
    struct api api = {};
    AUTO_JSON answer = NULL;
    const json_t *action = NULL;
    int r = read_want(str_or_empty(s->job->want), &o) ? 0 : -1;
    if (r < 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "the object of the job is malformed");
    r = find_api(s, &api);
    if (r == 0)
        r = ask_batch(s, &api, &o, &answer);
    if (r == 0)
        r = find_action(s, answer, &o, &action);
    if (r == 0)
        r = receive(s, &api, action, &o);
    free(api.url);
    json_decref(api.doc);
    if (r < 0 && s->err)
        return err_move(err, TAKE(s->err));
    return r < 0 ? err_set(err, ERR_INTERNAL, "fetch the LFS object") : 0;
}
