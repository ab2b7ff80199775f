/* project.ProjectService: reading. */
#include "api-server/services/fields.h"
#include "api-server/services/server.h"
#include "common/argo/project.h"
#include "common/kinds/kinds.h"

/* As REST shows it: `status` and the timestamp always print. */
static json_t *shown(const json_t *project)
{
    json_t *o = json_copy((json_t *)project), *metadata = json_copy(json_object_get(project, "metadata"));
    json_object_del(metadata, "managedFields");
    json_object_set_new(o, "metadata", metadata);
    if (!json_object_get(o, "spec"))
        json_object_set_new(o, "spec", json_object());
    if (!json_object_get(o, "status"))
        json_object_set_new(o, "status", json_object());
    return o;
}

static void answer_filtered(call_t *c, const json_t *doc)
{
    AUTO(fields_free_p) fields_t *fields = fields_parse(query_get(&c->query, "fields"));
    AUTO_STR text = STR_INIT;
    json_write(doc, JSON_KEEP_ORDER, &text);
    if (fields)
        fields_project(fields, str_text(&text), text.len, &c->raw);
    else
        str_add(&c->raw, text.p, text.len);
}

static int list(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON all = state_projects(c->s->state);
    AUTO_JSON items = json_array();
    AUTO_JSON answer = json_object();
    size_t i;
    json_t *p;
    json_array_foreach(all, i, p)
        if (call_allowed(c, "projects", "get", object_name(p)))
            json_array_append_new(items, shown(p));
    json_object_set_new(answer, "metadata", json_object());
    json_object_set(answer, "items", items);
    answer_filtered(c, answer);
    return 0;
}

/* Absent and forbidden answer alike. */
static int find(call_t *c, const char *name, json_t **project, err_t **err)
{
    int rc = call_enforce(c, "projects", "get", name, err);
    if (rc < 0)
        return rc;
    *project = state_project(c->s->state, name);
    return *project ? 0 : err_set(err, ERR_NOT_FOUND, "appprojects.argoproj.io \"%s\" not found", name);
}

static int get(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON p = NULL;
    int rc = find(c, arg(c, "name"), &p, err);
    if (rc == 0)
        *out = shown(p);
    return rc;
}

static json_t *clusters_of(call_t *c, const char *project)
{
    size_t n;
    struct cluster_entry *all = state_clusters(c->s->state, &n);
    json_t *list_of = json_array();
    AUTO_JSON infos = NULL;
    backend_cluster_infos(c->s, "", &infos, NULL);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(all[i].spec.project, project))
            json_array_append_new(list_of, cluster_shown(&all[i], infos));
    state_clusters_free(all, n);
    return list_of;
}

static int detailed(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON p = NULL;
    const char *name = arg(c, "name");
    int rc = find(c, name, &p, err);
    if (rc < 0)
        return rc;
    AUTO_JSON effective = state_effective_project(c->s->state, name);
    AUTO_JSON clusters = clusters_of(c, name);
    *out = json_object();
    json_object_set_new(*out, "project", shown(effective ? effective : p));
    if (json_array_size(clusters))
        json_object_set(*out, "clusters", clusters);
    return 0;
}

static int events(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON p = NULL;
    AUTO_JSON items = NULL;
    int rc = find(c, arg(c, "name"), &p, err);
    if (rc < 0)
        return rc;
    AUTO(free_p)
    char *selector = xasprintf("involvedObject.name=%s,involvedObject.uid=%s,involvedObject.namespace=%s",
                               object_name(p), object_uid(p), object_namespace(p));
    struct kube_list what = {.ns = object_namespace(p), .field_selector = selector};
    rc = kube_list_json(c->s->kube, kind_event, &what, &items, err);
    if (rc < 0)
        return rc;
    *out = json_object();
    json_object_set_new(*out, "metadata", json_object());
    json_object_set(*out, "items", items);
    return 0;
}

const struct handler project_handlers[] = {
    {"project.ProjectService", "List", list},
    {"project.ProjectService", "Get", get},
    {"project.ProjectService", "GetDetailedProject", detailed},
    {"project.ProjectService", "ListEvents", events},
    {NULL, NULL, NULL},
};
