#include "app-controller/autosync.h"
#include "common/argo/app.h"
#include "common/kinds/kinds.h"

void autosync_dispose(struct autosync_decision *d)
{
    free(d->reason);
    free(d->skipped);
    free(d->condition);
    json_decref(d->operation);
    *d = (struct autosync_decision){};
}

static void say_no(struct autosync_decision *d, const char *reason)
{
    d->verdict = AUTOSYNC_NO;
    d->reason = xstrdup(reason);
}

/* Hooks and others without a status are not in sync either, as with Argo CD. */
static bool synced(const json_t *resource)
{
    return str_eq(json_str_at(resource, "status"), "Synced");
}

/* Every resource that is not in sync only waits to be pruned. */
static bool only_prunes(const json_t *resources)
{
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *r = json_array_get(resources, i);
        if (!synced(r) && !json_bool_at(r, "requiresPruning"))
            return false;
    }
    return true;
}

static bool everything_goes(const json_t *resources)
{
    for (size_t i = 0; i < json_array_size(resources); i++)
        if (!json_bool_at(json_array_get(resources, i), "requiresPruning"))
            return false;
    return true;
}

static json_t *make_operation(const json_t *doc)
{
    json_t *op = json_object(), *sync = json_object();
    const json_t *policy = json_at(doc, "spec", "syncPolicy"), *status = json_at(doc, "status", "sync");
    if (app_multi_source(doc)) {
        json_object_set_new_nocheck(sync, "sources", json_copy_deep(json_at(doc, "spec", "sources")));
        json_object_set_new_nocheck(sync, "revisions", revisions_of(status));
    } else {
        json_object_set_new_nocheck(sync, "source", app_single_source(doc));
        json_put_str(sync, "revision", json_str_at(status, "revision"));
    }
    if (app_auto_prune(doc))
        json_object_set_new_nocheck(sync, "prune", json_true());
    const json_t *options = json_object_get(policy, "syncOptions"), *retry = json_object_get(policy, "retry");
    if (json_array_size(options))
        json_object_set_new_nocheck(sync, "syncOptions", json_copy_deep(options));
    json_object_set_new_nocheck(op, "sync", sync);
    json_put_at(op, json_true(), "initiatedBy", "automated");
    json_object_set_new_nocheck(op, "retry", retry ? json_copy_deep(retry) : json_pack("{s:i}", "limit", 5));
    return op;
}

static bool is_zero_scalar(const json_t *v)
{
    return !v || (json_is_zero(v) && !json_is_array(v) && !json_is_map(v));
}

static bool identical(const json_t *a, const json_t *b);

static bool members_identical(const json_t *a, const json_t *b)
{
    json_t *it_of = (json_t *)(uintptr_t)a;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        const json_t *x = json_object_iter_value(it), *y = json_object_get(b, key);
        bool same = strcmp(key, "valuesObject") == 0 ? x && y && json_same(x, y) : identical(x, y);
        if (!same)
            return false;
    }
    return true;
}

/* Equal as Go's reflect.DeepEqual finds the decoded sources: an empty text, false and 0 are absent, while an
 * empty list or object is not. */
static bool identical(const json_t *a, const json_t *b)
{
    if (is_zero_scalar(a) || is_zero_scalar(b))
        return is_zero_scalar(a) && is_zero_scalar(b);
    if (json_is_map(a) && json_is_map(b))
        return members_identical(a, b) && members_identical(b, a);
    if (!json_is_array(a) || !json_is_array(b))
        return json_same(a, b);
    if (json_array_size(a) != json_array_size(b))
        return false;
    for (size_t i = 0; i < json_array_size(a); i++)
        if (!identical(json_array_get(a, i), json_array_get(b, i)))
            return false;
    return true;
}

/* Whether the last operation was for what would be synced now. */
static bool attempted(const json_t *doc, const json_t *operation, bool revisions_may_have_changed)
{
    const json_t *state = json_at(doc, "status", "operationState"),
                 *result = json_object_get(state, "syncResult");
    if (!json_is_map(state))
        return false;
    if (!json_is_map(result))
        return operation_completed(json_str_at(state, "phase"));
    const json_t *sync = json_object_get(operation, "sync");
    if (revisions_may_have_changed) {
        AUTO_JSON wanted = revisions_of(sync);
        AUTO_JSON had = revisions_of(result);
        if (!json_same(wanted, had))
            return false;
    }
    const char *key = app_multi_source(doc) ? "sources" : "source";
    return identical(json_object_get(sync, key), json_object_get(result, key));
}

/* The pause before self-heal number `count`. */
static int64_t heal_pause(const struct autosync_options *o, int64_t count)
{
    if (o->backoff_ns <= 0)
        return o->heal_timeout_ns;
    if (count <= 0)
        return 0;
    double pause = (double)o->backoff_ns;
    for (int64_t i = 1; i < count && pause < (double)o->backoff_cap_ns; i++)
        pause *= (double)o->backoff_factor;
    return pause > (double)o->backoff_cap_ns ? o->backoff_cap_ns : (int64_t)pause;
}

/* Restricts the operation to what is out of sync and counts the attempt; or says when. False: not now. */
static bool heal(const json_t *doc, json_t *operation, const struct autosync_options *options, wall_t now,
                 struct autosync_decision *d)
{
    const json_t *state = json_at(doc, "status", "operationState");
    int64_t count = json_int_at(state, "operation", "sync", "autoHealAttemptsCount");
    int64_t left = heal_pause(options, count);
    wall_t finished;
    if (json_to_time(json_object_get(state, "finishedAt"), &finished))
        left = wall_pause_left(finished, left, now);
    if (left > 0) {
        d->verdict = AUTOSYNC_LATER;
        d->wait_ns = left;
        d->reason = xasprintf("self-heal number %lld pauses", (long long)count + 1);
        char pause[DURATION_TEXT];
        duration_format(left, pause);
        d->skipped = xasprintf("already attempted sync (retrying in %s)", pause);
        return false;
    }
    json_t *sync = json_object_get(operation, "sync"), *list = json_array();
    json_object_set_new_nocheck(sync, "autoHealAttemptsCount", json_integer(count + 1));
    const json_t *resources = json_at(doc, "status", "resources");
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *r = json_array_get(resources, i);
        if (synced(r))
            continue;
        json_t *item = json_object();
        json_put_str(item, "group", json_str_at(r, "group"));
        json_set_str(item, "kind", json_str_at(r, "kind"));
        json_set_str(item, "name", json_str_at(r, "name"));
        json_array_append_new(list, item);
    }
    json_object_set_new_nocheck(sync, "resources", list);
    return true;
}

/* What was tried already: only to be healed. False: nothing is to be done, as *d says. */
static bool tried_again(const json_t *doc, json_t *operation, const struct autosync_options *options,
                        wall_t now, const char *text, struct autosync_decision *d)
{
    const json_t *state = json_at(doc, "status", "operationState");
    if (!str_eq(json_str_at(state, "phase"), "Succeeded")) {
        AUTO_JSON last = revisions_of(json_object_get(state, "syncResult"));
        AUTO(free_p) char *tried = revisions_text(last);
        d->verdict = AUTOSYNC_REFUSED;
        d->condition = xasprintf("Failed last sync attempt to %s: %s", tried,
                                 str_or_empty(json_str_at(state, "message")));
        d->reason = xasprintf("the last sync attempt to %s failed", tried);
        d->skipped = xasprintf("failed previous sync attempt to %s and will not retry for %s", tried, text);
        return false;
    }
    if (!app_self_heal(doc)) {
        d->skipped = xasprintf("most recent sync already to %s", text);
        say_no(d, "this revision was synced already, and self-heal is off");
        return false;
    }
    return heal(doc, operation, options, now, d);
}

void autosync_decide(const json_t *doc, bool revisions_may_have_changed,
                     const struct autosync_options *options, wall_t now, struct autosync_decision *d)
{
    *d = (struct autosync_decision){};
    const json_t *resources = json_at(doc, "status", "resources");
    if (!app_auto_sync(doc)) {
        say_no(d, "automated sync is off");
        return;
    }
    if (json_is_map(json_object_get(doc, "operation"))) {
        d->skipped = xstrdup("another operation is in progress");
        say_no(d, "another operation is in progress");
        return;
    }
    if (app_deleting(doc)) {
        d->skipped = xstrdup("deletion in progress");
        say_no(d, "the application is being deleted");
        return;
    }
    if (!str_eq(json_str_at(doc, "status", "sync", "status"), "OutOfSync")) {
        d->skipped = xasprintf("application status is %s",
                               str_or_empty(json_str_at(doc, "status", "sync", "status")));
        say_no(d, "the application is not OutOfSync");
        return;
    }
    if (!app_auto_prune(doc) && only_prunes(resources)) {
        d->skipped = xstrdup("need to prune extra resources only but automated prune is disabled");
        say_no(d, "only prunes are due, and automated prune is off");
        return;
    }
    AUTO_JSON operation = make_operation(doc);
    AUTO_JSON revisions = revisions_of(json_object_get(operation, "sync"));
    AUTO(free_p) char *text = revisions_text(revisions);
    if (attempted(doc, operation, revisions_may_have_changed) &&
        !tried_again(doc, operation, options, now, text, d))
        return;
    if (app_auto_prune(doc) && !json_bool_at(doc, "spec", "syncPolicy", "automated", "allowEmpty") &&
        everything_goes(resources)) {
        d->verdict = AUTOSYNC_REFUSED;
        d->condition = xasprintf("Skipping sync attempt to %s: auto-sync will wipe out all resources", text);
        d->reason = xstrdup("the sync would remove everything");
        d->skipped = xstrdup("the sync would remove everything");
        return;
    }
    d->verdict = AUTOSYNC_GO;
    d->reason = xasprintf("automated sync to %s", text);
    d->operation = TAKE(operation);
}
