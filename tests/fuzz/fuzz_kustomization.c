/* kustomization.yaml: following what one names ends, whatever it names, itself too; and editing it twice is
 * editing it once. */
#include "common/base/file.h"
#include "common/yaml/yaml.h"
#include "repo-server/kustomize/kustomize.h"
#include "tests/fuzz/fuzz.h"

#include <unistd.h>

/* app/kustomization.yaml and base/kustomization.yaml are the input, app/a.yaml is a manifest. */
struct memory {
    tree_backend_t base;
    const char *p;
    size_t n;
};

enum { ROOT, APP, BASE, INPUT, MANIFEST };

static struct node node_of(enum node_kind kind, unsigned char id)
{
    return (struct node){.kind = kind, .id = {{id}}};
}

static void add(struct tree_entries *out, const char *name, enum node_kind kind, unsigned char id)
{
    out->v = xrealloc(out->v, (out->n + 1) * sizeof(*out->v));
    out->v[out->n++] = (struct tree_entry){xstrdup(name), node_of(kind, id)};
    out->cap = out->n;
}

static int list(tree_backend_t *b, const struct node_id *dir, struct tree_entries *out, err_t **err)
{
    if (dir->b[0] == ROOT) {
        add(out, "app", NODE_DIR, APP);
        add(out, "base", NODE_DIR, BASE);
    } else {
        add(out, "a.yaml", NODE_FILE, MANIFEST);
        add(out, "kustomization.yaml", NODE_FILE, INPUT);
    }
    return 0;
}

static int read_file(tree_backend_t *b, const struct node_id *file, str_t *out, err_t **err)
{
    const struct memory *m = CONTAINER_OF(b, struct memory, base);
    if (file->b[0] == INPUT)
        str_add(out, m->p, m->n);
    else
        str_puts(out, "apiVersion: v1\nkind: X\n");
    return 0;
}

static int size_of(tree_backend_t *b, const struct node_id *file, uint64_t *out, err_t **err)
{
    *out = CONTAINER_OF(b, struct memory, base)->n;
    return 0;
}

static void release(tree_backend_t *b) {}

static const char spec_text[] =
    "{\"namePrefix\":\"p-\",\"images\":[\"a=b:c\"],\"replicas\":[{\"name\":\"x\",\"count\":2}],"
    "\"commonLabels\":{\"l\":\"v\"},\"forceCommonLabels\":true,\"labelWithoutSelector\":true,"
    "\"commonAnnotations\":{\"a\":\"v\"},\"forceCommonAnnotations\":true,\"components\":[\"../b*\"]}";

static void edit(const struct render_input *in, const json_t *input)
{
    AUTO_JSON spec = NULL;
    AUTO_JSON once = json_copy_deep(input);
    REQUIRE(json_read_str(spec_text, &spec, NULL) == 0);
    if (kustomization_edit(once, spec, in, "app", NULL, NULL) < 0)
        return;
    AUTO_JSON twice = json_copy_deep(once);
    REQUIRE(kustomization_edit(twice, spec, in, "app", NULL, NULL) == 0);
    REQUIRE(json_same(once, twice));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tree_backend_ops ops = {list, size_of, read_file, release};
    static const struct build_env env = {};
    struct memory m = {{&ops, node_of(NODE_DIR, ROOT)}, (const char *)data, size};
    struct export e;
    AUTO(free_p) char *dir = NULL;
    AUTO_JSON doc = NULL;
    if (size > 1 << 14 || dir_make_temp("/dev/shm", "fuzz-kustomize-", &dir, NULL) < 0)
        return 0;
    tree_t *tree = tree_new(&m.base, NULL);
    struct render_input in = {.tree = tree, .env = &env};
    struct closure c = {.in = &in, .out = &e};
    REQUIRE(export_open(&e, tree, dir, NULL) == 0);
    closure_of(&c, "app", NULL);
    REQUIRE(c.seen.n <= 5);
    map_dispose(&c.seen);
    export_close(&e);
    if (yaml_read(m.p, m.n, NULL, &doc, NULL) == 0 && json_is_map(doc))
        edit(&in, doc);
    tree_free(tree);
    dir_remove(dir, NULL);
    return 0;
}
