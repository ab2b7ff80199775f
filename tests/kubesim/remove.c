/* Deletion: preconditions, propagation by finalizers, grace, and what stays until its finalizers are gone. */
#include "tests/kubesim/audit.h"
#include "tests/kubesim/status.h"

static const char foreground[] = "foregroundDeletion", orphan[] = "orphan";

static json_t *check(struct sim *s, const struct write *w, const struct deletion *d, const json_t *o)
{
    static const char *const immortal[] = {"default", "kube-system", "kube-public"};
    const struct resource *r = w->endpoint->resource;
    const char *uid = str_or_empty(json_str_at(o, "metadata", "uid"));
    const char *rv = str_or_empty(json_str_at(o, "metadata", "resourceVersion"));
    for (size_t i = 0; i < ARRAY_LEN(immortal) && strcmp(r->key, "namespaces") == 0; i++)
        if (strcmp(w->name, immortal[i]) == 0)
            return status_about(r, w->name, 403, "Forbidden",
                                "namespaces \"%s\" is forbidden: this namespace may not be deleted", w->name);
    struct resource shown = {.group = r->group, .plural = r->kind};
    if (d->uid && strcmp(d->uid, uid) != 0)
        return status_about(
            &shown, w->name, 409, "Conflict",
            "Operation cannot be fulfilled on %s \"%s\": the UID in the precondition (%s) does not match "
            "the UID in record (%s). The object might have been deleted and then recreated",
            r->kind, w->name, d->uid, uid);
    if (d->resource_version && strcmp(d->resource_version, rv) != 0)
        return status_about(
            &shown, w->name, 409, "Conflict",
            "Operation cannot be fulfilled on %s \"%s\": the ResourceVersion in the precondition (%s) "
            "does not match the ResourceVersion in record (%s). The object might have been modified",
            r->kind, w->name, d->resource_version, rv);
    return NULL;
}

static bool has_text(const json_t *list, const char *text)
{
    json_t *one;
    size_t i;
    json_array_foreach(list, i, one)
        if (str_eq(json_string_value(one), text))
            return true;
    return false;
}

/* The finalizers that carry the propagation policy to the garbage collector. What an earlier deletion asked
 * for holds unless this one says otherwise. */
static json_t *new_finalizers(const struct resource *r, const struct deletion *d, const json_t *o)
{
    json_t *old = json_at(o, "metadata", "finalizers"), *list = json_array(), *one;
    const char *policy = d->propagation;
    size_t i;
    bool keep_orphan = policy ? strcmp(policy, "Orphan") == 0
                              : has_text(old, orphan) || (!has_text(old, foreground) && r->flags & R_ORPHANS);
    bool keep_foreground = policy ? strcmp(policy, "Foreground") == 0
                                  : !keep_orphan && has_text(old, foreground);
    json_array_foreach(old, i, one)
        if (!str_eq(json_string_value(one), orphan) && !str_eq(json_string_value(one), foreground))
            json_array_append(list, one);
    if (keep_orphan)
        json_array_append_new(list, json_string(orphan));
    if (keep_foreground)
        json_array_append_new(list, json_string(foreground));
    return list;
}

/* Only pods are given time, and only those that run somewhere. */
static int64_t grace_of(const struct resource *r, const struct deletion *d, const json_t *o)
{
    const char *phase = str_or_empty(json_str_at(o, "status", "phase"));
    if (strcmp(r->key, "pods") != 0 || str_empty(json_str_at(o, "spec", "nodeName")) ||
        strcmp(phase, "Failed") == 0 || strcmp(phase, "Succeeded") == 0)
        return 0;
    json_t *own = json_at(o, "spec", "terminationGracePeriodSeconds");
    return d->grace >= 0 ? d->grace : own ? json_integer_value(own) : 30;
}

static void mark(json_t *o, int64_t grace, bool bare)
{
    char text[RFC3339_TEXT];
    int64_t generation = json_int_at(o, "metadata", "generation");
    rfc3339((wall_t){wall_now().ns + SECONDS(grace)}, text);
    json_put_at(o, json_string(text), "metadata", "deletionTimestamp");
    if (bare)
        return;
    json_put_at(o, json_integer(grace), "metadata", "deletionGracePeriodSeconds");
    if (generation > 0)
        json_put_at(o, json_integer(generation + 1), "metadata", "generation");
}

static void mark_namespace(json_t *o)
{
    mark(o, 0, true);
    json_put_at(o, json_string("Terminating"), "status", "phase");
}

static void mark_definition(json_t *o)
{
    json_t *conditions = json_at(o, "status", "conditions");
    mark(o, 0, true);
    json_put_at(o, json_pack("[s]", "customresourcecleanup.apiextensions.k8s.io"), "metadata", "finalizers");
    if (!json_is_array(conditions))
        json_put_at(o, conditions = json_array(), "status", "conditions");
    json_array_append_new(conditions, json_pack("{s:s,s:s,s:o,s:s,s:s}", "type", "Terminating", "status",
                                                "True", "lastTransitionTime", sim_now(), "reason",
                                                "InstanceDeletionPending", "message",
                                                "CustomResourceDefinition marked for deletion; "
                                                "CustomResource deletion will begin soon"));
}

/* True when the object stays for now; it has been changed to say so. */
static bool must_wait(const struct resource *r, const struct deletion *d, json_t *o)
{
    bool deleting = json_at(o, "metadata", "deletionTimestamp");
    if (strcmp(r->key, "namespaces") == 0) {
        if (!deleting)
            mark_namespace(o);
        return json_array_size(json_at(o, "spec", "finalizers")) ||
               json_array_size(json_at(o, "metadata", "finalizers"));
    }
    if (strcmp(r->key, "customresourcedefinitions.apiextensions.k8s.io") == 0) {
        if (!deleting)
            mark_definition(o);
        return true;
    }
    AUTO_JSON finalizers = new_finalizers(r, d, o);
    int64_t grace = grace_of(r, d, o), left = json_int_at(o, "metadata", "deletionGracePeriodSeconds");
    bool waits = json_array_size(finalizers) > 0;
    if (waits || json_at(o, "metadata", "finalizers"))
        json_put_at(o, json_incref(finalizers), "metadata", "finalizers");
    if (!waits)
        json_drop_at(o, "metadata", "finalizers");
    if (!deleting && (waits || grace > 0))
        mark(o, grace, false);
    else if (deleting && grace < left)
        mark(o, grace, false);
    return waits || grace > 0;
}

static json_t *delete_one(struct sim *s, const struct write *w, const struct deletion *d, json_t **failure)
{
    struct resource *r = w->endpoint->resource;
    struct blob *b = store_get(r, w->ns, w->name);
    if (!b) {
        *failure = status_not_found(r, w->name);
        return NULL;
    }
    AUTO_JSON o = blob_read(b, "", "");
    AUTO_JSON before = json_copy_deep(o);
    if ((*failure = check(s, w, d, o)))
        return NULL;
    bool waits = must_wait(r, d, o);
    if (waits && !w->dry_run && !json_same(o, before))
        store_put(s->store, r, o);
    else if (!waits && !w->dry_run)
        store_remove(s->store, r, o);
    if (!waits && !(r->flags & R_RETURNS_OBJECT))
        return status_deleted(r, o);
    AUTO(free_p) char *api_version = endpoint_api_version(w->endpoint);
    json_set_str(o, "apiVersion", api_version);
    json_set_str(o, "kind", r->kind);
    if (w->endpoint->from_stored)
        w->endpoint->from_stored(o);
    return json_incref(o);
}

json_t *write_delete(struct sim *s, const struct write *w, const struct deletion *d, json_t **failure)
{
    *failure = NULL;
    json_t *result = delete_one(s, w, d, failure);
    audit_write(s->audit, w, "delete", w->name, result, *failure);
    return result;
}
