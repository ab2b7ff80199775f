/* Charts, from Helm repositories and from registries. */
#include "common/base/semver.h"
#include "common/net/http_url.h"
#include "repo-server/artifact/pack.h"
#include "repo-server/artifact/store.h"

#include <ctype.h>
#include <unistd.h>

/* "team/nginx" is unpacked as "nginx". */
static const char *directory_of(const char *chart)
{
    const char *slash = strrchr(chart, '/');
    return slash ? slash + 1 : chart;
}

static char *repository_of(const struct fetch *f)
{
    return *f->remote->path ? xasprintf("%s/%s", f->remote->path, f->chart) : xstrdup(f->chart);
}

/* ---- which version ---- */

static int not_found(const struct fetch *f, err_t **err)
{
    return err_set(err, ERR_NOT_FOUND, "chart '%s' not found in index", f->chart);
}

static int list_texts(struct fetch *f, char ***out, err_t **err)
{
    index_entries_t entries = {};
    if (f->remote->oci) {
        AUTO(free_p) char *repository = repository_of(f);
        return list_versions(f, repository, out, err);
    }
    int r = list_index(f, f->chart, &entries, err);
    if (r == 0 && !entries.n)
        r = not_found(f, err);
    if (r == 0) {
        *out = xcalloc(entries.n + 1, sizeof(**out));
        for (size_t i = 0; i < entries.n; i++)
            (*out)[i] = xstrdup(entries.v[i].version);
    }
    index_entries_free(&entries);
    return r;
}

static int resolve(struct fetch *f, char **version, err_t **err)
{
    semver_t v;
    AUTO(strv_free_p) char **texts = NULL;
    if (semver_parse(f->revision, &v)) {
        *version = xstrdup(f->revision);
        return 0;
    }
    int r = list_texts(f, &texts, err);
    if (r < 0)
        return r;
    r = semver_select(texts, strv_len(texts), f->revision, NULL, version, err);
    return r < 0 ? err_wrap(err, "invalid revision") : 0;
}

/* ---- from a Helm repository ---- */

static bool is_sha256(const char *hex)
{
    return strlen(hex) == 64 && strspn(hex, "0123456789abcdefABCDEF") == 64;
}

/* The entry whose version is spelled so, else one that means the same ("v1.2.3"). */
static const struct index_entry *find_version(const index_entries_t *entries, const char *version)
{
    semver_t wanted, v;
    const char *plus = strchr(version, '+');
    VEC_FOREACH(entries, e)
        if (str_eq(e->version, version))
            return e;
    if (plus || !semver_parse(version, &wanted))
        return NULL;
    VEC_FOREACH(entries, e)
        if (semver_parse(e->version, &v) && semver_compare(&v, &wanted) == 0)
            return e;
    return NULL;
}

/* A relative URL starts at the repository's; its query (a token, for some) goes along. */
static char *absolute_url(const remote_t *r, const char *url)
{
    if (strstr(url, "://"))
        return xstrdup(url);
    const char *query = strchr(r->base, '?');
    size_t n = query ? (size_t)(query - r->base) : strlen(r->base);
    if (*url == '/') {
        url += strspn(url, "/");
        return xasprintf("%s/%s%s", r->origin, url, query ? query : "");
    }
    return xasprintf("%.*s/%s%s", (int)n, r->base, url, query ? query : "");
}

static enum remote_identity identity_for(const struct fetch *f, const char *url)
{
    struct http_url parsed;
    if (f->pass_credentials)
        return REMOTE_SELF;
    if (http_url_parse(url, &parsed, NULL) < 0)
        return REMOTE_STRANGER;
    AUTO(free_p) char *origin = http_url_origin(&parsed);
    http_url_dispose(&parsed);
    return str_eq(origin, f->remote->origin) ? REMOTE_SELF : REMOTE_STRANGER;
}

static int check_digest(const struct index_entry *e, const unsigned char got[SHA256_SIZE], err_t **err)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; is_sha256(e->digest) && i < SHA256_SIZE; i++)
        if (tolower((unsigned char)e->digest[2 * i]) != digits[got[i] >> 4] ||
            tolower((unsigned char)e->digest[2 * i + 1]) != digits[got[i] & 15])
            return err_set(err, ERR_DATA_LOSS, "chart %s %s has another digest than its index says", e->name,
                           e->version);
    return 0;
}

static int download(struct fetch *f, const struct index_entry *e, const char *pack, err_t **err)
{
    AUTO(free_p) char *url = absolute_url(f->remote, e->url);
    struct remote_answer a;
    AUTO(close_p) int fd = store_scratch(f->a, err);
    if (fd < 0)
        return fd;
    uint64_t max = f->a->options.max_chart;
    struct remote_get get = {.url = url,
                             .identity = identity_for(f, url),
                             .max = max ? max : UINT64_MAX / 2,
                             .fd = fd,
                             .canceled = f->canceled};
    int r = remote_get(f->remote, &f->a->options.remote, &get, &a, err);
    if (r < 0)
        return r;
    r = a.status == 200 ? check_digest(e, a.sha256, err) : remote_refused(url, a.status, err);
    remote_answer_dispose(&a);
    lseek(fd, 0, SEEK_SET);
    struct pack_options options = {.max_bytes = max, .root = directory_of(f->chart)};
    if (r == 0)
        r = pack_make(fd, pack, &options, err);
    return r;
}

static int from_repository(struct fetch *f, const char *version, char **pack, err_t **err)
{
    index_entries_t entries = {};
    char key[SHA256_HEX];
    int r = list_index(f, f->chart, &entries, err);
    const struct index_entry *e = find_version(&entries, version);
    if (r == 0 && !entries.n)
        r = not_found(f, err);
    else if (r == 0 && (!e || !*e->url))
        r = err_set(err, ERR_NOT_FOUND, "chart \"%s\" version \"%s\" not found in %s repository", f->chart,
                    version, f->remote->shown);
    if (r == 0) {
        bool pinned = is_sha256(e->digest);
        store_key(key, f->remote->access_key, f->chart, pinned ? "digest" : e->version,
                  pinned ? e->digest : e->url, NULL);
        *pack = store_pack_path(f->a, key);
        bool have = pinned && !f->fresh_content && store_has_pack(*pack);
        r = have ? 0 : download(f, e, *pack, err);
    }
    index_entries_free(&entries);
    return r;
}

/* ---- from a registry ---- */

static int from_registry(struct fetch *f, const char *version, char **pack, err_t **err)
{
    AUTO(free_p) char *repository = repository_of(f);
    AUTO(free_p) char *tag = xstrdup(version);
    struct registry reg = {.remote = f->remote,
                           .settings = &f->a->options.remote,
                           .repository = repository,
                           .canceled = f->canceled};
    char digest[OCI_DIGEST];
    AUTO_JSON manifest = NULL;
    for (char *p = tag; *p; p++)
        *p = *p == '+' ? '_' : *p;
    int r = registry_manifest(&reg, tag, digest, &manifest, err);
    if (r == 0)
        r = oci_unpack(f, &reg, digest, manifest, directory_of(f->chart), pack, err);
    registry_dispose(&reg);
    return r;
}

int chart_fetch(struct fetch *f, struct artifact *out, err_t **err)
{
    char question[SHA256_HEX];
    int r = resolve(f, &out->revision, err);
    if (r < 0 || f->resolve_only)
        return r;
    store_key(question, f->remote->access_key, f->chart, out->revision, NULL);
    out->pack = f->fresh_content
                    ? NULL
                    : store_recall(f->a, &f->a->contents, question, f->a->options.content_ttl_ns);
    if (out->pack && store_has_pack(out->pack))
        return 0;
    free(TAKE(out->pack));
    r = f->remote->oci ? from_registry(f, out->revision, &out->pack, err)
                       : from_repository(f, out->revision, &out->pack, err);
    if (r == 0)
        store_remember(f->a, &f->a->contents, question, out->pack);
    return r < 0 ? err_wrap(err, "fetch chart %s %s of %s", f->chart, out->revision, f->remote->shown) : 0;
}
