/* Design. A refresh decides how deep it has to go (its level), checks the application, renders, pairs,
 * compares, and writes what changed. Levels: 0 only the tree; 1 live objects against the rendering at hand; 2
 * the target revision is resolved; 3 as 2, without cached revisions. When nothing that a comparison depends
 * on has changed (the fingerprint), nothing is parsed and nothing is written. */
#include "app-controller/refresh_internal.h"
#include "app-controller/deletion.h"
#include "app-controller/metrics.h"
#include "app-controller/operation.h"
#include "app-controller/publish.h"
#include "app-controller/reasons.h"
#include "app-controller/status_parts.h"
#include "common/argo/app.h"
#include "common/argo/project.h"
#include "common/json/patch.h"

/* Unreachable endpoints are tried again after this, at most. */
static const int64_t PROBE_NS = SECONDS(10);

int64_t refresh_ms_since(mono_t t)
{
    return (mono_now().ns - t.ns) / NS_PER_MS;
}

/* A part has ended. */
static void mark(struct refresh *r, const char *part)
{
    if (r->ntimes < ARRAY_LEN(r->times) - 1)
        r->times[r->ntimes++] = (struct log_number){part, refresh_ms_since(r->marked)};
    r->marked = mono_now();
}

void refresh_journal(struct refresh *r, const char *decision, const char *verdict, json_t *reasons_take)
{
    LOCKED(&r->app->lock);
    journal_add(&r->app->journal, decision, verdict, reasons_take);
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
    r->unwritten = code != 0;
    r->times[PATCH_TIME].value += refresh_ms_since(began);
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
    refresh_journal(r, "check", "refused", reasons);
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
    refresh_set_cluster(r); /* one that is no longer its destination, or no longer there, is let go of */
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
    uint64_t settled = code == 0 ? refresh_finalizers_hash(r->doc) : 0;
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
    refresh_journal(r, "compare", verdict, reasons_of_comparison(c));
    refresh_keep_findings(r, c);
    AUTO_JSON tree = tree_of(r->ctl, r->app, true);
    publish(r->ctl, r->app, tree, in, c);
    mark(r, "set_app_managed_resources_ms");
    expect_hooks(r, c);
    mark(r, "process_finalizers_ms");
    AUTO_JSON status = build_status(r, c, tree);
    put_orphans(r, status, tree);
    mark(r, "app_status_update_ms");
    refresh_autosync(r, status);
    mark(r, "auto_sync_ms");
    stamp(r, status);
    write_status(r, status);
    mark(r, "persist_app_status_ms");
    bool asks = false;
    VEC_FOREACH(&c->pairs, p)
        asks = asks || p->asks_server;
    uint64_t said = refresh_said_hash(r->doc);
    LOCKED(&r->app->lock);
    r->app->fingerprint = c->failed || r->unwritten ? 0 : print;
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
           r->app->finalizers == refresh_finalizers_hash(r->doc) &&
           (!r->requested || (!r->app->asks_server && r->app->said == refresh_said_hash(r->doc)));
}

static void leave_as_before(struct refresh *r)
{
    refresh_journal(r, "compare", "as before: nothing that it depends on has changed", NULL);
    AUTO_JSON status = json_copy(json_at(r->doc, "status"));
    AUTO_JSON tree = tree_of(r->ctl, r->app, true);
    publish(r->ctl, r->app, tree, NULL, NULL);
    put_orphans(r, status, tree);
    refresh_autosync(r, status);
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
    refresh_journal(r, "render", outcome, reasons);
    if (c.render_failed)
        workq_add_after(r->ctl->refresh, r->app->key, REFRESH_TARGET, PROBE_NS);
    if (swallow_failure(r, &c)) {
        reasons = json_array();
        reason_add(reasons, "%s", c.failure);
        refresh_journal(r, "compare", "put off: manifests could not be generated", reasons);
        log_warn(LOGF(LOG_APP(r->app, r->doc), {"error", c.failure}),
                 "Ignoring temporary failed attempt to compare app state against repo");
        comparison_dispose(&c);
        return;
    }
    uint64_t print = c.render_failed ? 0 : refresh_fingerprint(r, c.renderings.v, c.renderings.n);
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
    refresh_journal(r, "compare", "Unknown", reasons);
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
    refresh_decide(&after, REFRESH_CHECK);
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
    r->times[r->ntimes++] = (struct log_number){"time_ms", refresh_ms_since(r->started)};
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
        refresh_decide(&r, bits);
        if (r.level != LEVEL_NONE && !(app_deleting(r.doc) && r.level < LEVEL_LIVE)) {
            static const char *const names[] = {"tree", "live", "target", "resolve"};
            log_info(LOGF(LOG_APP(app, r.doc)), "Refreshing app status (%s), level (%d)", str_or_empty(r.why),
                     r.level);
            r.settings = world_settings(ctl->world);
            json_t *reasons = json_array();
            reason_add(reasons, "%s", str_or_empty(r.why));
            if (r.level > LEVEL_TREE)
                refresh_journal(&r, "refresh", names[r.level], reasons);
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
