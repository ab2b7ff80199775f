/* Automation at the end of a comparison. */
#include "app-controller/refresh_internal.h"
#include "app-controller/autosync.h"
#include "app-controller/operation.h"
#include "app-controller/reasons.h"
#include "common/argo/app.h"
#include "common/argo/windows.h"

/* An operation that the API server did not take is asked for again after this. */
static const int64_t START_AGAIN_NS = SECONDS(5);

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
    refresh_journal(r, "auto-sync", "no", reasons);
    return true;
}

void refresh_autosync(struct refresh *r, json_t *status)
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
        workq_add_after(r->ctl->refresh, r->app->key, REFRESH_LIVE, START_AGAIN_NS);
    }
    r->times[SETOP_TIME].value += refresh_ms_since(began);
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
    refresh_journal(r, "auto-sync", verdicts[d.verdict], reasons);
    autosync_dispose(&d);
}
