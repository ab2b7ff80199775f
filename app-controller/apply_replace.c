/* Replacing, re-creating, and what objects need before or after an apply. */
#include "app-controller/apply.h"
#include "common/engine/normalize.h"
#include "common/json/patch.h"

static bool is_kind(const json_t *o, const char *group, const char *kind)
{
    AUTO(free_p) char *g = object_group(o);
    return strcmp(g, group) == 0 && strcmp(object_kind(o), kind) == 0;
}

/* Deleting these would take everything in them along. */
static bool never_deleted(const json_t *o)
{
    return is_kind(o, "apiextensions.k8s.io", "CustomResourceDefinition") || is_kind(o, "", "Namespace");
}

static int put(const struct applier *a, const struct kube_resource *r, const json_t *target,
               const json_t *live, bool server_dry_run, json_t **result, err_t **err)
{
    AUTO_JSON body = json_copy_deep(target);
    json_put_at(body, json_str_new(object_resource_version(live)), "metadata", "resourceVersion");
    struct kube_params params = {.dry_run = server_dry_run};
    json_t *answer = NULL;
    if (kube_update(a->kube, r, r->namespaced ? object_namespace(target) : NULL, object_name(target), body,
                    &params, &answer, err) < 0)
        return err_again(err);
    if (server_dry_run)
        json_decref(answer);
    else
        apply_result(a, answer, result);
    return 0;
}

int apply_replace(const struct applier *a, const struct kube_resource *r, const json_t *target,
                  const json_t *live, const struct apply_options *o, char **message, json_t **result,
                  err_t **err)
{
    AUTO(free_p) char *name = apply_name(target);
    const char *note = o->dry_run ? " (dry run)" : "";
    int code = 0;
    if (!live) {
        if (!o->dry_run)
            code = apply_create(a, r, target, NULL, result, err);
        *message = xasprintf("%s created%s", name, note);
    } else if (never_deleted(target)) {
        code = put(a, r, target, live, o->dry_run, result, err);
        *message = xasprintf("%s/%s updated", object_kind(target), object_name(target));
    } else {
        if (!o->dry_run && o->force)
            code = apply_recreate(a, r, live, target, NULL, SECONDS(300), result, err);
        else if (!o->dry_run)
            code = put(a, r, target, live, false, result, err);
        *message = xasprintf("%s replaced%s", name, note);
    }
    if (code < 0) {
        free(*message);
        *message = NULL;
    }
    return code;
}

static json_t *finalizers_without(const json_t *object, const char *finalizer, bool *found)
{
    const json_t *list = json_at(object, "metadata", "finalizers");
    json_t *left = json_array();
    *found = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (str_eq(json_string_value(json_array_get(list, i)), finalizer))
            *found = true;
        else
            json_array_append_new(left, json_copy_deep(json_array_get(list, i)));
    }
    return left;
}

int apply_remove_finalizer(const struct applier *a, const json_t *live, const char *finalizer,
                           json_t **result, err_t **err)
{
    const struct kube_resource *r = apply_resource(a, live, err);
    *result = NULL;
    if (!r)
        return -ERR_NOT_FOUND;
    AUTO_JSON now = json_incref((json_t *)(uintptr_t)live);
    AUTO_ERR failure = NULL;
    for (int attempt = 0; attempt < 5; attempt++) {
        bool found;
        AUTO_JSON left = finalizers_without(now, finalizer, &found);
        if (!found) {
            *result = json_copy_deep(now);
            return 0;
        }
        /* The list is replaced whole: the version makes sure that it is the one that was read. */
        AUTO_JSON patch = json_object();
        json_put_at(patch, json_copy_deep(left), "metadata", "finalizers");
        json_put_at(patch, json_str_new(object_resource_version(now)), "metadata", "resourceVersion");
        json_t *answer = NULL;
        const char *ns = r->namespaced ? object_namespace(live) : NULL;
        err_clear(&failure);
        if (kube_patch(a->kube, r, ns, object_name(live), KUBE_PATCH_MERGE, patch, NULL, &answer, &failure) ==
            0) {
            apply_result(a, answer, result);
            return 0;
        }
        if (err_code(failure) == ERR_ABORTED) {
            err_clear(&failure);
            json_decref(now);
            now = NULL;
            if (apply_get(a, live, &now, &failure) == 0)
                continue;
        }
        break;
    }
    if (err_code(failure) == ERR_NOT_FOUND) {
        AUTO(free_p) char *group = object_group(live);
        cache_delete_own(
            cluster_cache(a->cluster),
            &(struct obj_key){group, object_kind(live), object_namespace(live), object_name(live)},
            object_uid(live));
        return 0;
    }
    return err_move(err, TAKE(failure));
}

static bool is_established(const json_t *crd)
{
    const json_t *list = json_at(crd, "status", "conditions");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        if (str_eq(json_str_at(c, "type"), "Established") && str_eq(json_str_at(c, "status"), "True"))
            return true;
    }
    return false;
}

void apply_wait_established(const struct applier *a, const json_t *crd)
{
    mono_t deadline = mono_after(mono_now(), SECONDS(3));
    while (mono_left(deadline) > 0) {
        AUTO_JSON now = NULL;
        AUTO_ERR err = NULL;
        if (apply_get(a, crd, &now, &err) == 0 && is_established(now))
            return;
        sleep_ns(MILLIS(100));
    }
}
