/* Methods that are answered from the list of references. */
#include "repo-server/repo.h"

/* ---- TestRepository ---- */

static void tested(struct request *q)
{
    Cargocd__Repo__TestRepositoryResponse out = CARGOCD__REPO__TEST_REPOSITORY_RESPONSE__INIT;
    request_reply(q, &out.base);
}

/* A Helm repository or a registry. */
static void test_remote(void *arg)
{
    struct request *q = arg;
    const Cargocd__Repo__TestRepositoryRequest *m = (const void *)q->in;
    AUTO(remote_unref_p) remote_t *remote = NULL;
    AUTO_ERR err = NULL;
    int r = message_remote(m->repo, &remote, &err);
    if (r == 0)
        r = artifacts_test(q->repo->artifacts, remote, rpc_call_canceled(q->call), &err);
    if (r < 0)
        request_fail(q, err);
    else
        tested(q);
}

void serve_test_repository(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const Cargocd__Repo__TestRepositoryRequest *m = (const void *)in;
    const char *type = m->repo ? m->repo->type : "";
    struct request *q = request_new(ctx, call, in, "TestRepository", tested);
    AUTO_ERR err = NULL;
    q->lists_only = true;
    if (!str_empty(type) && !str_eq(type, "git") && !str_eq(type, "helm") && !str_eq(type, "oci")) {
        err_set(&err, ERR_UNKNOWN, "unsupported repository type \"%s\"", type);
        request_fail(q, err);
        return;
    }
    q->error_prefix = "error testing repository connectivity";
    if (str_eq(type, "helm") || str_eq(type, "oci")) {
        request_network(q, test_remote);
        return;
    }
    if (request_target(q, "", m->repo, "", NULL, true, &err) < 0)
        request_fail(q, err);
    else
        request_go(q);
}

/* ---- ListRefs ---- */

static void listed(struct request *q)
{
    const git_refs_t *refs = q->targets.v[0].refs;
    AUTO(strv_free_p) char **branches = git_refs_names(refs, "refs/heads/");
    AUTO(strv_free_p) char **tags = git_refs_names(refs, "refs/tags/");
    Cargocd__Repo__ListRefsResponse out = CARGOCD__REPO__LIST_REFS_RESPONSE__INIT;
    out.branches = branches;
    out.n_branches = strv_len(branches);
    out.tags = tags;
    out.n_tags = strv_len(tags);
    request_reply(q, &out.base);
}

void serve_list_refs(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const Cargocd__Repo__ListRefsRequest *m = (const void *)in;
    struct request *q = request_new(ctx, call, in, "ListRefs", listed);
    AUTO_ERR err = NULL;
    q->lists_only = true;
    if (request_target(q, "", m->repo, "", NULL, false, &err) < 0)
        request_fail(q, err);
    else
        request_go(q);
}

/* ---- ResolveRevision, ResolveMany ---- */

static void reply_resolved(struct request *q, const char *asked, const char *text)
{
    AUTO(free_p) char *shown = xasprintf("%s (%s)", asked, text);
    Cargocd__Repo__ResolveRevisionResponse out = CARGOCD__REPO__RESOLVE_REVISION_RESPONSE__INIT;
    out.revision = (char *)text;
    out.ambiguous_revision = shown;
    request_reply(q, &out.base);
}

static void resolved(struct request *q)
{
    const struct target *t = &q->targets.v[0];
    if (t->remote) {
        reply_resolved(q, t->revision, t->commit);
        return;
    }
    struct git_revision rev = {};
    AUTO_ERR err = NULL;
    if (git_refs_resolve(t->refs, t->revision, t->tag_prefix, &rev, &err) < 0)
        request_fail(q, err);
    else
        reply_resolved(q, t->revision, rev.text);
    git_revision_dispose(&rev);
}

static void free_json(void *p)
{
    json_decref(p);
}

void serve_resolve_revision(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const Cargocd__Repo__ResolveRevisionRequest *m = (const void *)in;
    struct request *q = request_new(ctx, call, in, "ResolveRevision", resolved);
    json_t *source = NULL;
    AUTO_ERR err = NULL;
    q->lists_only = true;
    int r = m->source.len ? message_source(&m->source, &source, &err) : 0;
    q->data = source;
    q->data_free = free_json;
    bool git = source_class(source) == SOURCE_GIT;
    if (r == 0 && git && git_is_commit(m->ambiguous_revision)) { /* itself, whatever the repository says */
        reply_resolved(q, m->ambiguous_revision, m->ambiguous_revision);
        return;
    }
    if (r == 0)
        r = request_source(q, m->repo, source, m->ambiguous_revision, git ? m->no_revision_cache : true,
                           false, &err);
    if (r < 0)
        request_fail(q, err);
    else
        request_go(q);
}

static void resolved_many(struct request *q)
{
    const Cargocd__Repo__ResolveManyRequest *m = (const void *)q->in;
    size_t n = m->n_revisions;
    char **commits = xcalloc(n + 1, sizeof(*commits)), **errors = xcalloc(n + 1, sizeof(*errors));
    for (size_t i = 0; i < n; i++) {
        struct git_revision rev = {};
        AUTO_ERR err = NULL;
        git_refs_resolve(q->targets.v[0].refs, m->revisions[i], NULL, &rev, &err);
        commits[i] = xstrdup(str_or_empty(rev.text));
        errors[i] = xstrdup(err_text(err));
        git_revision_dispose(&rev);
    }
    Cargocd__Repo__ResolveManyResponse out = CARGOCD__REPO__RESOLVE_MANY_RESPONSE__INIT;
    out.commits = commits;
    out.n_commits = n;
    out.errors = errors;
    out.n_errors = n;
    request_reply(q, &out.base);
    strv_free(commits);
    strv_free(errors);
}

void serve_resolve_many(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const Cargocd__Repo__ResolveManyRequest *m = (const void *)in;
    struct request *q = request_new(ctx, call, in, "ResolveMany", resolved_many);
    AUTO_ERR err = NULL;
    q->lists_only = true;
    if (request_target(q, "", m->repo, "", NULL, m->no_revision_cache, &err) < 0)
        request_fail(q, err);
    else
        request_go(q);
}
