/* Design. A terminating application keeps its finalizers until what they stand for is done. Each pass looks
 * at what is there, takes the next step and comes back when the cluster has moved; nothing is remembered
 * between passes but the finalizers.
 *
 *   pre-delete                hooks run and end
 *   resources (the cascade)   the highest wave of what is left is deleted, again and again
 *   post-delete               hooks run and end
 *   …/cleanup                 hooks go as their delete policies say */
#include "app-controller/deletion.h"
#include "app-controller/evaluation.h"
#include "app-controller/apply.h"
#include "app-controller/comparison.h"
#include "app-controller/impersonation.h"
#include "app-controller/metrics.h"
#include "app-controller/publish.h"
#include "app-controller/refresh.h"
#include "app-controller/status.h"
#include "common/argo/app.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/engine/hooks.h"
#include "common/engine/mask.h"
#include "common/engine/sync.h"
#include "common/json/patch.h"

#define PRE_DELETE          "pre-delete-finalizer.argocd.argoproj.io"
#define POST_DELETE         "post-delete-finalizer.argocd.argoproj.io"
#define PRE_DELETE_CLEANUP  PRE_DELETE "/cleanup"
#define POST_DELETE_CLEANUP POST_DELETE "/cleanup"

struct deletion {
    struct controller *ctl;
    struct app *app;
    json_t **doc;
    json_t *project;
    cluster_t *cluster;
    struct applier applier;
    kube_t *other;      /* as whom it is deleted; NULL: the controller */
    struct live *lives; /* managed and permitted */
    size_t nlives;
    bool listing; /* the cluster is not known yet: no failure, just a wait */
};

static bool has(const json_t *doc, const char *finalizer)
{
    const json_t *list = json_at(doc, "metadata", "finalizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_string_value(json_array_get(list, i)), finalizer))
            return true;
    return false;
}

static void assess(const struct deletion *d, const json_t *live, struct health *out)
{
    AUTO(settings_unref_p) settings_t *settings = world_settings(d->ctl->world);
    struct health_overrides overrides = evaluation_health(d->ctl->eval, settings);
    health_assess_by(&overrides, live, out, NULL);
}

static bool is_cascade(const char *finalizer)
{
    return strcmp(finalizer, FINALIZER_RESOURCES) == 0 ||
           strcmp(finalizer, FINALIZER_RESOURCES "/foreground") == 0 ||
           strcmp(finalizer, FINALIZER_RESOURCES "/background") == 0;
}

static bool is_hook_finalizer(const char *finalizer)
{
    static const char *const names[] = {PRE_DELETE, POST_DELETE, PRE_DELETE_CLEANUP, POST_DELETE_CLEANUP};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(finalizer, names[i]) == 0)
            return true;
    return false;
}

static bool any(const json_t *doc, bool (*which)(const char *))
{
    const json_t *list = json_at(doc, "metadata", "finalizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (which(str_or_empty(json_string_value(json_array_get(list, i)))))
            return true;
    return false;
}

/* Removes the finalizers that `which` (or the name) selects: the list is written for the version that was
 * read. */
static int drop(struct deletion *d, bool (*which)(const char *), const char *name, err_t **err)
{
    const json_t *list = json_at(*d->doc, "metadata", "finalizers");
    json_t *left = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *f = str_or_empty(json_string_value(json_array_get(list, i)));
        if (which ? !which(f) : strcmp(f, name) != 0)
            json_array_append_new(left, json_str_new(f));
    }
    AUTO_JSON patch = json_object();
    json_put_at(patch, json_array_size(left) ? left : json_null(), "metadata", "finalizers");
    if (!json_array_size(left))
        json_decref(left);
    return application_patch(d->ctl, d->app, patch, object_resource_version(*d->doc), d->doc, err);
}

/* ---- hooks ---- */

static const struct {
    unsigned type;
    const char *names[2];
} hook_finalizers[] = {{HOOK_PRE_DELETE, {PRE_DELETE, PRE_DELETE_CLEANUP}},
                       {HOOK_POST_DELETE, {POST_DELETE, POST_DELETE_CLEANUP}}};

static bool is_of_other_types(const char *finalizer, unsigned types)
{
    for (size_t i = 0; i < ARRAY_LEN(hook_finalizers); i++)
        for (size_t k = 0; k < 2; k++)
            if (!(types & hook_finalizers[i].type) && strcmp(finalizer, hook_finalizers[i].names[k]) == 0)
                return true;
    return false;
}

int deletion_expect_hooks(struct controller *ctl, struct app *app, json_t **doc, unsigned types, err_t **err)
{
    const json_t *list = json_at(*doc, "metadata", "finalizers");
    AUTO_JSON wanted = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *f = str_or_empty(json_string_value(json_array_get(list, i)));
        if (!is_of_other_types(f, types))
            json_array_append_new(wanted, json_str_new(f));
    }
    size_t left = json_array_size(wanted);
    for (size_t i = 0; i < ARRAY_LEN(hook_finalizers); i++)
        for (size_t k = 0; k < 2; k++)
            if ((types & hook_finalizers[i].type) && !has(*doc, hook_finalizers[i].names[k]))
                json_array_append_new(wanted, json_str_new(hook_finalizers[i].names[k]));
    if (left == json_array_size(list) && json_array_size(wanted) == left)
        return 0;
    AUTO_JSON patch = json_object();
    json_put_at(patch, json_array_size(wanted) ? json_incref(wanted) : json_null(), "metadata", "finalizers");
    return application_patch(ctl, app, patch, object_resource_version(*doc), doc, err);
}

/* A hook that wants a generated name gets the same one in every pass, so that no pass makes it a second time.
 */
static void settle_name(const struct deletion *d, json_t *hook)
{
    const char *prefix = json_str_at(hook, "metadata", "generateName"), *uid = object_uid(*d->doc);
    if (*object_name(hook) || str_empty(prefix))
        return;
    uint64_t h = json_hash(hook, hash_content(uid, strlen(uid), 0));
    AUTO(free_p) char *name = xasprintf("%s%010llx", prefix, (unsigned long long)(h >> 24));
    json_put_at(hook, json_str_new(name), "metadata", "name");
    json_drop_at(hook, "metadata", "generateName");
}

static bool hooks_of(struct deletion *d, unsigned type, struct comparison *c, settings_t **settings,
                     err_t **err)
{
    AUTO_JSON sources = app_sources(*d->doc);
    *settings = world_settings(d->ctl->world);
    struct compare_input in = {.doc = *d->doc,
                               .project = d->project,
                               .cluster = d->cluster,
                               .settings = *settings,
                               .sources = sources,
                               .hooks_of = type,
                               .canceled = &d->ctl->stopping};
    c->ns = xstrdup(str_or_empty(json_str_at(*d->doc, "spec", "destination", "namespace")));
    comparison_render(d->ctl, d->app, &in, c);
    if (!c->render_failed)
        comparison_pair(d->ctl, d->app, &in, c);
    if (c->failed) {
        err_set(err, ERR_FAILED_PRECONDITION, "%s", str_or_empty(c->failure));
        return false;
    }
    for (size_t i = 0; i < c->hooks.n; i++)
        settle_name(d, c->hooks.v[i]);
    return true;
}

static bool is_ours(const struct deletion *d, const settings_t *settings, const json_t *live)
{
    AUTO(free_p) char *owner = tracking_owner(settings_tracking(settings), live);
    return str_same(owner, d->app->instance);
}

/* The objects of the hooks as they are; NULL where there is none. An object of somebody else that has a
 * hook's name is not the hook: it is neither judged nor deleted. */
static json_t **live_hooks(struct deletion *d, const struct comparison *c, const settings_t *settings,
                           err_t **err)
{
    json_t **lives = xcalloc(c->hooks.n, sizeof(*lives));
    for (size_t i = 0; i < c->hooks.n; i++) {
        AUTO_ERR failure = NULL;
        if (apply_get(&d->applier, c->hooks.v[i], &lives[i], &failure) < 0 &&
            err_code(failure) != ERR_NOT_FOUND) {
            err_move(err, TAKE(failure));
            break;
        }
        if (lives[i] && !is_ours(d, settings, lives[i])) {
            log_warn(LOGF(LOG_APP(d->app, *d->doc)),
                     "%s %s has the name of a hook and is not of this application", object_kind(lives[i]),
                     object_name(lives[i]));
            json_decref(lives[i]);
            lives[i] = NULL;
        }
    }
    return lives;
}

static void free_lives(json_t **lives, size_t n)
{
    for (size_t i = 0; i < n; i++)
        json_decref(lives[i]);
    free(lives);
}

static int run_hooks(struct deletion *d, const struct comparison *c, json_t *const *lives, const char *what,
                     bool *done, err_t **err)
{
    AUTO_STR failed = STR_INIT;
    bool created = false, progressing = false;
    for (size_t i = 0; i < c->hooks.n; i++) {
        const struct kube_resource *r = apply_resource(&d->applier, c->hooks.v[i], err);
        if (!r)
            return err_again(err);
        if (!lives[i]) {
            AUTO_ERR failure = NULL;
            if (apply_create(&d->applier, r, c->hooks.v[i], NULL, NULL, &failure) == 0)
                created = true;
            else if (err_code(failure) != ERR_ALREADY_EXISTS)
                return err_move(err, TAKE(failure));
            continue;
        }
        struct health h;
        assess(d, lives[i], &h);
        progressing = progressing || h.status == HEALTH_PROGRESSING;
        if (h.status == HEALTH_DEGRADED) {
            str_printf(&failed, "%s%s/%s", failed.len ? ", " : "", object_namespace(lives[i]),
                       object_name(lives[i]));
            apply_delete(&d->applier, lives[i], NULL, NULL);
        }
        health_dispose(&h);
    }
    *done = !created && !progressing && !failed.len;
    if (failed.len)
        return err_set(err, ERR_FAILED_PRECONDITION, "%s hook(s) failed: %s", what, str_text(&failed));
    return 0;
}

static int clean_hooks(struct deletion *d, const struct comparison *c, json_t *const *lives, bool *done,
                       err_t **err)
{
    enum health_status worst = HEALTH_HEALTHY;
    for (size_t i = 0; i < c->hooks.n; i++) {
        struct health h;
        if (!lives[i])
            continue;
        assess(d, lives[i], &h);
        if (health_worse(worst, h.status))
            worst = h.status;
        health_dispose(&h);
    }
    *done = true;
    for (size_t i = 0; i < c->hooks.n; i++) {
        unsigned policies = hook_delete_policies(c->hooks.v[i]);
        bool goes = ((policies & HOOK_DELETE_FAILED) && worst == HEALTH_DEGRADED) ||
                    ((policies & HOOK_DELETE_SUCCEEDED) && worst == HEALTH_HEALTHY);
        if (!lives[i] || !goes)
            continue;
        *done = false;
        if (apply_delete(&d->applier, lives[i], NULL, err) < 0)
            return err_again(err);
    }
    return 0;
}

/* One of the hook finalizers. *done: it can go. */
static int do_hooks(struct deletion *d, unsigned type, const char *what, bool cleanup, bool *done,
                    err_t **err)
{
    struct comparison c = {};
    settings_t *settings = NULL;
    AUTO_ERR failure = NULL;
    int r = 0;
    *done = false;
    if (hooks_of(d, type, &c, &settings, &failure)) {
        json_t **lives = live_hooks(d, &c, settings, &failure);
        if (!failure)
            r = cleanup ? clean_hooks(d, &c, lives, done, &failure)
                        : run_hooks(d, &c, lives, what, done, &failure);
        free_lives(lives, c.hooks.n);
    }
    comparison_dispose(&c);
    settings_unref(settings);
    (void)r;
    return failure ? err_move(err, TAKE(failure)) : 0;
}

/* ---- the cascade ---- */

static bool option_is(const struct deletion *d, const json_t *live, const char *name, const char *value)
{
    AUTO(free_p) char *own = resource_option(live, name);
    AUTO(free_p) char *option = xasprintf("%s=%s", name, value);
    if (own)
        return strcmp(own, value) == 0;
    return options_have(json_at(*d->doc, "spec", "syncPolicy", "syncOptions"), option);
}

static bool is_itself(const struct deletion *d, const struct live *l)
{
    return strcmp(l->kind, "Application") == 0 && strcmp(l->group, ARGO_GROUP) == 0 &&
           strcmp(l->name, d->app->name) == 0 && strcmp(l->ns, d->app->ns) == 0;
}

static bool deletable(const struct deletion *d, const struct live *l, const json_t *live)
{
    if (strcmp(l->kind, "CustomResourceDefinition") == 0 && strcmp(l->group, "apiextensions.k8s.io") == 0)
        return false;
    return !is_itself(d, l) && !option_is(d, live, "Delete", "false") &&
           !str_eq(object_annotation(live, "helm.sh/resource-policy"), "keep");
}

/* The last comparison also knew what the source says. */
static bool wants_confirmation(const struct deletion *d, const struct live *l, const json_t *live)
{
    const json_t *list = json_at(*d->doc, "status", "resources");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *r = json_array_get(list, i);
        if (json_bool_at(r, "requiresDeletionConfirmation") && str_same(json_str_at(r, "name"), l->name) &&
            str_same(json_str_at(r, "kind"), l->kind) && str_same(json_str_at(r, "namespace"), l->ns) &&
            str_same(json_str_at(r, "group"), l->group))
            return true;
    }
    return option_is(d, live, "Delete", "confirm") || option_is(d, live, "Prune", "confirm");
}

static bool approved(const struct deletion *d)
{
    wall_t at, deleted;
    const char *text = object_annotation(*d->doc, ANNOTATION_APPROVED);
    return text && rfc3339_parse(text, &at) &&
           json_to_time(json_at(*d->doc, "metadata", "deletionTimestamp"), &deleted) && at.ns >= deleted.ns;
}

static const char *propagation(const json_t *doc)
{
    return has(doc, FINALIZER_RESOURCES "/background") ? "Background" : "Foreground";
}

/* Deletes the highest wave of what is left. *done: nothing is left. */
static int cascade(struct deletion *d, bool *done, err_t **err)
{
    VEC(json_t *) left = {};
    bool terminating = false, unconfirmed = false;
    int highest = INT32_MIN, r = 0;
    for (size_t i = 0; i < d->nlives; i++) {
        const struct live *l = &d->lives[i];
        AUTO_JSON live = pack_open(l->content);
        if (!live || !deletable(d, l, live))
            continue;
        terminating = terminating || l->deleting;
        if (!approved(d) && wants_confirmation(d, l, live))
            unconfirmed = true;
        highest = object_wave(live) > highest ? object_wave(live) : highest;
        VEC_PUSH(&left, json_incref(live));
    }
    *done = left.n == 0;
    VEC_FOREACH(&left, live) {
        if (r == 0 && !terminating && !unconfirmed && object_wave(*live) == highest)
            r = apply_delete(&d->applier, *live, propagation(*d->doc), err);
        json_decref(*live);
    }
    VEC_FREE(&left);
    return r;
}

static void load_lives(struct deletion *d)
{
    size_t n;
    struct live *all = cache_managed(cluster_cache(d->cluster), d->app->instance, &n);
    struct destination dest = {.server = cluster_server(d->cluster),
                               .name = cluster_name(d->cluster),
                               .cluster_project = cluster_spec(d->cluster)->project};
    d->lives = all;
    for (size_t i = 0; i < n; i++) {
        if (project_permits_object(d->project, all[i].group, all[i].kind, all[i].name, all[i].ns, &dest))
            d->lives[d->nlives++] = all[i];
        else
            live_dispose(&all[i]);
    }
}

/* ---- the steps ---- */

/* One step; *more: the next can follow at once. */
static int step(struct deletion *d, bool *more, err_t **err)
{
    static const struct {
        const char *finalizer, *what;
        unsigned type;
        bool cleanup, before_cascade;
    } stages[] = {{PRE_DELETE, "PreDelete", HOOK_PRE_DELETE, false, true},
                  {POST_DELETE, "PostDelete", HOOK_POST_DELETE, false, false},
                  {PRE_DELETE_CLEANUP, "PreDelete", HOOK_PRE_DELETE, true, false},
                  {POST_DELETE_CLEANUP, "PostDelete", HOOK_POST_DELETE, true, false}};
    bool done = false;
    *more = false;
    for (int before = 1; before >= 0; before--) {
        for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
            if (stages[i].before_cascade != (bool)before || !has(*d->doc, stages[i].finalizer))
                continue;
            if (do_hooks(d, stages[i].type, stages[i].what, stages[i].cleanup, &done, err) < 0)
                return stages[i].before_cascade ? err_wrap(err, "error executing pre-delete hooks")
                                                : err_again(err);
            *more = done;
            return done ? drop(d, NULL, stages[i].finalizer, err) : 0;
        }
        if (!before || !any(*d->doc, is_cascade))
            continue;
        if (cascade(d, &done, err) < 0)
            return err_again(err);
        *more = done;
        return done ? drop(d, is_cascade, NULL, err) : 0;
    }
    return 0;
}

static void tell(struct deletion *d, const err_t *failure_take)
{
    static const char *const types[] = {"DeletionError", NULL};
    AUTO(err_free_p) err_t *failure = (err_t *)(uintptr_t)failure_take;
    AUTO_JSON list = json_array();
    if (failure)
        condition_add(list, "DeletionError", err_text(failure));
    AUTO_JSON conditions = conditions_set(json_at(*d->doc, "status", "conditions"), types, list, wall_now());
    AUTO_JSON status = json_copy_deep(json_at(*d->doc, "status"));
    if (!status)
        status = json_object();
    json_object_set_nocheck(status, "conditions", conditions);
    AUTO_JSON change = status_patch(json_at(*d->doc, "status"), status);
    AUTO_ERR err = NULL;
    if (change && status_write(d->ctl, d->app, d->doc, status, NULL, &err) < 0 &&
        err_code(err) != ERR_NOT_FOUND)
        log_warn(LOGF(LOG_APP(d->app, *d->doc)), "%s", err_text(err));
    if (!failure)
        return;
    AUTO(free_p) char *message = xasprintf("Unable to delete application resources: %s", err_text(failure));
    if (change)
        application_event(d->ctl, *d->doc, "Warning", "StatusRefreshed", message);
    log_warn(LOGF(LOG_APP(d->app, *d->doc)), "%s", message);
}

/* Project and cluster. *gone: the cluster is not known any more, so that nothing is left to be deleted. */
static int prepare(struct deletion *d, bool *gone, err_t **err)
{
    *gone = false;
    if (world_project(d->ctl->world, app_project(*d->doc), &d->project, err) < 0)
        return err_again(err);
    if (world_cluster(d->ctl->world, json_at(*d->doc, "spec", "destination"), &d->cluster, NULL) < 0) {
        *gone = true;
        return 0;
    }
    if (cluster_ready(d->cluster, mono_now(), err) < 0) {
        AUTO_JSON info = cluster_info(d->cluster);
        d->listing = !str_eq(json_str_at(info, "connectionState", "status"), "Failed");
        return err_again(err);
    }
    AUTO(settings_unref_p) settings_t *settings = world_settings(d->ctl->world);
    if (impersonation_open(settings, d->project, *d->doc, d->cluster, false, &d->other, err) < 0)
        return err_wrap(err, "cannot apply impersonation");
    d->applier = (struct applier){.cluster = d->cluster,
                                  .kube = d->other ? d->other : cluster_kube(d->cluster),
                                  .api = cluster_api(d->cluster)};
    load_lives(d);
    return 0;
}

static int work(struct deletion *d, bool *more, err_t **err)
{
    bool gone;
    if (prepare(d, &gone, err) < 0)
        return err_again(err);
    if (!gone)
        return step(d, more, err);
    *more = false;
    if (any(*d->doc, is_cascade) && drop(d, is_cascade, NULL, err) < 0)
        return err_again(err);
    if (any(*d->doc, is_hook_finalizer) && drop(d, is_hook_finalizer, NULL, err) < 0)
        return err_again(err);
    return 0;
}

static void dispose(struct deletion *d)
{
    for (size_t i = 0; i < d->nlives; i++)
        live_dispose(&d->lives[i]);
    free(d->lives);
    kube_api_unref(d->applier.api);
    impersonation_close(d->other);
    cluster_unref(d->cluster);
    json_decref(d->project);
}

void deletion_run(struct controller *ctl, struct app *app, json_t **doc)
{
    struct deletion d = {.ctl = ctl, .app = app, .doc = doc};
    bool ours = any(*doc, is_cascade) || any(*doc, is_hook_finalizer), more = false;
    if (!ours)
        return;
    AUTO_ERR err = NULL;
    struct app_requests requests;
    metrics_requests_begin(&requests, ctl, *doc, false);
    int r = work(&d, &more, &err);
    metrics_requests_end(&requests);
    bool race = r < 0 && (err_code(err) == ERR_ABORTED || err_code(err) == ERR_NOT_FOUND ||
                          err_code(err) == ERR_CANCELED);
    /* A failure stays told until a stage is over: the next attempt of a hook follows at once. */
    if (!race && !d.listing && (r < 0 || more))
        tell(&d, r < 0 ? TAKE(err) : NULL);
    workq_add_after(ctl->operations, app->key, OPERATE,
                    race        ? MILLIS(100)
                    : more      ? 0
                    : d.listing ? SECONDS(1)
                                : SECONDS(5));
    dispose(&d);
}
