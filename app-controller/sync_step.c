/* Design. A pass starts from what is recorded (state.syncResult) and what the cluster holds, and ends when
 * there is nothing more that could be done now. What was done is persisted before anything that depends on
 * it: a hook is marked with the operation when it is created, its outcome is recorded before its finalizer
 * goes, and the end of the sync, its history entry and the removal of the request are one write. */
#include "app-controller/sync_step.h"
#include "app-controller/evaluation.h"
#include "app-controller/impersonation.h"
#include "app-controller/metrics.h"
#include "app-controller/namespace.h"
#include "app-controller/refresh.h"
#include "app-controller/status.h"
#include "common/argo/app.h"
#include "common/argo/windows.h"
#include "common/base/intern.h"
#include "common/base/log.h"
#include "common/base/rand.h"
#include "common/engine/ignored.h"
#include "common/engine/sync_options.h"

enum { MAX_STEPS = 64 };

/* A window that is due sooner than this is waited for to the moment. */
static const int64_t LOOK_AT_WINDOW_NS = SECONDS(30);

struct step {
    struct operation *op;
    const json_t *sync; /* operation.sync of the state */
    json_t *result;     /* state.syncResult, borrowed */
    json_t *doc;        /* that is compared */
    json_t *project;
    cluster_t *cluster;
    settings_t *settings;
    json_t *sources, *revisions;
    json_t *options; /* syncOptions */
    struct comparison c;
    struct compare_input in;
};

void operation_set(struct operation *op, const char *phase, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *message = xvasprintf(fmt, ap);
    va_end(ap);
    json_set_str(op->state, "phase", phase);
    json_object_del(op->state, "message");
    json_put_str(op->state, "message", message);
}

bool operation_is(const struct operation *op, const char *phase)
{
    return str_eq(json_str_at(op->state, "phase"), phase);
}

static bool automated(const struct operation *op)
{
    return json_bool_at(op->state, "operation", "initiatedBy", "automated");
}

/* ---- what is to be synced ---- */

static void create_result(struct step *s)
{
    const json_t *spec = json_at(s->op->doc, "spec");
    const json_t *sources = json_object_get(s->sync, "sources"), *source = json_object_get(s->sync, "source");
    bool several = json_array_size(sources) > 0 || (!json_is_map(source) && app_multi_source(s->op->doc));
    json_t *result = json_object();
    if (several) {
        if (!json_array_size(sources))
            sources = json_object_get(spec, "sources");
        json_object_set_new_nocheck(result, "sources", json_copy_deep(sources));
        const json_t *revisions = json_object_get(s->sync, "revisions");
        if (json_array_size(revisions))
            json_object_set_new_nocheck(result, "revisions", json_copy_deep(revisions));
    } else {
        AUTO_JSON own = json_is_map(source) ? json_copy_deep(source) : app_single_source(s->op->doc);
        json_object_set_new_nocheck(result, "source", own ? json_incref(own) : json_object());
    }
    json_set_str(result, "revision", json_str_at(s->sync, "revision"));
    json_object_set_new_nocheck(s->op->state, "syncResult", result);
}

static void take_result(struct step *s)
{
    if (!json_is_map(json_object_get(s->op->state, "syncResult")))
        create_result(s);
    s->result = json_object_get(s->op->state, "syncResult");
    const json_t *sources = json_object_get(s->result, "sources");
    if (json_array_size(sources)) {
        s->sources = json_copy_deep(sources);
        s->revisions = json_copy_deep(json_object_get(s->result, "revisions"));
    } else {
        s->sources = json_array();
        json_array_append(s->sources, json_object_get(s->result, "source"));
        s->revisions = json_array();
        json_array_append_new(s->revisions, json_str_new(json_str_at(s->result, "revision")));
    }
    s->options = json_copy_deep(json_object_get(s->sync, "syncOptions"));
}

/* Later passes stay on the commit that this one found. */
static void keep_revisions(struct step *s)
{
    AUTO_JSON found = comparison_revisions(&s->c);
    if (json_array_size(json_object_get(s->result, "sources")))
        json_object_set_nocheck(s->result, "revisions", found);
    else
        json_set_str(s->result, "revision", json_string_value(json_array_get(found, 0)));
}

static char *conditions_text(const json_t *conditions, const char *const *types)
{
    str_t text = STR_INIT;
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *c = json_array_get(conditions, i);
        for (size_t t = 0; types[t]; t++)
            if (str_eq(json_str_at(c, "type"), types[t]))
                str_printf(&text, "%s%s: %s", text.len ? ";" : "", types[t],
                           str_or_empty(json_str_at(c, "message")));
    }
    return text.len ? str_take(&text) : NULL;
}

/* Whether a sync window of the project holds the operation up (a request to end it, too): it waits, it does
 * not fail. */
static bool window_forbids(const struct step *s, const json_t *project)
{
    struct operation *op = s->op;
    AUTO_ERR err = NULL;
    AUTO_JSON windows = windows_matching(project, op->doc);
    struct window_question q = {.manual = !automated(op), .now = wall_now()};
    struct window_answer a;
    json_to_time(json_object_get(op->state, "startedAt"), &q.started);
    windows_ask(windows, &q, &a, &err);
    if (a.can_sync)
        return false;
    if (operation_is(op, "Running"))
        operation_set(op, "Running", "Sync operation blocked by sync window%s%s", err ? ": " : "",
                      err_text(err));
    int64_t left = a.next_change.ns - q.now.ns + MILLIS(1);
    if (a.next_change.ns && left < LOOK_AT_WINDOW_NS)
        op->again_ns = left;
    return true;
}

/* Project, sources, destination, cluster. False when the pass ends here. */
static bool prepare(struct step *s)
{
    struct operation *op = s->op;
    AUTO_ERR err = NULL;
    AUTO_JSON project = NULL;
    if (world_project(op->ctl->world, app_project(op->doc), &project, &err) < 0) {
        operation_set(op, "Error", "Failed to load application project: %s", err_text(err));
        return false;
    }
    if (window_forbids(s, project))
        return false;
    static const char *const types[] = {"InvalidSpecError", "UnknownError", NULL};
    AUTO_JSON conditions = json_array();
    if (application_check(op->ctl, op->app, op->doc, &s->project, &s->cluster, conditions) < 0) {
        AUTO(free_p) char *text = conditions_text(conditions, types);
        operation_set(op, "Error", "%s", str_or_empty(text));
        return false;
    }
    if (cluster_ready(s->cluster, mono_now(), &err) < 0) {
        AUTO_JSON info = cluster_info(s->cluster);
        op->again_ns = SECONDS(1);
        if (str_eq(json_str_at(info, "connectionState", "status"), "Failed"))
            operation_set(op, operation_is(op, "Terminating") ? "Terminating" : "Error",
                          "ComparisonError: Failed to load live state: %s", err_text(err));
        return false;
    }
    return true;
}

static bool compare(struct step *s)
{
    struct operation *op = s->op;
    s->settings = world_settings(op->ctl->world);
    s->doc = json_incref(op->doc); /* every write puts another in its place */
    s->in = (struct compare_input){.doc = s->doc,
                                   .project = s->project,
                                   .cluster = s->cluster,
                                   .settings = s->settings,
                                   .sources = s->sources,
                                   .revisions = s->revisions,
                                   .manifests = given_manifests(s->sync),
                                   .no_revision_cache = true,
                                   .canceled = &op->ctl->stopping};
    s->c.ns = xstrdup(str_or_empty(json_str_at(op->doc, "spec", "destination", "namespace")));
    comparison_render(op->ctl, op->app, &s->in, &s->c);
    if (!s->c.failed && !s->in.manifests)
        keep_revisions(s);
    comparison_pair(op->ctl, op->app, &s->in, &s->c);
    comparison_judge(op->ctl, op->app, &s->in, &s->c);
    static const char *const shared[] = {"SharedResourceWarning", NULL};
    AUTO(free_p) char *others = conditions_text(s->c.conditions, shared);
    if (others && options_have(s->options, "FailOnSharedResource=true")) {
        operation_set(op, "Failed", "Shared resource found: %s", others + strlen("SharedResourceWarning: "));
        return false;
    }
    static const char *const errors[] = {"ComparisonError", "InvalidSpecError", NULL};
    AUTO(free_p) char *bad = conditions_text(s->c.conditions, errors);
    if (bad) {
        operation_set(op, "Error", "%s", bad);
        return false;
    }
    return true;
}

/* ---- the destination namespace ---- */

static bool renders_namespace(const struct step *s, const char *name)
{
    for (size_t i = 0; i < s->c.pairs.n; i++) {
        const json_t *t = s->c.pairs.v[i].target;
        if (t && strcmp(object_kind(t), "Namespace") == 0 && str_eq(json_str_at(t, "apiVersion"), "v1") &&
            strcmp(object_name(t), name) == 0)
            return true;
    }
    return false;
}

static void plan_namespace(const struct step *s, const struct applier *a, struct sync_input *input,
                           char **failure)
{
    if (!options_have(s->options, "CreateNamespace=true") || str_empty(s->c.ns) ||
        renders_namespace(s, s->c.ns))
        return;
    AUTO_ERR err = NULL;
    AUTO_JSON target = namespace_wanted(s->op->doc, s->c.ns);
    json_t *live = NULL;
    int code = apply_get(a, target, &live, &err);
    if (code < 0 && err_code(err) != ERR_NOT_FOUND) {
        *failure = xasprintf("namespace auto creation failed: %s", err_text(err));
    } else if (code == 0 &&
               !json_is_map(json_at(s->op->doc, "spec", "syncPolicy", "managedNamespaceMetadata"))) {
        json_decref(live);
        return;
    }
    input->namespace_target = TAKE(target);
    input->namespace_live = live;
    input->namespace_error = *failure;
}

/* ---- the plan ---- */

/* The value of "<name>=…" among the options; NULL. */
static char *option_value(const json_t *options, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < json_array_size(options); i++) {
        const char *o = str_or_empty(json_string_value(json_array_get(options, i)));
        if (strncmp(o, name, n) == 0 && o[n] == '=')
            return xstrdup(o + n + 1);
    }
    return NULL;
}

static bool confirmed(const struct operation *op)
{
    wall_t approved, started;
    const char *text = object_annotation(op->doc, ANNOTATION_APPROVED);
    return text && rfc3339_parse(text, &approved) &&
           json_to_time(json_object_get(op->state, "startedAt"), &started) && approved.ns >= started.ns;
}

static void publish_results(struct step *s, struct sync_plan *plan)
{
    json_object_set_new_nocheck(s->result, "resources", json_copy_deep(plan->results));
}

static char *migrated_manager(const struct step *s)
{
    const char *named = object_annotation(s->op->doc, ANNOTATION_MIGRATION_MANAGER);
    if (options_have(s->options, "ClientSideApplyMigration=false"))
        return NULL;
    return xstrdup(str_empty(named) ? "kubectl-client-side-apply" : named);
}

static bool record(struct step *s, struct sync_plan *plan)
{
    AUTO_ERR err = NULL;
    if (atomic_load(&s->op->interrupted))
        return false; /* what was canceled is no result */
    publish_results(s, plan);
    if (operation_persist(s->op, &err) == 0)
        return true;
    log_warn(LOGF(LOG_APP(s->op->app, s->op->doc)), "record the operation: %s", err_text(err));
    s->op->again_ns = SECONDS(1);
    return false;
}

/* Each step's outcome is on record before the next begins; without a record the pass ends and is done again.
 */
static bool run_plan(struct step *s, struct sync_exec *x)
{
    bool terminating = operation_is(s->op, "Terminating");
    for (int i = 0; i < MAX_STEPS; i++) {
        enum sync_step step = terminating ? sync_plan_terminate(x->plan) : sync_plan_next(x->plan);
        if (step == STEP_END)
            return true;
        if (step != STEP_DRY_RUN && step != STEP_FIND && !record(s, x->plan))
            return false;
        if (terminating)
            sync_carry_out_termination(x, step);
        else
            sync_carry_out(x, step);
    }
    return true;
}

static void conclude(struct step *s, struct sync_exec *x)
{
    struct operation *op = s->op;
    struct sync_plan *plan = x->plan;
    bool terminating = operation_is(op, "Terminating");
    sync_explain(plan->results, x->applier.api);
    publish_results(s, plan);
    if (plan->phase == OP_RUNNING && terminating)
        return;
    operation_set(op, op_phase_name(plan->phase), "%s", str_or_empty(plan->message));
    if (plan->wait_for_wave && plan->phase == OP_RUNNING) {
        op->again_ns = op->ctl->options.wave_delay_ns;
        LOCKED(&op->app->lock);
        op->app->wave_until = mono_after(mono_now(), op->again_ns);
    }
}

static void make_input(const struct step *s, struct sync_input *input, struct sync_pair *pairs)
{
    for (size_t i = 0; i < s->c.pairs.n; i++) {
        const struct pair *p = &s->c.pairs.v[i];
        pairs[i] = (struct sync_pair){p->target, p->live, p->modified, p->self_referenced};
    }
    const json_t *strategy = json_object_get(s->sync, "syncStrategy"),
                 *resources = json_object_get(s->sync, "resources");
    wall_t started = {};
    json_to_time(json_object_get(s->op->state, "startedAt"), &started);
    *input = (struct sync_input){
        .pairs = pairs,
        .npairs = s->c.pairs.n,
        .hooks = s->c.hooks.v,
        .nhooks = s->c.hooks.n,
        .resources = json_array_size(resources) ? resources : NULL,
        .skip_hooks = json_is_map(json_object_get(strategy, "apply")) || json_array_size(resources) > 0,
        .ns = str_or_empty(s->c.ns),
        .revision = s->c.renderings.n ? str_or_empty(s->c.renderings.v[0].revision) : "",
        .started_at = started.ns / NS_PER_SEC,
        .prune = json_bool_at(s->sync, "prune"),
        .prune_last = options_have(s->options, "PruneLast=true"),
        .apply_out_of_sync_only = options_have(s->options, "ApplyOutOfSyncOnly=true"),
        .dry_run = json_bool_at(s->sync, "dryRun"),
        .prune_confirmed = confirmed(s->op),
    };
}

/* Fields that the ignore rules name are applied as they are: the live values take the place of the source's.
 */
static int respect_ignored(struct step *s, const struct applier *a, err_t **err)
{
    struct evaluation e;
    evaluation_open(s->op->ctl, &s->in, &e);
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->c.pairs.n; i++) {
        struct pair *p = &s->c.pairs.v[i];
        AUTO_JSON live = NULL;
        if (!p->target || !p->live || object_is_hook(p->target))
            continue;
        /* What is kept of Secrets has no values. */
        if (apply_get(a, p->target, &live, err) < 0) {
            r = err_code(*err) == ERR_NOT_FOUND ? 0 : err_again(err);
            continue;
        }
        json_t *wanted = ignored_respect(p->target, live, &e.options);
        json_decref(p->target);
        p->target = wanted;
    }
    if (r == 0)
        err_clear(err);
    if (r == 0 && e.failure)
        r = err_move(err, TAKE(e.failure));
    evaluation_close(&e);
    return r;
}

static void end_applier(struct sync_exec *x)
{
    kube_api_unref(x->applier.api);
    impersonation_close(x->other);
    free(x->propagation);
    free(x->migrated_manager);
}

static void sync_planned(struct step *s)
{
    struct operation *op = s->op;
    const json_t *strategy = json_object_get(s->sync, "syncStrategy");
    struct sync_input input;
    struct sync_pair *pairs = xcalloc(s->c.pairs.n, sizeof(*pairs));
    make_input(s, &input, pairs);
    AUTO(free_p) char *default_prune = option_value(s->options, "Prune");
    AUTO(free_p) char *mark = xasprintf("%s.%lld", op->id, (long long)json_int_at(op->state, "retryCount"));
    AUTO(free_p) char *failure = NULL;
    input.default_prune = str_or_empty(default_prune);
    input.operation_id = mark;
    struct health_overrides health = evaluation_health(op->ctl->eval, s->settings);
    input.health = &health;
    struct sync_plan plan;
    struct sync_exec x = {
        .op = op,
        .plan = &plan,
        .options = s->options,
        .force = json_bool_at(strategy, "apply", "force") || json_bool_at(strategy, "hook", "force"),
        .dry_run = input.dry_run,
        .prune = input.prune,
        .confirmed = input.prune_confirmed,
        .propagation = xstrdup(sync_propagation(s->options)),
        .default_prune = default_prune,
        .migrated_manager = migrated_manager(s),
        .applier = {s->cluster, cluster_kube(s->cluster), cluster_api(s->cluster), metrics_applied, op->ctl}};
    AUTO_ERR err = NULL;
    int code = impersonation_open(s->settings, s->project, op->doc, s->cluster, true, &x.other, &err);
    if (x.other)
        x.applier.kube = x.other;
    if (code == 0 && options_have(s->options, "RespectIgnoreDifferences=true"))
        code = respect_ignored(s, &x.applier, &err);
    if (code < 0) {
        operation_set(op, "Error", "%s", err_text(err));
        end_applier(&x);
        free(pairs);
        return;
    }
    for (size_t i = 0; i < input.npairs; i++)
        pairs[i].target = s->c.pairs.v[i].target;
    plan_namespace(s, &x.applier, &input, &failure);
    sync_plan_init(&plan, &input, json_copy_deep(json_object_get(s->result, "resources")));
    struct destination d = comparison_destination(&s->c, &s->in);
    if (!operation_is(op, "Terminating"))
        sync_validate(&x, s->project, &d);
    if (run_plan(s, &x))
        conclude(s, &x);
    sync_plan_dispose(&plan);
    json_decref(input.namespace_target);
    json_decref(input.namespace_live);
    end_applier(&x);
    free(pairs);
}

/* ---- history ---- */

static void add_history(struct step *s)
{
    struct operation *op = s->op;
    const json_t *old = json_at(op->doc, "status", "history");
    const json_t *limit_value = json_at(op->doc, "spec", "revisionHistoryLimit");
    int64_t limit = 10, id = 0;
    json_to_i64(limit_value, &limit);
    size_t n = json_array_size(old);
    if (n)
        id = json_int_at(json_array_get(old, n - 1), "id") + 1;
    json_t *entry = json_object();
    json_object_set_new_nocheck(entry, "id", json_integer(id));
    static const char *const fields[] = {"source", "sources", "revisions"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (json_object_get(s->result, fields[i]))
            json_object_set_new_nocheck(entry, fields[i],
                                        json_copy_deep(json_object_get(s->result, fields[i])));
    json_put_str(entry, "revision", json_str_at(s->result, "revision"));
    json_object_set_new_nocheck(entry, "deployedAt", json_time(wall_now()));
    json_object_set_new_nocheck(entry, "deployStartedAt",
                                json_copy_deep(json_object_get(op->state, "startedAt")));
    const json_t *by = json_at(op->state, "operation", "initiatedBy");
    json_object_set_new_nocheck(entry, "initiatedBy", by ? json_copy_deep(by) : json_object());
    op->history = json_array();
    size_t keep = limit > 0 ? (size_t)limit : 0, first = n + 1 > keep ? n + 1 - keep : 0;
    for (size_t i = first; i < n; i++)
        json_array_append_new(op->history, json_copy_deep(json_array_get(old, i)));
    if (keep)
        json_array_append_new(op->history, entry);
    else
        json_decref(entry);
}

static void dispose(struct step *s)
{
    comparison_dispose(&s->c);
    json_decref(s->doc);
    json_decref(s->project);
    json_decref(s->sources);
    json_decref(s->revisions);
    json_decref(s->options);
    cluster_unref(s->cluster);
    settings_unref(s->settings);
}

/* Names the step in the log: a running number and something to tell processes apart by. */
static char *new_sync_id(void)
{
    static atomic_uint last;
    AUTO(free_p)
    char *word = random_text(5, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    return xasprintf("%05u-%s", ++last, word);
}

static void tell(const struct step *s, mono_t began)
{
    const struct operation *op = s->op;
    AUTO(free_p) char *id = new_sync_id();
    char took[DURATION_TEXT];
    duration_format(mono_now().ns - began.ns, took);
    log_info(LOGF(LOG_APP(op->app, op->doc), {"syncId", id}, {"duration", took},
                  {"phase", str_or_empty(json_str_at(op->state, "phase"))}),
             "sync/terminate complete");
}

void sync_step(struct operation *op)
{
    struct step s = {.op = op, .sync = json_at(op->state, "operation", "sync")};
    mono_t began = mono_now();
    if (!json_is_map(s.sync)) {
        operation_set(op, "Error", "Invalid operation request: no operation specified");
        return;
    }
    take_result(&s);
    if (prepare(&s) && compare(&s)) {
        const json_t *metadata = json_at(op->doc, "spec", "syncPolicy", "managedNamespaceMetadata");
        if (json_is_map(metadata))
            json_object_set_new_nocheck(s.result, "managedNamespaceMetadata", json_copy_deep(metadata));
        sync_planned(&s);
        bool partial = json_array_size(json_object_get(s.sync, "resources")) > 0;
        if (operation_is(op, "Succeeded") && !partial && !json_bool_at(s.sync, "dryRun"))
            add_history(&s);
    }
    tell(&s, began);
    dispose(&s);
}
