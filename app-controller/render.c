/* Asking the repository server for manifests. */
#include "app-controller/comparison.h"
#include "app-controller/repo_message.h"
#include "common/argo/app.h"
#include "common/argo/giturl.h"
#include "common/argo/project.h"
#include "common/base/intern.h"
#include "common/base/hash.h"

#include "proto/rpc/repo.pb-c.h"

static const char *source_revision(const struct compare_input *in, size_t i)
{
    return str_or_empty(json_string_value(json_array_get(in->revisions, i)));
}

/* What a rendering depends on besides the repository's content, so that one of other settings is not taken
 * for this. */
static uint64_t hash_of_source(const struct compare_input *in, const json_t *source)
{
    uint64_t h = json_hash(source, settings_epoch(in->settings));
    h = json_hash(json_at(in->doc, "spec", "destination"), h);
    return hash_content(app_project(in->doc), strlen(app_project(in->doc)), h);
}

static json_t *parse_manifests(const Cargocd__Repo__GenerateManifestResponse *out, err_t **err)
{
    AUTO_JSON list = json_array();
    for (size_t i = 0; i < out->n_manifests; i++) {
        json_t *o = NULL;
        if (json_read((const char *)out->manifests[i].data, out->manifests[i].len, &o, err) < 0) {
            err_wrap(err, "malformed manifest %zu from the repository server", i);
            return NULL;
        }
        json_array_append_new(list, o);
    }
    return TAKE(list);
}

/* What the server need not send again: the rendering at hand, with the key that names it. */
struct kept {
    char *key;
    pack_t *manifests;
};

static struct kept keep(struct app *app, const struct compare_input *in, size_t i, uint64_t hash)
{
    if (in->no_cache)
        return (struct kept){};
    LOCKED(&app->lock);
    if (i >= app->nrenderings || app->renderings[i].source_hash != hash || !app->renderings[i].manifests)
        return (struct kept){};
    return (struct kept){xstrdup(app->renderings[i].key), pack_copy(app->renderings[i].manifests)};
}

/* Signatures that the project asks for and that are not there. */
static int check_integrity(const ProtobufCBinaryData *result, err_t **err)
{
    AUTO_JSON doc = NULL;
    AUTO_STR all = STR_INIT;
    if (!result->len)
        return 0;
    if (json_read((const char *)result->data, result->len, &doc, err) < 0)
        return err_wrap(err, "read the result of the source's verification");
    const json_t *checks = json_object_get(doc, "Checks");
    for (size_t i = 0; i < json_array_size(checks); i++) {
        const json_t *check = json_array_get(checks, i), *problems = json_object_get(check, "Problems");
        for (size_t k = 0; k < json_array_size(problems); k++)
            str_printf(&all, "%s%s: %s", all.len ? "\n" : "", str_or_empty(json_str_at(check, "Name")),
                       str_or_empty(json_string_value(json_array_get(problems, k))));
    }
    return all.len ? err_set(err, ERR_PERMISSION_DENIED, "%s", str_text(&all)) : 0;
}

static void take_response(struct kept *kept, uint64_t hash, Cargocd__Repo__GenerateManifestResponse *out,
                          struct rendering *r, err_t **err)
{
    if (check_integrity(&out->source_integrity_result, err) < 0)
        return;
    r->source_hash = hash;
    r->key = intern(out->key);
    r->revision = intern(out->revision);
    r->type = intern(out->source_type);
    r->warnings = out->n_warnings ? json_array() : NULL;
    for (size_t w = 0; w < out->n_warnings; w++)
        json_array_append_new(r->warnings, json_str_new(out->warnings[w]));
    if (out->same && kept->key && strcmp(kept->key, out->key) == 0) {
        r->manifests = TAKE(kept->manifests);
        r->same = true;
        return;
    }
    if (out->same) {
        err_set(err, ERR_INTERNAL, "the repository server names a rendering that was not asked for");
        return;
    }
    AUTO_JSON list = parse_manifests(out, err);
    r->manifests = pack_json(list);
}

static int render_source(struct controller *ctl, struct app *app, const struct compare_input *in, size_t i,
                         struct rendering *r, err_t **err)
{
    const json_t *source = json_array_get(in->sources, i);
    const char *url = str_or_empty(json_str_at(source, "repoURL"));
    uint64_t hash = hash_of_source(in, source);
    struct repo_request q;
    repo_request_init(&q, ctl, app, in, source);
    q.message.revision = (char *)(uintptr_t)source_revision(in, i);
    struct kept kept = keep(app, in, i, hash);
    if (kept.key)
        q.message.have_key = kept.key;
    AUTO(free_p) char *place = giturl_normalize(url);
    ProtobufCMessage *out = NULL;
    int r_code = rpc_replicas_do(ctl->repo, place, "repo.GenerateManifest", &q.message.base,
                                 &cargocd__repo__generate_manifest_response__descriptor,
                                 ctl->options.repo_timeout_ns, in->canceled, &out, err);
    repo_request_dispose(&q);
    AUTO_ERR bad = NULL;
    if (r_code == 0) {
        take_response(&kept, hash, (Cargocd__Repo__GenerateManifestResponse *)out, r, &bad);
        protobuf_c_message_free_unpacked(out, NULL);
    }
    free(kept.key);
    pack_free(kept.manifests);
    if (r_code < 0)
        return r_code;
    return bad ? err_move(err, TAKE(bad)) : 0;
}

/* ---- manifests that are given ---- */

const json_t *given_manifests(const json_t *sync)
{
    const json_t *list = json_object_get(sync, "manifests");
    return json_array_size(list) ? list : NULL;
}

static void fail_given(struct comparison *c, const char *message)
{
    free(c->failure);
    c->failure = xstrdup(message);
    comparison_condition(c, "ComparisonError", "%s", message);
    c->failed = true;
}

/* The manifests stand for no revision of a source: what is told of a single one is the revision asked for. */
static void take_given(const struct compare_input *in, struct comparison *c)
{
    AUTO_ERR err = NULL;
    AUTO_JSON integrity = project_source_integrity(in->project);
    if (source_integrity_covers(integrity, in->sources)) {
        fail_given(c, "Cannot use local manifests when source integrity is enforced");
        return;
    }
    AUTO_JSON list = json_array();
    for (size_t i = 0; i < json_array_size(in->manifests); i++) {
        json_t *o = NULL;
        if (json_read_str(str_or_empty(json_string_value(json_array_get(in->manifests, i))), &o, &err) == 0 &&
            !json_is_map(o)) {
            json_decref(o);
            err_set(&err, ERR_INVALID_ARGUMENT, "manifest %zu is no object", i + 1);
        }
        if (err) {
            AUTO(free_p) char *message = xasprintf("Failed to load local manifests: %s", err_text(err));
            fail_given(c, message);
            return;
        }
        json_array_append_new(list, o);
    }
    const json_t *source = json_array_get(in->sources, 0);
    const char *revision = in->revisions ? source_revision(in, 0) : json_str_at(source, "targetRevision");
    AUTO(free_p) char *key = xasprintf("given:%llx", (unsigned long long)json_hash(in->manifests, 7));
    VEC_PUSH(&c->renderings,
             (struct rendering){.key = intern(key),
                                .revision = intern(app_multi_source(in->doc) ? "" : str_or_empty(revision)),
                                .type = intern(""),
                                .manifests = pack_json(list),
                                .given = true});
}

/* As gRPC calls it. What Argo CD's repository server says of a source has no code of its own. */
static const char *code_of(err_t *err)
{
    return str_has_prefix(err_text(err), "call ") ? err_code_name(err_code(err)) : "Unknown";
}

void comparison_render(struct controller *ctl, struct app *app, const struct compare_input *in,
                       struct comparison *c)
{
    if (in->manifests) {
        take_given(in, c);
        return;
    }
    for (size_t i = 0; i < json_array_size(in->sources); i++) {
        AUTO_ERR err = NULL;
        struct rendering r = {};
        int code = render_source(ctl, app, in, i, &r, &err);
        VEC_PUSH(&c->renderings, r);
        if (code == 0)
            continue;
        free(c->failure);
        c->failure = xasprintf(
            "Failed to load target state: failed to generate manifest for source %zu of %zu: rpc error: "
            "code = %s desc = %s",
            i + 1, json_array_size(in->sources), code_of(err), err_text(err));
        comparison_condition(c, "ComparisonError", "%s", c->failure);
        c->failed = c->render_failed = true;
        return;
    }
}
