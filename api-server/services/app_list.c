/* Lists of applications: from bytes to bytes. */
#include "api-server/services/apps.h"
#include "api-server/services/fields.h"
#include "common/argo/app.h"
#include "common/argo/selector.h"
#include "common/base/intern.h"

const json_t *asked_projects(const call_t *c)
{
    const json_t *legacy = json_object_get(c->in, "project"), *projects = json_object_get(c->in, "projects");
    return json_array_size(legacy) ? legacy : json_array_size(projects) ? projects : NULL;
}

bool projects_contain(const json_t *projects, const char *name)
{
    size_t i;
    json_t *p;
    if (!projects)
        return true;
    json_array_foreach((json_t *)projects, i, p)
        if (str_eq(json_string_value(p), name))
            return true;
    return false;
}

bool app_uses_repo(const json_t *app, const char *repo)
{
    AUTO_JSON sources = app_sources(app);
    size_t i;
    json_t *s;
    json_array_foreach(sources, i, s)
        if (str_eq(json_str_at(s, "repoURL"), repo))
            return true;
    return false;
}

/* ---- lists ---- */

struct item {
    const char *project, *ns, *name, *labels; /* interned */
    struct live_doc *doc;
};

struct listing {
    call_t *call;
    const char *ns, *name;
    const json_t *projects;
    VEC(struct item) items;
};

static void collect(void *arg, const struct live_meta *m)
{
    struct listing *l = arg;
    if ((*l->ns && strcmp(l->ns, m->ns) != 0) || (*l->name && strcmp(l->name, m->name) != 0) ||
        !projects_contain(l->projects, m->project) || !server_ns_enabled(l->call->s, m->ns))
        return;
    VEC_PUSH(&l->items, (struct item){intern_ref(m->project), intern_ref(m->ns), intern_ref(m->name),
                                      intern_ref(m->labels), live_doc_ref(m->doc)});
}

static void item_dispose(struct item *i)
{
    intern_unref(i->project);
    intern_unref(i->ns);
    intern_unref(i->name);
    intern_unref(i->labels);
    live_doc_unref(i->doc);
}

static void listing_dispose(struct listing *l)
{
    VEC_FOREACH (&l->items, it)
        item_dispose(it);
    VEC_FREE(&l->items);
}

static bool has_repo(const struct item *i, const char *repo)
{
    AUTO_JSON app = NULL;
    return json_read(i->doc->bytes, i->doc->n, &app, NULL) == 0 && app_uses_repo(app, repo);
}

static bool selected(call_t *c, const struct item *i, const selector_t *selector, const char *repo)
{
    AUTO_JSON labels = NULL;
    if (i->labels)
        json_read_str(i->labels, &labels, NULL);
    if (selector && !selector_matches(selector, labels))
        return false;
    AUTO(free_p) char *object = rbac_app_object(i->project, i->ns, i->name, c->s->flags->ns);
    return call_allowed(c, "applications", "get", object) && (!*repo || has_repo(i, repo));
}

/* Keeps what the caller may see and asked for. */
static int filter(call_t *c, struct listing *l, err_t **err)
{
    AUTO(selector_free_p) selector_t *selector = NULL;
    size_t kept = 0;
    if (*arg(c, "selector") && selector_parse(arg(c, "selector"), &selector, err) < 0)
        return err_wrap(err, "error parsing the selector");
    for (size_t i = 0; i < l->items.n; i++) {
        struct item it = l->items.v[i];
        if (selected(c, &it, selector, arg(c, "repo")))
            l->items.v[kept++] = it;
        else
            item_dispose(&it);
    }
    l->items.n = kept;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->ns, y->ns);
}

/* Our own paging: limit=N, and continue=<name>/<namespace> of the last one seen. */
struct page {
    size_t from, to;
    bool more;
};

static struct page page_of(const call_t *c, const struct listing *l)
{
    struct page p = {0, l->items.n, false};
    const char *after = query_get(&c->query, "continue");
    uint64_t limit = 0;
    while (!str_empty(after) && p.from < p.to) {
        const struct item *i = &l->items.v[p.from];
        AUTO(free_p) char *key = xasprintf("%s/%s", i->name, i->ns);
        if (strcmp(key, after) > 0)
            break;
        p.from++;
    }
    if (str_to_u64(str_or_empty(query_get(&c->query, "limit")), &limit) && limit && p.to - p.from > limit) {
        p.to = p.from + limit;
        p.more = true;
    }
    return p;
}

static void write_metadata(call_t *c, const struct listing *l, const struct page *p)
{
    AUTO(free_p) char *version = live_apps_version(c->s->live);
    AUTO_JSON metadata = json_object();
    json_put_str(metadata, "resourceVersion", version);
    if (p->more) {
        const struct item *last = &l->items.v[p->to - 1];
        AUTO(free_p) char *key = xasprintf("%s/%s", last->name, last->ns);
        json_set_str(metadata, "continue", key);
        json_object_set_new(metadata, "remainingItemCount", json_integer((json_int_t)(l->items.n - p->to)));
    }
    json_write(metadata, JSON_GO, &c->raw);
}

static void write_list(call_t *c, struct listing *l)
{
    AUTO(fields_free_p) fields_t *fields = fields_of_app_list(query_get(&c->query, "fields"));
    struct page p = page_of(c, l);
    str_puts(&c->raw, "{\"metadata\":");
    write_metadata(c, l, &p);
    str_puts(&c->raw, ",\"items\":[");
    for (size_t i = p.from; i < p.to; i++) {
        const struct live_doc *d = l->items.v[i].doc;
        if (i > p.from)
            str_putc(&c->raw, ',');
        if (fields)
            fields_project(fields, d->bytes, d->n, &c->raw);
        else {
            str_add(&c->raw, d->bytes, d->n);
            str_putc(&c->raw, '\n');
        }
    }
    str_puts(&c->raw, "]}");
}

int app_list(call_t *c, json_t **out, err_t **err)
{
    struct listing l = {
        .call = c, .ns = arg(c, "appNamespace"), .name = arg(c, "name"), .projects = asked_projects(c)};
    live_each_app(c->s->live, collect, &l);
    int rc = filter(c, &l, err);
    if (rc == 0) {
        VEC_SORT(&l.items, by_name);
        write_list(c, &l);
    }
    listing_dispose(&l);
    return rc;
}
