/* Lists of versions are files named by who asks whom: an index as lines (index.h), tags one a line. Their
 * modification time tells their age. While one is fetched, others who want the same wait, and then find it.
 */
#include "repo-server/artifact/store.h"
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAGS_FILE_MAX = 64 << 20 };

typedef int (*fill_fn)(struct fetch *f, const char *repository, FILE *out, err_t **err);

static lock_t *lock_of(artifacts_t *a, const char *key)
{
    return &a->list_locks[fnv1a32(key, strlen(key)) % LIST_LOCKS];
}

/* A list is fit when it is younger than the interval, or, if a new one is wanted, than the question. */
static bool is_fit(const struct fetch *f, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return false;
    int64_t age = wall_now().ns - ((int64_t)st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec);
    return age >= 0 && age < (f->fresh_lists ? since(f->started) : f->a->options.list_ttl_ns);
}

static int fill(struct fetch *f, const char *repository, const char *path, fill_fn fn, err_t **err)
{
    AUTO(free_p) char *fresh = xasprintf("%s.XXXXXX", path);
    int fd = mkostemp(fresh, O_CLOEXEC);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (!out)
        return err_set_errno(err, errno, "make the file of a list");
    int r = fn(f, repository, out, err);
    if (fclose(out) != 0 && r == 0)
        r = err_set_errno(err, errno, "keep a list");
    if (r == 0 && rename(fresh, path) < 0)
        r = err_set_errno(err, errno, "keep a list");
    if (r < 0)
        unlink(fresh);
    return r;
}

/* An open file with a fit list. */
static int open_list(struct fetch *f, const char *repository, fill_fn fn, FILE **out, err_t **err)
{
    char key[SHA256_HEX];
    store_key(key, f->remote->access_key, repository, NULL);
    AUTO(free_p) char *path = xasprintf("%s/%s", f->a->lists, key);
    LOCKED(lock_of(f->a, key));
    int r = is_fit(f, path) ? 0 : fill(f, repository, path, fn, err);
    if (r < 0)
        return r;
    *out = fopen(path, "re");
    return *out ? 0 : err_set_errno(err, errno, "read a kept list");
}

/* ---- index.yaml ---- */

static char *index_url(const remote_t *r)
{
    const char *query = strchr(r->base, '?');
    size_t n = query ? (size_t)(query - r->base) : strlen(r->base);
    while (n && r->base[n - 1] == '/')
        n--;
    return xasprintf("%.*s/index.yaml%s", (int)n, r->base, query ? query : "");
}

static int fetch_index(struct fetch *f, const char *repository, FILE *lines, err_t **err)
{
    AUTO(free_p) char *url = index_url(f->remote);
    int fd = store_scratch(f->a, err);
    if (fd < 0)
        return fd;
    FILE *yaml = fdopen(fd, "r+e");
    if (!yaml)
        oom();
    struct remote_answer a;
    struct remote_get get = {.url = url,
                             .identity = REMOTE_SELF,
                             .max = f->a->options.max_index,
                             .fd = fd,
                             .canceled = f->canceled};
    int r = remote_get(f->remote, &f->a->options.remote, &get, &a, err);
    if (r == 0) {
        r = a.status == 200 ? 0 : remote_refused(url, a.status, err);
        remote_answer_dispose(&a);
    }
    lseek(fd, 0, SEEK_SET);
    if (r == 0)
        r = index_reduce(yaml, lines, err);
    fclose(yaml);
    return r < 0 ? err_wrap(err, "read the index of %s", f->remote->shown) : 0;
}

int list_index(struct fetch *f, const char *chart, index_entries_t *out, err_t **err)
{
    FILE *lines = NULL;
    int r = open_list(f, "", fetch_index, &lines, err);
    if (r == 0)
        r = index_read(lines, chart, out, err);
    if (lines)
        fclose(lines);
    return r;
}

/* ---- tags ---- */

static int fetch_tags(struct fetch *f, const char *repository, FILE *lines, err_t **err)
{
    struct registry reg = {.remote = f->remote,
                           .settings = &f->a->options.remote,
                           .repository = repository,
                           .canceled = f->canceled};
    AUTO(strv_free_p) char **tags = NULL;
    int64_t started = mono_now().ns;
    int r = registry_tags(&reg, &tags, err);
    for (size_t i = 0; r == 0 && tags[i]; i++)
        if (!strpbrk(tags[i], "\r\n"))
            fprintf(lines, "%s\n", tags[i]);
    registry_dispose(&reg);
    oci_count(f, "get-tags", started, r);
    return r;
}

int list_versions(struct fetch *f, const char *repository, char ***out, err_t **err)
{
    FILE *lines = NULL;
    AUTO_STR text = STR_MAX(TAGS_FILE_MAX);
    int r = open_list(f, repository, fetch_tags, &lines, err);
    if (r == 0)
        r = fd_read_all(fileno(lines), "a kept list", &text, err);
    if (lines)
        fclose(lines);
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] == '_')
            text.p[i] = '+';
    if (r == 0)
        *out = strv_split(str_text(&text), "\n", true);
    return r;
}
