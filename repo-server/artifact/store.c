#include "repo-server/artifact/store.h"
#include "common/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_KNOWN = 20000 };

struct kept {
    mono_t at;
    char value[];
};

char *store_recall(artifacts_t *a, map_t *map, const char *key, int64_t ttl_ns)
{
    LOCKED(&a->lock);
    const struct kept *k = map_get(map, key);
    return k && since(k->at) < ttl_ns ? xstrdup(k->value) : NULL;
}

void store_remember(artifacts_t *a, map_t *map, const char *key, const char *value)
{
    size_t n = strlen(value);
    struct kept *k = xmalloc(sizeof(*k) + n + 1);
    k->at = mono_now();
    memcpy(k->value, value, n + 1);
    LOCKED(&a->lock);
    if (map->n >= MAX_KNOWN)
        map_clear(map);
    map_put(map, key, k);
}

void store_key(char out[SHA256_HEX], ...)
{
    va_list ap;
    sha256_ctx_t *c = sha256_begin();
    va_start(ap, out);
    for (const char *s; (s = va_arg(ap, const char *));)
        sha256_field_str(c, s);
    va_end(ap);
    sha256_end_hex(c, out);
}

char *store_pack_path(const artifacts_t *a, const char *key)
{
    return xasprintf("%s/%s", a->packs, key);
}

bool store_has_pack(const char *path)
{
    return utimensat(AT_FDCWD, path, NULL, 0) == 0;
}

int store_scratch(const artifacts_t *a, err_t **err)
{
    AUTO(free_p) char *path = xasprintf("%s/.fetch-XXXXXX", a->packs);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno, "make a file for a download");
    unlink(path);
    return fd;
}

/* ---- space ---- */

struct used {
    char *path;
    int64_t at;
    uint64_t size;
};
typedef VEC(struct used) used_list_t;

static int cmp_used(const void *a, const void *b)
{
    const struct used *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static uint64_t find_used(const char *dir, used_list_t *out)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    uint64_t total = 0;
    while (d && (e = readdir(d))) {
        AUTO(free_p) char *path = xasprintf("%s/%s", dir, e->d_name);
        struct stat st;
        if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        total += (uint64_t)st.st_size;
        VEC_PUSH(out, (struct used){TAKE(path), st.st_mtim.tv_sec, (uint64_t)st.st_size});
    }
    if (d)
        closedir(d);
    return total;
}

void store_trim(artifacts_t *a)
{
    used_list_t list = {};
    uint64_t total = find_used(a->packs, &list), max = a->options.max_disk;
    VEC_SORT(&list, cmp_used);
    for (size_t i = 0; i + 1 < list.n && total > max; i++) { /* the newest stays, whatever its size */
        unlink(list.v[i].path);
        total -= list.v[i].size;
    }
    VEC_FOREACH(&list, u)
        free(u->path);
    VEC_FREE(&list);
}
