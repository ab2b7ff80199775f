#include "tests/kubesim/pods.h"

#include <stdio.h>

const char *pod_phase(const json_t *pod)
{
    return str_or_empty(json_str_at(pod, "status", "phase"));
}

bool pod_is_deleting(const json_t *pod)
{
    return json_at(pod, "metadata", "deletionTimestamp") != NULL;
}

bool pod_is_active(const json_t *pod)
{
    const char *phase = pod_phase(pod);
    return !pod_is_deleting(pod) && strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0;
}

bool pod_is_ready(const json_t *pod)
{
    return condition_is(pod, "Ready", "True");
}

bool pod_is_available(const json_t *pod, int64_t min_ready_seconds, int64_t *again_ns)
{
    if (!pod_is_ready(pod))
        return false;
    int64_t left = SECONDS(min_ready_seconds) -
                   ns_since(json_str_at(condition_get(pod, "Ready"), "lastTransitionTime"));
    if (min_ready_seconds == 0 || left <= 0)
        return true;
    if (!*again_ns || left < *again_ns)
        *again_ns = left;
    return false;
}

json_t *pod_of_template(const json_t *template, const char *api_version, const char *kind,
                        const json_t *owner, const char *name, const char *generate_name)
{
    json_t *pod = json_copy_deep(template), *meta = json_object_get(pod, "metadata");
    if (!json_is_map(meta))
        json_object_set_new(pod, "metadata", meta = json_object());
    json_object_del(meta, "creationTimestamp");
    json_object_del(meta, "name");
    json_put_str(meta, "name", name);
    json_put_str(meta, "generateName", generate_name);
    json_object_set_new(meta, "ownerReferences", ctl_owner_refs(api_version, kind, owner));
    return pod;
}

char *template_hash(const json_t *template)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    AUTO_JSON copy = json_copy_deep(template);
    json_drop_at(copy, "metadata", "labels", "pod-template-hash");
    json_drop_at(copy, "metadata", "creationTimestamp");
    char digits[16];
    snprintf(digits, sizeof(digits), "%u", (unsigned)json_hash(copy, 1));
    for (char *p = digits; *p; p++)
        *p = alphabet[(unsigned char)*p % (sizeof(alphabet) - 1)];
    return xstrdup(digits);
}

int64_t percent_of(const json_t *v, int64_t n, bool round_up, int64_t fallback)
{
    int64_t number = fallback;
    const char *text = json_string_value(v);
    if (!text)
        return v && json_to_i64(v, &number) ? number : fallback;
    number = strtoll(text, NULL, 10);
    return str_has_suffix(text, "%") ? (number * n + (round_up ? 99 : 0)) / 100 : number;
}

char *revision_of(struct sim *s, const char *kind, const json_t *owner, const json_t *template)
{
    static const char key[] = "controllerrevisions.apps";
    const char *name = json_str_at(owner, "metadata", "name"),
               *ns = json_str_at(owner, "metadata", "namespace");
    AUTO(free_p) char *hash = template_hash(template);
    char *revision = xasprintf("%s-%s", name, hash);
    AUTO_JSON old = ctl_get(s, key, ns, revision);
    if (old)
        return revision;
    AUTO_LIST all = ctl_owned(s, key, json_str_at(owner, "metadata", "uid"));
    int64_t newest = 0;
    VEC_FOREACH(&all, r)
        if (json_int_at(*r, "revision") > newest)
            newest = json_int_at(*r, "revision");
    json_t *o = json_pack("{s:{s:s,s:o},s:{s:{s:O}},s:I}", "metadata", "name", revision, "ownerReferences",
                          ctl_owner_refs("apps/v1", kind, owner), "data", "spec", "template", template,
                          "revision", (json_int_t)(newest + 1));
    json_t *labels = json_at(template, "metadata", "labels");
    if (labels)
        json_put_at(o, json_copy_deep(labels), "metadata", "labels");
    json_decref(ctl_create(s, key, ns, o));
    return revision;
}
