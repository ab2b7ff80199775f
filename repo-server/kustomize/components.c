/* `kustomize edit add component` takes patterns, and names of the network where nothing matches. With
 * ignoreMissingComponents Argo CD leaves out before what is no directory or file by that very name. */
#include "common/base/glob.h"
#include "repo-server/kustomize/kustomize.h"

enum { MAX_MATCHES = 1000, MAX_PARTS = 100 };

struct search {
    tree_t *tree;
    char **parts;
    bool hidden; /* names with a dot in front are meant */
    words_t *found;
};

static int kind_at(tree_t *tree, const char *path, enum node_kind *kind, err_t **err)
{
    struct tree_place place = {};
    *kind = NODE_ABSENT;
    if (path_escapes(path))
        return 0;
    int r = tree_look(tree, path, true, &place, err);
    *kind = place.node.kind;
    tree_place_dispose(&place);
    return r;
}

static bool is_pattern(const char *s)
{
    return strpbrk(s, "*?[\\") != NULL;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* `path` in the tree, `shown` as the pattern spells it; both fit the parts before i. */
static int search_from(struct search *s, const char *path, const char *shown, size_t i, err_t **err);

static int search_name(struct search *s, const char *path, const char *shown, const char *name, size_t i,
                       err_t **err)
{
    AUTO(free_p) char *next = path_join(path, name);
    AUTO(free_p) char *text = *shown ? xasprintf("%s/%s", shown, name) : xstrdup(name);
    return search_from(s, next, text, i + 1, err);
}

static int search_from(struct search *s, const char *path, const char *shown, size_t i, err_t **err)
{
    enum node_kind kind;
    struct tree_entries entries = {};
    int r = kind_at(s->tree, path, &kind, err);
    if (r < 0 || kind == NODE_ABSENT)
        return r;
    if (!s->parts[i]) {
        if (s->hidden || *base_name(shown) != '.')
            words_add(s->found, shown);
        return s->found->n > MAX_MATCHES
                   ? err_set(err, ERR_RESOURCE_EXHAUSTED, "components match more than %d files", MAX_MATCHES)
                   : 0;
    }
    if (!is_pattern(s->parts[i]))
        return search_name(s, path, shown, s->parts[i], i, err);
    if (kind != NODE_DIR)
        return 0;
    struct tree_select fits = {.include = s->parts[i], .dirs = true};
    r = tree_list(s->tree, path, &fits, &entries, err);
    for (size_t k = 0; r == 0 && k < entries.n; k++)
        if (shell_match(s->parts[i], entries.v[k].name))
            r = search_name(s, path, shown, entries.v[k].name, i, err);
    tree_entries_dispose(&entries);
    return r;
}

static int expand(const struct render_input *in, const char *dir, const char *pattern, words_t *out,
                  err_t **err)
{
    AUTO(strv_free_p) char **parts = strv_split(pattern, "/", true);
    struct search s = {.tree = in->tree, .parts = parts, .hidden = *base_name(pattern) == '.', .found = out};
    if (!*parts || *pattern == '/' || strv_len(parts) > MAX_PARTS)
        return 0;
    return search_from(&s, dir, "", 0, err);
}

static bool exists(const struct render_input *in, const char *dir, const char *name)
{
    enum node_kind kind = NODE_ABSENT;
    AUTO(free_p) char *path = path_join(dir, name);
    return kind_at(in->tree, path, &kind, NULL) == 0 && kind != NODE_ABSENT;
}

int component_paths(const struct render_input *in, const json_t *spec, const char *dir, words_t *out,
                    err_t **err)
{
    const json_t *list = json_object_get(spec, "components");
    bool may_miss = json_bool_at(spec, "ignoreMissingComponents");
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        const char *name = str_or_empty(json_string_value(json_array_get(list, i)));
        size_t before = out->n;
        if (may_miss && !exists(in, dir, name))
            continue;
        r = expand(in, dir, name, out, err);
        if (r < 0 || out->n > before)
            continue;
        if (!kustomize_looks_remote(name))
            return err_set(
                err, ERR_FAILED_PRECONDITION,
                "`kustomize edit add component %s` failed exit status 1: Error: %s has no match: must build "
                "at directory: not a valid directory",
                name, name);
        words_add(out, name);
    }
    return r;
}
