#include "tests/kubesim/api.h"

/* Parts of a path, decoded already. */
struct parts {
    char **v;
    size_t n;
};

static const char *part(const struct parts *p, size_t i)
{
    return i < p->n ? p->v[i] : "";
}

static const char *verb_of(const char *method, const struct route *r)
{
    static const struct {
        const char *method, *one, *many;
    } verbs[] = {{"GET", "get", "list"},  {"HEAD", "get", "list"},  {"POST", NULL, "create"},
                 {"PUT", "update", NULL}, {"PATCH", "patch", NULL}, {"DELETE", "delete", "deletecollection"}};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(verbs[i].method, method) == 0)
            return *r->name ? verbs[i].one : verbs[i].many;
    return NULL;
}

/* namespaces/x/pods/y/log, pods, namespaces/x: p begins behind the version. */
static bool take_parts(const struct registry *g, const char *group, const char *version, struct parts p,
                       struct route *out)
{
    out->watch_path = strcmp(part(&p, 0), "watch") == 0;
    size_t i = out->watch_path;
    bool below = strcmp(part(&p, i), "namespaces") == 0 && p.n > i + 2;
    /* Namespaces have subresources themselves. */
    if (below && strcmp(group, "") == 0 &&
        (strcmp(p.v[i + 2], "status") == 0 || strcmp(p.v[i + 2], "finalize") == 0))
        below = false;
    out->ns = xstrdup(below ? p.v[i + 1] : "");
    i += below ? 2 : 0;
    out->endpoint = registry_find(g, group, version, part(&p, i));
    out->name = xstrdup(part(&p, i + 1));
    out->subresource = p.n > i + 2 ? xstrdup(p.v[i + 2]) : NULL;
    if (!out->endpoint || p.n > i + 3)
        return false;
    const struct resource *r = out->endpoint->resource;
    if (*out->ns && !(r->flags & R_NAMESPACED))
        return false;
    if (out->subresource && !list_has(r->subresources, out->subresource))
        return false;
    bool custom = r->flags & R_CUSTOM;
    if (custom && ((str_same(out->subresource, "status") && !out->endpoint->status) ||
                   (str_same(out->subresource, "scale") && !out->endpoint->scale)))
        return false;
    return true;
}

bool route_parse(const struct registry *g, const char *method, const char *path, struct route *out,
                 bool *known_group)
{
    *out = (struct route){};
    AUTO(strv_free_p) char **v = strv_split(path, "/", true);
    struct parts p = {v, strv_len(v)};
    bool core = strcmp(part(&p, 0), "api") == 0;
    size_t skip = core ? 2 : 3;
    *known_group = false;
    if ((!core && strcmp(part(&p, 0), "apis") != 0) || p.n <= skip)
        return false;
    const char *group = core ? "" : p.v[1], *version = p.v[skip - 1];
    VEC_FOREACH(&g->endpoints, e)
        *known_group |= strcmp((*e)->group, group) == 0 && strcmp((*e)->version, version) == 0;
    if (!take_parts(g, group, version, (struct parts){v + skip, p.n - skip}, out)) {
        route_dispose(out);
        return false;
    }
    out->verb = verb_of(method, out);
    return true;
}

void route_dispose(struct route *r)
{
    free(r->ns);
    free(r->name);
    free(r->subresource);
    *r = (struct route){};
}
