/* The order of checks is kube-apiserver's, because a test may see which of two errors comes first: decoding,
 * names against the URL, the namespace's life, preparation, validation, then what is stored. */
#include "tests/kubesim/write.h"

#include "common/base/rand.h"
#include "common/json/patch.h"
#include "tests/kubesim/audit.h"
#include "tests/kubesim/scale.h"
#include "tests/kubesim/selector.h"
#include "tests/kubesim/status.h"
#include "tests/kubesim/strategic.h"
#include "tests/kubesim/strategy.h"
#include "tests/kubesim/typed.h"
#include "tests/kubesim/validate.h"

/* ---- documents in and out ---- */

json_t *read_blob(const struct endpoint *e, const struct blob *b)
{
    AUTO(free_p) char *api_version = endpoint_api_version(e);
    json_t *o = blob_read(b, api_version, e->resource->kind);
    if (e->from_stored)
        e->from_stored(o);
    return o;
}

json_t *read_object(const struct endpoint *e, const char *ns, const char *name)
{
    struct blob *b = store_get(e->resource, ns, name);
    return b ? read_blob(e, b) : NULL;
}

static json_t *shown(const struct endpoint *e, json_t *object)
{
    AUTO(free_p) char *api_version = endpoint_api_version(e);
    json_set_str(object, "apiVersion", api_version);
    json_set_str(object, "kind", e->resource->kind);
    if (e->from_stored)
        e->from_stored(object);
    return json_incref(object);
}

static json_t *check_kind(const struct endpoint *e, const json_t *o)
{
    const struct resource *r = e->resource;
    AUTO(free_p) char *want = endpoint_api_version(e);
    const char *api_version = str_or_empty(json_str_at(o, "apiVersion")),
               *kind = str_or_empty(json_str_at(o, "kind"));
    if (r->flags & R_CUSTOM && (!*kind || !*api_version))
        return status_bad_request("Object '%s' is missing", !*kind ? "Kind" : "apiVersion");
    if (r->flags & R_CUSTOM && strcmp(api_version, want) != 0)
        return status_bad_request(
            "the API version in the data (%s) does not match the expected API version (%s)", api_version,
            want);
    if (r->flags & R_CUSTOM && strcmp(kind, r->kind) != 0) {
        json_t *causes = NULL;
        problem_add(&causes, P_INVALID, "kind", "\"%s\": must be %s", kind, r->kind);
        return status_invalid(r->group, kind, str_or_empty(json_str_at(o, "metadata", "name")), causes);
    }
    if (*kind && strcmp(kind, r->kind) != 0)
        return status_bad_request("%s in version \"%s\" cannot be handled as a %s", kind, e->version,
                                  r->kind);
    if (*api_version && strcmp(api_version, want) != 0)
        return status_bad_request(
            "%s in version \"%s\" cannot be handled as a %s: no kind \"%s\" is registered for "
            "version \"%s\"",
            r->kind, e->version, r->kind, r->kind, api_version);
    return NULL;
}

/* Checks types and turns the object into the stored version. */
static json_t *decode(const struct write *w, json_t *o)
{
    const struct resource *r = w->endpoint->resource;
    json_t *failure = json_is_map(o) ? check_kind(w->endpoint, o)
                                     : status_bad_request("the body is not an object");
    if (failure)
        return failure;
    bool custom = r->flags & R_CUSTOM;
    if (!typed_decode(o, custom ? NULL : kind_schema(w->endpoint->group, w->endpoint->version, r->kind)))
        return status_bad_request(
            "%s in version \"%s\" cannot be handled as a %s: a field has a value of another type", r->kind,
            w->endpoint->version, r->kind);
    if (!json_is_map(json_object_get(o, "metadata")))
        json_object_set_new(o, "metadata", json_object());
    json_t *meta = json_object_get(o, "metadata");
    json_object_del(meta, "managedFields");
    json_object_del(meta, "selfLink");
    const char *ns = json_str_at(meta, "namespace");
    if (!(r->flags & R_NAMESPACED))
        json_object_del(meta, "namespace");
    else if (!str_empty(ns) && strcmp(ns, w->ns) != 0)
        return status_bad_request(
            "the namespace of the provided object does not match the namespace sent on the "
            "request");
    else
        json_set_str(meta, "namespace", w->ns);
    if (w->endpoint->to_stored)
        w->endpoint->to_stored(o);
    return NULL;
}

/* ---- checks against the cluster ---- */

static json_t *check_namespace(struct sim *s, const struct write *w, const char *name)
{
    const struct resource *r = w->endpoint->resource,
                          *spaces = registry_resource(&s->registry, "", "namespaces");
    if (!(r->flags & R_NAMESPACED))
        return NULL;
    struct blob *b = store_get(spaces, "", w->ns);
    if (!b)
        return status_not_found(spaces, w->ns);
    AUTO_STR deleted = STR_INIT;
    scan_field(blob_json(b), "metadata.deletionTimestamp", &deleted);
    if (!deleted.len)
        return NULL;
    json_t *f = status_about(
        r, name, 403, "Forbidden",
        "%s \"%s\" is forbidden: unable to create new content in namespace %s because it is being "
        "terminated",
        r->key, name, w->ns);
    AUTO(free_p) char *message = xasprintf("namespace %s is being terminated", w->ns);
    json_object_set_new(json_object_get(f, "details"), "causes",
                        json_pack("[{s:s,s:s,s:s}]", "reason", "NamespaceTerminating", "message", message,
                                  "field", "metadata.namespace"));
    return f;
}

/* The ServiceAccount admission plugin: a pod's account must be there. */
static json_t *check_account(struct sim *s, const struct write *w, const json_t *o, const char *name)
{
    const struct resource *r = w->endpoint->resource;
    const char *account = json_str_at(o, "spec", "serviceAccountName");
    if (strcmp(r->key, "pods") != 0)
        return NULL;
    if (str_empty(account))
        account = "default";
    if (store_get(registry_resource(&s->registry, "", "serviceaccounts"), w->ns, account))
        return NULL;
    return status_about(
        r, name, 403, "Forbidden",
        "pods \"%s\" is forbidden: error looking up service account %s/%s: serviceaccount \"%s\" not "
        "found",
        name, w->ns, account, account);
}

static json_t *invalid(const struct resource *r, const char *name, json_t **causes)
{
    return status_invalid(r->group, r->kind, name, TAKE(*causes));
}

/* Preparation and validation; NULL when the object may go in. */
static json_t *admit(struct admission *a)
{
    const struct resource *r = a->endpoint->resource;
    strategy_normalise(a);
    strategy_prepare(a);
    if (!a->old)
        validate_name(r, a->object, &a->causes);
    validate_metadata(r, a->object, &a->causes);
    strategy_validate(a);
    return !a->causes ? NULL
                      : invalid(r, str_or_empty(json_str_at(a->object, "metadata", "name")), &a->causes);
}

/* ---- create ---- */

static void generate_name(json_t *meta)
{
    const char *prefix = json_str_at(meta, "generateName");
    if (str_empty(prefix) || !str_empty(json_str_at(meta, "name")))
        return;
    AUTO(free_p) char *random = random_text(5, "bcdfghjklmnpqrstvwxz2456789");
    AUTO(free_p) char *name = xasprintf("%.58s%s", prefix, random);
    json_set_str(meta, "name", name);
}

static void new_metadata(json_t *meta)
{
    static const char *const dropped[] = {"deletionTimestamp", "deletionGracePeriodSeconds"};
    char uid[UUID_TEXT];
    generate_name(meta);
    random_uuid(uid);
    json_set_str(meta, "uid", uid);
    json_object_set_new(meta, "creationTimestamp", sim_now());
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        json_object_del(meta, dropped[i]);
}

static json_t *create(struct sim *s, const struct write *w, json_t *o, json_t **failure)
{
    struct resource *r = w->endpoint->resource;
    json_t *meta = NULL;
    if ((*failure = decode(w, o)))
        return NULL;
    meta = json_object_get(o, "metadata");
    generate_name(meta);
    const char *name = str_or_empty(json_str_at(meta, "name"));
    if ((*failure = check_namespace(s, w, name)) || (*failure = check_account(s, w, o, name)))
        return NULL;
    new_metadata(meta);
    struct admission a = {.sim = s, .endpoint = w->endpoint, .object = o, .dry_run = w->dry_run};
    if ((*failure = admit(&a)))
        return NULL;
    if (!str_empty(json_str_at(meta, "resourceVersion")))
        *failure = status_failure(500, NULL, "resourceVersion should not be set on objects to be created");
    else if (store_get(r, str_or_empty(json_str_at(meta, "namespace")), name))
        *failure = status_exists(r, name);
    if (*failure)
        return NULL;
    json_object_del(meta, "resourceVersion");
    if (!w->dry_run)
        store_put(s->store, r, o);
    return shown(w->endpoint, o);
}

json_t *write_create(struct sim *s, const struct write *w, json_t *object_take, json_t **failure)
{
    *failure = NULL;
    json_t *result = create(s, w, object_take, failure);
    audit_write(s->audit, w, "create", json_str_at(object_take, "metadata", "name"), result, *failure);
    json_decref(object_take);
    return result;
}

/* ---- update ---- */

static json_t *check_url_name(const struct write *w, const json_t *o)
{
    const char *name = json_str_at(o, "metadata", "name");
    if (str_empty(name))
        return status_bad_request(
            "the name of the object (%s based on URL) was undeterminable: name must be provided", w->name);
    return strcmp(name, w->name) == 0
               ? NULL
               : status_bad_request("the name of the object (%s) does not match the name on the URL (%s)",
                                    name, w->name);
}

/* A PUT may name the uid and the version that it expects. */
static json_t *check_preconditions(const struct write *w, const json_t *o, const struct blob *b,
                                   const json_t *old, bool patch)
{
    const struct resource *r = w->endpoint->resource;
    const char *uid = json_str_at(o, "metadata", "uid"),
               *have = str_or_empty(json_str_at(old, "metadata", "uid"));
    const char *rv = json_str_at(o, "metadata", "resourceVersion");
    uint64_t number;
    json_t *causes = NULL;
    if (!str_empty(rv) && !str_to_u64(rv, &number))
        return status_failure(500, NULL, "strconv.ParseUint: parsing \"%s\": invalid syntax", rv);
    if (!str_empty(uid) && strcmp(uid, have) != 0) {
        if (!patch)
            return status_about(
                r, w->name, 409, "Conflict",
                "Operation cannot be fulfilled on %s \"%s\": StorageError: invalid object, Code: 4, Key: "
                "/registry/%s/%s, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
                "precondition: %s, UID in object meta: %s",
                r->key, w->name, r->plural, blob_key(b), uid, have);
        problem_add(&causes, P_INVALID, "metadata.uid", "\"%s\": field is immutable", uid);
        return invalid(r, w->name, &causes);
    }
    if (str_empty(rv) && !patch && r->flags & (R_NEEDS_VERSION | R_CUSTOM) && !w->subresource) {
        bool service = strcmp(r->key, "services") == 0;
        problem_add(&causes, P_INVALID, "metadata.resourceVersion", "%s: must be specified for an update",
                    service ? "\"\"" : "0x0");
        return status_invalid(r->group, service ? r->kind : r->plural, w->name, causes);
    }
    return !str_empty(rv) && number != b->rv ? status_conflict(r, w->name) : NULL;
}

/* What a client cannot change. */
static void carry_metadata(json_t *o, const json_t *old)
{
    static const char *const kept[] = {
        "uid",        "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
        "generation", "resourceVersion"};
    json_t *meta = json_object_get(o, "metadata"), *was = json_object_get(old, "metadata");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        json_t *v = json_object_get(was, kept[i]);
        if (v)
            json_object_set(meta, kept[i], v);
        else
            json_object_del(meta, kept[i]);
    }
}

static void check_finalizers(const json_t *o, const json_t *old, json_t **causes)
{
    json_t *was = json_at(old, "metadata", "finalizers"), *one, *other;
    AUTO_STR added = STR_INIT;
    size_t i, k;
    if (!json_at(old, "metadata", "deletionTimestamp"))
        return;
    json_array_foreach(json_at(o, "metadata", "finalizers"), i, one) {
        bool had = false;
        json_array_foreach(was, k, other)
            had |= json_same(one, other);
        if (!had)
            str_printf(&added, "%s\"%s\"", added.len ? ", " : "", str_or_empty(json_string_value(one)));
    }
    if (added.len)
        problem_add(causes, P_FORBIDDEN, "metadata.finalizers",
                    "no new finalizers can be added if the object is being deleted, found new finalizers "
                    "[]string{%s}",
                    str_text(&added));
}

/* An object that waits for its finalizers goes with the last of them. */
static bool is_finished(const struct resource *r, const json_t *o)
{
    return json_at(o, "metadata", "deletionTimestamp") &&
           !json_array_size(json_at(o, "metadata", "finalizers")) &&
           json_int_at(o, "metadata", "deletionGracePeriodSeconds") == 0 &&
           (strcmp(r->key, "namespaces") != 0 || !json_array_size(json_at(o, "spec", "finalizers")));
}

static bool is_unchanged(json_t *o, const struct blob *b)
{
    struct blob *now = blob_new(o, b->rv);
    bool same = now->json_len == b->json_len && memcmp(blob_json(now).p, blob_json(b).p, b->json_len) == 0;
    blob_unref(now);
    return same;
}

static void commit_update(struct sim *s, const struct write *w, json_t *o, const struct blob *b)
{
    struct resource *r = w->endpoint->resource;
    if (w->dry_run)
        return;
    if (is_finished(r, o))
        store_remove(s->store, r, o);
    else if (!is_unchanged(o, b))
        store_put(s->store, r, o);
}

/* o is in the stored version, its name checked. */
static json_t *update_stored(struct sim *s, const struct write *w, json_t *o, const struct blob *b,
                             bool patch, json_t **failure)
{
    struct resource *r = w->endpoint->resource;
    AUTO_JSON old = blob_read(b, w->endpoint->version, r->kind);
    if ((*failure = check_preconditions(w, o, b, old, patch)))
        return NULL;
    carry_metadata(o, old);
    struct admission a = {.sim = s,
                          .endpoint = w->endpoint,
                          .object = o,
                          .old = old,
                          .subresource = w->subresource,
                          .dry_run = w->dry_run};
    check_finalizers(o, old, &a.causes);
    if ((*failure = admit(&a)))
        return NULL;
    /* b may be freed by the commit. */
    commit_update(s, w, o, b);
    return shown(w->endpoint, o);
}

/* For scale.c: a whole object of the endpoint's version, under the rules of a patch. */
json_t *write_scaled(struct sim *s, const struct write *w, json_t *object_take, json_t **failure)
{
    AUTO_JSON o = object_take;
    struct blob *b = store_get(w->endpoint->resource, w->ns, w->name);
    return (*failure = decode(w, o)) ? NULL : update_stored(s, w, o, b, true, failure);
}

static json_t *update(struct sim *s, const struct write *w, json_t *o, bool *created, json_t **failure)
{
    struct resource *r = w->endpoint->resource;
    if ((*failure = decode(w, o)) || (*failure = check_url_name(w, o)))
        return NULL;
    struct blob *b = store_get(r, w->ns, w->name);
    if (b)
        return update_stored(s, w, o, b, false, failure);
    if (r->flags & R_CREATE_ON_UPDATE && !w->subresource) {
        *created = true;
        return create(s, w, o, failure);
    }
    *failure = status_not_found(r, w->name);
    return NULL;
}

json_t *write_update(struct sim *s, const struct write *w, json_t *object_take, bool *created,
                     json_t **failure)
{
    *failure = NULL;
    *created = false;
    json_t *result = str_same(w->subresource, "scale") ? scale_update(s, w, object_take, failure)
                                                       : update(s, w, object_take, created, failure);
    audit_write(s->audit, w, *created ? "create" : "update", w->name, result, *failure);
    json_decref(object_take);
    return result;
}

/* ---- patch ---- */

static json_t *patch_failed(err_t *err)
{
    return status_about(NULL, NULL, 422, "Invalid",
                        "the server rejected our request due to an error in our request");
}

/* The patched document, or NULL. */
static json_t *apply_patch(const struct write *w, const json_t *doc, enum patch_type type,
                           const json_t *patch, json_t **failure)
{
    const struct resource *r = w->endpoint->resource;
    AUTO_ERR err = NULL;
    json_t *out = NULL;
    if (type == PATCH_JSON) {
        out = json_copy_deep(doc);
        if (json_patch_apply(&out, patch, &err) < 0) {
            json_decref(out);
            *failure = patch_failed(err);
            return NULL;
        }
    } else if (type == PATCH_MERGE) {
        out = json_merge_apply(doc, patch);
    } else if (patch_strategic(doc, patch, w->endpoint->group, w->endpoint->version, r->kind, &out, &err) <
               0) {
        *failure = status_bad_request("%s", err_text(err));
        return NULL;
    }
    return out;
}

static json_t *patch_document(struct sim *s, const struct write *w, enum patch_type type, const json_t *patch,
                              json_t **failure)
{
    struct blob *b = store_get(w->endpoint->resource, w->ns, w->name);
    if (!b) {
        *failure = status_not_found(w->endpoint->resource, w->name);
        return NULL;
    }
    bool scale = str_same(w->subresource, "scale");
    AUTO_JSON doc = scale ? scale_read(w->endpoint, b, true, failure) : read_blob(w->endpoint, b);
    AUTO_JSON patched = apply_patch(w, doc, type, patch, failure);
    if (patched && scale)
        return scale_update(s, w, patched, failure);
    if (!patched || (*failure = decode(w, patched)) || (*failure = check_url_name(w, patched)))
        return NULL;
    return update_stored(s, w, patched, b, true, failure);
}

json_t *write_patch(struct sim *s, const struct write *w, enum patch_type type, const json_t *patch,
                    json_t **failure)
{
    *failure = NULL;
    json_t *result = patch_document(s, w, type, patch, failure);
    audit_write(s->audit, w, "patch", w->name, result, *failure);
    return result;
}
