#include "repo-server/integrity/signatures.h"
#include "common/base/map.h"

#include <ctype.h>

enum { MAX_COMMITS = 100000 };

#define PGP_BEGIN "-----BEGIN PGP "
#define SEAL      "Argocd-gpg-seal:"

static int lost(const char *what, err_t **err)
{
    return err_set(err, ERR_DATA_LOSS, "%s of the clone cannot be read", what);
}

static char *identity(const git_signature *who)
{
    return who ? xasprintf("%s <%s>", str_or_empty(who->name), str_or_empty(who->email)) : xstrdup("");
}

/* ---- commits ---- */

static int check_commit(const struct signatures_query *q, const git_oid *oid, signatures_t *out, err_t **err)
{
    git_commit *c = NULL;
    git_buf signature = {}, data = {};
    git_oid id = *oid;
    char hex[GIT_OID_HEX];
    git_repository *repo = git_lease_repo(q->lease);
    git_oid_tostr(hex, sizeof(hex), oid);
    if (git_commit_lookup(&c, repo, oid) < 0)
        return lost("a commit", err);
    struct signature s = {.status = SIGNATURE_UNSIGNED};
    int r = git_commit_extract_signature(&signature, &data, repo, &id, NULL);
    /* Signatures of other kinds (ssh, X.509) are nobody's key of the keyring. */
    if (r == 0 && signature.ptr && str_has_prefix(signature.ptr, PGP_BEGIN))
        r = gpg_verify(q->gpg, hex, (view_t){data.ptr, data.size}, (view_t){signature.ptr, signature.size},
                       &s.status, s.key, err);
    else
        r = r == GIT_ENOTFOUND || r == 0 ? 0 : lost("a commit", err);
    if (r == 0) {
        s.revision = xstrdup(hex);
        s.author = identity(git_commit_author(c));
        VEC_PUSH(out, s);
    }
    git_buf_dispose(&signature);
    git_buf_dispose(&data);
    git_commit_free(c);
    return r;
}

/* ---- tags ---- */

/* The signature stands at the end of the tag, and signs all before it. */
static const char *find_signature(const char *text, size_t n)
{
    for (const char *at = text; (at = memmem(at, (size_t)(text + n - at), PGP_BEGIN, strlen(PGP_BEGIN)));
         at++)
        if (at == text || at[-1] == '\n')
            return at;
    return NULL;
}

static int check_tag(const struct signatures_query *q, signatures_t *out, err_t **err)
{
    git_oid oid;
    git_tag *tag = NULL;
    git_object *target = NULL;
    git_odb_object *raw = NULL;
    char peeled[GIT_OID_HEX] = "";
    struct signature s = {.status = SIGNATURE_UNSIGNED};
    int r = 0;
    if (git_oid_fromstr(&oid, q->tag_object) < 0 ||
        git_tag_lookup(&tag, git_lease_repo(q->lease), &oid) < 0 || git_tag_peel(&target, tag) < 0 ||
        git_odb_read(&raw, git_lease_odb(q->lease), &oid) < 0)
        r = lost("a tag", err);
    if (target)
        git_oid_tostr(peeled, sizeof(peeled), git_object_id(target));
    if (r == 0 && (strcmp(peeled, q->commit) != 0 || !str_eq(git_tag_name(tag), q->tag)))
        r = err_set(err, ERR_FAILED_PRECONDITION, "tag %s is not a tag of the commit %s", q->tag, q->commit);
    const char *text = r == 0 ? git_odb_object_data(raw) : NULL;
    size_t n = r == 0 ? git_odb_object_size(raw) : 0;
    const char *signature = r == 0 ? find_signature(text, n) : NULL;
    if (signature)
        r = gpg_verify(q->gpg, q->tag_object, (view_t){text, (size_t)(signature - text)},
                       (view_t){signature, (size_t)(text + n - signature)}, &s.status, s.key, err);
    if (r == 0) {
        s.revision = xstrdup(q->tag);
        s.author = identity(git_tag_tagger(tag));
        VEC_PUSH(out, s);
    }
    git_odb_object_free(raw);
    git_object_free(target);
    git_tag_free(tag);
    return r;
}

/* ---- history ---- */

typedef VEC(git_oid) oids_t;

static bool has_seal(const char *message)
{
    for (const char *p = message; *p; p++)
        if (tolower((unsigned char)*p) == 'a' && strncasecmp(p, SEAL, strlen(SEAL)) == 0)
            return true;
    return false;
}

static int walk_from(const struct signatures_query *q, const oids_t *hidden, oids_t *out, err_t **err)
{
    git_revwalk *walk = NULL;
    git_oid oid;
    int r = git_oid_fromstr(&oid, q->commit);
    if (r == 0)
        r = git_revwalk_new(&walk, git_lease_repo(q->lease));
    if (r == 0)
        r = git_revwalk_sorting(walk, GIT_SORT_TIME);
    if (r == 0)
        r = git_revwalk_push(walk, &oid);
    for (size_t i = 0; r == 0 && i < hidden->n; i++)
        r = git_revwalk_hide(walk, &hidden->v[i]);
    while (r == 0 && (r = git_revwalk_next(&oid, walk)) == 0) {
        VEC_PUSH(out, oid);
        if (out->n > MAX_COMMITS)
            break;
    }
    git_revwalk_free(walk);
    if (out->n > MAX_COMMITS)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "more than %d commits to verify", MAX_COMMITS);
    return r == GIT_ITEROVER || r == 0 ? 0 : lost("the history", err);
}

/* The seals of the history that have a good signature, the latest first. */
static int find_seals(const struct signatures_query *q, oids_t *seals, err_t **err)
{
    oids_t all = {}, none = {};
    int r = walk_from(q, &none, &all, err);
    for (size_t i = 0; r == 0 && i < all.n; i++) {
        git_commit *c = NULL;
        signatures_t one = {};
        if (git_commit_lookup(&c, git_lease_repo(q->lease), &all.v[i]) < 0)
            r = lost("a commit", err);
        bool seal = r == 0 && has_seal(str_or_empty(git_commit_message(c)));
        git_commit_free(c);
        if (seal)
            r = check_commit(q, &all.v[i], &one, err);
        if (seal && r == 0 && one.v[0].status == SIGNATURE_GOOD)
            VEC_PUSH(seals, all.v[i]);
        signatures_free(&one);
    }
    VEC_FREE(&all);
    return r;
}

/* Parents of what was walked that were not: where the seals have stopped it. */
static int add_boundary(const struct signatures_query *q, oids_t *walked, err_t **err)
{
    map_t seen = {};
    char hex[GIT_OID_HEX];
    size_t n = walked->n;
    int r = 0;
    for (size_t i = 0; i < n; i++)
        map_put(&seen, git_oid_tostr(hex, sizeof(hex), &walked->v[i]), walked);
    for (size_t i = 0; r == 0 && i < n; i++) {
        git_commit *c = NULL;
        if (git_commit_lookup(&c, git_lease_repo(q->lease), &walked->v[i]) < 0)
            r = lost("a commit", err);
        for (unsigned k = 0; r == 0 && k < git_commit_parentcount(c); k++) {
            const git_oid *parent = git_commit_parent_id(c, k);
            if (map_put(&seen, git_oid_tostr(hex, sizeof(hex), parent), walked))
                VEC_PUSH(walked, *parent);
        }
        git_commit_free(c);
    }
    map_dispose(&seen);
    return r;
}

static int check_history(const struct signatures_query *q, signatures_t *out, err_t **err)
{
    oids_t seals = {}, commits = {};
    git_oid head;
    int r = git_oid_fromstr(&head, q->commit) < 0 ? lost("a commit", err) : find_seals(q, &seals, err);
    if (r == 0 && seals.n && git_oid_equal(&seals.v[0], &head))
        VEC_PUSH(&commits, head);
    else if (r == 0)
        r = walk_from(q, &seals, &commits, err);
    if (r == 0 && seals.n && !git_oid_equal(&seals.v[0], &head))
        r = add_boundary(q, &commits, err);
    for (size_t i = 0; r == 0 && i < commits.n; i++)
        r = check_commit(q, &commits.v[i], out, err);
    VEC_FREE(&seals);
    VEC_FREE(&commits);
    return r;
}

int signatures_list(const struct signatures_query *q, signatures_t *out, err_t **err)
{
    git_oid head;
    int r = q->tag_object ? check_tag(q, out, err) : 0;
    if (r < 0 || (q->tag_object && !q->deep))
        return r;
    if (q->deep)
        return check_history(q, out, err);
    return git_oid_fromstr(&head, q->commit) < 0 ? lost("a commit", err) : check_commit(q, &head, out, err);
}
