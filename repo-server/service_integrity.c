/* Source integrity, for the methods that are asked for it. All repositories that a request reads from count:
 * values that come from an unsigned commit would undo the signature of the commit that uses them. */
#include "repo-server/integrity/signatures.h"
#include "repo-server/repo.h"

enum { SPEC_MAX = 1 << 20 };

/* The whole ancestry is to be verified, so that it must be there. That there is more than one policy is told
 * later. */
static int want_history(const struct request *q, const json_t *spec, struct target *t, err_t **err)
{
    struct integrity_policy policy;
    origin_t *whole = NULL;
    if (!t->origin ||
        integrity_policy_of(spec, t->origin->url, !q->repo->options.gpg_disabled, &policy, NULL) < 0 ||
        policy.mode != INTEGRITY_STRICT)
        return 0;
    int r = origin_whole(t->origin, &q->repo->options.git, &whole, err);
    if (r == 0) {
        origin_unref(t->origin);
        t->origin = whole;
    }
    return r;
}

int request_integrity(struct request *q, const ProtobufCBinaryData *spec, json_t **out, err_t **err)
{
    AUTO_JSON doc = NULL;
    if (!spec->len)
        return 0;
    if (spec->len > SPEC_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "the project's sourceIntegrity is too large");
    int r = json_read((const char *)spec->data, spec->len, &doc, err);
    if (r < 0)
        return err_wrap(err, "read the project's sourceIntegrity");
    if (json_is_null(doc))
        return 0;
    VEC_FOREACH(&q->targets, t) {
        t->wants_tag = true;
        r = r < 0 ? r : want_history(q, doc, t, err);
    }
    if (r == 0)
        *out = TAKE(doc);
    return r;
}

static int list_signatures(const repo_t *r, const struct target *t, enum integrity_mode mode,
                           signatures_t *out, err_t **err)
{
    AUTO(git_lease_close_p) git_lease_t *lease = NULL;
    int e = git_lease_open(r->store, t->origin->storage_key, &lease, err);
    if (e < 0)
        return e;
    const char *tag = t->resolved.ref ? str_after(t->resolved.ref, "refs/tags/") : NULL;
    struct signatures_query q = {.lease = lease,
                                 .gpg = r->gpg,
                                 .commit = t->commit,
                                 .tag = tag,
                                 .tag_object = tag ? t->resolved.object : NULL,
                                 .deep = mode == INTEGRITY_STRICT};
    e = signatures_list(&q, out, err);
    if (e == -ERR_DATA_LOSS)
        git_lease_corrupt(lease);
    return e;
}

static void merge(json_t **all, json_t *one_take)
{
    AUTO_JSON one = one_take;
    if (!*all) {
        *all = TAKE(one);
        return;
    }
    json_t *check = json_array_get(json_object_get(*all, "Checks"), 0);
    const json_t *more = json_object_get(json_array_get(json_object_get(one, "Checks"), 0), "Problems");
    if (json_is_array(more) && !json_is_array(json_object_get(check, "Problems")))
        json_object_set_new(check, "Problems", json_array());
    for (size_t i = 0; i < json_array_size(more); i++)
        json_array_append(json_object_get(check, "Problems"), json_array_get(more, i));
}

static int verify_target(struct request *q, const struct target *t, const json_t *spec, json_t **result,
                         char **legacy, err_t **err)
{
    struct integrity_policy policy;
    signatures_t found = {};
    if (!t->origin)
        return 0;
    int r = integrity_policy_of(spec, t->origin->url, !q->repo->options.gpg_disabled, &policy, err);
    if (r < 0 || policy.mode == INTEGRITY_NONE)
        return r;
    r = list_signatures(q->repo, t, policy.mode, &found, err);
    if (r == 0) {
        merge(result, integrity_result(&policy, &found));
        if (legacy && !*legacy)
            *legacy = integrity_legacy_text(&found);
    }
    signatures_free(&found);
    return r;
}

int request_verify(struct request *q, const json_t *spec, json_t **result, char **legacy, err_t **err)
{
    int r = 0;
    VEC_FOREACH(&q->targets, t)
        if (r == 0)
            r = verify_target(q, t, spec, result, legacy, err);
    return r;
}

int request_must_verify(struct request *q, const json_t *spec, err_t **err)
{
    AUTO_JSON result = NULL;
    int r = spec ? request_verify(q, spec, &result, NULL, err) : 0;
    AUTO(free_p) char *problems = r == 0 && result ? integrity_problems(result) : NULL;
    return problems ? err_set(err, ERR_FAILED_PRECONDITION, "%s", problems) : r;
}
