/* Building and encoding a trace. Reading it back is trace_check.c.
 *
 * Encoding, all numbers as base-128 varints, texts as length and bytes:
 *   version, number of roots, roots, number of facts, facts
 *   root: role, node          fact: kind, name, digest (16 bytes)
 *   node: kind | content << 3, [id, 20 bytes, unless absent], and of a directory that was entered:
 *         number of listings, listings, number of children, size of the children in bytes, children
 *   listing: flags (1 dirs, 2 suffixes, 4 include, 8 exclude, 16 base), those texts, digest (16 bytes)
 *   child: name, node; sorted by name */
#include "repo-server/trace.h"
#include "common/base/hash.h"
#include "common/base/map.h"
#include "repo-server/trace_format.h"

struct listing {
    struct trace_listing sel; /* texts are owned */
    unsigned char digest[TRACE_DIGEST];
};

struct tnode {
    struct node seen;
    bool content;
    map_t children; /* struct tnode */
    VEC(struct listing) listings;
};

struct trace_root {
    char *role;
    struct tnode *top;
};

struct fact {
    enum trace_fact kind;
    char *name;
    unsigned char digest[TRACE_DIGEST];
};

struct trace {
    VEC(struct trace_root *) roots;
    VEC(struct fact) facts;
    map_t known_facts; /* "kind name" */
};

static void tnode_free(void *p)
{
    struct tnode *n = p;
    if (!n)
        return;
    map_dispose(&n->children);
    VEC_FOREACH(&n->listings, l) {
        free((char *)l->sel.sel.suffixes);
        free((char *)l->sel.sel.include);
        free((char *)l->sel.sel.exclude);
        free((char *)l->sel.sel.base);
    }
    VEC_FREE(&n->listings);
    free(n);
}

static struct tnode *tnode_new(const struct node *seen)
{
    struct tnode *n = xcalloc(1, sizeof(*n));
    n->seen = *seen;
    n->children.value_free = tnode_free;
    return n;
}

trace_t *trace_new(void)
{
    return xcalloc(1, sizeof(trace_t));
}

void trace_free(trace_t *t)
{
    if (!t)
        return;
    VEC_FOREACH(&t->roots, r) {
        tnode_free((*r)->top);
        free((*r)->role);
        free(*r);
    }
    VEC_FREE(&t->roots);
    VEC_FOREACH(&t->facts, f)
        free(f->name);
    VEC_FREE(&t->facts);
    map_dispose(&t->known_facts);
    free(t);
}

trace_root_t *trace_root(trace_t *t, const char *role)
{
    VEC_FOREACH(&t->roots, r)
        if (str_eq((*r)->role, role))
            return *r;
    trace_root_t *r = xcalloc(1, sizeof(*r));
    r->role = xstrdup(role);
    VEC_PUSH(&t->roots, r);
    return r;
}

void trace_start(trace_root_t *r, const struct node *root)
{
    if (!r->top)
        r->top = tnode_new(root);
}

/* The node of a path; directories on the way are entered as such. They were looked up before, with their ids:
 * whoever notes a path has walked it from the root. */
static struct tnode *find(trace_root_t *r, const char *path, const struct node *seen)
{
    const struct node dir = {.kind = NODE_DIR};
    struct tnode *n = r->top;
    view_t rest = view_of(path), part;
    while (*path && view_split(&rest, '/', &part)) {
        AUTO(free_p) char *name = xstrndup(part.p, part.n);
        struct tnode *child = map_get(&n->children, name);
        if (!child) {
            child = tnode_new(rest.p ? &dir : seen);
            map_put(&n->children, name, child);
        }
        n = child;
    }
    return n;
}

void trace_note(trace_root_t *r, const char *path, const struct node *seen, enum trace_use use)
{
    struct tnode *n = find(r, path, seen);
    n->seen = *seen;
    n->content = n->content || use == TRACE_CONTENT;
}

static bool same_select(const struct tree_select *a, const struct tree_select *b)
{
    return a->dirs == b->dirs && str_eq(a->suffixes, b->suffixes) && str_eq(a->include, b->include) &&
           str_eq(a->exclude, b->exclude) && str_same(a->base, b->base);
}

void trace_listed(trace_root_t *r, const char *path, const struct node *dir, const struct tree_select *sel,
                  const struct tree_entries *all)
{
    struct tnode *n = find(r, path, dir);
    VEC_FOREACH(&n->listings, l)
        if (same_select(&l->sel.sel, sel))
            return;
    bool globs = sel->include || sel->exclude;
    struct listing *l = VEC_ADD(&n->listings);
    l->sel.sel = (struct tree_select){
        .suffixes = sel->suffixes ? xstrdup(sel->suffixes) : NULL,
        .dirs = sel->dirs,
        .include = sel->include ? xstrdup(sel->include) : NULL,
        .exclude = sel->exclude ? xstrdup(sel->exclude) : NULL,
        .base = globs && !str_empty(sel->base) ? xstrdup(sel->base) : NULL,
    };
    trace_digest_listing(&l->sel.sel, all, l->digest);
}

/* Names and kinds, not ids: what of the content mattered is noted where it was read. */
void trace_digest_listing(const struct tree_select *sel, const struct tree_entries *all,
                          unsigned char out[TRACE_DIGEST])
{
    unsigned char full[SHA256_SIZE];
    sha256_ctx_t *c = sha256_begin();
    for (size_t i = 0; i < all->n; i++) {
        if (!tree_selected(sel, &all->v[i]))
            continue;
        unsigned char kind = (unsigned char)all->v[i].node.kind;
        sha256_field_str(c, all->v[i].name);
        sha256_add(c, &kind, 1);
    }
    sha256_end(c, full);
    memcpy(out, full, TRACE_DIGEST);
}

void trace_digest_value(const char *value, unsigned char out[TRACE_DIGEST])
{
    unsigned char full[SHA256_SIZE];
    sha256_ctx_t *c = sha256_begin();
    sha256_add(c, value ? "=" : "-", 1);
    sha256_field_str(c, str_or_empty(value));
    sha256_end(c, full);
    memcpy(out, full, TRACE_DIGEST);
}

void trace_fact(trace_t *t, enum trace_fact kind, const char *name, const char *value)
{
    AUTO(free_p) char *key = xasprintf("%d %s", (int)kind, name);
    if (!map_put(&t->known_facts, key, t))
        return;
    struct fact *f = VEC_ADD(&t->facts);
    *f = (struct fact){.kind = kind, .name = xstrdup(kind == FACT_EXPIRES ? value : name)};
    trace_digest_value(value, f->digest);
}

/* ---- encoding ---- */

static void put_number(str_t *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        str_putc(out, (char)(v | 0x80));
    str_putc(out, (char)v);
}

static void put_text(str_t *out, const char *s)
{
    size_t n = strlen(s);
    put_number(out, n);
    str_add(out, s, n);
}

static void put_listing(str_t *out, const struct listing *l)
{
    const struct tree_select *s = &l->sel.sel;
    const char *texts[] = {s->suffixes, s->include, s->exclude, s->base};
    unsigned flags = s->dirs;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        flags |= texts[i] ? 2u << i : 0;
    put_number(out, flags);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i])
            put_text(out, texts[i]);
    str_add(out, l->digest, TRACE_DIGEST);
}

static void put_node(str_t *out, const struct tnode *n);

static void put_children(str_t *out, const struct tnode *n)
{
    AUTO(free_p) const char **names = map_sorted_keys(&n->children);
    for (size_t i = 0; names[i]; i++) {
        put_text(out, names[i]);
        put_node(out, map_get(&n->children, names[i]));
    }
}

static void put_node(str_t *out, const struct tnode *n)
{
    put_number(out, (uint64_t)n->seen.kind | (n->content ? TRACE_CONTENT_BIT : 0));
    if (n->seen.kind != NODE_ABSENT)
        str_add(out, n->seen.id.b, sizeof(n->seen.id.b));
    if (n->seen.kind != NODE_DIR || n->content)
        return; /* of a directory that counts as a whole, its parts need no proof */
    put_number(out, n->listings.n);
    VEC_FOREACH(&n->listings, l)
        put_listing(out, l);
    AUTO_STR children = STR_INIT;
    put_children(&children, n);
    put_number(out, n->children.n);
    put_number(out, children.len);
    str_add(out, str_text(&children), children.len);
}

void trace_encode(const trace_t *t, str_t *out)
{
    put_number(out, TRACE_VERSION);
    put_number(out, t->roots.n);
    VEC_FOREACH(&t->roots, r) {
        const struct tnode nothing = {};
        put_text(out, (*r)->role);
        put_node(out, (*r)->top ? (*r)->top : &nothing);
    }
    put_number(out, t->facts.n);
    VEC_FOREACH(&t->facts, f) {
        put_number(out, f->kind);
        put_text(out, f->name);
        str_add(out, f->digest, TRACE_DIGEST);
    }
}
