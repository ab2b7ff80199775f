/* A tree, and those of its submodules that are mounted. An id is looked for where it was listed: what is
 * below a submodule is in the submodule's object database. */
#include "repo-server/git/git_tree.h"
#include "common/base/enc.h"
#include "common/base/map.h"
#include "common/base/vec.h"

/* An object database; the first one is that of the commit itself. */
struct base {
    git_lease_t *lease; /* of a mounted one, owned; NULL */
    git_repository *repo;
    git_odb *odb;
    git_oid commit;
    struct node_id root;
};

struct git_backend {
    tree_backend_t base;
    VEC(struct base) bases;
    map_t owners; /* id in hex: index into bases, for those that are not the first's */
};

static struct git_backend *self(tree_backend_t *b)
{
    return CONTAINER_OF(b, struct git_backend, base);
}

enum { ID_HEX = 41 };

static void id_hex(const struct node_id *id, char out[ID_HEX])
{
    hex_encode(id->b, sizeof(id->b), out);
}

static size_t owner_of(struct git_backend *b, const struct node_id *id)
{
    char hex[ID_HEX];
    if (b->bases.n == 1)
        return 0;
    id_hex(id, hex);
    return (size_t)map_get(&b->owners, hex);
}

static void own(struct git_backend *b, const struct node_id *id, size_t base)
{
    char hex[ID_HEX];
    if (!base)
        return;
    id_hex(id, hex);
    map_put(&b->owners, hex, (void *)base);
}

static git_oid to_oid(const struct node_id *id)
{
    git_oid oid;
    memcpy(oid.id, id->b, sizeof(oid.id));
    return oid;
}

/* Whatever libgit2 says, an object that a tree names and that cannot be read means a damaged clone. */
static int lost(struct git_backend *b, const struct node_id *id, err_t **err)
{
    git_lease_t *lease = b->bases.v[owner_of(b, id)].lease;
    char hex[GIT_OID_HEX];
    git_oid oid = to_oid(id);
    const git_error *e = git_error_last();
    if (lease) /* who holds the tree knows only the lease of the commit itself */
        git_lease_corrupt(lease);
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

/* A submodule's entry becomes the directory that is mounted for its commit. */
static void enter_module(struct git_backend *b, struct node *n)
{
    for (size_t i = 1; i < b->bases.n; i++) {
        if (memcmp(b->bases.v[i].commit.id, n->id.b, sizeof(n->id.b)) == 0) {
            *n = (struct node){.kind = NODE_DIR, .id = b->bases.v[i].root};
            own(b, &n->id, i);
            return;
        }
    }
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
    size_t owner = owner_of(self(b), dir);
    if (git_tree_lookup(&tree, self(b)->bases.v[owner].repo, &oid) < 0)
        return lost(self(b), dir, err);
    size_t n = git_tree_entrycount(tree);
    out->v = xcalloc(n + 1, sizeof(*out->v));
    out->cap = n + 1;
    for (size_t i = 0; i < n; i++) {
        const git_tree_entry *e = git_tree_entry_byindex(tree, i);
        if (!is_name(git_tree_entry_name(e)))
            continue;
        struct node node = to_node(e);
        if (node.kind == NODE_MODULE)
            enter_module(self(b), &node);
        else
            own(self(b), &node.id, owner);
        out->v[out->n++] = (struct tree_entry){xstrdup(git_tree_entry_name(e)), node};
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
    if (git_odb_read_header(&n, &type, self(b)->bases.v[owner_of(self(b), file)].odb, &oid) < 0)
        return lost(self(b), file, err);
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
    if (git_odb_read(&object, self(b)->bases.v[owner_of(self(b), file)].odb, &oid) < 0)
        return lost(self(b), file, err);
    str_add(out, git_odb_object_data(object), git_odb_object_size(object));
    git_odb_object_free(object);
    return 0;
}

static void free_backend(tree_backend_t *b)
{
    struct git_backend *g = self(b);
    VEC_FOREACH(&g->bases, base)
        git_lease_close(base->lease);
    VEC_FREE(&g->bases);
    map_dispose(&g->owners);
    free(g);
}

/* The tree of a commit. */
static int find_root(git_lease_t *lease, const char *commit, struct base *out, err_t **err)
{
    git_commit *c = NULL;
    *out = (struct base){.repo = git_lease_repo(lease), .odb = git_lease_odb(lease)};
    if (git_oid_fromstr(&out->commit, commit) < 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "'%s' is no commit id", commit);
    int r = git_commit_lookup(&c, out->repo, &out->commit);
    if (r == GIT_ENOTFOUND)
        return err_set(err, ERR_NOT_FOUND, "commit %s is not in the repository", commit);
    if (r < 0)
        return err_set(err, ERR_DATA_LOSS, "commit %s of the clone cannot be read", commit);
    memcpy(out->root.b, git_commit_tree_id(c)->id, sizeof(out->root.b));
    git_commit_free(c);
    return 0;
}

int git_tree_open(git_lease_t *lease, const char *commit, tree_backend_t **out, err_t **err)
{
    static const struct tree_backend_ops ops = {list, size, read_blob, free_backend};
    struct base base;
    int r = find_root(lease, commit, &base, err);
    if (r < 0)
        return r;
    struct git_backend *b = xcalloc(1, sizeof(*b));
    b->base.ops = &ops;
    b->base.root = (struct node){.kind = NODE_DIR, .id = base.root};
    VEC_PUSH(&b->bases, base);
    *out = &b->base;
    return 0;
}

int git_tree_mount(tree_backend_t *b, git_lease_t *lease_take, const char *commit, err_t **err)
{
    struct base base;
    int r = find_root(lease_take, commit, &base, err);
    base.lease = lease_take;
    if (r < 0)
        git_lease_close(lease_take);
    else
        VEC_PUSH(&self(b)->bases, base);
    return r;
}
