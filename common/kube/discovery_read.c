#include "common/kube/discovery.h"
#include "common/base/intern.h"
#include "common/base/map.h"
#include "common/kube/lister.h"

enum { MAX_RESOURCES = 100000 };

static unsigned verbs_of(const json_t *verbs)
{
    static const struct {
        const char *name;
        unsigned verb;
    } names[] = {
        {"get", KUBE_GET},       {"list", KUBE_LIST},
        {"watch", KUBE_WATCH},   {"create", KUBE_CREATE},
        {"update", KUBE_UPDATE}, {"patch", KUBE_PATCH},
        {"delete", KUBE_DELETE}, {"deletecollection", KUBE_DELETE_COLLECTION},
    };
    unsigned found = 0;
    size_t i;
    json_t *v;
    json_array_foreach(verbs, i, v)
        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            found |= str_eq(json_string_value(v), names[k].name) ? names[k].verb : 0;
    return found;
}

void kube_found_dispose(struct kube_found *f)
{
    VEC_FOREACH(&f->resources, r)
        kube_resource_dispose(r);
    VEC_FREE(&f->resources);
}

static void add(struct kube_found *f, const struct kube_resource *r)
{
    if (!str_empty(r->kind) && !str_empty(r->plural) && f->resources.n < MAX_RESOURCES)
        kube_resource_copy(VEC_ADD(&f->resources), r);
}

/* Collects "status" of "deployments/status" under "deployments". */
static void collect_subresources(const json_t *resources, map_t *by_plural)
{
    size_t i;
    json_t *r;
    json_array_foreach(resources, i, r) {
        const char *name = str_or_empty(json_str_at(r, "name"));
        const char *slash = strchr(name, '/');
        if (!slash)
            continue;
        AUTO(free_p) char *plural = xstrndup(name, (size_t)(slash - name));
        const char *before = map_get(by_plural, plural);
        map_put(by_plural, plural, before ? xasprintf("%s,%s", before, slash + 1) : xstrdup(slash + 1));
    }
}

void kube_found_list(struct kube_found *f, const json_t *list, const char *group, const char *version,
                     bool preferred)
{
    const json_t *resources = json_object_get(list, "resources");
    map_t subresources = MAP_INIT(free);
    size_t i;
    json_t *r;
    collect_subresources(resources, &subresources);
    json_array_foreach(resources, i, r) {
        const char *name = json_str_at(r, "name");
        if (str_empty(name) || strchr(name, '/'))
            continue;
        const char *own_group = json_str_at(r, "group"), *own_version = json_str_at(r, "version");
        const struct kube_resource found = {
            .group = str_empty(own_group) ? group : own_group,
            .version = str_empty(own_version) ? version : own_version,
            .kind = json_str_at(r, "kind"),
            .plural = name,
            .singular = json_str_at(r, "singularName"),
            .namespaced = json_bool_at(r, "namespaced"),
            .preferred = preferred,
            .verbs = verbs_of(json_object_get(r, "verbs")),
            .subresources = map_get(&subresources, name),
        };
        add(f, &found);
    }
    map_dispose(&subresources);
}

/* ---- aggregated ---- */

bool kube_is_aggregated(const json_t *document)
{
    return str_eq(json_str_at(document, "kind"), "APIGroupDiscoveryList");
}

static char *join_subresources(const json_t *list)
{
    str_t s = STR_MAX(64 << 10);
    size_t i;
    json_t *sub;
    json_array_foreach(list, i, sub) {
        const char *name = json_str_at(sub, "subresource");
        if (!str_empty(name))
            str_printf(&s, "%s%s", s.len ? "," : "", name);
    }
    return str_take(&s);
}

static void add_version(struct kube_found *f, const char *group, const json_t *version, bool preferred)
{
    size_t i;
    json_t *r;
    json_array_foreach(json_object_get(version, "resources"), i, r) {
        const char *kind = json_str_at(r, "responseKind", "kind");
        AUTO(free_p) char *subresources = join_subresources(json_object_get(r, "subresources"));
        const struct kube_resource found = {
            .group = group,
            .version = json_str_at(version, "version"),
            .kind = kind,
            .plural = json_str_at(r, "resource"),
            .singular = json_str_at(r, "singularResource"),
            .namespaced = str_eq(json_str_at(r, "scope"), "Namespaced"),
            .preferred = preferred,
            .verbs = verbs_of(json_object_get(r, "verbs")),
            .subresources = subresources,
        };
        add(f, &found);
    }
}

void kube_found_aggregated(struct kube_found *f, const json_t *document, str_t *stale)
{
    size_t i, k;
    json_t *group, *version;
    json_array_foreach(json_object_get(document, "items"), i, group) {
        const char *name = str_or_empty(json_str_at(group, "metadata", "name"));
        json_array_foreach(json_object_get(group, "versions"), k, version) {
            if (str_empty(json_str_at(version, "version")))
                continue;
            if (str_eq(json_str_at(version, "freshness"), "Stale"))
                str_printf(stale, "%s%s/%s", stale->len ? ", " : "", name, json_str_at(version, "version"));
            else
                add_version(f, name, version, k == 0); /* the preferred one comes first */
        }
    }
}
