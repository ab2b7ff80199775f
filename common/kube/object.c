/* The verbs on single objects. */
#include "common/kube/kube_internal.h"

static const struct kube_params no_params;

/* The path with what the parameters add to it. */
static char *request_path(const struct kube_resource *r, const char *ns, const char *name,
                          const struct kube_params *p, bool apply)
{
    AUTO(free_p) char *path = kube_path(r, ns, name, p->subresource);
    str_t s = STR_INIT;
    str_puts(&s, path);
    kube_query_add(&s, "fieldManager", p->field_manager);
    kube_query_add(&s, "dryRun", p->dry_run ? "All" : NULL);
    kube_query_add(&s, "fieldValidation", p->field_validation);
    kube_query_add(&s, "force", apply && p->force ? "true" : NULL);
    return str_take(&s);
}

static int call_for_json(kube_t *k, const struct kube_params *p, struct kube_call *call, json_t **out,
                         err_t **err)
{
    struct http_response response;
    call->timeout_ns = p->timeout_ns;
    call->warnings = p->warnings;
    call->failure = p->failure;
    int r = kube_call(k, call, &response, err);
    if (r < 0)
        return r;
    json_t *v = NULL;
    if (out && (r = json_read(str_text(&response.body), response.body.len, &v, err)) < 0)
        err_wrap(err, "%s %s: the answer", call->method, call->path);
    else if (out)
        *out = v;
    http_response_dispose(&response);
    return r;
}

static int check_name(const char *name, err_t **err)
{
    return str_empty(name) ? err_set(err, ERR_INVALID_ARGUMENT, "an object without a name was asked for") : 0;
}

static int send_object(kube_t *k, const char *method, const char *path_take, const char *content_type,
                       const json_t *object, bool idempotent, const struct kube_params *p, json_t **out,
                       err_t **err)
{
    AUTO_STR body = STR_INIT;
    json_write(object, JSON_KEEP_ORDER | JSON_NO_HTML, &body);
    struct kube_call call = {.method = method,
                             .path = path_take,
                             .content_type = content_type,
                             .body = str_text(&body),
                             .n = body.len,
                             .idempotent = idempotent};
    int r = call_for_json(k, p, &call, out, err);
    free((char *)(uintptr_t)path_take);
    return r;
}

int kube_get(kube_t *k, const struct kube_resource *r, const char *ns, const char *name,
             const struct kube_params *params, json_t **out, err_t **err)
{
    const struct kube_params *p = params ? params : &no_params;
    int result = check_name(name, err);
    if (result < 0)
        return result;
    AUTO(free_p) char *path = kube_path(r, ns, name, p->subresource);
    struct kube_call call = {.method = "GET", .path = path, .idempotent = true};
    return call_for_json(k, p, &call, out, err);
}

int kube_create(kube_t *k, const struct kube_resource *r, const char *ns, const json_t *object,
                const struct kube_params *params, json_t **out, err_t **err)
{
    const struct kube_params *p = params ? params : &no_params;
    const char *name = json_str_at(object, "metadata", "name");
    /* Subresources (bindings, evictions) are created below an object. */
    char *path = request_path(r, ns, p->subresource ? name : NULL, p, false);
    /* A name makes it safe to send again: at worst the answer is AlreadyExists. A generated one would make
     * two. */
    return send_object(k, "POST", path, "application/json", object, !str_empty(name), p, out, err);
}

int kube_update(kube_t *k, const struct kube_resource *r, const char *ns, const char *name,
                const json_t *object, const struct kube_params *params, json_t **out, err_t **err)
{
    const struct kube_params *p = params ? params : &no_params;
    int result = check_name(name, err);
    if (result < 0)
        return result;
    return send_object(k, "PUT", request_path(r, ns, name, p, false), "application/json", object, true, p,
                       out, err);
}

int kube_patch(kube_t *k, const struct kube_resource *r, const char *ns, const char *name,
               enum kube_patch_type type, const json_t *patch, const struct kube_params *params, json_t **out,
               err_t **err)
{
    static const struct {
        const char *content_type;
        bool idempotent;
    } types[] = {
        [KUBE_PATCH_JSON] = {"application/json-patch+json", false},
        [KUBE_PATCH_MERGE] = {"application/merge-patch+json", true},
        [KUBE_PATCH_STRATEGIC] = {"application/strategic-merge-patch+json", true},
        [KUBE_PATCH_APPLY] = {"application/apply-patch+yaml", true}, /* JSON is YAML */
    };
    const struct kube_params *p = params ? params : &no_params;
    int result = check_name(name, err);
    if (result < 0)
        return result;
    if ((unsigned)type >= ARRAY_LEN(types))
        return err_set(err, ERR_INVALID_ARGUMENT, "patch type %d does not exist", (int)type);
    return send_object(k, "PATCH", request_path(r, ns, name, p, type == KUBE_PATCH_APPLY),
                       types[type].content_type, patch, types[type].idempotent, p, out, err);
}

/* Options go into the body, dryRun too: with a body the server does not look at the query. */
static json_t *delete_options(const struct kube_delete *how, bool dry_run)
{
    json_t *o = json_object();
    json_set_str(o, "kind", "DeleteOptions");
    json_set_str(o, "apiVersion", "v1");
    if (dry_run) {
        json_t *all = json_array();
        json_array_append_new(all, json_string("All"));
        json_object_set_new_nocheck(o, "dryRun", all);
    }
    if (!how)
        return o;
    json_put_str(o, "propagationPolicy", how->propagation);
    if (how->grace_seconds >= 0)
        json_object_set_new_nocheck(o, "gracePeriodSeconds", json_integer(how->grace_seconds));
    if (!str_empty(how->uid))
        json_put_at(o, json_str_new(how->uid), "preconditions", "uid");
    if (!str_empty(how->resource_version))
        json_put_at(o, json_str_new(how->resource_version), "preconditions", "resourceVersion");
    return o;
}

int kube_delete(kube_t *k, const struct kube_resource *r, const char *ns, const char *name,
                const struct kube_delete *how, const struct kube_params *params, err_t **err)
{
    const struct kube_params *p = params ? params : &no_params;
    int result = check_name(name, err);
    if (result < 0)
        return result;
    AUTO_JSON options = delete_options(how, p->dry_run);
    /* With a precondition the wrong object cannot be hit by sending twice. */
    bool idempotent = how && (how->uid || how->resource_version);
    return send_object(k, "DELETE", kube_path(r, ns, name, p->subresource), "application/json", options,
                       idempotent, p, NULL, err);
}

int kube_raw(kube_t *k, const char *method, const char *path, const char *content_type, const void *body,
             size_t n, const struct kube_params *params, str_t *out, err_t **err)
{
    const struct kube_params *p = params ? params : &no_params;
    struct http_response response;
    if (path[0] != '/')
        return err_set(err, ERR_INVALID_ARGUMENT, "the path '%.100s' does not begin with a slash", path);
    struct kube_call call = {.method = method ? method : "GET",
                             .path = path,
                             .accept = "application/json, */*",
                             .content_type = content_type,
                             .body = body,
                             .n = n,
                             .timeout_ns = p->timeout_ns,
                             .warnings = p->warnings,
                             .failure = p->failure};
    call.idempotent = str_eq(call.method, "GET") || str_eq(call.method, "HEAD") ||
                      str_eq(call.method, "OPTIONS");
    int r = kube_call(k, &call, &response, err);
    if (r < 0)
        return r;
    if (out)
        str_add(out, str_text(&response.body), response.body.len);
    http_response_dispose(&response);
    if (out && str_overflowed(out))
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s %s: the answer is too large", call.method, path);
    return 0;
}

int kube_version(kube_t *k, char **out, err_t **err)
{
    struct kube_call call = {.method = "GET", .path = "/version", .idempotent = true};
    AUTO_JSON v = NULL;
    int r = call_for_json(k, &no_params, &call, &v, err);
    if (r < 0)
        return r;
    const char *version = json_str_at(v, "gitVersion");
    if (str_empty(version))
        return err_set(err, ERR_INTERNAL, "GET %s/version: there is no gitVersion in the answer",
                       k->core->server);
    *out = xstrdup(version);
    return 0;
}
