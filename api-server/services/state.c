#include "api-server/services/state.h"

#include "common/argo/app.h"
#include "common/argo/project.h"
#include "common/argo/repos.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/kinds/kinds.h"

static const struct kube_resource application = {.group = ARGO_GROUP,
                                                 .version = "v1alpha1",
                                                 .kind = "Application",
                                                 .plural = "applications",
                                                 .singular = "application",
                                                 .namespaced = true,
                                                 .verbs = 0xff,
                                                 .subresources = ""};
static const struct kube_resource app_project_kind = {.group = ARGO_GROUP,
                                                      .version = "v1alpha1",
                                                      .kind = "AppProject",
                                                      .plural = "appprojects",
                                                      .singular = "appproject",
                                                      .namespaced = true,
                                                      .verbs = 0xff,
                                                      .subresources = ""};
#define CORE(var, k, p)                                                                                      \
    static const struct kube_resource var = {.group = "",                                                    \
                                             .version = "v1",                                                \
                                             .kind = k,                                                      \
                                             .plural = p,                                                    \
                                             .singular = "",                                                 \
                                             .namespaced = true,                                             \
                                             .verbs = 0xff,                                                  \
                                             .subresources = ""}
CORE(config_map, "ConfigMap", "configmaps");
CORE(secret, "Secret", "secrets");
CORE(event, "Event", "events");

const struct kube_resource *const kind_application = &application, *const kind_project = &app_project_kind,
                                  *const kind_config_map = &config_map, *const kind_secret = &secret,
                                  *const kind_event = &event;

/* Where revoked tokens are kept: jti -> expiry in seconds. */
#define REVOKED_SECRET "cargocd-revoked-tokens"

struct project {
    json_t *doc;
    rbac_project_t *roles;
};

struct watcher {
    state_t *state;
    enum state_kind kind;
    kube_watch_t *watch;
};

struct state {
    char *ns;
    config_box_t *config;
    live_t *live;
    auth_t *auth;
    struct watcher watchers[STATE_KINDS];
    kube_watch_t *apps;

    lock_t lock; /* of what follows */
    bool synced[STATE_KINDS], listing[STATE_KINDS];
    map_t seen[STATE_KINDS]; /* names of the list under way */
    json_t *cm, *rbac_cm, *argocd_secret;
    json_t *secrets; /* others that settings may refer to: name -> Secret */
    map_t projects;  /* name -> struct project */
    map_t clusters;  /* name of the Secret -> struct cluster_entry */
    repos_t *repos;
    settings_t *settings;
    uint64_t access_hash; /* of what decides who sees what */
};

/* ---- life ---- */

static void project_free(void *p)
{
    struct project *x = p;
    json_decref(x->doc);
    rbac_project_unref(x->roles);
    free(x);
}

void cluster_entry_dispose(struct cluster_entry *c)
{
    cluster_spec_dispose(&c->spec);
    json_decref(c->labels);
    json_decref(c->annotations);
    free(c->secret);
}

static void cluster_free(void *p)
{
    cluster_entry_dispose(p);
    free(p);
}

state_t *state_new(const struct state_options *options)
{
    state_t *s = xcalloc(1, sizeof *s);
    s->ns = xstrdup(options->ns);
    s->config = options->config;
    s->secrets = json_object();
    s->projects = (map_t)MAP_INIT(project_free);
    s->clusters = (map_t)MAP_INIT(cluster_free);
    s->repos = repos_new();
    pthread_mutex_init(&s->lock, NULL);
    if (settings_parse(NULL, &s->settings, NULL, NULL) < 0)
        oom();
    return s;
}

void state_free(state_t *s)
{
    if (!s)
        return;
    state_stop(s);
    for (int i = 0; i < STATE_KINDS; i++)
        map_dispose(&s->seen[i]);
    json_decref(s->cm);
    json_decref(s->rbac_cm);
    json_decref(s->argocd_secret);
    json_decref(s->secrets);
    map_dispose(&s->projects);
    map_dispose(&s->clusters);
    repos_free(s->repos);
    settings_unref(s->settings);
    pthread_mutex_destroy(&s->lock);
    free(s->ns);
    free(s);
}

void state_set_listeners(state_t *s, live_t *live, auth_t *auth)
{
    s->live = live;
    s->auth = auth;
}

const char *state_ns(const state_t *s)
{
    return s->ns;
}

/* ---- what changes mean ---- */

static void warn_lines(const str_t *warnings)
{
    view_t rest = view_of(str_text(warnings)), line;
    while (view_split(&rest, '\n', &line))
        if (line.n)
            log_warn(NULL, "settings: %.*s", (int)line.n, line.p);
}

/* Accounts and policy together: a change of either makes verdicts again. */
static uint64_t access_hash(const config_t *c)
{
    size_t n;
    const struct account *a = config_accounts(c, &n);
    uint64_t h = config_policy_hash(c);
    for (size_t i = 0; i < n; i++)
        h = h * 31 + fnv1a64(a[i].name, strlen(a[i].name)) + a[i].enabled + (uint64_t)a[i].password_mtime;
    return h;
}

/* Makes the settings again; true when verdicts may have changed. Under the lock. */
static bool rebuild_config(state_t *s)
{
    AUTO_STR warnings = STR_INIT;
    AUTO(config_unref_p) config_t *old = config_box_get(s->config);
    struct config_source source = {
        .cm = s->cm, .rbac_cm = s->rbac_cm, .secret = s->argocd_secret, .secrets = s->secrets};
    config_t *fresh = config_new(&source, old, &warnings);
    uint64_t hash = access_hash(fresh);
    bool changed = hash != s->access_hash;
    s->access_hash = hash;
    config_box_put(s->config, fresh);
    settings_t *settings = NULL;
    AUTO_ERR err = NULL;
    if (settings_parse(s->cm, &settings, &warnings, &err) == 0) {
        settings_unref(s->settings);
        s->settings = settings;
    } else
        log_warn(NULL, "settings: %s; what was before holds", err_text(err));
    warn_lines(&warnings);
    return changed;
}

static void take_revocations(state_t *s, const json_t *object)
{
    AUTO_JSON texts = secret_texts(object);
    AUTO_JSON revoked = json_object();
    const char *jti;
    json_t *v;
    int64_t exp;
    json_object_foreach(texts, jti, v)
        if (str_to_i64(str_or_empty(json_string_value(v)), &exp))
            json_object_set_new(revoked, jti, json_integer(exp));
    if (s->auth)
        auth_set_revoked(s->auth, revoked);
}

/* ---- objects ---- */

static bool replace(json_t **slot, json_t *object)
{
    bool changed = !object != !*slot ||
                   (object && !json_same(json_object_get(*slot, "data"), json_object_get(object, "data")));
    json_decref(*slot);
    *slot = json_incref(object);
    return changed;
}

/* object NULL: deleted. True when the settings are to be made again. */
static bool put_config_map(state_t *s, const char *name, json_t *object)
{
    if (!strcmp(name, "argocd-cm"))
        return replace(&s->cm, object);
    if (!strcmp(name, "argocd-rbac-cm"))
        return replace(&s->rbac_cm, object);
    return false;
}

static void put_cluster(state_t *s, const char *name, const json_t *object)
{
    AUTO_ERR err = NULL;
    map_del(&s->clusters, name);
    if (!object)
        return;
    struct cluster_entry *c = xcalloc(1, sizeof *c);
    if (cluster_spec_parse(object, &c->spec, &err) < 0) {
        log_warn(NULL, "cluster secret %s: %s", name, err_text(err));
        free(c);
        return;
    }
    c->labels = json_incref(json_at(object, "metadata", "labels"));
    c->annotations = json_incref(json_at(object, "metadata", "annotations"));
    c->secret = xstrdup(name);
    map_put(&s->clusters, name, c);
}

static bool put_secret(state_t *s, const char *name, json_t *object)
{
    AUTO_STR problem = STR_INIT;
    const char *type = str_or_empty(json_str_at(object, "metadata", "labels", LABEL_SECRET_TYPE));
    if (!strcmp(name, "argocd-secret"))
        return replace(&s->argocd_secret, object);
    if (!strcmp(name, REVOKED_SECRET) && object)
        take_revocations(s, object);
    put_cluster(s, name, strcmp(type, "cluster") ? NULL : object);
    repos_put(s->repos, name, strcmp(type, "repository") && strcmp(type, "repo-creds") ? NULL : object,
              &problem);
    if (problem.len)
        log_warn(NULL, "repository secret %s: %s", name, str_text(&problem));
    bool referable = object && str_eq(json_str_at(object, "metadata", "labels", LABEL_PART_OF), "argocd");
    if (!referable)
        return json_object_del(s->secrets, name) == 0;
    bool same = json_same(json_at(s->secrets, name, "data"), json_object_get(object, "data"));
    json_object_set(s->secrets, name, object);
    return !same;
}

/* True when the roles changed. */
static bool put_project(state_t *s, const char *name, json_t *object)
{
    struct project *old = map_get(&s->projects, name);
    if (!object)
        return map_del(&s->projects, name);
    json_drop_at(object, "metadata", "managedFields");
    struct project *p = xcalloc(1, sizeof *p);
    p->doc = json_incref(object);
    p->roles = rbac_project_new(object);
    bool changed = !old || !rbac_project_same(old->roles, p->roles);
    map_put(&s->projects, name, p);
    return changed;
}

/* Takes one object in; whether verdicts may have changed. Under the lock. */
static bool apply(state_t *s, enum state_kind kind, const char *name, json_t *object)
{
    switch (kind) {
    case STATE_CONFIG_MAPS:
        return put_config_map(s, name, object) && s->synced[kind] && rebuild_config(s);
    case STATE_SECRETS:
        return put_secret(s, name, object) && s->synced[kind] && rebuild_config(s);
    default:
        return put_project(s, name, object) && s->synced[kind];
    }
}

static void verdicts_changed(state_t *s, bool changed)
{
    if (changed && s->live)
        live_policy_changed(s->live);
}

void state_list_begin(state_t *s, enum state_kind kind)
{
    LOCKED(&s->lock);
    map_clear(&s->seen[kind]);
    s->listing[kind] = true;
}

static void take(state_t *s, enum state_kind kind, const char *p, size_t n, bool deleted)
{
    AUTO_ERR err = NULL;
    AUTO_JSON object = NULL;
    bool changed;
    if (json_read(p, n, &object, &err) < 0) {
        log_warn(NULL, "watch: %s", err_text(err));
        return;
    }
    const char *name = object_name(object);
    {
        LOCKED(&s->lock);
        if (s->listing[kind])
            map_put(&s->seen[kind], name, NULL);
        changed = apply(s, kind, name, deleted ? NULL : object);
    }
    verdicts_changed(s, changed);
}

void state_put(state_t *s, enum state_kind kind, const char *p, size_t n)
{
    take(s, kind, p, n, false);
}

void state_del(state_t *s, enum state_kind kind, const char *p, size_t n)
{
    take(s, kind, p, n, true);
}

static void forget_unseen(state_t *s, enum state_kind kind, const map_t *have)
{
    MAP_FOREACH(have, e)
        if (!map_has(&s->seen[kind], e->key)) {
            AUTO(free_p) char *name = xstrdup(e->key);
            apply(s, kind, name, NULL);
        }
}

/* Objects that went while we did not watch. */
static void sweep(state_t *s, enum state_kind kind)
{
    static const char *const config_maps[] = {"argocd-cm", "argocd-rbac-cm"};
    if (kind == STATE_PROJECTS)
        forget_unseen(s, kind, &s->projects);
    if (kind == STATE_CONFIG_MAPS)
        for (size_t i = 0; i < ARRAY_LEN(config_maps); i++)
            if (!map_has(&s->seen[kind], config_maps[i]))
                put_config_map(s, config_maps[i], NULL);
    if (kind != STATE_SECRETS)
        return;
    forget_unseen(s, kind, &s->clusters);
    if (!map_has(&s->seen[kind], "argocd-secret"))
        replace(&s->argocd_secret, NULL);
    AUTO(free_p) const char **names = json_sorted_keys(s->secrets);
    for (const char **n = names; *n; n++)
        if (!map_has(&s->seen[kind], *n)) {
            AUTO(free_p) char *name = xstrdup(*n);
            put_secret(s, name, NULL);
        }
}

void state_synced(state_t *s, enum state_kind kind)
{
    bool changed = false;
    {
        LOCKED(&s->lock);
        if (s->listing[kind])
            sweep(s, kind);
        s->listing[kind] = false;
        s->synced[kind] = true;
        if (s->synced[STATE_CONFIG_MAPS] && s->synced[STATE_SECRETS])
            changed = rebuild_config(s) || kind == STATE_PROJECTS;
    }
    verdicts_changed(s, changed);
}

bool state_ready(state_t *s)
{
    LOCKED(&s->lock);
    for (int i = 0; i < STATE_KINDS; i++)
        if (!s->synced[i])
            return false;
    return true;
}

/* ---- watches ---- */

static void on_list(void *p)
{
    struct watcher *w = p;
    state_list_begin(w->state, w->kind);
}

static void on_event(void *p, enum kube_event e, const char *text, size_t n)
{
    struct watcher *w = p;
    take(w->state, w->kind, text, n, e == KUBE_DELETED);
}

static void on_synced(void *p, const char *resource_version)
{
    struct watcher *w = p;
    state_synced(w->state, w->kind);
}

static void on_error(void *p, err_t *err)
{
    if (err)
        log_warn(NULL, "watch: %s", err_text(err));
}

static const struct kube_watch_ops watch_ops = {
    .on_list = on_list, .on_event = on_event, .on_synced = on_synced, .on_error = on_error};

static void apps_list(void *p)
{
    live_apps_begin(((state_t *)p)->live);
}

static void apps_event(void *p, enum kube_event e, const char *text, size_t n)
{
    state_t *s = p;
    if (e == KUBE_DELETED)
        live_app_del(s->live, text, n);
    else
        live_app_put(s->live, text, n);
}

static void apps_synced(void *p, const char *resource_version)
{
    live_apps_synced(((state_t *)p)->live, resource_version);
}

static const struct kube_watch_ops apps_ops = {
    .on_list = apps_list, .on_event = apps_event, .on_synced = apps_synced, .on_error = on_error};

void state_watch(state_t *s, kube_t *kube, const char *apps_ns)
{
    const struct kube_resource *const kinds[] = {kind_config_map, kind_secret, kind_project};
    for (int i = 0; i < STATE_KINDS; i++) {
        s->watchers[i] = (struct watcher){s, (enum state_kind)i, NULL};
        struct kube_watch_spec spec = {.resource = kinds[i], .list = {.ns = s->ns}};
        s->watchers[i].watch = kube_watch_start(kube, &spec, &watch_ops, &s->watchers[i]);
    }
    struct kube_watch_spec spec = {.resource = kind_application, .list = {.ns = apps_ns}};
    s->apps = kube_watch_start(kube, &spec, &apps_ops, s);
}

void state_stop(state_t *s)
{
    for (int i = 0; i < STATE_KINDS; i++)
        if (s->watchers[i].watch)
            kube_watch_stop(TAKE(s->watchers[i].watch));
    if (s->apps)
        kube_watch_stop(TAKE(s->apps));
}

/* ---- projects ---- */

json_t *state_project(state_t *s, const char *name)
{
    LOCKED(&s->lock);
    const struct project *p = map_get(&s->projects, name);
    return p ? json_incref(p->doc) : NULL;
}

rbac_project_t *state_rbac_project(state_t *s, const char *name)
{
    LOCKED(&s->lock);
    const struct project *p = map_get(&s->projects, str_or_empty(name));
    return p ? rbac_project_ref(p->roles) : NULL;
}

json_t *state_projects(state_t *s)
{
    LOCKED(&s->lock);
    json_t *list = json_array();
    AUTO(free_p) const char **names = map_sorted_keys(&s->projects);
    for (const char **n = names; *n; n++)
        json_array_append(list, ((struct project *)map_get(&s->projects, *n))->doc);
    return list;
}

static json_t *list_at(json_t *spec, const char *key)
{
    json_t *list = json_object_get(spec, key);
    if (!json_is_array(list))
        json_object_set_new(spec, key, list = json_array());
    return list;
}

static void add_scoped_clusters(state_t *s, const char *project, json_t *spec)
{
    MAP_FOREACH(&s->clusters, e) {
        const struct cluster_entry *c = e->value;
        if (strcmp(c->spec.project, project) != 0)
            continue;
        json_t *d = json_object();
        json_set_str(d, "server", c->spec.server);
        json_set_str(d, "namespace", "*");
        json_array_append_new(list_at(spec, "destinations"), d);
    }
}

json_t *state_effective_project(state_t *s, const char *name)
{
    LOCKED(&s->lock);
    const struct project *p = map_get(&s->projects, name);
    if (!p)
        return NULL;
    json_t *doc = json_copy_deep(p->doc), *spec = json_object_get(doc, "spec");
    if (!json_is_map(spec))
        json_object_set_new(doc, "spec", spec = json_object());
    AUTO_JSON urls = repos_scoped_urls(s->repos, name);
    if (json_array_size(urls))
        json_array_extend(list_at(spec, "sourceRepos"), urls);
    add_scoped_clusters(s, name, spec);
    return doc;
}

static bool lists_token(const json_t *items, const char *id, int64_t iat)
{
    size_t i;
    json_t *t;
    json_array_foreach((json_t *)items, i, t) {
        const char *have = str_or_empty(json_str_at(t, "id"));
        if (*id && *have ? !strcmp(have, id) : json_int_at(t, "iat") == iat)
            return true;
    }
    return false;
}

bool state_project_token(state_t *s, const char *project, const char *role, const char *id, int64_t iat)
{
    AUTO_JSON doc = state_project(s, project);
    size_t i;
    json_t *r;
    bool exists = false,
         listed = lists_token(json_at(doc, "status", "jwtTokensByRole", role, "items"), id, iat);
    json_array_foreach(json_at(doc, "spec", "roles"), i, r)
        if (str_eq(json_str_at(r, "name"), role)) {
            exists = true;
            listed |= lists_token(json_object_get(r, "jwtTokens"), id, iat);
        }
    return exists && listed;
}

/* ---- clusters ---- */

static struct cluster_entry entry_copy(const struct cluster_entry *c)
{
    struct cluster_entry out = {.labels = json_incref(c->labels),
                                .annotations = json_incref(c->annotations),
                                .secret = xstrdup(c->secret)};
    cluster_spec_copy(&out.spec, &c->spec);
    return out;
}

static int by_server(const void *a, const void *b)
{
    return strcmp(((const struct cluster_entry *)a)->spec.server,
                  ((const struct cluster_entry *)b)->spec.server);
}

/* All, with the implicit one unless a Secret describes it or it is switched off. Under the lock. */
static struct cluster_entry *collect(state_t *s, size_t *n)
{
    VEC(struct cluster_entry) all = {};
    bool own = settings_in_cluster_enabled(s->settings);
    MAP_FOREACH(&s->clusters, e) {
        const struct cluster_entry *c = e->value;
        if (!strcmp(c->spec.server, IN_CLUSTER_SERVER)) {
            if (!settings_in_cluster_enabled(s->settings))
                continue;
            own = false;
        }
        VEC_PUSH(&all, entry_copy(c));
    }
    if (own) {
        struct cluster_entry c = {.secret = xstrdup("")};
        cluster_spec_in_cluster(&c.spec);
        VEC_PUSH(&all, c);
    }
    VEC_SORT(&all, by_server);
    *n = all.n;
    return all.v;
}

struct cluster_entry *state_clusters(state_t *s, size_t *n)
{
    LOCKED(&s->lock);
    return collect(s, n);
}

void state_clusters_free(struct cluster_entry *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cluster_entry_dispose(&c[i]);
    free(c);
}

static int no_such_name(const struct cluster_entry *all, size_t n, const char *name, size_t hits, err_t **err)
{
    AUTO_STR servers = STR_INIT;
    if (!hits)
        return err_set(err, ERR_INVALID_ARGUMENT, "there are no clusters with this name: %s", name);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(all[i].spec.name, name))
            str_printf(&servers, "%s%s", servers.len ? " " : "", all[i].spec.server);
    return err_set(err, ERR_INVALID_ARGUMENT, "there are %zu clusters with the same name: [%s]", hits,
                   str_text(&servers));
}

int state_resolve_destination(state_t *s, const json_t *destination, char **server, char **name,
                              char **project, err_t **err)
{
    const char *url = str_or_empty(json_str_at(destination, "server")),
               *by_name = str_or_empty(json_str_at(destination, "name"));
    size_t n, hits = 0, at = 0;
    if (*url && *by_name)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "application destination can't have both name and server defined: %s %s", by_name,
                       url);
    if (!*url && !*by_name)
        return err_set(err, ERR_INVALID_ARGUMENT, "Destination server missing from app spec");
    struct cluster_entry *all = state_clusters(s, &n);
    size_t len = strlen(url);
    while (len && url[len - 1] == '/')
        len--;
    for (size_t i = 0; i < n; i++) {
        const struct cluster_spec *c = &all[i].spec;
        bool hit = *url ? strlen(c->server) == len && !strncmp(c->server, url, len)
                        : !strcmp(c->name, by_name);
        hits += hit;
        at = hit ? i : at;
    }
    int rc = 0;
    if (*url ? !hits : hits != 1)
        rc = *url ? err_set(err, ERR_NOT_FOUND, "cluster \"%s\" not found", url)
                  : no_such_name(all, n, by_name, hits, err);
    else {
        *server = xstrdup(all[at].spec.server);
        *name = xstrdup(all[at].spec.name);
        *project = xstrdup(all[at].spec.project);
    }
    state_clusters_free(all, n);
    return rc;
}

/* ---- repositories and settings ---- */

json_t *state_repo(state_t *s, const char *url, const char *project)
{
    LOCKED(&s->lock);
    return repos_find(s->repos, url, project);
}

json_t *state_helm_repos(state_t *s, const char *project, bool oci)
{
    LOCKED(&s->lock);
    return repos_helm(s->repos, project, oci);
}

json_t *state_helm_creds(state_t *s)
{
    LOCKED(&s->lock);
    return repos_helm_creds(s->repos);
}

settings_t *state_argo_settings(state_t *s)
{
    LOCKED(&s->lock);
    return settings_ref(s->settings);
}
