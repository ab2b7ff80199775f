/* Design. An operation is a document: status.operationState says how far it is, and only what it says counts.
 * The life of one:
 *
 *   claim      the state {Running, startedAt, the request} and the operation's name (an annotation) are
 * written with the Application's version, before any work: what is begun is on record, and two writers cannot
 * both begin passes     sync_step, each persisting what it did; every 30 s at the latest, and whenever an
 * object of the application changes retry      a failed attempt stays Running with finishedAt set, until its
 * pause is over end        final state, history entry, removal of `operation` and of the name in one write
 *
 * Waiting is never a sleeping thread: the key comes back. */
#include "app-controller/operation.h"
#include "app-controller/deletion.h"
#include "app-controller/metrics.h"
#include "app-controller/refresh.h"
#include "app-controller/status.h"
#include "app-controller/sync_step.h"
#include "common/argo/app.h"
#include "common/base/log.h"
#include "common/base/rand.h"
#include "common/json/patch.h"

#include <math.h>
#include <time.h>

static const int64_t LOOK_AGAIN_NS = SECONDS(30);
static const int64_t LONGEST_PAUSE_NS = SECONDS(24LL * 3600 * 365);

/* ---- writing ---- */

/* The merge patch of the Application that makes its state ours; NULL when it is. */
static json_t *state_patch(const struct operation *op)
{
    const json_t *old = json_at(op->doc, "status", "operationState");
    AUTO_JSON change = json_merge_diff(old, op->state);
    if (json_is_map(old) && json_object_size(change) == 0)
        return NULL;
    json_t *patch = json_object();
    json_put_at(patch, json_copy_deep(change), "status", "operationState");
    return patch;
}

int operation_persist(struct operation *op, err_t **err)
{
    AUTO_JSON patch = state_patch(op);
    return patch ? application_patch(op->ctl, op->app, patch, NULL, &op->doc, err) : 0;
}

static int claim(struct operation *op, err_t **err)
{
    AUTO_JSON patch = state_patch(op);
    if (!patch)
        patch = json_object();
    json_put_at(patch, json_str_new(op->id), "metadata", "annotations", ANNOTATION_OPERATION);
    return application_patch(op->ctl, op->app, patch, object_resource_version(op->doc), &op->doc, err);
}

static int finish(struct operation *op, err_t **err)
{
    AUTO_JSON patch = state_patch(op);
    if (!patch)
        patch = json_object();
    json_object_set_new_nocheck(patch, "operation", json_null());
    if (object_annotation(op->doc, ANNOTATION_OPERATION))
        json_put_at(patch, json_null(), "metadata", "annotations", ANNOTATION_OPERATION);
    if (op->history)
        json_put_at(patch, json_incref(op->history), "status", "history");
    return application_patch(op->ctl, op->app, patch, NULL, &op->doc, err);
}

int operation_request(struct controller *ctl, struct app *app, const json_t *operation, json_t **doc,
                      err_t **err)
{
    for (int attempt = 0; attempt < 10; attempt++) {
        AUTO_ERR failure = NULL;
        if (application_get(ctl, app, doc, err) < 0)
            return err_again(err);
        if (json_is_map(json_object_get(*doc, "operation")))
            return err_set(err, ERR_FAILED_PRECONDITION, "another operation is already in progress");
        AUTO_JSON patch = json_object();
        json_object_set_new_nocheck(patch, "operation", json_copy_deep(operation));
        json_put_at(patch, json_null(), "status", "operationState");
        if (application_patch(ctl, app, patch, object_resource_version(*doc), doc, &failure) == 0)
            return 0;
        if (err_code(failure) != ERR_ABORTED)
            return err_move(err, TAKE(failure));
    }
    return err_set(err, ERR_ABORTED, "application %s: too many changes at once", app->key);
}

/* ---- timeouts and retries ---- */

static bool started_at(const struct operation *op, wall_t *out)
{
    return json_to_time(json_object_get(op->state, "startedAt"), out);
}

/* What is left of the sync timeout; 0 when it has passed, negative without one. */
static int64_t time_left(const struct operation *op)
{
    wall_t started;
    int64_t timeout = op->ctl->options.sync_timeout_ns;
    if (timeout <= 0 || !started_at(op, &started))
        return -1;
    int64_t passed = wall_since(started, wall_now());
    return passed <= 0 ? timeout : passed < timeout ? timeout - passed : 0;
}

static bool backoff_duration(const json_t *backoff, const char *field, int64_t fallback, int64_t *out)
{
    const char *text = json_str_at(backoff, field);
    *out = fallback;
    return str_empty(text) || duration_parse_or_seconds(text, out);
}

/* duration * factor^count, at most maxDuration when that is one. False when the policy cannot be read. */
static bool retry_delay(const struct operation *op, int64_t count, int64_t *out)
{
    const json_t *backoff = json_at(op->state, "operation", "retry", "backoff");
    int64_t duration, longest, factor = 2;
    if (!backoff_duration(backoff, "duration", SECONDS(5), &duration) ||
        !backoff_duration(backoff, "maxDuration", SECONDS(180), &longest))
        return false;
    json_to_i64(json_object_get(backoff, "factor"), &factor);
    double delay = (double)duration * pow((double)factor, (double)count);
    if (longest <= 0)
        longest = LONGEST_PAUSE_NS;
    *out = delay > (double)longest ? longest : delay > 0 ? (int64_t)delay : 0;
    return true;
}

static bool may_retry(const struct operation *op)
{
    const json_t *retry = json_at(op->state, "operation", "retry");
    int64_t limit = json_int_at(retry, "limit");
    return limit < 0 || json_int_at(op->state, "retryCount") < limit;
}

/* "3:04PM". */
static void clock_text(wall_t t, char out[16])
{
    time_t seconds = (time_t)(t.ns / NS_PER_SEC);
    struct tm tm;
    localtime_r(&seconds, &tm);
    snprintf(out, 16, "%d:%02d%s", tm.tm_hour % 12 ? tm.tm_hour % 12 : 12, tm.tm_min,
             tm.tm_hour < 12 ? "AM" : "PM");
}

static void plan_retry(struct operation *op)
{
    int64_t count = json_int_at(op->state, "retryCount"), delay = 0;
    AUTO(free_p) char *message = xstrdup(str_or_empty(json_str_at(op->state, "message")));
    if (!retry_delay(op, count, &delay)) {
        operation_set(op, "Error", "%s (failed to retry: malformed backoff)", message);
        return;
    }
    wall_t now = wall_now();
    char at[16];
    clock_text((wall_t){now.ns + delay}, at);
    operation_set(op, "Running", "%s. Retrying attempt #%lld at %s.", message, (long long)count + 1, at);
    json_object_set_new_nocheck(op->state, "finishedAt", json_time(now));
    json_object_set_new_nocheck(op->state, "retryCount", json_integer(count + 1));
    retry_delay(op, count + 1, &op->again_ns);
}

/* The pause before the next attempt: true when it is not over (or the operation ended for it). */
static bool in_pause(struct operation *op)
{
    wall_t finished;
    if (!operation_is(op, "Running") || !json_to_time(json_object_get(op->state, "finishedAt"), &finished))
        return false;
    int64_t count = json_int_at(op->state, "retryCount"), delay = 0;
    if (!retry_delay(op, count, &delay)) {
        operation_set(op, "Error", "malformed retry backoff");
        return false;
    }
    int64_t left = wall_pause_left(finished, delay, wall_now());
    if (left > 0) {
        char at[RFC3339_TEXT];
        rfc3339((wall_t){finished.ns + delay}, at);
        log_info(LOGF(LOG_APP(op->app, op->doc)),
                 "Skipping retrying in-progress operation. Attempting again at: %s", at);
        op->again_ns = left;
        return true;
    }
    json_object_del(op->state, "finishedAt");
    json_object_del(op->state, "syncResult");
    bool latest = json_bool_at(op->state, "operation", "retry", "refresh");
    if (latest) {
        json_drop_at(op->state, "operation", "sync", "revision");
        json_drop_at(op->state, "operation", "sync", "revisions");
    }
    operation_set(op, "Running", "Retrying operation%s. Attempt #%lld",
                  latest ? " with latest revisions" : "", (long long)count);
    log_info(LOGF(LOG_APP(op->app, op->doc)), "%s", json_str_at(op->state, "message"));
    return false;
}

/* ---- one pass ---- */

static char *new_id(void)
{
    return random_text(12, "0123456789abcdefghijklmnopqrstuvwxyz");
}

/* Takes up the state, or begins one. */
static int take_up(struct operation *op, err_t **err)
{
    const json_t *state = json_at(op->doc, "status", "operationState");
    const char *id = object_annotation(op->doc, ANNOTATION_OPERATION);
    bool resumed = json_is_map(state) && !operation_completed(json_str_at(state, "phase"));
    if (resumed && !json_object_get(state, "finishedAt"))
        log_info(LOGF(LOG_APP(op->app, op->doc)), "Resuming in-progress operation. phase: %s, message: %s",
                 str_or_empty(json_str_at(state, "phase")), str_or_empty(json_str_at(state, "message")));
    if (resumed && !str_empty(id)) {
        op->state = json_copy_deep(state);
        op->id = xstrdup(id);
        return 0;
    }
    op->id = new_id();
    if (resumed) {
        op->state = json_copy_deep(state);
    } else {
        op->state = json_object();
        json_set_str(op->state, "phase", "Running");
        json_object_set_new_nocheck(op->state, "operation",
                                    json_copy_deep(json_object_get(op->doc, "operation")));
        json_object_set_new_nocheck(op->state, "startedAt", json_time(wall_now()));
        AUTO(free_p) char *text = json_text(json_object_get(op->doc, "operation"), JSON_GO);
        log_info(LOGF(LOG_APP(op->app, op->doc)), "Initialized new operation: %.1000s", text);
    }
    return claim(op, err);
}

static void check_timeout(struct operation *op)
{
    if (operation_is(op, "Running") && time_left(op) == 0) {
        char limit[DURATION_TEXT];
        duration_format(op->ctl->options.sync_timeout_ns, limit);
        operation_set(op, "Terminating", "operation is terminating due to timeout");
        log_info(LOGF(LOG_APP(op->app, op->doc)),
                 "Terminating in-progress operation due to timeout. Started at: %s, timeout: %s",
                 str_or_empty(json_str_at(op->state, "startedAt")), limit);
        op->timed_out = true;
    }
}

/* After the step: what others want of it meanwhile, retries, the number of attempts. */
static void settle(struct operation *op, bool was_terminating)
{
    if (operation_is(op, "Running") && !was_terminating &&
        str_eq(json_str_at(op->doc, "status", "operationState", "phase"), "Terminating"))
        operation_set(op, "Terminating", "operation is terminating");
    bool failed = operation_is(op, "Failed") || operation_is(op, "Error");
    if (failed && !was_terminating && may_retry(op)) {
        plan_retry(op);
        failed = false;
    }
    int64_t count = json_int_at(op->state, "retryCount");
    const char *message = str_or_empty(json_str_at(op->state, "message"));
    if (failed && (op->timed_out || count > 0)) {
        AUTO(free_p) char *text = xstrdup(message);
        AUTO(free_p)
        char *tries = count > 0 ? xasprintf(" (retried %lld times).", (long long)count) : xstrdup("");
        operation_set(op, json_str_at(op->state, "phase"), "%s%s%s", text,
                      op->timed_out ? ", triggered by controller sync timeout" : "", tries);
    }
    if (operation_completed(json_str_at(op->state, "phase")))
        json_object_set_new_nocheck(op->state, "finishedAt", json_time(wall_now()));
}

static void tell_end(struct operation *op)
{
    const json_t *sync = json_at(op->state, "operation", "sync");
    const json_t *result = json_object_get(op->state, "syncResult");
    /* Of several sources none is named, as with Argo CD. */
    AUTO(free_p)
    char *to = result ? xasprintf(" to %s", str_or_empty(json_str_at(result, "revision"))) : xstrdup("");
    bool partial = json_array_size(json_object_get(sync, "resources")) > 0,
         good = operation_is(op, "Succeeded");
    AUTO(free_p)
    char *message = xasprintf(
        "%s operation%s %s%s", partial ? "Partial sync" : "Sync", to,
        good ? "succeeded" : "failed: ", good ? "" : str_or_empty(json_str_at(op->state, "message")));
    application_event(op->ctl, op->doc, good ? "Normal" : "Warning", "OperationCompleted", message);
    json_t *reasons = json_array();
    reason_add(reasons, "%s", str_or_empty(json_str_at(op->state, "message")));
    bool automated = json_bool_at(op->state, "operation", "initiatedBy", "automated");
    {
        LOCKED(&op->app->lock);
        journal_add(&op->app->journal, "sync", json_str_at(op->state, "phase"), reasons);
    }
    metrics_synced(op->ctl, op->doc, op->state);
    if (!json_bool_at(sync, "dryRun"))
        workq_add(op->ctl->refresh, op->app->key,
                  REFRESH_OPERATED | (automated ? REFRESH_TARGET : REFRESH_RESOLVE));
}

static void step_counted(struct operation *op)
{
    struct app_requests requests;
    metrics_requests_begin(&requests, op->ctl, op->doc,
                           json_bool_at(op->state, "operation", "sync", "dryRun"));
    op->requests = &requests;
    sync_step(op);
    op->requests = NULL;
    metrics_requests_end(&requests);
}

/* 0: done, or to be looked at again after op->again_ns. */
static int pass(struct operation *op, err_t **err)
{
    if (take_up(op, err) < 0)
        return err_again(err);
    check_timeout(op);
    if (in_pause(op))
        return 0;
    bool terminating = operation_is(op, "Terminating");
    unsigned refusals = tenure_refusals(op->ctl->tenures, &op->app->tenure);
    if (!operation_completed(json_str_at(op->state, "phase")))
        step_counted(op);
    if (op->ctl->stopping)
        return 0;
    if (tenure_refusals(op->ctl->tenures, &op->app->tenure) != refusals) /* not for a reason of its own */
        return err_set(err, ERR_ABORTED, "the application is not ours at the moment");
    if (atomic_load(&op->interrupted))
        return err_set(err, ERR_ABORTED, "requests to the cluster were canceled");
    if (operation_is(op, "Running") && application_get(op->ctl, op->app, &op->doc, err) < 0)
        return err_again(err);
    settle(op, terminating);
    log_info(LOGF(LOG_APP(op->app, op->doc)), "updated '%s' operation (phase: %s)", op->app->key,
             json_str_at(op->state, "phase"));
    if (!operation_completed(json_str_at(op->state, "phase")))
        return operation_persist(op, err);
    if (finish(op, err) < 0)
        return err_again(err);
    tell_end(op);
    return 0;
}

static void look_again(struct operation *op)
{
    int64_t delay = op->again_ns ? op->again_ns : LOOK_AGAIN_NS, left = time_left(op);
    if (left >= 0 && left < delay)
        delay = left + MILLIS(10);
    workq_add_after(op->ctl->operations, op->app->key, OPERATE, delay);
}

static int64_t seconds_of(const json_t *state, const char *field)
{
    wall_t t;
    return json_to_time(json_object_get(state, field), &t) ? t.ns / NS_PER_SEC : 0;
}

/* A pass has ended. */
static void tell_pass(const struct operation *op, mono_t began)
{
    AUTO_JSON revisions = revisions_of(json_object_get(op->state, "syncResult"));
    AUTO(free_p) char *text = json_text(revisions, JSON_GO);
    struct log_number numbers[] = {{"time_ms", (mono_now().ns - began.ns) / NS_PER_MS},
                                   {"retryCount", json_int_at(op->state, "retryCount")},
                                   {"startedAt", seconds_of(op->state, "startedAt")},
                                   {"finishedAt", seconds_of(op->state, "finishedAt")}};
    size_t n = json_object_get(op->state, "finishedAt") ? 4 : 3;
    bool pausing = operation_is(op, "Running") && n == 4;
    log_write_numbers(pausing ? LOG_DEBUG : LOG_INFO,
                      LOGF(LOG_APP(op->app, op->doc),
                           {"phase", str_or_empty(json_str_at(op->state, "phase"))}, {"revisions", text}),
                      numbers, n, "Finished processing requested app operation");
}

static void operate(struct operation *op)
{
    AUTO_ERR err = NULL;
    mono_t began = mono_now();
    int code = pass(op, &err);
    if (code == 0 && op->state)
        tell_pass(op, began);
    if (code < 0 && err_code(err) != ERR_NOT_FOUND) {
        bool race = err_code(err) == ERR_ABORTED;
        if (!race)
            log_warn(LOGF(LOG_APP(op->app, op->doc)), "operation: %s", err_text(err));
        workq_add_after(op->ctl->operations, op->app->key, OPERATE, race ? MILLIS(50) : SECONDS(1));
    } else if (code == 0 && !operation_completed(json_str_at(op->state, "phase"))) {
        look_again(op);
    } else if (code == 0 && app_deleting(op->doc)) {
        workq_add(op->ctl->operations, op->app->key, OPERATE);
    }
}

/* The next wave waits for its delay, however often something changes meanwhile. */
static bool in_wave_delay(struct operation *op)
{
    int64_t left;
    {
        LOCKED(&op->app->lock);
        left = op->app->wave_until.ns ? mono_left(op->app->wave_until) : 0;
    }
    if (left <= 0 || str_eq(json_str_at(op->doc, "status", "operationState", "phase"), "Terminating"))
        return false;
    workq_add_after(op->ctl->operations, op->app->key, OPERATE, left);
    return true;
}

static void work(struct operation *op)
{
    AUTO_ERR err = NULL;
    bool requested = json_is_map(json_object_get(op->doc, "operation"));
    if (!requested && !app_deleting(op->doc))
        return;
    if (requested && in_wave_delay(op))
        return;
    if (application_get(op->ctl, op->app, &op->doc, &err) < 0) {
        if (err_code(err) != ERR_NOT_FOUND)
            workq_add_after(op->ctl->operations, op->app->key, OPERATE, SECONDS(1));
        return;
    }
    if (json_is_map(json_object_get(op->doc, "operation")))
        operate(op);
    else if (app_deleting(op->doc))
        deletion_run(op->ctl, op->app, &op->doc);
}

void operation_run(void *ctx, const char *key, uint64_t bits)
{
    struct controller *ctl = ctx;
    struct app *app = apps_get(ctl->apps, key);
    if (!app)
        return;
    struct operation op = {.ctl = ctl, .app = app, .doc = app_doc(app)};
    bool ours = op.doc && !ctl->stopping && ownership_begin(ctl, app);
    if (ours)
        work(&op);
    json_decref(op.doc);
    json_decref(op.state);
    json_decref(op.history);
    free(op.id);
    if (ours)
        ownership_end(ctl, app);
    else
        app_unref(ctl->apps, app);
}
