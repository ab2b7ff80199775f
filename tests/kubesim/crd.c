#include "tests/kubesim/crd.h"

#include "tests/kubesim/ctl.h"
#include "tests/kubesim/names.h"
#include "tests/kubesim/status.h"
#include "tests/kubesim/watch.h"

static const char crds[] = "customresourcedefinitions.apiextensions.k8s.io";

/* ---- order of versions ---- */

/* "v2beta1" -> {2, 1 (alpha 0, beta 1, stable 2), 1}. */
static bool version_parts(const char *v, int64_t out[3])
{
    static const char *const levels[] = {"alpha", "beta"};
    char *end;
    if (v[0] != 'v' || v[1] < '1' || v[1] > '9')
        return false;
    out[0] = strtoll(v + 1, &end, 10);
    out[1] = 2;
    out[2] = 0;
    for (int i = 0; i < 2; i++) {
        const char *rest = str_after(end, levels[i]);
        if (!rest || *rest < '1' || *rest > '9')
            continue;
        out[1] = i;
        out[2] = strtoll(rest, &end, 10);
    }
    return !*end;
}

int version_cmp(const char *a, const char *b)
{
    int64_t x[3], y[3];
    bool fx = version_parts(a, x), fy = version_parts(b, y);
    static const int order[] = {1, 0, 2};
    if (fx != fy)
        return fx ? -1 : 1;
    for (size_t i = 0; i < ARRAY_LEN(order) && fx; i++)
        if (x[order[i]] != y[order[i]])
            return x[order[i]] > y[order[i]] ? -1 : 1;
    return strcmp(a, b);
}

/* ---- its own rules ---- */

static const char *storage_version(const json_t *o)
{
    json_t *v;
    size_t i;
    json_array_foreach(json_at(o, "spec", "versions"), i, v)
        if (json_bool_at(v, "storage"))
            return json_str_at(v, "name");
    return NULL;
}

static void add_stored(json_t *o)
{
    json_t *list = json_at(o, "status", "storedVersions"), *v;
    const char *storage = storage_version(o);
    size_t i;
    if (!json_is_array(list))
        json_put_at(o, list = json_array(), "status", "storedVersions");
    json_array_foreach(list, i, v)
        if (str_eq(json_string_value(v), storage))
            return;
    if (storage)
        json_array_append_new(list, json_string(storage));
}

void crd_prepare(struct admission *a)
{
    json_t *names = json_at(a->object, "spec", "names");
    const char *kind = json_str_at(names, "kind");
    if (!a->old)
        json_object_set_new(a->object, "status",
                            json_pack("{s:[],s:{s:s,s:s},s:[]}", "conditions", "acceptedNames", "plural", "",
                                      "kind", "", "storedVersions"));
    if (kind && !json_str_at(names, "singular")) {
        AUTO(free_p) char *singular = xstrdup(kind);
        for (char *p = singular; *p; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        json_set_str(names, "singular", singular);
    }
    if (kind && !json_str_at(names, "listKind")) {
        AUTO(free_p) char *list = xasprintf("%sList", kind);
        json_set_str(names, "listKind", list);
    }
    add_stored(a->object);
}

static void require(struct admission *a, const char *field, const char *value)
{
    if (str_empty(value))
        problem_add(&a->causes, P_REQUIRED, field, "%s", "");
}

void crd_validate(struct admission *a)
{
    json_t *spec = json_object_get(a->object, "spec"), *names = json_object_get(spec, "names"), *v;
    const char *plural = str_or_empty(json_str_at(names, "plural")),
               *group = str_or_empty(json_str_at(spec, "group"));
    const char *name = str_or_empty(json_str_at(a->object, "metadata", "name")),
               *scope = json_str_at(spec, "scope");
    AUTO(free_p) char *want = xasprintf("%s.%s", plural, group);
    size_t i, storage = 0;
    if (strcmp(name, want) != 0)
        problem_add(&a->causes, P_INVALID, "metadata.name",
                    "\"%s\": must be spec.names.plural+\".\"+spec.group", name);
    require(a, "spec.group", group);
    require(a, "spec.scope", scope);
    if (scope && strcmp(scope, "Namespaced") != 0 && strcmp(scope, "Cluster") != 0)
        problem_add(&a->causes, P_UNSUPPORTED, "spec.scope",
                    "\"%s\": supported values: \"Cluster\", \"Namespaced\"", scope);
    json_array_foreach(json_object_get(spec, "versions"), i, v) {
        AUTO(free_p) char *field = xasprintf("spec.versions[%zu].schema.openAPIV3Schema", i);
        AUTO(free_p) char *name_field = xasprintf("spec.versions[%zu].name", i);
        const char *version = str_or_empty(json_str_at(v, "name")),
                   *bad = name_check(NAME_RFC1035, version, false);
        if (bad)
            problem_add(&a->causes, P_INVALID, name_field, "\"%s\": %s", version, bad);
        storage += json_bool_at(v, "storage");
        if (!json_is_map(json_at(v, "schema", "openAPIV3Schema")))
            problem_add(&a->causes, P_REQUIRED, field, "schemas are required");
    }
    if (storage != 1)
        problem_add(&a->causes, P_INVALID, "spec.versions",
                    "[]apiextensions.CustomResourceDefinitionVersion(nil): must have exactly one version "
                    "marked as storage "
                    "version");
    require(a, "spec.names.plural", plural);
    require(a, "spec.names.kind", json_str_at(names, "kind"));
}

/* ---- serving ---- */

static char *joined(const json_t *list)
{
    AUTO_STR out = STR_INIT;
    json_t *v;
    size_t i;
    json_array_foreach(list, i, v)
        str_printf(&out, "%s%s", i ? "," : "", str_or_empty(json_string_value(v)));
    return str_take(&out);
}

static struct resource *add_resource(struct sim *s, const json_t *o, const char *subresources)
{
    json_t *spec = json_object_get(o, "spec"), *names = json_at(o, "status", "acceptedNames");
    AUTO(free_p) char *short_names = joined(json_object_get(names, "shortNames"));
    AUTO(free_p) char *categories = joined(json_object_get(names, "categories"));
    bool namespaced = str_same(json_str_at(spec, "scope"), "Namespaced");
    struct resource like = {.short_names = short_names,
                            .categories = categories,
                            .subresources = (char *)(uintptr_t)subresources,
                            .flags = R_CUSTOM | (namespaced ? R_NAMESPACED : 0u)};
    struct {
        char **to;
        const char *from;
    } texts[] = {{&like.group, json_str_at(spec, "group")},
                 {&like.kind, json_str_at(names, "kind")},
                 {&like.list_kind, json_str_at(names, "listKind")},
                 {&like.plural, json_str_at(names, "plural")},
                 {&like.singular, json_str_at(names, "singular")}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i].to = (char *)(uintptr_t)str_or_empty(texts[i].from);
    return registry_add(&s->registry, &like);
}

static int by_version(const void *a, const void *b)
{
    return version_cmp(json_str_at(*(json_t *const *)a, "name"), json_str_at(*(json_t *const *)b, "name"));
}

static void serve(struct sim *s, const json_t *o)
{
    VEC(json_t *) versions = {};
    json_t *v;
    size_t i;
    bool status = false, scale = false;
    json_array_foreach(json_at(o, "spec", "versions"), i, v) {
        if (!json_bool_at(v, "served"))
            continue;
        VEC_PUSH(&versions, v);
        status |= json_at(v, "subresources", "status") != NULL;
        scale |= json_at(v, "subresources", "scale") != NULL;
    }
    VEC_SORT(&versions, by_version);
    struct resource *r = add_resource(s, o,
                                      status && scale ? "status,scale"
                                      : status        ? "status"
                                      : scale         ? "scale"
                                                      : "");
    watch_end_all(r);
    registry_unserve(&s->registry, r);
    VEC_FOREACH(&versions, at) {
        json_t *sub = json_at(*at, "subresources", "scale");
        struct endpoint e = {.group = r->group,
                             .version = (char *)(uintptr_t)json_str_at(*at, "name"),
                             .resource = r,
                             .status = json_at(*at, "subresources", "status") != NULL,
                             .scale = sub != NULL,
                             .schema = json_copy_deep(json_at(*at, "schema", "openAPIV3Schema")),
                             .spec_replicas = (char *)(uintptr_t)json_str_at(sub, "specReplicasPath"),
                             .status_replicas = (char *)(uintptr_t)json_str_at(sub, "statusReplicasPath"),
                             .label_selector = (char *)(uintptr_t)json_str_at(sub, "labelSelectorPath")};
        registry_serve(&s->registry, &e);
    }
    VEC_FREE(&versions);
}

static void unserve(struct sim *s, const char *name)
{
    VEC_FOREACH(&s->registry.resources, r) {
        if (strcmp((*r)->key, name) != 0 || !((*r)->flags & R_CUSTOM) || !(*r)->served)
            continue;
        watch_end_all(*r);
        registry_unserve(&s->registry, *r);
    }
}

/* All instances first, then the definition itself. */
static void finish(struct sim *s, json_t *o)
{
    struct endpoint *e = ctl_endpoint(s, json_str_at(o, "metadata", "name"));
    VEC(struct blob *) all = {};
    if (e) {
        struct index_cursor c = index_from(&e->resource->index, "");
        for (struct blob *b; (b = index_next(&c));)
            VEC_PUSH(&all, blob_ref(b));
    }
    VEC_FOREACH(&all, b) {
        AUTO_JSON instance = read_blob(e, *b);
        if (!json_at(instance, "metadata", "deletionTimestamp"))
            ctl_delete(s, e->resource->key, instance, NULL, -1);
        blob_unref(*b);
    }
    VEC_FREE(&all);
    if (e && e->resource->index.n) {
        ctl_enqueue(s, CTL_DEFINITION, "", json_str_at(o, "metadata", "name"), s->options.delays.controller);
        return;
    }
    json_drop_at(o, "metadata", "finalizers");
    ctl_update(s, crds, o, NULL);
}

void definition_sync(struct sim *s, const char *ns, const char *name)
{
    AUTO_JSON o = ctl_get(s, crds, "", name);
    if (!o) {
        unserve(s, name);
        map_del(&s->definitions, name);
        return;
    }
    if (json_at(o, "metadata", "deletionTimestamp")) {
        finish(s, o);
        return;
    }
    json_t *names = json_at(o, "spec", "names"), *accepted = json_at(o, "status", "acceptedNames");
    bool changed = !json_same(names, accepted);
    if (changed)
        json_put_at(o, json_copy_deep(names), "status", "acceptedNames");
    changed |= condition_set(o, "NamesAccepted", true, "NoConflicts", "no conflicts found");
    changed |= condition_set(o, "Established", true, "InitialNamesAccepted",
                             "the initial names have been accepted");
    if (changed)
        ctl_update(s, crds, o, "status");
    /* A new definition, or one whose specification changed. */
    struct endpoint *e = ctl_endpoint(s, name);
    AUTO(free_p) char *text = json_text(json_object_get(o, "spec"), JSON_GO);
    if (!e || !str_same(map_get(&s->definitions, name), text))
        serve(s, o);
    map_put(&s->definitions, name, xstrdup(text));
}
