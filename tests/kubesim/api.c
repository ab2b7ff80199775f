#include "tests/kubesim/api.h"

#include "common/base/hash.h"
#include "tests/kubesim/audit.h"
#include "tests/kubesim/scale.h"

#include <stdio.h>

/* ---- answers ---- */

void reply_text(struct exchange *x, int code, const char *type, const char *text)
{
    if (!x->fault.mute)
        http_reply(x->request, code, type, NULL, text, strlen(text));
}

static void reply_bytes(struct exchange *x, int code, str_t *body)
{
    char headers[64] = "";
    if (x->fault.status && x->fault.retry_after)
        snprintf(headers, sizeof(headers), "Retry-After: %lld\r\n", (long long)x->fault.retry_after);
    str_putc(body, '\n');
    if (!x->fault.mute)
        http_reply(x->request, code, "application/json", headers, body->p, body->len);
}

void reply_json(struct exchange *x, int code, const json_t *body)
{
    AUTO_STR text = STR_INIT;
    json_write(body, JSON_GO, &text);
    reply_bytes(x, code, &text);
}

void reply_status_take(struct exchange *x, json_t *status_take)
{
    int code = status_code(status_take);
    reply_json(x, code ? code : 200, status_take);
    json_decref(status_take);
}

/* An object, or the failure; takes both. */
static void reply_object(struct exchange *x, int code, json_t *object_take, json_t *failure_take)
{
    AUTO_JSON object = object_take;
    if (failure_take) {
        reply_status_take(x, failure_take);
        return;
    }
    AUTO_STR text = STR_INIT;
    enum accept a = accept_parse(http_get_header(x->request, "accept"));
    struct format f = format_new(x->route.endpoint, a == ACCEPT_PARTIAL);
    format_document(&f, object, &text);
    format_dispose(&f);
    reply_bytes(x, code, &text);
}

struct write exchange_write(const struct exchange *x, bool dry_run)
{
    return (struct write){.endpoint = x->route.endpoint,
                          .ns = x->route.ns,
                          .name = x->route.name,
                          .subresource = x->route.subresource,
                          .dry_run = dry_run,
                          .user = x->user,
                          .user_agent = http_get_header(x->request, "user-agent")};
}

/* ---- bodies ---- */

static json_t *content_refused(struct exchange *x, bool strategic)
{
    return status_failure(415, "UnsupportedMediaType",
                          "the body of the request was in an unknown format - accepted media types include: "
                          "application/json-patch+json, application/merge-patch+json%s",
                          strategic ? ", application/strategic-merge-patch+json" : "");
}

static json_t *read_body(struct exchange *x, json_t **out)
{
    const struct request *r = x->request;
    AUTO_ERR err = NULL;
    if (r->body_too_large)
        return status_failure(413, "RequestEntityTooLarge", "Request entity too large: limit is %d",
                              HTTP_MAX_BODY);
    if (json_read(r->body.p, r->body.n, out, &err) < 0)
        return status_bad_request(
            "the object provided is unrecognized (must be of type %s): couldn't get version/kind; "
            "json parse error: %s",
            x->route.endpoint->resource->kind, err_text(err));
    return NULL;
}

static json_t *read_object_body(struct exchange *x, json_t **out)
{
    const char *type = str_or_empty(http_get_header(x->request, "content-type"));
    /* YAML and protobuf, which kube-apiserver reads too, are not simulated. */
    if (*type && !str_has_prefix(type, "application/json") && !str_has_prefix(type, "*/*"))
        return status_failure(
            415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json");
    return read_body(x, out);
}

json_t *deletion_read(struct exchange *x, struct deletion *d, json_t **options, bool *dry_run)
{
    static const char *const policies[] = {"Foreground", "Background", "Orphan"};
    const struct request *r = x->request;
    json_t *failure = NULL, *causes = NULL;
    *options = NULL;
    if ((failure = dry_run_read(r, "DeleteOptions", dry_run)) ||
        (r->body.n && (failure = read_body(x, options))))
        return failure;
    if (!*options)
        *options = json_object();
    if (!json_is_map(*options))
        return status_bad_request("DeleteOptions: the body is not an object");
    const char *policy = http_query(r, "propagationPolicy"), *grace = http_query(r, "gracePeriodSeconds");
    json_t *own = json_object_get(*options, "gracePeriodSeconds"),
           *orphan = json_object_get(*options, "orphanDependents");
    *d = (struct deletion){.propagation = json_str_at(*options, "propagationPolicy"),
                           .uid = json_str_at(*options, "preconditions", "uid"),
                           .resource_version = json_str_at(*options, "preconditions", "resourceVersion"),
                           .grace = json_is_any_number(own) ? json_integer_value(own) : -1};
    if (!r->body.n && policy)
        d->propagation = policy;
    if (!r->body.n && grace)
        str_to_i64(grace, &d->grace);
    *dry_run |= str_same(json_string_value(json_array_get(json_object_get(*options, "dryRun"), 0)), "All");
    if (d->propagation && json_is_boolean(orphan))
        problem_add(&causes, P_INVALID, "propagationPolicy",
                    "\"%s\": orphanDependents and deletionPropagation cannot be both set", d->propagation);
    bool known = !d->propagation;
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        known |= str_same(policies[i], d->propagation);
    if (!known)
        problem_add(&causes, P_UNSUPPORTED, "propagationPolicy",
                    "\"%s\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
                    d->propagation);
    if (json_is_boolean(orphan))
        d->propagation = json_is_true(orphan) ? "Orphan" : "Background";
    return causes ? status_invalid("meta.k8s.io", "DeleteOptions", "", causes) : NULL;
}

/* ---- handlers ---- */

void api_get(struct exchange *x)
{
    const struct route *r = &x->route;
    enum accept a = accept_parse(http_get_header(x->request, "accept"));
    struct blob *b = store_get(r->endpoint->resource, r->ns, r->name);
    AUTO_STR text = STR_INIT;
    if (a == ACCEPT_NONE || a == ACCEPT_PARTIAL_LIST) {
        reply_status_take(x, status_about(NULL, NULL, 406, "NotAcceptable", "406: Not Acceptable"));
        return;
    }
    if (!b) {
        reply_status_take(x, status_not_found(r->endpoint->resource, r->name));
        return;
    }
    if (str_same(r->subresource, "scale")) {
        json_t *failure = NULL, *scale = scale_read(r->endpoint, b, false, &failure);
        reply_object(x, 200, scale, failure);
        return;
    }
    struct format f = format_new(r->endpoint, a == ACCEPT_PARTIAL);
    format_object(&f, b, true, &text);
    format_dispose(&f);
    reply_bytes(x, 200, &text);
}

void api_create(struct exchange *x)
{
    json_t *body = NULL, *failure = NULL, *result = NULL;
    bool dry_run;
    if (!(failure = dry_run_read(x->request, "CreateOptions", &dry_run)) &&
        !(failure = read_object_body(x, &body))) {
        struct write w = exchange_write(x, dry_run);
        result = write_create(x->sim, &w, body, &failure);
    }
    reply_object(x, 201, result, failure);
}

void api_update(struct exchange *x)
{
    json_t *body = NULL, *failure = NULL, *result = NULL;
    bool dry_run, created = false;
    if (!(failure = dry_run_read(x->request, "UpdateOptions", &dry_run)) &&
        !(failure = read_object_body(x, &body))) {
        struct write w = exchange_write(x, dry_run);
        result = write_update(x->sim, &w, body, &created, &failure);
    }
    reply_object(x, created ? 201 : 200, result, failure);
}

static json_t *patch_type(struct exchange *x, enum patch_type *out)
{
    const char *header = str_or_empty(http_get_header(x->request, "content-type"));
    view_t rest = view_of(header), type;
    bool custom = x->route.endpoint->resource->flags & R_CUSTOM;
    view_split(&rest, ';', &type);
    if (view_eq(type, "application/json-patch+json"))
        *out = PATCH_JSON;
    else if (view_eq(type, "application/merge-patch+json"))
        *out = PATCH_MERGE;
    else if (view_eq(type, "application/strategic-merge-patch+json") && !custom)
        *out = PATCH_STRATEGIC;
    else if (view_eq(type, "application/strategic-merge-patch+json"))
        return content_refused(x, false);
    else if (str_has_prefix(header, "application/apply-patch"))
        return status_failure(415, "UnsupportedMediaType",
                              "server-side apply is not simulated by kubesim; use a real kube-apiserver");
    else
        return status_media_type();
    return NULL;
}

void api_patch(struct exchange *x)
{
    json_t *body = NULL, *failure = NULL, *result = NULL;
    enum patch_type type = PATCH_MERGE;
    bool dry_run;
    if (!(failure = patch_type(x, &type)) &&
        !(failure = dry_run_read(x->request, "PatchOptions", &dry_run)) && !(failure = read_body(x, &body))) {
        struct write w = exchange_write(x, dry_run);
        if (type == PATCH_JSON && !json_is_array(body))
            failure = status_bad_request(
                "json: cannot unmarshal object into Go value of type jsonpatch.Patch");
        else
            result = write_patch(x->sim, &w, type, body, &failure);
    }
    json_decref(body);
    reply_object(x, 200, result, failure);
}

void api_delete(struct exchange *x)
{
    struct deletion d;
    json_t *options = NULL, *result = NULL;
    bool dry_run;
    json_t *failure = deletion_read(x, &d, &options, &dry_run);
    if (!failure) {
        struct write w = exchange_write(x, dry_run);
        result = write_delete(x->sim, &w, &d, &failure);
    }
    json_decref(options);
    reply_object(x, 200, result, failure);
}

static bool is_denied(const struct faults *f, const json_t *review)
{
    const json_t *a = json_at(review, "spec", "resourceAttributes");
    const char *group = str_or_empty(json_str_at(a, "group"));
    const char *plural = str_or_empty(json_str_at(a, "resource"));
    AUTO(free_p) char *resource = *group ? xasprintf("%s.%s", plural, group) : xstrdup(plural);
    return faults_denied(f, str_or_empty(json_str_at(a, "verb")), resource,
                         str_or_empty(json_str_at(a, "namespace")));
}

/* Access reviews: everybody may do everything here, but for what a test denies. */
void api_review(struct exchange *x)
{
    json_t *body = NULL, *failure = read_object_body(x, &body);
    const struct resource *r = x->route.endpoint->resource;
    if (failure) {
        reply_status_take(x, failure);
        return;
    }
    AUTO(free_p) char *api_version = endpoint_api_version(x->route.endpoint);
    bool rules = strcmp(r->kind, "SelfSubjectRulesReview") == 0;
    json_set_str(body, "kind", r->kind);
    json_set_str(body, "apiVersion", api_version);
    json_object_set_new(body, "metadata", json_object());
    json_object_set_new(body, "status",
                        rules
                            ? json_pack("{s:[{s:[s],s:[s],s:[s]}],s:[{s:[s],s:[s]}],s:b}", "resourceRules",
                                        "verbs", "*", "apiGroups", "*", "resources", "*", "nonResourceRules",
                                        "verbs", "*", "nonResourceURLs", "*", "incomplete", 0)
                            : json_pack("{s:b}", "allowed", !is_denied(x->sim->faults, body)));
    reply_json(x, 201, body);
    json_decref(body);
}

/* ---- where a request goes ---- */

static const struct {
    const char *verb;
    void (*handle)(struct exchange *x);
} handlers[] = {{"get", api_get},
                {"list", api_list},
                {"create", api_create},
                {"update", api_update},
                {"patch", api_patch},
                {"delete", api_delete},
                {"deletecollection", api_delete_collection}};

static bool is_watch(const struct exchange *x)
{
    bool watch = x->route.watch_path;
    if (x->route.verb && strcmp(x->route.verb, "list") == 0)
        str_to_bool(str_or_empty(http_query(x->request, "watch")), &watch);
    return watch;
}

/* Whether the resource has this verb at this place. */
static bool is_allowed(const struct route *r)
{
    unsigned flags = r->endpoint->resource->flags;
    const char *verb = str_or_empty(r->verb), *sub = r->subresource;
    if (!*verb || flags & R_REVIEW)
        return *verb && strcmp(verb, "create") == 0;
    if (sub && (strcmp(verb, "delete") == 0 || strcmp(verb, "create") == 0))
        return false;
    if (str_same(sub, "log") || str_same(sub, "finalize"))
        return strcmp(verb, strcmp(sub, "log") == 0 ? "get" : "update") == 0;
    if (flags & R_NO_COLLECTION && strcmp(verb, "deletecollection") == 0)
        return false;
    return !(flags & R_NAMESPACED) || *r->ns || strcmp(verb, "list") == 0;
}

static void dispatch_resource(struct exchange *x)
{
    const struct route *r = &x->route;
    if (r->watch_path && strcmp(x->request->method, "GET") == 0) {
        api_list(x);
    } else if (!is_allowed(r)) {
        reply_status_take(x, status_method());
    } else if (r->endpoint->resource->flags & R_REVIEW) {
        api_review(x);
    } else if (str_same(r->subresource, "log")) {
        api_log(x);
    } else {
        for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
            if (strcmp(handlers[i].verb, r->verb) == 0)
                handlers[i].handle(x);
    }
}

static void dispatch(struct exchange *x)
{
    bool known_group;
    const struct request *r = x->request;
    if (str_has_prefix(r->path, "/kubesim/")) {
        admin_handle(x);
        return;
    }
    /* Again: a latency may have passed since. */
    route_dispose(&x->route);
    if (route_parse(&x->sim->registry, r->method, r->path, &x->route, &known_group))
        dispatch_resource(x);
    else if (api_discovery(x))
        return;
    else if (known_group)
        reply_status_take(x, status_unknown_path());
    else
        reply_text(x, 404, "text/plain; charset=utf-8", "404 page not found\n");
}

/* ---- who asks ---- */

static bool is_public(const char *path)
{
    static const char *const paths[] = {"/version", "/healthz", "/readyz", "/livez"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (strcmp(path, paths[i]) == 0)
            return true;
    return false;
}

/* True when the request may go on; else it has been answered. */
static bool authenticate(struct exchange *x)
{
    const struct sim_options *o = &x->sim->options;
    const char *header = http_get_header(x->request, "authorization"),
               *given = str_after(str_or_empty(header), "Bearer ");
    const char *as = http_get_header(x->request, "impersonate-user");
    size_t n = given ? strlen(given) : 0;
    bool token = given && o->token && n == strlen(o->token) && equal_constant_time(given, o->token, n);
    const char *user = x->request->peer_name ? x->request->peer_name
                       : token               ? "token-user"
                                             : "system:anonymous";
    x->user = xstrdup(str_empty(as) ? user : as);
    if (!o->authenticate || x->request->peer_name || token || (is_public(x->request->path) && !given))
        return true;
    const struct route *r = &x->route;
    if (given)
        reply_status_take(x, status_failure(401, "Unauthorized", "Unauthorized"));
    else if (r->endpoint)
        reply_status_take(
            x, status_about(r->endpoint->resource, r->name, 403, "Forbidden",
                            "%s is forbidden: User \"system:anonymous\" cannot %s resource \"%s\" in API "
                            "group \"%s\"%s%s%s",
                            r->endpoint->resource->key, str_or_empty(r->verb), r->endpoint->resource->plural,
                            r->endpoint->group, *r->ns ? " in the namespace \"" : " at the cluster scope",
                            r->ns, *r->ns ? "\"" : ""));
    else
        reply_status_take(x, status_about(NULL, NULL, 403, "Forbidden",
                                          "forbidden: User \"system:anonymous\" cannot %s path \"%s\"",
                                          x->request->method, x->request->path));
    return false;
}

/* ---- one exchange ---- */

static void on_done(struct request *r)
{
    struct exchange *x = r->state;
    loop_timer_stop(x->sim->loop, &x->timer);
    audit_request(x->sim->audit,
                  is_watch(x)     ? "watch"
                  : x->route.verb ? x->route.verb
                                  : r->method,
                  x->label, r->status);
    if (x->stream_free)
        x->stream_free(x->stream);
    route_dispose(&x->route);
    free(x->user);
    free(x->label);
    free(x);
}

static json_t *fault_status(const struct exchange *x)
{
    static const struct {
        int code;
        const char *reason, *message;
    } usual[] = {{429, "TooManyRequests",
                  "the server has received too many requests and has asked us to try again later"},
                 {500, "InternalError", "Internal error occurred: injected"},
                 {503, "ServiceUnavailable", "the server is currently unable to handle the request"},
                 {504, "Timeout", "Timeout: request did not complete within the allowed duration"},
                 {403, "Forbidden", "forbidden"},
                 {401, "Unauthorized", "Unauthorized"}};
    const struct fault *f = &x->fault;
    if (f->status == 409 && x->route.endpoint && !f->message)
        return status_conflict(x->route.endpoint->resource, x->route.name);
    const char *reason = f->reason, *message = f->message;
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        if (usual[i].code == f->status) {
            reason = reason ? reason : usual[i].reason;
            message = message ? message : usual[i].message;
        }
    json_t *status = status_failure(f->status, reason, "%s", message ? message : "injected");
    if (f->retry_after)
        json_put_at(status, json_integer(f->retry_after), "details", "retryAfterSeconds");
    return status;
}

static void go_on(struct exchange *x)
{
    bool watch = is_watch(x);
    if (x->fault.drop)
        http_cut(x->request);
    else if (x->fault.hang && !watch)
        return;
    else if (x->fault.status && x->fault.status != 410)
        reply_status_take(x, fault_status(x));
    else
        dispatch(x);
}

static void on_latency(struct timer *t)
{
    go_on(CONTAINER_OF(t, struct exchange, timer));
}

static void consult_faults(struct exchange *x)
{
    const struct route *r = &x->route;
    struct fault_query q = {.verb = is_watch(x) ? "watch"
                                    : r->verb   ? r->verb
                                                : x->request->method,
                            .resource = x->label,
                            .ns = r->ns,
                            .name = r->name,
                            .path = x->request->path,
                            .user_agent = http_get_header(x->request, "user-agent"),
                            .user = x->user,
                            .has_token = http_query(x->request, "continue") != NULL};
    if (!str_has_prefix(x->request->path, "/kubesim/"))
        x->fault = faults_match(x->sim->faults, &q);
}

void sim_handle(void *sim, struct request *r)
{
    struct exchange *x = xcalloc(1, sizeof(*x));
    bool known_group;
    x->sim = sim;
    x->request = r;
    r->state = x;
    r->done = on_done;
    route_parse(&x->sim->registry, r->method, r->path, &x->route, &known_group);
    x->label = !x->route.endpoint ? xstrdup("")
               : x->route.subresource
                   ? xasprintf("%s/%s", x->route.endpoint->resource->key, x->route.subresource)
                   : xstrdup(x->route.endpoint->resource->key);
    if (!authenticate(x))
        return;
    consult_faults(x);
    x->timer.fn = on_latency;
    if (x->fault.latency_ns > 0)
        loop_timer(x->sim->loop, &x->timer, x->fault.latency_ns);
    else
        go_on(x);
}
