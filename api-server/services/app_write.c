/* Creating, changing and deleting applications. What is stored is the document as it was with the changed
 * parts replaced: fields we do not know survive, `operation` and `status` are nobody's to write here. */
#include "api-server/live/live_impl.h"
#include "api-server/services/apps.h"
#include "common/argo/app.h"
#include "common/argo/project.h"
#include "common/json/patch.h"
#include "common/kinds/kinds.h"

#include <strings.h>

enum { MAX_CONFLICTS = 10 };

/* ---- helpers ---- */

static bool has_version(void *arg, const struct live_doc *doc)
{
    AUTO_JSON app = NULL;
    int64_t have, want = *(int64_t *)arg;
    return json_read(doc->bytes, doc->n, &app, NULL) == 0 &&
           str_to_i64(object_resource_version(app), &have) && have >= want;
}

void wait_for_version(call_t *c, const json_t *app)
{
    int64_t want;
    mono_t end = mono_after(mono_now(), SECONDS(2));
    if (!str_to_i64(object_resource_version(app), &want))
        return;
    while (mono_left(end)) {
        struct live_doc *doc = live_app(c->s->live, object_namespace(app), object_name(app));
        bool seen = doc && has_version(&want, doc);
        live_doc_unref(doc);
        if (seen)
            return;
        sleep_ns(MILLIS(20));
    }
}

/* project/name or project/ns/name of a submitted application. */
static char *submitted_object(call_t *c, const json_t *app)
{
    return rbac_app_object(app_project(app), str_or_empty(json_str_at(app, "metadata", "namespace")),
                           object_name(app), c->s->flags->ns);
}

static void answer(call_t *c, json_t *app, json_t **out)
{
    app_rest_form(app);
    *out = json_incref(app);
}

static void copy_or_drop(json_t *to, const json_t *from, const char *key)
{
    json_t *v = json_at(from, "metadata", key);
    if (v && !json_is_null(v))
        json_put_at(to, json_copy_deep(v), "metadata", key);
    else
        json_drop_at(to, "metadata", key);
}

static json_t *part(const json_t *app, const char *key)
{
    json_t *v = json_at(app, "metadata", key);
    return v && json_is_zero(v) ? NULL : v;
}

/* ---- create ---- */

/* Spec, labels, annotations and finalizers: what a user declares. */
static bool same_declaration(const json_t *a, const json_t *b)
{
    static const char *const parts[] = {"labels", "annotations", "finalizers"};
    AUTO_JSON x = json_object();
    AUTO_JSON y = json_object();
    json_object_set_new(x, "spec", json_copy_deep(json_object_get(a, "spec")));
    json_object_set_new(y, "spec", json_copy_deep(json_object_get(b, "spec")));
    app_normalize_spec(x);
    app_normalize_spec(y);
    bool same = json_same(x, y);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const json_t *p = part(a, parts[i]), *q = part(b, parts[i]);
        same = same && (p && q ? json_same(p, q) : p == q);
    }
    return same;
}

static void merge_map(json_t *to, const json_t *from, const char *key)
{
    const char *name;
    json_t *v;
    json_object_foreach(json_at(from, "metadata", key), name, v)
        json_put_at(to, json_incref(v), "metadata", key, name);
}

/* Stores `change(current)` until no other writer came between. */
typedef void (*change_fn)(json_t *current, const json_t *wanted);
static int store(call_t *c, const json_t *current, const json_t *wanted, change_fn change, json_t **out,
                 err_t **err)
{
    AUTO_JSON base = json_copy_deep(current);
    for (int tries = 0; tries < MAX_CONFLICTS; tries++) {
        AUTO_JSON fresh = json_copy_deep(base);
        change(fresh, wanted);
        err_clear(err);
        int rc = kube_update(c->s->kube, kind_application, object_namespace(fresh), object_name(fresh), fresh,
                             NULL, out, err);
        if (rc != -ERR_ABORTED)
            return rc;
        json_decref(base);
        base = NULL;
        err_clear(err);
        rc = kube_get(c->s->kube, kind_application, object_namespace(fresh), object_name(fresh), NULL, &base,
                      err);
        if (rc < 0)
            return rc;
    }
    err_clear(err);
    return err_set(err, ERR_INTERNAL, "Failed to update application. Too many conflicts");
}

static void change_upsert(json_t *current, const json_t *wanted)
{
    json_object_set_new(current, "spec", json_copy_deep(json_object_get(wanted, "spec")));
    merge_map(current, wanted, "labels");
    merge_map(current, wanted, "annotations");
    copy_or_drop(current, wanted, "finalizers");
}

static void change_replace(json_t *current, const json_t *wanted)
{
    json_object_set_new(current, "spec", json_copy_deep(json_object_get(wanted, "spec")));
    copy_or_drop(current, wanted, "labels");
    copy_or_drop(current, wanted, "annotations");
    copy_or_drop(current, wanted, "finalizers");
}

static void change_spec(json_t *current, const json_t *wanted)
{
    json_object_set_new(current, "spec", json_copy_deep(json_object_get(wanted, "spec")));
}

static int create_over_existing(call_t *c, const json_t *wanted, json_t **out, err_t **err)
{
    AUTO_JSON existing = NULL;
    int rc = kube_get(c->s->kube, kind_application, object_namespace(wanted), object_name(wanted), NULL,
                      &existing, err);
    if (rc < 0)
        return err_wrap(err, "unable to check existing application details");
    json_drop_at(existing, "metadata", "managedFields");
    if (same_declaration(existing, wanted)) {
        answer(c, existing, out);
        return 0;
    }
    if (!arg_bool(c, "upsert"))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "existing application spec is different, use upsert flag to force update");
    AUTO(free_p) char *object = call_app_object(c, existing);
    AUTO_JSON stored = NULL;
    rc = call_enforce(c, "applications", "update", object, err);
    if (rc == 0)
        rc = store(c, existing, wanted, change_upsert, &stored, err);
    if (rc < 0)
        return rc;
    audit(c, stored, "ResourceUpdated", "updated application spec");
    wait_for_version(c, stored);
    answer(c, stored, out);
    return 0;
}

static void complete(call_t *c, json_t *app)
{
    json_set_str(app, "apiVersion", ARGO_GROUP "/v1alpha1");
    json_set_str(app, "kind", "Application");
    if (str_empty(json_str_at(app, "metadata", "namespace")))
        json_put_at(app, json_string(c->s->flags->ns), "metadata", "namespace");
    if (!json_is_map(json_object_get(app, "spec")))
        json_object_set_new(app, "spec", json_object());
}

static bool asked_to_validate(const call_t *c)
{
    const json_t *v = json_object_get(c->in, "validate");
    return !v || json_is_true(v);
}

/* The order of checks is part of the interface: who may not create learns nothing else. */
static int check_new(call_t *c, json_t *app, err_t **err)
{
    AUTO_JSON project = NULL;
    AUTO(free_p) char *object = submitted_object(c, app);
    int rc = call_enforce(c, "applications", "create", object, err);
    if (rc == 0)
        rc = app_project_of(c, app, &project, err);
    if (rc == 0)
        rc = app_validate(c, app, project, asked_to_validate(c), err);
    if (rc == 0 && !server_ns_enabled(c->s, object_namespace(app)))
        rc = err_set(err, ERR_PERMISSION_DENIED, "namespace '%s' is not permitted", object_namespace(app));
    return rc;
}

int app_create(call_t *c, json_t **out, err_t **err)
{
    json_t *app = json_object_get(c->in, "application");
    AUTO_JSON created = NULL;
    complete(c, app);
    int rc = check_new(c, app, err);
    if (rc < 0)
        return rc;
    json_object_del(app, "operation");
    json_object_del(app, "status");
    rc = kube_create(c->s->kube, kind_application, object_namespace(app), app, NULL, &created, err);
    if (rc == -ERR_ALREADY_EXISTS) {
        err_clear(err);
        return create_over_existing(c, app, out, err);
    }
    if (rc < 0)
        return rc;
    json_drop_at(created, "metadata", "managedFields");
    audit(c, created, "ResourceCreated", "created application");
    wait_for_version(c, created);
    answer(c, created, out);
    return 0;
}

/* ---- update ---- */

/* Moving to another project needs rights on both. */
static int check_move(call_t *c, const json_t *current, const json_t *wanted, err_t **err)
{
    if (!strcmp(app_project(current), app_project(wanted)))
        return 0;
    AUTO(free_p) char *from = call_app_object(c, current);
    AUTO(free_p)
    char *to = rbac_app_object(app_project(wanted), object_namespace(current), object_name(current),
                               c->s->flags->ns);
    int rc = call_enforce(c, "applications", "create", to, err);
    return rc < 0 ? rc : call_enforce(c, "applications", "update", from, err);
}

static int save(call_t *c, const json_t *current, json_t *wanted, change_fn change, bool deep, json_t **out,
                err_t **err)
{
    AUTO_JSON project = NULL;
    json_put_at(wanted, json_string(object_name(current)), "metadata", "name");
    json_put_at(wanted, json_string(object_namespace(current)), "metadata", "namespace");
    int rc = check_move(c, current, wanted, err);
    if (rc == 0)
        rc = app_project_of(c, wanted, &project, err);
    if (rc == 0)
        rc = app_validate(c, wanted, project, deep, err);
    if (rc == 0)
        rc = store(c, current, wanted, change, out, err);
    if (rc < 0)
        return rc;
    json_drop_at(*out, "metadata", "managedFields");
    audit(c, *out, "ResourceUpdated", "updated application spec");
    wait_for_version(c, *out);
    return 0;
}

int app_update(call_t *c, json_t **out, err_t **err)
{
    json_t *wanted = json_object_get(c->in, "application");
    AUTO_JSON current = NULL;
    AUTO_JSON stored = NULL;
    complete(c, wanted);
    AUTO(free_p) char *object = submitted_object(c, wanted);
    int rc = call_enforce(c, "applications", "update", object, err);
    if (rc == 0)
        rc = app_lookup(c, APP_LIVE, "update", arg(c, "project"), object_namespace(wanted),
                        object_name(wanted), &current, err);
    if (rc == 0)
        rc = save(c, current, wanted, change_replace, asked_to_validate(c), &stored, err);
    if (rc == 0)
        answer(c, stored, out);
    return rc;
}

int app_update_spec(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON current = NULL;
    AUTO_JSON stored = NULL;
    int rc = app_lookup(c, APP_LIVE, "update", arg(c, "project"), arg(c, "appNamespace"), arg(c, "name"),
                        &current, err);
    if (rc < 0)
        return rc;
    AUTO_JSON wanted = json_copy_deep(current);
    json_object_set(wanted, "spec", json_object_get(c->in, "spec"));
    rc = save(c, current, wanted, change_spec, asked_to_validate(c), &stored, err);
    if (rc < 0)
        return rc;
    app_rest_form(stored);
    *out = json_incref(json_object_get(stored, "spec"));
    return 0;
}

static int apply_patch(call_t *c, json_t **app, err_t **err)
{
    const char *type = arg(c, "patchType");
    AUTO_JSON patch = NULL;
    bool merge = !strcmp(type, "merge");
    if (!merge && strcmp(type, "json") != 0 && *type)
        return err_set(err, ERR_INVALID_ARGUMENT, "Patch type '%s' is not supported", type);
    int rc = json_read_str(arg(c, "patch"), &patch, err);
    if (rc < 0)
        return err_wrap(err, "error decoding patch");
    if (!merge)
        return json_patch_apply(app, patch, err);
    json_t *patched = json_merge_apply(*app, patch);
    json_decref(*app);
    *app = patched;
    return 0;
}

int app_patch(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON current = NULL;
    AUTO_JSON stored = NULL;
    int rc = app_lookup(c, APP_LIVE, "get", arg(c, "project"), arg(c, "appNamespace"), arg(c, "name"),
                        &current, err);
    if (rc < 0)
        return rc;
    AUTO(free_p) char *object = call_app_object(c, current);
    rc = call_enforce(c, "applications", "update", object, err);
    if (rc < 0)
        return rc;
    AUTO_JSON wanted = json_copy_deep(current);
    rc = apply_patch(c, &wanted, err);
    if (rc == 0 && (!json_is_map(wanted) || !json_is_map(json_object_get(wanted, "spec"))))
        rc = err_set(err, ERR_INVALID_ARGUMENT, "the patched document is no application");
    if (rc == 0)
        rc = save(c, current, wanted, change_replace, true, &stored, err);
    if (rc == 0)
        answer(c, stored, out);
    return rc;
}

/* ---- delete ---- */

static int finalizer_of(const char *policy, const char **finalizer, err_t **err)
{
    static const struct {
        const char *policy, *finalizer;
    } known[] = {{"", FINALIZER_RESOURCES},
                 {"foreground", FINALIZER_RESOURCES "/foreground"},
                 {"background", FINALIZER_RESOURCES "/background"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!strcasecmp(policy, known[i].policy)) {
            *finalizer = known[i].finalizer;
            return 0;
        }
    return err_set(err, ERR_INVALID_ARGUMENT, "invalid propagation policy: %s", policy);
}

/* The finalizers as they should be before the object is deleted; NULL when they are so already. */
static json_t *wanted_finalizers(const json_t *app, bool cascade, const char *finalizer)
{
    json_t *out = json_array(), *f;
    size_t i;
    bool changed = false, present = false;
    json_array_foreach(json_at(app, "metadata", "finalizers"), i, f) {
        const char *name = str_or_empty(json_string_value(f));
        if (!cascade && str_has_prefix(name, FINALIZER_RESOURCES)) {
            changed = true;
            continue;
        }
        present |= cascade && !strcmp(name, finalizer);
        json_array_append(out, f);
    }
    if (cascade && !present) {
        json_array_append_new(out, json_string(finalizer));
        changed = true;
    }
    if (!changed) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static int set_finalizers(call_t *c, const json_t *app, json_t *finalizers, err_t **err)
{
    AUTO_JSON patch = json_object();
    json_put_at(patch, finalizers, "metadata", "finalizers");
    return kube_patch(c->s->kube, kind_application, object_namespace(app), object_name(app), KUBE_PATCH_MERGE,
                      patch, NULL, NULL, err);
}

int app_delete(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    const json_t *flag = json_object_get(c->in, "cascade");
    bool cascade = !flag || json_is_true(flag);
    const char *policy = arg(c, "propagationPolicy"), *finalizer = NULL;
    int rc = app_lookup(c, APP_LIVE, "get", arg(c, "project"), arg(c, "appNamespace"), arg(c, "name"), &app,
                        err);
    if (rc < 0)
        return rc;
    AUTO(free_p) char *object = call_app_object(c, app);
    rc = call_enforce(c, "applications", "delete", object, err);
    if (rc < 0)
        return rc;
    if (!cascade && *policy)
        return err_set(err, ERR_INVALID_ARGUMENT, "cannot set propagation policy when cascading is disabled");
    if (cascade && (rc = finalizer_of(policy, &finalizer, err)) < 0)
        return rc;
    json_t *finalizers = app_deleting(app) && cascade ? NULL : wanted_finalizers(app, cascade, finalizer);
    if (finalizers && (rc = set_finalizers(c, app, finalizers, err)) < 0)
        return rc;
    struct kube_delete how = {.uid = object_uid(app), .grace_seconds = -1};
    rc = kube_delete(c->s->kube, kind_application, object_namespace(app), object_name(app), &how, NULL, err);
    if (rc == -ERR_NOT_FOUND) { /* went by itself meanwhile */
        err_clear(err);
        rc = 0;
    }
    if (rc < 0)
        return rc;
    audit(c, app, "ResourceDeleted", "deleted application");
    *out = json_object();
    return 0;
}
