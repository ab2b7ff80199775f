/* Health of what is not a workload. */
#include "common/engine/health_checks.h"

void health_service(const json_t *o, struct health *out)
{
    bool waits = str_eq(json_str_at(o, "spec", "type"), "LoadBalancer") &&
                 json_array_size(json_at(o, "status", "loadBalancer", "ingress")) == 0;
    out->status = waits ? HEALTH_PROGRESSING : HEALTH_HEALTHY;
}

void health_ingress(const json_t *o, struct health *out)
{
    bool has = json_array_size(json_at(o, "status", "loadBalancer", "ingress")) > 0;
    out->status = has ? HEALTH_HEALTHY : HEALTH_PROGRESSING;
}

void health_volume_claim(const json_t *o, struct health *out)
{
    const char *phase = str_or_empty(json_str_at(o, "status", "phase"));
    out->status = strcmp(phase, "Bound") == 0     ? HEALTH_HEALTHY
                  : strcmp(phase, "Pending") == 0 ? HEALTH_PROGRESSING
                  : strcmp(phase, "Lost") == 0    ? HEALTH_DEGRADED
                                                  : HEALTH_UNKNOWN;
}

void health_api_service(const json_t *o, struct health *out)
{
    const json_t *c = health_condition(o, "Available");
    if (!c) {
        health_set(out, HEALTH_PROGRESSING, "Waiting to be processed");
        return;
    }
    bool available = str_eq(json_str_at(c, "status"), "True");
    health_set(out, available ? HEALTH_HEALTHY : HEALTH_PROGRESSING, "%s: %s",
               str_or_empty(json_str_at(c, "reason")), str_or_empty(json_str_at(c, "message")));
}

void health_workflow(const json_t *o, struct health *out)
{
    static const struct {
        const char *phase;
        enum health_status status;
    } phases[] = {{"", HEALTH_PROGRESSING},        {"Pending", HEALTH_PROGRESSING},
                  {"Running", HEALTH_PROGRESSING}, {"Succeeded", HEALTH_HEALTHY},
                  {"Failed", HEALTH_DEGRADED},     {"Error", HEALTH_DEGRADED}};
    const char *phase = str_or_empty(json_str_at(o, "status", "phase"));
    const char *message = str_or_empty(json_str_at(o, "status", "message"));
    enum health_status status = HEALTH_UNKNOWN;
    for (size_t i = 0; i < ARRAY_LEN(phases); i++)
        if (strcmp(phase, phases[i].phase) == 0)
            status = phases[i].status;
    health_set(out, status, "%s", message);
}

static bool is_degraded(const json_t *c)
{
    static const char *const states[][2] = {
        {"AbleToScale", "FailedGetScale"},
        {"AbleToScale", "FailedUpdateScale"},
        {"ScalingActive", "FailedGetResourceMetric"},
        {"ScalingActive", "FailedGetObjectMetric"},
        {"ScalingActive", "FailedGetPodsMetric"},
        {"ScalingActive", "FailedGetExternalMetric"},
        {"ScalingActive", "FailedComputeMetricsReplicas"},
        {"ScalingActive", "InvalidSelector"},
    };
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (str_eq(json_str_at(c, "type"), states[i][0]) && str_eq(json_str_at(c, "reason"), states[i][1]))
            return true;
    return false;
}

static bool is_healthy(const json_t *c)
{
    const char *type = str_or_empty(json_str_at(c, "type"));
    bool counts = strcmp(type, "AbleToScale") == 0 || strcmp(type, "ScalingLimited") == 0;
    return counts && str_eq(json_str_at(c, "status"), "True");
}

static void judge_conditions(const json_t *list, struct health *out)
{
    static bool (*const tests[])(const json_t *) = {is_degraded, is_healthy};
    static const enum health_status verdicts[] = {HEALTH_DEGRADED, HEALTH_HEALTHY};
    for (size_t t = 0; t < ARRAY_LEN(tests); t++) {
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *c = json_array_get(list, i);
            if (!tests[t](c))
                continue;
            health_set(out, verdicts[t], "%s", str_or_empty(json_str_at(c, "message")));
            return;
        }
    }
    health_set(out, HEALTH_PROGRESSING, "Waiting to Autoscale");
}

/* The names of a condition's fields; Go's decoder, which reads the annotation for Argo CD, takes them in any
 * case. */
static const char *const condition_fields[] = {"type", "reason", "message", "status"};

static int read_condition(const json_t *item, json_t *out, err_t **err)
{
    if (!json_is_map(item) && !json_is_null(item))
        return err_set(err, ERR_INVALID_ARGUMENT, "a condition is no object");
    json_t *it_of = (json_t *)(uintptr_t)item;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const json_t *v = json_object_iter_value(it);
        for (size_t f = 0; f < ARRAY_LEN(condition_fields); f++) {
            if (strcasecmp(json_object_iter_key(it), condition_fields[f]) != 0 || json_is_null(v))
                continue;
            if (!json_is_string(v))
                return err_set(err, ERR_INVALID_ARGUMENT, "%s of a condition is no text",
                               condition_fields[f]);
            json_set_str(out, condition_fields[f], json_string_value(v));
        }
    }
    return 0;
}

static int read_conditions(const char *text, json_t *out, err_t **err)
{
    AUTO_JSON list = NULL;
    int r = json_read_str(text, &list, err);
    if (r == 0 && !json_is_array(list) && !json_is_null(list))
        r = err_set(err, ERR_INVALID_ARGUMENT, "not a list");
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        json_t *c = json_object();
        json_array_append_new(out, c);
        r = read_condition(json_array_get(list, i), c, err);
    }
    return r < 0 ? err_wrap(err, "failed to convert conditions annotation to typed") : 0;
}

int health_autoscaler(const json_t *o, struct health *out, err_t **err)
{
    if (!str_eq(json_str_at(o, "apiVersion"), "autoscaling/v1")) {
        judge_conditions(json_at(o, "status", "conditions"), out);
        return 0;
    }
    /* v1 has its conditions in an annotation. */
    const char *text = object_annotation(o, "autoscaling.alpha.kubernetes.io/conditions");
    AUTO_JSON list = json_array();
    if (text && read_conditions(text, list, err) < 0)
        return err_again(err);
    judge_conditions(list, out);
    return 0;
}
