/* Parents that no owner reference names (docs of gitops-engine: a service's endpoints, a service account's
 * token, an operator's group, the claims of a stateful set).
 *
 * Parent and child come in any order: a child looks for its parent when it is read, and a parent that is new
 * for its children. Claims are told by their names, "<template>-<set>-<number>" at the end. */
#include "app-controller/cluster/cache_internal.h"
#include "common/base/intern.h"
#include "common/kinds/kinds.h"

static const char OLM[] = "operators.coreos.com";

static bool is(const struct obj *o, const char *group, const char *kind)
{
    return strcmp(o->of->kind, kind) == 0 && strcmp(o->of->group, group) == 0;
}

static bool is_set(const struct obj *o)
{
    return is(o, "apps", "StatefulSet") || is(o, "extensions", "StatefulSet");
}

static char *place(const struct obj *o)
{
    return xasprintf("%s/%s", o->ns, o->name);
}

/* ---- the claims of a stateful set ---- */

/* Whether the claim's name ends with "<template>-<set>-<digits>". */
static bool claim_fits(const char *claim, const char *templates, const char *set)
{
    size_t n = strlen(claim), m = strlen(set);
    while (n && claim[n - 1] >= '0' && claim[n - 1] <= '9')
        n--;
    if (n == strlen(claim) || n < m + 2 || claim[n - 1] != '-' || claim[n - m - 2] != '-' ||
        strncmp(claim + n - 1 - m, set, m) != 0)
        return false;
    size_t left = n - m - 2; /* what stands before "-<set>-" */
    for (const char *t = templates; *t;) {
        size_t len = strcspn(t, ",");
        if (len && left >= len && strncmp(claim + left - len, t, len) == 0)
            return true;
        t += len + (t[len] == ',');
    }
    return false;
}

/* Its set: every part of the name before the number may be one's name. */
static const struct obj *set_of_claim(cache_t *c, const struct obj *claim)
{
    size_t n = strlen(claim->name);
    while (n && claim->name[n - 1] >= '0' && claim->name[n - 1] <= '9')
        n--;
    if (!n || claim->name[n - 1] != '-' || !c->claims.n)
        return NULL;
    for (const char *p = strchr(claim->name, '-'); p && p < claim->name + n - 1; p = strchr(p + 1, '-')) {
        AUTO(free_p) char *name = xstrndup(p + 1, (size_t)(claim->name + n - 1 - (p + 1)));
        AUTO(free_p) char *key = xasprintf("%s/%s", claim->ns, name);
        const char *templates = map_get(&c->claims, key);
        const struct obj *set =
            templates ? cache_lookup(c, &(struct obj_key){"apps", "StatefulSet", claim->ns, name}) : NULL;
        if (set && claim_fits(claim->name, templates, name))
            return set;
    }
    return NULL;
}

/* Remembers the templates' names; true when they are others than before. */
static bool note_templates(cache_t *c, const struct obj *set, const json_t *doc)
{
    const json_t *list = json_at(doc, "spec", "volumeClaimTemplates");
    AUTO_STR names = STR_INIT;
    for (size_t i = 0; i < json_array_size(list); i++)
        str_printf(&names, "%s%s", i ? "," : "", object_name(json_array_get(list, i)));
    AUTO(free_p) char *key = place(set);
    if (str_eq(map_get(&c->claims, key), names.len ? str_text(&names) : NULL))
        return false;
    if (names.len)
        map_put(&c->claims, key, xstrdup(str_text(&names)));
    else
        map_del(&c->claims, key);
    return true;
}

/* ---- a child looks for its parent ---- */

static void add_known(cache_t *c, struct obj *o, const char *group, const char *kind, const char *name)
{
    const struct obj *parent = cache_lookup(c, &(struct obj_key){group, kind, o->ns, name});
    if (parent)
        obj_add_owner(o, group, kind, name, parent->uid);
}

void cache_infer(cache_t *c, struct obj *o, const json_t *doc)
{
    if (is_set(o))
        o->templates_changed = note_templates(c, o, doc);
    if (is(o, OLM, "ClusterServiceVersion")) {
        const char *name = object_annotation(doc, "olm.operatorGroup");
        const struct obj *group = str_empty(name)
                                      ? NULL
                                      : cache_lookup(c, &(struct obj_key){OLM, "OperatorGroup", o->ns, name});
        if (!str_empty(name))
            obj_add_owner(o, OLM, "OperatorGroup", name, group ? group->uid : NULL);
    }
    if (o->nowners || *o->of->group)
        return;
    if (strcmp(o->of->kind, "Endpoints") == 0)
        add_known(c, o, "", "Service", o->name);
    if (strcmp(o->of->kind, "Secret") == 0 &&
        str_eq(json_str_at(doc, "type"), "kubernetes.io/service-account-token")) {
        const char *name = object_annotation(doc, "kubernetes.io/service-account.name"),
                   *uid = object_annotation(doc, "kubernetes.io/service-account.uid");
        if (!str_empty(name) && !str_empty(uid))
            obj_add_owner(o, "", "ServiceAccount", name, uid);
    }
    if (strcmp(o->of->kind, "PersistentVolumeClaim") == 0) {
        const struct obj *set = set_of_claim(c, o);
        if (set)
            obj_add_owner(o, set->of->group, set->of->kind, set->name, set->uid);
    }
}

/* ---- a parent looks for its children ---- */

static void attach(cache_t *c, struct obj *child, const struct obj *parent)
{
    cache_unindex(c, child);
    obj_add_owner(child, parent->of->group, parent->of->kind, parent->name, parent->uid);
    cache_index(c, child);
}

static void attach_claims(cache_t *c, const struct obj *set)
{
    cache_kind_t *k = cache_kind_find(c, "", "PersistentVolumeClaim");
    for (struct obj *o = k ? map_get(&k->objects, set->ns) : NULL, *next; o; o = next) {
        next = o->next_kind;
        if (!o->nowners && set_of_claim(c, o) == set)
            attach(c, o, set);
    }
}

/* Those that name the group have it as owner already, without its uid. */
static void attach_versions(cache_t *c, const struct obj *group)
{
    cache_kind_t *k = cache_kind_find(c, OLM, "ClusterServiceVersion");
    for (struct obj *o = k ? map_get(&k->objects, group->ns) : NULL, *next; o; o = next) {
        next = o->next_kind;
        struct owner *w = o->nowners ? &o->owners[o->nowners - 1] : NULL; /* inferred last */
        if (!w || strcmp(w->kind, "OperatorGroup") != 0 || w->uid == group->uid || w->name != group->name)
            continue;
        cache_unindex(c, o);
        intern_unref(w->uid);
        w->uid = intern_ref(group->uid);
        cache_index(c, o);
    }
}

void cache_adopt(cache_t *c, const struct obj *parent, bool is_new)
{
    if (is_set(parent) && (is_new || parent->templates_changed))
        attach_claims(c, parent);
    if (is_new && is(parent, OLM, "OperatorGroup"))
        attach_versions(c, parent);
    if (!is_new || !is(parent, "", "Service"))
        return;
    struct obj *o = cache_lookup(c, &(struct obj_key){"", "Endpoints", parent->ns, parent->name});
    if (o && !o->nowners)
        attach(c, o, parent);
}

void cache_abandon(cache_t *c, const struct obj *parent, bool replaced)
{
    if (!is_set(parent))
        return;
    AUTO(free_p) char *key = place(parent);
    if (!replaced)
        map_del(&c->claims, key);
    cache_kind_t *k = cache_kind_find(c, "", "PersistentVolumeClaim");
    for (struct obj *o = k ? map_get(&k->objects, parent->ns) : NULL, *next; o; o = next) {
        next = o->next_kind;
        if (o->nowners != 1 || o->owners[0].uid != parent->uid)
            continue;
        cache_unindex(c, o);
        obj_drop_owners(o);
        cache_index(c, o);
    }
}
