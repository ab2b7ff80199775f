/* Texts of failures as Argo CD words them (util/argo/argo.go, gitops-engine's discovery). */
#include "app-controller/sync_step.h"

static const char not_found[] = "the server could not find the requested resource";

static bool serves_version(const kube_api_t *api, const char *group, const char *version)
{
    size_t n;
    const struct kube_resource *all = kube_api_all(api, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].group, group) == 0 && strcmp(all[i].version, version) == 0)
            return true;
    return false;
}

char *sync_unknown_kind(const kube_api_t *api, const struct sync_task *t)
{
    if (serves_version(api, t->group, t->version))
        return xasprintf("%s%s%s \"\" not found", t->kind, *t->group ? "." : "", t->group);
    return xasprintf("failed to discover server resources for group version %s%s%s: %s", t->group,
                     *t->group ? "/" : "", t->version, not_found);
}

/* The kind of the group, or else of any. */
static const struct kube_resource *find_kind(const kube_api_t *api, const char *group, const char *kind)
{
    size_t n;
    const struct kube_resource *found = kube_api_find(api, group, NULL, kind), *all = kube_api_all(api, &n);
    for (size_t i = 0; !found && i < n; i++)
        if (strcmp(all[i].kind, kind) == 0)
            found = &all[i];
    return found;
}

static char *explain_kind(const json_t *result, const kube_api_t *api)
{
    const char *group = str_or_empty(json_str_at(result, "group")),
               *kind = str_or_empty(json_str_at(result, "kind")),
               *ns = str_or_empty(json_str_at(result, "namespace")),
               *name = str_or_empty(json_str_at(result, "name"));
    const struct kube_resource *other = find_kind(api, group, kind);
    if (other)
        return xasprintf(
            "The Kubernetes API could not find version \"%s\" of %s/%s for requested resource %s/%s. Version "
            "\"%s\" of %s/%s is installed on the destination cluster.",
            str_or_empty(json_str_at(result, "version")), group, kind, ns, name, other->version, other->group,
            other->kind);
    return xasprintf(
        "The Kubernetes API could not find %s/%s for requested resource %s/%s. Make sure the \"%s\" CRD is "
        "installed on the destination cluster.",
        group, kind, ns, name, kind);
}

static char *explain(const json_t *result, const char *message, const kube_api_t *api)
{
    static const char too_long[] = "metadata.annotations: Too long: must have at most 262144 bytes";
    static const char hint[] =
        " \n -Additional Info: This error usually means that you are trying to add a large resource on "
        "client side. Consider using Server-side apply or syncing with replace enabled. Note: Syncing "
        "with Replace enabled is potentially destructive as it may cause resource deletion and "
        "re-creation.";
    if (strstr(message, not_found))
        return explain_kind(result, api);
    if (strstr(message, too_long) && !strstr(message, "Additional Info"))
        return xasprintf("%s%s", message, hint);
    return NULL;
}

void sync_explain(json_t *results, const kube_api_t *api)
{
    for (size_t i = 0; i < json_array_size(results); i++) {
        json_t *r = json_array_get(results, i);
        AUTO(free_p) char *better = explain(r, str_or_empty(json_str_at(r, "message")), api);
        if (better)
            json_set_str(r, "message", better);
    }
}
