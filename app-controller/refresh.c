/* Design. A refresh decides how deep it has to go (its level), checks the application, renders, pairs,
 * compares, and writes what changed. Levels: 0 only the tree; 1 live objects against the rendering at hand; 2
 * the target revision is resolved; 3 as 2, without cached revisions. When nothing that a comparison depends
 * on has changed (the fingerprint), nothing is parsed and nothing is written. */
#include "app-controller/refresh.h"
#include "app-controller/deletion.h"
#include "app-controller/autosync.h"
#include "app-controller/metrics.h"
#include "app-controller/operation.h"
#include "app-controller/publish.h"
#include "app-controller/reasons.h"
#include "app-controller/status.h"
#include "app-controller/status_parts.h"
#include "common/argo/app.h"
#include "common/argo/project.h"
#include "common/argo/windows.h"
#include "common/base/hash.h"
#include "common/base/intern.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/slab.h"
#include "common/json/patch.h"
#include "common/kinds/kinds.h"

enum { LEVEL_NONE = -1, LEVEL_TREE, LEVEL_LIVE, LEVEL_TARGET, LEVEL_RESOLVE };

/* Unreachable endpoints are tried again after this, at most. */
static const int64_t PROBE_NS = SECONDS(10);

struct refresh {
    struct controller *ctl;
    struct app *app;
    json_t *doc; /* as it was when the refresh began, then as our writes left it */
    int level;
    bool hard, requested; /* requested: by the annotation */
    struct refresh_request request;
    bool operated; /* an operation ended */
    char *why;
    json_t *project;
    cluster_t *cluster;
    settings_t *settings;
    json_t *sources;
    mono_t started, marked;
    /* How long its parts took, for the log; the first two are how long was spent on writing. */
    struct log_number times[16];
    size_t ntimes;
};

enum { PATCH_TIME, SETOP_TIME, TIMES_OF_WRITING };

static int64_t ms_since(mono_t t)
{
    return (mono_now().ns - t.ns) / NS_PER_MS;
}

/* A part has ended. */
static void mark(struct refresh *r, const char *part)
{
    if (r->ntimes < ARRAY_LEN(r->times) - 1)
        r->times[r->ntimes++] = (struct log_number){part, ms_since(r->marked)};
    r->marked = mono_now();
}

/* ---- what is to be done ---- */

static void set_level(struct refresh *r, int level, const char *why)
{
    if (level <= r->level)
        return;
    r->level = level;
    free(r->why);
    r->why = xstrdup(why);
}

static bool compared_to_other_sources(const json_t *doc)
{
    const json_t *to = json_at(doc, "status", "sync", "comparedTo");
    if (!json_is_map(to))
        return true;
    if (app_multi_source(doc))
        return !sources_same(json_at(doc, "spec", "sources"), json_object_get(to, "sources"));
    AUTO_JSON source = app_single_source(doc);
    return !sources_same(source, json_object_get(to, "source"));
}

static bool is_due(mono_t last, int64_t period)
{
    return period > 0 && (last.ns == 0 || mono_left(mono_after(last, period)) == 0);
}

static uint64_t finalizers_hash(const json_t *doc)
{
    const json_t *list = json_at(doc, "metadata", "finalizers");
    return (json_array_size(list) ? json_hash(list, 5) : 5) | 1;
}

/* Those of the deletion hooks are put back without anybody asking for a refresh: who deletes the application
 * asks for none either. */
static bool others_changed_finalizers(struct refresh *r)
{
    uint64_t now = finalizers_hash(r->doc);
    LOCKED(&r->app->lock);
    return r->app->finalizers && r->app->finalizers != now;
}

static void decide(struct refresh *r, uint64_t bits)
{
    const json_t *doc = r->doc, *to = json_at(doc, "status", "sync", "comparedTo");
    const char *annotation = object_annotation(doc, ANNOTATION_REFRESH);
    mono_t refreshed, hard_refreshed;
    AUTO(free_p) char *woken_by = NULL;
    {
        LOCKED(&r->app->lock);
        refreshed = r->app->refreshed_at;
        hard_refreshed = r->app->hard_refreshed_at;
        if (bits & REFRESH_LIVE)
            woken_by = TAKE(r->app->woken_by);
    }
    r->level = LEVEL_NONE;
    r->operated = bits & REFRESH_OPERATED;
    if (annotation) {
        r->requested = true;
        refresh_request_read(&r->request, doc);
        r->hard = strcmp(annotation, "hard") == 0;
        set_level(r, LEVEL_RESOLVE, "refresh was requested");
        return;
    }
    if (bits & REFRESH_RESOLVE)
        set_level(r, LEVEL_RESOLVE, "an operation ended");
    else if (compared_to_other_sources(doc))
        set_level(r, LEVEL_RESOLVE,
                  json_is_map(to) ? "spec.source differs from what was compared" : "it was never compared");
    else if (is_due(hard_refreshed, r->ctl->options.hard_resync_ns) && hard_refreshed.ns)
        set_level(r, LEVEL_TARGET, "the hard refresh period has passed"), r->hard = true;
    else if (refreshed.ns == 0)
        set_level(r, LEVEL_TARGET, "it was not compared yet by this process");
    else if ((bits & REFRESH_TIMER) && is_due(refreshed, r->ctl->options.resync_ns))
        set_level(r, LEVEL_TARGET, "the refresh period has passed");
    else if (!destinations_same(json_at(doc, "spec", "destination"), json_object_get(to, "destination")))
        set_level(r, LEVEL_TARGET, "spec.destination differs from what was compared");
    else if (!sources_same(json_at(doc, "spec", "ignoreDifferences"),
                           json_object_get(to, "ignoreDifferences")))
        set_level(r, LEVEL_TARGET, "spec.ignoreDifferences differs from what was compared");
    else if (bits & REFRESH_TARGET)
        set_level(r, LEVEL_TARGET, "controller refresh requested");
    else if (bits & REFRESH_LIVE)
        set_level(r, LEVEL_LIVE, woken_by ? woken_by : "a managed object changed");
    else if (others_changed_finalizers(r))
        set_level(r, LEVEL_LIVE, "the finalizers are not as they were left");
    else if (str_eq(json_str_at(doc, "status", "sync", "status"), "Synced") &&
             comparison_metadata_changed(doc))
        set_level(r, LEVEL_LIVE, "the metadata of the namespace is to change");
    else if (bits & REFRESH_TREE)
        set_level(r, LEVEL_TREE, "an object of the tree changed");
}

/* The condition about orphans, from the tree. */
static void put_orphans(struct refresh *r, json_t *status, const json_t *tree)
{
    static const char *const types[] = {"OrphanedResourceWarning", NULL};
    AUTO_JSON conditions = json_array();
    size_t n = json_array_size(json_object_get(tree, "orphanedNodes"));
    if (n && project_warns_of_orphans(r->project)) {
        AUTO(free_p) char *message = xasprintf("Application has %zu orphaned resources", n);
        condition_add(conditions, types[0], message);
    }
    json_t *all = conditions_set(json_object_get(status, "conditions"), types, conditions, wall_now());
    json_object_set_new_nocheck(status, "conditions", all);
    if (!json_array_size(all))
        json_object_del(status, "conditions");
    LOCKED(&r->app->lock);
    r->app->norphans = n;
}

/* ---- the application's memory of the comparison ---- */

/* The last reference to a cluster waits for the I/O thread, which may be waiting for the app's lock. */
static void set_cluster(struct refresh *r)
{
    cluster_t *old;
    {
        LOCKED(&r->app->lock);
        old = r->app->cluster;
        r->app->cluster = r->cluster ? cluster_ref(r->cluster) : NULL;
    }
    cluster_unref(old);
}

static void keep_findings(struct refresh *r, const struct comparison *c)
{
    struct app *app = r->app;
    set_cluster(r);
    struct found_resource *list = slab_alloc(c->pairs.n * sizeof(*list));
    for (size_t i = 0; i < c->pairs.n; i++) {
        const struct pair *p = &c->pairs.v[i];
        const json_t *o = p->target ? p->target : p->live;
        AUTO(free_p) char *group = object_group(o);
        AUTO(free_p) char *version = object_version(o);
        list[i] = (struct found_resource){
            .root = {.key = {intern(group), intern(object_kind(o)), intern(object_namespace(o)),
                             intern(object_name(o))},
                     .version = intern(version)},
            .hook = p->hook,
            .requires_pruning = p->requires_pruning,
            .requires_confirmation = p->requires_confirmation,
            .self_referenced = p->self_referenced,
            .modified = p->modified,
            .wave = p->wave,
            .health = p->health.status,
            .health_message = xstrdup(p->health.message),
            .where = xstrdup(p->where),
            .verdict = p->verdict,
        };
    }
    LOCKED(&app->lock);
    app_set_resources(app, list, c->pairs.n);
    if (!c->render_failed) {
        struct rendering *kept = slab_alloc(c->renderings.n * sizeof(*kept));
        for (size_t i = 0; i < c->renderings.n; i++)
            kept[i] = rendering_copy(&c->renderings.v[i]);
        app_set_renderings(app, kept, c->renderings.n);
    }
    intern_unref(app->project);
    app->project = intern(app_project(r->doc));
}

/* What a comparison says in the status: somebody else may have written there. */
static uint64_t said_hash(const json_t *doc)
{
    static const char *const fields[] = {"sync",        "health",     "resources",
                                         "sourceTypes", "sourceType", "controllerNamespace"};
    const json_t *status = json_object_get(doc, "status");
    uint64_t h = 1;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        h = json_hash(json_object_get(status, fields[i]), h);
    return h | 1;
}

/* Everything that the outcome of a comparison depends on. */
static uint64_t fingerprint(struct refresh *r, const struct rendering *renderings, size_t n)
{
    uint64_t h = json_hash(json_at(r->doc, "spec"), settings_epoch(r->settings));
    h = json_hash(json_at(r->project, "spec"), h);
    const json_t *metadata = json_at(r->doc, "status", "operationState", "syncResult",
                                     "managedNamespaceMetadata");
    if (metadata)
        h = json_hash(metadata, h);
    const char *compare = str_or_empty(object_annotation(r->doc, ANNOTATION_COMPARE));
    h = hash_content(compare, strlen(compare), h);
    for (size_t i = 0; i < n; i++) {
        h = hash_content(str_or_empty(renderings[i].key), strlen(str_or_empty(renderings[i].key)), h);
        h = hash_content(str_or_empty(renderings[i].revision), strlen(str_or_empty(renderings[i].revision)),
                         h);
    }
    VEC(struct obj_key) keys = {};
    uint64_t cached;
    {
        LOCKED(&r->app->lock);
        for (size_t i = 0; i < r->app->nresources; i++)
            VEC_PUSH(&keys, r->app->resources[i].root.key);
        cached = cache_fingerprint(cluster_cache(r->cluster), r->app->instance, keys.v, keys.n);
    }
    VEC_FREE(&keys);
    return hash_content(&cached, sizeof(cached), h) | 1;
}

/* ---- the steps ---- */

static void journal(struct refresh *r, const char *decision, const char *verdict, json_t *reasons_take)
{
    LOCKED(&r->app->lock);
    journal_add(&r->app->journal, decision, verdict, reasons_take);
}

static const char *const check_types[] = {"InvalidSpecError", "UnknownError", NULL};
static const char *const compare_types[] = {"InvalidSpecError",
                                            "UnknownError",
                                            "ComparisonError",
                                            "SharedResourceWarning",
                                            "RepeatedResourceWarning",
                                            "ExcludedResourceWarning",
                                            NULL};

static void write_status(struct refresh *r, const json_t *status)
{
    AUTO_ERR err = NULL;
    mono_t began = mono_now();
    int code = status_write(r->ctl, r->app, &r->doc, status, &r->request, &err);
    r->times[PATCH_TIME].value += ms_since(began);
    if (code < 0) {
        log_warn(LOGF(LOG_APP(r->app, r->doc)), "%s", err_text(err));
        if (err_code(err) != ERR_NOT_FOUND)
            workq_add_after(r->ctl->refresh, r->app->key, REFRESH_LIVE, SECONDS(2));
    }
    if (!r->requested)
        return;
    err_clear(&err);
    if (refresh_annotation_remove(r->ctl, r->app, &r->request, &r->doc, &err) < 0) {
        log_warn(LOGF(LOG_APP(r->app, r->doc)), "remove the refresh annotation: %s", err_text(err));
        workq_add_after(r->ctl->refresh, r->app->key, REFRESH_CHECK, SECONDS(1));
    }
}

static void mark_refreshed(struct refresh *r)
{
    LOCKED(&r->app->lock);
    if (r->level >= LEVEL_TARGET)
        r->app->refreshed_at = mono_now();
    if (r->hard || r->app->hard_refreshed_at.ns == 0)
        r->app->hard_refreshed_at = mono_now();
}

/* The specification or the project forbid looking further. */
static void refuse(struct refresh *r, const json_t *conditions)
{
    json_t *reasons = json_array();
    for (size_t i = 0; i < json_array_size(conditions); i++)
        reason_add(reasons, "%s", json_str_at(json_array_get(conditions, i), "message"));
    journal(r, "check", "refused", reasons);
    AUTO_JSON status = json_copy_deep(json_at(r->doc, "status"));
    if (!status)
        status = json_object();
    json_object_set_new_nocheck(
        status, "conditions",
        conditions_set(json_object_get(status, "conditions"), check_types, conditions, wall_now()));
    json_put_at(status, json_str_new("Unknown"), "sync", "status");
    status_put_health(r->ctl, status, HEALTH_UNKNOWN, NULL);
    write_status(r, status);
    unpublish(r->ctl, r->app);
    set_cluster(r); /* one that is no longer its destination, or no longer there, is let go of */
    LOCKED(&r->app->lock);
    r->app->fingerprint = 0;
    app_set_resources(r->app, NULL, 0);
}

/* A failure to render is told after a while only, and at once when somebody asked: a short outage of Git is
 * no news. */
static bool swallow_failure(struct refresh *r, const struct comparison *c)
{
    LOCKED(&r->app->lock);
    if (!c->render_failed) {
        r->app->repo_error_since = (mono_t){0};
        return false;
    }
    mono_t now = mono_now();
    if (r->app->repo_error_since.ns == 0)
        r->app->repo_error_since = now;
    return r->level < LEVEL_RESOLVE &&
           now.ns - r->app->repo_error_since.ns <= r->ctl->options.repo_error_grace_ns;
}

static void tree_only(struct refresh *r)
{
    AUTO_JSON tree = tree_of(r->ctl, r->app, true);
    publish(r->ctl, r->app, tree, NULL, NULL);
    AUTO_JSON status = json_copy_deep(json_at(r->doc, "status"));
    if (!status)
        return;
    json_object_set_new_nocheck(status, "summary", status_summary(r->doc, tree));
    put_orphans(r, status, tree);
    write_status(r, status);
}

/* Whether a sync window of the project stands in the way of automation; it is looked at again when that may
 * change. */
static bool window_forbids(struct refresh *r)
{
    AUTO_ERR err = NULL;
    AUTO_JSON windows = windows_matching(r->project, r->doc);
    struct window_question q = {.now = wall_now()};
    struct window_answer a;
    json_t *reasons = json_array();
    if (windows_ask(windows, &q, &a, &err) < 0)
        reason_add(reasons, "%s", err_text(err));
    if (a.can_sync) {
        json_decref(reasons);
        return false;
    }
    if (!err)
        reason_add(reasons, "a sync window of project %s forbids it", app_project(r->doc));
    if (a.next_change.ns)
        workq_add_after(r->ctl->refresh, r->app->key, REFRESH_TARGET,
                        a.next_change.ns - q.now.ns + MILLIS(1));
    log_info(LOGF(LOG_APP(r->app, r->doc)), "Sync prevented by sync window");
    journal(r, "auto-sync", "no", reasons);
    return true;
}

static void run_autosync(struct refresh *r, json_t *status)
{
    if (app_auto_sync(r->doc) && window_forbids(r))
        return;
    static const char *const types[] = {"SyncError", NULL};
    const struct controller_options *o = &r->ctl->options;
    struct autosync_options options = {.heal_timeout_ns = o->self_heal_timeout_ns,
                                       .backoff_ns = o->heal_backoff_ns,
                                       .backoff_factor = o->heal_backoff_factor,
                                       .backoff_cap_ns = o->heal_backoff_cap_ns};
    AUTO_JSON doc = json_copy(r->doc);
    json_object_set_nocheck(doc, "status", status);
    struct autosync_decision d;
    /* Only where the paths that matter are told can a revision be new without changing anything. */
    bool may_have_changed = r->level >= LEVEL_TARGET || !object_annotation(doc, ANNOTATION_GENERATE_PATHS);
    autosync_decide(doc, may_have_changed, &options, wall_now(), &d);
    if (d.skipped)
        log_write(d.verdict == AUTOSYNC_REFUSED ? LOG_WARN : LOG_INFO, LOGF(LOG_APP(r->app, doc)),
                  "Skipping auto-sync: %s", d.skipped);
    AUTO_JSON conditions = json_array();
    AUTO_ERR err = NULL;
    mono_t began = mono_now();
    if (d.verdict == AUTOSYNC_GO && operation_request(r->ctl, r->app, d.operation, &r->doc, &err) < 0 &&
        err_code(err) != ERR_FAILED_PRECONDITION) {
        log_warn(LOGF(LOG_APP(r->app, doc)), "Failed to initiate auto-sync: %s", err_text(err));
        d.verdict = AUTOSYNC_REFUSED;
        d.condition = xstrdup(err_text(err));
    }
    r->times[SETOP_TIME].value += ms_since(began);
    if (d.verdict == AUTOSYNC_GO && !err) {
        /* The request cleared the state of the last operation. */
        json_object_del(status, "operationState");
        AUTO_JSON revisions = revisions_of(json_object_get(d.operation, "sync"));
        AUTO(free_p) char *text = revisions_joined(revisions);
        AUTO(free_p) char *message = xasprintf("Initiated automated sync to '%s'", text);
        application_event(r->ctl, r->doc, "Normal", "OperationStarted", message);
        workq_add(r->ctl->operations, r->app->key, OPERATE);
    }
    if (d.verdict == AUTOSYNC_LATER)
        workq_add_after(r->ctl->refresh, r->app->key, REFRESH_TARGET, d.wait_ns);
    if (d.condition)
        condition_add(conditions, "SyncError", d.condition);
    json_object_set_new_nocheck(
        status, "conditions",
        conditions_set(json_object_get(status, "conditions"), types, conditions, wall_now()));
    static const char *const verdicts[] = {"no", "later", "refused", "started"};
    json_t *reasons = json_array();
    reason_add(reasons, "%s", str_or_empty(d.reason));
    journal(r, "auto-sync", verdicts[d.verdict], reasons);
    autosync_dispose(&d);
}

static json_t *build_status(struct refresh *r, const struct comparison *c, const json_t *tree)
{
    json_t *status = json_copy_deep(json_at(r->doc, "status"));
    if (!status)
        status = json_object();
    const json_t *old_conditions = json_object_get(status, "conditions");
    json_object_set_new_nocheck(status, "conditions",
                                conditions_set(old_conditions, compare_types, c->conditions, wall_now()));
    status_put_sync(status, r->doc, c);
    status_put_health(r->ctl, status, c->health.status, c->health.message);
    status_put_source_types(status, r->doc, c);
    json_t *resources = json_array();
    for (size_t i = 0; i < c->pairs.n; i++)
        json_array_append_new(resources, status_of_resource(r->ctl, &c->pairs.v[i]));
    json_object_del(status, "resources");
    if (json_array_size(resources))
        json_object_set_nocheck(status, "resources", resources);
    json_decref(resources);
    json_object_set_new_nocheck(status, "summary", status_summary(r->doc, tree));
    json_set_str(status, "controllerNamespace", r->ctl->options.ns);
    if (r->ctl->options.persist_health)
        json_object_del(status, "resourceHealthSource");
    else
        json_set_str(status, "resourceHealthSource", "appTree");
    return status;
}

/* Clients wait for a comparison that is later than the end of an operation. The request for it may have been
 * lost: to a cluster that was not ready, a repository that did not answer, the end of the process. */
static bool owes_comparison(const struct refresh *r)
{
    wall_t finished, compared;
    const json_t *state = json_at(r->doc, "status", "operationState");
    return r->operated ||
           (operation_completed(json_str_at(state, "phase")) &&
            json_to_time(json_object_get(state, "finishedAt"), &finished) &&
            json_to_time(json_at(r->doc, "status", "reconciledAt"), &compared) && compared.ns < finished.ns);
}

/* reconciledAt goes with other changes, when somebody asked, and after an operation; a timer alone writes
 * nothing. */
static void stamp(struct refresh *r, json_t *status)
{
    if (!json_array_size(json_object_get(status, "conditions")))
        json_object_del(status, "conditions");
    AUTO_JSON change = status_patch(json_at(r->doc, "status"), status);
    bool first = !json_object_get(status, "reconciledAt");
    if (first || r->requested || owes_comparison(r) || (change && r->level >= LEVEL_TARGET))
        json_object_set_new_nocheck(status, "reconciledAt", json_time(wall_now()));
}

/* Before the status: who sees an application synced may delete it, and its hooks are to run then. Who changes
 * the finalizers meanwhile makes this a conflict, which is gone through again: nothing is settled until then.
 */
static void expect_hooks(struct refresh *r, const struct comparison *c)
{
    AUTO_ERR err = NULL;
    if (c->failed || app_deleting(r->doc))
        return;
    int code = deletion_expect_hooks(r->ctl, r->app, &r->doc, c->deletion_hooks, &err);
    uint64_t settled = code == 0 ? finalizers_hash(r->doc) : 0;
    {
        LOCKED(&r->app->lock);
        r->app->finalizers = settled;
    }
    if (code == 0 || err_code(err) == ERR_NOT_FOUND)
        return;
    if (err_code(err) != ERR_ABORTED)
        log_warn(LOGF(LOG_APP(r->app, r->doc)), "finalizers of deletion hooks: %s", err_text(err));
    workq_add_after(r->ctl->refresh, r->app->key, REFRESH_LIVE,
                    MILLIS(err_code(err) == ERR_ABORTED ? 50 : 2000));
}

static void conclude(struct refresh *r, struct compare_input *in, struct comparison *c, uint64_t print)
{
    AUTO(free_p) char *verdict = xasprintf("%s, %s", c->sync_status, health_name(c->health.status));
    journal(r, "compare", verdict, reasons_of_comparison(c));
    keep_findings(r, c);
    AUTO_JSON tree = tree_of(r->ctl, r->app, true);
    publish(r->ctl, r->app, tree, in, c);
    mark(r, "set_app_managed_resources_ms");
    expect_hooks(r, c);
    mark(r, "process_finalizers_ms");
    AUTO_JSON status = build_status(r, c, tree);
    put_orphans(r, status, tree);
    mark(r, "app_status_update_ms");
    run_autosync(r, status);
    mark(r, "auto_sync_ms");
    stamp(r, status);
    write_status(r, status);
    mark(r, "persist_app_status_ms");
    bool asks = false;
    VEC_FOREACH(&c->pairs, p)
        asks = asks || p->asks_server;
    uint64_t said = said_hash(r->doc);
    LOCKED(&r->app->lock);
    r->app->fingerprint = c->failed ? 0 : print;
    r->app->said = said;
    r->app->asks_server = asks;
}

/* Renderings at hand serve a comparison with the revision last compared. */
static bool use_kept_renderings(struct refresh *r, struct comparison *c)
{
    LOCKED(&r->app->lock);
    if (r->level >= LEVEL_TARGET || r->app->nrenderings != json_array_size(r->sources) ||
        !r->app->nrenderings)
        return false;
    for (size_t i = 0; i < r->app->nrenderings; i++)
        if (!r->app->renderings[i].manifests || r->app->renderings[i].given)
            return false;
    for (size_t i = 0; i < r->app->nrenderings; i++)
        VEC_PUSH(&c->renderings, rendering_copy(&r->app->renderings[i]));
    return true;
}

static void warn(struct refresh *r, const struct comparison *c)
{
    for (size_t i = 0; i < c->renderings.n; i++) {
        const json_t *w = c->renderings.v[i].warnings;
        for (size_t k = 0; k < json_array_size(w); k++)
            log_warn(LOGF(LOG_APP(r->app, r->doc)), "%s", json_string_value(json_array_get(w, k)));
    }
}

static bool is_as_before(struct refresh *r, uint64_t print)
{
    LOCKED(&r->app->lock);
    return print && print == r->app->fingerprint && !r->hard &&
           r->app->finalizers == finalizers_hash(r->doc) &&
           (!r->requested || (!r->app->asks_server && r->app->said == said_hash(r->doc)));
}

static void leave_as_before(struct refresh *r)
{
    journal(r, "compare", "as before: nothing that it depends on has changed", NULL);
    AUTO_JSON status = json_copy(json_at(r->doc, "status"));
    AUTO_JSON tree = tree_of(r->ctl, r->app, true);
    publish(r->ctl, r->app, tree, NULL, NULL);
    put_orphans(r, status, tree);
    run_autosync(r, status);
    if (r->requested || owes_comparison(r))
        stamp(r, status);
    write_status(r, status);
}

static void compare(struct refresh *r)
{
    AUTO_JSON doc = json_incref(r->doc); /* every write puts another in its place */
    struct compare_input in = {
        .doc = doc,
        .project = r->project,
        .cluster = r->cluster,
        .settings = r->settings,
        .sources = r->sources,
        .manifests = given_manifests(json_at(r->doc, "status", "operationState", "operation", "sync")),
        .no_cache = r->hard,
        .try_anew = r->requested,
        .no_revision_cache = r->level >= LEVEL_RESOLVE,
        .canceled = &r->ctl->stopping};
    struct comparison c = {
        .ns = xstrdup(str_or_empty(json_str_at(r->doc, "spec", "destination", "namespace")))};
    const json_t *to = json_at(r->doc, "spec", "destination");
    log_info(LOGF(LOG_APP(r->app, r->doc)), "Comparing app state (cluster: %s, namespace: %s)",
             str_or_empty(json_str_at(to, "server")), str_or_empty(json_str_at(to, "namespace")));
    bool kept = !in.manifests && use_kept_renderings(r, &c);
    if (!kept)
        comparison_render(r->ctl, r->app, &in, &c);
    mark(r, "git_ms");
    const char *outcome;
    json_t *reasons = reasons_of_renderings(&c, r->sources, kept, &outcome);
    journal(r, "render", outcome, reasons);
    if (c.render_failed)
        workq_add_after(r->ctl->refresh, r->app->key, REFRESH_TARGET, PROBE_NS);
    if (swallow_failure(r, &c)) {
        reasons = json_array();
        reason_add(reasons, "%s", c.failure);
        journal(r, "compare", "put off: manifests could not be generated", reasons);
        log_warn(LOGF(LOG_APP(r->app, r->doc), {"error", c.failure}),
                 "Ignoring temporary failed attempt to compare app state against repo");
        comparison_dispose(&c);
        return;
    }
    uint64_t print = c.render_failed ? 0 : fingerprint(r, c.renderings.v, c.renderings.n);
    if (is_as_before(r, print)) {
        leave_as_before(r);
    } else {
        if (!kept)
            warn(r, &c);
        comparison_pair(r->ctl, r->app, &in, &c);
        mark(r, "live_ms");
        comparison_judge(r->ctl, r->app, &in, &c);
        mark(r, "diff_ms");
        conclude(r, &in, &c, print);
    }
    comparison_dispose(&c);
}

/* The cluster's objects are not known yet: wait for them without a verdict; when it cannot be reached, say
 * so. */
static bool cluster_is_ready(struct refresh *r)
{
    AUTO_ERR err = NULL;
    if (cluster_ready(r->cluster, mono_now(), &err) == 0)
        return true;
    AUTO_JSON info = cluster_info(r->cluster);
    if (!str_eq(json_str_at(info, "connectionState", "status"), "Failed"))
        return false; /* told by on_state when it is ready */
    static const char *const types[] = {"ComparisonError", "InvalidSpecError", "UnknownError", NULL};
    AUTO_JSON conditions = json_array();
    AUTO(free_p) char *message = xasprintf("Failed to load live state: %s", err_text(err));
    condition_add(conditions, "ComparisonError", message);
    AUTO_JSON status = json_copy_deep(json_at(r->doc, "status"));
    if (!status)
        status = json_object();
    json_object_set_new_nocheck(
        status, "conditions",
        conditions_set(json_object_get(status, "conditions"), types, conditions, wall_now()));
    json_put_at(status, json_str_new("Unknown"), "sync", "status");
    if (!json_at(status, "sync", "comparedTo"))
        json_put_at(status, status_compared_to(r->doc), "sync", "comparedTo");
    status_put_health(r->ctl, status, HEALTH_UNKNOWN, NULL);
    json_t *reasons = json_array();
    reason_add(reasons, "%s", err_text(err));
    journal(r, "compare", "Unknown", reasons);
    write_status(r, status);
    return false;
}

static void normalize_spec(struct refresh *r)
{
    AUTO_JSON copy = json_copy(r->doc);
    json_object_set_new_nocheck(copy, "spec", json_copy_deep(json_at(r->doc, "spec")));
    if (!app_normalize_spec(copy))
        return;
    AUTO_ERR err = NULL;
    AUTO_JSON change = json_object();
    json_object_set_new_nocheck(change, "spec",
                                json_merge_diff(json_at(r->doc, "spec"), json_at(copy, "spec")));
    if (application_patch(r->ctl, r->app, change, NULL, &r->doc, &err) < 0)
        log_warn(LOGF(LOG_APP(r->app, r->doc)), "normalise spec: %s", err_text(err));
}

static void run(struct refresh *r)
{
    AUTO_JSON conditions = json_array();
    if (application_check(r->ctl, r->app, r->doc, &r->project, &r->cluster, conditions) < 0) {
        refuse(r, conditions);
        mark_refreshed(r);
        mark(r, "process_refresh_app_conditions_errors_ms");
        return;
    }
    mark(r, "refresh_app_conditions_ms");
    if (!cluster_is_ready(r))
        return;
    bool has_findings;
    {
        LOCKED(&r->app->lock);
        has_findings = r->app->nresources > 0;
    }
    if (r->level == LEVEL_TREE && has_findings) {
        tree_only(r);
        mark(r, "comparison_with_nothing_ms");
        return;
    }
    if (r->level == LEVEL_TREE)
        r->level = LEVEL_TARGET;
    if (r->level >= LEVEL_TARGET)
        normalize_spec(r);
    mark(r, "normalize_application_ms");
    r->sources = app_sources(r->doc);
    compare(r);
    mark_refreshed(r);
}

/* Whether what the refresh has left asks for nothing more: the event that tells of our own write need not be
 * looked into. */
static void settle(struct refresh *r)
{
    struct refresh after = {.ctl = r->ctl, .app = r->app, .doc = r->doc};
    decide(&after, REFRESH_CHECK);
    free(after.why);
    refresh_request_dispose(&after.request);
    LOCKED(&r->app->lock);
    r->app->settled = after.level == LEVEL_NONE && str_same(r->app->rv, object_resource_version(r->doc));
}

/* The refresh has ended. */
static void tell_end(struct refresh *r)
{
    AUTO(free_p) char *level = xasprintf("%d", r->level);
    const json_t *to = json_at(r->doc, "spec", "destination");
    r->times[r->ntimes++] = (struct log_number){"time_ms", ms_since(r->started)};
    log_write_numbers(LOG_INFO,
                      LOGF(LOG_APP(r->app, r->doc), {"comparison-level", level},
                           {"dest-server", str_or_empty(json_str_at(to, "server"))},
                           {"dest-name", str_or_empty(json_str_at(to, "name"))},
                           {"dest-namespace", str_or_empty(json_str_at(to, "namespace"))}),
                      r->times, r->ntimes, "Reconciliation completed");
}

static void schedule_next(struct controller *ctl, const char *key)
{
    if (ctl->options.resync_ns > 0)
        workq_add_jittered(ctl->refresh, key, REFRESH_TIMER, ctl->options.resync_ns,
                           ctl->options.resync_jitter_ns);
}

void refresh_run(void *ctx, const char *key, uint64_t bits)
{
    struct controller *ctl = ctx;
    struct app *app = apps_get(ctl->apps, key);
    if (!app || ctl->stopping || !ownership_begin(ctl, app)) {
        app_unref(ctl->apps, app);
        return;
    }
    struct refresh r = {.ctl = ctl,
                        .app = app,
                        .doc = app_doc(app),
                        .started = mono_now(),
                        .marked = mono_now(),
                        .times = {{"patch_ms", 0}, {"setop_ms", 0}},
                        .ntimes = TIMES_OF_WRITING};
    if (r.doc) {
        decide(&r, bits);
        if (r.level != LEVEL_NONE && !(app_deleting(r.doc) && r.level < LEVEL_LIVE)) {
            static const char *const names[] = {"tree", "live", "target", "resolve"};
            log_info(LOGF(LOG_APP(app, r.doc)), "Refreshing app status (%s), level (%d)", str_or_empty(r.why),
                     r.level);
            r.settings = world_settings(ctl->world);
            json_t *reasons = json_array();
            reason_add(reasons, "%s", str_or_empty(r.why));
            if (r.level > LEVEL_TREE)
                journal(&r, "refresh", names[r.level], reasons);
            else
                json_decref(reasons);
            run(&r);
            settle(&r);
            metrics_reconciled(ctl, r.doc, r.started);
            tell_end(&r);
        }
        if (bits & (REFRESH_TIMER | REFRESH_CHECK))
            schedule_next(ctl, key);
    }
    free(r.why);
    refresh_request_dispose(&r.request);
    json_decref(r.doc);
    json_decref(r.project);
    json_decref(r.sources);
    cluster_unref(r.cluster);
    settings_unref(r.settings);
    app_rest(app);
    ownership_end(ctl, app);
}
