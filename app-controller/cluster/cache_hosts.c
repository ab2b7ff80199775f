/* hosts[] of trees: the nodes that run an application's pods. */
#include "app-controller/cluster/cache_internal.h"

static void put_amount(json_t *r, const char *key, int64_t n)
{
    if (n > 0)
        json_object_set_new_nocheck(r, key, json_integer(n));
}

/* What the host has none of is not shown. */
static json_t *resources_of_host(const json_t *capacity, const struct node_sum *ours,
                                 const struct node_sum *all)
{
    const struct {
        const char *name;
        int64_t ours, all;
    } rows[] = {{"cpu", ours->cpu, all ? all->cpu : 0},
                {"memory", ours->memory, all ? all->memory : 0},
                {"storage", 0, 0}};
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t has = json_int_at(capacity, rows[i].name);
        if (has <= 0)
            continue;
        json_t *r = json_object();
        json_set_str(r, "resourceName", rows[i].name);
        put_amount(r, "capacity", has);
        put_amount(r, "requestedByApp", rows[i].ours);
        put_amount(r, "requestedByNeighbors", rows[i].all - rows[i].ours);
        json_array_append_new(list, r);
    }
    return list;
}

static json_t *chosen_labels(const json_t *labels, char *const *allowed)
{
    json_t *out = json_object();
    for (size_t i = 0; allowed && allowed[i]; i++)
        if (json_str_at(labels, allowed[i]))
            json_set_str(out, allowed[i], json_str_at(labels, allowed[i]));
    return out;
}

json_t *cache_host_json(cache_t *c, const char *name, const struct node_sum *ours)
{
    const struct obj *node = cache_lookup(c, &(struct obj_key){"", "Node", "", name});
    AUTO_JSON info = NULL;
    if (!node || !node->info.is_host || json_read_str(node->info.node, &info, NULL) < 0)
        return NULL;
    json_t *host = json_object(),
           *labels = chosen_labels(json_object_get(info, "labels"), settings_node_labels(c->settings));
    json_set_str(host, "name", name);
    json_object_set_new_nocheck(
        host, "resourcesInfo",
        resources_of_host(json_object_get(info, "capacity"), ours, map_get(&c->nodes, name)));
    if (json_object_get(info, "systemInfo"))
        json_object_set_nocheck(host, "systemInfo", json_object_get(info, "systemInfo"));
    if (json_object_size(labels))
        json_object_set_nocheck(host, "labels", labels);
    json_decref(labels);
    return host;
}
