/* Traces come from Redis, too. Against a small world, whatever the bytes are: no harm, and an end. */
#include "repo-server/trace.h"
#include "tests/fuzz/fuzz.h"

struct node_list {
    tree_backend_t base;
};

/* Every directory holds a file "a", a link "l" and a directory "d" like itself. */
static int list(tree_backend_t *b, const struct node_id *dir, struct tree_entries *out, err_t **err)
{
    static const struct {
        const char *name;
        enum node_kind kind;
    } entries[] = {{"a", NODE_FILE}, {"d", NODE_DIR}, {"l", NODE_LINK}};
    out->v = xcalloc(ARRAY_LEN(entries), sizeof(*out->v));
    out->cap = ARRAY_LEN(entries);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        out->v[out->n++] = (struct tree_entry){xstrdup(entries[i].name),
                                               {.kind = entries[i].kind, .id = {{(unsigned char)i}}}};
    return 0;
}

static tree_backend_t *tree(void *arg, const char *role)
{
    return *role == '!' ? NULL : arg;
}

static const char *fact(void *arg, enum trace_fact kind, const char *name)
{
    return *name == 'x' ? NULL : "1";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tree_backend_ops ops = {.list = list};
    struct node_list b = {.base = {.ops = &ops, .root = {.kind = NODE_DIR, .id = {{9}}}}};
    struct trace_world world = {&b, tree, fact, 1000};
    trace_holds(data, size, &world);
    return 0;
}
