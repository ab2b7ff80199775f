#include "common/base/file.h"
#include "common/base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int fd_read_all(int fd, const char *name, str_t *out, err_t **err)
{
    enum { STEP = 64 << 10 };
    size_t max = out->max ? out->max : STR_DEFAULT_MAX;
    str_add(out, "", 0);
    for (;;) {
        size_t room = min_size(STEP, max - out->len);
        char extra = 0, *to = room ? str_reserve(out, room) : &extra;
        ssize_t n = read(fd, to, room ? room : 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, errno, "read %s", name);
        if (n == 0)
            break;
        if (!room)
            return err_set(err, ERR_RESOURCE_EXHAUSTED, "read %s: larger than %zu bytes", name, max);
        out->len += (size_t)n;
    }
    out->p[out->len] = 0;
    return 0;
}

int file_read(const char *path, str_t *out, err_t **err)
{
    AUTO(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno, "open %s", path);
    return fd_read_all(fd, path, out, err);
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno != EINTR)
            return -1;
        if (w > 0) {
            p += w;
            n -= (size_t)w;
        }
    }
    return 0;
}

int file_write(const char *path, const void *p, size_t n, mode_t mode, err_t **err)
{
    AUTO(free_p) char *tmp = xasprintf("%s.tmp-XXXXXX", path);
    AUTO(close_p) int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno, "create %s", tmp);
    if (fchmod(fd, mode) < 0 || write_all(fd, p, n) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0) {
        int saved = errno;
        unlink(tmp);
        return err_set_errno(err, saved, "write %s", path);
    }
    return 0;
}

int dir_make(const char *path, mode_t mode, err_t **err)
{
    AUTO(free_p) char *copy = xstrdup(path);
    for (char *p = copy + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char saved = *p;
        *p = 0;
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return err_set_errno(err, errno, "create directory %s", copy);
        *p = saved;
        if (!saved)
            return 0;
    }
}

static int remove_at(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
        fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    fchmod(fd, 0700);
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return -1;
    }
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            r = remove_at(fd, e->d_name);
    int saved = errno;
    closedir(d);
    errno = saved;
    return r < 0 ? r : unlinkat(dir, name, AT_REMOVEDIR);
}

int dir_remove(const char *path, err_t **err)
{
    if (remove_at(AT_FDCWD, path) < 0 && errno != ENOENT)
        return err_set_errno(err, errno, "remove %s", path);
    return 0;
}

int dir_make_temp(const char *parent, const char *prefix, char **path, err_t **err)
{
    if (!parent)
        parent = getenv("TMPDIR");
    AUTO(free_p) char *tmp = xasprintf("%s/%s-XXXXXX", str_empty(parent) ? "/tmp" : parent, prefix);
    if (!mkdtemp(tmp))
        return err_set_errno(err, errno, "create directory %s", tmp);
    *path = TAKE(tmp);
    return 0;
}

bool file_stamp(const char *path, struct file_stamp *out)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return false;
    *out = (struct file_stamp){.mtime_ns = st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec,
                               .ino = st.st_ino,
                               .size = (uint64_t)st.st_size};
    return true;
}

bool file_stamp_eq(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->mtime_ns == b->mtime_ns && a->ino == b->ino && a->size == b->size;
}
