/* The life of a namespace: what a new one gets, and emptying one that is in deletion. */
#include "tests/kubesim/ctl.h"

#include "tests/kubesim/selector.h"
#include "tests/kubesim/status.h"

static void furnish(struct sim *s, const char *name)
{
    if (!store_get(registry_resource(&s->registry, "", "serviceaccounts"), name, "default"))
        json_decref(
            ctl_create(s, "serviceaccounts", name, json_pack("{s:{s:s}}", "metadata", "name", "default")));
    if (!store_get(registry_resource(&s->registry, "", "configmaps"), name, "kube-root-ca.crt"))
        json_decref(ctl_create(s, "configmaps", name,
                               json_pack("{s:{s:s},s:{s:s}}", "metadata", "name", "kube-root-ca.crt", "data",
                                         "ca.crt", str_or_empty(s->options.root_ca))));
}

/* Deletes what is not yet in deletion; returns how many objects there were. */
static size_t empty_resource(struct sim *s, struct resource *r, const char *ns, size_t *finalized)
{
    AUTO(free_p) char *prefix = xasprintf("%s/", ns);
    VEC(struct blob *) all = {};
    struct endpoint *e = resource_endpoint(&s->registry, r);
    struct index_cursor c = index_from(&r->index, prefix);
    for (struct blob *b; e && (b = index_next(&c)) && str_has_prefix(blob_key(b), prefix);)
        VEC_PUSH(&all, blob_ref(b));
    VEC_FOREACH(&all, b) {
        AUTO_STR deleting = STR_INIT;
        scan_field(blob_meta(*b), "deletionTimestamp", &deleting);
        *finalized += deleting.len > 0;
        if (!deleting.len) {
            AUTO_JSON o = read_blob(e, *b);
            ctl_delete(s, r->key, o, NULL, -1);
        }
        blob_unref(*b);
    }
    VEC_FREE(&all);
    return index_count(&r->index, prefix);
}

static bool empty(struct sim *s, json_t *o)
{
    const char *ns = json_str_at(o, "metadata", "name");
    size_t left = 0, finalized = 0;
    for (size_t i = 0; i < s->registry.resources.n; i++) {
        struct resource *r = s->registry.resources.v[i];
        if (r->flags & R_NAMESPACED && r->served)
            left += empty_resource(s, r, ns, &finalized);
    }
    AUTO(free_p) char *text = xasprintf("Some resources are remaining: %zu resource instances", left);
    bool changed = condition_set(o, "NamespaceContentRemaining", left > 0,
                                 left ? "SomeResourcesRemain" : "ContentRemoved",
                                 left ? text : "All content successfully removed");
    changed |= condition_set(o, "NamespaceFinalizersRemaining", finalized > 0,
                             finalized ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
                             finalized ? "Some content in the namespace has finalizers remaining"
                                       : "All content-preserving finalizers finished");
    if (changed && left)
        ctl_update(s, "namespaces", o, "status");
    return left == 0;
}

void namespace_sync(struct sim *s, const char *ns, const char *name)
{
    AUTO_JSON o = ctl_get(s, "namespaces", "", name);
    if (!o)
        return;
    if (!json_at(o, "metadata", "deletionTimestamp")) {
        furnish(s, name);
        return;
    }
    if (!empty(s, o)) {
        ctl_enqueue(s, CTL_NAMESPACE, "", name, s->options.delays.controller * 4);
        return;
    }
    AUTO_JSON fresh = ctl_get(s, "namespaces", "", name);
    json_drop_at(fresh, "spec", "finalizers");
    ctl_update(s, "namespaces", fresh, "finalize");
}
