#include "repo-server/artifact/store.h"
#include "common/base/file.h"

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

void artifacts_disk(void *artifacts, disk_items_t *out)
{
    const artifacts_t *a = artifacts;
    disk_add_files(a->packs, 0, out);
    disk_add_files(a->lists, 0, out);
}

/* Who reads one has it open. */
bool artifacts_evict(void *artifacts, const struct disk_item *item)
{
    return unlink(item->path) == 0;
}
