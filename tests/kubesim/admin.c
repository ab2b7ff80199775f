/* Paths under /kubesim/: what a test or a benchmark asks of the simulation itself. See README.md. */
#include "tests/kubesim/admin.h"

#include "common/base/hash.h"
#include "common/base/rand.h"
#include "tests/kubesim/api.h"
#include "tests/kubesim/audit.h"
#include "tests/kubesim/ctl.h"
#include "tests/kubesim/watch.h"

#include <stdio.h>

/* ---- options ---- */

static const struct {
    const char *name;
    size_t at;
} delays[] = {
    {"controller", offsetof(struct sim_delays, controller)},
    {"schedule", offsetof(struct sim_delays, schedule)},
    {"start", offsetof(struct sim_delays, start)},
    {"ready", offsetof(struct sim_delays, ready)},
    {"stop", offsetof(struct sim_delays, stop)},
    {"run", offsetof(struct sim_delays, run)},
    {"backoff", offsetof(struct sim_delays, backoff)},
    {"bookmark", offsetof(struct sim_delays, bookmark)},
    {"logLine", offsetof(struct sim_delays, log_line)},
    {"establish", offsetof(struct sim_delays, establish)},
};

static int64_t *delay_at(struct sim *s, size_t i)
{
    return (int64_t *)((char *)&s->options.delays + delays[i].at);
}

static json_t *options_json(struct sim *s)
{
    json_t *o = json_object(), *ms = json_object();
    for (size_t i = 0; i < ARRAY_LEN(delays); i++)
        json_object_set_new(ms, delays[i].name, json_real((double)*delay_at(s, i) / (double)NS_PER_MS));
    json_set_str(o, "gitVersion", s->options.git_version);
    json_object_set_new(o, "delaysMs", ms);
    return o;
}

static int options_set(struct sim *s, const json_t *o, err_t **err)
{
    const char *version = json_str_at(o, "gitVersion"), *key;
    json_t *v;
    if (version && (version[0] != 'v' || !strchr(version, '.')))
        return err_set(err, ERR_INVALID_ARGUMENT, "gitVersion: '%s' is not like v1.34.0", version);
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
        if (strcmp(key, "gitVersion") != 0 && strcmp(key, "delaysMs") != 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "unknown field '%s'", key);
    json_object_foreach(json_object_get(o, "delaysMs"), key, v) {
        size_t i = 0;
        double ms;
        while (i < ARRAY_LEN(delays) && strcmp(delays[i].name, key) != 0)
            i++;
        if (i == ARRAY_LEN(delays) || !json_to_double(v, &ms) || ms < 0 || ms > 1e9 ||
            (ms < 1 && strcmp(key, "logLine") == 0))
            return err_set(err, ERR_INVALID_ARGUMENT, "delaysMs: unknown or bad '%s'", key);
        *delay_at(s, i) = (int64_t)(ms * (double)NS_PER_MS);
    }
    if (version) {
        free(s->options.git_version);
        s->options.git_version = xstrdup(version);
    }
    return 0;
}

/* ---- faults ---- */

int admin_set_faults(struct sim *s, const json_t *document, err_t **err)
{
    json_t *names = json_object_get(document, "paused"), *name;
    bool paused[CTL_COUNT] = {};
    size_t i;
    json_array_foreach(names, i, name) {
        enum ctl which = ctl_by_name(str_or_empty(json_string_value(name)));
        bool all = str_same(json_string_value(name), "all");
        if (which == CTL_COUNT && !all)
            return err_set(err, ERR_INVALID_ARGUMENT, "faults: there is no controller '%s'",
                           str_or_empty(json_string_value(name)));
        for (enum ctl k = 0; k < CTL_COUNT; k++)
            paused[k] |= all || k == which;
    }
    int result = faults_set(s->faults, document, err);
    for (enum ctl k = 0; k < CTL_COUNT && result == 0; k++)
        controllers_pause(s, k, paused[k]);
    /* Images may run again, or no more. */
    admin_wake_pods(s);
    return result;
}

void admin_wake_pods(struct sim *s)
{
    struct resource *pods = registry_resource(&s->registry, "", "pods");
    struct index_cursor c = index_from(&pods->index, "");
    for (struct blob *b; (b = index_next(&c));) {
        AUTO(free_p) char *ns = xstrndup(blob_ns(b).p, blob_ns(b).n);
        ctl_enqueue(s, CTL_POD, ns, blob_name(b), 0);
    }
}

/* ---- many objects ---- */

static struct endpoint *find_endpoint(struct sim *s, const json_t *body, err_t **err)
{
    const char *key = str_or_empty(json_str_at(body, "resource"));
    struct endpoint *e = ctl_endpoint(s, key);
    if (!e || e->resource->flags & R_REVIEW)
        err_set(err, ERR_NOT_FOUND, "resource '%s' is not served", key);
    return e;
}

/* Puts `value` where the template's texts say {word}. */
static void fill_in(json_t *v, const char *word, const char *value)
{
    const char *key, *text = json_string_value(v), *at = text ? strstr(text, word) : NULL;
    json_t *item;
    size_t i;
    if (at) {
        AUTO(free_p)
        char *filled = xasprintf("%.*s%s%s", (int)(at - text), text, value, at + strlen(word));
        json_string_set_nocheck(v, filled);
    }
    json_object_foreach(v, key, item)
        fill_in(item, word, value);
    json_array_foreach(v, i, item)
        fill_in(item, word, value);
}

/* The uid of an object that `bulk` made can be told by others that it makes. */
static void bulk_uid(const struct resource *r, const char *name, char out[UUID_TEXT])
{
    uint64_t a = hash_content(name, strlen(name), hash_content(r->key, strlen(r->key), 1)),
             b = hash_content(&a, sizeof(a), 2);
    snprintf(out, UUID_TEXT, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(a >> 32), (unsigned)(a & 0xffff),
             (unsigned)(a >> 16 & 0xfff), (unsigned)(b >> 52), (unsigned long long)(b & 0xffffffffffff));
}

static char *bulk_name(const json_t *body, int64_t i)
{
    const char *prefix = json_str_at(body, "prefix");
    return xasprintf("%s%07lld", prefix ? prefix : "bulk-", (long long)i);
}

/* {"resource":"replicasets.apps","prefix":"bulk-","count":50}: each object is owned by one of so many that
 * were made before; {owner} in the template is its name. */
static void add_bulk_owner(struct sim *s, json_t *o, const json_t *owner, int64_t i)
{
    struct endpoint *e = ctl_endpoint(s, str_or_empty(json_str_at(owner, "resource")));
    int64_t count = json_int_at(owner, "count");
    if (!e || count < 1)
        return;
    char uid[UUID_TEXT];
    AUTO(free_p) char *name = bulk_name(owner, i % count);
    AUTO(free_p) char *api = *e->group ? xasprintf("%s/%s", e->group, e->version) : xstrdup(e->version);
    bulk_uid(e->resource, name, uid);
    fill_in(o, "{owner}", name);
    json_put_at(o,
                json_pack("[{s:s,s:s,s:s,s:s,s:b,s:b}]", "apiVersion", api, "kind", e->resource->kind, "name",
                          name, "uid", uid, "controller", 1, "blockOwnerDeletion", 1),
                "metadata", "ownerReferences");
}

/* An object of about that size: the template with its place, and filler in an annotation. */
static json_t *bulk_object(struct sim *s, const json_t *body, const struct resource *r, int64_t i)
{
    char uid[UUID_TEXT];
    const char *ns = json_str_at(body, "namespace");
    int64_t spaces = json_int_at(body, "namespaces"), size = json_int_at(body, "size");
    json_t *like = json_object_get(body, "object");
    json_t *o = json_is_map(like) ? json_copy_deep(like) : json_object();
    AUTO(free_p) char *name = bulk_name(body, i);
    AUTO(free_p)
    char *space = spaces > 0 ? xasprintf("%s%lld", ns ? ns : "bulk-", (long long)(i % spaces))
                             : xstrdup(ns ? ns : "default");
    bulk_uid(r, name, uid);
    fill_in(o, "{name}", name);
    add_bulk_owner(s, o, json_object_get(body, "owner"), i);
    json_put_at(o, json_string(name), "metadata", "name");
    if (r->flags & R_NAMESPACED)
        json_put_at(o, json_string(space), "metadata", "namespace");
    json_put_at(o, json_string(uid), "metadata", "uid");
    json_put_at(o, sim_now(), "metadata", "creationTimestamp");
    AUTO(free_p) char *text = json_text(o, JSON_GO);
    int64_t missing = size - (int64_t)strlen(text) - 60;
    if (missing > 0 && size <= 1 << 20) {
        AUTO(free_p) char *filler = xmalloc((size_t)missing + 1);
        memset(filler, 'x', (size_t)missing);
        filler[missing] = 0;
        json_put_at(o, json_string(filler), "metadata", "annotations", "filler");
    }
    return o;
}

/* {"resource":"configmaps","count":1000,"size":1500,"namespace":"default","namespaces":0,"prefix":"bulk-","object":{},
 * "owner":{...}}: written straight into the store, without defaults and checks; {name} in the texts of
 * `object` is the object's. The namespaces must be there. */
static json_t *bulk(struct exchange *x, const json_t *body, err_t **err)
{
    struct endpoint *e = find_endpoint(x->sim, body, err);
    int64_t n = json_int_at(body, "count"), from = json_int_at(body, "from");
    mono_t start = mono_now();
    if (!e)
        return NULL;
    if (n < 0 || n > 5000000) {
        err_set(err, ERR_INVALID_ARGUMENT, "count: 0 to 5000000");
        return NULL;
    }
    for (int64_t i = from; i < from + n; i++) {
        json_t *o = bulk_object(x->sim, body, e->resource, i);
        store_put(x->sim->store, e->resource, o);
        json_decref(o);
    }
    return json_pack("{s:I,s:I,s:I}", "count", (json_int_t)n, "ms",
                     (json_int_t)((mono_now().ns - start.ns) / NS_PER_MS), "resourceVersion",
                     (json_int_t)store_rv(x->sim->store));
}

/* {"resource":"configmaps","count":10,"from":0,"prefix":...}: changes an annotation of so many objects that
 * `bulk` made. */
static json_t *touch(struct exchange *x, const json_t *body, err_t **err)
{
    struct endpoint *e = find_endpoint(x->sim, body, err);
    int64_t n = json_int_at(body, "count"), from = json_int_at(body, "from"), done = 0;
    char mark[UUID_TEXT];
    random_uuid(mark);
    for (int64_t i = from; e && i < from + n; i++) {
        AUTO_JSON like = bulk_object(x->sim, body, e->resource, i);
        AUTO_JSON o = read_object(e, str_or_empty(json_str_at(like, "metadata", "namespace")),
                                  json_str_at(like, "metadata", "name"));
        if (!o)
            continue;
        json_put_at(o, json_string(mark), "metadata", "annotations", "touched");
        store_put(x->sim->store, e->resource, o);
        done++;
    }
    return e ? json_pack("{s:I}", "count", (json_int_t)done) : NULL;
}

/* ---- the rest ---- */

static json_t *stats(struct exchange *x)
{
    struct sim *s = x->sim;
    struct store_stats st;
    size_t blobs, bytes;
    store_stats(s->store, &s->registry, &st);
    blob_stats(&blobs, &bytes);
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "objects", (json_int_t)st.objects,
                     "resourceVersion", (json_int_t)st.rv, "forgotten", (json_int_t)st.compacted, "changes",
                     (json_int_t)st.changes, "historyBytes", (json_int_t)st.history_bytes, "blobs",
                     (json_int_t)blobs, "blobBytes", (json_int_t)bytes, "watches",
                     (json_int_t)watch_count(&s->registry), "queued", (json_int_t)controllers_queued(s));
}

static json_t *writes(struct exchange *x)
{
    struct audit_filter f = {.verb = http_query(x->request, "verb"),
                             .resource = http_query(x->request, "resource"),
                             .ns = http_query(x->request, "namespace"),
                             .name = http_query(x->request, "name"),
                             .user_agent = http_query(x->request, "userAgent")};
    str_to_u64(str_or_empty(http_query(x->request, "since")), &f.since);
    return audit_writes(x->sim->audit, &f);
}

static json_t *get_faults(struct exchange *x, const json_t *body, err_t **err)
{
    return faults_get(x->sim->faults);
}
static json_t *put_faults(struct exchange *x, const json_t *body, err_t **err)
{
    return admin_set_faults(x->sim, body, err) < 0 ? NULL : faults_get(x->sim->faults);
}
static json_t *delete_faults(struct exchange *x, const json_t *body, err_t **err)
{
    AUTO_JSON none = json_object();
    return put_faults(x, none, err);
}
static json_t *get_options(struct exchange *x, const json_t *body, err_t **err)
{
    return options_json(x->sim);
}
static json_t *put_options(struct exchange *x, const json_t *body, err_t **err)
{
    return options_set(x->sim, body, err) < 0 ? NULL : options_json(x->sim);
}
static json_t *get_stats(struct exchange *x, const json_t *body, err_t **err)
{
    return stats(x);
}
static json_t *get_writes(struct exchange *x, const json_t *body, err_t **err)
{
    return writes(x);
}
static json_t *get_requests(struct exchange *x, const json_t *body, err_t **err)
{
    return audit_counters(x->sim->audit);
}
static json_t *post_reset(struct exchange *x, const json_t *body, err_t **err)
{
    audit_reset(x->sim->audit);
    return json_object();
}
static json_t *post_compact(struct exchange *x, const json_t *body, err_t **err)
{
    int64_t keep = json_int_at(body, "keep");
    store_compact(x->sim->store, keep > 0 ? (size_t)keep : 0);
    return stats(x);
}
static json_t *post_drop(struct exchange *x, const json_t *body, err_t **err)
{
    return json_pack("{s:I}", "count",
                     (json_int_t)watch_cut_all(&x->sim->registry, json_str_at(body, "resource")));
}

static const struct {
    const char *method, *path;
    json_t *(*handle)(struct exchange *x, const json_t *body, err_t **err);
} paths[] = {
    {"GET", "/kubesim/faults", get_faults},
    {"PUT", "/kubesim/faults", put_faults},
    {"DELETE", "/kubesim/faults", delete_faults},
    {"GET", "/kubesim/options", get_options},
    {"PUT", "/kubesim/options", put_options},
    {"GET", "/kubesim/stats", get_stats},
    {"GET", "/kubesim/writes", get_writes},
    {"GET", "/kubesim/requests", get_requests},
    {"POST", "/kubesim/reset", post_reset},
    {"POST", "/kubesim/compact", post_compact},
    {"POST", "/kubesim/drop-watches", post_drop},
    {"POST", "/kubesim/bulk", bulk},
    {"POST", "/kubesim/touch", touch},
};

void admin_handle(struct exchange *x)
{
    const struct request *r = x->request;
    AUTO_JSON body = NULL;
    AUTO_ERR err = NULL;
    size_t i = 0;
    while (i < ARRAY_LEN(paths) &&
           (strcmp(paths[i].path, r->path) != 0 || strcmp(paths[i].method, r->method) != 0))
        i++;
    if (i == ARRAY_LEN(paths)) {
        reply_text(x, 404, "text/plain", "no such path below /kubesim/\n");
        return;
    }
    if (r->body.n && json_read(r->body.p, r->body.n, &body, &err) < 0) {
        reply_status_take(x, status_bad_request("%s", err_text(err)));
        return;
    }
    AUTO_JSON result = paths[i].handle(x, body, &err);
    if (result)
        reply_json(x, 200, result);
    else
        reply_status_take(x,
                          status_failure(err_code_to_http(err_code(err)), "BadRequest", "%s", err_text(err)));
}
