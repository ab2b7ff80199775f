#include "tests/kubesim/audit.h"

#include "common/base/intern.h"
#include "tests/kubesim/status.h"

/* Texts are interned: they repeat. */
enum { F_VERB, F_RESOURCE, F_SUBRESOURCE, F_NAMESPACE, F_NAME, F_AGENT, F_USER, F_UID, F_COUNT };
static const char *const names[F_COUNT] = {"verb", "resource",  "subresource", "namespace",
                                           "name", "userAgent", "user",        "uid"};
struct entry {
    wall_t time;
    const char *field[F_COUNT];
    uint64_t rv;
    int code;
    bool dry_run;
};

struct audit {
    struct entry *ring;
    size_t max;
    uint64_t count; /* ever */
    map_t requests; /* "verb resource code" -> how often, in the pointer */
    uint64_t total;
};

struct audit *audit_new(size_t max_writes)
{
    struct audit *a = xcalloc(1, sizeof(*a));
    a->max = max_writes;
    a->ring = xcalloc(max_writes, sizeof(*a->ring));
    return a;
}

static void clear_entry(struct entry *e)
{
    for (size_t i = 0; i < F_COUNT; i++)
        intern_unref(e->field[i]);
    *e = (struct entry){};
}

void audit_reset(struct audit *a)
{
    for (size_t i = 0; i < a->max; i++)
        clear_entry(&a->ring[i]);
    a->count = a->total = 0;
    map_clear(&a->requests);
}

void audit_free(struct audit *a)
{
    if (!a)
        return;
    audit_reset(a);
    map_dispose(&a->requests);
    free(a->ring);
    free(a);
}

void audit_write(struct audit *a, const struct write *w, const char *verb, const char *name,
                 const json_t *result, const json_t *failure)
{
    const char *texts[F_COUNT] = {
        verb, w->endpoint->resource->key, w->subresource, w->ns, name, w->user_agent, w->user, NULL};
    struct entry *e = &a->ring[a->count++ % a->max];
    clear_entry(e);
    texts[F_UID] = json_str_at(result, "metadata", "uid");
    if (!texts[F_UID])
        texts[F_UID] = json_str_at(result, "details", "uid");
    for (size_t i = 0; i < F_COUNT; i++)
        e->field[i] = intern(str_or_empty(texts[i]));
    str_to_u64(str_or_empty(json_str_at(result, "metadata", "resourceVersion")), &e->rv);
    e->time = wall_now();
    e->code = failure ? status_code(failure) : strcmp(verb, "create") == 0 ? 201 : 200;
    e->dry_run = w->dry_run;
}

void audit_request(struct audit *a, const char *verb, const char *resource, int code)
{
    AUTO(free_p) char *key = xasprintf("%s %s %d", verb, resource, code);
    map_put(&a->requests, key, (void *)((intptr_t)map_get(&a->requests, key) + 1));
    a->total++;
}

json_t *audit_counters(const struct audit *a)
{
    json_t *list = json_array();
    AUTO(free_p) const char **keys = map_sorted_keys(&a->requests);
    for (const char **k = keys; *k; k++) {
        view_t rest = view_of(*k), verb, resource;
        int64_t code = 0;
        view_split(&rest, ' ', &verb);
        view_split(&rest, ' ', &resource);
        str_to_i64(rest.p, &code);
        json_array_append_new(list, json_pack("{s:s%,s:s%,s:I,s:I}", "verb", verb.p, verb.n, "resource",
                                              resource.p, resource.n, "code", (json_int_t)code, "count",
                                              (json_int_t)(intptr_t)map_get(&a->requests, *k)));
    }
    return json_pack("{s:I,s:o}", "total", (json_int_t)a->total, "requests", list);
}

static bool text_fits(const char *want, const char *have)
{
    return str_empty(want) || strcmp(want, have) == 0;
}

static bool fits(const struct audit_filter *f, const struct entry *e)
{
    return (str_empty(f->verb) || list_has(f->verb, e->field[F_VERB])) &&
           text_fits(f->resource, e->field[F_RESOURCE]) && text_fits(f->ns, e->field[F_NAMESPACE]) &&
           text_fits(f->name, e->field[F_NAME]) &&
           (str_empty(f->user_agent) || strstr(e->field[F_AGENT], f->user_agent));
}

static json_t *entry_json(const struct entry *e, uint64_t n)
{
    char time[RFC3339_TEXT];
    rfc3339_micro(e->time, time);
    json_t *o = json_pack("{s:I,s:s,s:i,s:b,s:I}", "n", (json_int_t)n, "time", time, "code", e->code,
                          "dryRun", (int)e->dry_run, "resourceVersion", (json_int_t)e->rv);
    for (size_t i = 0; i < F_COUNT; i++)
        json_set_str(o, names[i], e->field[i]);
    return o;
}

json_t *audit_writes(const struct audit *a, const struct audit_filter *filter)
{
    json_t *list = json_array();
    uint64_t first = a->count > a->max ? a->count - a->max : 0;
    for (uint64_t n = first > filter->since ? first : filter->since; n < a->count; n++) {
        const struct entry *e = &a->ring[n % a->max];
        if (fits(filter, e))
            json_array_append_new(list, entry_json(e, n + 1));
    }
    return json_pack("{s:o,s:I}", "items", list, "last", (json_int_t)a->count);
}
