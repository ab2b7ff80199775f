/* Directories are entered component by component without following links, so that no link of the archive
 * leads a later entry astray. */
#include "common/base/str.h"
#include "common/base/tgz.h"
#include "common/base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH = 4096 };

struct extraction {
    int dir, file;
    const struct tgz_extract_options *options;
};

typedef VEC(view_t) parts_t;

/* Adds the components of a path to those that are there, resolving "." and "..". False when it leads above
 * the root. */
static bool add_parts(const char *path, parts_t *parts)
{
    view_t rest = view_of(path), one;
    while (view_split(&rest, '/', &one)) {
        if (!one.n || view_eq(one, "."))
            continue;
        if (!view_eq(one, "..")) {
            VEC_PUSH(parts, one);
        } else if (!parts->n) {
            return false;
        } else {
            parts->n--;
        }
    }
    return true;
}

static int enter(const struct extraction *x, const parts_t *parts, size_t n, err_t **err)
{
    int fd = fcntl(x->dir, F_DUPFD_CLOEXEC, 0);
    for (size_t i = 0; fd >= 0 && i < n; i++) {
        AUTO(free_p) char *name = xstrndup(parts->v[i].p, parts->v[i].n);
        if (mkdirat(fd, name, 0755) < 0 && errno != EEXIST) {
            close(fd);
            return err_set_errno(err, errno, "make the directory %s", name);
        }
        int next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(fd);
        fd = next;
    }
    return fd < 0 ? err_set_errno(err, errno, "enter a directory of the archive") : fd;
}

static int make_file(struct extraction *x, int dir, const char *name, unsigned mode, err_t **err)
{
    mode = x->options->keep_modes ? mode & 0777 : 0644;
    unlinkat(dir, name, 0);
    x->file = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (x->file < 0 || fchmod(x->file, (mode_t)mode) < 0)
        return err_set_errno(err, errno, "write %s", name);
    return 0;
}

/* The way from a directory that is `depth` below the root to these components. */
static char *relative(const parts_t *target, size_t depth)
{
    AUTO_STR s = STR_INIT;
    for (size_t i = 0; i < depth; i++)
        str_puts(&s, "../");
    for (size_t i = 0; i < target->n; i++) {
        str_add(&s, target->v[i].p, target->v[i].n);
        str_putc(&s, '/');
    }
    if (s.len)
        str_truncate(&s, s.len - 1);
    else
        str_putc(&s, '.');
    return str_take(&s);
}

static int make_link(const struct extraction *x, int dir, const char *name, const parts_t *where,
                     const char *target, err_t **err)
{
    parts_t end = {};
    for (size_t i = 0; i + 1 < where->n; i++)
        VEC_PUSH(&end, where->v[i]);
    bool inside = add_parts(target, &end);
    AUTO(free_p) char *text = relative(&end, where->n - 1);
    VEC_FREE(&end);
    if (!inside)
        return err_set(err, ERR_INVALID_ARGUMENT, "illegal filepath in symlink: %s", target);
    unlinkat(dir, name, 0);
    return symlinkat(text, dir, name) < 0 ? err_set_errno(err, errno, "make the link %s", name) : 0;
}

static int on_entry(void *arg, const struct tgz_entry *e, err_t **err)
{
    struct extraction *x = arg;
    parts_t parts = {};
    close_p(&x->file);
    bool inside = strlen(e->path) <= MAX_PATH && add_parts(e->path, &parts);
    int r = inside ? 0 : err_set(err, ERR_INVALID_ARGUMENT, "illegal filepath in archive: %s", e->path);
    if (r == 0 && parts.n) {
        AUTO(close_p) int dir = enter(x, &parts, e->kind == TGZ_DIR ? parts.n : parts.n - 1, err);
        view_t last = parts.v[parts.n - 1];
        AUTO(free_p) char *name = xstrndup(last.p, last.n);
        if (dir < 0)
            r = err_again(err);
        else if (e->kind == TGZ_FILE)
            r = make_file(x, dir, name, e->mode, err);
        else if (e->kind == TGZ_LINK)
            r = make_link(x, dir, name, &parts, e->target, err);
    }
    VEC_FREE(&parts);
    return r;
}

static int on_data(void *arg, const void *p, size_t n, err_t **err)
{
    const struct extraction *x = arg;
    const char *at = p;
    while (n) {
        ssize_t w = write(x->file, at, n);
        if (w < 0 && errno != EINTR)
            return err_set_errno(err, errno, "write a file of the archive");
        at += w > 0 ? w : 0;
        n -= w > 0 ? (size_t)w : 0;
    }
    return 0;
}

int tgz_extract(int fd, const char *dir, const struct tgz_extract_options *options, err_t **err)
{
    struct extraction x = {
        .dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), .file = -1, .options = options};
    if (x.dir < 0)
        return err_set_errno(err, errno, "open the directory of an archive");
    struct tgz_reading reading = {on_entry, on_data, &x, options->max_bytes, 0};
    int r = tgz_read(fd, &reading, err);
    close_p(&x.file);
    close(x.dir);
    return r;
}
