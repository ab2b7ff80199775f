/* Server-side apply, and taking over what was applied on the client side.
 *
 * Design. An object that used to be applied by a client has fields that this client's name owns by updates;
 * fields that the source then drops would stay for ever, since the applier never owned them. So after an
 * apply the answer is looked at: when it still has such an owner, its fields become the applier's, and the
 * same apply goes once more. An object that is not in need of it costs no request. */
#include "app-controller/apply.h"
#include "common/engine/ownership.h"

enum { ATTEMPTS = 5 };

static int send(const struct applier *a, const struct kube_resource *r, const json_t *body, json_t **answer,
                err_t **err)
{
    struct kube_params params = {.field_manager = FIELD_MANAGER, .force = true};
    return kube_patch(a->kube, r, r->namespaced ? object_namespace(body) : NULL, object_name(body),
                      KUBE_PATCH_APPLY, body, &params, answer, err);
}

/* The managedFields as they are to be; NULL when they are. */
static json_t *taken_over(const json_t *object, const char *migrated)
{
    const json_t *fields = json_at(object, "metadata", "managedFields");
    AUTO_JSON appliers = ownership_client_appliers(fields);
    if (!str_empty(migrated) && ownership_has_updates(fields, migrated))
        json_array_append_new(appliers, json_str_new(migrated));
    if (!json_array_size(appliers))
        return NULL;
    json_t *out = json_copy_deep(fields);
    for (size_t i = 0; i < json_array_size(appliers); i++) {
        json_t *next = ownership_migrate(out, json_string_value(json_array_get(appliers, i)), FIELD_MANAGER);
        json_decref(out);
        out = next;
    }
    return out;
}

static void add_replace(json_t *patch, const char *path, json_t *value_take)
{
    json_t *op = json_object();
    json_set_str(op, "op", "replace");
    json_set_str(op, "path", path);
    json_object_set_new_nocheck(op, "value", value_take);
    json_array_append_new(patch, op);
}

/* 1: something was taken over; 0: there was nothing to take. */
static int take_over(const struct applier *a, const struct kube_resource *r, const json_t *object,
                     const char *migrated, err_t **err)
{
    AUTO_JSON now = json_incref((json_t *)(uintptr_t)object);
    for (int attempt = 1;; attempt++) {
        AUTO_JSON fields = taken_over(now, migrated);
        if (!fields)
            return 0;
        AUTO_JSON patch = json_array();
        add_replace(patch, "/metadata/managedFields", json_incref(fields));
        /* The version makes sure that these are the owners that were read. */
        add_replace(patch, "/metadata/resourceVersion", json_str_new(object_resource_version(now)));
        AUTO_ERR failure = NULL;
        const char *ns = r->namespaced ? object_namespace(object) : NULL;
        if (kube_patch(a->kube, r, ns, object_name(object), KUBE_PATCH_JSON, patch, NULL, NULL, &failure) ==
            0)
            return 1;
        if (err_code(failure) != ERR_ABORTED || attempt == ATTEMPTS)
            return err_move(err, TAKE(failure));
        json_decref(now);
        now = NULL;
        if (kube_get(a->kube, r, ns, object_name(object), NULL, &now, err) < 0)
            return err_again(err);
    }
}

int apply_server_side(const struct applier *a, const struct kube_resource *r, const json_t *target,
                      const struct apply_options *o, json_t **result, err_t **err)
{
    if (o->force)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "error validating options: --force cannot be used with --server-side");
    if (o->dry_run)
        return 0;
    AUTO_JSON body = json_copy_deep(target);
    json_drop_at(body, "metadata", "managedFields");
    json_drop_at(body, "metadata", "creationTimestamp");
    AUTO_JSON answer = NULL;
    if (send(a, r, body, &answer, err) < 0)
        return err_again(err);
    int moved = take_over(a, r, answer, o->migrated_manager, err);
    if (moved < 0)
        return err_wrap(err, "Failed to perform client-side apply migration for %s", object_name(target));
    if (moved) {
        json_decref(answer);
        answer = NULL;
        if (send(a, r, body, &answer, err) < 0)
            return err_again(err);
    }
    json_drop_at(answer, "metadata", "managedFields");
    apply_result(a, TAKE(answer), result);
    return 0;
}
