/* Design. Client-side apply is a three-way merge: what was applied last (an annotation on the live object),
 * what is to be applied, and what is there. Fields that others set survive; fields that we once set and set
 * no more go. Built-in kinds merge by their schema (strategic merge patch), others as plain JSON.
 *
 * The live object is read from the API server right before, not from the cache: Secrets are masked there, and
 * a patch made for an older version would undo what came in between. A dry run needs neither and sends
 * nothing. */
#include "app-controller/apply.h"
#include "common/engine/mask.h"
#include "common/engine/normalize.h"
#include "common/engine/strategic.h"
#include "common/json/patch.h"

#include <ctype.h>

enum { ATTEMPTS = 5 };

const struct kube_resource *apply_resource(const struct applier *a, const json_t *object, err_t **err)
{
    AUTO(free_p) char *group = object_group(object);
    AUTO(free_p) char *version = object_version(object);
    const struct kube_resource *r = kube_api_find(a->api, group, version, object_kind(object));
    if (!r)
        err_set(err, ERR_NOT_FOUND, "the server could not find the requested resource");
    return r;
}

char *apply_name(const json_t *object)
{
    AUTO(free_p) char *group = object_group(object);
    AUTO(free_p) char *kind = xstrdup(object_kind(object));
    for (char *p = kind; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return xasprintf("%s%s%s/%s", kind, *group ? "." : "", group, object_name(object));
}

void apply_result(const struct applier *a, json_t *answer_take, json_t **result)
{
    if (answer_take)
        cache_put_own(cluster_cache(a->cluster), answer_take);
    if (result) {
        json_decref(*result);
        *result = answer_take;
    } else {
        json_decref(answer_take);
    }
}

static const char *namespace_of(const struct kube_resource *r, const json_t *o)
{
    return r->namespaced ? object_namespace(o) : NULL;
}

int apply_get(const struct applier *a, const json_t *object, json_t **out, err_t **err)
{
    const struct kube_resource *r = apply_resource(a, object, err);
    if (!r)
        return -ERR_NOT_FOUND;
    return kube_get(a->kube, r, namespace_of(r, object), object_name(object), NULL, out, err);
}

/* Objects are sent without nulls, and a cluster-scoped one without a namespace. */
static void drop_nulls(json_t *v)
{
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            drop_nulls(json_array_get(v, i));
        return;
    }
    if (!json_is_map(v))
        return;
    void *next;
    for (void *it = json_object_iter(v); it; it = next) {
        next = json_object_iter_next(v, it);
        if (json_is_null(json_object_iter_value(it)))
            json_object_del(v, json_object_iter_key(it));
        else
            drop_nulls(json_object_iter_value(it));
    }
}

int apply_create(const struct applier *a, const struct kube_resource *r, const json_t *object,
                 const char *manager, json_t **result, err_t **err)
{
    AUTO_JSON body = json_copy_deep(object);
    drop_nulls(body);
    struct kube_params params = {.field_manager = manager};
    json_t *answer = NULL;
    int code = kube_create(a->kube, r, namespace_of(r, object), body, &params, &answer, err);
    if (code == 0)
        apply_result(a, answer, result);
    return code;
}

int apply_delete(const struct applier *a, const json_t *live, const char *propagation, err_t **err)
{
    if (json_at(live, "metadata", "deletionTimestamp"))
        return 0;
    const struct kube_resource *r = apply_resource(a, live, err);
    if (!r)
        return -ERR_NOT_FOUND;
    struct kube_delete how = {.propagation = propagation ? propagation : "Foreground",
                              .uid = str_empty(object_uid(live)) ? NULL : object_uid(live),
                              .grace_seconds = -1};
    AUTO_ERR failure = NULL;
    int code = kube_delete(a->kube, r, namespace_of(r, live), object_name(live), &how, NULL, &failure);
    /* A conflict is the uid's: what was to be deleted is gone, and another has its name. */
    if (code < 0 && err_code(failure) != ERR_NOT_FOUND && err_code(failure) != ERR_ABORTED)
        return err_move(err, TAKE(failure));
    json_t *left = NULL;
    AUTO_ERR gone = NULL;
    if (code < 0 || kube_get(a->kube, r, namespace_of(r, live), object_name(live), NULL, &left, &gone) < 0) {
        AUTO(free_p) char *group = object_group(live);
        struct obj_key key = {group, object_kind(live), object_namespace(live), object_name(live)};
        if (code < 0 || err_code(gone) == ERR_NOT_FOUND)
            cache_delete_own(cluster_cache(a->cluster), &key, object_uid(live));
        return 0;
    }
    apply_result(a, left, NULL);
    return 0;
}

static int wait_gone(const struct applier *a, const struct kube_resource *r, const json_t *live,
                     int64_t wait_ns, err_t **err)
{
    mono_t deadline = mono_after(mono_now(), wait_ns);
    for (;;) {
        AUTO_ERR gone = NULL;
        AUTO_JSON now = NULL;
        int code = kube_get(a->kube, r, namespace_of(r, live), object_name(live), NULL, &now, &gone);
        if (code < 0 && err_code(gone) == ERR_NOT_FOUND)
            return 0;
        if (code == 0 && strcmp(object_uid(now), object_uid(live)) != 0)
            return 0;
        if (mono_left(deadline) == 0)
            return err_set(err, ERR_DEADLINE_EXCEEDED, "timed out waiting for the deletion of %s",
                           object_name(live));
        sleep_ns(MILLIS(200));
    }
}

int apply_recreate(const struct applier *a, const struct kube_resource *r, const json_t *live,
                   const json_t *object, const char *manager, int64_t wait_ns, json_t **result, err_t **err)
{
    if (apply_delete(a, live, "Background", err) < 0 || wait_gone(a, r, live, wait_ns, err) < 0)
        return err_again(err);
    if (apply_create(a, r, object, manager, result, err) == 0)
        return 0;
    /* What was there comes back rather than nothing. */
    AUTO_JSON old = json_copy_deep(live);
    static const char *const fields[] = {"uid",        "resourceVersion", "creationTimestamp",
                                         "generation", "managedFields",   "selfLink"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        json_drop_at(old, "metadata", fields[i]);
    AUTO_ERR again = NULL;
    if (apply_create(a, r, old, manager, NULL, &again) < 0)
        return err_wrap(err, "the object was deleted and could not be restored (%s)", err_text(again));
    return err_again(err);
}

/* ---- the three-way merge ---- */

/* The target with itself in the last-applied annotation; as kubectl writes it, with annotations even if there
 * are none. */
static json_t *with_last_applied(const json_t *target)
{
    json_t *o = json_copy_deep(target);
    object_drop_annotation(o, LAST_APPLIED);
    if (!json_is_object(json_at(o, "metadata", "annotations")))
        json_put_at(o, json_object(), "metadata", "annotations");
    str_t text = STR_INIT;
    json_write(o, JSON_GO, &text);
    str_putc(&text, '\n');
    object_set_annotation(o, LAST_APPLIED, str_text(&text));
    str_dispose(&text);
    return o;
}

static int make_patch(const json_t *modified, const json_t *live, enum kube_patch_type *type, json_t **patch,
                      err_t **err)
{
    AUTO(free_p) char *group = object_group(modified);
    AUTO(free_p) char *version = object_version(modified);
    const struct schema *schema = kind_schema(group, version, object_kind(modified));
    AUTO_JSON original = object_last_applied(live);
    if (schema) {
        *type = KUBE_PATCH_STRATEGIC;
        return strategic_three_way(original, modified, live, schema, patch, err);
    }
    *type = KUBE_PATCH_MERGE;
    *patch = json_merge_three_way(original, modified, live);
    return 0;
}

static bool refused(const err_t *err, const struct kube_failure *f)
{
    return err_code(err) == ERR_ABORTED || str_eq(f->reason, "Invalid");
}

/* One attempt: *message is set on success. */
static int patch_once(const struct applier *a, const struct kube_resource *r, const json_t *modified,
                      const json_t *live, const struct apply_options *o, struct kube_failure *failure,
                      char **message, json_t **result, err_t **err)
{
    enum kube_patch_type type;
    AUTO_JSON patch = NULL;
    if (make_patch(modified, live, &type, &patch, err) < 0)
        return err_wrap(err, "creating patch for %s", object_name(modified));
    AUTO(free_p) char *name = apply_name(modified);
    const char *note = o->dry_run ? " (dry run)" : "";
    if (json_object_size(patch) == 0) {
        *message = xasprintf("%s unchanged%s", name, note);
        if (!o->dry_run)
            apply_result(a, json_copy_deep(live), result);
        return 0;
    }
    if (!o->dry_run) {
        struct kube_params params = {.field_manager = FIELD_MANAGER, .failure = failure};
        json_t *answer = NULL;
        if (kube_patch(a->kube, r, namespace_of(r, modified), object_name(modified), type, patch, &params,
                       &answer, err) < 0)
            return err_again(err);
        apply_result(a, answer, result);
    }
    *message = xasprintf("%s configured%s", name, note);
    return 0;
}

static int patch_object(const struct applier *a, const struct kube_resource *r, const json_t *modified,
                        json_t **live, const struct apply_options *o, char **message, json_t **result,
                        err_t **err)
{
    AUTO_ERR failure = NULL;
    for (int attempt = 1;; attempt++) {
        struct kube_failure why = {};
        err_clear(&failure);
        int code = patch_once(a, r, modified, *live, o, &why, message, result, &failure);
        bool again = code < 0 && err_code(failure) == ERR_ABORTED && attempt <= ATTEMPTS;
        bool recreate = code < 0 && !again && o->force && refused(failure, &why);
        kube_failure_dispose(&why);
        if (recreate && apply_recreate(a, r, *live, modified, FIELD_MANAGER, SECONDS(60), result, err) == 0) {
            AUTO(free_p) char *name = apply_name(modified);
            *message = xasprintf("%s configured", name);
            return 0;
        }
        if (recreate)
            return err_again(err);
        if (!again)
            return code < 0 ? err_move(err, TAKE(failure)) : 0;
        if (attempt > 1)
            sleep_ns(SECONDS(1));
        json_t *now = NULL;
        if (apply_get(a, modified, &now, err) < 0)
            return err_again(err);
        json_decref(*live);
        *live = now;
    }
}

void apply_warn_unmanaged(const struct kube_resource *r, const json_t *live, char **message)
{
    AUTO_JSON original = object_last_applied(live);
    if (original)
        return;
    char *with = xasprintf(
        "%s. Warning: resource %s/%s is missing the " LAST_APPLIED " annotation which is required by  "
        "apply.  apply should only be used on resources created declaratively by either  create "
        "--save-config or  apply. The missing annotation will be patched automatically.",
        *message, r->plural, object_name(live));
    free(*message);
    *message = with;
}

int apply_client_side(const struct applier *a, const struct kube_resource *r, const json_t *target,
                      json_t **live, const struct apply_options *o, char **message, json_t **result,
                      err_t **err)
{
    AUTO_JSON modified = with_last_applied(target);
    AUTO(free_p) char *name = apply_name(target);
    if (!*live && o->dry_run) {
        *message = xasprintf("%s created (dry run)", name);
        return 0;
    }
    if (!*live) {
        if (apply_create(a, r, modified, FIELD_MANAGER, result, err) < 0)
            return err_again(err);
        *message = xasprintf("%s created", name);
        return 0;
    }
    AUTO_JSON before = json_incref(*live);
    int code = patch_object(a, r, modified, live, o, message, result, err);
    if (code == 0)
        apply_warn_unmanaged(r, before, message);
    return code;
}

static int server_side(const struct applier *a, const struct kube_resource *r, json_t *body,
                       const struct apply_options *o, char **message, json_t **result, err_t **err)
{
    drop_nulls(body);
    if (apply_server_side(a, r, body, o, result, err) < 0)
        return err_again(err);
    AUTO(free_p) char *name = apply_name(body);
    *message = xasprintf("%s serverside-applied%s", name, o->dry_run ? " (dry run)" : "");
    return 0;
}

/* ---- the whole ---- */

static void tell(const struct applier *a, const char *command)
{
    if (a->ran)
        a->ran(a->ran_arg, command);
}

static int read_live(const struct applier *a, const json_t *target, const json_t *known,
                     const struct apply_options *o, json_t **live, err_t **err)
{
    *live = NULL;
    if (o->dry_run) {
        *live = json_incref((json_t *)(uintptr_t)known);
        return 0;
    }
    AUTO_ERR failure = NULL;
    if (apply_get(a, target, live, &failure) < 0 && err_code(failure) != ERR_NOT_FOUND)
        return err_move(err, TAKE(failure));
    return 0;
}

static int apply_any(const struct applier *a, const json_t *target, const json_t *known_live,
                     const struct apply_options *o, char **message, json_t **result, err_t **err)
{
    const struct kube_resource *r = apply_resource(a, target, err);
    if (!r)
        return -ERR_NOT_FOUND;
    AUTO_JSON body = json_copy_deep(target);
    AUTO_JSON live = NULL;
    if (!r->namespaced)
        json_drop_at(body, "metadata", "namespace");
    bool rbac = str_eq(json_str_at(body, "apiVersion"), "rbac.authorization.k8s.io/v1");
    if (!o->replace && !o->server_side && rbac)
        tell(a, "auth");
    if (!o->replace)
        tell(a, "apply");
    if (o->server_side && !o->replace)
        return server_side(a, r, body, o, message, result, err);
    if (read_live(a, body, known_live, o, &live, err) < 0)
        return err_again(err);
    if (o->replace)
        tell(a, live ? "replace" : "create");
    if (o->replace)
        return apply_replace(a, r, body, live, o, message, result, err);
    return rbac ? apply_rbac(a, r, body, &live, o, message, result, err)
                : apply_client_side(a, r, body, &live, o, message, result, err);
}

/* Texts of an API server repeat Go's values; what stands between brackets of a map is left out, line by line,
 * as Argo CD does it. */
static void shorten(err_t **err)
{
    AUTO_STR out = STR_INIT;
    view_t rest = view_of(err_text(*err)), line;
    for (bool first = true; view_split(&rest, '\n', &line); first = false) {
        AUTO(free_p) char *text = xstrndup(line.n ? line.p : "", line.n);
        char *map = strstr(text, "map["), *end = map ? strrchr(map, ']') : NULL;
        str_puts(&out, first ? "" : "\n");
        if (end)
            *map = 0;
        str_printf(&out, "%s%s", text, end ? end + 1 : "");
    }
    if (strcmp(str_text(&out), err_text(*err)) != 0)
        err_set(err, err_code(*err), "%s", str_text(&out));
}

int apply_object(const struct applier *a, const json_t *target, const json_t *known_live,
                 const struct apply_options *o, char **message, json_t **result, err_t **err)
{
    int code = apply_any(a, target, known_live, o, message, result, err);
    if (code < 0 && err && *err) {
        mask_error(err, &target, 1);
        shorten(err);
    }
    return code;
}
