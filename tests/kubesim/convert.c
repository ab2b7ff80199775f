#include "tests/kubesim/convert.h"

static void rename_key(json_t *o, const char *from, const char *to)
{
    json_t *v = json_object_get(o, from);
    if (!v)
        return;
    json_object_set(o, to, v);
    json_object_del(o, from);
}

static const struct {
    const char *core, *v1;
} event_names[] = {
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
    {"reportingComponent", "reportingController"},
};

void event_v1_to_core(json_t *o)
{
    for (size_t i = 0; i < ARRAY_LEN(event_names); i++)
        rename_key(o, event_names[i].v1, event_names[i].core);
}

void event_core_to_v1(json_t *o)
{
    for (size_t i = 0; i < ARRAY_LEN(event_names); i++)
        rename_key(o, event_names[i].core, event_names[i].v1);
}

/* Annotations in which v1 keeps what only v2 can say. */
static const struct {
    const char *annotation, *part, *key;
} hpa_extra[] = {
    {"autoscaling.alpha.kubernetes.io/metrics", "spec", "metrics"},
    {"autoscaling.alpha.kubernetes.io/current-metrics", "status", "currentMetrics"},
    {"autoscaling.alpha.kubernetes.io/conditions", "status", "conditions"},
    {"autoscaling.alpha.kubernetes.io/behavior", "spec", "behavior"},
};

static json_t *cpu_metric(json_int_t percent)
{
    return json_pack("{s:s,s:{s:s,s:{s:s,s:I}}}", "type", "Resource", "resource", "name", "cpu", "target",
                     "type", "Utilization", "averageUtilization", percent);
}

void hpa_v1_to_v2(json_t *o)
{
    for (size_t i = 0; i < ARRAY_LEN(hpa_extra); i++) {
        json_t *v = NULL;
        const char *text = json_str_at(o, "metadata", "annotations", hpa_extra[i].annotation);
        if (text && json_read_str(text, &v, NULL) == 0)
            json_put_at(o, v, hpa_extra[i].part, hpa_extra[i].key);
        json_drop_at(o, "metadata", "annotations", hpa_extra[i].annotation);
    }
    json_t *percent = json_at(o, "spec", "targetCPUUtilizationPercentage");
    if (percent) {
        json_t *metrics = json_at(o, "spec", "metrics");
        if (!metrics)
            json_put_at(o, metrics = json_array(), "spec", "metrics");
        json_array_insert_new(metrics, 0, cpu_metric(json_integer_value(percent)));
        json_drop_at(o, "spec", "targetCPUUtilizationPercentage");
    }
}

/* The first plain CPU utilisation becomes v1's one field; NULL when there is none. */
static json_t *take_cpu(json_t *metrics)
{
    size_t i;
    json_t *m;
    json_array_foreach(metrics, i, m) {
        json_t *percent = json_at(m, "resource", "target", "averageUtilization");
        if (!percent || !str_same(json_str_at(m, "resource", "name"), "cpu"))
            continue;
        json_incref(percent);
        json_array_remove(metrics, i);
        return percent;
    }
    return NULL;
}

void hpa_v2_to_v1(json_t *o)
{
    json_t *metrics = json_at(o, "spec", "metrics"), *percent = take_cpu(metrics);
    if (percent)
        json_put_at(o, percent, "spec", "targetCPUUtilizationPercentage");
    for (size_t i = 0; i < ARRAY_LEN(hpa_extra); i++) {
        json_t *v = json_at(o, hpa_extra[i].part, hpa_extra[i].key);
        if (v && !json_is_zero(v)) {
            AUTO(free_p) char *text = json_text(v, JSON_GO);
            json_put_at(o, json_string(text), "metadata", "annotations", hpa_extra[i].annotation);
        }
        json_drop_at(o, hpa_extra[i].part, hpa_extra[i].key);
    }
}
