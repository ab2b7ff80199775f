#include "repo-server/git/git_tree.h"

struct git_backend {
    tree_backend_t base;
    git_repository *repo;
    git_odb *odb;
};

static struct git_backend *self(tree_backend_t *b)
{
    return CONTAINER_OF(b, struct git_backend, base);
}

static git_oid to_oid(const struct node_id *id)
{
    git_oid oid;
    memcpy(oid.id, id->b, sizeof(oid.id));
    return oid;
}

/* Whatever libgit2 says, an object that a tree names and that cannot be read means a damaged clone. */
static int lost(const struct node_id *id, err_t **err)
{
    char hex[GIT_OID_HEX];
    git_oid oid = to_oid(id);
    const git_error *e = git_error_last();
    git_oid_tostr(hex, sizeof(hex), &oid);
    return err_set(err, ERR_DATA_LOSS, "object %s of the clone cannot be read: %s", hex,
                   e && e->message ? e->message : "unknown error");
}

static struct node to_node(const git_tree_entry *e)
{
    struct node n = {.kind = NODE_FILE};
    switch (git_tree_entry_filemode(e)) {
    case GIT_FILEMODE_TREE:
        n.kind = NODE_DIR;
        break;
    case GIT_FILEMODE_LINK:
        n.kind = NODE_LINK;
        break;
    case GIT_FILEMODE_COMMIT:
        n.kind = NODE_MODULE;
        break;
    case GIT_FILEMODE_BLOB_EXECUTABLE:
        n.executable = true;
        break;
    default:
        break;
    }
    memcpy(n.id.b, git_tree_entry_id(e)->id, sizeof(n.id.b));
    return n;
}

/* Git itself writes no such names, but whoever serves a repository can; they become parts of paths. */
static bool is_name(const char *name)
{
    return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

static int list(tree_backend_t *b, const struct node_id *dir, struct tree_entries *out, err_t **err)
{
    git_tree *tree = NULL;
    git_oid oid = to_oid(dir);
    if (git_tree_lookup(&tree, self(b)->repo, &oid) < 0)
        return lost(dir, err);
    size_t n = git_tree_entrycount(tree);
    out->v = xcalloc(n + 1, sizeof(*out->v));
    out->cap = n + 1;
    for (size_t i = 0; i < n; i++) {
        const git_tree_entry *e = git_tree_entry_byindex(tree, i);
        if (!is_name(git_tree_entry_name(e)))
            continue;
        out->v[out->n++] = (struct tree_entry){xstrdup(git_tree_entry_name(e)), to_node(e)};
    }
    git_tree_free(tree);
    tree_entries_sort(out); /* Git sorts directories as if their names ended with a slash */
    return 0;
}

static int size(tree_backend_t *b, const struct node_id *file, uint64_t *out, err_t **err)
{
    size_t n = 0;
    git_object_t type;
    git_oid oid = to_oid(file);
    if (git_odb_read_header(&n, &type, self(b)->odb, &oid) < 0)
        return lost(file, err);
    *out = n;
    return 0;
}

static int read_blob(tree_backend_t *b, const struct node_id *file, str_t *out, err_t **err)
{
    uint64_t n = 0;
    int r = size(b, file, &n, err);
    if (r < 0)
        return r;
    size_t max = out->max ? out->max : STR_DEFAULT_MAX;
    if (n > max - min_size(out->len, max))
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the file has %llu bytes, more than is allowed",
                       (unsigned long long)n);
    git_odb_object *object = NULL;
    git_oid oid = to_oid(file);
    if (git_odb_read(&object, self(b)->odb, &oid) < 0)
        return lost(file, err);
    str_add(out, git_odb_object_data(object), git_odb_object_size(object));
    git_odb_object_free(object);
    return 0;
}

static void free_backend(tree_backend_t *b)
{
    free(self(b));
}

int git_tree_open(git_lease_t *lease, const char *commit, tree_backend_t **out, err_t **err)
{
    static const struct tree_backend_ops ops = {list, size, read_blob, free_backend};
    git_oid oid;
    git_commit *c = NULL;
    if (git_oid_fromstr(&oid, commit) < 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "'%s' is no commit id", commit);
    int r = git_commit_lookup(&c, git_lease_repo(lease), &oid);
    if (r == GIT_ENOTFOUND)
        return err_set(err, ERR_NOT_FOUND, "commit %s is not in the repository", commit);
    if (r < 0)
        return err_set(err, ERR_DATA_LOSS, "commit %s of the clone cannot be read", commit);
    struct git_backend *b = xcalloc(1, sizeof(*b));
    b->base.ops = &ops;
    b->base.root.kind = NODE_DIR;
    memcpy(b->base.root.id.b, git_commit_tree_id(c)->id, sizeof(b->base.root.id.b));
    b->repo = git_lease_repo(lease);
    b->odb = git_lease_odb(lease);
    git_commit_free(c);
    *out = &b->base;
    return 0;
}
