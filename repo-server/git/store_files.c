#include "repo-server/git/store_files.h"
#include "common/base/file.h"
#include "common/base/str.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

/* libgit2's defaults (256 MiB of cache, 8 GiB of mapped windows) are those of a program that serves one
 * repository. */
void store_setup_libgit2(void)
{
    static const git_config_level_t levels[] = {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM,
                                                GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0); /* volumes may belong to another user */
    git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)4 << 20);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, (size_t)1 << 20);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)32 << 20);
}

static bool ends_with_any(const char *name, const char *const *ends, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_has_suffix(name, ends[i]))
            return true;
    return false;
}

static const char *const unfinished[] = {STORE_NEW, STORE_OLD, STORE_GONE};

void store_list(const char *dir, disk_items_t *out)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        AUTO(free_p) char *path = xasprintf("%s/%s", dir, e->d_name);
        if (e->d_name[0] == '.' || ends_with_any(e->d_name, unfinished, ARRAY_LEN(unfinished)) ||
            lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
            continue;
        if (str_has_suffix(e->d_name, STORE_LFS))
            disk_add_files(path, 1, out);
        else
            VEC_PUSH(out, (struct disk_item){xstrdup(path), disk_bytes_of(path), st.st_mtim.tv_sec, NULL});
    }
    if (d)
        closedir(d);
}

void store_sweep(const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        AUTO(free_p) char *path = xasprintf("%s/%s", dir, e->d_name);
        if (ends_with_any(e->d_name, unfinished, ARRAY_LEN(unfinished)))
            dir_remove(path, NULL);
    }
    if (d)
        closedir(d);
}

static DIR *open_pack_dir(const char *dir, char **path)
{
    *path = xasprintf("%s/objects/pack", dir);
    return opendir(*path);
}

size_t store_count_packs(const char *dir)
{
    AUTO(free_p) char *path = NULL;
    DIR *d = open_pack_dir(dir, &path);
    size_t n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += str_has_suffix(e->d_name, ".pack");
    if (d)
        closedir(d);
    return n;
}

void store_clean(const char *dir)
{
    AUTO(free_p) char *path = NULL;
    DIR *d = open_pack_dir(dir, &path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (str_has_prefix(e->d_name, "pack-") || e->d_name[0] == '.')
            continue;
        AUTO(free_p) char *file = xasprintf("%s/%s", path, e->d_name);
        unlink(file);
    }
    if (d)
        closedir(d);
}

void store_remove_pack(const char *base)
{
    /* The index first: without it nobody looks into the pack. */
    static const char *const suffixes[] = {".idx", ".pack", ".rev"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        AUTO(free_p) char *file = xasprintf("%s%s", base, suffixes[i]);
        unlink(file);
    }
}

int store_find_commit(git_repository *repo, const char *commit, char full[GIT_OID_HEX], err_t **err)
{
    git_oid oid;
    git_object *object = NULL;
    size_t n = strlen(commit);
    if (git_oid_fromstrn(&oid, commit, n) < 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "'%s' is no commit id", commit);
    int r = git_object_lookup_prefix(&object, repo, &oid, n, GIT_OBJECT_ANY);
    if (r == GIT_EAMBIGUOUS)
        return err_set(err, ERR_INVALID_ARGUMENT, "commit '%s' is ambiguous", commit);
    if (r < 0)
        return err_set(err, ERR_NOT_FOUND, "commit %s is not in the repository", commit);
    /* The id of an annotated tag is taken for the commit that it points to. */
    git_object *peeled = NULL;
    r = git_object_peel(&peeled, object, GIT_OBJECT_COMMIT);
    if (r == 0)
        git_oid_tostr(full, GIT_OID_HEX, git_object_id(peeled));
    git_object_free(peeled);
    git_object_free(object);
    return r < 0 ? err_set(err, ERR_INVALID_ARGUMENT, "%s is no commit", commit) : 0;
}
