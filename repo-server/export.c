/* Directories are made and entered component by component without following links, so that no link of the
 * tree, not even one that is written by an earlier step, leads a later write astray. */
#include "repo-server/export.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LINKS = 40, MAX_DEPTH = 200, MAX_LINK_TARGET = 4096 };

int export_open(struct export *e, tree_t *tree, const char *dir, err_t **err)
{
    *e = (struct export){
        .tree = tree, .dir = xstrdup(dir), .fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    return e->fd < 0 ? err_set_errno(err, errno, "open the directory of the sources") : 0;
}

void export_close(struct export *e)
{
    close_p(&e->fd);
    free(TAKE(e->dir));
    map_dispose(&e->done);
}

/* Opens (making it) the directory of a path's last component. */
static int enter_parent(struct export *e, const char *path, const char **name, int *out, err_t **err)
{
    AUTO(close_p) int fd = dup(e->fd);
    view_t rest = view_of(path), part;
    for (;;) {
        view_split(&rest, '/', &part);
        if (!rest.p)
            break;
        AUTO(free_p) char *dir = xstrndup(part.p, part.n);
        if (mkdirat(fd, dir, 0700) < 0 && errno != EEXIST)
            return err_set_errno(err, errno, "make the directory %s", path);
        int next = openat(fd, dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return err_set_errno(err, errno, "enter the directory of %s", path);
        close(fd);
        fd = next;
    }
    *name = part.p;
    *out = fd;
    fd = -1;
    return 0;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -1;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

static int put_file(struct export *e, const char *path, const void *p, size_t n, bool executable, err_t **err)
{
    const char *name;
    AUTO(close_p) int dir = -1;
    int r = enter_parent(e, path, &name, &dir, err);
    if (r < 0)
        return r;
    unlinkat(dir, name, 0);
    AUTO(close_p)
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    executable ? 0700 : 0600);
    if (fd < 0 || write_all(fd, p, n) < 0)
        return err_set_errno(err, errno, "write %s", path);
    return 0;
}

int export_put(struct export *e, const char *path, const void *p, size_t n, err_t **err)
{
    return put_file(e, path, p, n, false, err);
}

static int put_link(struct export *e, const char *path, const char *target, err_t **err)
{
    const char *name;
    AUTO(close_p) int dir = -1;
    int r = enter_parent(e, path, &name, &dir, err);
    if (r < 0)
        return r;
    if (symlinkat(target, dir, name) < 0 && errno != EEXIST)
        return err_set_errno(err, errno, "make the link %s", path);
    return 0;
}

static int put_dir(struct export *e, const char *path, err_t **err)
{
    AUTO(free_p) char *inside = xasprintf("%s/.", path);
    const char *name;
    AUTO(close_p) int dir = -1;
    return *path ? enter_parent(e, inside, &name, &dir, err) : 0;
}

/* True the first time. */
static bool first_visit(struct export *e, const char *path)
{
    return map_put(&e->done, path, e);
}

static int copy_file(struct export *e, const char *path, const struct node *node, err_t **err)
{
    if (!first_visit(e, path))
        return 0;
    AUTO_STR text = STR_MAX(EXPORT_MAX_BYTES - e->bytes + 1);
    int r = tree_read(e->tree, path, &text, err);
    e->bytes += text.len;
    if (++e->files > EXPORT_MAX_FILES || r == -ERR_RESOURCE_EXHAUSTED || e->bytes > EXPORT_MAX_BYTES)
        return err_set(err, ERR_RESOURCE_EXHAUSTED,
                       "the source is too large: more than %d files or %llu bytes", EXPORT_MAX_FILES,
                       (unsigned long long)EXPORT_MAX_BYTES);
    if (r == 0 && e->on_file)
        e->on_file(e->arg, path, str_text(&text), text.len);
    return r < 0 ? r : put_file(e, path, text.p, text.len, node->executable, err);
}

static int walk(struct export *e, const char *base, const char *path, unsigned links, unsigned depth,
                err_t **err);

/* Of what a link in a directory leads to, everything counts, whatever is noted of the rest. */
static int copy_link(struct export *e, const char *path, const char *rest, unsigned links, unsigned depth,
                     err_t **err)
{
    AUTO_STR target = STR_MAX(MAX_LINK_TARGET);
    struct tree_place place = {};
    if (links >= MAX_LINKS)
        return err_set(err, ERR_FAILED_PRECONDITION, "%s: too many levels of symbolic links", path);
    int r = tree_read_link(e->tree, path, &target, err);
    if (r == 0) /* also judges whether it leads out */
        r = tree_look(e->tree, path, true, &place, err);
    if (r == 0)
        r = put_link(e, path, str_text(&target), err);
    if (r == 0 && first_visit(e, path)) {
        bool before = tree_pause(e->tree, false);
        r = tree_whole(e->tree, path, err);
        tree_pause(e->tree, before);
    }
    tree_place_dispose(&place);
    if (r < 0)
        return r;
    const char *slash = strrchr(path, '/');
    AUTO(free_p) char *base = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup("");
    AUTO(free_p)
    char *next = *rest ? xasprintf("%s/%s", str_text(&target), rest) : xstrdup(str_text(&target));
    return walk(e, base, next, links + 1, depth, err);
}

static int copy_dir(struct export *e, const char *path, unsigned links, unsigned depth, err_t **err)
{
    AUTO(free_p) char *key = xasprintf("%s/", path);
    if (!first_visit(e, key))
        return 0;
    if (depth > MAX_DEPTH)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s: directories are nested too deeply", path);
    struct tree_entries entries = {};
    int r = put_dir(e, path, err);
    if (r == 0)
        r = tree_list(e->tree, path, NULL, &entries, err);
    for (size_t i = 0; r == 0 && i < entries.n; i++) {
        r = walk(e, path, entries.v[i].name, links, depth + 1, err);
        if (r == -ERR_NOT_FOUND &&
            entries.v[i].node.kind == NODE_LINK) { /* dangling: the link alone is there */
            r = 0;
            if (err)
                err_clear(err);
        }
    }
    tree_entries_dispose(&entries);
    return r;
}

static int copy_node(struct export *e, const char *path, const char *rest, unsigned links, unsigned depth,
                     err_t **err)
{
    struct tree_place place = {};
    int r = tree_look(e->tree, path, false, &place, err);
    struct node node = place.node;
    tree_place_dispose(&place);
    if (r < 0)
        return r;
    if (node.kind == NODE_LINK)
        return copy_link(e, path, rest, links, depth, err);
    if (node.kind == NODE_DIR && *rest)
        return walk(e, path, rest, links, depth, err);
    if (node.kind == NODE_DIR)
        return copy_dir(e, path, links, depth, err);
    if (node.kind == NODE_MODULE)
        return put_dir(e, path, err);
    if (node.kind == NODE_ABSENT || *rest)
        return err_set(err, ERR_NOT_FOUND, "%s: no such file or directory", path);
    return copy_file(e, path, &node, err);
}

/* Goes on from the directory `base`, which is free of links, along `path`. */
static int walk(struct export *e, const char *base, const char *path, unsigned links, unsigned depth,
                err_t **err)
{
    path += strspn(path, "/");
    size_t n = strcspn(path, "/");
    const char *rest = path + n + strspn(path + n, "/");
    if (!n)
        return copy_dir(e, base, links, depth, err);
    if (n == 1 && *path == '.')
        return walk(e, base, rest, links, depth, err);
    if (n == 2 && path[0] == '.' && path[1] == '.') {
        const char *slash = strrchr(base, '/');
        AUTO(free_p) char *up = xstrndup(base, slash ? (size_t)(slash - base) : 0);
        if (!*base)
            return err_set(err, ERR_FAILED_PRECONDITION,
                           "repository contains out-of-bounds symlinks. file: %s", path);
        return walk(e, up, rest, links, depth, err);
    }
    AUTO(free_p) char *next = *base ? xasprintf("%s/%.*s", base, (int)n, path) : xstrndup(path, n);
    return copy_node(e, next, rest, links, depth, err);
}

int export_path(struct export *e, const char *path, err_t **err)
{
    return walk(e, "", path, 0, 0, err);
}
