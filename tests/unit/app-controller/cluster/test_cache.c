/* Cases are data: tests/golden/cache/README.md says how they are written. */
#include "app-controller/cluster/cache.h"
#include "common/kinds/kinds.h"
#include "tests/unit/golden.h"

struct kind {
    const char *name, *group, *version, *kind;
    bool namespaced;
};

static const struct kind kinds[] = {
    {"ConfigMap", "", "v1", "ConfigMap", true},
    {"Endpoints", "", "v1", "Endpoints", true},
    {"Namespace", "", "v1", "Namespace", false},
    {"PersistentVolumeClaim", "", "v1", "PersistentVolumeClaim", true},
    {"Pod", "", "v1", "Pod", true},
    {"Secret", "", "v1", "Secret", true},
    {"Service", "", "v1", "Service", true},
    {"ServiceAccount", "", "v1", "ServiceAccount", true},
    {"Deployment", "apps", "v1", "Deployment", true},
    {"ReplicaSet", "apps", "v1", "ReplicaSet", true},
    {"StatefulSet", "apps", "v1", "StatefulSet", true},
    {"Widget", "example.com", "v1", "Widget", true},
    {"Fleet", "example.com", "v1", "Fleet", false},
    {"Ingress", "networking.k8s.io", "v1", "Ingress", true},
    {"OldIngress", "extensions", "v1beta1", "Ingress", true},
    {"ClusterServiceVersion", "operators.coreos.com", "v1alpha1", "ClusterServiceVersion", true},
    {"OperatorGroup", "operators.coreos.com", "v1", "OperatorGroup", true},
};

struct world {
    cache_t *cache;
    cache_kind_t *watched[ARRAY_LEN(kinds)];
    json_t *told;
    const char *what;
};

static size_t kind_named(const struct world *w, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(name, kinds[i].name))
            return i;
    fail_msg("%s: no kind %s", w->what, name);
    return 0;
}

static const char *shown(const char *group, const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(group, kinds[i].group) == 0 && strcmp(kind, kinds[i].kind) == 0)
            return kinds[i].name;
    return kind;
}

static void note(void *ctx, const struct cache_change *c)
{
    struct world *w = ctx;
    AUTO(free_p)
    char *line = xasprintf("%s%s %s/%s", c->app, c->managed ? "!" : "", shown(c->key.group, c->key.kind),
                           c->key.name);
    json_array_append_new(w->told, json_str_new(line));
}

/* ---- from lines to objects ---- */

static json_t *owner_of(const struct world *w, char *text)
{
    char *save, *kind = strtok_r(text, "/", &save), *name = strtok_r(NULL, "/", &save),
                *uid = strtok_r(NULL, "/", &save);
    const struct kind *k = &kinds[kind_named(w, kind)];
    AUTO(free_p) char *version = xasprintf("%s%s%s", k->group, *k->group ? "/" : "", k->version);
    json_t *o = json_object();
    json_set_str(o, "apiVersion", version);
    json_set_str(o, "kind", k->kind);
    json_set_str(o, "name", name);
    json_set_str(o, "uid", str_or_empty(uid));
    return o;
}

static void put_word(const struct world *w, const struct kind *k, json_t *meta, char *word)
{
    char *value = strchr(word, '=');
    assert_non_null(value);
    *value++ = 0;
    if (strcmp(word, "own") == 0) {
        if (!json_object_get(meta, "ownerReferences"))
            json_object_set_new_nocheck(meta, "ownerReferences", json_array());
        json_array_append_new(json_object_get(meta, "ownerReferences"), owner_of(w, value));
    } else if (strcmp(word, "app") == 0) {
        AUTO(free_p)
        char *id = xasprintf("%s:%s/%s:%s/%s", value, k->group, k->kind,
                             str_or_empty(json_str_at(meta, "namespace")), json_str_at(meta, "name"));
        json_put_at(meta, json_str_new(id), "annotations", "argocd.argoproj.io/tracking-id");
    } else {
        json_set_str(meta, strcmp(word, "rv") == 0 ? "resourceVersion" : word, value);
    }
}

/* "Kind name uid [namespace=N] [rv=N] [app=A] [own=Kind/name/uid]…", and what else is to be in it. */
static size_t read_object(const struct world *w, const json_t *line, const json_t *more, str_t *out)
{
    AUTO(free_p) char *text = xstrdup(json_string_value(line));
    char *save, *kind = strtok_r(text, " ", &save), *name = strtok_r(NULL, " ", &save),
                *uid = strtok_r(NULL, " ", &save);
    size_t at = kind_named(w, kind);
    AUTO_JSON o = more ? json_copy_deep(more) : json_object();
    json_put_at(o, json_str_new(name), "metadata", "name");
    json_t *meta = json_at(o, "metadata");
    json_set_str(meta, "uid", uid);
    json_set_str(meta, "resourceVersion", "1");
    if (kinds[at].namespaced)
        json_set_str(meta, "namespace", "ns");
    for (char *word; (word = strtok_r(NULL, " ", &save));)
        put_word(w, &kinds[at], meta, word);
    json_write(o, JSON_GO, out);
    return at;
}

static cache_kind_t *watched(struct world *w, size_t at)
{
    if (!w->watched[at]) {
        const struct kind *k = &kinds[at];
        w->watched[at] = cache_kind_add(w->cache, k->group, k->version, k->kind, k->namespaced);
    }
    return w->watched[at];
}

static void put(struct world *w, bool listed, const json_t *line, const json_t *more)
{
    AUTO_ERR err = NULL;
    AUTO_STR text = STR_INIT;
    cache_kind_t *k = watched(w, read_object(w, line, more, &text));
    ASSERT_OK(cache_put(w->cache, k, str_text(&text), text.len, listed, &err));
}

static void delete (struct world *w, const json_t *line, const json_t *more)
{
    AUTO_ERR err = NULL;
    AUTO_STR text = STR_INIT;
    cache_kind_t *k = watched(w, read_object(w, line, more, &text));
    ASSERT_OK(cache_delete(w->cache, k, str_text(&text), text.len, &err));
}

/* ---- from nodes to lines ---- */

static void add_part(str_t *line, const json_t *v, const char *before)
{
    str_printf(line, "%s%s/%s", before, shown(str_or_empty(json_str_at(v, "group")), json_str_at(v, "kind")),
               json_str_at(v, "name"));
}

/* "Kind/name < Kind/parent < Kind/parent", " ?" behind those that are missing. */
static json_t *lines_of(const json_t *nodes)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *n = json_array_get(nodes, i), *parents = json_object_get(n, "parentRefs");
        AUTO_STR line = STR_INIT;
        add_part(&line, n, "");
        for (size_t p = 0; p < json_array_size(parents); p++)
            add_part(&line, json_array_get(parents, p), " < ");
        if (str_eq(json_str_at(n, "health", "status"), "Missing"))
            str_puts(&line, " ?");
        json_array_append_new(out, json_str_new(str_text(&line)));
    }
    return out;
}

enum { MAX_ROOTS = 8 };

static bool is_kept(void *ctx, const struct obj_key *key, const char *app, bool top)
{
    (void)ctx;
    (void)key;
    (void)top;
    return !app;
}

/* Of the roots, or of what in the namespace is not below them. */
static void check_tree(struct world *w, const json_t *roots, const char *orphans, const json_t *wanted)
{
    struct tree_root list[MAX_ROOTS] = {};
    char *texts[MAX_ROOTS] = {};
    size_t n = json_array_size(roots);
    assert_true(n <= MAX_ROOTS);
    for (size_t i = 0; i < n; i++) {
        char *save;
        texts[i] = xstrdup(json_string_value(json_array_get(roots, i)));
        const struct kind *k = &kinds[kind_named(w, strtok_r(texts[i], "/", &save))];
        list[i] = (struct tree_root){
            {k->group, k->kind, k->namespaced ? "ns" : "", strtok_r(NULL, "/", &save)}, k->version};
    }
    AUTO_JSON nodes = orphans ? cache_orphans(w->cache, orphans, "ns", list, n, is_kept, NULL)
                              : cache_tree(w->cache, list, n, NULL, NULL);
    AUTO_JSON lines = lines_of(nodes);
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    assert_json_same(lines, wanted, w->what);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

static void check_managed(struct world *w, const char *app, const json_t *wanted)
{
    size_t n;
    struct live *all = cache_managed(w->cache, app, &n);
    json_t **lines = xcalloc(n + 1, sizeof(*lines));
    for (size_t i = 0; i < n; i++) {
        assert_true(all[i].content && str_eq(all[i].app, app));
        AUTO(free_p)
        char *line = xasprintf("%s/%s %s", shown(all[i].group, all[i].kind), all[i].name, all[i].rv);
        lines[i] = json_str_new(line);
        live_dispose(&all[i]);
    }
    qsort(lines, n, sizeof(*lines), by_text);
    AUTO_JSON have = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(have, lines[i]);
    free(lines);
    free(all);
    assert_json_same(have, wanted, w->what);
}

/* ---- steps ---- */

static void list_kind(struct world *w, const char *name, const json_t *lines)
{
    cache_kind_t *k = watched(w, kind_named(w, name));
    uint32_t mark = cache_kind_list(w->cache, k);
    for (size_t i = 0; i < json_array_size(lines); i++)
        put(w, true, json_array_get(lines, i), NULL);
    cache_kind_synced(w->cache, k, NULL, mark);
}

static void drop_kind(struct world *w, const char *name)
{
    size_t at = kind_named(w, name);
    cache_kind_remove(w->cache, TAKE(w->watched[at]));
}

static void own_write(struct world *w, const json_t *line, const json_t *more)
{
    AUTO_STR text = STR_INIT;
    size_t at = read_object(w, line, more, &text);
    AUTO_JSON o = json_of(str_text(&text));
    AUTO(free_p)
    char *version = xasprintf("%s%s%s", kinds[at].group, *kinds[at].group ? "/" : "", kinds[at].version);
    json_set_str(o, "apiVersion", version);
    json_set_str(o, "kind", kinds[at].kind);
    cache_put_own(w->cache, o);
}

static void step(struct world *w, const json_t *s)
{
    const char *verb = json_string_value(json_array_get(s, 0));
    const json_t *a = json_array_get(s, 1), *b = json_array_get(s, 2), *c = json_array_get(s, 3);
    if (str_eq(verb, "put")) {
        put(w, false, a, b);
    } else if (str_eq(verb, "delete")) {
        delete (w, a, b);
    } else if (str_eq(verb, "own write")) {
        own_write(w, a, b);
    } else if (str_eq(verb, "list")) {
        list_kind(w, json_string_value(a), b);
    } else if (str_eq(verb, "drop")) {
        drop_kind(w, json_string_value(a));
    } else if (str_eq(verb, "told")) {
        assert_json_same(w->told, a, w->what);
        json_array_clear(w->told);
    } else if (str_eq(verb, "tree")) {
        check_tree(w, a, NULL, b);
    } else if (str_eq(verb, "orphans")) {
        check_tree(w, b, json_string_value(a), c);
    } else if (str_eq(verb, "managed")) {
        check_managed(w, json_string_value(a), b);
    } else {
        fail_msg("%s: no step %s", w->what, str_or_empty(verb));
    }
}

static void run(const json_t *c, const char *what)
{
    static const unsigned char mask_key[MASK_KEY_SIZE] = {7};
    AUTO_ERR err = NULL;
    AUTO_JSON map = json_object();
    json_t *data = json_object_get(c, "settings");
    json_put_at(map, data ? json_incref(data) : json_object(), "data");
    AUTO(settings_unref_p) settings_t *settings = NULL;
    ASSERT_OK(settings_parse(map, &settings, NULL, &err));
    struct world w = {.told = json_array(), .what = what};
    w.cache = cache_new(settings, mask_key, note, &w);
    const json_t *steps = json_object_get(c, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        AUTO(free_p) char *where = xasprintf("%s, step %zu", what, i + 1);
        w.what = where;
        step(&w, json_array_get(steps, i));
    }
    cache_free(w.cache);
    json_decref(w.told);
}

static void as_written(void **state)
{
    golden_each("cache/cases.jsonl", 12, run);
}

TESTS(T(as_written))
