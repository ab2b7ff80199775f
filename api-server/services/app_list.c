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
    VEC_FOREACH(&l->items, it)
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

static int by_name(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->ns, y->ns);
}

/* Our own paging: limit=N, and continue=<name>/<namespace> of the last one seen. Only as much as a page needs
 * is looked at. */
struct page {
    uint64_t limit; /* 0: all */
    const char *after;
    bool more;
};

static struct page asked_page(const call_t *c)
{
    struct page p = {.after = query_get(&c->query, "continue")};
    if (!str_to_u64(str_or_empty(query_get(&c->query, "limit")), &p.limit))
        p.limit = 0;
    return p;
}

static bool is_before(const struct item *i, const char *after)
{
    if (str_empty(after))
        return false;
    const char *slash = strchr(after, '/');
    size_t n = slash ? (size_t)(slash - after) : strlen(after);
    int order = strncmp(i->name, after, n);
    if (!order && i->name[n])
        return false;
    return order ? order < 0 : strcmp(i->ns, slash ? slash + 1 : "") <= 0;
}

/* Keeps what the caller may see and asked for, in order. */
static int filter(call_t *c, struct listing *l, struct page *p, err_t **err)
{
    AUTO(selector_free_p) selector_t *selector = NULL;
    size_t kept = 0;
    if (*arg(c, "selector") && selector_parse(arg(c, "selector"), &selector, err) < 0)
        return err_wrap(err, "error parsing the selector");
    VEC_SORT(&l->items, by_name);
    for (size_t i = 0; i < l->items.n; i++) {
        struct item it = l->items.v[i];
        bool keep = !p->more && !is_before(&it, p->after) && selected(c, &it, selector, arg(c, "repo"));
        p->more |= keep && p->limit && kept == p->limit;
        if (keep && !p->more)
            l->items.v[kept++] = it;
        else
            item_dispose(&it);
    }
    l->items.n = kept;
    return 0;
}

static void write_metadata(call_t *c, const struct listing *l, const struct page *p)
{
    AUTO(free_p) char *version = live_apps_version(c->s->live);
    AUTO_JSON metadata = json_object();
    json_put_str(metadata, "resourceVersion", version);
    if (p->more) {
        const struct item *last = &l->items.v[l->items.n - 1];
        AUTO(free_p) char *key = xasprintf("%s/%s", last->name, last->ns);
        json_set_str(metadata, "continue", key);
    }
    json_write(metadata, JSON_GO, &c->raw);
}

static void write_list(call_t *c, struct listing *l, const struct page *p)
{
    AUTO(fields_free_p) fields_t *fields = fields_of_app_list(query_get(&c->query, "fields"));
    str_puts(&c->raw, "{\"metadata\":");
    write_metadata(c, l, p);
    str_puts(&c->raw, ",\"items\":[");
    for (size_t i = 0; i < l->items.n; i++) {
        const struct live_doc *d = l->items.v[i].doc;
        if (i)
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
    struct page p = asked_page(c);
    live_each_app(c->s->live, collect, &l);
    int rc = filter(c, &l, &p, err);
    if (rc == 0)
        write_list(c, &l, &p);
    listing_dispose(&l);
    return rc;
}
