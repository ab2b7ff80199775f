#include "api-server/services/fields.h"

#include "common/base/vec.h"
#include "common/json/scan.h"

struct fields {
    char *name;
    bool leaf;           /* the whole value */
    bool except;         /* of the root: the paths are left out instead */
    const char *missing; /* printed when the object has no such key; NULL: nothing */
    bool is_sync_result; /* printed as operation.sync, as the reference does */
    VEC(struct fields *) below;
};

enum { MAX_DEPTH = 32 };

static fields_t *child(fields_t *f, const char *name, size_t n)
{
    VEC_FOREACH(&f->below, it)
        if (strlen((*it)->name) == n && !memcmp((*it)->name, name, n))
            return *it;
    fields_t *c = xcalloc(1, sizeof *c);
    c->name = xstrndup(name, n);
    VEC_PUSH(&f->below, c);
    return c;
}

static fields_t *add_path(fields_t *root, view_t path)
{
    view_t part;
    fields_t *at = root;
    for (int depth = 0; depth < MAX_DEPTH && view_split(&path, '.', &part); depth++)
        at = child(at, part.p, part.n);
    at->leaf = true;
    return at;
}

fields_t *fields_parse(const char *text)
{
    if (str_empty(text) || strlen(text) > FIELDS_MAX)
        return NULL;
    fields_t *root = xcalloc(1, sizeof *root);
    root->except = *text == '-';
    view_t rest = view_of(text + root->except), path;
    while (view_split(&rest, ',', &path)) {
        path = view_trim(path);
        if (path.n)
            add_path(root, path);
    }
    return root;
}

void fields_free(fields_t *f)
{
    if (!f)
        return;
    VEC_FOREACH(&f->below, it)
        fields_free(*it);
    VEC_FREE(&f->below);
    free(f->name);
    free(f);
}

static const fields_t *find(const fields_t *f, view_t key)
{
    VEC_FOREACH(&f->below, it)
        if (view_eq(key, (*it)->name))
            return *it;
    return NULL;
}

const fields_t *fields_below(const fields_t *f, const char *name, bool *all)
{
    const fields_t *c = find(f, view_of(name));
    *all = f->except ? !c : c && c->leaf;
    return c;
}

/* ---- the projection ---- */

struct projector {
    struct json_scan scan;
    str_t *out;
    bool except;
    bool bad;
};

static void value(struct projector *p, const fields_t *f, enum json_token first);

static void copy(struct projector *p, enum json_token first)
{
    view_t bytes;
    if (json_scan_value(&p->scan, first, &bytes))
        str_add(p->out, bytes.p, bytes.n);
    else
        p->bad = true;
}

static void key(struct projector *p, view_t name, bool *any)
{
    str_puts(p->out, *any ? ",\"" : "\"");
    str_add(p->out, name.p, name.n);
    str_puts(p->out, "\":");
    *any = true;
}

static void missing(struct projector *p, const fields_t *f, uint64_t seen, bool *any)
{
    for (size_t i = 0; i < f->below.n && i < 64; i++)
        if (f->below.v[i]->missing && !(seen >> i & 1)) {
            key(p, view_of(f->below.v[i]->name), any);
            str_puts(p->out, f->below.v[i]->missing);
        }
}

static void member(struct projector *p, const fields_t *f, view_t name, bool *any, uint64_t *seen)
{
    const fields_t *c = find(f, name);
    enum json_token t = json_scan_next(&p->scan);
    for (size_t i = 0; c && i < f->below.n && i < 64; i++)
        if (f->below.v[i] == c)
            *seen |= 1ULL << i;
    bool drop = p->except ? c && c->leaf : !c;
    bool whole = p->except ? !c : c && c->leaf;
    if (drop) {
        p->bad |= !json_scan_skip(&p->scan, t);
        return;
    }
    bool renamed = c && c->is_sync_result;
    key(p, renamed ? view_of("operation") : name, any);
    if (renamed)
        str_puts(p->out, "{\"sync\":");
    if (whole)
        copy(p, t);
    else
        value(p, c, t);
    if (renamed)
        str_putc(p->out, '}');
}

static void object(struct projector *p, const fields_t *f)
{
    bool any = false;
    uint64_t seen = 0;
    enum json_token t = JT_ERROR;
    str_putc(p->out, '{');
    while (!p->bad && (t = json_scan_next(&p->scan)) == JT_KEY)
        member(p, f, p->scan.text, &any, &seen);
    p->bad |= t != JT_OBJECT_END;
    missing(p, f, seen, &any);
    str_putc(p->out, '}');
}

static void array(struct projector *p, const fields_t *f)
{
    bool any = false;
    enum json_token t;
    str_putc(p->out, '[');
    while (!p->bad && (t = json_scan_next(&p->scan)) != JT_ARRAY_END) {
        if (t == JT_ERROR || t == JT_END) {
            p->bad = true;
            break;
        }
        if (any)
            str_putc(p->out, ',');
        any = true;
        value(p, f, t);
    }
    str_putc(p->out, ']');
}

static void value(struct projector *p, const fields_t *f, enum json_token first)
{
    if (first == JT_OBJECT_BEGIN)
        object(p, f);
    else if (first == JT_ARRAY_BEGIN)
        array(p, f);
    else
        copy(p, first);
}

void fields_project(const fields_t *f, const char *text, size_t n, str_t *out)
{
    struct projector p = {.out = out, .except = f->except};
    size_t before = out->len;
    json_scan_init(&p.scan, text, n);
    value(&p, f, json_scan_next(&p.scan));
    if (p.bad)
        str_truncate(out, before);
}

/* ---- the application list ---- */

/* What may be selected of an application in a list, and what stands for it when the object lacks it: Go's nil
 * pointers, maps and slices print as null, structs as {}, texts as "". */
static const struct {
    const char *path, *missing;
} selectable[] = {
    {"metadata.name", "\"\""},
    {"metadata.namespace", "\"\""},
    {"metadata.annotations", "null"},
    {"metadata.labels", "null"},
    {"metadata.creationTimestamp", "null"},
    {"metadata.deletionTimestamp", "null"},
    {"spec", "{}"},
    {"spec.destination", "{}"},
    {"spec.project", "\"\""},
    {"spec.source", "null"},
    {"spec.sources", "null"},
    {"spec.sourceHydrator", "null"},
    {"spec.syncPolicy", "null"},
    {"status.sourceHydrator", "{}"},
    {"status.summary", "{}"},
    {"status.sync.status", "\"\""},
    {"status.sync.revision", "\"\""},
    {"status.health", "{}"},
    {"status.operationState.startedAt", NULL},
    {"status.operationState.finishedAt", NULL},
    {"status.operationState.phase", NULL},
    {"status.operationState.operation.sync", NULL},
    {"status.resources", NULL},
    {"operation.sync", NULL},
};

/* Whether `path` is selected by the list: itself or something above it. */
static bool selects(const fields_t *f, const char *path)
{
    view_t rest = view_of(path), part;
    const fields_t *at = f;
    while (at && view_split(&rest, '.', &part)) {
        at = find(at, part);
        if (at && at->leaf)
            return true;
    }
    return false;
}

fields_t *fields_of_app_list(const char *text)
{
    AUTO(fields_free_p) fields_t *asked = fields_parse(text);
    if (!asked)
        return NULL;
    const fields_t *items = find(asked, view_of("items"));
    fields_t *out = xcalloc(1, sizeof *out);
    for (size_t i = 0; i < ARRAY_LEN(selectable); i++) {
        bool named = items && (items->leaf || selects(items, selectable[i].path));
        if (named == asked->except)
            continue;
        if (!strcmp(selectable[i].path, "status.operationState.operation.sync"))
            add_path(out, view_of("status.operationState.syncResult"))->is_sync_result = true;
        else
            add_path(out, view_of(selectable[i].path))->missing = selectable[i].missing;
    }
    return out;
}
