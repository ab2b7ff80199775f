/* One pass over the tasks, as a machine of stages: each stage either asks the runner for something and goes
 * on with its answer, or ends the pass. The stages are those of gitops-engine's Sync; see controller.md §7.4
 * of the specification for the rules in words. */
#include "common/engine/sync_tasks.h"

enum stage {
    ST_BEGIN,
    ST_NAMESPACE_DONE,
    ST_DRY_RUN_DONE,
    ST_RUNNING,
    ST_FOUND,
    ST_FINALIZED,
    ST_FAILED_HOOKS_DELETED,
    ST_GROUP_DONE,
    ST_FAIL_HOOKS_STARTED,
    ST_ENDING,
    ST_END
};

typedef __typeof__(((struct sync_plan *)0)->list) task_list_t;

static bool completed(const struct sync_task *t)
{
    return t->op == OP_SUCCEEDED || t->op == OP_FAILED || t->op == OP_ERROR;
}

static bool successful(const struct sync_task *t)
{
    return t->op == OP_SUCCEEDED;
}

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

/* The value of the resource's own "Prune=…", else the application's. */
static char *prune_option(const json_t *live, const char *fallback)
{
    const char *list = object_annotation(live, "argocd.argoproj.io/sync-options");
    view_t rest = view_of(list), part;
    while (view_split(&rest, ',', &part)) {
        part = view_trim(part);
        if (part.n > 6 && memcmp(part.p, "Prune=", 6) == 0)
            return xstrndup(part.p + 6, part.n - 6);
    }
    return xstrdup(str_or_empty(fallback));
}

bool prune_needs_confirmation(const json_t *live, const char *default_prune)
{
    AUTO(free_p) char *option = prune_option(live, default_prune);
    return strcmp(option, "confirm") == 0;
}

bool prune_forbidden(const json_t *live, const char *default_prune)
{
    AUTO(free_p) char *option = prune_option(live, default_prune);
    return strcmp(option, "false") == 0;
}

enum op_phase sync_hook_phase(const json_t *live, char **message, err_t **err)
{
    struct health h;
    *message = NULL;
    if (health_assess(live, &h, err) < 0) {
        health_dispose(&h);
        return OP_ERROR;
    }
    enum op_phase phase = OP_SUCCEEDED;
    switch (h.status) {
    case HEALTH_NONE:
        *message = xasprintf("%s created", object_name(live));
        break;
    case HEALTH_UNKNOWN:
    case HEALTH_DEGRADED:
        phase = OP_FAILED;
        break;
    case HEALTH_PROGRESSING:
    case HEALTH_SUSPENDED:
        phase = OP_RUNNING;
        break;
    default:
        break;
    }
    if (!*message)
        *message = xstrdup(str_or_empty(h.message));
    health_dispose(&h);
    return phase;
}

/* ---- results ---- */

static const char *const code_names[] = {"", "Synced", "SyncFailed", "Pruned", "PruneSkipped"};

static enum result_code code_parse(const char *name)
{
    for (size_t i = 1; i < ARRAY_LEN(code_names); i++)
        if (str_eq(name, code_names[i]))
            return (enum result_code)i;
    return RESULT_NONE;
}

static json_t *find_result(const struct sync_plan *p, const struct sync_task *t)
{
    for (size_t i = 0; i < json_array_size(p->results); i++) {
        json_t *r = json_array_get(p->results, i);
        if (str_same(json_str_at(r, "name"), t->name) && str_same(json_str_at(r, "kind"), t->kind) &&
            str_same(json_str_at(r, "group"), t->group) && str_same(json_str_at(r, "namespace"), t->ns) &&
            str_same(json_str_at(r, "syncPhase"), sync_phase_name(t->phase)))
            return r;
    }
    return NULL;
}

static json_t *images_of(const json_t *o)
{
    json_t *spec = json_at(o, "spec"), *out = json_array();
    json_t *lists[] = {json_at(spec, "containers"), json_at(spec, "template", "spec", "containers"),
                       json_at(spec, "jobTemplate", "spec", "template", "spec", "containers")};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        for (size_t i = 0; i < json_array_size(lists[l]); i++) {
            const char *image = json_str_at(json_array_get(lists[l], i), "image");
            if (!str_empty(image))
                json_array_append_new(out, json_str_new(image));
        }
    }
    return out;
}

void sync_set_result(struct sync_plan *p, struct sync_task *t, enum result_code code, enum op_phase op,
                     const char *message)
{
    t->code = code;
    t->op = op;
    if (!str_empty(message)) {
        free(t->message);
        t->message = xstrdup(message);
    }
    json_t *r = find_result(p, t);
    if (!r) {
        r = json_object();
        json_array_append_new(p->results, r);
    }
    json_object_clear(r);
    json_set_str(r, "group", t->group);
    json_set_str(r, "version", t->version);
    json_set_str(r, "kind", t->kind);
    json_set_str(r, "namespace", t->ns);
    json_set_str(r, "name", t->name);
    json_put_str(r, "status", code_names[code]);
    json_put_str(r, "message", t->message);
    if (t->is_hook)
        json_set_str(r, "hookType", sync_phase_name(t->phase));
    json_put_str(r, "hookPhase", op_phase_name(op));
    json_set_str(r, "syncPhase", sync_phase_name(t->phase));
    json_t *images = images_of(t->target ? t->target : t->live);
    if (json_array_size(images))
        json_object_set_new_nocheck(r, "images", images);
    else
        json_decref(images);
}

void sync_task_invalid(struct sync_plan *p, struct sync_task *t, const char *why)
{
    sync_set_result(p, t, RESULT_SYNC_FAILED, OP_PENDING, why);
}

static void join_results(struct sync_plan *p)
{
    VEC_FOREACH(&p->tasks, it) {
        struct sync_task *t = *it;
        const json_t *r = find_result(p, t);
        if (!r)
            continue;
        t->code = code_parse(json_str_at(r, "status"));
        t->op = op_phase_parse(json_str_at(r, "hookPhase"));
        free(t->message);
        t->message = xstrdup(json_str_at(r, "message"));
    }
}

/* A hook that this very operation made before a restart lost its result: it runs, and is not made again. */
static void adopt_hooks(struct sync_plan *p)
{
    VEC_FOREACH(&p->tasks, it) {
        struct sync_task *t = *it;
        const char *ours = object_annotation(t->target, ANNOTATION_HOOK_OPERATION);
        if (t->is_hook && t->op == OP_PENDING && t->live && ours &&
            str_eq(object_annotation(t->live, ANNOTATION_HOOK_OPERATION), ours))
            sync_set_result(p, t, RESULT_SYNCED, OP_RUNNING, NULL);
    }
}

void sync_plan_init(struct sync_plan *p, const struct sync_input *input, json_t *results_take)
{
    *p = (struct sync_plan){.input = input, .results = results_take ? results_take : json_array()};
    sync_tasks_build(p);
    join_results(p);
    adopt_hooks(p);
    if (input->namespace_error) {
        VEC_FOREACH(&p->tasks, t)
            if ((*t)->target == input->namespace_target)
                sync_task_invalid(p, *t, input->namespace_error);
    }
    p->started = json_array_size(p->results) > 0;
}

void sync_plan_dispose(struct sync_plan *p)
{
    sync_tasks_free(p);
    json_decref(p->results);
    free(p->message);
    VEC_FREE(&p->list);
    VEC_FREE(&p->group);
    VEC_FREE(&p->failed);
    VEC_FREE(&p->fail_hooks);
    *p = (struct sync_plan){};
}

/* ---- ends ---- */

static enum sync_step end(struct sync_plan *p, enum op_phase phase, char *message_take)
{
    free(p->message);
    p->phase = phase;
    p->message = message_take;
    p->stage = ST_END;
    p->run = NULL;
    p->nrun = 0;
    return STEP_END;
}

/* "waiting for healthy state of apps/Deployment/x and 2 more resources". */
static char *waiting_message(const struct sync_plan *p, const task_list_t *tasks, bool deletion)
{
    if (!tasks->n)
        return xstrdup("");
    const struct sync_task *hook = NULL, *resource = NULL, *first, *confirm = NULL;
    size_t nconfirm = 0;
    for (size_t i = 0; i < tasks->n; i++) {
        const struct sync_task *t = tasks->v[i];
        if (t->is_hook)
            hook = hook ? hook : t;
        else
            resource = resource ? resource : t;
        if (!p->input->prune_confirmed && task_is_prune(t) &&
            prune_needs_confirmation(t->live, p->input->default_prune)) {
            confirm = confirm ? confirm : t;
            nconfirm++;
        }
    }
    const char *reason = hook ? "completion of hook" : "healthy state of";
    if (deletion)
        reason = hook ? "deletion of hook" : "deletion of";
    size_t more = tasks->n - 1;
    first = hook ? hook : resource;
    if (confirm) {
        reason = "pruning confirmation of";
        first = confirm;
        more = nconfirm - 1;
    }
    AUTO(free_p)
    char *text = xasprintf("waiting for %s %s/%s/%s", reason, first->group, first->kind, first->name);
    return more ? xasprintf("%s and %zu more %s", text, more, resource ? "resources" : "hooks") : TAKE(text);
}

static enum sync_step end_running(struct sync_plan *p, const task_list_t *tasks, bool deletion)
{
    return end(p, OP_RUNNING, waiting_message(p, tasks, deletion));
}

static void collect_messages(str_t *out, const task_list_t *tasks)
{
    for (size_t i = 0; i < tasks->n; i++) {
        if (i)
            str_putc(out, ',');
        str_puts(out, tasks->v[i]->message);
    }
}

static enum sync_step ask(struct sync_plan *p, enum sync_step step, const task_list_t *tasks, int next)
{
    p->run = tasks->v;
    p->nrun = tasks->n;
    p->stage = next;
    return step;
}

static void filter(struct sync_plan *p, task_list_t *out,
                   bool (*keep)(const struct sync_plan *, const struct sync_task *))
{
    out->n = 0;
    VEC_FOREACH(&p->tasks, t)
        if (keep(p, *t))
            VEC_PUSH(out, *t);
}

/* ---- SyncFail hooks ---- */

static bool is_fail_hook(const struct sync_plan *p, const struct sync_task *t)
{
    return t->phase == PHASE_SYNC_FAIL;
}

static char *failure_message(const task_list_t *failed, const char *what)
{
    str_t text = STR_INIT;
    str_puts(&text, what);
    if (failed->n) {
        str_puts(&text, ", reason: ");
        collect_messages(&text, failed);
    }
    return str_take(&text);
}

/* Starts what has not run of the SyncFail hooks, or ends the sync as failed. */
static enum sync_step fail_phase(struct sync_plan *p, const char *what)
{
    AUTO(free_p) char *message = failure_message(&p->failed, what);
    filter(p, &p->fail_hooks, is_fail_hook);
    task_list_t pending = {}, bad = {};
    for (size_t i = 0; i < p->fail_hooks.n; i++) {
        struct sync_task *t = p->fail_hooks.v[i];
        if (t->op == OP_PENDING)
            VEC_PUSH(&pending, t);
        if (t->code == RESULT_SYNC_FAILED)
            VEC_PUSH(&bad, t);
    }
    bool all_done = true;
    for (size_t i = 0; i < p->fail_hooks.n; i++)
        all_done = all_done && completed(p->fail_hooks.v[i]);
    enum sync_step step;
    if (all_done) {
        AUTO(free_p) char *more = bad.n ? failure_message(&bad, "one or more SyncFail hooks failed") : NULL;
        step = end(p, OP_FAILED, more ? xasprintf("%s\n%s", message, more) : TAKE(message));
    } else {
        p->list.n = 0;
        for (size_t i = 0; i < pending.n; i++)
            VEC_PUSH(&p->list, pending.v[i]);
        step = ask(p, STEP_RUN, &p->list, ST_FAIL_HOOKS_STARTED);
    }
    VEC_FREE(&pending);
    VEC_FREE(&bad);
    return step;
}

/* ---- the stages ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Ends the sync when a task was found invalid. */
static bool any_invalid(struct sync_plan *p, enum sync_step *step)
{
    VEC(const char *) messages = {};
    bool invalid = false;
    VEC_FOREACH(&p->tasks, it) {
        struct sync_task *t = *it;
        if (t->code != RESULT_SYNC_FAILED || t->op != OP_PENDING)
            continue;
        invalid = true;
        bool known = str_empty(t->message);
        for (size_t i = 0; !known && i < messages.n; i++)
            known = strcmp(messages.v[i], t->message) == 0;
        if (!known)
            VEC_PUSH(&messages, t->message);
    }
    if (invalid) {
        str_t text = STR_INIT;
        str_puts(&text, "one or more synchronization tasks are not valid");
        VEC_SORT(&messages, by_text);
        for (size_t i = 0; i < messages.n; i++)
            str_printf(&text, "%s%s", i ? "; " : ": ", messages.v[i]);
        *step = end(p, OP_FAILED, str_take(&text));
    }
    VEC_FREE(&messages);
    return invalid;
}

static bool is_namespace_to_create(const struct sync_plan *p, const struct sync_task *t)
{
    return t->target && !t->live && !*t->group && strcmp(t->kind, "Namespace") == 0 &&
           str_eq(t->name, p->input->ns);
}

static bool skip_unmodified(const struct sync_plan *p, const struct sync_task *t)
{
    return p->input->apply_out_of_sync_only && !t->is_hook && t->unmodified && t->target && t->live;
}

static bool for_dry_run(const struct sync_plan *p, const struct sync_task *t)
{
    return t != p->made && !skip_unmodified(p, t);
}

static enum sync_step namespace_done(struct sync_plan *p);

static enum sync_step begin(struct sync_plan *p)
{
    enum sync_step step;
    if (any_invalid(p, &step))
        return step;
    if (p->started) {
        p->stage = ST_RUNNING;
        return sync_plan_next(p);
    }
    filter(p, &p->list, is_namespace_to_create);
    if (p->list.n) {
        p->list.n = 1;
        return ask(p, STEP_RUN, &p->list, ST_NAMESPACE_DONE);
    }
    return namespace_done(p);
}

static enum sync_step namespace_done(struct sync_plan *p)
{
    if (p->outcome == RUN_FAILED) {
        p->failed.n = 0;
        VEC_PUSH(&p->failed, p->list.v[0]);
        AUTO(free_p) char *message = failure_message(&p->failed, "the namespace failed to apply");
        return end(p, OP_FAILED, TAKE(message));
    }
    p->made = p->list.n ? p->list.v[0] : NULL;
    filter(p, &p->list, for_dry_run);
    p->outcome = RUN_SUCCESSFUL;
    return ask(p, STEP_DRY_RUN, &p->list, ST_DRY_RUN_DONE);
}

/* What the health of live objects says of running tasks. */
static void judge(struct sync_plan *p, struct sync_task *t)
{
    AUTO_ERR err = NULL;
    if (t->is_hook) {
        AUTO(free_p) char *message = NULL;
        enum op_phase phase = sync_hook_phase(t->live, &message, &err);
        AUTO(free_p)
        char *failure = err ? xasprintf("failed to get resource health: %s", err_text(err)) : NULL;
        sync_set_result(p, t, t->code, phase, failure ? failure : message);
        return;
    }
    struct health h;
    if (health_assess(t->live, &h, &err) == 0) {
        if (h.status == HEALTH_NONE || h.status == HEALTH_HEALTHY)
            sync_set_result(p, t, t->code, OP_SUCCEEDED, h.message);
        else if (h.status == HEALTH_DEGRADED)
            sync_set_result(p, t, t->code, OP_FAILED, h.message);
    }
    health_dispose(&h);
}

static bool multi_step(const struct sync_plan *p)
{
    if (!p->tasks.n)
        return false;
    const struct sync_task *first = p->tasks.v[0], *last = p->tasks.v[p->tasks.n - 1];
    return first->phase != last->phase || first->wave != last->wave;
}

static bool holds_up(const struct sync_plan *p, const struct sync_task *t)
{
    return t->op == OP_RUNNING && (t->is_hook || multi_step(p));
}

static enum sync_step running(struct sync_plan *p)
{
    VEC_FOREACH(&p->tasks, t)
        if ((*t)->op == OP_RUNNING && (*t)->live)
            judge(p, *t);
    filter(p, &p->group, holds_up);
    p->list.n = 0;
    VEC_FOREACH(&p->group, t)
        if (!(*t)->live)
            VEC_PUSH(&p->list, *t);
    if (p->list.n)
        return ask(p, STEP_FIND, &p->list, ST_FOUND); /* still unknown: live is set to the target itself */
    p->stage = ST_FOUND;
    return sync_plan_next(p);
}

static bool is_terminating(const struct sync_plan *p, const struct sync_task *t)
{
    return t->code == RESULT_PRUNED && json_at(t->live, "metadata", "deletionTimestamp");
}

static bool has_finalizer(const json_t *o)
{
    json_t *list = json_at(o, "metadata", "finalizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_string_value(json_array_get(list, i)), HOOK_FINALIZER))
            return true;
    return false;
}

static bool to_finalize(const struct sync_plan *p, const struct sync_task *t)
{
    return t->is_hook && completed(t) && t->live && has_finalizer(t->live);
}

static enum sync_step found(struct sync_plan *p)
{
    /* What was looked up is judged as what was known. */
    for (size_t i = 0; i < p->list.n; i++)
        if (p->list.v[i]->live && p->list.v[i]->live != p->list.v[i]->target)
            judge(p, p->list.v[i]);
    filter(p, &p->group, holds_up);
    for (size_t i = 0; i < p->group.n; i++) {
        struct sync_task *t = p->group.v[i];
        if (t->live || t->op != OP_RUNNING)
            continue;
        AUTO(free_p)
        char *message = xasprintf("Resource %s/%s/%s is missing, it might have been deleted", t->group,
                                  t->kind, t->name);
        sync_set_result(p, t, RESULT_SYNC_FAILED, OP_ERROR, message);
    }
    if (p->group.n)
        return end_running(p, &p->group, false);
    filter(p, &p->list, is_terminating);
    if (p->list.n)
        return end_running(p, &p->list, true);
    filter(p, &p->list, to_finalize);
    if (p->list.n)
        return ask(p, STEP_FINALIZE, &p->list, ST_FINALIZED);
    p->stage = ST_FINALIZED;
    return sync_plan_next(p);
}

static bool delete_on_success(const struct sync_plan *p, const struct sync_task *t)
{
    return t->is_hook && t->live && t->op != OP_RUNNING && (t->hook_delete & HOOK_DELETE_SUCCEEDED);
}

static bool delete_on_failure(const struct sync_plan *p, const struct sync_task *t)
{
    return t->is_hook && t->live && t->op != OP_RUNNING && (t->hook_delete & HOOK_DELETE_FAILED);
}

static bool went_wrong(const struct sync_plan *p, const struct sync_task *t)
{
    return t->phase != PHASE_SYNC_FAIL && completed(t) && !successful(t);
}

static bool sync_failed(const struct sync_plan *p, const struct sync_task *t)
{
    return t->phase != PHASE_SYNC_FAIL && t->code == RESULT_SYNC_FAILED;
}

static bool still_to_do(const struct sync_plan *p, const struct sync_task *t)
{
    return t->phase != PHASE_SYNC_FAIL && t->op == OP_PENDING && !skip_unmodified(p, t);
}

/* Deletes what `which` selects, then ends with the phase and message. */
static enum sync_step end_after_deleting(struct sync_plan *p,
                                         bool (*which)(const struct sync_plan *, const struct sync_task *),
                                         enum op_phase phase, const char *message)
{
    free(p->message);
    p->message = xstrdup(message);
    p->phase = phase;
    filter(p, &p->list, which);
    if (!p->list.n)
        return end(p, phase, TAKE(p->message));
    return ask(p, STEP_DELETE_HOOKS, &p->list, ST_ENDING);
}

static enum sync_step finalized(struct sync_plan *p)
{
    filter(p, &p->list, went_wrong);
    if (p->list.n) {
        filter(p, &p->failed, sync_failed);
        filter(p, &p->list, delete_on_failure);
        if (p->list.n)
            return ask(p, STEP_DELETE_HOOKS, &p->list, ST_FAILED_HOOKS_DELETED);
        return fail_phase(p, "one or more synchronization tasks completed unsuccessfully");
    }
    filter(p, &p->list, still_to_do);
    if (!p->list.n)
        return end_after_deleting(p, delete_on_success, OP_SUCCEEDED, "successfully synced (no more tasks)");
    const struct sync_task *first = p->list.v[0], *last = p->list.v[p->list.n - 1];
    p->wait_for_wave = first->phase != last->phase || first->wave != last->wave;
    p->group.n = 0;
    VEC_FOREACH(&p->list, t)
        if ((*t)->phase == first->phase && (*t)->wave == first->wave)
            VEC_PUSH(&p->group, *t);
    p->remaining = p->group.n < p->list.n;
    p->outcome = RUN_SUCCESSFUL;
    return ask(p, STEP_RUN, &p->group, ST_GROUP_DONE);
}

static void keep(task_list_t *list, bool (*which)(const struct sync_task *))
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        if (which(list->v[i]))
            list->v[n++] = list->v[i];
    list->n = n;
}

static bool holds_the_group(const struct sync_task *t)
{
    return task_delete_before_creation(t) || (task_is_prune(t) && t->op == OP_PENDING);
}

static bool is_running(const struct sync_task *t)
{
    return t->op == OP_RUNNING;
}

static enum sync_step group_failed(struct sync_plan *p)
{
    p->failed.n = 0;
    VEC_FOREACH(&p->group, t)
        if ((*t)->code == RESULT_SYNC_FAILED)
            VEC_PUSH(&p->failed, *t);
    p->wait_for_wave = false;
    keep(&p->group, is_running);
    task_list_t hooks = {};
    for (size_t i = 0; i < p->group.n; i++)
        if (p->group.v[i]->is_hook)
            VEC_PUSH(&hooks, p->group.v[i]);
    bool wait = hooks.n > 0;
    enum sync_step step = wait ? end_running(p, &hooks, false) : STEP_END;
    VEC_FREE(&hooks);
    if (wait)
        return step;
    filter(p, &p->list, delete_on_failure);
    if (p->list.n) {
        filter(p, &p->fail_hooks, is_fail_hook);
        if (!p->fail_hooks.n) {
            AUTO(free_p) char *message = failure_message(&p->failed, "one or more objects failed to apply");
            return end_after_deleting(p, delete_on_failure, OP_FAILED, message);
        }
    }
    return fail_phase(p, "one or more objects failed to apply");
}

static enum sync_step group_done(struct sync_plan *p)
{
    if (p->outcome == RUN_FAILED)
        return group_failed(p);
    if (p->outcome == RUN_PENDING) {
        keep(&p->group, holds_the_group);
        return end_running(p, &p->group, true);
    }
    bool hooks = false;
    VEC_FOREACH(&p->group, t)
        hooks = hooks || (*t)->is_hook;
    if (!p->remaining && !hooks)
        return end_after_deleting(p, delete_on_success, OP_SUCCEEDED, "successfully synced (all tasks run)");
    return end_running(p, &p->group, false);
}

enum sync_step sync_plan_next(struct sync_plan *p)
{
    switch ((enum stage)p->stage) {
    case ST_BEGIN:
        return begin(p);
    case ST_NAMESPACE_DONE:
        return namespace_done(p);
    case ST_DRY_RUN_DONE:
        if (p->outcome == RUN_FAILED)
            return end(p, OP_FAILED, xstrdup("one or more objects failed to apply (dry run)"));
        p->stage = ST_RUNNING;
        return running(p);
    case ST_RUNNING:
        return running(p);
    case ST_FOUND:
        return found(p);
    case ST_FINALIZED:
        return finalized(p);
    case ST_FAILED_HOOKS_DELETED:
        return fail_phase(p, "one or more synchronization tasks completed unsuccessfully");
    case ST_GROUP_DONE:
        return group_done(p);
    case ST_FAIL_HOOKS_STARTED:
        return end_running(p, &p->list, false);
    case ST_ENDING:
        return end(p, p->phase, TAKE(p->message));
    case ST_END:
        break;
    }
    return STEP_END;
}

static bool running_hook(const struct sync_plan *p, const struct sync_task *t)
{
    return t->is_hook && t->op == OP_RUNNING;
}

enum sync_step sync_plan_terminate(struct sync_plan *p)
{
    switch ((enum stage)p->stage) {
    case ST_BEGIN:
        filter(p, &p->list, to_finalize);
        p->outcome = RUN_SUCCESSFUL;
        if (p->list.n)
            return ask(p, STEP_FINALIZE, &p->list, ST_FINALIZED);
        /* fall through */
    case ST_FINALIZED:
        filter(p, &p->list, running_hook);
        if (p->list.n)
            return ask(p, STEP_RUN, &p->list, ST_ENDING);
        /* fall through */
    case ST_ENDING:
        if (p->outcome == RUN_FAILED)
            return end(p, OP_ERROR, xstrdup("Operation termination had errors"));
        return end(p, OP_FAILED, xstrdup("Operation terminated"));
    default:
        return STEP_END;
    }
}
