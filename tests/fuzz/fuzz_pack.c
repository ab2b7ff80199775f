/* Archives of charts and artifacts: a tree that comes out can be read as a whole, and nothing of it leads
 * out. */
#include "common/base/file.h"
#include "repo-server/artifact/pack.h"
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

enum { MAX_BYTES = 1 << 20 };

static void walk(tree_backend_t *b, const struct node_id *dir, const char *path, unsigned depth)
{
    struct tree_entries entries = {};
    REQUIRE(depth <= PACK_MAX_DEPTH + 1);
    REQUIRE(b->ops->list(b, dir, &entries, NULL) == 0);
    for (size_t i = 0; i < entries.n; i++) {
        const struct tree_entry *e = &entries.v[i];
        AUTO_STR text = STR_MAX(MAX_BYTES + 1);
        AUTO(free_p) char *full = *path ? xasprintf("%s/%s", path, e->name) : xstrdup(e->name);
        REQUIRE(*e->name && strcmp(e->name, ".") != 0 && strcmp(e->name, "..") != 0 && !strchr(e->name, '/'));
        REQUIRE(i == 0 || strcmp(entries.v[i - 1].name, e->name) < 0);
        if (e->node.kind == NODE_DIR) {
            walk(b, &e->node.id, full, depth + 1);
            continue;
        }
        REQUIRE(b->ops->read(b, &e->node.id, &text, NULL) == 0);
        if (e->node.kind == NODE_LINK) {
            AUTO(free_p) char *target = path_join(path, str_text(&text));
            REQUIRE(*str_text(&text) != '/' && !path_escapes(target));
        }
    }
    tree_entries_dispose(&entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *dir;
    tree_backend_t *b = NULL;
    if (size > 1 << 18 || (!dir && dir_make_temp("/dev/shm", "fuzz-pack-", &dir, NULL) < 0))
        return 0;
    AUTO(free_p) char *path = xasprintf("%s/pack", dir);
    AUTO(close_p) int fd = memfd_create("archive", MFD_CLOEXEC);
    REQUIRE(write(fd, data, size) == (ssize_t)size);
    lseek(fd, 0, SEEK_SET);
    if (pack_make(fd, path, &(struct pack_options){.max_bytes = MAX_BYTES}, NULL) == 0) {
        REQUIRE(pack_open(path, &b, NULL) == 0);
        walk(b, &b->root.id, "", 0);
        tree_backend_free(b);
    }
    unlink(path);
    rmdir(dir);
    free(TAKE(dir));
    return 0;
}
