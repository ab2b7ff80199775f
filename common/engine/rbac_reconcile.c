#include "common/engine/rbac_reconcile.h"
#include "common/base/vec.h"
#include "common/kinds/kinds.h"

/* A rule stands for the product of its lists: what is told, and what is looked at, is bounded. */
enum { MAX_RULES = 2000, MAX_CHECKS = 100000 };

/* A rule, or a single action out of one. */
struct action {
    const char *verb, *group, *resource, *name, *url; /* NULL: not about it */
};

static bool has(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_string_value(json_array_get(list, i)), text))
            return true;
    return false;
}

static bool has_or_all(const json_t *list, const char *text)
{
    return has(list, "*") || has(list, text);
}

static bool covers_resource(const json_t *list, const char *resource)
{
    if (has_or_all(list, resource))
        return true;
    const char *part = strchr(resource, '/');
    AUTO(free_p) char *any = part ? xasprintf("*%s", part) : NULL;
    return any && has(list, any);
}

static bool covers_url(const json_t *list, const char *url)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *own = str_or_empty(json_string_value(json_array_get(list, i)));
        size_t n = strlen(own);
        if (strcmp(own, url) == 0)
            return true;
        if (!n || own[n - 1] != '*')
            continue;
        while (n && own[n - 1] == '*')
            n--;
        if (strncmp(own, url, n) == 0)
            return true;
    }
    return false;
}

static bool rule_covers(const json_t *rule, const struct action *a)
{
    const json_t *names = json_object_get(rule, "resourceNames");
    if (!has_or_all(json_object_get(rule, "verbs"), a->verb))
        return false;
    if (a->url)
        return json_array_size(names) == 0 && covers_url(json_object_get(rule, "nonResourceURLs"), a->url);
    return has_or_all(json_object_get(rule, "apiGroups"), a->group) &&
           covers_resource(json_object_get(rule, "resources"), a->resource) &&
           (json_array_size(names) == 0 || (a->name && has(names, a->name)));
}

static bool covered(const json_t *rules, const struct action *a)
{
    for (size_t i = 0; i < json_array_size(rules); i++)
        if (rule_covers(json_array_get(rules, i), a))
            return true;
    return false;
}

/* ---- as Go prints them ---- */

static void put_list(str_t *out, const char *name, const json_t *list)
{
    str_printf(out, "%s:[", name);
    for (size_t i = 0; i < json_array_size(list); i++)
        str_printf(out, "%s%s", i ? " " : "", str_or_empty(json_string_value(json_array_get(list, i))));
    str_putc(out, ']');
}

static void put_rule(str_t *out, const json_t *rule)
{
    static const char *const fields[][2] = {{"Verbs", "verbs"},
                                            {"APIGroups", "apiGroups"},
                                            {"Resources", "resources"},
                                            {"ResourceNames", "resourceNames"},
                                            {"NonResourceURLs", "nonResourceURLs"}};
    str_puts(out, "\n\t\t{");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        str_puts(out, i ? " " : "");
        put_list(out, fields[i][0], json_object_get(rule, fields[i][1]));
    }
    str_putc(out, '}');
}

static void put_action(str_t *out, const struct action *a)
{
    str_printf(out,
               "\n\t\t{Verbs:[%s] APIGroups:[%s] Resources:[%s] ResourceNames:[%s] NonResourceURLs:[%s]}",
               a->verb, str_or_empty(a->group), str_or_empty(a->resource), str_or_empty(a->name),
               str_or_empty(a->url));
}

static void put_subject(str_t *out, const json_t *subject)
{
    str_printf(out, "\n\t\t{Kind:%s APIGroup:%s Name:%s Namespace:%s}",
               str_or_empty(json_str_at(subject, "kind")), str_or_empty(json_str_at(subject, "apiGroup")),
               str_or_empty(json_str_at(subject, "name")), str_or_empty(json_str_at(subject, "namespace")));
}

/* ---- what is missing ---- */

static const char *text_at(const json_t *list, size_t i)
{
    return str_or_empty(json_string_value(json_array_get(list, i)));
}

struct missing {
    const json_t *live;
    size_t n, checks;
    str_t *out;
};

static void check(struct missing *m, const struct action *a)
{
    m->checks += 1 + json_array_size(m->live);
    if (m->n >= MAX_RULES || covered(m->live, a))
        return;
    m->n++;
    put_action(m->out, a);
}

static void check_rule(struct missing *m, const json_t *rule)
{
    const json_t *groups = json_object_get(rule, "apiGroups"),
                 *resources = json_object_get(rule, "resources"), *verbs = json_object_get(rule, "verbs"),
                 *names = json_object_get(rule, "resourceNames"),
                 *urls = json_object_get(rule, "nonResourceURLs");
    size_t nnames = json_array_size(names), times = nnames ? nnames : 1;
    size_t total = json_array_size(groups) * json_array_size(resources) * json_array_size(verbs);
    for (size_t i = 0; i < total * times && m->n < MAX_RULES && m->checks < MAX_CHECKS; i++) {
        size_t at = i / times, verb = at % json_array_size(verbs), rest = at / json_array_size(verbs);
        check(m, &(struct action){.verb = text_at(verbs, verb),
                                  .group = text_at(groups, rest / json_array_size(resources)),
                                  .resource = text_at(resources, rest % json_array_size(resources)),
                                  .name = nnames ? text_at(names, i % times) : NULL});
    }
    for (size_t i = 0; i < json_array_size(urls) && m->checks < MAX_CHECKS; i++)
        for (size_t k = 0; k < json_array_size(verbs); k++)
            check(m, &(struct action){.verb = text_at(verbs, k), .url = text_at(urls, i)});
}

static bool put_missing_rules(const json_t *target, const json_t *live, str_t *out)
{
    const json_t *wanted = json_object_get(target, "rules");
    struct missing m = {.live = json_object_get(live, "rules"), .out = out};
    for (size_t i = 0; i < json_array_size(wanted); i++)
        check_rule(&m, json_array_get(wanted, i));
    return m.n > 0;
}

static bool same_subject(const json_t *a, const json_t *b)
{
    static const char *const fields[] = {"kind", "apiGroup", "name", "namespace"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(str_or_empty(json_str_at(a, fields[i])), str_or_empty(json_str_at(b, fields[i]))) != 0)
            return false;
    return true;
}

static bool has_subject(const json_t *list, size_t n, const json_t *subject)
{
    for (size_t i = 0; i < n; i++)
        if (same_subject(json_array_get(list, i), subject))
            return true;
    return false;
}

static bool put_missing_subjects(const json_t *target, const json_t *live, str_t *out)
{
    const json_t *wanted = json_object_get(target, "subjects"), *have = json_object_get(live, "subjects");
    bool any = false;
    for (size_t i = 0; i < json_array_size(wanted) && i < MAX_RULES; i++) {
        const json_t *s = json_array_get(wanted, i);
        if (has_subject(have, json_array_size(have), s) || has_subject(wanted, i, s))
            continue;
        any = true;
        put_subject(out, s);
    }
    return any;
}

/* Labels and annotations that are not there; what is there stays as it is. */
static bool lacks_metadata(const json_t *target, const json_t *live, const char *field)
{
    json_t *wanted = json_at(target, "metadata", field), *have = json_at(live, "metadata", field);
    for (void *it = json_object_iter(wanted); it; it = json_object_iter_next(wanted, it))
        if (!json_object_get(have, json_object_iter_key(it)))
            return true;
    return false;
}

static bool lacks_selector(const json_t *target, const json_t *live)
{
    const json_t *wanted = json_at(target, "aggregationRule", "clusterRoleSelectors"),
                 *have = json_at(live, "aggregationRule", "clusterRoleSelectors");
    for (size_t i = 0; i < json_array_size(wanted); i++) {
        bool found = false;
        for (size_t k = 0; k < json_array_size(have); k++)
            found = found || json_same(json_array_get(wanted, i), json_array_get(have, k));
        if (!found)
            return true;
    }
    return false;
}

bool rbac_drops_aggregation(const json_t *target, const json_t *live)
{
    return json_is_map(json_object_get(live, "aggregationRule")) &&
           !json_is_map(json_object_get(target, "aggregationRule"));
}

static bool is_binding(const json_t *o)
{
    return strstr(object_kind(o), "Binding") != NULL;
}

static bool other_role(const json_t *target, const json_t *live)
{
    const json_t *wanted = json_object_get(target, "roleRef"), *is = json_object_get(live, "roleRef");
    return strcmp(str_or_empty(json_str_at(wanted, "kind")), str_or_empty(json_str_at(is, "kind"))) != 0 ||
           strcmp(str_or_empty(json_str_at(wanted, "name")), str_or_empty(json_str_at(is, "name"))) != 0;
}

static enum rbac_operation compare(const json_t *target, const json_t *live, str_t *missing)
{
    bool binding = is_binding(target);
    if (live && binding && other_role(target, live))
        return RBAC_RECREATE;
    if (!live) {
        const json_t *rules = json_object_get(target, "rules");
        for (size_t i = 0; !binding && i < json_array_size(rules) && i < MAX_RULES; i++)
            put_rule(missing, json_array_get(rules, i));
        if (binding)
            put_missing_subjects(target, NULL, missing);
        return RBAC_CREATE;
    }
    bool any = binding ? put_missing_subjects(target, live, missing)
                       : put_missing_rules(target, live, missing);
    any = any || lacks_metadata(target, live, "annotations") || lacks_metadata(target, live, "labels");
    if (!binding)
        any = any || rbac_drops_aggregation(target, live) || lacks_selector(target, live);
    return any ? RBAC_UPDATE : RBAC_NONE;
}

bool rbac_opted_out(const json_t *live)
{
    return str_eq(object_annotation(live, "rbac.authorization.kubernetes.io/autoupdate"), "false");
}

enum rbac_operation rbac_reconcile(const json_t *target, const json_t *live, char **note)
{
    static const char *const words[] = {NULL, "create", "update", "recreate"};
    AUTO_STR missing = STR_INIT;
    enum rbac_operation op = compare(target, live, &missing);
    if (!note)
        return op;
    *note = NULL;
    if (op == RBAC_NONE)
        return op;
    *note = xasprintf("reconciliation required %s%s%s%s", words[op],
                      rbac_opted_out(live)
                          ? ", but object opted out (rbac.authorization.kubernetes.io/autoupdate: false)"
                          : "",
                      !missing.len         ? ""
                      : is_binding(target) ? "\n\tmissing subjects added:"
                                           : "\n\tmissing rules added:",
                      str_text(&missing));
    return op;
}
