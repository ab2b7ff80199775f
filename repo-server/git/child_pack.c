/* Joining packs. Every fetch adds one, and libgit2 never joins them; each is an index to search and a file to
 * keep open.
 *
 * As git's geometric repacking: by falling size, a pack stays as long as it is at least twice as large as all
 * smaller ones together; the rest is written as one. So the work follows what arrived lately, not the size of
 * the repository. */
#include "common/base/vec.h"
#include "repo-server/git/child.h"

#include <dirent.h>
#include <git2.h>
#include <git2/odb_backend.h>
#include <git2/sys/odb_backend.h>
#include <sys/stat.h>

struct pack {
    char *base; /* path without suffix */
    uint64_t size;
};
typedef VEC(struct pack) packs_t;

static int cmp_size(const void *a, const void *b)
{
    const struct pack *x = a, *y = b;
    return x->size > y->size ? -1 : x->size < y->size;
}

static int find_packs(const char *dir, packs_t *out, err_t **err)
{
    AUTO(free_p) char *folder = xasprintf("%s/objects/pack", dir);
    DIR *d = opendir(folder);
    if (!d)
        return err_set(err, ERR_NOT_FOUND, "the repository has no packs");
    for (struct dirent *e; (e = readdir(d));) {
        if (!str_has_prefix(e->d_name, "pack-") || !str_has_suffix(e->d_name, ".pack"))
            continue;
        struct stat st;
        AUTO(free_p) char *path = xasprintf("%s/%s", folder, e->d_name);
        if (stat(path, &st) == 0)
            VEC_PUSH(out,
                     (struct pack){xstrndup(path, strlen(path) - strlen(".pack")), (uint64_t)st.st_size});
    }
    closedir(d);
    VEC_SORT(out, cmp_size);
    return 0;
}

/* How many of the packs, which are sorted by falling size, stay. */
static size_t geometric(const packs_t *packs)
{
    uint64_t smaller = 0;
    VEC_FOREACH(packs, p)
        smaller += p->size;
    size_t keep = 0;
    for (; keep < packs->n; keep++) {
        smaller -= packs->v[keep].size;
        if (packs->v[keep].size < 2 * smaller)
            break;
    }
    return packs->n - keep < 2 ? packs->n : keep;
}

static int insert_one(const git_oid *oid, void *builder)
{
    return git_packbuilder_insert(builder, oid, NULL);
}

static int insert_pack(git_packbuilder *builder, const struct pack *p)
{
    AUTO(free_p) char *index = xasprintf("%s.idx", p->base);
    git_odb_backend *backend = NULL;
    git_odb *odb = NULL;
    int r = git_odb_new(&odb);
    if (r == 0)
        r = git_odb_backend_one_pack(&backend, index);
    if (r == 0)
        r = git_odb_add_backend(odb, backend, 1);
    if (r == 0)
        r = git_odb_foreach(odb, insert_one, builder);
    git_odb_free(odb);
    return r;
}

static int join(git_repository *repo, const packs_t *packs, size_t keep, str_t *out, err_t **err)
{
    git_packbuilder *builder = NULL;
    int r = git_packbuilder_new(&builder, repo);
    for (size_t i = keep; r == 0 && i < packs->n; i++)
        r = insert_pack(builder, &packs->v[i]);
    if (r == 0)
        r = git_packbuilder_write(builder, NULL, 0, NULL, NULL);
    if (r < 0) {
        git_packbuilder_free(builder);
        return git_child_failed(ERR_DATA_LOSS, "join packs", err);
    }
    const char *name = git_packbuilder_name(builder);
    for (size_t i = keep; i < packs->n; i++) {
        /* The same objects make the same name: then the new pack is the old one. */
        if (!name || !str_has_suffix(packs->v[i].base, name))
            str_printf(out, "%s\n", packs->v[i].base);
    }
    git_packbuilder_free(builder);
    return 0;
}

int git_child_pack(const struct git_job *job, str_t *out, err_t **err)
{
    git_repository *repo = NULL;
    packs_t packs = {};
    int r = find_packs(job->dir, &packs, err);
    size_t keep = r == 0 ? geometric(&packs) : 0;
    if (r == 0 && keep < packs.n) {
        if (git_repository_open_bare(&repo, job->dir) < 0)
            r = git_child_failed(ERR_DATA_LOSS, "open the repository", err);
        else
            r = join(repo, &packs, keep, out, err);
    }
    git_repository_free(repo);
    VEC_FOREACH(&packs, p)
        free(p->base);
    VEC_FREE(&packs);
    return r;
}
