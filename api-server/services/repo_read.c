/* repository.RepositoryService: what a repository holds. */
#include "api-server/services/repo_query.h"
#include "common/argo/app.h"
#include "common/argo/project.h"

#define SERVICE "repository.RepositoryService"

static int denied(err_t **err)
{
    return err_set(err, ERR_PERMISSION_DENIED, "permission denied");
}

/* ---- who may ---- */

static char *scoped(const char *project, const char *name)
{
    return *project ? xasprintf("%s/%s", project, name) : xstrdup(name);
}

/* The repository by its URL, for one who may get it. */
static int repository(call_t *c, arena_t *a, const char *url, Cargocd__Repo__Repository **out, err_t **err)
{
    *out = repo_message(c->s, a, url, arg(c, "appProject"));
    AUTO(free_p) char *object = scoped((*out)->project, (*out)->url);
    return call_enforce(c, "repositories", "get", object, err);
}

static int check_permitted(call_t *c, const char *url, err_t **err)
{
    const char *name = arg(c, "appProject");
    AUTO_JSON project = state_effective_project(c->s->state, name);
    if (!project)
        return err_set(err, ERR_NOT_FOUND, "appprojects.argoproj.io \"%s\" not found", name);
    return project_permits_source(project, url)
               ? 0
               : err_set(err, ERR_PERMISSION_DENIED, "repository '%s' not permitted in project '%s'", url,
                         name);
}

/* ---- lists ---- */

static json_t *texts_json(char **v, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_str_new(v[i]));
    return list;
}

static void put_texts(json_t *o, const char *key, char **v, size_t n)
{
    if (n)
        json_object_set_new(o, key, texts_json(v, n));
}

static int list_refs(call_t *c, json_t **out, err_t **err)
{
    AUTO(arena_free_p) arena_t *a = arena_new();
    Cargocd__Repo__ListRefsRequest m = CARGOCD__REPO__LIST_REFS_REQUEST__INIT;
    Cargocd__Repo__ListRefsResponse *reply = NULL;
    int rc = repository(c, a, arg(c, "repo"), &m.repo, err);
    if (rc == 0)
        rc = repo_ask(c->s, m.repo->url, "repo.ListRefs", &m.base,
                      &cargocd__repo__list_refs_response__descriptor, &reply, err);
    if (rc < 0)
        return rc;
    *out = json_object();
    put_texts(*out, "branches", reply->branches, reply->n_branches);
    put_texts(*out, "tags", reply->tags, reply->n_tags);
    cargocd__repo__list_refs_response__free_unpacked(reply, NULL);
    return 0;
}

static int list_oci_tags(call_t *c, json_t **out, err_t **err)
{
    AUTO(arena_free_p) arena_t *a = arena_new();
    Cargocd__Repo__ListRefsRequest m = CARGOCD__REPO__LIST_REFS_REQUEST__INIT;
    Cargocd__Repo__ListOciTagsResponse *reply = NULL;
    int rc = repository(c, a, arg(c, "repo"), &m.repo, err);
    if (rc == 0)
        rc = repo_ask(c->s, m.repo->url, "repo.ListOciTags", &m.base,
                      &cargocd__repo__list_oci_tags_response__descriptor, &reply, err);
    if (rc < 0)
        return rc;
    *out = json_object();
    put_texts(*out, "tags", reply->tags, reply->n_tags);
    cargocd__repo__list_oci_tags_response__free_unpacked(reply, NULL);
    return 0;
}

static int helm_charts(call_t *c, json_t **out, err_t **err)
{
    AUTO(arena_free_p) arena_t *a = arena_new();
    Cargocd__Repo__HelmChartsRequest m = CARGOCD__REPO__HELM_CHARTS_REQUEST__INIT;
    Cargocd__Repo__HelmChartsResponse *reply = NULL;
    json_t *items = NULL;
    int rc = repository(c, a, arg(c, "repo"), &m.repo, err);
    if (rc == 0)
        rc = repo_ask(c->s, m.repo->url, "repo.HelmCharts", &m.base,
                      &cargocd__repo__helm_charts_response__descriptor, &reply, err);
    if (rc == 0)
        rc = json_read((const char *)reply->charts.data, reply->charts.len, &items, err);
    cargocd__repo__helm_charts_response__free_unpacked(reply, NULL);
    if (rc < 0)
        return rc;
    *out = json_object();
    json_object_set_new(*out, "items", items);
    return 0;
}

/* Finding applications clones the repository: only for those who could make or change one there. */
static int list_apps(call_t *c, json_t **out, err_t **err)
{
    AUTO(arena_free_p) arena_t *a = arena_new();
    Cargocd__Repo__ListAppsRequest m = CARGOCD__REPO__LIST_APPS_REQUEST__INIT;
    Cargocd__Repo__ListAppsResponse *reply = NULL;
    struct repo_settings settings;
    AUTO(free_p) char *object = xasprintf("%s/%s", arg(c, "appProject"), arg(c, "appName"));
    int rc = repository(c, a, arg(c, "repo"), &m.repo, err);
    if (rc < 0)
        return rc;
    if (!call_allowed(c, "applications", "create", object) &&
        !call_allowed(c, "applications", "update", object))
        return denied(err);
    rc = check_permitted(c, arg(c, "repo"), err);
    if (rc < 0)
        return rc;
    repo_options(c->s, a, &settings);
    m.revision = arena_strdup(a, arg(c, "revision"));
    m.source_types = settings.types;
    rc = repo_ask(c->s, m.repo->url, "repo.ListApps", &m.base, &cargocd__repo__list_apps_response__descriptor,
                  &reply, err);
    if (rc < 0)
        return rc;
    json_t *items = json_array();
    for (size_t i = 0; i < reply->n_apps; i++) {
        json_t *item = json_object();
        json_set_str(item, "type", reply->apps[i]->value);
        json_set_str(item, "path", reply->apps[i]->key);
        json_array_append_new(items, item);
    }
    *out = json_object();
    json_object_set_new(*out, "items", items);
    cargocd__repo__list_apps_response__free_unpacked(reply, NULL);
    return 0;
}

/* ---- details ---- */

/* A copy without what Go leaves out: two spellings of one source are one source. */
static json_t *bare(const json_t *v)
{
    if (!json_is_map(v))
        return json_copy_deep(v);
    json_t *out = json_object();
    const char *key;
    json_t *child;
    json_object_foreach((json_t *)v, key, child) {
        AUTO_JSON inner = bare(child);
        if (!json_is_zero(inner))
            json_object_set(out, key, inner);
    }
    return out;
}

static bool same_source(const json_t *a, const json_t *b, const char *revision)
{
    AUTO_JSON x = bare(a);
    AUTO_JSON y = bare(b);
    if (revision) {
        json_object_del(y, "targetRevision");
        json_put_str(y, "targetRevision", revision);
    }
    return json_same(x, y);
}

static bool in_hydrator(const json_t *app, const json_t *source)
{
    AUTO_JSON dry = json_copy_deep(json_at(app, "spec", "sourceHydrator", "drySource"));
    AUTO_JSON sync = json_copy_deep(json_at(app, "spec", "sourceHydrator", "syncSource"));
    const char *branch = json_str_at(sync, "targetBranch");
    AUTO_JSON branch_source = json_object();
    const char *url = json_str_at(sync, "repoURL");
    json_put_str(branch_source, "repoURL", str_empty(url) ? json_str_at(dry, "repoURL") : url);
    json_put_str(branch_source, "path", json_str_at(sync, "path"));
    json_put_str(branch_source, "targetRevision", branch);
    return same_source(source, dry, NULL) || same_source(source, branch_source, NULL);
}

/* Whether it is a source of the application, now or in a deployment of the past. */
static bool is_own_source(const call_t *c, const json_t *app, const json_t *source)
{
    AUTO_JSON now = app_sources(app);
    size_t i, index = (size_t)json_int_at(c->in, "sourceIndex");
    json_t *v;
    if (json_at(app, "spec", "sourceHydrator"))
        return in_hydrator(app, source);
    json_array_foreach(now, i, v)
        if (same_source(source, v, NULL))
            return true;
    json_array_foreach(json_at(app, "status", "history"), i, v) {
        const json_t *sources = json_object_get(v, "sources"), *revisions = json_object_get(v, "revisions");
        if (!json_array_size(sources)) {
            if (same_source(source, json_object_get(v, "source"), str_or_empty(json_str_at(v, "revision"))))
                return true;
        } else if (json_int_at(v, "id") == json_int_at(c->in, "versionId") &&
                   index < json_array_size(sources) && index < json_array_size(revisions)) {
            if (same_source(source, json_array_get(sources, index),
                            str_or_empty(json_string_value(json_array_get(revisions, index)))))
                return true;
        }
    }
    return false;
}

/* "name", "namespace/name": the application, NULL when there is none. */
static json_t *find_app(call_t *c)
{
    const char *qualified = arg(c, "appName"), *slash = strchr(qualified, '/');
    AUTO(free_p)
    char *ns = slash ? xstrndup(qualified, (size_t)(slash - qualified)) : xstrdup(c->s->flags->ns);
    struct live_doc *doc = live_app(c->s->live, ns, slash ? slash + 1 : qualified);
    json_t *app = NULL;
    if (doc)
        json_read(doc->bytes, doc->n, &app, NULL);
    live_doc_unref(doc);
    return app;
}

static int may_see_details(call_t *c, const json_t *app, const json_t *source, err_t **err)
{
    AUTO(free_p) char *object = scoped(arg(c, "appProject"), arg(c, "appName"));
    int rc = call_enforce(c, "applications", "get", object, err);
    if (rc < 0)
        return rc;
    if (!app)
        rc = call_enforce(c, "applications", "create", object, err);
    else if (strcmp(arg(c, "appProject"), app_project(app)) != 0 || !is_own_source(c, app, source))
        rc = denied(err);
    return rc < 0 ? rc : check_permitted(c, str_or_empty(json_str_at(source, "repoURL")), err);
}

static void put_refs(call_t *c, arena_t *a, const json_t *app, Cargocd__Repo__AppDetailsRequest *m)
{
    typedef Cargocd__Repo__AppDetailsRequest__RefSourcesEntry entry_t;
    AUTO_JSON sources = app ? app_sources(app) : json_array();
    size_t i;
    json_t *source;
    m->ref_sources = arena_alloc(a, (json_array_size(sources) + 1) * sizeof *m->ref_sources);
    json_array_foreach(sources, i, source) {
        const char *ref = json_str_at(source, "ref");
        if (str_empty(ref) || !app_multi_source(app))
            continue;
        Cargocd__Repo__RefTarget *t = arena_alloc(a, sizeof *t);
        entry_t *e = arena_alloc(a, sizeof *e);
        cargocd__repo__ref_target__init(t);
        cargocd__repo__app_details_request__ref_sources_entry__init(e);
        t->repo = repo_message(c->s, a, str_or_empty(json_str_at(source, "repoURL")), arg(c, "appProject"));
        t->target_revision = arena_strdup(a, str_or_empty(json_str_at(source, "targetRevision")));
        t->chart = arena_strdup(a, str_or_empty(json_str_at(source, "chart")));
        e->key = arena_printf(a, "$%s", ref);
        e->value = t;
        m->ref_sources[m->n_ref_sources++] = e;
    }
}

static int ask_details(call_t *c, const json_t *app, const json_t *source, Cargocd__Repo__Repository *repo,
                       arena_t *a, json_t **out, err_t **err)
{
    Cargocd__Repo__AppDetailsRequest m = CARGOCD__REPO__APP_DETAILS_REQUEST__INIT;
    Cargocd__Repo__AppDetailsResponse *reply = NULL;
    struct repo_settings settings;
    AUTO_JSON helm = state_helm_repos(c->s->state, arg(c, "appProject"), str_has_prefix(repo->url, "oci://"));
    repo_options(c->s, a, &settings);
    m.repo = repo;
    repo_bytes(a, source, &m.source);
    m.app_name = arena_strdup(a, arg(c, "appName"));
    m.helm_repos = messages_of_repos(a, helm, &m.n_helm_repos);
    m.kustomize_options = settings.kustomize;
    m.source_types = settings.types;
    m.values_file_schemes = settings.schemes;
    m.n_values_file_schemes = settings.nschemes;
    put_refs(c, a, app, &m);
    int rc = repo_ask(c->s, repo->url, "repo.AppDetails", &m.base,
                      &cargocd__repo__app_details_response__descriptor, &reply, err);
    if (rc == 0)
        rc = json_read((const char *)reply->details.data, reply->details.len, out, err);
    cargocd__repo__app_details_response__free_unpacked(reply, NULL);
    return rc;
}

static int app_details(call_t *c, json_t **out, err_t **err)
{
    const json_t *source = json_object_get(c->in, "source");
    Cargocd__Repo__Repository *repo = NULL;
    AUTO(arena_free_p) arena_t *a = arena_new();
    if (!json_is_map(source))
        return err_set(err, ERR_INVALID_ARGUMENT, "missing payload in request");
    int rc = repository(c, a, str_or_empty(json_str_at(source, "repoURL")), &repo, err);
    if (rc < 0)
        return rc;
    AUTO_JSON app = find_app(c);
    rc = may_see_details(c, app, source, err);
    return rc < 0 ? rc : ask_details(c, app, source, repo, a, out, err);
}

const struct handler repository_handlers[] = {
    {SERVICE, "ListRefs", list_refs},        {SERVICE, "ListOCITags", list_oci_tags},
    {SERVICE, "GetHelmCharts", helm_charts}, {SERVICE, "ListApps", list_apps},
    {SERVICE, "GetAppDetails", app_details}, {NULL, NULL, NULL},
};
