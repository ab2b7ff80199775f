/* One object at a time, looked at when it or its owners changed. An object in deletion is worked on by what
 * its finalizers say (orphan: let the dependents go; foregroundDeletion: wait until those that block are
 * gone). Any other is deleted when none of its owners is left, or when all that are left wait for it. */
#include "tests/kubesim/gc.h"

struct endpoint *owner_endpoint(struct sim *s, const json_t *ref)
{
    const char *api_version = str_or_empty(json_str_at(ref, "apiVersion")), *slash = strchr(api_version, '/');
    AUTO(free_p) char *group = xstrndup(api_version, slash ? (size_t)(slash - api_version) : 0);
    return registry_find_kind(&s->registry, group, slash ? slash + 1 : api_version,
                              str_or_empty(json_str_at(ref, "kind")));
}

char *owner_key(const struct endpoint *e, const json_t *ref, const char *ns)
{
    const char *name = str_or_empty(json_str_at(ref, "name"));
    return e->resource->flags & R_NAMESPACED ? xasprintf("%s/%s", ns, name) : xstrdup(name);
}

static bool has_finalizer(const json_t *o, const char *name)
{
    json_t *one;
    size_t i;
    json_array_foreach(json_at(o, "metadata", "finalizers"), i, one)
        if (str_eq(json_string_value(one), name))
            return true;
    return false;
}

static void drop_finalizer(struct sim *s, const char *key, json_t *o, const char *name)
{
    json_t *list = json_at(o, "metadata", "finalizers"), *one;
    size_t i;
    json_array_foreach(list, i, one) {
        if (!str_eq(json_string_value(one), name))
            continue;
        json_array_remove(list, i);
        break;
    }
    ctl_update(s, key, o, NULL);
}

static void drop_reference(json_t *o, const char *uid)
{
    json_t *refs = json_at(o, "metadata", "ownerReferences"), *ref;
    size_t i;
    json_array_foreach(refs, i, ref) {
        if (!str_eq(json_str_at(ref, "uid"), uid))
            continue;
        json_array_remove(refs, i);
        break;
    }
    if (!json_array_size(refs))
        json_drop_at(o, "metadata", "ownerReferences");
}

struct place {
    struct resource *resource;
    char *key;
};
typedef VEC(struct place) places_t;

static void add_place(void *arg, struct resource *r, const char *key)
{
    places_t *p = arg;
    VEC_PUSH(p, (struct place){r, xstrdup(key)});
}

static json_t *read_key(struct sim *s, const struct resource *r, const char *key)
{
    struct blob *b = index_get(&r->index, key);
    struct endpoint *e = resource_endpoint(&s->registry, r);
    return b && e ? read_blob(e, b) : NULL;
}

static void places_free(places_t *p)
{
    VEC_FOREACH(p, at)
        free(at->key);
    VEC_FREE(p);
}

static void orphan_dependents(struct sim *s, const char *key, json_t *o)
{
    places_t places = {};
    const char *uid = str_or_empty(json_str_at(o, "metadata", "uid"));
    store_dependents(s->store, uid, add_place, &places);
    VEC_FOREACH(&places, p) {
        AUTO_JSON dependent = read_key(s, p->resource, p->key);
        if (!dependent)
            continue;
        drop_reference(dependent, uid);
        ctl_update(s, p->resource->key, dependent, NULL);
    }
    places_free(&places);
    drop_finalizer(s, key, o, "orphan");
}

static bool blocks(const json_t *dependent, const char *uid)
{
    json_t *ref;
    size_t i;
    json_array_foreach(json_at(dependent, "metadata", "ownerReferences"), i, ref)
        if (str_eq(json_str_at(ref, "uid"), uid))
            return json_bool_at(ref, "blockOwnerDeletion");
    return false;
}

static void delete_dependents(struct sim *s, const char *key, json_t *o)
{
    places_t places = {};
    bool blocked = false;
    const char *uid = str_or_empty(json_str_at(o, "metadata", "uid"));
    store_dependents(s->store, uid, add_place, &places);
    VEC_FOREACH(&places, p) {
        AUTO_JSON dependent = read_key(s, p->resource, p->key);
        if (!dependent)
            continue;
        blocked |= blocks(dependent, uid);
        if (!json_at(dependent, "metadata", "deletionTimestamp"))
            ctl_enqueue(s, CTL_COLLECTOR, p->resource->key, p->key, 0);
    }
    places_free(&places);
    if (!blocked)
        drop_finalizer(s, key, o, "foregroundDeletion");
}

/* ---- objects that are not in deletion ---- */

enum owner_state { OWNER_SOLID, OWNER_GONE, OWNER_WAITS };

static enum owner_state state_of(struct sim *s, const json_t *ref, const char *ns)
{
    struct endpoint *e = owner_endpoint(s, ref);
    AUTO(free_p) char *key = e ? owner_key(e, ref, ns) : NULL;
    AUTO_JSON owner = e ? read_key(s, e->resource, key) : NULL;
    if (!owner || !str_same(json_str_at(owner, "metadata", "uid"), json_str_at(ref, "uid")))
        return OWNER_GONE;
    return json_at(owner, "metadata", "deletionTimestamp") && has_finalizer(owner, "foregroundDeletion")
               ? OWNER_WAITS
               : OWNER_SOLID;
}

static bool has_dependents(struct sim *s, const char *uid)
{
    places_t places = {};
    store_dependents(s->store, uid, add_place, &places);
    bool any = places.n > 0;
    places_free(&places);
    return any;
}

static void judge(struct sim *s, const char *key, json_t *o, const char *ns)
{
    size_t count[3] = {0, 0, 0}, i;
    AUTO_JSON refs = json_copy_deep(json_at(o, "metadata", "ownerReferences"));
    json_t *ref;
    json_array_foreach(refs, i, ref) {
        enum owner_state state = state_of(s, ref, ns);
        count[state]++;
        if (state != OWNER_SOLID)
            drop_reference(o, str_or_empty(json_str_at(ref, "uid")));
    }
    if (!json_array_size(refs))
        return;
    if (count[OWNER_SOLID]) {
        if (count[OWNER_GONE] + count[OWNER_WAITS])
            ctl_update(s, key, o, NULL);
        return;
    }
    /* In the foreground, the dependents of dependents go first. */
    const char *uid = str_or_empty(json_str_at(o, "metadata", "uid"));
    const char *policy = has_finalizer(o, "orphan") ? "Orphan"
                         : has_finalizer(o, "foregroundDeletion") ||
                                 (count[OWNER_WAITS] && has_dependents(s, uid))
                             ? "Foreground"
                             : "Background";
    ctl_delete(s, key, o, policy, -1);
}

void collector_sync(struct sim *s, const char *resource_key, const char *key)
{
    struct endpoint *e = ctl_endpoint(s, resource_key);
    AUTO_JSON o = e ? read_key(s, e->resource, key) : NULL;
    if (!o)
        return;
    if (!json_at(o, "metadata", "deletionTimestamp"))
        judge(s, resource_key, o, str_or_empty(json_str_at(o, "metadata", "namespace")));
    else if (has_finalizer(o, "orphan"))
        orphan_dependents(s, resource_key, o);
    else if (has_finalizer(o, "foregroundDeletion"))
        delete_dependents(s, resource_key, o);
}
