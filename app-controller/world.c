#include "app-controller/world.h"
#include "common/argo/project.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/thread.h"
#include "common/kinds/kinds.h"

enum { WATCH_CONFIG, WATCH_REPOS, WATCH_REPO_CREDS, WATCH_CLUSTERS, WATCHES };
enum { MAX_RETIRED = 1 << 16 }; /* clusters about to be ended */

struct world_watch {
    world_t *world;
    kube_watch_t *watch;
    int which;
    map_t seen; /* names of a list under way */
    bool listing, synced;
};

struct world {
    struct world_env env;
    char *ns;
    lock_t lock; /* guards what follows */
    cond_t changed;
    settings_t *settings;
    char *settings_problem;
    bool has_config;
    repos_t *repos;
    map_t projects; /* k: name, v: pack_t * */
    map_t specs;    /* k: Secret's name, v: struct cluster_spec * */
    map_t open;     /* k: server, v: cluster_t * */
    pool_t *reaper; /* ends clusters: that waits for the I/O thread, on which we are told about them */
    struct world_watch watches[WATCHES];
};

static void spec_free(void *p)
{
    cluster_spec_dispose(p);
    free(p);
}

static void pack_free_void(void *p)
{
    pack_free(p);
}

static void open_free(void *p)
{
    cluster_stop(p);
    cluster_unref(p);
}

static void tell(world_t *w, const char *what, const char *name)
{
    if (w->env.on_change)
        w->env.on_change(w->env.ctx, what, name);
}

/* ---- argocd-cm ---- */

static void put_config(world_t *w, const json_t *config_map)
{
    AUTO_ERR err = NULL;
    AUTO_STR warnings = STR_INIT;
    settings_t *s = NULL, *old = NULL;
    bool ours = config_map && str_eq(object_label(config_map, LABEL_PART_OF), "argocd");
    int r = settings_parse(ours ? config_map : NULL, &s, &warnings, &err);
    if (warnings.len)
        log_warn(NULL, "%s", str_text(&warnings));
    bool news;
    {
        LOCKED(&w->lock);
        free(TAKE(w->settings_problem));
        if (r < 0)
            w->settings_problem = xstrdup(err_text(err));
        else if (!ours)
            w->settings_problem = xasprintf(
                "configmap \"argocd-cm\" not found in namespace %s (it must carry the "
                "label " LABEL_PART_OF "=argocd)",
                w->ns);
        w->has_config = ours;
        news = r == 0 && settings_epoch(s) != settings_epoch(w->settings);
        if (news) {
            old = w->settings;
            w->settings = s;
            s = NULL;
        }
    }
    settings_unref(s);
    settings_unref(old);
    if (w->settings_problem)
        log_error(NULL, "%s", w->settings_problem);
    if (!news)
        return;
    settings_t *now = world_settings(w);
    {
        LOCKED(&w->lock);
        MAP_FOREACH(&w->open, e)
            cluster_set_settings(e->value, now);
    }
    settings_unref(now);
    tell(w, "settings", NULL);
}

/* ---- clusters ---- */

static struct cluster_spec *spec_of_secret(const json_t *secret)
{
    AUTO_ERR err = NULL;
    if (!secret || !str_eq(object_label(secret, LABEL_SECRET_TYPE), "cluster"))
        return NULL;
    struct cluster_spec *spec = xcalloc(1, sizeof(*spec));
    if (cluster_spec_parse(secret, spec, &err) == 0)
        return spec;
    log_error(NULL, "%s", err_text(err));
    free(spec);
    return NULL;
}

static bool serves_as(const cluster_t *c, const struct cluster_spec *spec)
{
    const struct cluster_spec *now = cluster_spec(c);
    return cluster_spec_same_connection(spec, now) && strcmp(spec->name, now->name) == 0 &&
           strcmp(spec->project, now->project) == 0 &&
           strcmp(spec->refresh_requested, now->refresh_requested) == 0;
}

/* Ends the open cluster of a server unless it is just what `spec` asks for; with the lock held. */
static void retire(world_t *w, const char *server, const struct cluster_spec *spec)
{
    cluster_t *open = map_get(&w->open, server);
    if (open && !(spec && strcmp(spec->server, server) == 0 && serves_as(open, spec)))
        pool_submit(w->reaper, open_free, map_take(&w->open, server), NULL);
}

static void put_cluster(world_t *w, const char *name, const json_t *secret)
{
    struct cluster_spec *spec = spec_of_secret(secret);
    AUTO(free_p) char *server = spec ? xstrdup(spec->server) : NULL;
    AUTO(free_p) char *left = NULL;
    {
        LOCKED(&w->lock);
        const struct cluster_spec *old = map_get(&w->specs, name);
        if (old && !str_eq(server, old->server))
            left = xstrdup(old->server);
        if (left)
            retire(w, left, NULL);
        /* A Secret for the own cluster takes the place of the implicit entry. */
        if (spec)
            retire(w, server, spec);
        if (spec)
            map_put(&w->specs, name, spec);
        else
            map_del(&w->specs, name);
    }
    if (left)
        tell(w, "clusters", left);
    if (server)
        tell(w, "clusters", server);
}

static const struct cluster_spec *spec_of_server(world_t *w, const char *server)
{
    MAP_FOREACH(&w->specs, e)
        if (strcmp(((struct cluster_spec *)e->value)->server, server) == 0)
            return e->value;
    return NULL;
}

/* Calls fn for every cluster, the implicit one included; with the lock held. */
static void each_spec(world_t *w, void (*fn)(void *ctx, const struct cluster_spec *), void *ctx)
{
    MAP_FOREACH(&w->specs, e)
        fn(ctx, e->value);
    if (spec_of_server(w, IN_CLUSTER_SERVER) || !settings_in_cluster_enabled(w->settings))
        return;
    struct cluster_spec own;
    cluster_spec_in_cluster(&own);
    fn(ctx, &own);
    cluster_spec_dispose(&own);
}

struct by_name {
    const char *wanted;
    char *server;
    str_t servers;
    size_t n;
};

static void match_name(void *ctx, const struct cluster_spec *s)
{
    struct by_name *b = ctx;
    if (strcmp(s->name, b->wanted) != 0)
        return;
    if (b->n++)
        str_putc(&b->servers, ' ');
    else
        b->server = xstrdup(s->server);
    str_puts(&b->servers, s->server);
}

/* The server of a destination; with the lock held. */
static int server_of(world_t *w, const json_t *destination, char **server, err_t **err)
{
    const char *s = str_or_empty(json_str_at(destination, "server")),
               *n = str_or_empty(json_str_at(destination, "name"));
    if (*s && *n)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "application destination can't have both name and server defined: %s %s", n, s);
    if (!*s && !*n)
        return err_set(err, ERR_INVALID_ARGUMENT, "Destination server missing from app spec");
    if (*s) {
        char *trimmed = xstrdup(s);
        while (str_has_suffix(trimmed, "/"))
            trimmed[strlen(trimmed) - 1] = 0;
        *server = trimmed;
        return 0;
    }
    struct by_name b = {.wanted = n};
    each_spec(w, match_name, &b);
    AUTO(free_p) char *servers = str_take(&b.servers);
    AUTO(free_p) char *one = b.server;
    if (b.n == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "there are no clusters with this name: %s", n);
    if (b.n > 1)
        return err_set(err, ERR_INVALID_ARGUMENT, "there are %zu clusters with the same name: [%s]", b.n,
                       servers);
    *server = TAKE(one);
    return 0;
}

static int find_spec(world_t *w, const char *server, struct cluster_spec *own,
                     const struct cluster_spec **out, err_t **err)
{
    *out = spec_of_server(w, server);
    if (*out)
        return 0;
    if (strcmp(server, IN_CLUSTER_SERVER) != 0)
        return err_set(err, ERR_NOT_FOUND,
                       "error getting cluster by server \"%s\": rpc error: code = NotFound desc = cluster "
                       "\"%s\" not found",
                       server, server);
    if (!settings_in_cluster_enabled(w->settings))
        return err_set(err, ERR_NOT_FOUND, "cluster \"%s\" is disabled", server);
    cluster_spec_in_cluster(own);
    *out = own;
    return 0;
}

int world_resolve(world_t *w, const json_t *destination, char **server, char **name, char **project,
                  err_t **err)
{
    LOCKED(&w->lock);
    AUTO(free_p) char *s = NULL;
    struct cluster_spec own = {};
    const struct cluster_spec *spec;
    int r = server_of(w, destination, &s, err);
    if (r == 0)
        r = find_spec(w, s, &own, &spec, err);
    if (r == 0) {
        *server = TAKE(s);
        *name = xstrdup(spec->name);
        *project = xstrdup(spec->project);
    }
    cluster_spec_dispose(&own);
    return r;
}

bool world_skips(world_t *w, const char *server)
{
    LOCKED(&w->lock);
    const struct cluster_spec *spec = spec_of_server(w, server);
    return spec && spec->skip_reconcile;
}

int world_cluster(world_t *w, const json_t *destination, cluster_t **out, err_t **err)
{
    LOCKED(&w->lock);
    AUTO(free_p) char *server = NULL;
    struct cluster_spec own = {};
    const struct cluster_spec *spec;
    int r = server_of(w, destination, &server, err);
    if (r == 0)
        r = find_spec(w, server, &own, &spec, err);
    if (r == 0) {
        cluster_t *c = map_get(&w->open, server);
        if (!c) {
            c = cluster_new(spec, w->settings, &w->env.cluster_env);
            map_put(&w->open, server, c);
        }
        *out = cluster_ref(c);
    }
    cluster_spec_dispose(&own);
    return r;
}

struct ids {
    struct world_cluster *v;
    size_t n;
};

static void add_id(void *ctx, const struct cluster_spec *s)
{
    struct ids *ids = ctx;
    ids->v[ids->n++] = (struct world_cluster){xstrdup(s->server), xstrdup(s->uid), s->shard};
}

struct world_cluster *world_cluster_ids(world_t *w, size_t *n)
{
    LOCKED(&w->lock);
    struct ids ids = {.v = xcalloc(w->specs.n + 1, sizeof(*ids.v))};
    each_spec(w, add_id, &ids);
    *n = ids.n;
    return ids.v;
}

void world_cluster_ids_free(struct world_cluster *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(c[i].server);
        free(c[i].id);
    }
    free(c);
}

void world_close_unused(world_t *w, bool (*used)(void *ctx, const char *server), void *ctx)
{
    AUTO(strv_free_p) char **servers = NULL;
    {
        LOCKED(&w->lock);
        size_t n = 0;
        servers = xcalloc(w->open.n + 1, sizeof(*servers));
        MAP_FOREACH(&w->open, e)
            servers[n++] = xstrdup(e->key);
    }
    for (char **s = servers; *s; s++) {
        if (used(ctx, *s))
            continue;
        LOCKED(&w->lock);
        retire(w, *s, NULL);
    }
}

struct listing {
    world_t *w;
    json_t *out;
};

static void add_cluster(void *ctx, const struct cluster_spec *s)
{
    struct listing *l = ctx;
    json_t *o = json_object();
    cluster_t *open = map_get(&l->w->open, s->server);
    json_set_str(o, "server", s->server);
    json_set_str(o, "name", s->name);
    json_put_str(o, "project", s->project);
    json_put_str(o, "secret", s->secret);
    json_object_set_nocheck(o, "labels", s->labels);
    if (open)
        json_object_set_new_nocheck(o, "info", cluster_info(open));
    json_array_append_new(l->out, o);
}

json_t *world_clusters(world_t *w)
{
    struct listing l = {w, json_array()};
    LOCKED(&w->lock);
    each_spec(w, add_cluster, &l);
    return l.out;
}

/* ---- settings, repositories, projects ---- */

settings_t *world_settings(world_t *w)
{
    LOCKED(&w->lock);
    return settings_ref(w->settings);
}

char *world_settings_problem(world_t *w)
{
    LOCKED(&w->lock);
    return xstrdup(w->settings_problem);
}

json_t *world_repo(world_t *w, const char *url, const char *project)
{
    LOCKED(&w->lock);
    return repos_find(w->repos, url, project);
}

json_t *world_helm_repos(world_t *w, const char *project, bool oci)
{
    LOCKED(&w->lock);
    return repos_helm(w->repos, project, oci);
}

json_t *world_helm_creds(world_t *w)
{
    LOCKED(&w->lock);
    return repos_helm_creds(w->repos);
}

void world_put_project(world_t *w, const char *name, const json_t *project)
{
    {
        LOCKED(&w->lock);
        if (project)
            map_put(&w->projects, name, pack_json(project));
        else
            map_del(&w->projects, name);
    }
    tell(w, "project", name);
}

static json_t *list_at(json_t *spec, const char *key)
{
    json_t *list = json_object_get(spec, key);
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new_nocheck(spec, key, list);
    }
    return list;
}

static void add_scoped_clusters(world_t *w, const char *project, json_t *destinations)
{
    MAP_FOREACH(&w->specs, e) {
        const struct cluster_spec *s = e->value;
        if (strcmp(s->project, project) != 0)
            continue;
        for (size_t i = 0; !i || (s->namespaces && s->namespaces[i]); i++) {
            json_t *d = json_object();
            json_set_str(d, "server", s->server);
            json_set_str(d, "namespace", s->namespaces ? s->namespaces[i] : "*");
            json_array_append_new(destinations, d);
        }
    }
}

/* Called with the lock held. */
static json_t *find_project(void *ctx, const char *name)
{
    const world_t *w = ctx;
    return pack_open(map_get(&w->projects, name));
}

int world_project(world_t *w, const char *name, json_t **out, err_t **err)
{
    LOCKED(&w->lock);
    json_t *p = pack_open(map_get(&w->projects, name));
    if (!p)
        return err_set(err, ERR_NOT_FOUND, "appproject.argoproj.io \"%s\" not found", name);
    json_t *spec = json_object_get(p, "spec");
    if (!json_is_map(spec)) {
        spec = json_object();
        json_object_set_new_nocheck(p, "spec", spec);
    }
    project_inherit(p, settings_global_projects(w->settings), find_project, w);
    spec = json_object_get(p, "spec");
    AUTO_JSON urls = repos_scoped_urls(w->repos, name);
    if (json_array_size(urls))
        json_array_extend(list_at(spec, "sourceRepos"), urls);
    add_scoped_clusters(w, name, list_at(spec, "destinations"));
    *out = p;
    return 0;
}

/* ---- watches ---- */

static void put_object(struct world_watch *ww, const char *name, const json_t *o)
{
    world_t *w = ww->world;
    AUTO_STR problem = STR_INIT;
    bool news;
    switch (ww->which) {
    case WATCH_CONFIG:
        if (strcmp(name, "argocd-cm") == 0)
            put_config(w, o);
        break;
    case WATCH_CLUSTERS:
        put_cluster(w, name, o);
        break;
    default: {
        LOCKED(&w->lock);
        news = repos_put(w->repos, name, o, &problem);
    }
        if (problem.len)
            log_error(NULL, "repository secret %s: %s", name, str_text(&problem));
        if (news && ww->synced)
            tell(w, "repositories", name);
    }
}

static void on_list(void *arg)
{
    struct world_watch *ww = arg;
    ww->listing = true;
}

static void on_event(void *arg, enum kube_event event, const char *p, size_t n)
{
    struct world_watch *ww = arg;
    AUTO_ERR err = NULL;
    AUTO_JSON o = NULL;
    if (json_read(p, n, &o, &err) < 0) {
        log_error(NULL, "malformed object from the API server: %s", err_text(err));
        return;
    }
    if (event == KUBE_DELETED) {
        map_del(&ww->seen, object_name(o));
        put_object(ww, object_name(o), NULL);
        return;
    }
    /* A name is marked as seen in the list at hand by a value that alternates. */
    map_put(&ww->seen, object_name(o), ww->listing ? ww : NULL);
    put_object(ww, object_name(o), o);
}

static void on_synced(void *arg, const char *resource_version)
{
    struct world_watch *ww = arg;
    world_t *w = ww->world;
    (void)resource_version;
    /* What the list did not have is gone. */
    MAP_FOREACH(&ww->seen, e) {
        bool listed = e->value != NULL;
        e->value = NULL;
        if (ww->synced && !listed) {
            AUTO(free_p) char *name = xstrdup(e->key);
            map_del(&ww->seen, name);
            put_object(ww, name, NULL);
        }
    }
    ww->listing = false;
    if (ww->which == WATCH_CONFIG && !w->has_config)
        put_config(w, NULL);
    LOCKED(&w->lock);
    ww->synced = true;
    pthread_cond_broadcast(&w->changed);
}

static void on_error(void *arg, err_t *err)
{
    (void)arg;
    if (err)
        log_warn(NULL, "watch of the control plane's namespace: %s", err_text(err));
}

static void on_stop(void *arg, enum kube_watch_stop why)
{
    (void)arg;
    log_error(NULL, "watch of the control plane's namespace ended: %s",
              why == KUBE_STOP_FORBIDDEN ? "forbidden" : "not served");
}

static const struct kube_watch_ops ops = {.on_list = on_list,
                                          .on_event = on_event,
                                          .on_synced = on_synced,
                                          .on_error = on_error,
                                          .on_stop = on_stop};

static void start_watch(world_t *w, int which, const char *kind, const char *plural, const char *labels,
                        const char *fields)
{
    struct kube_resource r = {.group = "",
                              .version = "v1",
                              .kind = kind,
                              .plural = plural,
                              .singular = "",
                              .namespaced = true,
                              .preferred = true,
                              .subresources = ""};
    struct kube_watch_spec spec = {.resource = &r,
                                   .list = {.ns = w->ns, .label_selector = labels, .field_selector = fields}};
    struct world_watch *ww = &w->watches[which];
    ww->world = w;
    ww->which = which;
    ww->watch = kube_watch_start(w->env.kube, &spec, &ops, ww);
}

world_t *world_new(const struct world_env *env)
{
    world_t *w = xcalloc(1, sizeof(*w));
    w->env = *env;
    w->ns = xstrdup(env->ns);
    pthread_mutex_init(&w->lock, NULL);
    cond_init(&w->changed);
    w->repos = repos_new();
    w->projects.value_free = pack_free_void;
    w->specs.value_free = spec_free;
    w->open.value_free = open_free;
    w->reaper = w->env.cluster_env.reaper = pool_new("reaper", 1, MAX_RETIRED);
    if (settings_parse(NULL, &w->settings, NULL, NULL) < 0)
        abort(); /* no settings at all always parse */
    start_watch(w, WATCH_CONFIG, "ConfigMap", "configmaps", NULL, "metadata.name=argocd-cm");
    start_watch(w, WATCH_REPOS, "Secret", "secrets", LABEL_SECRET_TYPE "=repository", NULL);
    start_watch(w, WATCH_REPO_CREDS, "Secret", "secrets", LABEL_SECRET_TYPE "=repo-creds", NULL);
    start_watch(w, WATCH_CLUSTERS, "Secret", "secrets", LABEL_SECRET_TYPE "=cluster", NULL);
    return w;
}

int world_wait(world_t *w, mono_t deadline, err_t **err)
{
    LOCKED(&w->lock);
    for (int i = 0; i < WATCHES; i++)
        while (!w->watches[i].synced)
            if (!cond_wait_until(&w->changed, &w->lock, deadline))
                return err_set(err, ERR_DEADLINE_EXCEEDED, "the settings in namespace %s could not be listed",
                               w->ns);
    return 0;
}

void world_free(world_t *w)
{
    if (!w)
        return;
    for (int i = 0; i < WATCHES; i++) {
        kube_watch_stop(w->watches[i].watch);
        map_dispose(&w->watches[i].seen);
    }
    pool_free(w->reaper);
    map_dispose(&w->open);
    map_dispose(&w->specs);
    map_dispose(&w->projects);
    repos_free(w->repos);
    settings_unref(w->settings);
    free(w->settings_problem);
    free(w->ns);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w);
}
