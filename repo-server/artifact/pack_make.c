/* Reads the archive in one pass: contents go straight to the file, names into a tree in memory, which is
 * written behind them at the end (why libarchive, and not base/tgz.h: see there). Links are judged when all
 * names are known: their text alone decides, as in Argo CD, not what is there. */
#include "common/base/base.h"
#include "common/base/hash.h"
#include "common/base/map.h"
#include "repo-server/artifact/pack_format.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 64 << 10, MAX_LINK = 4096, MAX_NAME = 255 };

struct node_dir;

struct maker_node {
    struct node node;
    uint64_t offset, size;
    struct node_dir *dir; /* of a directory */
};

struct node_dir {
    map_t nodes; /* struct maker_node by name */
};

struct maker {
    const struct pack_options *options;
    int fd;
    uint64_t at;   /* bytes written */
    uint64_t seen; /* bytes of all members, those left out included */
    size_t n;      /* nodes */
    struct maker_node root;
    VEC(struct pack_file) files;
    VEC(struct pack_dir) dirs;
    VEC(struct pack_entry) entries;
    str_t names;
};

static void node_free(void *p)
{
    struct maker_node *n = p;
    if (n->dir)
        map_dispose(&n->dir->nodes);
    free(n->dir);
    free(n);
}

static struct node_dir *dir_new(void)
{
    struct node_dir *d = xcalloc(1, sizeof(*d));
    d->nodes.value_free = node_free;
    return d;
}

static int too_much(const struct maker *m, err_t **err)
{
    return err_set(err, ERR_RESOURCE_EXHAUSTED,
                   "the archive is too large: more than %llu bytes or %d entries",
                   (unsigned long long)m->options->max_bytes, PACK_MAX_ENTRIES);
}

static int bad_name(const char *name, err_t **err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "illegal filepath in archive: %s", name);
}

/* ---- names ---- */

static struct maker_node *child_dir(struct maker *m, struct maker_node *parent, const char *name)
{
    struct maker_node *n = map_get(&parent->dir->nodes, name);
    if (n)
        return n->node.kind == NODE_DIR ? n : NULL;
    n = xcalloc(1, sizeof(*n));
    n->node.kind = NODE_DIR;
    n->dir = dir_new();
    map_put(&parent->dir->nodes, name, n);
    m->n++;
    return n;
}

/* The directory that a name is in, made on the way; *last is its last component, "" for the root itself. */
static int enter(struct maker *m, const char *name, struct maker_node **parent, char **last, err_t **err)
{
    AUTO(free_p) char *clean = path_clean(name + strspn(name, "/"));
    if (*name == '/' || path_escapes(clean))
        return bad_name(name, err);
    struct maker_node *at = &m->root;
    view_t rest = view_of(strcmp(clean, ".") == 0 ? "" : clean), part;
    unsigned depth = 0;
    while (view_split(&rest, '/', &part) && rest.p) {
        AUTO(free_p) char *dir = xstrndup(part.p, part.n);
        at = part.n <= MAX_NAME && ++depth <= PACK_MAX_DEPTH ? child_dir(m, at, dir) : NULL;
        if (!at)
            return bad_name(name, err);
    }
    if (part.n > MAX_NAME)
        return bad_name(name, err);
    *parent = at;
    *last = part.n ? xstrndup(part.p, part.n) : xstrdup("");
    return 0;
}

static int put_node(struct maker *m, const char *name, const struct maker_node *from, err_t **err)
{
    struct maker_node *parent = NULL;
    AUTO(free_p) char *last = NULL;
    int r = enter(m, name, &parent, &last, err);
    if (r < 0 || (!*last && from->node.kind == NODE_DIR))
        return r;
    if (!*last)
        return bad_name(name, err);
    if (from->node.kind == NODE_DIR) {
        r = child_dir(m, parent, last) ? 0 : bad_name(name, err);
    } else {
        const struct maker_node *old = map_get(&parent->dir->nodes, last);
        if (old && old->node.kind == NODE_DIR)
            return bad_name(name, err);
        m->n += !old;
        map_put(&parent->dir->nodes, last, xmemdup(from, sizeof(*from)));
    }
    return m->n > PACK_MAX_ENTRIES ? too_much(m, err) : r;
}

/* ---- contents ---- */

static int put_bytes(struct maker *m, const void *p, size_t n, err_t **err)
{
    const char *from = p;
    while (n) {
        ssize_t w = write(m->fd, from, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return err_set_errno(err, errno, "write an unpacked archive");
        from += w;
        m->at += (uint64_t)w;
        n -= (size_t)w;
    }
    return 0;
}

static int broken(struct archive *a, err_t **err)
{
    const char *said = archive_error_string(a);
    return err_set(err, ERR_INVALID_ARGUMENT, "read the archive: %s", said ? said : "malformed");
}

static void end_content(sha256_ctx_t *c, struct node_id *out)
{
    unsigned char digest[SHA256_SIZE];
    sha256_end(c, digest);
    memcpy(out->b, digest, sizeof(out->b));
}

static int put_file(struct maker *m, struct archive *a, struct archive_entry *e, const char *name,
                    err_t **err)
{
    struct maker_node n = {.node = {.kind = NODE_FILE, .executable = archive_entry_perm(e) & 0111},
                           .offset = m->at};
    uint64_t max = m->options->max_bytes;
    if (max && archive_entry_size(e) > 0 && (uint64_t)archive_entry_size(e) > max)
        return too_much(m, err);
    sha256_ctx_t *c = sha256_begin();
    AUTO(free_p) char *buf = xmalloc(BLOCK);
    ssize_t got = 0;
    int r = 0;
    while (r == 0 && (got = archive_read_data(a, buf, BLOCK)) > 0) {
        sha256_add(c, buf, (size_t)got);
        m->seen += (uint64_t)got;
        r = max && m->seen > max ? too_much(m, err) : put_bytes(m, buf, (size_t)got, err);
    }
    end_content(c, &n.node.id);
    if (r == 0 && got < 0)
        r = broken(a, err);
    n.size = m->at - n.offset;
    if (r == 0 && archive_entry_size_is_set(e) && (uint64_t)archive_entry_size(e) != n.size)
        r = err_set(err, ERR_INVALID_ARGUMENT, "read the archive: %s has holes", name);
    return r < 0 ? r : put_node(m, name, &n, err);
}

/* The link's text as Argo CD writes it: relative, from the directory of the link. A target from the root is
 * taken for one from that directory. */
static char *inside_target(const char *name, const char *target)
{
    AUTO(free_p) char *clean = path_clean(name);
    const char *slash = strrchr(clean, '/');
    AUTO(free_p) char *dir = slash ? xstrndup(clean, (size_t)(slash - clean)) : xstrdup("");
    AUTO(free_p) char *full = path_join(dir, target + strspn(target, "/"));
    if (path_escapes(full))
        return NULL;
    return path_clean(target + strspn(target, "/"));
}

static int put_link(struct maker *m, const char *name, const char *target, err_t **err)
{
    AUTO(free_p) char *inside = strlen(target) <= MAX_LINK ? inside_target(name, target) : NULL;
    if (!inside)
        return err_set(err, ERR_INVALID_ARGUMENT, "illegal filepath in symlink: %s", target);
    struct maker_node n = {.node.kind = NODE_LINK, .offset = m->at, .size = strlen(inside)};
    pack_content_id(inside, n.size, &n.node.id);
    m->seen += n.size;
    int r = put_bytes(m, inside, n.size, err);
    return r < 0 ? r : put_node(m, name, &n, err);
}

static int put_member(struct maker *m, struct archive *a, struct archive_entry *e, err_t **err)
{
    static const struct maker_node dir = {.node.kind = NODE_DIR};
    const char *name = archive_entry_pathname(e), *target = archive_entry_symlink(e);
    if (!name || !utf8_valid(name, strlen(name)))
        return err_set(err, ERR_INVALID_ARGUMENT, "the archive has a name that is no text");
    if (archive_entry_hardlink(e))
        return 0;
    switch (archive_entry_filetype(e)) {
    case AE_IFREG:
        return put_file(m, a, e, name, err);
    case AE_IFLNK:
        return target ? put_link(m, name, target, err) : 0;
    case AE_IFDIR:
        return put_node(m, name, &dir, err);
    default:
        return 0;
    }
}

/* What decompression yields, headers and what is left out included: a bomb is stopped there too. */
static bool swollen(const struct maker *m, struct archive *a)
{
    uint64_t max = m->options->max_bytes;
    return max && (uint64_t)archive_filter_bytes(a, 0) > max + ((uint64_t)PACK_MAX_ENTRIES << 10);
}

static int read_members(struct maker *m, int fd, err_t **err)
{
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    archive_read_support_filter_gzip(a);
    archive_read_support_format_tar(a);
    int r = archive_read_open_fd(a, fd, BLOCK) == ARCHIVE_OK ? 0 : broken(a, err), got = ARCHIVE_OK;
    while (r == 0 && ((got = archive_read_next_header(a, &e)) == ARCHIVE_OK || got == ARCHIVE_WARN)) {
        r = swollen(m, a) ? too_much(m, err) : put_member(m, a, e, err);
    }
    if (r == 0 && got != ARCHIVE_EOF)
        r = broken(a, err);
    archive_read_free(a);
    return r;
}

/* ---- the directory of the pack ---- */

static int cmp_first_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct node_id));
}

static void index_file(struct maker *m, const struct maker_node *n)
{
    VEC_PUSH(&m->files, (struct pack_file){n->node.id, 0, n->offset, n->size});
}

/* Children first, because a directory's id is a digest of theirs. */
static void index_dir(struct maker *m, struct maker_node *dir)
{
    AUTO(free_p) const char **names = map_sorted_keys(&dir->dir->nodes);
    sha256_ctx_t *c = sha256_begin();
    sha256_field_str(c, "dir");
    for (size_t i = 0; names[i]; i++) {
        struct maker_node *n = map_get(&dir->dir->nodes, names[i]);
        if (n->node.kind == NODE_DIR)
            index_dir(m, n);
        else
            index_file(m, n);
        unsigned char head[2] = {(unsigned char)n->node.kind, n->node.executable};
        sha256_add(c, head, sizeof(head));
        sha256_add(c, n->node.id.b, sizeof(n->node.id.b));
        sha256_field_str(c, names[i]);
    }
    end_content(c, &dir->node.id);
    struct pack_dir d = {dir->node.id, (uint32_t)m->entries.n, 0};
    for (size_t i = 0; names[i]; i++, d.n++) {
        const struct maker_node *n = map_get(&dir->dir->nodes, names[i]);
        VEC_PUSH(&m->entries, (struct pack_entry){n->node.id, (uint8_t)n->node.kind, n->node.executable,
                                                  (uint16_t)strlen(names[i]), (uint32_t)m->names.len});
        str_puts(&m->names, names[i]);
    }
    VEC_PUSH(&m->dirs, d);
}

static int write_index(struct maker *m, struct maker_node *root, err_t **err)
{
    AUTO_STR all = STR_INIT;
    index_dir(m, root);
    VEC_SORT(&m->files, cmp_first_ids);
    VEC_SORT(&m->dirs, cmp_first_ids);
    struct pack_tail t = {.files_at = m->at,
                          .nfiles = m->files.n,
                          .ndirs = m->dirs.n,
                          .nentries = m->entries.n,
                          .names_size = m->names.len,
                          .root = root->node.id,
                          .magic = PACK_MAGIC};
    str_add(&all, m->files.v, m->files.n * sizeof(*m->files.v));
    str_add(&all, m->dirs.v, m->dirs.n * sizeof(*m->dirs.v));
    str_add(&all, m->entries.v, m->entries.n * sizeof(*m->entries.v));
    str_add(&all, m->names.p, m->names.len);
    struct node_id digest;
    pack_content_id(str_text(&all), all.len, &digest);
    memcpy(t.digest, &digest, sizeof(t.digest));
    str_add(&all, &t, sizeof(t));
    return put_bytes(m, all.p, all.len, err);
}

/* ---- making ---- */

static int choose_root(struct maker *m, struct maker_node **root, err_t **err)
{
    const char *wanted = m->options->root;
    *root = &m->root;
    if (!wanted)
        return 0;
    struct maker_node *found = map_get(&m->root.dir->nodes, wanted);
    if (strcmp(wanted, "*") == 0) {
        found = NULL;
        MAP_FOREACH(&m->root.dir->nodes, e) {
            struct maker_node *n = e->value;
            if (n->node.kind == NODE_DIR)
                found = found ? &m->root : n;
        }
        if (found == &m->root)
            return err_set(err, ERR_INVALID_ARGUMENT, "the archive has more than one directory at the top");
    }
    if (!found || found->node.kind != NODE_DIR)
        return err_set(err, ERR_INVALID_ARGUMENT, "the archive has no directory '%s'", wanted);
    *root = found;
    return 0;
}

static void maker_dispose(struct maker *m)
{
    close_p(&m->fd);
    map_dispose(&m->root.dir->nodes);
    free(m->root.dir);
    VEC_FREE(&m->files);
    VEC_FREE(&m->dirs);
    VEC_FREE(&m->entries);
    str_dispose(&m->names);
}

int pack_make(int fd, const char *path, const struct pack_options *options, err_t **err)
{
    struct maker m = {.options = options, .names = STR_MAX(UINT32_MAX)};
    AUTO(free_p) char *fresh = xasprintf("%s.XXXXXX", path);
    struct maker_node *root = NULL;
    m.root.node.kind = NODE_DIR;
    m.root.dir = dir_new();
    m.fd = mkostemp(fresh, O_CLOEXEC);
    int r = m.fd < 0 ? err_set_errno(err, errno, "make the file of an archive") : 0;
    if (r == 0)
        r = read_members(&m, fd, err);
    if (r == 0)
        r = choose_root(&m, &root, err);
    if (r == 0)
        r = write_index(&m, root, err);
    if (r == 0 && rename(fresh, path) < 0)
        r = err_set_errno(err, errno, "keep the file of an archive");
    if (r < 0 && m.fd >= 0)
        unlink(fresh);
    maker_dispose(&m);
    return r;
}
