#include "repo-server/artifact/pack_format.h"
#include "common/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct pack {
    tree_backend_t base;
    int fd;
    char *index; /* from files_at on */
    const struct pack_file *files;
    const struct pack_dir *dirs;
    const struct pack_entry *entries;
    const char *names;
    struct pack_tail tail;
};

static struct pack *self(tree_backend_t *b)
{
    return CONTAINER_OF(b, struct pack, base);
}

void pack_content_id(const void *p, size_t n, struct node_id *out)
{
    unsigned char digest[SHA256_SIZE];
    sha256(p, n, digest);
    memcpy(out->b, digest, sizeof(out->b));
}

static int damaged(err_t **err)
{
    return err_set(err, ERR_DATA_LOSS, "an unpacked archive is damaged");
}

static int read_at(int fd, void *p, size_t n, uint64_t at, err_t **err)
{
    char *to = p;
    while (n) {
        ssize_t got = pread(fd, to, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return damaged(err);
        to += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

static int cmp_ids(const void *key, const void *element)
{
    return memcmp(key, element, sizeof(struct node_id));
}

/* ---- the backend ---- */

static int list(tree_backend_t *b, const struct node_id *dir, struct tree_entries *out, err_t **err)
{
    const struct pack *p = self(b);
    const struct pack_dir *d = bsearch(dir, p->dirs, p->tail.ndirs, sizeof(*d), cmp_ids);
    if (!d)
        return damaged(err);
    out->v = xcalloc(d->n + 1, sizeof(*out->v));
    out->cap = d->n + 1;
    for (uint32_t i = 0; i < d->n; i++) {
        const struct pack_entry *e = &p->entries[d->first + i];
        out->v[out->n++] = (struct tree_entry){
            .name = xstrndup(p->names + e->name, e->name_size),
            .node = {.kind = (enum node_kind)e->kind, .executable = e->executable != 0, .id = e->id},
        };
    }
    return 0;
}

static const struct pack_file *find_file(const struct pack *p, const struct node_id *id)
{
    return bsearch(id, p->files, p->tail.nfiles, sizeof(struct pack_file), cmp_ids);
}

static int size(tree_backend_t *b, const struct node_id *file, uint64_t *out, err_t **err)
{
    const struct pack_file *f = find_file(self(b), file);
    if (!f)
        return damaged(err);
    *out = f->size;
    return 0;
}

static int read_content(tree_backend_t *b, const struct node_id *file, str_t *out, err_t **err)
{
    const struct pack_file *f = find_file(self(b), file);
    if (!f)
        return damaged(err);
    size_t max = out->max ? out->max : STR_DEFAULT_MAX;
    if (f->size > max - min_size(out->len, max))
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the file has %llu bytes, more than is allowed",
                       (unsigned long long)f->size);
    char *to = str_reserve(out, f->size + 1);
    struct node_id id;
    int r = to ? read_at(self(b)->fd, to, f->size, f->offset, err) : damaged(err);
    if (r < 0)
        return r;
    pack_content_id(to, f->size, &id);
    if (memcmp(&id, file, sizeof(id)) != 0)
        return damaged(err);
    to[f->size] = '\0';
    out->len += f->size;
    return 0;
}

static void free_backend(tree_backend_t *b)
{
    struct pack *p = self(b);
    close_p(&p->fd);
    free(p->index);
    free(p);
}

/* ---- opening ---- */

static bool entries_fit(const struct pack *p)
{
    for (uint64_t i = 0; i < p->tail.nentries; i++) {
        const struct pack_entry *e = &p->entries[i];
        if ((uint64_t)e->name + e->name_size > p->tail.names_size || e->kind == NODE_ABSENT ||
            e->kind > NODE_LINK)
            return false;
    }
    for (uint64_t i = 0; i < p->tail.ndirs; i++)
        if ((uint64_t)p->dirs[i].first + p->dirs[i].n > p->tail.nentries)
            return false;
    return true;
}

static int load_index(struct pack *p, uint64_t file_size, err_t **err)
{
    struct pack_tail *t = &p->tail;
    const uint64_t many = 2 * PACK_MAX_ENTRIES;
    int r = file_size < sizeof(*t) ? damaged(err)
                                   : read_at(p->fd, t, sizeof(*t), file_size - sizeof(*t), err);
    if (r < 0)
        return r;
    if (memcmp(t->magic, PACK_MAGIC, sizeof(t->magic)) != 0 || t->nfiles > many || t->ndirs > many ||
        t->nentries > many || t->names_size > UINT32_MAX || t->files_at > file_size)
        return damaged(err);
    size_t n = t->nfiles * sizeof(struct pack_file) + t->ndirs * sizeof(struct pack_dir) +
               t->nentries * sizeof(struct pack_entry) + t->names_size;
    if (file_size - t->files_at != n + sizeof(*t))
        return damaged(err);
    p->index = xmalloc(n + 1);
    r = read_at(p->fd, p->index, n, t->files_at, err);
    struct node_id digest;
    pack_content_id(p->index, n, &digest);
    if (r == 0 && memcmp(&digest, t->digest, sizeof(t->digest)) != 0)
        r = damaged(err);
    p->files = (const void *)p->index;
    p->dirs = (const void *)(p->files + t->nfiles);
    p->entries = (const void *)(p->dirs + t->ndirs);
    p->names = (const void *)(p->entries + t->nentries);
    return r == 0 && !entries_fit(p) ? damaged(err) : r;
}

int pack_open(const char *path, tree_backend_t **out, err_t **err)
{
    static const struct tree_backend_ops ops = {list, size, read_content, free_backend};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno, "open an unpacked archive");
    struct pack *p = xcalloc(1, sizeof(*p));
    p->fd = fd;
    p->base.ops = &ops;
    int r = fstat(fd, &st) < 0 ? damaged(err) : load_index(p, (uint64_t)st.st_size, err);
    if (r < 0) {
        free_backend(&p->base);
        return r;
    }
    p->base.root = (struct node){.kind = NODE_DIR, .id = p->tail.root};
    *out = &p->base;
    return 0;
}
