#include "common/engine/health.h"
#include "common/engine/health_checks.h"
#include "common/engine/script.h"

static const char *const names[HEALTH_STATUS_MAX] = {
    [HEALTH_NONE] = "",
    [HEALTH_BLANK] = "",
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
    for (int i = HEALTH_HEALTHY; i < HEALTH_STATUS_MAX; i++)
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
    const char *versions[3]; /* the ones that the check knows; none: any */
    health_check_fn fn;
    health_parse_fn parse;
} checks[] = {
    {"apps", "Deployment", {"v1"}, .fn = health_deployment},
    {"apps", "StatefulSet", {"v1"}, .fn = health_stateful_set},
    {"apps", "ReplicaSet", {"v1"}, .fn = health_replica_set},
    {"apps", "DaemonSet", {"v1"}, .fn = health_daemon_set},
    {"extensions", "Ingress", {}, .fn = health_ingress},
    {"networking.k8s.io", "Ingress", {}, .fn = health_ingress},
    {"argoproj.io", "Workflow", {}, .fn = health_workflow},
    {"apiregistration.k8s.io", "APIService", {"v1", "v1beta1"}, .fn = health_api_service},
    {"", "Service", {"v1"}, .fn = health_service},
    {"", "PersistentVolumeClaim", {"v1"}, .fn = health_volume_claim},
    {"", "Pod", {"v1"}, .fn = health_pod},
    {"batch", "Job", {"v1"}, .fn = health_job},
    {"autoscaling", "HorizontalPodAutoscaler", {"v1", "v2"}, .parse = health_autoscaler},
};

static const struct check *find_check(view_t group, const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (strcmp(checks[i].kind, kind) == 0 && view_eq(group, checks[i].group))
            return &checks[i];
    return NULL;
}

bool health_has_check(const char *group, const char *kind)
{
    group = str_or_empty(group), kind = str_or_empty(kind);
    return find_check(view_of(group), kind) != NULL || script_bundled(group, kind) != NULL;
}

bool health_held_as_hook(const json_t *object)
{
    json_t *list = json_at(object, "metadata", "finalizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_string_value(json_array_get(list, i)), HOOK_FINALIZER))
            return true;
    return false;
}

static bool knows(const struct check *c, view_t version)
{
    bool any = true;
    for (size_t i = 0; c->versions[i]; i++) {
        if (view_eq(version, c->versions[i]))
            return true;
        any = false;
    }
    return any;
}

static int unsupported(const struct check *c, view_t group, view_t version, err_t **err)
{
    const char *name = strcmp(c->kind, "HorizontalPodAutoscaler") == 0 ? "HPA" : c->kind;
    return err_set(err, ERR_FAILED_PRECONDITION, "unsupported %s GVK: %.*s/%.*s, Kind=%s", name, (int)group.n,
                   group.p, (int)version.n, version.p, c->kind);
}

/* False when no script is for the kind. */
static bool by_script(const struct health_overrides *overrides, const json_t *object, const char *group,
                      struct health *out, err_t **why)
{
    const char *kind = object_kind(object);
    const struct script *s = overrides && overrides->find ? overrides->find(overrides->settings, group, kind)
                                                          : NULL;
    if (s) {
        overrides->run(overrides->evaluator, s, object, out, why);
        return true;
    }
    s = script_bundled(group, kind);
    if (s)
        script_bundled_health(overrides ? overrides->host : NULL, s, object, out, why);
    return s != NULL;
}

static void by_check(const json_t *object, struct health *out, err_t **why)
{
    view_t group, version;
    api_version_split(json_str_at(object, "apiVersion"), &group, &version);
    const struct check *c = find_check(group, object_kind(object));
    if (c && !knows(c, version))
        unsupported(c, group, version, why);
    else if (c && c->parse)
        c->parse(object, out, why);
    else if (c)
        c->fn(object, out);
}

int health_assess_by(const struct health_overrides *overrides, const json_t *object, struct health *out,
                     err_t **err)
{
    *out = (struct health){};
    if (object_deleting(object) && !health_held_as_hook(object)) {
        *out = (struct health){HEALTH_PROGRESSING, xstrdup("Pending deletion")};
        return 0;
    }
    AUTO_ERR why = NULL;
    AUTO(free_p) char *group = object_group(object);
    if (!by_script(overrides, object, group, out, &why))
        by_check(object, out, &why);
    if (!why)
        return 0;
    health_dispose(out);
    *out = (struct health){HEALTH_UNKNOWN, xstrdup(err_text(why))};
    return err_move(err, TAKE(why));
}

int health_assess(const json_t *object, struct health *out, err_t **err)
{
    return health_assess_by(NULL, object, out, err);
}
