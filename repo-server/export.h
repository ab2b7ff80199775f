/* Parts of a source tree as files, for programs that want files: below one fresh directory, under the paths
 * that they have in the tree. Links stay links, and what they lead to comes along; none leads out. */
#ifndef CARGOCD_REPO_EXPORT_H
#define CARGOCD_REPO_EXPORT_H

#include "common/base/map.h"
#include "repo-server/tree.h"

enum { EXPORT_MAX_FILES = 200000 };
#define EXPORT_MAX_BYTES ((uint64_t)2 << 30)

struct export
{
    tree_t *tree;
    char *dir;
    int fd;     /* of it */
    map_t done; /* real paths: EXPORT_DONE_… */
    size_t files;
    uint64_t bytes;
    /* Sees every file of the tree that is written; may be NULL. */
    void (*on_file)(void *arg, const char *path, const char *p, size_t n);
    void *arg;
};

/* The directory must exist. The tree is borrowed. */
int export_open(struct export *e, tree_t *tree, const char *dir, err_t **err);
void export_close(struct export *e);
/* A file, or a directory with all that is in it. ERR_NOT_FOUND when there is nothing. */
int export_path(struct export *e, const char *path, err_t **err);
/* Writes a file of our own, in place of the tree's if there is one. `path` is without links. */
int export_put(struct export *e, const char *path, const void *p, size_t n, err_t **err);

#endif
