#include "common/base/glob.h"
#include "common/base/tgz.h"
#include "repo-server/plugin/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { MAX_DEPTH = 200, MAX_FILES = 500000, MAX_LINK = 4096, MAX_FILE = 512 << 20 };
#define MAX_BYTES ((uint64_t)4 << 30)

struct packing {
    tree_t *tree;
    tgz_writer_t *out;
    char *const *exclusions;
    size_t base; /* length of what is cut off the front of paths */
    size_t files;
    size_t contents; /* of them, what is no directory or link */
    uint64_t bytes;
};

static bool excluded(const struct packing *p, const char *path)
{
    for (size_t i = 0; p->exclusions && p->exclusions[i]; i++)
        if (shell_match(p->exclusions[i], path))
            return true;
    return false;
}

static int pack_link(struct packing *p, const char *path, err_t **err)
{
    AUTO_STR target = STR_MAX(MAX_LINK);
    struct tree_place place = {};
    int r = tree_look(p->tree, path, true, &place, err); /* refuses what leads out */
    tree_place_dispose(&place);
    if (r == 0)
        r = tree_read_link(p->tree, path, &target, err);
    return r < 0 ? r : tgz_add_link(p->out, path + p->base, str_text(&target), err);
}

static int pack_file(struct packing *p, const char *path, bool executable, err_t **err)
{
    AUTO_STR text = STR_MAX(MAX_FILE);
    int r = tree_read(p->tree, path, &text, err);
    p->bytes += text.len;
    p->contents++;
    if (r == 0 && p->bytes > MAX_BYTES)
        r = err_set(err, ERR_RESOURCE_EXHAUSTED, "the source is too large for a plugin");
    return r < 0 ? r : tgz_add_file(p->out, path + p->base, executable, str_text(&text), text.len, err);
}

static int pack_dir(struct packing *p, const char *dir, unsigned depth, err_t **err);

static int pack_entry(struct packing *p, const char *dir, const struct tree_entry *e, unsigned depth,
                      err_t **err)
{
    AUTO(free_p) char *path = *dir ? xasprintf("%s/%s", dir, e->name) : xstrdup(e->name);
    if (excluded(p, path + p->base))
        return 0;
    if (++p->files > MAX_FILES)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the source has more than %d files", MAX_FILES);
    switch (e->node.kind) {
    case NODE_FILE:
        return pack_file(p, path, e->node.executable, err);
    case NODE_LINK:
        return pack_link(p, path, err);
    case NODE_DIR: {
        int r = tgz_add_dir(p->out, path + p->base, err);
        return r < 0 ? r : pack_dir(p, path, depth + 1, err);
    }
    case NODE_MODULE:
        return tgz_add_dir(p->out, path + p->base, err);
    case NODE_ABSENT:
        break;
    }
    return 0;
}

static int pack_dir(struct packing *p, const char *dir, unsigned depth, err_t **err)
{
    struct tree_entries entries = {};
    if (depth > MAX_DEPTH)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s: directories are nested too deeply", dir);
    int r = tree_list(p->tree, dir, NULL, &entries, err);
    for (size_t i = 0; r == 0 && i < entries.n; i++)
        r = pack_entry(p, dir, &entries.v[i], depth, err);
    tree_entries_dispose(&entries);
    return r;
}

static int nameless_file(const char *dir, err_t **err)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        AUTO(free_p) char *path = xasprintf("%s/archive-XXXXXX", dir);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            unlink(path);
    }
    return fd < 0 ? err_set_errno(err, errno, "make a file for the archive") : fd;
}

/* All of the repository, or only what the annotation says that the application needs. */
static char *archive_root(const struct render_input *in, const char *path)
{
    if (!in->settings->plugins->use_generate_paths || str_empty(in->generate_paths))
        return xstrdup("");
    AUTO(strv_free_p) char **paths = generate_paths_of(in->generate_paths, path);
    return generate_paths_root(paths, path);
}

int plugin_archive_make(const struct render_input *in, const char *path, struct plugin_archive *out,
                        err_t **err)
{
    AUTO(free_p) char *root = archive_root(in, path);
    AUTO(close_p) int fd = nameless_file(in->settings->plugins->scratch, err);
    if (fd < 0)
        return fd;
    AUTO(tgz_writer_free_p) tgz_writer_t *w = tgz_writer_new(fd);
    struct packing p = {.tree = in->tree,
                        .out = w,
                        .exclusions = in->settings->plugins->exclusions,
                        .base = *root ? strlen(root) + 1 : 0};
    bool before = tree_pause(in->tree, true);
    int r = pack_dir(&p, root, 0, err);
    tree_pause(in->tree, before);
    if (r == 0 && !p.contents)
        r = err_set(err, ERR_FAILED_PRECONDITION, "no files to send");
    if (r == 0)
        r = tgz_writer_finish(w, out->checksum, &out->size, err);
    if (r < 0)
        return r;
    const char *below = *root ? path + min_size(strlen(path), strlen(root)) : path;
    out->app = xstrdup(*below == '/' ? below + 1 : *below ? below : ".");
    out->fd = fd;
    fd = -1;
    return 0;
}

void plugin_archive_dispose(struct plugin_archive *a)
{
    close_p(&a->fd);
    free(TAKE(a->app));
}
