#include "app-controller/status.h"
#include "common/argo/app.h"
#include "common/argo/events.h"
#include "common/base/log.h"
#include "common/kinds/kinds.h"

#include <stdio.h>

enum { MAX_RACES = 8 };

const struct kube_resource application_resource = {.group = ARGO_GROUP,
                                                   .version = "v1alpha1",
                                                   .kind = "Application",
                                                   .plural = "applications",
                                                   .singular = "application",
                                                   .namespaced = true,
                                                   .preferred = true,
                                                   .subresources = ""};
const struct kube_resource project_resource = {.group = ARGO_GROUP,
                                               .version = "v1alpha1",
                                               .kind = "AppProject",
                                               .plural = "appprojects",
                                               .singular = "appproject",
                                               .namespaced = true,
                                               .preferred = true,
                                               .subresources = ""};

void application_store(struct controller *ctl, const json_t *doc)
{
    AUTO(free_p) char *key = xasprintf("%s/%s", object_namespace(doc), object_name(doc));
    AUTO(free_p) char *instance = instance_name(object_namespace(doc), object_name(doc), ctl->options.ns);
    app_unref(ctl->apps, apps_put_own(ctl->apps, key, instance, doc));
}

static void take_answer(struct controller *ctl, json_t **doc, json_t *answer_take)
{
    application_store(ctl, answer_take);
    json_decref(*doc);
    *doc = answer_take;
}

static int patch_version(struct controller *ctl, struct app *app, const json_t *patch, const char *rv,
                         const struct kube_params *params, json_t **doc, err_t **err)
{
    AUTO_JSON body = json_copy((json_t *)(uintptr_t)patch);
    json_t *metadata = json_copy(json_object_get(patch, "metadata"));
    metadata = metadata ? metadata : json_object();
    json_set_str(metadata, "resourceVersion", rv);
    json_object_set_new_nocheck(body, "metadata", metadata);
    json_t *answer = NULL;
    int r = kube_patch(ctl->kube, &application_resource, app->ns, app->name, KUBE_PATCH_MERGE, body, params,
                       &answer, err);
    if (r < 0)
        return err_wrap(err, "application %s", app->key);
    take_answer(ctl, doc, answer);
    return 0;
}

static bool still_asked(const struct refresh_request *r, const json_t *doc)
{
    return str_eq(object_annotation(doc, ANNOTATION_REFRESH), r->type) &&
           str_eq(object_annotation(doc, ANNOTATION_REFRESH_AT), r->at);
}

/* Adds the removal of the annotation to the patch if the version that it is for has it still: who asks again
 * meanwhile makes another version. */
static void add_removal(json_t *body, struct app *app, const char *rv, const json_t *doc,
                        const struct refresh_request *request)
{
    AUTO_JSON now = NULL;
    if (!request || !request->type)
        return;
    if (!str_same(rv, object_resource_version(doc))) {
        LOCKED(&app->lock);
        if (!str_same(rv, app->rv))
            return;
        now = pack_open(app->doc);
        doc = now;
    }
    if (!still_asked(request, doc))
        return;
    json_put_at(body, json_null(), "metadata", "annotations", ANNOTATION_REFRESH);
    if (request->at)
        json_put_at(body, json_null(), "metadata", "annotations", ANNOTATION_REFRESH_AT);
}

/* On whatever version there is. All the same each attempt names the one that was last seen before the gate
 * looked whether the application is still ours: a write that was held up between that look and the wire, with
 * the whole process, meets what the next owner has written. */
static int patch_latest(struct controller *ctl, struct app *app, const json_t *patch,
                        const struct refresh_request *request, const struct kube_params *params, json_t **doc,
                        err_t **err)
{
    for (int attempt = 0;; attempt++) {
        AUTO_ERR failure = NULL;
        AUTO(free_p) char *rv = NULL;
        {
            LOCKED(&app->lock);
            rv = xstrdup(app->rv);
        }
        AUTO_JSON body = json_copy((json_t *)(uintptr_t)patch);
        add_removal(body, app, rv, *doc, request);
        int r = patch_version(ctl, app, body, rv, params, doc, &failure);
        if (r != -ERR_ABORTED || attempt == MAX_RACES)
            return r < 0 ? err_move(err, TAKE(failure)) : 0;
        json_t *now = NULL;
        if (kube_get(ctl->kube, &application_resource, app->ns, app->name, NULL, &now, err) < 0)
            return err_wrap(err, "application %s", app->key);
        application_store(ctl, now);
        json_decref(now);
    }
}

int application_patch(struct controller *ctl, struct app *app, const json_t *patch, const char *rv,
                      json_t **doc, err_t **err)
{
    return rv ? patch_version(ctl, app, patch, rv, NULL, doc, err)
              : patch_latest(ctl, app, patch, NULL, NULL, doc, err);
}

int application_get(struct controller *ctl, struct app *app, json_t **doc, err_t **err)
{
    json_t *answer = NULL;
    int r = kube_get(ctl->kube, &application_resource, app->ns, app->name, NULL, &answer, err);
    if (r < 0)
        return err_wrap(err, "application %s", app->key);
    take_answer(ctl, doc, answer);
    return 0;
}

/* "Updated sync status: OutOfSync -> Synced", with the health's message when it has one. */
static void tell_change(struct controller *ctl, const json_t *doc, const json_t *old, const json_t *new,
                        const char *field, const char *what)
{
    const char *was = str_or_empty(json_str_at(old, field, "status")),
               *is = str_or_empty(json_str_at(new, field, "status"));
    if (strcmp(was, is) == 0)
        return;
    const char *why = str_or_empty(json_str_at(new, field, "message"));
    AUTO(free_p)
    char *message = *why ? xasprintf("Updated %s status: %s -> %s (%s)", what, was, is, why)
                         : xasprintf("Updated %s status: %s -> %s", what, was, is);
    application_event(ctl, doc, "Normal", "ResourceUpdated", message);
}

/* The old status and a condition that says why the new one is not there. */
static int write_too_large(struct controller *ctl, struct app *app, json_t **doc, err_t **err)
{
    static const char *const evaluated[] = {"UnknownError", NULL};
    log_warn(LOGF(LOG_APP(app, *doc)),
             "The status is larger than the API server accepts and was not written");
    AUTO_JSON list = json_array();
    condition_add(
        list, "UnknownError",
        "the status of this application is larger than the API server accepts, and what is shown may "
        "be old: it has too many resources, or too long a history (spec.revisionHistoryLimit)");
    json_t *old = json_at(*doc, "status", "conditions");
    AUTO_JSON conditions = conditions_set(old, evaluated, list, wall_now());
    if (json_equal(old, conditions))
        return STATUS_TOO_LARGE;
    AUTO_JSON patch = json_object();
    json_put_at(patch, json_incref(conditions), "status", "conditions");
    int r = application_patch(ctl, app, patch, NULL, doc, err);
    return r < 0 ? r : STATUS_TOO_LARGE;
}

int status_write(struct controller *ctl, struct app *app, json_t **doc, const json_t *new_status,
                 const struct refresh_request *request, err_t **err)
{
    AUTO_JSON old = json_incref(json_at(*doc, "status"));
    AUTO_JSON wanted = json_copy((json_t *)(uintptr_t)new_status);
    if (!json_array_size(json_object_get(wanted, "conditions")))
        json_object_del(wanted, "conditions");
    AUTO_JSON change = status_patch(old, wanted);
    if (!change) {
        log_info(LOGF(LOG_APP(app, *doc)), "No status changes. Skipping patch");
        return 0;
    }
    AUTO_JSON patch = json_object();
    json_object_set_new_nocheck(patch, "status", TAKE(change));
    struct kube_failure failure = {};
    struct kube_params params = {.failure = &failure};
    int r = patch_latest(ctl, app, patch, request, &params, doc, err);
    int http = failure.http_status;
    kube_failure_dispose(&failure);
    if (r < 0 && http == 413) {
        err_clear(err);
        return write_too_large(ctl, app, doc, err);
    }
    if (r < 0)
        return err_wrap(err, "write status");
    log_info(LOGF(LOG_APP(app, *doc)), "Update successful");
    tell_change(ctl, *doc, old, new_status, "sync", "sync");
    tell_change(ctl, *doc, old, new_status, "health", "health");
    return 0;
}

static void add_op(json_t *ops, const char *op, const char *annotation, const char *value)
{
    AUTO_STR path = STR_INIT;
    str_puts(&path, "/metadata/annotations/");
    str_t escaped = STR_INIT;
    for (const char *p = annotation; *p; p++)
        str_puts(&escaped, *p == '/' ? "~1" : (char[]){*p, 0});
    str_puts(&path, str_text(&escaped));
    str_dispose(&escaped);
    json_t *o = json_object();
    json_set_str(o, "op", op);
    json_set_str(o, "path", str_text(&path));
    if (value)
        json_set_str(o, "value", value);
    json_array_append_new(ops, o);
}

void refresh_request_read(struct refresh_request *r, const json_t *doc)
{
    *r = (struct refresh_request){.type = xstrdup(object_annotation(doc, ANNOTATION_REFRESH)),
                                  .at = xstrdup(object_annotation(doc, ANNOTATION_REFRESH_AT))};
}

void refresh_request_dispose(struct refresh_request *r)
{
    free(r->type);
    free(r->at);
}

/* What is tested is what was acted upon, not what the last answer says: a request that came during the
 * refresh is in that answer already. */
int refresh_annotation_remove(struct controller *ctl, struct app *app, const struct refresh_request *request,
                              json_t **doc, err_t **err)
{
    if (!still_asked(request, *doc))
        return 0;
    AUTO_JSON ops = json_array();
    AUTO_ERR local = NULL;
    if (request->at) {
        add_op(ops, "test", ANNOTATION_REFRESH_AT, request->at);
        add_op(ops, "remove", ANNOTATION_REFRESH_AT, NULL);
    }
    add_op(ops, "test", ANNOTATION_REFRESH, request->type);
    add_op(ops, "remove", ANNOTATION_REFRESH, NULL);
    json_t *answer = NULL;
    int r = kube_patch(ctl->kube, &application_resource, app->ns, app->name, KUBE_PATCH_JSON, ops, NULL,
                       &answer, &local);
    if (r == 0)
        take_answer(ctl, doc, answer);
    if (r == 0 || r == -ERR_NOT_FOUND)
        return 0;
    /* A test that fails: another request came, which its own event has taken up, or it was taken away. */
    if ((r == -ERR_INVALID_ARGUMENT || r == -ERR_FAILED_PRECONDITION) &&
        application_get(ctl, app, doc, NULL) == 0 && !still_asked(request, *doc))
        return 0;
    return err_move(err, TAKE(local));
}

static json_t *labels_of_event(struct controller *ctl, const json_t *doc)
{
    AUTO(settings_unref_p) settings_t *settings = world_settings(ctl->world);
    AUTO_JSON project = NULL;
    world_project(ctl->world, app_project(doc), &project, NULL);
    return event_labels(doc, project, settings);
}

void application_event(struct controller *ctl, const json_t *doc, const char *type, const char *reason,
                       const char *message)
{
    static const struct kube_resource events = {.group = "",
                                                .version = "v1",
                                                .kind = "Event",
                                                .plural = "events",
                                                .singular = "event",
                                                .namespaced = true,
                                                .preferred = true,
                                                .subresources = ""};
    if (!event_enabled(ctl->options.event_reasons, reason))
        return;
    log_info(LOGF({"application", object_name(doc)}, {"app-namespace", object_namespace(doc)},
                  {"project", app_project(doc)}, {"reason", reason}, {"type", type}),
             "%s", message);
    if (!ctl->options.events)
        return;
    AUTO_JSON e = json_object();
    AUTO(free_p) char *name = xasprintf("%s.%llx", object_name(doc), (unsigned long long)wall_now().ns);
    json_set_str(e, "apiVersion", "v1");
    json_set_str(e, "kind", "Event");
    json_put_at(e, json_str_new(name), "metadata", "name");
    json_put_at(e, json_str_new(object_namespace(doc)), "metadata", "namespace");
    json_put_at(e, json_str_new(str_or_empty(json_str_at(doc, "spec", "destination", "server"))), "metadata",
                "annotations", "dest-server");
    json_put_at(e, json_str_new(str_or_empty(json_str_at(doc, "spec", "destination", "namespace"))),
                "metadata", "annotations", "dest-namespace");
    AUTO_JSON labels = labels_of_event(ctl, doc);
    if (json_object_size(labels))
        json_put_at(e, json_incref(labels), "metadata", "labels");
    json_t *about = json_object();
    json_set_str(about, "apiVersion", ARGO_GROUP "/v1alpha1");
    json_set_str(about, "kind", "Application");
    json_set_str(about, "namespace", object_namespace(doc));
    json_set_str(about, "name", object_name(doc));
    json_set_str(about, "uid", object_uid(doc));
    json_set_str(about, "resourceVersion", object_resource_version(doc));
    json_object_set_new_nocheck(e, "involvedObject", about);
    json_put_at(e, json_str_new("argocd-application-controller"), "source", "component");
    json_set_str(e, "type", type);
    json_set_str(e, "reason", reason);
    json_set_str(e, "message", message);
    json_object_set_new_nocheck(e, "count", json_integer(1));
    json_object_set_new_nocheck(e, "firstTimestamp", json_time(wall_now()));
    json_object_set_new_nocheck(e, "lastTimestamp", json_time(wall_now()));
    AUTO_ERR err = NULL;
    if (kube_create(ctl->kube, &events, object_namespace(doc), e, NULL, NULL, &err) < 0)
        log_warn(LOGF({"application", object_name(doc)}), "event %s: %s", reason, err_text(err));
}
