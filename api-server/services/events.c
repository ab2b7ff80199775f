/* Audit: who did what, as a log line and a Kubernetes event (component argocd-server), as Argo CD writes
 * them. */
#include "api-server/services/server.h"

#include "common/argo/app.h"
#include "common/argo/events.h"
#include "common/base/log.h"
#include "common/kinds/kinds.h"

/* ARGOCD_ENABLE_K8S_EVENT: "all", "none", or a list of reasons. */
static bool wanted(const server_t *s, const char *reason)
{
    const char *setting = str_or_empty(s->flags->events);
    AUTO(strv_free_p) char **list = strv_split(setting, ",", true);
    return event_enabled(list, reason);
}

static json_t *reference(const json_t *object)
{
    json_t *r = json_object();
    json_put_str(r, "kind", object_kind(object));
    json_put_str(r, "apiVersion", json_str_at(object, "apiVersion"));
    json_put_str(r, "namespace", object_namespace(object));
    json_put_str(r, "name", object_name(object));
    json_put_str(r, "uid", object_uid(object));
    json_put_str(r, "resourceVersion", object_resource_version(object));
    return r;
}

/* Of events about applications. */
static json_t *labels_of(const call_t *c, const json_t *object)
{
    if (!str_eq(object_kind(object), "Application"))
        return NULL;
    AUTO(settings_unref_p) settings_t *settings = state_argo_settings(c->s->state);
    AUTO_JSON project = state_project(c->s->state, app_project(object));
    return event_labels(object, project, settings);
}

/* Of an application or a project. */
static void annotate(json_t *e, const json_t *object)
{
    const json_t *to = json_at(object, "spec", "destination");
    json_put_at(e, json_str_new(str_or_empty(json_str_at(to, "server"))), "metadata", "annotations",
                "dest-server");
    json_put_at(e, json_str_new(str_or_empty(json_str_at(to, "namespace"))), "metadata", "annotations",
                "dest-namespace");
}

static json_t *event_of(const call_t *c, const json_t *object, bool resource, const char *reason,
                        const char *message)
{
    char now[RFC3339_TEXT];
    wall_t t = wall_now();
    json_t *e = json_object();
    AUTO(free_p) char *name = xasprintf("%s.%llx", object_name(object), (unsigned long long)t.ns);
    rfc3339(t, now);
    json_put_at(e, json_string(name), "metadata", "name");
    json_put_at(e, json_string(resource ? c->s->flags->ns : object_namespace(object)), "metadata",
                "namespace");
    json_put_at(e, json_str_new(c->id->subject), "metadata", "annotations", "user");
    if (resource)
        json_put_at(e, json_string(object_namespace(object)), "metadata", "annotations",
                    "resource-namespace");
    else
        annotate(e, object);
    AUTO_JSON labels = labels_of(c, object);
    if (!resource && json_object_size(labels))
        json_put_at(e, json_incref(labels), "metadata", "labels");
    json_object_set_new(e, "involvedObject", reference(object));
    json_put_at(e, json_string("argocd-server"), "source", "component");
    json_set_str(e, "firstTimestamp", now);
    json_set_str(e, "lastTimestamp", now);
    json_object_set_new(e, "count", json_integer(1));
    json_set_str(e, "message", message);
    json_set_str(e, "type", "Normal");
    json_set_str(e, "reason", reason);
    return e;
}

struct job {
    server_t *s;
    json_t *event;
};

static void write_event(void *arg)
{
    struct job *j = arg;
    AUTO_ERR err = NULL;
    if (kube_create(j->s->kube, kind_event, json_str_at(j->event, "metadata", "namespace"), j->event, NULL,
                    NULL, &err) < 0)
        log_debug(NULL, "write an event: %s", err_text(err));
    json_decref(j->event);
    free(j);
}

static void write_later(call_t *c, json_t *event_take)
{
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){c->s, event_take};
    if (pool_submit(c->s->fetches, write_event, j, NULL) < 0) {
        json_decref(j->event);
        free(j);
    }
}

static char *message_of(const call_t *c, const char *what)
{
    return xasprintf("%s %s", *c->id->subject ? c->id->subject : "Unknown user", what);
}

void audit(call_t *c, const json_t *object, const char *reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *what = xvasprintf(fmt, ap);
    va_end(ap);
    AUTO(free_p) char *message = message_of(c, what);
    log_info(LOGF({"type", "Normal"}, {"reason", reason}, {"application", object_name(object)},
                  {"app-namespace", object_namespace(object)}, {"user", c->id->subject},
                  {"dest-server", json_str_at(object, "spec", "destination", "server")},
                  {"dest-namespace", json_str_at(object, "spec", "destination", "namespace")}),
             "%s", message);
    if (wanted(c->s, reason))
        write_later(c, event_of(c, object, false, reason, message));
}

void audit_resource(call_t *c, const json_t *object, const char *reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *what = xvasprintf(fmt, ap);
    va_end(ap);
    AUTO(free_p) char *message = message_of(c, what);
    log_info(LOGF({"type", "Normal"}, {"reason", reason}, {"name", object_name(object)},
                  {"resource-namespace", object_namespace(object)}, {"user", c->id->subject}),
             "%s", message);
    if (wanted(c->s, reason))
        write_later(c, event_of(c, object, true, reason, message));
}
