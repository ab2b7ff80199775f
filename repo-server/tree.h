/* A source tree: what a renderer may read, and the record of what it did read.
 *
 * The tree comes from a backend (a commit in an object database, a directory). Paths are relative to its root
 * with "/" between; they never become paths of the host. Symlinks are resolved inside the tree; one that is
 * absolute or leads out, even for a moment, is an error ("out of bounds"). Every look-up, also one that finds
 * nothing, every listing and every reading is noted in the trace (trace.h), so that a rendering can later be
 * proved valid for another commit.
 *
 * Not thread-safe: one tree, one rendering. */
#ifndef CARGOCD_REPO_TREE_H
#define CARGOCD_REPO_TREE_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/base/vec.h"

enum node_kind { NODE_ABSENT, NODE_FILE, NODE_DIR, NODE_LINK, NODE_MODULE };

/* Names content: equal ids mean equal content (a Git object id; a backend that has none makes its own). */
struct node_id {
    unsigned char b[20];
};

struct node {
    enum node_kind kind;
    bool executable;
    struct node_id id;
};

struct tree_entry {
    char *name;
    struct node node;
};
/* Sorted by the bytes of the names. */
struct tree_entries {
    struct tree_entry *v;
    size_t n, cap;
};
void tree_entries_dispose(struct tree_entries *e);
const struct node *tree_entries_find(const struct tree_entries *e, const char *name);
void tree_entries_sort(struct tree_entries *e);

/* Where trees come from. An id that should be readable and is not gives ERR_DATA_LOSS. */
typedef struct tree_backend tree_backend_t;
struct tree_backend_ops {
    int (*list)(tree_backend_t *b, const struct node_id *dir, struct tree_entries *out, err_t **err);
    int (*size)(tree_backend_t *b, const struct node_id *file, uint64_t *out, err_t **err);
    /* A file's or a link's content, appended. ERR_RESOURCE_EXHAUSTED when it is over the buffer's maximum. */
    int (*read)(tree_backend_t *b, const struct node_id *file, str_t *out, err_t **err);
    void (*free)(tree_backend_t *b);
};
struct tree_backend {
    const struct tree_backend_ops *ops;
    struct node root; /* kind NODE_DIR */
};
void tree_backend_free(tree_backend_t *b);
AUTO_DECL(tree_backend_free_p, tree_backend_t, tree_backend_free)

typedef struct tree tree_t;
struct trace_root;
/* Takes the backend. The trace's root (NULL: nothing is noted) must outlive the tree. */
tree_t *tree_new(tree_backend_t *backend_take, struct trace_root *trace) MUST_USE;
void tree_free(tree_t *t);
AUTO_DECL(tree_free_p, tree_t, tree_free)

/* What a path leads to. */
struct tree_place {
    struct node node; /* never a link, unless asked not to follow the last one */
    char *path;       /* without links; the caller's. "" is the root */
};
void tree_place_dispose(struct tree_place *p);

/* Nothing there is no error: node.kind is NODE_ABSENT. ERR_FAILED_PRECONDITION: out of bounds, or too many
 * links. */
int tree_look(tree_t *t, const char *path, bool follow_last, struct tree_place *out, err_t **err);

/* Which names of a directory matter to who lists it: a new file that is not selected makes no difference. */
struct tree_select {
    const char *suffixes;          /* of files and links, separated by "|"; NULL: all */
    bool dirs;                     /* directories and submodules too */
    const char *include, *exclude; /* globs without separators over base + name of files; NULL: none */
    const char *base;              /* NULL: "" */
};
bool tree_selected(const struct tree_select *s, const struct tree_entry *e);
/* The selected entries of a directory, which must be one (see tree_look). *out is the caller's. sel NULL:
 * all. */
int tree_list(tree_t *t, const char *path, const struct tree_select *sel, struct tree_entries *out,
              err_t **err);

/* ERR_NOT_FOUND when there is no file. */
int tree_read(tree_t *t, const char *path, str_t *out, err_t **err);
int tree_size(tree_t *t, const char *path, uint64_t *out, err_t **err);
/* The text of the link at the path, which must be one itself. */
int tree_read_link(tree_t *t, const char *path, str_t *out, err_t **err);
/* While paused, nothing is noted: for what is handed to a program in bulk, when what of it matters is noted
 * apart. Returns what held before. */
bool tree_pause(tree_t *t, bool paused);
/* Notes that everything below the path (a directory or file) matters. */
int tree_whole(tree_t *t, const char *path, err_t **err);

/* Git LFS: a file that is a pointer (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md) stands for an
 * object elsewhere. */
enum { LFS_OID_HEX = 65, LFS_POINTER_MAX = 1024 };
struct lfs_pointer {
    char oid[LFS_OID_HEX]; /* SHA-256 */
    uint64_t size;
};
bool lfs_pointer_read(const char *p, size_t n, struct lfs_pointer *out);
struct tree_lfs {
    /* Appends the object. May block. */
    int (*read)(void *arg, const struct lfs_pointer *pointer, str_t *out, err_t **err);
    void *arg;
};
/* From now on pointers are read as what they stand for; NULL: as their own text. Borrowed. */
void tree_set_lfs(tree_t *t, const struct tree_lfs *lfs);

/* ---- paths as texts ---- */

/* Go's path.Clean: no ".", no double slashes, ".." resolved; "." for the root. The caller's. */
char *path_clean(const char *path) MUST_USE;
/* Go's path.Join of the two. */
char *path_join(const char *a, const char *b) MUST_USE;
/* Whether a cleaned relative path leads above its start. */
bool path_escapes(const char *cleaned);

#endif
