/* A path is walked component by component over listings, which are kept for the life of the tree: a rendering
 * reads many files of few directories. */
#include "repo-server/tree.h"
#include "common/base/enc.h"
#include "common/base/glob.h"
#include "common/base/map.h"
#include "repo-server/trace.h"

enum { MAX_LINKS = 40, MAX_LINK_TARGET = 4096, MAX_PATH = 16384 };

struct tree {
    tree_backend_t *backend;
    trace_root_t *trace; /* NULL: none, or paused */
    trace_root_t *paused;
    const struct tree_lfs *lfs; /* NULL: pointers are text */
    map_t listings;             /* by id in hex; struct tree_entries */
};

void tree_backend_free(tree_backend_t *b)
{
    if (b)
        b->ops->free(b);
}

static void listing_free(void *p)
{
    tree_entries_dispose(p);
    free(p);
}

tree_t *tree_new(tree_backend_t *backend_take, struct trace_root *trace)
{
    tree_t *t = xcalloc(1, sizeof(*t));
    t->backend = backend_take;
    t->trace = trace;
    t->listings.value_free = listing_free;
    if (trace)
        trace_start(trace, &backend_take->root);
    return t;
}

void tree_free(tree_t *t)
{
    if (!t)
        return;
    map_dispose(&t->listings);
    tree_backend_free(t->backend);
    free(t);
}

/* ---- entries ---- */

void tree_entries_dispose(struct tree_entries *e)
{
    for (size_t i = 0; i < e->n; i++)
        free(e->v[i].name);
    free(e->v);
    *e = (struct tree_entries){};
}

static int cmp_entries(const void *a, const void *b)
{
    return strcmp(((const struct tree_entry *)a)->name, ((const struct tree_entry *)b)->name);
}

void tree_entries_sort(struct tree_entries *e)
{
    if (e->n > 1)
        qsort(e->v, e->n, sizeof(*e->v), cmp_entries);
}

const struct node *tree_entries_find(const struct tree_entries *e, const char *name)
{
    struct tree_entry key = {.name = (char *)name};
    const struct tree_entry *found = e->n ? bsearch(&key, e->v, e->n, sizeof(*e->v), cmp_entries) : NULL;
    return found ? &found->node : NULL;
}

static bool suffix_matches(const char *suffixes, const char *name)
{
    view_t rest = view_of(suffixes), one;
    size_t n = strlen(name);
    while (view_split(&rest, '|', &one))
        if (n >= one.n && memcmp(name + n - one.n, one.p, one.n) == 0)
            return true;
    return false;
}

bool tree_selected(const struct tree_select *s, const struct tree_entry *e)
{
    if (e->node.kind == NODE_DIR || e->node.kind == NODE_MODULE)
        return s->dirs;
    if (s->suffixes && !suffix_matches(s->suffixes, e->name))
        return false;
    if (!s->include && !s->exclude)
        return true;
    AUTO(free_p) char *path = xasprintf("%s%s", str_or_empty(s->base), e->name);
    return !(s->exclude && glob_match(s->exclude, path, NULL)) &&
           !(s->include && !glob_match(s->include, path, NULL));
}

static const struct tree_entries *listing(tree_t *t, const struct node_id *dir, err_t **err)
{
    char key[2 * sizeof(dir->b) + 1];
    hex_encode(dir->b, sizeof(dir->b), key);
    struct tree_entries *e = map_get(&t->listings, key);
    if (e)
        return e;
    e = xcalloc(1, sizeof(*e));
    if (t->backend->ops->list(t->backend, dir, e, err) < 0) {
        listing_free(e);
        return NULL;
    }
    map_put(&t->listings, key, e);
    return e;
}

/* ---- walking ---- */

/* The directories on the way, each with the length of the path up to it. */
struct walk {
    VEC(struct node) dirs;
    VEC(size_t) lens;
    str_t path;    /* of the directory at hand */
    str_t pending; /* what is still to be walked */
    unsigned links;
};

static void walk_dispose(struct walk *w)
{
    VEC_FREE(&w->dirs);
    VEC_FREE(&w->lens);
    str_dispose(&w->path);
    str_dispose(&w->pending);
}

static int out_of_bounds(const char *path, err_t **err)
{
    return err_set(err, ERR_FAILED_PRECONDITION, "repository contains out-of-bounds symlinks. file: %s",
                   path);
}

static bool take_component(str_t *pending, str_t *name)
{
    str_reset(name);
    while (pending->len && pending->p[0] == '/')
        str_consume(pending, 1);
    size_t n = strcspn(str_text(pending), "/");
    str_add(name, str_text(pending), n);
    str_consume(pending, n);
    return n > 0;
}

static bool more_pending(const str_t *pending)
{
    const char *p = str_text(pending);
    return p[strspn(p, "/")] != '\0';
}

static void push_dir(struct walk *w, const struct node *dir, const char *name)
{
    VEC_PUSH(&w->lens, w->path.len);
    VEC_PUSH(&w->dirs, *dir);
    if (w->path.len)
        str_putc(&w->path, '/');
    str_puts(&w->path, name);
}

/* Puts a link's target in front of what is still to be walked. Argo CD judges a link by its text: no prefix
 * of it may lead above the root, even when the end is inside. */
static int follow(tree_t *t, struct walk *w, const struct node *link, const char *path, err_t **err)
{
    AUTO_STR target = STR_MAX(MAX_LINK_TARGET);
    if (++w->links > MAX_LINKS)
        return err_set(err, ERR_FAILED_PRECONDITION, "%s: too many levels of symbolic links", path);
    int r = t->backend->ops->read(t->backend, &link->id, &target, err);
    if (r < 0)
        return err_wrap(err, "read the link %s", path);
    const char *text = str_text(&target);
    if (*text == '/' || strlen(text) != target.len)
        return out_of_bounds(path, err);
    size_t depth = w->dirs.n - 1;
    view_t rest = view_of(text), part;
    while (view_split(&rest, '/', &part)) {
        if (view_eq(part, "..")) {
            if (depth-- == 0)
                return out_of_bounds(path, err);
        } else if (part.n && !view_eq(part, ".")) {
            depth++;
        }
    }
    str_putc(&target, '/');
    str_add(&target, str_text(&w->pending), w->pending.len);
    str_dispose(&w->pending);
    w->pending = target;
    target = (str_t)STR_INIT;
    w->pending.max = MAX_PATH;
    return 0;
}

enum step { STEP_ON, STEP_DONE };

static int step(tree_t *t, struct walk *w, const char *name, bool follow_last, struct tree_place *out,
                err_t **err)
{
    const struct node absent = {.kind = NODE_ABSENT};
    const struct tree_entries *entries = listing(t, &w->dirs.v[w->dirs.n - 1].id, err);
    if (!entries)
        return -(int)(err && *err ? (*err)->code : ERR_DATA_LOSS);
    const struct node *found = tree_entries_find(entries, name);
    const struct node *node = found ? found : &absent;
    AUTO(free_p) char *path = w->path.len ? xasprintf("%s/%s", str_text(&w->path), name) : xstrdup(name);
    bool last = !more_pending(&w->pending);
    if (node->kind == NODE_LINK && (!last || follow_last)) {
        if (t->trace)
            trace_note(t->trace, path, node, TRACE_CONTENT);
        return follow(t, w, node, path, err);
    }
    if (t->trace)
        trace_note(t->trace, path, node, TRACE_KIND);
    if (node->kind == NODE_DIR) {
        push_dir(w, node, name);
        return STEP_ON;
    }
    out->node = last ? *node : absent; /* nothing is below a file */
    out->path = TAKE(path);
    return STEP_DONE;
}

static int walk_up(struct walk *w, const char *path, err_t **err)
{
    if (w->dirs.n == 1)
        return out_of_bounds(path, err);
    str_truncate(&w->path, w->lens.v[w->lens.n - 1]);
    w->lens.n--;
    w->dirs.n--;
    return STEP_ON;
}

static int walk(tree_t *t, struct walk *w, const char *path, bool follow_last, struct tree_place *out,
                err_t **err)
{
    AUTO_STR name = STR_MAX(MAX_PATH);
    while (take_component(&w->pending, &name)) {
        int r = STEP_ON;
        if (str_eq(str_text(&name), ".."))
            r = walk_up(w, path, err);
        else if (!str_eq(str_text(&name), "."))
            r = step(t, w, str_text(&name), follow_last, out, err);
        if (str_overflowed(&w->pending))
            r = err_set(err, ERR_FAILED_PRECONDITION, "%s: the path is too long", path);
        if (r != STEP_ON)
            return r < 0 ? r : 0;
    }
    *out = (struct tree_place){w->dirs.v[w->dirs.n - 1], xstrdup(str_text(&w->path))};
    return 0;
}

int tree_look(tree_t *t, const char *path, bool follow_last, struct tree_place *out, err_t **err)
{
    struct walk w = {.path = STR_MAX(MAX_PATH), .pending = STR_MAX(MAX_PATH)};
    struct tree_place place = {};
    str_puts(&w.pending, path);
    VEC_PUSH(&w.dirs, t->backend->root);
    int r = *path == '/' ? err_set(err, ERR_INVALID_ARGUMENT, "%s: the path is absolute", path)
                         : walk(t, &w, path, follow_last, &place, err);
    walk_dispose(&w);
    if (r < 0)
        tree_place_dispose(&place);
    else
        *out = place;
    return r;
}

void tree_place_dispose(struct tree_place *p)
{
    free(p->path);
    *p = (struct tree_place){};
}

/* ---- reading ---- */

int tree_list(tree_t *t, const char *path, const struct tree_select *sel, struct tree_entries *out,
              err_t **err)
{
    static const struct tree_select everything = {.dirs = true};
    struct tree_place place = {};
    int r = tree_look(t, path, true, &place, err);
    if (r == 0 && place.node.kind != NODE_DIR)
        r = err_set(err, ERR_NOT_FOUND, "%s: no such directory", path);
    const struct tree_entries *all = r == 0 ? listing(t, &place.node.id, err) : NULL;
    if (r == 0 && !all)
        r = -(int)(err && *err ? (*err)->code : ERR_DATA_LOSS);
    if (r == 0) {
        sel = sel ? sel : &everything;
        if (t->trace)
            trace_listed(t->trace, place.path, &place.node, sel, all);
        for (size_t i = 0; i < all->n; i++)
            if (tree_selected(sel, &all->v[i]))
                VEC_PUSH(out, (struct tree_entry){xstrdup(all->v[i].name), all->v[i].node});
    }
    tree_place_dispose(&place);
    return r;
}

bool tree_pause(tree_t *t, bool paused)
{
    bool before = t->paused != NULL;
    if (paused && t->trace)
        t->paused = TAKE(t->trace);
    else if (!paused && t->paused)
        t->trace = TAKE(t->paused);
    return before;
}

int tree_read_link(tree_t *t, const char *path, str_t *out, err_t **err)
{
    struct tree_place place = {};
    int r = tree_look(t, path, false, &place, err);
    if (r == 0 && place.node.kind != NODE_LINK)
        r = err_set(err, ERR_NOT_FOUND, "%s: no such link", path);
    if (r == 0 && t->trace)
        trace_note(t->trace, place.path, &place.node, TRACE_CONTENT);
    if (r == 0)
        r = t->backend->ops->read(t->backend, &place.node.id, out, err);
    tree_place_dispose(&place);
    return r;
}

static int find_file(tree_t *t, const char *path, struct tree_place *place, err_t **err)
{
    int r = tree_look(t, path, true, place, err);
    if (r == 0 && place->node.kind != NODE_FILE)
        r = err_set(err, ERR_NOT_FOUND, "%s: no such file", path);
    if (r == 0 && t->trace)
        trace_note(t->trace, place->path, &place->node, TRACE_CONTENT);
    return r;
}

void tree_set_lfs(tree_t *t, const struct tree_lfs *lfs)
{
    t->lfs = lfs;
}

bool lfs_pointer_read(const char *p, size_t n, struct lfs_pointer *out)
{
    static const char version[] = "version https://git-lfs.github.com/spec/v";
    view_t rest = {p, n}, line;
    *out = (struct lfs_pointer){};
    if (n < sizeof(version) || n > LFS_POINTER_MAX || memcmp(p, version, sizeof(version) - 1) != 0)
        return false;
    bool sized = false;
    while (view_split(&rest, '\n', &line)) {
        AUTO(free_p) char *text = xstrndup(line.p, line.n);
        const char *oid = str_after(text, "oid sha256:"), *size = str_after(text, "size ");
        if (oid && strlen(oid) == LFS_OID_HEX - 1 && strspn(oid, "0123456789abcdef") == LFS_OID_HEX - 1)
            memcpy(out->oid, oid, LFS_OID_HEX);
        else if (size)
            sized = str_to_u64(size, &out->size);
    }
    return *out->oid && sized;
}

static int read_node(tree_t *t, const struct node *node, str_t *out, err_t **err)
{
    size_t before = out->len;
    struct lfs_pointer pointer;
    int r = t->backend->ops->read(t->backend, &node->id, out, err);
    if (r < 0 || !t->lfs || !lfs_pointer_read(str_text(out) + before, out->len - before, &pointer))
        return r;
    str_truncate(out, before);
    size_t max = out->max ? out->max : STR_DEFAULT_MAX;
    if (pointer.size > max - before)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the file has %llu bytes, more than is allowed",
                       (unsigned long long)pointer.size);
    return t->lfs->read(t->lfs->arg, &pointer, out, err);
}

int tree_read(tree_t *t, const char *path, str_t *out, err_t **err)
{
    struct tree_place place = {};
    int r = find_file(t, path, &place, err);
    if (r == 0 && (r = read_node(t, &place.node, out, err)) < 0)
        err_wrap(err, "read %s", path);
    tree_place_dispose(&place);
    return r;
}

/* What a pointer stands for counts, not the pointer. */
static int size_of_pointed(tree_t *t, const struct node *node, uint64_t *size, err_t **err)
{
    AUTO_STR text = STR_MAX(LFS_POINTER_MAX);
    struct lfs_pointer pointer;
    int r = t->backend->ops->read(t->backend, &node->id, &text, err);
    if (r == 0 && lfs_pointer_read(str_text(&text), text.len, &pointer))
        *size = pointer.size;
    return r;
}

int tree_size(tree_t *t, const char *path, uint64_t *out, err_t **err)
{
    struct tree_place place = {};
    int r = find_file(t, path, &place, err);
    if (r == 0)
        r = t->backend->ops->size(t->backend, &place.node.id, out, err);
    if (r == 0 && t->lfs && *out < LFS_POINTER_MAX)
        r = size_of_pointed(t, &place.node, out, err);
    tree_place_dispose(&place);
    return r;
}

int tree_whole(tree_t *t, const char *path, err_t **err)
{
    struct tree_place place = {};
    int r = tree_look(t, path, true, &place, err);
    if (r == 0 && t->trace)
        trace_note(t->trace, place.path, &place.node, TRACE_CONTENT);
    tree_place_dispose(&place);
    return r;
}
