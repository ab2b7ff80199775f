#include "common/engine/diff.h"
#include "common/json/patch.h"

struct walk {
    str_t path, *out;
    size_t found, max;
};

static void note(struct walk *w)
{
    if (w->found++ < w->max)
        str_printf(w->out, "%s%s", w->found > 1 ? ", " : "", w->path.len ? str_text(&w->path) : "/");
}

static void step(struct walk *w, const json_t *a, const json_t *b);

static void member(struct walk *w, const char *token, const json_t *a, const json_t *b)
{
    size_t before = w->path.len;
    str_putc(&w->path, '/');
    json_pointer_escape(token, &w->path);
    step(w, a, b);
    str_truncate(&w->path, before);
}

static void members(struct walk *w, const json_t *a, const json_t *b)
{
    AUTO(free_p) const char **first = json_sorted_keys(a), **second = json_sorted_keys(b);
    size_t i = 0, k = 0;
    while (first[i] || second[k]) {
        int order = !first[i] ? 1 : !second[k] ? -1 : strcmp(first[i], second[k]);
        const char *key = order <= 0 ? first[i] : second[k];
        member(w, key, order <= 0 ? json_object_get(a, key) : NULL,
               order >= 0 ? json_object_get(b, key) : NULL);
        i += order <= 0;
        k += order >= 0;
    }
}

static void step(struct walk *w, const json_t *a, const json_t *b)
{
    if (a && b && json_is_map(a) && json_is_map(b)) {
        members(w, a, b);
        return;
    }
    if (a && b && json_is_array(a) && json_is_array(b)) {
        size_t n = json_array_size(a), m = json_array_size(b);
        for (size_t i = 0; i < n || i < m; i++) {
            AUTO(free_p) char *index = xasprintf("%zu", i);
            member(w, index, json_array_get(a, i), json_array_get(b, i));
        }
        return;
    }
    if (!a || !b || !json_same(a, b))
        note(w);
}

void diff_paths(const json_t *a, const json_t *b, size_t max, str_t *out)
{
    struct walk w = {.path = STR_INIT, .out = out, .max = max};
    step(&w, a, b);
    if (w.found > max)
        str_printf(out, " and %zu more", w.found - max);
    str_dispose(&w.path);
}
