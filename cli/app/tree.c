#include "cli/app/tree.h"

#include "cli/app/states.h"
#include "cli/print.h"
#include "common/base/map.h"

/* Trees come from the server: whatever refers to whatever, each node is drawn once, and not too deep for the
 * stack. */
enum { DEPTH_MAX = 64 };

typedef VEC(size_t) indices_t;
struct drawing {
    const json_t *nodes;
    bool *drawn;    /* by index */
    map_t children; /* uid -> indices_t * of the nodes below it, in order */
    str_t *rows;
    void (*put)(struct drawing *d, const char *prefix, const json_t *node);
    /* what `put` needs */
    res_states_t states;
    bool detailed;
    const char *orphaned;
};

static const char *text(const json_t *node, const char *key)
{
    return str_or_empty(json_str_at(node, key));
}

/* The first parent counts. */
static const char *parent_uid(const json_t *node)
{
    return json_str_at(json_array_get(json_object_get(node, "parentRefs"), 0), "uid");
}

static bool is_root(const json_t *node)
{
    return !json_array_size(json_object_get(node, "parentRefs"));
}

/* ---- drawing ---- */

static void indices_free(void *indices)
{
    indices_t *v = indices;
    VEC_FREE(v);
    free(v);
}

static void find_children(struct drawing *d)
{
    size_t n = json_array_size(d->nodes);
    d->drawn = xcalloc(n + 1, sizeof(*d->drawn));
    d->children = (map_t)MAP_INIT(indices_free);
    for (size_t i = 0; i < n; i++) {
        const char *uid = str_or_empty(parent_uid(json_array_get(d->nodes, i)));
        indices_t *list = map_get(&d->children, uid);
        if (!list)
            map_put(&d->children, uid, list = xcalloc(1, sizeof(*list)));
        if (!is_root(json_array_get(d->nodes, i)))
            VEC_PUSH(list, i);
    }
}

/* `lines`: what stands before the children of this node: "│ " and blanks. */
static void draw(struct drawing *d, size_t at, const char *prefix, const char *lines, unsigned depth)
{
    const json_t *node = json_array_get(d->nodes, at);
    const indices_t *list = map_get(&d->children, text(node, "uid"));
    if (d->drawn[at])
        return;
    d->drawn[at] = true;
    d->put(d, prefix, node);
    for (size_t i = 0; list && i < list->n && depth < DEPTH_MAX; i++) {
        bool last = i + 1 == list->n;
        AUTO(free_p) char *own = xasprintf("%s%s", lines, last ? "└─" : "├─");
        AUTO(free_p) char *below = xasprintf("%s%s", lines, last ? "  " : "│ ");
        draw(d, list->v[i], own, below, depth + 1);
    }
}

static void draw_all(struct drawing *d)
{
    find_children(d);
    for (size_t i = 0; i < json_array_size(d->nodes); i++)
        if (is_root(json_array_get(d->nodes, i)))
            draw(d, i, "", "", 0);
    map_dispose(&d->children);
    free(d->drawn);
}

static void put_node_age(const json_t *node, str_t *out)
{
    wall_t created;
    if (rfc3339_parse(text(node, "createdAt"), &created))
        put_age(wall_now().ns - created.ns, out);
    else
        str_puts(out, "<unknown>");
}

/* ---- of an application ---- */

static const struct res_state *state_of(const struct drawing *d, const json_t *node)
{
    VEC_FOREACH(&d->states, s)
        if (!strcmp(s->f[RES_KIND], text(node, "kind")) && !strcmp(s->f[RES_NAME], text(node, "name")))
            return s;
    return NULL;
}

static void put_app_node(struct drawing *d, const char *prefix, const json_t *node)
{
    const struct res_state *s = state_of(d, node);
    const char *health = str_or_empty(json_str_at(node, "health", "status"));
    str_printf(d->rows, "%s%s/%s\t%s\t%s\t", prefix, text(node, "kind"), text(node, "name"),
               s ? s->f[RES_STATUS] : "", s ? s->f[RES_HEALTH] : health);
    if (d->detailed) {
        put_node_age(node, d->rows);
        str_putc(d->rows, '\t');
    }
    str_puts(d->rows, s ? s->f[RES_MESSAGE] : "");
    if (d->detailed)
        str_printf(d->rows, "\t%s", str_or_empty(json_str_at(node, "health", "message")));
    str_putc(d->rows, '\n');
}

void tree_of_app(const json_t *tree, const json_t *app, bool detailed, str_t *rows)
{
    struct drawing d = {
        .nodes = json_object_get(tree, "nodes"), .rows = rows, .put = put_app_node, .detailed = detailed};
    str_puts(rows, detailed ? "KIND/NAME\tSTATUS\tHEALTH\tAGE\tMESSAGE\tREASON\n"
                            : "KIND/NAME\tSTATUS\tHEALTH\tMESSAGE\n");
    res_states_of(app, NULL, &d.states);
    draw_all(&d);
    res_states_dispose(&d.states);
}

/* ---- of resources ---- */

static void put_resource(struct drawing *d, const char *prefix, const json_t *node)
{
    str_printf(d->rows, "%s%s\t%s\t%s\t%s\t%s", prefix, text(node, "group"), text(node, "kind"),
               text(node, "namespace"), text(node, "name"), d->orphaned);
    if (d->detailed) {
        str_putc(d->rows, '\t');
        put_node_age(node, d->rows);
        str_printf(d->rows, "\t%s\t%s", str_or_empty(json_str_at(node, "health", "status")),
                   str_or_empty(json_str_at(node, "health", "message")));
    }
    str_putc(d->rows, '\n');
}

static void put_list(const json_t *nodes, enum tree_form form, bool orphans, str_t *rows)
{
    struct drawing d = {.nodes = nodes,
                        .rows = rows,
                        .put = put_resource,
                        .detailed = form == TREE_DETAILED,
                        .orphaned = orphans ? "Yes" : "No"};
    size_t i;
    json_t *node;
    if (form != TREE_FLAT) {
        draw_all(&d);
        return;
    }
    json_array_foreach((json_t *)(uintptr_t)nodes, i, node)
        if (orphans || is_root(node))
            put_resource(&d, "", node);
}

void tree_of_resources(const json_t *tree, enum tree_form form, bool nodes, bool orphans, str_t *rows)
{
    str_printf(rows, "GROUP\tKIND\tNAMESPACE\tNAME\tORPHANED%s\n",
               form == TREE_DETAILED ? "\tAGE\tHEALTH\tREASON" : "");
    if (nodes)
        put_list(json_object_get(tree, "nodes"), form, false, rows);
    if (orphans)
        put_list(json_object_get(tree, "orphanedNodes"), form, true, rows);
}
