#include "app-controller/reasons.h"

json_t *reasons_of_comparison(const struct comparison *c)
{
    json_t *reasons = json_array();
    if (c->failure)
        reason_add(reasons, "%s", c->failure);
    for (size_t i = 0; i < c->pairs.n && json_array_size(reasons) < 20; i++) {
        const struct pair *p = &c->pairs.v[i];
        const json_t *o = p->target ? p->target : p->live;
        if (strcmp(p->status, "OutOfSync") != 0)
            continue;
        const char *what = !p->live     ? "does not exist"
                           : !p->target ? "is no longer in the source"
                                        : "differs from the source";
        reason_add(reasons, "%s %s%s%s %s%s%s", object_kind(o), object_namespace(o),
                   *object_namespace(o) ? "/" : "", object_name(o), what, p->where ? ": " : "",
                   str_or_empty(p->where));
    }
    if (c->health.message)
        reason_add(reasons, "health: %s", c->health.message);
    return reasons;
}

json_t *reasons_of_renderings(const struct comparison *c, const json_t *sources, bool kept,
                              const char **outcome)
{
    json_t *reasons = json_array();
    bool same = true;
    for (size_t i = 0; i < c->renderings.n && !c->render_failed; i++) {
        const struct rendering *k = &c->renderings.v[i];
        const char *how = kept       ? ""
                          : k->given ? ": the manifests that the last sync brought along"
                          : k->same  ? ": the rendering at hand holds"
                                     : ": rendered";
        same = same && k->same;
        reason_add(reasons, "%s at %s%s", str_or_empty(json_str_at(json_array_get(sources, i), "repoURL")),
                   str_or_empty(k->revision), how);
    }
    if (c->failure)
        reason_add(reasons, "%s", c->failure);
    *outcome = c->render_failed ? "failed"
               : kept           ? "not asked: the last manifests serve"
               : same           ? "unchanged"
                                : "new";
    return reasons;
}
