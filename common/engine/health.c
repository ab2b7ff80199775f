#include "common/engine/health.h"
#include "common/engine/health_checks.h"

static const char *const names[HEALTH_STATUS_MAX] = {
    [HEALTH_NONE] = "",
    [HEALTH_HEALTHY] = "Healthy",
    [HEALTH_SUSPENDED] = "Suspended",
    [HEALTH_PROGRESSING] = "Progressing",
    [HEALTH_MISSING] = "Missing",
    [HEALTH_DEGRADED] = "Degraded",
    [HEALTH_UNKNOWN] = "Unknown",
};

void health_dispose(struct health *h)
{
    free(h->message);
    *h = (struct health){};
}

const char *health_name(enum health_status s)
{
    return (unsigned)s < HEALTH_STATUS_MAX ? names[s] : "Unknown";
}

enum health_status health_parse(const char *name)
{
    for (int i = 1; i < HEALTH_STATUS_MAX; i++)
        if (str_eq(name, names[i]))
            return (enum health_status)i;
    return str_empty(name) ? HEALTH_NONE : HEALTH_UNKNOWN;
}

bool health_worse(enum health_status a, enum health_status b)
{
    return b > a;
}

static const struct check {
    const char *group, *kind;
    const char *versions; /* the ones that the check knows, comma-separated; NULL: any */
    health_check_fn fn;
} checks[] = {
    {"apps", "Deployment", "v1", health_deployment},
    {"apps", "StatefulSet", "v1", health_stateful_set},
    {"apps", "ReplicaSet", "v1", health_replica_set},
    {"apps", "DaemonSet", "v1", health_daemon_set},
    {"extensions", "Ingress", NULL, health_ingress},
    {"networking.k8s.io", "Ingress", NULL, health_ingress},
    {"argoproj.io", "Workflow", NULL, health_workflow},
    {"apiregistration.k8s.io", "APIService", "v1,v1beta1", health_api_service},
    {"", "Service", "v1", health_service},
    {"", "PersistentVolumeClaim", "v1", health_volume_claim},
    {"", "Pod", "v1", health_pod},
    {"batch", "Job", "v1", health_job},
    {"autoscaling", "HorizontalPodAutoscaler", "v1,v2", health_autoscaler},
};

static const struct check *find_check(const char *group, const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (str_same(checks[i].kind, kind) && str_same(checks[i].group, group))
            return &checks[i];
    return NULL;
}

bool health_has_check(const char *group, const char *kind)
{
    return find_check(group, kind) != NULL;
}

static bool has_hook_finalizer(const json_t *o)
{
    json_t *list = json_at(o, "metadata", "finalizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_string_value(json_array_get(list, i)), HOOK_FINALIZER))
            return true;
    return false;
}

int health_assess(const json_t *object, struct health *out, err_t **err)
{
    *out = (struct health){};
    if (json_at(object, "metadata", "deletionTimestamp") && !has_hook_finalizer(object)) {
        *out = (struct health){HEALTH_PROGRESSING, xstrdup("Pending deletion")};
        return 0;
    }
    AUTO(free_p) char *group = object_group(object);
    AUTO(free_p) char *version = object_version(object);
    const struct check *c = find_check(group, object_kind(object));
    if (!c)
        return 0;
    AUTO(strv_free_p) char **versions = strv_split(str_or_empty(c->versions), ",", true);
    if (c->versions && !strv_contains(versions, version)) {
        const char *api = str_or_empty(json_str_at(object, "apiVersion"));
        int r = err_set(err, ERR_FAILED_PRECONDITION, "unsupported %s GVK: %s, Kind=%s", c->kind, api,
                        c->kind);
        *out = (struct health){HEALTH_UNKNOWN,
                               xasprintf("unsupported %s GVK: %s, Kind=%s", c->kind, api, c->kind)};
        return r;
    }
    c->fn(object, out);
    return 0;
}
