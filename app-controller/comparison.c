/* Differences, statuses and health of an application's resources. */
#include "app-controller/evaluation.h"
#include "app-controller/strategy.h"
#include "common/argo/app.h"
#include "common/base/hash.h"
#include "common/base/intern.h"
#include "common/engine/diff.h"
#include "common/engine/hooks.h"
#include "common/engine/ignored.h"
#include "common/engine/sync.h"

void comparison_condition(struct comparison *c, const char *type, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *message = xvasprintf(fmt, ap);
    va_end(ap);
    if (!c->conditions)
        c->conditions = json_array();
    condition_add(c->conditions, type, message);
}

bool comparison_has_error(const struct comparison *c, const char *type)
{
    return conditions_have(c->conditions, type);
}

void comparison_dispose(struct comparison *c)
{
    VEC_FOREACH(&c->renderings, r)
        rendering_dispose(r);
    VEC_FREE(&c->renderings);
    VEC_FOREACH(&c->pairs, p) {
        json_decref(p->target);
        json_decref(p->live);
        live_dispose(&p->record);
        health_dispose(&p->health);
        free(p->where);
        if (p->difference)
            diff_result_dispose(p->difference);
        free(p->difference);
    }
    VEC_FREE(&c->pairs);
    VEC_FOREACH(&c->hooks, h)
        json_decref(*h);
    VEC_FREE(&c->hooks);
    json_decref(c->conditions);
    health_dispose(&c->health);
    free(c->failure);
    free(c->server);
    free(c->name);
    free(c->ns);
    *c = (struct comparison){};
}

json_t *comparison_revisions(const struct comparison *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->renderings.n; i++)
        if (!c->renderings.v[i].given || *c->renderings.v[i].revision)
            json_array_append_new(list, json_str_new(c->renderings.v[i].revision));
    return list;
}

struct destination comparison_destination(const struct comparison *c, const struct compare_input *in)
{
    return (struct destination){.server = cluster_server(in->cluster),
                                .name = cluster_name(in->cluster),
                                .ns = str_or_empty(c->ns),
                                .cluster_project = cluster_spec(in->cluster)->project};
}

struct ignore_rule *comparison_rules(const struct compare_input *in, size_t *n)
{
    size_t system, own;
    const struct ignore_rule *a = settings_ignore_rules(in->settings, &system);
    struct ignore_rule *b = ignore_rules_of(json_at(in->doc, "spec", "ignoreDifferences"), &own);
    struct ignore_rule *all = xcalloc(system + own, sizeof(*all));
    *n = system + own;
    if (system)
        memcpy(all, a, system * sizeof(*all));
    if (own)
        memcpy(all + system, b, own * sizeof(*all));
    free(b);
    return all;
}

void comparison_rules_free(const struct compare_input *in, struct ignore_rule *all, size_t n)
{
    size_t system;
    settings_ignore_rules(in->settings, &system);
    struct ignore_rule *own = xcalloc(n - system, sizeof(*own));
    if (n > system)
        memcpy(own, all + system, (n - system) * sizeof(*own));
    ignore_rules_free(own, n - system);
    free(all);
}

/* ---- one pair ---- */

static bool wants_confirmation(const struct compare_input *in, const json_t *o)
{
    static const char *const names[] = {"Delete", "Prune"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        AUTO(free_p) char *own = resource_option(o, names[i]);
        AUTO(free_p) char *option = xasprintf("%s=confirm", names[i]);
        if (own ? strcmp(own, "confirm") == 0
                : options_have(json_at(in->doc, "spec", "syncPolicy", "syncOptions"), option))
            return true;
    }
    return false;
}

/* What a verdict holds for: the live version, the target, the rules. */
static uint64_t verdict_key(const struct compare_input *in, const struct pair *p, uint64_t rules)
{
    uint64_t h = json_hash(p->target, settings_epoch(in->settings) ^ rules);
    return hash_content(p->record.rv, strlen(p->record.rv), h) | 1;
}

static const struct found_resource *find_resource(const struct app *app, const struct pair *p)
{
    for (size_t i = 0; i < app->nresources; i++) {
        const struct obj_key *k = &app->resources[i].root.key;
        if (strcmp(k->name, p->record.name) == 0 && strcmp(k->kind, p->record.kind) == 0 &&
            strcmp(k->ns, p->record.ns) == 0 && strcmp(k->group, p->record.group) == 0)
            return &app->resources[i];
    }
    return NULL;
}

/* Who owns which field is not kept with the objects, but asked for where a rule wants to know. */
int comparison_drop_managed(const struct compare_input *in, const struct normalize_options *options,
                            json_t *target, json_t *live, err_t **err)
{
    if (!ignored_by_manager(live, options->rules, options->nrules))
        return 0;
    AUTO_JSON fresh = NULL;
    kube_api_t *api = cluster_api(in->cluster);
    AUTO(free_p) char *group = object_group(live);
    const struct kube_resource *r = api ? kube_api_find(api, group, NULL, object_kind(live)) : NULL;
    int code = r ? kube_get(cluster_kube(in->cluster), r, r->namespaced ? object_namespace(live) : NULL,
                            object_name(live), NULL, &fresh, err)
                 : 0;
    kube_api_unref(api);
    if (code == -ERR_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    if (code < 0)
        return err_wrap(err, "owners of fields of %s %s", object_kind(live), object_name(live));
    ignored_drop_managed(target, live, json_at(fresh, "metadata", "managedFields"), options->rules,
                         options->nrules);
    return 0;
}

static void judge(struct pair *p, const struct diff_result *r)
{
    p->modified = r->modified;
    AUTO_STR where = STR_INIT;
    if (r->modified)
        diff_paths(r->normalized_live, r->predicted_live, 5, &where);
    p->where = where.len ? str_take(&where) : NULL;
}

static int compare_by_server(struct controller *ctl, const struct compare_input *in, enum strategy s,
                             const struct normalize_options *options, struct pair *p, err_t **err)
{
    p->difference = xcalloc(1, sizeof(*p->difference));
    int code = strategy_compare(ctl, in, s, p->target, options, p->difference, err);
    judge(p, p->difference);
    return code;
}

static int compare_pair(struct controller *ctl, struct app *app, const struct compare_input *in,
                        const struct normalize_options *options, uint64_t rules, struct pair *p, err_t **err)
{
    if (!p->target || !p->live) {
        p->modified = !p->live;
        return 0;
    }
    enum strategy s = strategy_choose(ctl, in, p->target);
    p->verdict = verdict_key(in, p, rules ^ (uint64_t)s);
    p->asks_server = s == STRATEGY_SERVER_SIDE;
    bool asks = s != STRATEGY_THREE_WAY && in->no_cache;
    if (!asks && !(p->asks_server && in->try_anew)) {
        LOCKED(&app->lock);
        const struct found_resource *last = find_resource(app, p);
        if (last && last->verdict == p->verdict) {
            p->modified = last->modified;
            p->where = xstrdup(last->where);
            return 0;
        }
    }
    if (s != STRATEGY_THREE_WAY)
        return compare_by_server(ctl, in, s, options, p, err);
    AUTO_JSON target = json_copy_deep(p->target);
    AUTO_JSON live = json_copy_deep(p->live);
    mask_for_storage(target, ctl->mask_key);
    tracking_bridge(settings_tracking(in->settings), target, live);
    if (comparison_drop_managed(in, options, target, live, err) < 0)
        return err_again(err);
    struct diff_result r = {};
    int code = diff_objects_compare(target, live, options, &r, err);
    judge(p, &r);
    diff_result_dispose(&r);
    return code;
}

/* The sync status of a pair that was compared, whatever the project permits. */
static const char *status_of(const struct pair *p)
{
    const json_t *o = p->target ? p->target : p->live;
    if (p->hook || object_is_ignored_hook(o) || (p->target && object_is_skipped(p->target)) ||
        !p->self_referenced)
        return "";
    return p->modified || !p->target || !p->live ? "OutOfSync" : "Synced";
}

static bool is_permitted(const struct compare_input *in, const struct pair *p)
{
    const json_t *o = p->target ? p->target : p->live;
    AUTO(free_p) char *group = object_group(o);
    return project_permits_kind(in->project, group, object_kind(o), object_name(o),
                                *object_namespace(o) != 0);
}

static bool counts(const struct pair *p)
{
    bool extra = !p->target && annotation_has(p->live, ANNOTATION_COMPARE, "IgnoreExtraneous");
    return strcmp(p->status, "OutOfSync") == 0 && !extra;
}

/* What is to be pruned has no wave; what a hook left has that of the hook. */
static int wave_of(const struct comparison *c, const struct pair *p)
{
    if (p->target)
        return object_wave(p->target);
    if (!p->hook)
        return 0;
    VEC_FOREACH(&c->hooks, h)
        if (strcmp(object_name(*h), object_name(p->live)) == 0 &&
            strcmp(object_kind(*h), object_kind(p->live)) == 0 &&
            strcmp(object_namespace(*h), object_namespace(p->live)) == 0)
            return object_wave(*h);
    return 0;
}

static void judge_pair(const struct compare_input *in, const struct comparison *c, struct pair *p)
{
    const json_t *o = p->target ? p->target : p->live;
    p->hook = object_is_hook(o);
    p->wave = wave_of(c, p);
    p->self_referenced = tracking_self_reference(settings_tracking(in->settings), p->live, p->target);
    p->requires_pruning = !p->target && p->live && p->self_referenced;
    p->requires_confirmation = (p->target && wants_confirmation(in, p->target)) ||
                               (p->live && wants_confirmation(in, p->live));
    p->status = status_of(p);
}

/* ---- the whole ---- */

static uint64_t hash_rules(const struct compare_input *in)
{
    const json_t *own = json_at(in->doc, "spec", "ignoreDifferences");
    const char *compare = object_annotation(in->doc, ANNOTATION_COMPARE);
    uint64_t h = own ? json_hash(own, 3) : 3;
    return compare ? hash_content(compare, strlen(compare), h) : h;
}

static int compare_all(struct controller *ctl, struct app *app, const struct compare_input *in,
                       struct comparison *c, err_t **err)
{
    struct evaluation e;
    evaluation_open(ctl, in, &e);
    uint64_t rules_hash = hash_rules(in);
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->pairs.n; i++) {
        struct pair *p = &c->pairs.v[i];
        const json_t *o = p->target ? p->target : p->live;
        if (!object_is_hook(o))
            r = compare_pair(ctl, app, in, &e.options, rules_hash, p, err);
        if (r < 0)
            p->verdict = 0; /* there is none to be kept */
    }
    if (r == 0 && e.failure)
        r = err_move(err, TAKE(e.failure));
    evaluation_close(&e);
    return r;
}

static void name_cause(str_t *causes, size_t *n, const struct pair *p)
{
    (*n)++;
    if (*n > 3)
        return;
    str_puts(causes, *n == 1 ? "Caused by " : ", ");
    if (*p->record.group)
        str_printf(causes, "%s/", p->record.group);
    str_printf(causes, "%s:", p->record.kind);
    if (*p->record.ns)
        str_printf(causes, "%s/", p->record.ns);
    str_puts(causes, p->record.name);
}

static bool is_application(const struct pair *p)
{
    return strcmp(p->record.kind, "Application") == 0 && strcmp(p->record.group, ARGO_GROUP) == 0;
}

static bool is_itself(const struct app *app, const struct pair *p)
{
    return p->live && is_application(p) && strcmp(p->record.name, app->name) == 0 &&
           strcmp(p->record.ns, app->ns) == 0;
}

/* Whether the pair is one of the application's resources: hooks and what is skipped are none. */
static bool is_resource(const struct pair *p)
{
    return !(p->target && object_is_skipped(p->target)) && !(p->live && object_is_hook(p->live));
}

/* Whether a resource's health takes part in the application's. */
static bool health_counts(const struct app *app, const struct pair *p)
{
    const char *ignored = p->live ? object_annotation(p->live, "argocd.argoproj.io/ignore-healthcheck")
                                  : NULL;
    return !str_eq(ignored, "true") && !is_itself(app, p);
}

static void aggregate_health(struct app *app, struct comparison *c)
{
    enum health_status worst = HEALTH_HEALTHY;
    AUTO_STR causes = STR_INIT;
    size_t ncauses = 0;
    bool has_resources = false, has_live = false;
    VEC_FOREACH(&c->pairs, p) {
        if (!p->live)
            p->health.status = HEALTH_MISSING;
        else
            p->health = (struct health){p->record.health, xstrdup(p->record.health_message)};
        if (!is_resource(p))
            continue;
        has_resources = true;
        has_live = has_live || p->live;
        p->health_counts = health_counts(app, p);
        if (!p->health_counts)
            continue;
        enum health_status h = p->health.status;
        bool child_unknown = p->live && is_application(p) && (h == HEALTH_MISSING || h == HEALTH_UNKNOWN);
        if (!p->live || h == HEALTH_NONE || child_unknown)
            continue;
        if (health_worse(worst, h)) {
            worst = h;
            str_reset(&causes);
            ncauses = 0;
        }
        if (h == worst && h != HEALTH_HEALTHY)
            name_cause(&causes, &ncauses, p);
    }
    if (has_resources && !has_live && health_worse(worst, HEALTH_MISSING)) {
        worst = HEALTH_MISSING;
        str_reset(&causes);
        ncauses = 0;
    }
    if (ncauses > 3)
        str_printf(&causes, " and %zu more", ncauses - 3);
    c->health = (struct health){worst, causes.len ? str_take(&causes) : NULL};
}

/* A check that failed made its object Unknown when it arrived; why is told by asking again. */
static void tell_failed_check(struct controller *ctl, const struct compare_input *in, struct comparison *c)
{
    struct health_overrides overrides = evaluation_health(ctl->eval, in->settings);
    VEC_FOREACH(&c->pairs, p) {
        AUTO_ERR err = NULL;
        struct health h;
        if (!p->live || !p->health_counts || p->record.health != HEALTH_UNKNOWN)
            continue;
        health_assess_by(&overrides, p->live, &h, &err);
        health_dispose(&h);
        if (!err)
            continue;
        comparison_condition(c, "ComparisonError",
                             "error setting app health: failed to get resource health for \"%s\" with name "
                             "\"%s\" in namespace \"%s\": %s",
                             object_kind(p->live), object_name(p->live), object_namespace(p->live),
                             err_text(err));
        return;
    }
}

static int by_key(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    const json_t *ox = x->target ? x->target : x->live, *oy = y->target ? y->target : y->live;
    AUTO(free_p) char *gx = object_group(ox);
    AUTO(free_p) char *gy = object_group(oy);
    AUTO(free_p)
    char *kx = xasprintf("%s/%s/%s/%s", gx, object_kind(ox), object_namespace(ox), object_name(ox));
    AUTO(free_p)
    char *ky = xasprintf("%s/%s/%s/%s", gy, object_kind(oy), object_namespace(oy), object_name(oy));
    return strcmp(kx, ky);
}

bool comparison_metadata_changed(const json_t *doc)
{
    const json_t *wanted = json_at(doc, "spec", "syncPolicy", "managedNamespaceMetadata");
    const json_t *result = json_at(doc, "status", "operationState", "syncResult");
    return json_is_map(wanted) && json_is_map(result) &&
           !json_same(wanted, json_object_get(result, "managedNamespaceMetadata"));
}

void comparison_judge(struct controller *ctl, struct app *app, const struct compare_input *in,
                      struct comparison *c)
{
    AUTO_ERR err = NULL;
    if (!c->failed && compare_all(ctl, app, in, c, &err) < 0) {
        free(c->failure);
        c->failure = xasprintf("Failed to compare desired state to live state: %s", err_text(err));
        comparison_condition(c, "ComparisonError", "%s", c->failure);
        c->failed = true;
    }
    c->sync_status = c->failed ? "Unknown" : "Synced";
    VEC_FOREACH(&c->pairs, p) {
        judge_pair(in, c, p);
        if (!c->failed && counts(p))
            c->sync_status = "OutOfSync";
        if (c->failed || !is_permitted(in, p))
            p->status = "Unknown";
    }
    if (!c->failed && comparison_metadata_changed(in->doc))
        c->sync_status = "OutOfSync";
    VEC_SORT(&c->pairs, by_key);
    aggregate_health(app, c);
    tell_failed_check(ctl, in, c);
}
