/* PersistentVolumeClaims: a volume is made for each of our class, and what is in use stays. */
#include "tests/kubesim/pods.h"

static const char claims[] = "persistentvolumeclaims", volumes[] = "persistentvolumes";

static void drop_finalizers(struct sim *s, const char *key, json_t *o)
{
    json_drop_at(o, "metadata", "finalizers");
    ctl_update(s, key, o, NULL);
}

/* Claim and volume name each other; the volume is deleted with its claim unless it is to be retained. */
static void bind(struct sim *s, json_t *claim, const char *class)
{
    AUTO(free_p) char *name = xasprintf("pvc-%s", json_str_at(claim, "metadata", "uid"));
    json_t *modes = json_at(claim, "spec", "accessModes"),
           *capacity = json_at(claim, "spec", "resources", "requests");
    json_t *pv = json_pack(
        "{s:{s:s},s:{s:O,s:O,s:s,s:s,s:s,s:{s:s},s:{s:s,s:s,s:s,s:s,s:s}}}", "metadata", "name", name, "spec",
        "capacity", capacity, "accessModes", modes, "persistentVolumeReclaimPolicy", "Delete",
        "storageClassName", class, "volumeMode", "Filesystem", "hostPath", "path", "/var/kubesim", "claimRef",
        "kind", "PersistentVolumeClaim", "apiVersion", "v1", "namespace",
        json_str_at(claim, "metadata", "namespace"), "name", json_str_at(claim, "metadata", "name"), "uid",
        json_str_at(claim, "metadata", "uid"));
    AUTO_JSON volume = ctl_create(s, volumes, "", pv);
    if (!volume)
        return;
    json_put_at(volume, json_string("Bound"), "status", "phase");
    ctl_update(s, volumes, volume, "status");
    json_put_at(claim, json_string(name), "spec", "volumeName");
    json_put_at(claim, json_string("yes"), "metadata", "annotations", "pv.kubernetes.io/bind-completed");
    ctl_update(s, claims, claim, NULL);
    json_put_at(claim, json_string("Bound"), "status", "phase");
    json_put_at(claim, json_incref(modes), "status", "accessModes");
    json_put_at(claim, json_copy_deep(capacity), "status", "capacity");
    ctl_update(s, claims, claim, "status");
}

static bool in_use(struct sim *s, const char *ns, const char *name)
{
    const struct resource *pods = registry_resource(&s->registry, "", "pods");
    AUTO(free_p) char *prefix = xasprintf("%s/", ns);
    struct index_cursor c = index_from(&pods->index, prefix);
    bool used = false;
    for (struct blob *b; !used && (b = index_next(&c)) && str_has_prefix(blob_key(b), prefix);) {
        AUTO_JSON pod = blob_read(b, "v1", "Pod");
        json_t *volume;
        size_t i;
        json_array_foreach(json_at(pod, "spec", "volumes"), i, volume)
            used |= str_same(json_str_at(volume, "persistentVolumeClaim", "claimName"), name);
    }
    return used;
}

static void release(struct sim *s, const char *ns, const char *name)
{
    const struct resource *r = registry_resource(&s->registry, "", volumes);
    VEC(struct blob *) all = {};
    struct index_cursor c = index_from(&r->index, "");
    for (struct blob *b; (b = index_next(&c));)
        VEC_PUSH(&all, blob_ref(b));
    VEC_FOREACH(&all, b) {
        AUTO_JSON pv = blob_read(*b, "v1", "PersistentVolume");
        blob_unref(*b);
        if (!str_same(json_str_at(pv, "spec", "claimRef", "namespace"), ns) ||
            !str_same(json_str_at(pv, "spec", "claimRef", "name"), name))
            continue;
        if (!str_same(json_str_at(pv, "spec", "persistentVolumeReclaimPolicy"), "Delete"))
            continue;
        ctl_delete(s, volumes, pv, NULL, -1);
        AUTO_JSON fresh = ctl_get(s, volumes, "", json_str_at(pv, "metadata", "name"));
        if (fresh)
            drop_finalizers(s, volumes, fresh);
    }
    VEC_FREE(&all);
}

void claim_sync(struct sim *s, const char *ns, const char *name)
{
    AUTO_JSON claim = ctl_get(s, claims, ns, name);
    if (!claim) {
        release(s, ns, name);
        return;
    }
    if (json_at(claim, "metadata", "deletionTimestamp")) {
        if (in_use(s, ns, name))
            ctl_enqueue(s, CTL_CLAIM, ns, name, s->options.delays.controller * 4);
        else
            drop_finalizers(s, claims, claim);
        return;
    }
    const char *class = json_str_at(claim, "spec", "storageClassName");
    AUTO_JSON storage = str_empty(class) ? NULL : ctl_get(s, "storageclasses.storage.k8s.io", "", class);
    if (str_same(json_str_at(storage, "provisioner"), "kubesim.example/none") &&
        !str_same(json_str_at(claim, "status", "phase"), "Bound"))
        bind(s, claim, class);
}
