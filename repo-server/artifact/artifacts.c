#include "repo-server/artifact/artifacts.h"
#include "common/base/file.h"
#include "repo-server/artifact/store.h"

/* ---- one question ---- */

static void fetch_free(void *p)
{
    struct fetch *f = p;
    remote_unref(f->remote);
    free(f->chart);
    free(f->revision);
    free(f);
}

static void artifact_free(void *p)
{
    struct artifact *a = p;
    free(a->revision);
    free(a->pack);
    free(a);
}

static int run(void *ctx, const char *key, void *job, atomic_bool *canceled, void **result, err_t **err)
{
    struct fetch *f = job;
    struct artifact *out = xcalloc(1, sizeof(*out));
    f->a = ctx;
    f->canceled = canceled;
    int r = *f->chart ? chart_fetch(f, out, err) : oci_fetch(f, out, err);
    if (r < 0)
        artifact_free(out);
    else
        *result = out;
    return r;
}

static struct fetch *fetch_new(artifacts_t *a, const struct artifact_want *w)
{
    struct fetch *f = xcalloc(1, sizeof(*f));
    *f = (struct fetch){
        .a = a,
        .remote = remote_ref(w->remote),
        .chart = xstrdup(str_or_empty(w->chart)),
        .revision = xstrdup(str_or_empty(w->revision)),
        .fresh_lists = w->fresh_lists,
        .fresh_content = w->fresh_content,
        .resolve_only = w->resolve_only,
        .pass_credentials = w->pass_credentials,
        .started = mono_now(),
    };
    return f;
}

struct waiting {
    artifact_done_fn done;
    void *arg;
};

static void landed(void *arg, void *result, err_t *err)
{
    struct waiting *w = arg;
    w->done(w->arg, result, err);
    free(w);
}

void artifacts_get(artifacts_t *a, const struct artifact_want *want, artifact_done_fn done, void *arg)
{
    char flags[] = {(char)('0' + want->fresh_lists), (char)('0' + want->fresh_content),
                    (char)('0' + want->resolve_only), (char)('0' + want->pass_credentials), '\0'};
    char key[SHA256_HEX];
    struct waiting *w = xmalloc(sizeof(*w));
    *w = (struct waiting){done, arg};
    store_key(key, want->remote->access_key, str_or_empty(want->chart), str_or_empty(want->revision), flags,
              NULL);
    flight_join(a->flights, key, want->fresh_lists || want->fresh_content, fetch_new(a, want), landed, w,
                NULL);
}

/* ---- lists ---- */

static struct fetch plain_fetch(artifacts_t *a, remote_t *remote, atomic_bool *canceled, bool fresh)
{
    return (struct fetch){.a = a,
                          .remote = remote,
                          .chart = "",
                          .revision = "",
                          .fresh_lists = fresh,
                          .canceled = canceled,
                          .started = mono_now()};
}

int artifacts_charts(artifacts_t *a, remote_t *remote, index_entries_t *out, atomic_bool *canceled,
                     err_t **err)
{
    struct fetch f = plain_fetch(a, remote, canceled, true);
    return list_index(&f, NULL, out, err);
}

static struct registry conversation(artifacts_t *a, const remote_t *remote, atomic_bool *canceled)
{
    return (struct registry){
        .remote = remote, .settings = &a->options.remote, .repository = remote->path, .canceled = canceled};
}

int artifacts_tags(artifacts_t *a, remote_t *remote, char ***out, atomic_bool *canceled, err_t **err)
{
    struct fetch f = plain_fetch(a, remote, canceled, true);
    struct registry reg = conversation(a, remote, canceled);
    int64_t started = mono_now().ns;
    int r = registry_tags(&reg, out, err);
    registry_dispose(&reg);
    oci_count(&f, "get-tags", started, r);
    return r;
}

int artifacts_manifest(artifacts_t *a, remote_t *remote, const char *revision, json_t **out,
                       atomic_bool *canceled, err_t **err)
{
    struct fetch f = plain_fetch(a, remote, canceled, true);
    struct registry reg = conversation(a, remote, canceled);
    AUTO(free_p) char *shown = xstrdup(revision);
    f.revision = shown;
    char digest[OCI_DIGEST];
    int64_t started = mono_now().ns;
    int r = registry_manifest(&reg, revision, digest, out, err);
    registry_dispose(&reg);
    oci_count(&f, "digest-metadata", started, r);
    return r;
}

int artifacts_test(artifacts_t *a, remote_t *remote, atomic_bool *canceled, err_t **err)
{
    index_entries_t none = {};
    struct fetch f = plain_fetch(a, remote, canceled, false);
    if (!remote->oci) {
        int e = list_index(&f, "", &none, err);
        index_entries_free(&none);
        return e;
    }
    struct registry reg = conversation(a, remote, canceled);
    int64_t started = mono_now().ns;
    int r = registry_ping(&reg, err);
    registry_dispose(&reg);
    oci_count(&f, "test-repo", started, r);
    return r;
}

/* ---- life ---- */

int artifacts_new(const struct artifacts_options *options, artifacts_t **out, err_t **err)
{
    static const struct flight_ops ops = {run, fetch_free, artifact_free};
    artifacts_t *a = xcalloc(1, sizeof(*a));
    a->options = *options;
    a->packs = xasprintf("%s/packs", options->root);
    a->lists = xasprintf("%s/lists", options->root);
    a->resolved.value_free = free;
    a->contents.value_free = free;
    pthread_mutex_init(&a->lock, NULL);
    for (size_t i = 0; i < LIST_LOCKS; i++)
        pthread_mutex_init(&a->list_locks[i], NULL);
    a->flights = flights_new(options->pool, &ops, a);
    int r = dir_make(a->packs, 0700, err);
    if (r == 0)
        r = dir_make(a->lists, 0700, err);
    if (r < 0)
        artifacts_free(a);
    else
        *out = a;
    return r;
}

void artifacts_free(artifacts_t *a)
{
    if (!a)
        return;
    flights_free(a->flights);
    map_dispose(&a->resolved);
    map_dispose(&a->contents);
    pthread_mutex_destroy(&a->lock);
    for (size_t i = 0; i < LIST_LOCKS; i++)
        pthread_mutex_destroy(&a->list_locks[i]);
    free(a->packs);
    free(a->lists);
    free(a);
}
