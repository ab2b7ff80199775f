/* A directory as a commit. Nothing of it is run or followed: links are stored as links. */
#include "common/base/file.h"
#include "common/base/str.h"
#include "repo-server/offline.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 200, MAX_ENTRIES = 1000000, LINK_MAX = 4096 };

struct import {
    git_repository *to;
    git_repository *ignores; /* whose rules count; NULL: none */
    const char *root;
    size_t entries;
};

static int failed(const char *what, err_t **err)
{
    const git_error *e = git_error_last();
    return err_set(err, ERR_INTERNAL, "%s: %s", what, e && e->message ? e->message : "unknown error");
}

static bool is_ignored(const struct import *im, const char *path, bool is_dir)
{
    int ignored = 0;
    if (!im->ignores)
        return false;
    const char *workdir = git_repository_workdir(im->ignores);
    const char *relative = workdir ? str_after(path, workdir) : NULL;
    AUTO(free_p) char *asked = relative ? xasprintf("%s%s", relative, is_dir ? "/" : "") : NULL;
    return asked && *relative && git_ignore_path_is_ignored(&ignored, im->ignores, asked) == 0 && ignored;
}

static int add_dir(struct import *im, const char *path, unsigned depth, git_oid *out, err_t **err);

/* A file, link or directory as an entry of a tree. mode 0: it is left out. */
static int add_entry(struct import *im, const char *path, unsigned depth, git_oid *id, git_filemode_t *mode,
                     err_t **err)
{
    struct stat st;
    char target[LINK_MAX];
    *mode = 0;
    if (lstat(path, &st) < 0)
        return err_set_errno(err, errno, "look at %s", path);
    if (is_ignored(im, path, S_ISDIR(st.st_mode)))
        return 0;
    if (++im->entries > MAX_ENTRIES || depth > MAX_DEPTH)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s: too many files", im->root);
    if (S_ISDIR(st.st_mode)) {
        *mode = GIT_FILEMODE_TREE;
        return add_dir(im, path, depth + 1, id, err);
    }
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlink(path, target, sizeof(target));
        *mode = GIT_FILEMODE_LINK;
        return n < 0 || git_blob_create_from_buffer(id, im->to, target, (size_t)n) < 0 ? failed(path, err)
                                                                                       : 0;
    }
    if (!S_ISREG(st.st_mode))
        return 0;
    *mode = st.st_mode & 0100 ? GIT_FILEMODE_BLOB_EXECUTABLE : GIT_FILEMODE_BLOB;
    return git_blob_create_from_disk(id, im->to, path) < 0 ? failed(path, err) : 0;
}

static int add_name(struct import *im, git_treebuilder *b, const char *dir, const char *name, unsigned depth,
                    err_t **err)
{
    git_oid id;
    git_filemode_t mode;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, ".git") == 0)
        return 0;
    AUTO(free_p) char *path = xasprintf("%s/%s", dir, name);
    int r = add_entry(im, path, depth, &id, &mode, err);
    if (r == 0 && mode && git_treebuilder_insert(NULL, b, name, &id, mode) < 0)
        r = failed(path, err);
    return r;
}

static int add_dir(struct import *im, const char *path, unsigned depth, git_oid *out, err_t **err)
{
    git_treebuilder *b = NULL;
    struct dirent *e;
    DIR *d = opendir(path);
    if (!d)
        return err_set_errno(err, errno, "open %s", path);
    int r = git_treebuilder_new(&b, im->to, NULL) < 0 ? failed(path, err) : 0;
    while (r == 0 && (e = readdir(d)))
        r = add_name(im, b, path, e->d_name, depth, err);
    if (r == 0 && git_treebuilder_write(out, b) < 0)
        r = failed(path, err);
    git_treebuilder_free(b);
    closedir(d);
    return r;
}

static int commit(struct import *im, const git_oid *tree_id, err_t **err)
{
    git_tree *tree = NULL;
    git_signature *who = NULL;
    git_oid id;
    int r = git_tree_lookup(&tree, im->to, tree_id);
    if (r == 0)
        r = git_signature_new(&who, "local", "local@localhost", 0, 0);
    if (r == 0)
        r = git_commit_create(&id, im->to, "refs/heads/local", who, who, NULL, "local", tree, 0, NULL);
    if (r == 0)
        r = git_repository_set_head(im->to, "refs/heads/local");
    git_signature_free(who);
    git_tree_free(tree);
    return r < 0 ? failed("commit the local directory", err) : 0;
}

int offline_import(const char *from, const char *to, err_t **err)
{
    AUTO(free_p) char *real = realpath(from, NULL);
    struct import im = {.root = from};
    git_oid tree;
    if (!real)
        return err_set_errno(err, errno, "open %s", from);
    git_libgit2_init();
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    int r = git_repository_init(&im.to, to, 1) < 0 ? failed("make a repository", err) : 0;
    if (r == 0 && git_repository_open_ext(&im.ignores, real, GIT_REPOSITORY_OPEN_CROSS_FS, NULL) < 0)
        im.ignores = NULL;
    if (r == 0)
        r = add_dir(&im, real, 0, &tree, err);
    if (r == 0)
        r = commit(&im, &tree, err);
    git_repository_free(im.to);
    git_repository_free(im.ignores);
    git_libgit2_shutdown();
    return r;
}
