/* admin settings resource-overrides: what the customizations of argocd-cm make of one object. The texts are
 * argocd's. */
#include "cli/compare/load.h"
#include "cli/diff.h"
#include "cli/print.h"
#include "common/base/clock.h"
#include "common/kinds/kinds.h"
#include "common/yaml/yaml.h"

/* ---- what a command works on ---- */

struct subject {
    json_t *object;
    char *group; /* "" for core */
    settings_t *settings;
    struct evaluator evaluator;
};

static void subject_free(struct subject *s)
{
    json_decref(s->object);
    free(s->group);
    settings_unref(s->settings);
    evaluator_close(&s->evaluator);
    free(s);
}
AUTO_DECL(subject_free_p, struct subject, subject_free)

static int subject_open(struct run *r, int64_t timeout_ns, struct subject *s, err_t **err)
{
    evaluator_open(&s->evaluator, timeout_ns);
    int rc = load_object(args_rest(r->args)[0], &s->object, err);
    if (rc == 0)
        rc = load_settings(r, &s->settings, err);
    if (rc == 0)
        s->group = object_group(s->object);
    return rc;
}

static int not_configured(const struct subject *s, const char *what)
{
    printf_out("%s not configured for '%s/%s'\n", what, s->group, object_kind(s->object));
    return 0;
}

/* ---- health ---- */

static const struct script *find_script(const void *settings, const char *group, const char *kind)
{
    return settings_health_script(settings, group, kind);
}

int override_health(struct run *r, err_t **err)
{
    AUTO(subject_free_p) struct subject *s = xcalloc(1, sizeof(*s));
    struct health h = {};
    if (args_count(r->args) < 1)
        return run_usage(r);
    int rc = subject_open(r, 0, s, err);
    const struct health_overrides overrides = {
        .find = find_script, .run = eval_health, .settings = s->settings, .evaluator = s->evaluator.eval};
    if (rc == 0)
        rc = health_assess_by(&overrides, s->object, &h, err);
    if (rc == 0 && h.status == HEALTH_NONE)
        not_configured(s, "Health script is");
    else if (rc == 0)
        printf_out("STATUS: %s\nMESSAGE: %s\n", health_name(h.status), str_or_empty(h.message));
    health_dispose(&h);
    return rc;
}

/* ---- ignored fields ---- */

/* What the rules for exactly this kind say, as Go prints such a value; false when that is nothing. */
static bool put_rules(const struct subject *s, const struct ignore_rule *rules, size_t n, str_t *out)
{
    AUTO_STR pointers = STR_INIT, jq = STR_INIT, managers = STR_INIT;
    str_t *lists[] = {&pointers, &jq, &managers};
    for (size_t i = 0; i < n; i++) {
        char *const *texts[] = {rules[i].pointers, rules[i].jq, rules[i].managers};
        bool ours = str_eq(rules[i].group, s->group) && str_eq(rules[i].kind, object_kind(s->object));
        for (size_t k = 0; ours && k < ARRAY_LEN(texts); k++)
            for (char *const *t = texts[k]; t && *t; t++)
                str_printf(lists[k], "%s%s", lists[k]->len ? " " : "", *t);
    }
    str_printf(out, "{[%s] [%s] [%s]}", str_text(&pointers), str_text(&jq), str_text(&managers));
    return pointers.len || jq.len;
}

/* Expressions that failed, as argocd's log says it. */
static void print_notes(const struct subject *s)
{
    size_t i;
    json_t *text;
    json_array_foreach(s->evaluator.notes, i, text) {
        char now[RFC3339_TEXT];
        rfc3339(wall_now(), now);
        AUTO_JSON line = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "group", s->group, "kind",
                                   object_kind(s->object), "level", "debug", "name", object_name(s->object),
                                   "namespace", object_namespace(s->object), "time", now);
        AUTO(free_p)
        char *message = xasprintf("Failed to apply normalization patch: JQ patch returned error: %s",
                                  str_or_empty(json_string_value(text)));
        json_set_str(line, "msg", message);
        AUTO(free_p) char *out = json_text(line, JSON_GO);
        printf_out("%s\n", out);
    }
    if (i)
        printf_out("\n");
}

static int show_ignored(struct subject *s, const char *setting, const struct ignore_rule *rules, size_t n,
                        const char *said, err_t **err)
{
    const struct normalize_options options = {
        .rules = rules, .nrules = n, .jq_delete = evaluator_jq, .jq_ctx = &s->evaluator};
    AUTO_JSON rest = json_copy_deep(s->object);
    normalize_by_rules(&rest, &options);
    if (s->evaluator.failure)
        return err_move(err, TAKE(s->evaluator.failure));
    print_notes(s);
    if (json_same(s->object, rest)) {
        printf_out("No fields are ignored by %s settings: \n%s\n", setting, said);
        return 0;
    }
    printf_out("Following fields are ignored:\n\n");
    return diff_print(object_name(s->object), s->object, rest, err);
}

int override_differences(struct run *r, err_t **err)
{
    AUTO(subject_free_p) struct subject *s = xcalloc(1, sizeof(*s));
    AUTO_STR said = STR_INIT;
    size_t n;
    if (args_count(r->args) < 1)
        return run_usage(r);
    int rc = subject_open(r, 0, s, err);
    if (rc < 0)
        return rc;
    const struct ignore_rule *rules = settings_ignore_rules(s->settings, &n);
    return put_rules(s, rules, n, &said)
               ? show_ignored(s, "ignoreDifferences", rules, n, str_text(&said), err)
               : not_configured(s, "Ignore differences are");
}

int override_updates(struct run *r, err_t **err)
{
    AUTO(subject_free_p) struct subject *s = xcalloc(1, sizeof(*s));
    AUTO_STR said = STR_INIT;
    size_t n;
    if (args_count(r->args) < 1)
        return run_usage(r);
    int rc = subject_open(r, args_int(r->args, "ignore-normalizer-jq-execution-timeout"), s, err);
    if (rc < 0)
        return rc;
    if (!settings_customizes(s->settings, s->group, object_kind(s->object))) {
        printf_out("No overrides configured for '%s/%s'\n", s->group, object_kind(s->object));
        return 0;
    }
    const struct ignore_rule *rules = settings_ignore_update_rules(s->settings, &n);
    return put_rules(s, rules, n, &said)
               ? show_ignored(s, "ignoreResourceUpdates", rules, n, str_text(&said), err)
               : not_configured(s, "Ignore resource updates are");
}

/* ---- actions ---- */

static bool custom_of(const struct subject *s, struct custom_actions *out)
{
    out->actions = settings_actions(s->settings, s->group, object_kind(s->object), &out->open_libs);
    return out->actions != NULL;
}

int override_list_actions(struct run *r, err_t **err)
{
    AUTO(subject_free_p) struct subject *s = xcalloc(1, sizeof(*s));
    AUTO_JSON actions = NULL;
    AUTO_STR rows = STR_INIT;
    struct custom_actions custom;
    if (args_count(r->args) < 1)
        return run_usage(r);
    int rc = subject_open(r, 0, s, err);
    if (rc < 0)
        return rc;
    if (!custom_of(s, &custom))
        return not_configured(s, "Actions are");
    rc = eval_actions_list(s->evaluator.eval, &custom, s->object, &actions, err);
    if (rc < 0)
        return rc;
    str_puts(&rows, "NAME\tDISABLED\n");
    for (size_t i = 0; i < json_array_size(actions); i++) {
        const json_t *a = json_array_get(actions, i);
        str_printf(&rows, "%s\t%s\n", str_or_empty(json_str_at(a, "name")),
                   bool_text(json_bool_at(a, "disabled")));
    }
    print_table(&rows);
    return 0;
}

/* --param NAME=VALUE; NULL after a message. */
static json_t *read_params(const struct run *r)
{
    AUTO_JSON params = json_object();
    for (char *const *p = args_list(r->args, "param"); *p; p++) {
        const char *equals = strchr(*p, '=');
        if (!equals) {
            fail_with(1, "Invalid parameter format: %s", *p);
            return NULL;
        }
        AUTO(free_p) char *name = xstrndup(*p, (size_t)(equals - *p));
        json_set_str(params, name, equals + 1);
    }
    return TAKE(params);
}

static int print_change(const struct subject *s, const json_t *change, err_t **err)
{
    const json_t *resource = json_object_get(change, "resource");
    if (str_eq(json_str_at(change, "operation"), "patch")) {
        printf_out("Following fields have been changed:\n\n");
        return diff_print(object_name(s->object), s->object, resource, err);
    }
    AUTO_STR yaml = STR_INIT;
    yaml_write(resource, &yaml);
    printf_out("Following resource was created:\n%s\n", str_text(&yaml));
    return 0;
}

int override_run_action(struct run *r, err_t **err)
{
    AUTO(subject_free_p) struct subject *s = xcalloc(1, sizeof(*s));
    AUTO_JSON changes = NULL;
    struct custom_actions custom;
    if (args_count(r->args) < 2)
        return run_usage(r);
    AUTO_JSON params = read_params(r);
    if (!params)
        return 1;
    int rc = subject_open(r, 0, s, err);
    if (rc < 0)
        return rc;
    if (!custom_of(s, &custom))
        return not_configured(s, "Actions are");
    rc = eval_action_run(s->evaluator.eval, &custom, args_rest(r->args)[1], params, s->object, &changes, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(changes); i++)
        rc = print_change(s, json_array_get(changes, i), err);
    return rc;
}
