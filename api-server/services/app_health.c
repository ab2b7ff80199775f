#include "api-server/services/apps.h"
#include "common/kinds/kinds.h"

#define PATIENCE SECONDS(1)

static char *key_of(const json_t *o)
{
    return xasprintf("%s/%s/%s/%s", str_or_empty(json_str_at(o, "group")),
                     str_or_empty(json_str_at(o, "kind")), str_or_empty(json_str_at(o, "namespace")),
                     str_or_empty(json_str_at(o, "name")));
}

/* What the tree says of a node: its health, or that it is not in the cluster. NULL: nothing. */
static json_t *health_of(const json_t *node)
{
    const json_t *health = json_object_get(node, "health");
    if (health)
        return json_copy_deep(health);
    if (!str_empty(json_str_at(node, "resourceVersion")) || !str_empty(json_str_at(node, "uid")) ||
        json_object_get(node, "createdAt"))
        return NULL;
    json_t *missing = json_object();
    json_set_str(missing, "status", "Missing");
    json_set_str(missing, "message", "Resource has not been created");
    return missing;
}

void app_put_health(json_t *app, const json_t *tree)
{
    AUTO_JSON by_key = json_object();
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(tree, "nodes"), i, o) {
        AUTO(free_p) char *key = key_of(o);
        json_t *health = health_of(o);
        if (health)
            json_object_set_new_nocheck(by_key, key, health);
    }
    json_array_foreach(json_at(app, "status", "resources"), i, o) {
        AUTO(free_p) char *key = key_of(o);
        json_t *health = json_object_get(by_key, key);
        if (health)
            json_object_set_nocheck(o, "health", health);
        else
            json_object_del(o, "health");
    }
}

void app_infer_health(server_t *s, json_t *app)
{
    AUTO_JSON tree = NULL;
    if (str_eq(json_str_at(app, "status", "resourceHealthSource"), "appTree") &&
        backend_tree_within(s, object_namespace(app), object_name(app), PATIENCE, &tree, NULL) == 0)
        app_put_health(app, tree);
}
