/* What is on record of a sync: status.operationState.syncResult.resources, the only thing that lives from one
 * pass to the next. Entries are found by kind, name and phase; what no task stands for any more stays listed.
 */
#include "common/engine/annotations.h"
#include "common/engine/sync_tasks.h"

enum op_phase sync_result_phase(enum result_code code, bool dry_run)
{
    switch (code) {
    case RESULT_SYNCED:
        return dry_run ? OP_SUCCEEDED : OP_RUNNING;
    case RESULT_SYNC_FAILED:
        return OP_FAILED;
    default:
        return OP_SUCCEEDED;
    }
}

bool prune_needs_confirmation(const json_t *live, const char *default_prune)
{
    AUTO(free_p) char *own = annotation_value(live, ANNOTATION_SYNC_OPTIONS, "Prune");
    return str_eq(own ? own : default_prune, "confirm");
}

bool prune_forbidden(const json_t *live, const char *default_prune)
{
    AUTO(free_p) char *own = annotation_value(live, ANNOTATION_SYNC_OPTIONS, "Prune");
    return str_eq(own ? own : default_prune, "false");
}

enum op_phase sync_hook_phase(const struct health_overrides *health, const json_t *live, char **message,
                              err_t **err)
{
    struct health h;
    *message = NULL;
    if (health_assess_by(health, live, &h, err) < 0) {
        health_dispose(&h);
        return OP_ERROR;
    }
    enum op_phase phase = OP_SUCCEEDED;
    if (h.status == HEALTH_UNKNOWN || h.status == HEALTH_DEGRADED)
        phase = OP_FAILED;
    else if (h.status == HEALTH_PROGRESSING || h.status == HEALTH_SUSPENDED)
        phase = OP_RUNNING;
    else if (h.status != HEALTH_HEALTHY)
        *message = xasprintf("%s created", object_name(live));
    if (!*message)
        *message = xstrdup(str_or_empty(h.message));
    health_dispose(&h);
    return phase;
}

static const char *const code_names[] = {"", "Synced", "SyncFailed", "Pruned", "PruneSkipped"};

static enum result_code code_parse(const char *name)
{
    for (size_t i = 1; i < ARRAY_LEN(code_names); i++)
        if (str_eq(name, code_names[i]))
            return (enum result_code)i;
    return RESULT_NONE;
}

static char *key_of(const char *group, const char *kind, const char *ns, const char *name, const char *phase)
{
    return xasprintf("%s/%s/%s/%s:%s", str_or_empty(group), str_or_empty(kind), str_or_empty(ns),
                     str_or_empty(name), str_or_empty(phase));
}

static void index_results(struct sync_plan *p)
{
    for (size_t i = 0; i < json_array_size(p->results); i++) {
        const json_t *r = json_array_get(p->results, i);
        if (!json_is_map(r))
            continue;
        AUTO(free_p)
        char *key = key_of(json_str_at(r, "group"), json_str_at(r, "kind"), json_str_at(r, "namespace"),
                           json_str_at(r, "name"), json_str_at(r, "syncPhase"));
        if (!map_has(&p->index, key))
            map_put(&p->index, key, (void *)(uintptr_t)(i + 1));
    }
}

static json_t *find_result(const struct sync_plan *p, const struct sync_task *t, char **key)
{
    *key = key_of(t->group, t->kind, t->ns, t->name, sync_phase_name(t->phase));
    size_t at = (size_t)(uintptr_t)map_get(&p->index, *key);
    return at ? json_array_get(p->results, at - 1) : NULL;
}

/* Images of the first list of containers that the object has: a pod's, a template's, a cron job's. */
static json_t *images_of(const json_t *o)
{
    const json_t *spec = json_at(o, "spec");
    const json_t *lists[] = {json_at(spec, "containers"), json_at(spec, "template", "spec", "containers"),
                             json_at(spec, "jobTemplate", "spec", "template", "spec", "containers")};
    json_t *out = json_array();
    size_t l = 0;
    while (l + 1 < ARRAY_LEN(lists) && !json_is_array(lists[l]))
        l++;
    for (size_t i = 0; i < json_array_size(lists[l]); i++) {
        const char *image = json_str_at(json_array_get(lists[l], i), "image");
        if (image)
            json_array_append_new(out, json_str_new(image));
    }
    return out;
}

static json_t *add_result(struct sync_plan *p, const struct sync_task *t, const char *key)
{
    json_t *r = json_object();
    json_set_str(r, "group", t->group);
    json_set_str(r, "version", t->version);
    json_set_str(r, "kind", t->kind);
    json_set_str(r, "namespace", t->ns);
    json_set_str(r, "name", t->name);
    if (t->is_hook)
        json_set_str(r, "hookType", sync_phase_name(t->phase));
    json_set_str(r, "syncPhase", sync_phase_name(t->phase));
    json_t *images = images_of(t->target ? t->target : t->live);
    if (json_array_size(images))
        json_object_set_new_nocheck(r, "images", images);
    else
        json_decref(images);
    json_array_append_new(p->results, r);
    map_put(&p->index, key, (void *)(uintptr_t)json_array_size(p->results));
    return r;
}

static void put_or_drop(json_t *r, const char *field, const char *value)
{
    json_put_str(r, field, value);
    if (str_empty(value))
        json_object_del(r, field);
}

void sync_set_result(struct sync_plan *p, struct sync_task *t, enum result_code code, enum op_phase op,
                     const char *message)
{
    t->code = code;
    t->op = op;
    if (!str_empty(message)) {
        AUTO(free_p) UNUSED char *old = t->message; /* message may be part of it */
        t->message = xstrdup(message);
    }
    AUTO(free_p) char *key = NULL;
    json_t *r = find_result(p, t, &key);
    if (!r)
        r = add_result(p, t, key);
    put_or_drop(r, "status", code_names[code]);
    put_or_drop(r, "message", t->message);
    put_or_drop(r, "hookPhase", op_phase_name(op));
}

void sync_task_invalid(struct sync_plan *p, struct sync_task *t, const char *why)
{
    t->invalid = true;
    sync_set_result(p, t, RESULT_SYNC_FAILED, OP_PENDING, why);
}

/* A hook that this very operation made before a restart lost its result: it runs, and is not made again. */
static void adopt(struct sync_plan *p, struct sync_task *t)
{
    const char *mark = object_annotation(t->target, ANNOTATION_HOOK_OPERATION);
    if (t->is_hook && t->op == OP_PENDING && t->live && mark && !p->input->dry_run &&
        str_eq(object_annotation(t->live, ANNOTATION_HOOK_OPERATION), mark))
        sync_set_result(p, t, RESULT_SYNCED, OP_RUNNING, NULL);
}

void sync_results_join(struct sync_plan *p)
{
    index_results(p);
    VEC_FOREACH(&p->tasks, it) {
        struct sync_task *t = *it;
        AUTO(free_p) char *key = NULL;
        const json_t *r = find_result(p, t, &key);
        if (r) {
            t->code = code_parse(json_str_at(r, "status"));
            t->op = op_phase_parse(json_str_at(r, "hookPhase"));
            free(t->message);
            t->message = xstrdup(json_str_at(r, "message"));
        }
        adopt(p, t);
    }
}

char *sync_results_failures(const struct sync_plan *p)
{
    VEC(const char *) messages = {};
    for (size_t i = 0; i < json_array_size(p->results); i++) {
        const json_t *r = json_array_get(p->results, i);
        const char *message = json_str_at(r, "message");
        if (str_eq(json_str_at(r, "status"), "SyncFailed") && !str_empty(message))
            VEC_PUSH(&messages, message);
    }
    char *text = messages.n ? sync_text_join(messages.v, messages.n, "; ") : NULL;
    VEC_FREE(&messages);
    return text;
}
