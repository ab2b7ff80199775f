/* /version, health, and the documents from which clients learn what is served: group by group, or all at once
 * (aggregated discovery, https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery).
 */
#include "tests/kubesim/api.h"

static const char *const all_verbs[] = {"create", "delete", "deletecollection", "get",
                                        "list",   "patch",  "update",           "watch"};

static json_t *words(const char *comma_list)
{
    json_t *list = json_array();
    view_t rest = view_of(comma_list), part;
    while (view_split(&rest, ',', &part))
        if (part.n)
            json_array_append_new(list, json_stringn(part.p, part.n));
    return list;
}

static json_t *verbs_of(const struct resource *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(all_verbs); i++)
        if (r->flags & R_REVIEW
                ? i == 0
                : !(r->flags & R_NO_COLLECTION) || strcmp(all_verbs[i], "deletecollection") != 0)
            json_array_append_new(list, json_string(all_verbs[i]));
    return list;
}

static json_t *sub_verbs(const char *sub)
{
    return strcmp(sub, "log") == 0        ? json_pack("[s]", "get")
           : strcmp(sub, "finalize") == 0 ? json_pack("[s]", "update")
                                          : json_pack("[s,s,s]", "get", "patch", "update");
}

/* Subresources that this endpoint has, each with fn. */
static void each_sub(const struct endpoint *e,
                     void (*fn)(const struct endpoint *e, const char *sub, json_t *list), json_t *list)
{
    AUTO(strv_free_p) char **subs = strv_split(e->resource->subresources, ",", true);
    for (char **s = subs; *s; s++) {
        bool custom = e->resource->flags & R_CUSTOM;
        if (custom && ((strcmp(*s, "status") == 0 && !e->status) || (strcmp(*s, "scale") == 0 && !e->scale)))
            continue;
        fn(e, *s, list);
    }
}

/* ---- one group and version ---- */

static void add_sub(const struct endpoint *e, const char *sub, json_t *list)
{
    bool scale = strcmp(sub, "scale") == 0;
    AUTO(free_p) char *name = xasprintf("%s/%s", e->resource->plural, sub);
    json_t *o = json_pack("{s:s,s:s,s:b,s:s,s:o}", "name", name, "singularName", "", "namespaced",
                          (e->resource->flags & R_NAMESPACED) != 0, "kind",
                          scale ? "Scale" : e->resource->kind, "verbs", sub_verbs(sub));
    if (scale) {
        json_set_str(o, "group", "autoscaling");
        json_set_str(o, "version", "v1");
    }
    json_array_append_new(list, o);
}

static void add_resource(const struct endpoint *e, json_t *list)
{
    const struct resource *r = e->resource;
    json_t *o = json_pack("{s:s,s:s,s:b,s:s,s:o}", "name", r->plural, "singularName", r->singular,
                          "namespaced", (r->flags & R_NAMESPACED) != 0, "kind", r->kind, "verbs",
                          verbs_of(r));
    if (*r->short_names)
        json_object_set_new(o, "shortNames", words(r->short_names));
    if (*r->categories)
        json_object_set_new(o, "categories", words(r->categories));
    json_array_append_new(list, o);
    each_sub(e, add_sub, list);
}

static json_t *resource_list(const struct registry *g, const char *group, const char *version)
{
    json_t *list = json_array();
    AUTO(free_p) char *gv = *group ? xasprintf("%s/%s", group, version) : xstrdup(version);
    bool any = false;
    VEC_FOREACH(&g->endpoints, e) {
        if (strcmp((*e)->group, group) != 0 || strcmp((*e)->version, version) != 0)
            continue;
        any = true;
        add_resource(*e, list);
    }
    json_t *o = json_pack("{s:s,s:s,s:s,s:o}", "kind", "APIResourceList", "apiVersion", "v1", "groupVersion",
                          gv, "resources", list);
    if (!any) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* ---- groups ---- */

/* Versions of a group, in order of preference, each once. */
static json_t *versions_of(const struct registry *g, const char *group)
{
    json_t *list = json_array(), *seen = json_object();
    VEC_FOREACH(&g->endpoints, e) {
        if (strcmp((*e)->group, group) != 0 || json_object_get(seen, (*e)->version))
            continue;
        json_object_set_new(seen, (*e)->version, json_true());
        AUTO(free_p) char *gv = endpoint_api_version(*e);
        json_array_append_new(list, json_pack("{s:s,s:s}", "groupVersion", gv, "version", (*e)->version));
    }
    json_decref(seen);
    return list;
}

static json_t *group_of(const char *name, json_t *versions_take)
{
    return json_pack("{s:s,s:o,s:O}", "name", name, "versions", versions_take, "preferredVersion",
                     json_array_get(versions_take, 0));
}

/* Names of the groups but the core one, in order. */
static json_t *group_names(const struct registry *g)
{
    json_t *names = json_array(), *seen = json_object();
    VEC_FOREACH(&g->endpoints, e) {
        if (!*(*e)->group || json_object_get(seen, (*e)->group))
            continue;
        json_object_set_new(seen, (*e)->group, json_true());
        json_array_append_new(names, json_string((*e)->group));
    }
    json_decref(seen);
    return names;
}

/* APIServices that name a Service: nothing answers behind them here, so their groups are there but broken. */
static bool broken_service(const struct sim *s, struct index_cursor *c, json_t **spec)
{
    for (struct blob *b; (b = index_next(c));) {
        json_t *o = blob_read(b, "", "");
        *spec = json_incref(json_object_get(o, "spec"));
        json_decref(o);
        if (json_object_get(*spec, "service") && json_str_at(*spec, "group") && json_str_at(*spec, "version"))
            return true;
        json_decref(*spec);
    }
    return false;
}

static void add_broken(const struct sim *s, json_t *groups)
{
    const struct resource *r = registry_resource(&s->registry, "apiregistration.k8s.io", "apiservices");
    struct index_cursor c = index_from(&r->index, "");
    json_t *spec;
    while (broken_service(s, &c, &spec)) {
        const char *group = json_str_at(spec, "group"), *version = json_str_at(spec, "version");
        AUTO(free_p) char *gv = xasprintf("%s/%s", group, version);
        json_array_append_new(
            groups, group_of(group, json_pack("[{s:s,s:s}]", "groupVersion", gv, "version", version)));
        json_decref(spec);
    }
}

static bool is_broken(const struct sim *s, const char *group, const char *version)
{
    const struct resource *r = registry_resource(&s->registry, "apiregistration.k8s.io", "apiservices");
    struct index_cursor c = index_from(&r->index, "");
    json_t *spec;
    bool found = false;
    while (!found && broken_service(s, &c, &spec)) {
        found = str_same(json_str_at(spec, "group"), group) &&
                (!version || str_same(json_str_at(spec, "version"), version));
        json_decref(spec);
    }
    return found;
}

static json_t *group_list(const struct sim *s)
{
    json_t *groups = json_array(), *name;
    AUTO_JSON names = group_names(&s->registry);
    size_t i;
    json_array_foreach(names, i, name)
        json_array_append_new(
            groups, group_of(json_string_value(name), versions_of(&s->registry, json_string_value(name))));
    add_broken(s, groups);
    return json_pack("{s:s,s:s,s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups);
}

/* ---- all at once ---- */

static json_t *response_kind(const char *group, const char *version, const char *kind)
{
    return json_pack("{s:s,s:s,s:s}", "group", group, "version", version, "kind", kind);
}

static void add_aggregated_sub(const struct endpoint *e, const char *sub, json_t *list)
{
    bool scale = strcmp(sub, "scale") == 0;
    json_array_append_new(list, json_pack("{s:s,s:o,s:o}", "subresource", sub, "responseKind",
                                          scale ? response_kind("autoscaling", "v1", "Scale")
                                                : response_kind(e->group, e->version, e->resource->kind),
                                          "verbs", sub_verbs(sub)));
}

static json_t *aggregated_resource(const struct endpoint *e)
{
    const struct resource *r = e->resource;
    json_t *subs = json_array();
    each_sub(e, add_aggregated_sub, subs);
    json_t *o = json_pack("{s:s,s:o,s:s,s:s,s:o}", "resource", r->plural, "responseKind",
                          response_kind(e->group, e->version, r->kind), "scope",
                          r->flags & R_NAMESPACED ? "Namespaced" : "Cluster", "singularResource", r->singular,
                          "verbs", verbs_of(r));
    if (*r->short_names)
        json_object_set_new(o, "shortNames", words(r->short_names));
    if (*r->categories)
        json_object_set_new(o, "categories", words(r->categories));
    if (json_array_size(subs))
        json_object_set(o, "subresources", subs);
    json_decref(subs);
    return o;
}

static json_t *aggregated_group(const struct registry *g, const char *group)
{
    json_t *versions = json_array(), *v;
    AUTO_JSON names = versions_of(g, group);
    size_t i;
    json_array_foreach(names, i, v) {
        const char *version = json_str_at(v, "version");
        json_t *resources = json_array();
        VEC_FOREACH(&g->endpoints, e)
            if (strcmp((*e)->group, group) == 0 && strcmp((*e)->version, version) == 0)
                json_array_append_new(resources, aggregated_resource(*e));
        json_array_append_new(versions, json_pack("{s:s,s:o,s:s}", "version", version, "resources", resources,
                                                  "freshness", "Current"));
    }
    json_t *meta = json_pack("{s:n}", "creationTimestamp");
    json_put_str(meta, "name", group);
    return json_pack("{s:o,s:o}", "metadata", meta, "versions", versions);
}

static json_t *aggregated(const struct sim *s, bool core, const char *version)
{
    json_t *items = json_array(), *name, *spec;
    AUTO_JSON names = core ? json_pack("[s]", "") : group_names(&s->registry);
    AUTO(free_p) char *api_version = xasprintf("apidiscovery.k8s.io/%s", version);
    size_t i;
    json_array_foreach(names, i, name)
        json_array_append_new(items, aggregated_group(&s->registry, json_string_value(name)));
    const struct resource *r = registry_resource(&s->registry, "apiregistration.k8s.io", "apiservices");
    struct index_cursor c = index_from(&r->index, "");
    while (!core && broken_service(s, &c, &spec)) {
        json_array_append_new(items, json_pack("{s:{s:s},s:[{s:s,s:s}]}", "metadata", "name",
                                               json_str_at(spec, "group"), "versions", "version",
                                               json_str_at(spec, "version"), "freshness", "Stale"));
        json_decref(spec);
    }
    return json_pack("{s:s,s:s,s:{},s:o}", "kind", "APIGroupDiscoveryList", "apiVersion", api_version,
                     "metadata", "items", items);
}

/* Which version of aggregated discovery the client asks for and this server version has; NULL: none. */
static const char *aggregated_version(const struct exchange *x)
{
    const char *accept = str_or_empty(http_get_header(x->request, "accept"));
    if (!strstr(accept, "as=APIGroupDiscoveryList") || !strstr(accept, "g=apidiscovery.k8s.io"))
        return NULL;
    if (sim_minor(x->sim) >= 30 && (strstr(accept, "v=v2;") || strstr(accept, "v=v2,")))
        return "v2";
    return sim_minor(x->sim) >= 27 && strstr(accept, "v=v2beta1") ? "v2beta1" : NULL;
}

static void reply_document(struct exchange *x, json_t *document_take, const char *aggregated)
{
    AUTO_STR text = STR_INIT;
    AUTO(free_p)
    char *type = aggregated
                     ? xasprintf("application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList",
                                 aggregated)
                     : xstrdup("application/json");
    json_write(document_take, JSON_GO, &text);
    str_putc(&text, '\n');
    json_decref(document_take);
    http_reply(x->request, 200, type, NULL, text.p, text.len);
}

/* ---- paths ---- */

static void reply_version(struct exchange *x)
{
    const char *git = x->sim->options.git_version;
    AUTO(free_p) char *major = xstrndup(git + 1, strcspn(git + 1, "."));
    AUTO(free_p) char *minor = xasprintf("%d", sim_minor(x->sim));
    reply_document(x,
                   json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "major", major, "minor", minor,
                             "gitVersion", git, "gitCommit", "0000000000000000000000000000000000000000",
                             "gitTreeState", "clean", "buildDate", "1970-01-01T00:00:00Z", "goVersion", "go0",
                             "compiler", "gcc", "platform", "linux/amd64"),
                   NULL);
}

/* OpenAPI is not simulated. kubectl wants the document all the same before it applies: this one, empty, makes
 * it skip its own validation. As protobuf: field 1 (swagger) "2.0". */
static void reply_openapi(struct exchange *x)
{
    static const char proto[] = "\x0a\x03"
                                "2.0";
    bool protobuf = strstr(str_or_empty(http_get_header(x->request, "accept")), "proto-openapi") != NULL;
    if (protobuf)
        http_reply(x->request, 200, "application/octet-stream", NULL, proto, sizeof(proto) - 1);
    else
        reply_document(x,
                       json_pack("{s:s,s:{s:s,s:s},s:{},s:{}}", "swagger", "2.0", "info", "title",
                                 "Kubernetes", "version", x->sim->options.git_version, "paths",
                                 "definitions"),
                       NULL);
}

static bool reply_group(struct exchange *x, const char *group, const char *version)
{
    struct sim *s = x->sim;
    if (is_broken(s, group, version)) {
        if (version)
            reply_text(x, 503, "text/plain; charset=utf-8", "service unavailable\n");
        else
            reply_document(x,
                           json_pack("{s:s,s:s,s:s,s:[]}", "kind", "APIGroup", "apiVersion", "v1", "name",
                                     group, "versions"),
                           NULL);
        return true;
    }
    json_t *o = version ? resource_list(&s->registry, group, version) : NULL;
    AUTO_JSON versions = version ? NULL : versions_of(&s->registry, group);
    if (!version && json_array_size(versions)) {
        o = group_of(group, json_incref(versions));
        json_set_str(o, "kind", "APIGroup");
        json_set_str(o, "apiVersion", "v1");
    }
    if (!o)
        return false;
    reply_document(x, o, NULL);
    return true;
}

static bool reply_groups(struct exchange *x, bool core)
{
    const char *version = aggregated_version(x);
    json_t *o = version ? aggregated(x->sim, core, version)
                : core  ? json_pack("{s:s,s:[s],s:[]}", "kind", "APIVersions", "versions", "v1",
                                    "serverAddressByClientCIDRs")
                        : group_list(x->sim);
    reply_document(x, o, version);
    return true;
}

bool api_discovery(struct exchange *x)
{
    static const char *const health[] = {"/healthz", "/readyz", "/livez"};
    const char *path = x->request->path;
    for (size_t i = 0; i < ARRAY_LEN(health); i++)
        if (strcmp(path, health[i]) == 0) {
            reply_text(x, 200, "text/plain; charset=utf-8", "ok");
            return true;
        }
    if (strcmp(path, "/version") == 0)
        reply_version(x);
    else if (strcmp(path, "/openapi/v2") == 0)
        reply_openapi(x);
    else {
        AUTO(strv_free_p) char **v = strv_split(path, "/", true);
        size_t n = strv_len(v);
        bool core = n && strcmp(v[0], "api") == 0;
        if (!n || (!core && strcmp(v[0], "apis") != 0) || n > 3 + (size_t)!core)
            return false;
        if (n == 1)
            return reply_groups(x, core);
        if (core)
            return n == 2 && reply_group(x, "", v[1]);
        if (n > 3)
            return is_broken(x->sim, v[1], v[2]) && reply_group(x, v[1], v[2]);
        return reply_group(x, v[1], n == 3 ? v[2] : NULL);
    }
    return true;
}
