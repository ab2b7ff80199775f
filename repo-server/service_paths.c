/* UpdateRevisionForPaths: whether a new revision concerns an application, by the paths of its annotation
 * manifest-generate-paths. Argo CD's callers ask it to save renderings; ours need not, since a rendering
 * knows what it was made of. */
#include "repo-server/repo.h"

#include <git2.h>

typedef Cargocd__Repo__UpdateRevisionForPathsRequest message_t;

/* Targets come in pairs: the revision now and the one that was synced. */
struct update {
    json_t *source;
};

static void update_free(void *p)
{
    struct update *u = p;
    json_decref(u->source);
    free(u);
}

static void reply(struct request *q, bool changes, const char *revision)
{
    Cargocd__Repo__UpdateRevisionForPathsResponse out =
        CARGOCD__REPO__UPDATE_REVISION_FOR_PATHS_RESPONSE__INIT;
    out.changes = changes;
    out.revision = (char *)revision;
    request_reply(q, &out.base);
}

/* ---- what changed ---- */

struct search {
    char *const *paths;
    bool found;
};

static int on_file(const git_diff_delta *d, float progress, void *arg)
{
    struct search *s = arg;
    s->found = generate_paths_match(s->paths, d->old_file.path) ||
               generate_paths_match(s->paths, d->new_file.path);
    return s->found; /* ends the walk */
}

static int tree_of(git_lease_t *lease, const char *commit, git_tree **out)
{
    git_oid oid;
    git_commit *c = NULL;
    int r = git_oid_fromstr(&oid, commit);
    if (r == 0)
        r = git_commit_lookup(&c, git_lease_repo(lease), &oid);
    if (r == 0)
        r = git_commit_tree(out, c);
    git_commit_free(c);
    return r;
}

/* Renames are not sought: a file that has moved away is a change where it was. */
static int differs(git_lease_t *lease, const struct target *now, const struct target *before,
                   struct search *s, err_t **err)
{
    git_tree *a = NULL, *b = NULL;
    git_diff *diff = NULL;
    git_diff_options options;
    git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
    int r = tree_of(lease, before->commit, &a);
    if (r == 0)
        r = tree_of(lease, now->commit, &b);
    if (r == 0)
        r = git_diff_tree_to_tree(&diff, git_lease_repo(lease), a, b, &options);
    if (r == 0)
        git_diff_foreach(diff, on_file, NULL, NULL, NULL, s);
    git_diff_free(diff);
    git_tree_free(a);
    git_tree_free(b);
    return r < 0 ? err_set(err, ERR_DATA_LOSS, "the commits of the clone cannot be compared") : 0;
}

static int compare_pair(struct request *q, size_t i, struct search *s, err_t **err)
{
    const struct target *now = &q->targets.v[i], *before = &q->targets.v[i + 1];
    AUTO(git_lease_close_p) git_lease_t *lease = NULL;
    if (strcmp(now->commit, before->commit) == 0)
        return 0;
    int r = git_lease_open(q->repo->store, now->origin->storage_key, &lease, err);
    if (r == 0)
        r = differs(lease, now, before, s, err);
    if (r == -ERR_DATA_LOSS && lease)
        git_lease_corrupt(lease);
    return r;
}

static void compare(void *arg)
{
    struct request *q = arg;
    const message_t *m = (const message_t *)q->in;
    const struct update *u = q->data;
    AUTO_ERR err = NULL;
    AUTO_STR annotation = STR_INIT;
    for (size_t i = 0; i < m->n_paths; i++)
        str_printf(&annotation, "%s;/%s", i ? ";" : "", m->paths[i]);
    AUTO(strv_free_p)
    char **paths = generate_paths_of(str_text(&annotation), str_or_empty(json_str_at(u->source, "path")));
    struct search s = {.paths = paths};
    int r = 0;
    for (size_t i = 0; r == 0 && !s.found && i < q->targets.n; i += 2)
        r = compare_pair(q, i, &s, &err);
    if (r == -ERR_DATA_LOSS && request_again(q))
        return;
    if (r < 0)
        request_fail(q, err);
    else
        reply(q, s.found, q->targets.v[0].commit);
}

static void ready(struct request *q)
{
    request_work(q, compare);
}

/* ---- the request ---- */

static const Cargocd__Repo__RefTarget *synced_ref(const message_t *m, const char *name)
{
    for (size_t i = 0; i < m->n_synced_ref_sources; i++)
        if (str_eq(m->synced_ref_sources[i]->key, name))
            return m->synced_ref_sources[i]->value;
    return NULL;
}

static bool uses(const json_t *source, const char *name)
{
    static const char *const fields[] = {"valueFiles", "fileParameters"};
    size_t n = strlen(name);
    for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
        const json_t *list = json_at(source, "helm", fields[f]);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *entry = json_array_get(list, i);
            const char *text = str_or_empty(f ? json_str_at(entry, "path") : json_string_value(entry));
            if (strncmp(text, name, n) == 0 && (text[n] == '/' || !text[n]))
                return true;
        }
    }
    return false;
}

/* False: a reference that was not synced before, which is a change by itself. */
static bool add_refs(struct request *q, const message_t *m, const json_t *source, int *result, err_t **err)
{
    const Cargocd__Repo__GenerateManifestRequest *g = m->request;
    for (size_t i = 0; *result == 0 && i < g->n_ref_sources; i++) {
        const char *name = g->ref_sources[i]->key;
        const Cargocd__Repo__RefTarget *now = g->ref_sources[i]->value, *before = synced_ref(m, name);
        if (!now || !uses(source, name))
            continue;
        if (!before)
            return false;
        *result = request_target(q, name, now->repo, now->target_revision, NULL, g->no_revision_cache, err);
        if (*result == 0)
            *result = request_target(q, name, before->repo, before->target_revision, NULL, false, err);
    }
    return true;
}

static int add_source(struct request *q, const message_t *m, const json_t *source, err_t **err)
{
    const Cargocd__Repo__GenerateManifestRequest *g = m->request;
    const char *prefix = json_str_at(source, "tagPrefix");
    const char *revision = *g->revision ? g->revision : str_or_empty(json_str_at(source, "targetRevision"));
    int r = request_target(q, "", g->repo, revision, prefix, g->no_revision_cache, err);
    return r < 0 ? r : request_target(q, "", g->repo, m->synced_revision, prefix, false, err);
}

void serve_update_revision(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const message_t *m = (const message_t *)in;
    struct request *q = request_new(ctx, call, in, "UpdateRevisionForPaths", ready);
    struct update *u = xcalloc(1, sizeof(*u));
    AUTO_ERR err = NULL;
    q->data = u;
    q->data_free = update_free;
    int r = m->request ? message_source(&m->request->source, &u->source, &err)
                       : err_set(&err, ERR_INVALID_ARGUMENT, "the request names no application");
    if (r == 0 && !m->n_paths) {
        reply(q, true, "");
        return;
    }
    bool git = r == 0 && source_class(u->source) == SOURCE_GIT, known = true;
    if (git)
        r = add_source(q, m, u->source, &err);
    if (r == 0)
        known = add_refs(q, m, u->source, &r, &err);
    if (r < 0)
        request_fail(q, err);
    else if (!known || !q->targets.n)
        reply(q, !known, "");
    else
        request_go(q);
}
