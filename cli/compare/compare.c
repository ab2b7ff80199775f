/* compare: target manifests beside live objects, by the controller's own rules. Exit status as diff(1): 0 the
 * same, 1 different, 2 trouble. */
#include "cli/compare/load.h"
#include "cli/diff.h"
#include "cli/print.h"
#include "common/argo/app.h"
#include "common/engine/annotations.h"
#include "common/engine/diff.h"
#include "common/engine/hooks.h"
#include "common/engine/ignored.h"
#include "common/engine/mask.h"

enum { SAME, DIFFERENT, TROUBLE };

struct comparing {
    const json_t *app; /* NULL: none was given */
    settings_t *settings;
    struct evaluator evaluator;
    struct normalize_options options;
    struct ignore_rule *own, *rules;
    size_t nown;
    json_t *targets, *lives;
    bool *taken; /* of lives */
    json_t *rows;
    bool different;
};

static void comparing_dispose(struct comparing *c)
{
    json_decref((json_t *)(uintptr_t)c->app);
    settings_unref(c->settings);
    evaluator_close(&c->evaluator);
    ignore_rules_free(c->own, c->nown);
    free(c->rules);
    json_decref(c->targets);
    json_decref(c->lives);
    free(c->taken);
    json_decref(c->rows);
    free(c);
}
AUTO_DECL(comparing_free_p, struct comparing, comparing_dispose)

/* ---- pairs ---- */

static bool same_kind_and_name(const json_t *a, const json_t *b)
{
    AUTO(free_p) char *x = object_group(a);
    AUTO(free_p) char *y = object_group(b);
    return str_eq(x, y) && str_eq(object_kind(a), object_kind(b)) && str_eq(object_name(a), object_name(b));
}

/* Manifests need not say their namespace: it is the destination's then. Without an Application nobody knows
 * which, and any will do. */
static bool same_namespace(const struct comparing *c, const json_t *target, const json_t *live)
{
    const char *ns = object_namespace(target),
               *destination = str_or_empty(json_str_at(c->app, "spec", "destination", "namespace"));
    if (str_eq(ns, object_namespace(live)))
        return true;
    return !*ns && (!*destination || str_eq(destination, object_namespace(live)));
}

static json_t *find_live(struct comparing *c, const json_t *target)
{
    size_t i;
    json_t *live;
    json_array_foreach(c->lives, i, live) {
        if (c->taken[i] || !same_kind_and_name(target, live) || !same_namespace(c, target, live))
            continue;
        c->taken[i] = true;
        return live;
    }
    return NULL;
}

/* Whether a live object without a target is the application's to prune. */
static bool belongs(const struct comparing *c, const json_t *live)
{
    if (object_is_hook(live))
        return false;
    if (!c->app)
        return true;
    AUTO(free_p) char *owner = tracking_owner(settings_tracking(c->settings), live);
    const char *name = object_name(c->app);
    size_t n = owner ? strlen(owner) : 0, m = strlen(name);
    bool named = n >= m && strcmp(owner + n - m, name) == 0 && (n == m || owner[n - m - 1] == '_');
    return named && tracking_self_reference(settings_tracking(c->settings), live, NULL);
}

/* ---- one pair ---- */

static json_t *row_of(const json_t *o, const char *ns, const char *status)
{
    AUTO(free_p) char *group = object_group(o);
    AUTO(free_p) char *version = object_version(o);
    json_t *row = json_object();
    json_set_str(row, "group", group);
    json_set_str(row, "version", version);
    json_set_str(row, "kind", object_kind(o));
    json_set_str(row, "namespace", ns);
    json_set_str(row, "name", object_name(o));
    json_set_str(row, "status", status);
    return row;
}

static void put_state(json_t *row, const char *key, const json_t *state)
{
    json_object_set_new(row, key, state && !json_is_null(state) ? json_copy_deep(state) : json_null());
}

/* The normalised sides, Secrets masked; the originals masked with them, so that equal values stay equal. */
static int add_compared(struct comparing *c, const json_t *target, const json_t *live, err_t **err)
{
    AUTO_JSON t = target ? json_copy_deep(target) : NULL;
    AUTO_JSON l = live ? json_copy_deep(live) : NULL;
    const json_t *o = target ? target : live;
    bool skipped = target && (object_is_skipped(target) || object_is_ignored_hook(target));
    if (t && l)
        ignored_drop_managed(t, l, json_at(live, "metadata", "managedFields"), c->options.rules,
                             c->options.nrules);
    struct diff_result d = {};
    int rc = diff_objects_compare(t, l, &c->options, &d, err);
    if (rc < 0)
        return err_wrap(err, "%s %s", object_kind(o), object_name(o));
    bool modified = d.modified || !t || !l;
    bool counts = modified && !skipped &&
                  !(live && !target && annotation_has(live, ANNOTATION_COMPARE, "IgnoreExtraneous"));
    json_t *const sides[] = {json_is_map(d.normalized_live) ? d.normalized_live : NULL,
                             json_is_map(d.predicted_live) ? d.predicted_live : NULL};
    mask_secrets(sides, ARRAY_LEN(sides), settings_masked_annotations(c->settings));
    const json_t *place = live ? live : target;
    const char *ns = object_namespace(place);
    json_t *row = row_of(o, ns, skipped ? "" : modified ? "OutOfSync" : "Synced");
    if (!target)
        json_object_set_new(row, "requiresPruning", json_true());
    if (modified && !skipped) {
        put_state(row, "normalizedLiveState", live ? d.normalized_live : NULL);
        put_state(row, "predictedLiveState", target ? d.predicted_live : NULL);
    }
    json_array_append_new(c->rows, row);
    c->different = c->different || counts;
    diff_result_dispose(&d);
    return 0;
}

static int compare_all(struct comparing *c, err_t **err)
{
    size_t i;
    json_t *o;
    int rc = 0;
    c->taken = xcalloc(json_array_size(c->lives) + 1, sizeof(*c->taken));
    json_array_foreach(c->targets, i, o) {
        if (rc == 0 && !object_is_hook(o))
            rc = add_compared(c, o, find_live(c, o), err);
    }
    json_array_foreach(c->lives, i, o) {
        if (rc == 0 && !c->taken[i] && belongs(c, o))
            rc = add_compared(c, NULL, o, err);
    }
    if (rc == 0 && c->evaluator.failure)
        rc = err_move(err, TAKE(c->evaluator.failure));
    return rc;
}

/* ---- what it is compared by ---- */

static int load_rules(struct run *r, struct comparing *c, err_t **err)
{
    const char *app = args_text(r->args, "app");
    int rc = *args_text(r->args, "argocd-cm-path") ? load_settings(r, &c->settings, err)
                                                   : settings_parse(NULL, &c->settings, NULL, err);
    json_t *doc = NULL;
    if (rc == 0 && *app)
        rc = load_object(app, &doc, err);
    c->app = doc;
    if (rc == 0 && doc && !str_eq(object_kind(doc), "Application"))
        rc = err_set(err, ERR_INVALID_ARGUMENT, "%s: it is no Application", app);
    if (rc < 0)
        return rc;
    size_t n;
    const struct ignore_rule *system = settings_ignore_rules(c->settings, &n);
    c->own = ignore_rules_of(json_at(doc, "spec", "ignoreDifferences"), &c->nown);
    c->rules = xcalloc(n + c->nown + 1, sizeof(*c->rules));
    if (n)
        memcpy(c->rules, system, n * sizeof(*c->rules));
    if (c->nown)
        memcpy(c->rules + n, c->own, c->nown * sizeof(*c->rules));
    c->options = (struct normalize_options){
        .rules = c->rules,
        .nrules = n + c->nown,
        .ignore_aggregated_roles = settings_ignore_aggregated_roles(c->settings),
        .jq_delete = evaluator_jq,
        .jq_ctx = &c->evaluator};
    c->options.types = settings_known_types(c->settings, &c->options.ntypes);
    return 0;
}

/* ---- output ---- */

static const char *text(const json_t *row, const char *key)
{
    return str_or_empty(json_str_at(row, key));
}

static int print_wide(const struct comparing *c, err_t **err)
{
    AUTO_STR rows = STR_INIT;
    size_t i;
    json_t *row;
    int rc = 0;
    str_puts(&rows, "GROUP\tKIND\tNAMESPACE\tNAME\tSTATUS\n");
    json_array_foreach(c->rows, i, row) {
        str_printf(&rows, "%s\t%s\t%s\t%s\t%s%s\n", text(row, "group"), text(row, "kind"),
                   text(row, "namespace"), text(row, "name"), text(row, "status"),
                   json_bool_at(row, "requiresPruning") ? " (requires pruning)" : "");
    }
    print_table(&rows);
    json_array_foreach(c->rows, i, row) {
        const json_t *live = json_object_get(row, "normalizedLiveState"),
                     *target = json_object_get(row, "predictedLiveState");
        if (rc < 0 || !str_eq(text(row, "status"), "OutOfSync"))
            continue;
        printf_out("\n===== %s/%s %s/%s ======\n", text(row, "group"), text(row, "kind"),
                   text(row, "namespace"), text(row, "name"));
        rc = diff_print(text(row, "name"), json_is_map(live) ? live : NULL,
                        json_is_map(target) ? target : NULL, err);
    }
    return rc;
}

static int print_result(const struct run *r, const struct comparing *c, err_t **err)
{
    const char *format = args_text(r->args, "output");
    AUTO_JSON answer = json_object();
    json_set_str(answer, "status", c->different ? "OutOfSync" : "Synced");
    json_object_set(answer, "resources", c->rows);
    if (print_document(answer, format))
        return 0;
    return str_eq(format, "wide") ? print_wide(c, err) : print_unknown_format(format, err);
}

int compare(struct run *r, err_t **err)
{
    const char *target = args_text(r->args, "target"), *live = args_text(r->args, "live");
    *r->error_status = TROUBLE;
    if (!*target || !*live || args_count(r->args)) {
        run_usage(r);
        return TROUBLE;
    }
    AUTO(comparing_free_p) struct comparing *c = xcalloc(1, sizeof(*c));
    c->rows = json_array();
    evaluator_open(&c->evaluator, 0);
    int rc = load_rules(r, c, err);
    if (rc == 0)
        rc = load_objects(target, &c->targets, err);
    if (rc == 0)
        rc = load_objects(live, &c->lives, err);
    if (rc == 0)
        rc = compare_all(c, err);
    if (rc == 0)
        rc = print_result(r, c, err);
    return rc < 0 ? rc : c->different ? DIFFERENT : SAME;
}
