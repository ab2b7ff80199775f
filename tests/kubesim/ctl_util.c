#include "tests/kubesim/ctl.h"

#include "common/base/hash.h"
#include "tests/kubesim/selector.h"
#include "tests/kubesim/status.h"

static const char agent[] = "kubesim-controllers";

struct endpoint *ctl_endpoint(struct sim *s, const char *key)
{
    VEC_FOREACH(&s->registry.endpoints, e)
        if (strcmp((*e)->resource->key, key) == 0)
            return *e;
    return NULL;
}

static struct write request_for(struct endpoint *e, const char *ns, const char *name)
{
    return (struct write){.endpoint = e,
                          .ns = str_or_empty(ns),
                          .name = str_or_empty(name),
                          .user = agent,
                          .user_agent = agent};
}

json_t *ctl_get(struct sim *s, const char *key, const char *ns, const char *name)
{
    struct endpoint *e = ctl_endpoint(s, key);
    return e ? read_object(e, ns, name) : NULL;
}

json_t *ctl_create(struct sim *s, const char *key, const char *ns, json_t *object_take)
{
    struct write w = request_for(ctl_endpoint(s, key), ns, "");
    json_t *failure = NULL, *result = write_create(s, &w, object_take, &failure);
    json_decref(failure);
    return result;
}

bool ctl_update(struct sim *s, const char *key, json_t *object, const char *subresource)
{
    struct write w = request_for(ctl_endpoint(s, key), json_str_at(object, "metadata", "namespace"),
                                 json_str_at(object, "metadata", "name"));
    json_t *failure = NULL;
    bool created;
    w.subresource = subresource;
    AUTO_JSON result = write_update(s, &w, json_copy_deep(object), &created, &failure);
    const char *rv = json_str_at(result, "metadata", "resourceVersion");
    if (rv)
        json_put_at(object, json_string(rv), "metadata", "resourceVersion");
    bool ok = !failure;
    json_decref(failure);
    return ok;
}

bool ctl_delete(struct sim *s, const char *key, const json_t *object, const char *propagation, int64_t grace)
{
    struct write w = request_for(ctl_endpoint(s, key), json_str_at(object, "metadata", "namespace"),
                                 json_str_at(object, "metadata", "name"));
    struct deletion d = {.propagation = propagation ? propagation : "Background",
                         .uid = json_str_at(object, "metadata", "uid"),
                         .grace = grace};
    json_t *failure = NULL;
    json_decref(write_delete(s, &w, &d, &failure));
    bool ok = !failure;
    json_decref(failure);
    return ok;
}

/* ---- lists ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(json_str_at(*(json_t *const *)a, "metadata", "name"),
                  json_str_at(*(json_t *const *)b, "metadata", "name"));
}

struct owned {
    struct endpoint *endpoint;
    ctl_list_t list;
};

static void add_owned(void *arg, struct resource *r, const char *key)
{
    struct owned *o = arg;
    struct blob *b = r == o->endpoint->resource ? index_get(&r->index, key) : NULL;
    if (b)
        VEC_PUSH(&o->list, read_blob(o->endpoint, b));
}

ctl_list_t ctl_owned(struct sim *s, const char *key, const char *uid)
{
    struct owned o = {.endpoint = ctl_endpoint(s, key)};
    store_dependents(s->store, str_or_empty(uid), add_owned, &o);
    VEC_SORT(&o.list, by_name);
    return o.list;
}

ctl_list_t ctl_selected(struct sim *s, const char *key, const char *ns, const json_t *selector)
{
    ctl_list_t list = {};
    struct endpoint *e = ctl_endpoint(s, key);
    AUTO_JSON wrapped = json_pack("{s:O}", "matchLabels", selector);
    AUTO_SELECTOR sel = {};
    AUTO(free_p) char *prefix = xasprintf("%s/", ns);
    if (label_selector_read(wrapped, &sel, NULL) < 0 || !sel.all.n)
        return list;
    struct index_cursor c = index_from(&e->resource->index, prefix);
    for (struct blob *b; (b = index_next(&c)) && str_has_prefix(blob_key(b), prefix);)
        if (selector_matches_meta(&sel, blob_meta(b)))
            VEC_PUSH(&list, read_blob(e, b));
    return list;
}

void ctl_list_free(ctl_list_t *l)
{
    VEC_FOREACH(l, o)
        json_decref(*o);
    VEC_FREE(l);
}

/* ---- pieces of objects ---- */

json_t *ctl_owner_refs(const char *api_version, const char *kind, const json_t *owner)
{
    return json_pack("[{s:s,s:s,s:s,s:s,s:b,s:b}]", "apiVersion", api_version, "kind", kind, "name",
                     json_str_at(owner, "metadata", "name"), "uid", json_str_at(owner, "metadata", "uid"),
                     "controller", 1, "blockOwnerDeletion", 1);
}

json_t *condition_get(const json_t *object, const char *type)
{
    json_t *c;
    size_t i;
    json_array_foreach(json_at(object, "status", "conditions"), i, c)
        if (str_eq(json_str_at(c, "type"), type))
            return c;
    return NULL;
}

bool condition_is(const json_t *object, const char *type, const char *status)
{
    return str_eq(json_str_at(condition_get(object, type), "status"), status);
}

static void put_or_drop(json_t *o, const char *key, const char *text)
{
    if (str_empty(text))
        json_object_del(o, key);
    else
        json_set_str(o, key, text);
}

bool condition_set(json_t *object, const char *type, bool status, const char *reason, const char *message)
{
    json_t *c = condition_get(object, type), *list = json_at(object, "status", "conditions");
    const char *text = status ? "True" : "False";
    if (c && str_same(json_str_at(c, "status"), text) && str_same(json_str_at(c, "reason"), reason) &&
        str_same(json_str_at(c, "message"), message))
        return false;
    if (!json_is_array(list))
        json_put_at(object, list = json_array(), "status", "conditions");
    if (!c) {
        json_array_append_new(list, c = json_object());
        json_set_str(c, "type", type);
    }
    if (!str_same(json_str_at(c, "status"), text))
        json_object_set_new(c, "lastTransitionTime", sim_now());
    json_set_str(c, "status", text);
    put_or_drop(c, "reason", reason);
    put_or_drop(c, "message", message);
    return true;
}

int64_t ns_since(const char *time)
{
    wall_t at;
    return time && rfc3339_parse(time, &at) ? wall_now().ns - at.ns : 0;
}

/* ---- events ---- */

void ctl_event(struct sim *s, const json_t *object, const char *component, const char *type,
               const char *reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *message = xvasprintf(fmt, ap);
    va_end(ap);
    const char *name = json_str_at(object, "metadata", "name"),
               *uid = str_or_empty(json_str_at(object, "metadata", "uid"));
    const char *ns = json_str_at(object, "metadata", "namespace");
    /* The name tells equal events. */
    AUTO(free_p) char *all = xasprintf("%s %s %s %s", uid, type, reason, message);
    AUTO(free_p) char *event = xasprintf("%s.%016llx", name, (unsigned long long)fnv1a64(all, strlen(all)));
    AUTO_JSON old = ctl_get(s, "events", ns ? ns : "default", event);
    if (old) {
        json_object_set_new(old, "count", json_integer(json_int_at(old, "count") + 1));
        json_object_set_new(old, "lastTimestamp", sim_now());
        ctl_update(s, "events", old, NULL);
        return;
    }
    json_t *o = json_pack("{s:{s:s},s:{s:s,s:s,s:s,s:s},s:s,s:s,s:s,s:{s:s},s:i,s:o,s:o}", "metadata", "name",
                          event, "involvedObject", "kind", json_str_at(object, "kind"), "name", name, "uid",
                          uid, "apiVersion", json_str_at(object, "apiVersion"), "type", type, "reason",
                          reason, "message", message, "source", "component", component, "count", 1,
                          "firstTimestamp", sim_now(), "lastTimestamp", sim_now());
    json_put_str(json_object_get(o, "involvedObject"), "namespace", ns);
    json_put_str(json_object_get(o, "involvedObject"), "resourceVersion",
                 json_str_at(object, "metadata", "resourceVersion"));
    json_decref(ctl_create(s, "events", ns ? ns : "default", o));
}
