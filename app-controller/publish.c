#include "app-controller/publish.h"
#include "app-controller/evaluation.h"
#include "app-controller/ownership.h"
#include "app-controller/strategy.h"
#include "common/base/log.h"
#include "common/engine/diff.h"
#include "common/engine/mask.h"

struct permit_ctx {
    const json_t *project;
    struct destination d;
};

static bool permits(void *ctx, const struct obj_key *key)
{
    struct permit_ctx *p = ctx;
    return project_permits_object(p->project, key->group, key->kind, key->name, key->ns, &p->d);
}

/* Copies of the roots, so that the app's lock is not held while the cluster is walked. */
static struct tree_root *roots_of(struct app *app, size_t *n)
{
    LOCKED(&app->lock);
    struct tree_root *roots = xcalloc(app->nresources, sizeof(*roots));
    *n = 0;
    for (size_t i = 0; i < app->nresources; i++) {
        const struct found_resource *r = &app->resources[i];
        roots[(*n)++] = (struct tree_root){.key = {xstrdup(r->root.key.group), xstrdup(r->root.key.kind),
                                                   xstrdup(r->root.key.ns), xstrdup(r->root.key.name)},
                                           .version = xstrdup(r->root.version)};
    }
    return roots;
}

static void free_roots(struct tree_root *roots, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((char *)(uintptr_t)roots[i].key.group);
        free((char *)(uintptr_t)roots[i].key.kind);
        free((char *)(uintptr_t)roots[i].key.ns);
        free((char *)(uintptr_t)roots[i].key.name);
        free((char *)(uintptr_t)roots[i].version);
    }
    free(roots);
}

static cluster_t *cluster_of(struct app *app)
{
    LOCKED(&app->lock);
    return app->cluster ? cluster_ref(app->cluster) : NULL;
}

static char *project_of(struct app *app)
{
    LOCKED(&app->lock);
    return xstrdup(str_or_empty(app->project));
}

struct orphan_ctx {
    struct controller *ctl;
    struct permit_ctx permit;
};

/* What a namespace has by itself. */
static bool is_of_kubernetes(const struct obj_key *k)
{
    static const struct obj_key known[] = {{"", "Service", "default", "kubernetes"},
                                           {"", "ServiceAccount", NULL, "default"},
                                           {"", "ConfigMap", NULL, "kube-root-ca.crt"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!*k->group && strcmp(k->kind, known[i].kind) == 0 && strcmp(k->name, known[i].name) == 0 &&
            (!known[i].ns || strcmp(k->ns, known[i].ns) == 0))
            return true;
    return false;
}

static bool is_orphan(void *ctx, const struct obj_key *k, const char *app, bool top)
{
    struct orphan_ctx *o = ctx;
    const json_t *project = o->permit.project;
    if (top && (is_of_kubernetes(k) || project_ignores_orphan(project, k->group, k->kind, k->name)))
        return false;
    AUTO(free_p) char *key = app ? controller_key_of(o->ctl, app) : NULL;
    return !(key && apps_has(o->ctl->apps, key)) && permits(&o->permit, k);
}

/* NULL when nobody asks for them. */
static json_t *orphans_of(struct controller *ctl, struct app *app, cluster_t *cluster,
                          const struct permit_ctx *permit, const struct tree_root *roots, size_t n)
{
    if (!project_monitors_orphans(permit->project))
        return NULL;
    AUTO_JSON doc = app_doc(app);
    const char *ns = json_str_at(doc, "spec", "destination", "namespace");
    struct orphan_ctx ctx = {ctl, *permit};
    return str_empty(ns)
               ? NULL
               : cache_orphans(cluster_cache(cluster), app->instance, ns, roots, n, is_orphan, &ctx);
}

static void put_unless_empty(json_t *o, const char *key, json_t *list_take)
{
    if (json_array_size(list_take))
        json_object_set_nocheck(o, key, list_take);
    json_decref(list_take);
}

json_t *tree_of(struct controller *ctl, struct app *app, bool with_hosts)
{
    json_t *tree = json_object();
    size_t n;
    struct tree_root *roots = roots_of(app, &n);
    cluster_t *cluster = cluster_of(app);
    AUTO(free_p) char *name = project_of(app);
    AUTO_JSON project = NULL;
    if (cluster && world_project(ctl->world, name, &project, NULL) == 0) {
        struct permit_ctx ctx = {.project = project,
                                 .d = {.server = cluster_server(cluster),
                                       .name = cluster_name(cluster),
                                       .cluster_project = cluster_spec(cluster)->project}};
        json_object_set_new_nocheck(tree, "nodes",
                                    cache_tree(cluster_cache(cluster), roots, n, permits, &ctx));
        json_t *orphans = orphans_of(ctl, app, cluster, &ctx, roots, n);
        put_unless_empty(tree, "orphanedNodes", orphans);
        if (with_hosts)
            put_unless_empty(tree, "hosts", cache_hosts(cluster_cache(cluster), roots, n));
    } else {
        json_object_set_new_nocheck(tree, "nodes", json_array());
    }
    cluster_unref(cluster);
    free_roots(roots, n);
    return tree;
}

static bool has_node(const json_t *nodes, const struct obj_key *key)
{
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *n = json_array_get(nodes, i);
        if (str_same(json_str_at(n, "name"), key->name) && str_same(json_str_at(n, "kind"), key->kind) &&
            str_same(json_str_at(n, "namespace"), key->ns) && str_same(json_str_at(n, "group"), key->group))
            return true;
    }
    return false;
}

bool tree_has(struct controller *ctl, struct app *app, const struct obj_key *key)
{
    size_t n;
    struct tree_root *roots = roots_of(app, &n);
    cluster_t *cluster = cluster_of(app);
    AUTO(free_p) char *name = project_of(app);
    AUTO_JSON project = NULL;
    bool has = false;
    if (cluster && world_project(ctl->world, name, &project, NULL) == 0) {
        struct permit_ctx ctx = {.project = project,
                                 .d = {.server = cluster_server(cluster),
                                       .name = cluster_name(cluster),
                                       .cluster_project = cluster_spec(cluster)->project}};
        has = permits(&ctx, key) && cache_tree_has(cluster_cache(cluster), roots, n, key);
        AUTO_JSON orphans = has ? NULL : orphans_of(ctl, app, cluster, &ctx, roots, n);
        has = has || has_node(orphans, key);
    }
    cluster_unref(cluster);
    free_roots(roots, n);
    return has;
}

/* ---- managed resources ---- */

static void put_state(json_t *item, const char *key, const json_t *state)
{
    AUTO(free_p) char *text = json_text(state, JSON_GO);
    json_set_str(item, key, text);
}

static json_t *or_null(json_t *v)
{
    return v ? v : json_null();
}

/* The difference as the comparison found it, or would; false when it is the usual one. */
static bool special_difference(struct controller *ctl, const struct compare_input *in,
                               const struct normalize_options *options, const struct pair *p,
                               struct diff_result *r)
{
    enum strategy s = p->target && p->live && !p->hook ? strategy_choose(ctl, in, p->target)
                                                       : STRATEGY_THREE_WAY;
    if (s == STRATEGY_THREE_WAY)
        return false;
    if (p->difference)
        *r = (struct diff_result){p->modified, json_copy_deep(p->difference->normalized_live),
                                  json_copy_deep(p->difference->predicted_live)};
    else if (!p->modified) {
        json_t *live = json_copy_deep(p->live);
        normalize_object(&live, options);
        *r = (struct diff_result){false, live, json_copy_deep(live)};
    } else if (strategy_compare(ctl, in, s, p->target, options, r, NULL) < 0)
        return false;
    mask_secrets((json_t *const[]){r->predicted_live, r->normalized_live}, 2,
                 settings_masked_annotations(in->settings));
    return true;
}

static json_t *diff_item(struct controller *ctl, const struct compare_input *in,
                         const struct normalize_options *options, const struct pair *p)
{
    const json_t *o = p->target ? p->target : p->live;
    json_t *item = json_object();
    AUTO(free_p) char *group = object_group(o);
    json_put_str(item, "group", group);
    json_put_str(item, "kind", object_kind(o));
    json_put_str(item, "namespace", object_namespace(o));
    json_put_str(item, "name", object_name(o));
    AUTO_JSON target = p->target ? json_copy_deep(p->target) : NULL;
    AUTO_JSON live = p->live ? json_copy_deep(p->live) : NULL;
    if (target)
        mask_for_storage(target, ctl->mask_key);
    mask_secrets((json_t *const[]){target, live}, 2, settings_masked_annotations(in->settings));
    struct diff_result r = {};
    AUTO_JSON wanted = json_copy_deep(target);
    AUTO_JSON have = json_copy_deep(live);
    if (wanted && have)
        comparison_drop_managed(in, options, wanted, have, NULL);
    if (!special_difference(ctl, in, options, p, &r) &&
        (p->hook || diff_objects_compare(wanted, have, options, &r, NULL) < 0))
        r = (struct diff_result){p->modified, json_copy_deep(live), json_copy_deep(live)};
    put_state(item, "targetState", or_null(target));
    put_state(item, "liveState", or_null(live));
    put_state(item, "normalizedLiveState", or_null(r.normalized_live));
    put_state(item, "predictedLiveState", or_null(r.predicted_live));
    json_put_str(item, "resourceVersion", p->record.rv);
    if (p->hook)
        json_object_set_new_nocheck(item, "hook", json_true());
    if (p->modified)
        json_object_set_new_nocheck(item, "modified", json_true());
    diff_result_dispose(&r);
    return item;
}

static bool selected(const struct obj_key *f, const json_t *o)
{
    if (!f)
        return true;
    AUTO(free_p) char *group = object_group(o);
    return (str_empty(f->group) || strcmp(f->group, group) == 0) &&
           (str_empty(f->kind) || strcmp(f->kind, object_kind(o)) == 0) &&
           (str_empty(f->ns) || strcmp(f->ns, object_namespace(o)) == 0) &&
           (str_empty(f->name) || strcmp(f->name, object_name(o)) == 0);
}

json_t *managed_resources_of(struct controller *ctl, struct app *app, const struct compare_input *in,
                             const struct comparison *c, const struct obj_key *filter)
{
    (void)app;
    json_t *out = json_array();
    struct evaluation e;
    evaluation_open(ctl, in, &e);
    for (size_t i = 0; i < c->pairs.n; i++) {
        const struct pair *p = &c->pairs.v[i];
        if (selected(filter, p->target ? p->target : p->live))
            json_array_append_new(out, diff_item(ctl, in, &e.options, p));
    }
    evaluation_close(&e);
    return out;
}

/* ---- news ---- */

static void put_copy(struct controller *ctl, const char *kind, const char *instance, const json_t *v)
{
    AUTO(free_p) char *key = xasprintf("app|%s|%s", kind, instance);
    AUTO_STR text = STR_INIT;
    json_write(v, JSON_GO, &text);
    AUTO_ERR err = NULL;
    if (redis_set_sealed(ctl->redis, ctl->seal, key, str_text(&text), text.len, ctl->options.state_ttl_ns,
                         &err) < 0)
        log_debug(NULL, "redis: %s", err_text(err));
}

static void tell_redis(struct controller *ctl, struct app *app, uint64_t rev)
{
    AUTO_JSON news = json_object();
    json_set_str(news, "app", app->key);
    json_set_str(news, "epoch", ctl->epoch);
    json_object_set_new_nocheck(news, "rev", json_integer((json_int_t)rev));
    AUTO(free_p) char *text = json_text(news, JSON_GO);
    redis_publish(ctl->redis, "cargocd|app-news", text, strlen(text), NULL);
}

static bool differs(struct app *app, uint64_t *kept, uint64_t hash)
{
    LOCKED(&app->lock);
    bool news = *kept != hash;
    *kept = hash;
    return news;
}

void publish(struct controller *ctl, struct app *app, const json_t *tree, const struct compare_input *in,
             const struct comparison *c)
{
    if (!ownership_has(ctl, app) || !tenures_valid(ctl->tenures))
        return; /* another's copies are newer */
    bool copies = ctl->seal && redis_available(ctl->redis);
    bool tree_news = differs(app, &app->tree_hash, json_hash(tree, 7));
    uint64_t fingerprint = 0;
    if (c) {
        for (size_t i = 0; i < c->pairs.n; i++)
            fingerprint = json_hash(c->pairs.v[i].target,
                                    fingerprint * 31 + json_hash(c->pairs.v[i].live, i));
    }
    bool managed_news = c && differs(app, &app->managed_hash, fingerprint);
    if (!tree_news && !managed_news)
        return;
    if (copies && tree_news)
        put_copy(ctl, "resources-tree", app->instance, tree);
    if (copies && managed_news) {
        AUTO_JSON items = managed_resources_of(ctl, app, in, c, NULL);
        put_copy(ctl, "managed-resources", app->instance, items);
    }
    uint64_t rev = apps_bump(ctl->apps, app);
    if (redis_available(ctl->redis))
        tell_redis(ctl, app, rev);
}

void unpublish(struct controller *ctl, struct app *app)
{
    static const char *const kinds[] = {"resources-tree", "managed-resources"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        AUTO(free_p) char *key = xasprintf("app|%s|%s", kinds[i], app->instance);
        redis_del(ctl->redis, key, NULL);
    }
    differs(app, &app->tree_hash, 0);
    differs(app, &app->managed_hash, 0);
    uint64_t rev = apps_bump(ctl->apps, app);
    if (redis_available(ctl->redis))
        tell_redis(ctl, app, rev);
}
