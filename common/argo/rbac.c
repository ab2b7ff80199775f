/* A caller's evaluations (default role, subject, groups, nobody) are worked out once: for each, the roles it
 * reaches and the rules of those roles. A decision then matches a few patterns. Rules of a project are few
 * and looked at as they are; since a project may give a group a role of its own, or a global one, an
 * evaluation's roles are extended for that decision. */
#include "common/argo/rbac.h"

#include "common/argo/rbac_csv.h"

static const char builtin[] = "p, role:readonly, applications, get, */*, allow\n"
                              "p, role:readonly, applicationsets, get, */*, allow\n"
                              "p, role:readonly, certificates, get, *, allow\n"
                              "p, role:readonly, clusters, get, *, allow\n"
                              "p, role:readonly, repositories, get, *, allow\n"
                              "p, role:readonly, write-repositories, get, *, allow\n"
                              "p, role:readonly, projects, get, *, allow\n"
                              "p, role:readonly, accounts, get, *, allow\n"
                              "p, role:readonly, gpgkeys, get, *, allow\n"
                              "p, role:readonly, logs, get, */*, allow\n"
                              "p, role:admin, applications, create, */*, allow\n"
                              "p, role:admin, applications, update, */*, allow\n"
                              "p, role:admin, applications, update/*, */*, allow\n"
                              "p, role:admin, applications, delete, */*, allow\n"
                              "p, role:admin, applications, delete/*, */*, allow\n"
                              "p, role:admin, applications, sync, */*, allow\n"
                              "p, role:admin, applications, rollback, */*, allow\n"
                              "p, role:admin, applications, override, */*, allow\n"
                              "p, role:admin, applications, action/*, */*, allow\n"
                              "p, role:admin, applicationsets, get, */*, allow\n"
                              "p, role:admin, applicationsets, create, */*, allow\n"
                              "p, role:admin, applicationsets, update, */*, allow\n"
                              "p, role:admin, applicationsets, delete, */*, allow\n"
                              "p, role:admin, exec, create, */*, allow\n"
                              "p, role:admin, certificates, create, *, allow\n"
                              "p, role:admin, certificates, update, *, allow\n"
                              "p, role:admin, certificates, delete, *, allow\n"
                              "p, role:admin, clusters, create, *, allow\n"
                              "p, role:admin, clusters, update, *, allow\n"
                              "p, role:admin, clusters, delete, *, allow\n"
                              "p, role:admin, repositories, create, *, allow\n"
                              "p, role:admin, repositories, update, *, allow\n"
                              "p, role:admin, repositories, delete, *, allow\n"
                              "p, role:admin, write-repositories, create, *, allow\n"
                              "p, role:admin, write-repositories, update, *, allow\n"
                              "p, role:admin, write-repositories, delete, *, allow\n"
                              "p, role:admin, projects, create, *, allow\n"
                              "p, role:admin, projects, update, *, allow\n"
                              "p, role:admin, projects, delete, *, allow\n"
                              "p, role:admin, accounts, update, *, allow\n"
                              "p, role:admin, gpgkeys, create, *, allow\n"
                              "p, role:admin, gpgkeys, delete, *, allow\n"
                              "g, role:admin, role:readonly\n"
                              "g, admin, role:admin\n";

/* As deep as the reference follows roles of roles. */
enum { MAX_ROLE_DEPTH = 10 };

struct rbac {
    _Atomic unsigned refs;
    struct rbac_rules rules;
    char *default_role;
};

struct rbac_project {
    _Atomic unsigned refs;
    char *name;
    struct rbac_rules rules;
    char **roles;
};

/* ---- policies ---- */

int rbac_new(const struct rbac_config *config, rbac_t **out, err_t **err)
{
    rbac_t *r = xcalloc(1, sizeof *r);
    r->refs = 1;
    r->default_role = str_empty(config->default_role) ? NULL : xstrdup(config->default_role);
    int rc = 0;
    if (strlen(str_or_empty(config->policy)) > RBAC_MAX_POLICY)
        rc = err_set(err, ERR_RESOURCE_EXHAUSTED, "policy larger than %d bytes", RBAC_MAX_POLICY);
    if (rc == 0 && !config->no_builtin)
        rc = rbac_rules_add(&r->rules, builtin, false, err);
    if (rc == 0)
        rc = rbac_rules_add(&r->rules, config->policy, config->regex, err);
    if (rc < 0)
        rbac_unref(r);
    else
        *out = r;
    return rc;
}

rbac_t *rbac_ref(rbac_t *r)
{
    r->refs++;
    return r;
}

void rbac_unref(rbac_t *r)
{
    if (!r || --r->refs)
        return;
    rbac_rules_dispose(&r->rules);
    free(r->default_role);
    free(r);
}

int rbac_check_policy(const char *csv, err_t **err)
{
    struct rbac_rules rules = {};
    int rc = rbac_rules_add(&rules, csv, false, err);
    rbac_rules_dispose(&rules);
    return rc;
}

/* A group's name in a line of CSV. */
static void put_field(const char *s, str_t *out)
{
    str_putc(out, '"');
    for (; *s; s++)
        str_puts(out, *s == '"' ? "\"\"" : (char[]){*s, 0});
    str_putc(out, '"');
}

static void role_policy(const char *project, const json_t *role, str_t *csv)
{
    const char *name = json_str_at(role, "name");
    size_t i;
    json_t *v;
    str_printf(csv, "p, proj:%s:%s, projects, get, %s, allow\n", project, name, project);
    json_array_foreach(json_at(role, "policies"), i, v)
        str_printf(csv, "%s\n", str_or_empty(json_string_value(v)));
    json_array_foreach(json_at(role, "groups"), i, v) {
        const char *group = str_or_empty(json_string_value(v));
        if (strpbrk(group, "\r\n"))
            continue; /* would be another line */
        str_puts(csv, "g, ");
        /* A group that needs quotes is written with them in the project. */
        if (group[0] == '"')
            str_puts(csv, group);
        else
            put_field(group, csv);
        str_printf(csv, ", proj:%s:%s\n", project, name);
    }
}

rbac_project_t *rbac_project_new(const json_t *project)
{
    rbac_project_t *p = xcalloc(1, sizeof *p);
    p->refs = 1;
    p->name = xstrdup(str_or_empty(json_str_at(project, "metadata", "name")));
    AUTO_STR csv = STR_INIT;
    VEC(char *) names = {};
    size_t i;
    json_t *role;
    json_array_foreach(json_at(project, "spec", "roles"), i, role) {
        const char *name = json_str_at(role, "name");
        if (!name || strpbrk(name, ",\"\r\n"))
            continue;
        VEC_PUSH(&names, xstrdup(name));
        role_policy(p->name, role, &csv);
    }
    VEC_PUSH(&names, NULL);
    p->roles = names.v;
    if (rbac_rules_add(&p->rules, str_text(&csv), false, NULL) < 0) {
        rbac_rules_dispose(&p->rules);
        p->rules = (struct rbac_rules){};
    }
    return p;
}

rbac_project_t *rbac_project_ref(rbac_project_t *p)
{
    p->refs++;
    return p;
}

void rbac_project_unref(rbac_project_t *p)
{
    if (!p || --p->refs)
        return;
    rbac_rules_dispose(&p->rules);
    strv_free(p->roles);
    free(p->name);
    free(p);
}

const char *rbac_project_name(const rbac_project_t *p)
{
    return p->name;
}

bool rbac_project_same(const rbac_project_t *a, const rbac_project_t *b)
{
    return !strcmp(a->name, b->name) && rbac_rules_same(&a->rules, &b->rules);
}

bool rbac_project_has_role(const rbac_project_t *p, const char *role)
{
    return strv_contains(p->roles, role);
}

/* ---- callers ---- */

typedef VEC(const char *) names_t; /* borrowed */

struct evaluation {
    names_t roles; /* the subject itself first, then what it reaches */
    VEC(const struct rbac_rule *) rules;
    bool only_if_grouped; /* a group: counts only when some g line names it */
    bool grouped;         /* one of the global policy does */
};

struct rbac_caller {
    rbac_t *rbac;
    char *subject;
    char **groups;
    char *token_project, *token_role; /* of a project token */
    VEC(struct evaluation) evaluations;
};

static bool contains(const names_t *n, const char *s)
{
    VEC_FOREACH(n, it)
        if (!strcmp(*it, s))
            return true;
    return false;
}

/* Adds the roles that members [from, end) of `roles` have by these groupings. */
static void add_roles(names_t *roles, size_t from, size_t end, const struct rbac_rules *rules)
{
    for (size_t i = from; i < end; i++)
        for (size_t j = 0; j < rules->groupings.n; j++) {
            const struct rbac_grouping *g = &rules->groupings.v[j];
            if (!strcmp(g->member, roles->v[i]) && !contains(roles, g->role))
                VEC_PUSH(roles, g->role);
        }
}

static void close_roles(names_t *roles, const struct rbac_rules *a, const struct rbac_rules *b)
{
    size_t from = 0;
    for (int depth = 0; depth < MAX_ROLE_DEPTH && from < roles->n; depth++) {
        size_t end = roles->n;
        add_roles(roles, from, end, a);
        if (b)
            add_roles(roles, from, end, b);
        from = end;
    }
}

static bool is_member(const struct rbac_rules *rules, const char *name)
{
    VEC_FOREACH(&rules->groupings, it)
        if (!strcmp(it->member, name))
            return true;
    return false;
}

static void add_evaluation(rbac_caller_t *c, const char *name, bool group)
{
    const struct rbac_rules *rules = &c->rbac->rules;
    struct evaluation *e = VEC_ADD(&c->evaluations);
    *e = (struct evaluation){.only_if_grouped = group, .grouped = is_member(rules, name)};
    VEC_PUSH(&e->roles, name);
    close_roles(&e->roles, rules, NULL);
    VEC_FOREACH(&rules->rules, it)
        if (contains(&e->roles, it->subject))
            VEC_PUSH(&e->rules, it);
}

static void split_token_subject(rbac_caller_t *c)
{
    const char *rest = str_after(c->subject, "proj:");
    const char *colon = rest ? strchr(rest, ':') : NULL;
    if (!colon)
        return;
    c->token_project = xstrndup(rest, (size_t)(colon - rest));
    c->token_role = xstrdup(colon + 1);
}

static char **copy_groups(char *const *groups)
{
    VEC(char *) copy = {};
    for (; groups && *groups; groups++)
        VEC_PUSH(&copy, xstrdup(*groups));
    VEC_PUSH(&copy, NULL);
    return copy.v;
}

rbac_caller_t *rbac_caller_new(rbac_t *r, const char *subject, char *const *groups)
{
    rbac_caller_t *c = xcalloc(1, sizeof *c);
    c->rbac = rbac_ref(r);
    c->subject = xstrdup(str_or_empty(subject));
    c->groups = copy_groups(groups);
    split_token_subject(c);
    if (r->default_role)
        add_evaluation(c, r->default_role, false);
    if (*c->subject)
        add_evaluation(c, c->subject, false);
    for (char **g = c->groups; *g; g++)
        add_evaluation(c, *g, true);
    add_evaluation(c, "", false);
    return c;
}

void rbac_caller_free(rbac_caller_t *c)
{
    if (!c)
        return;
    VEC_FOREACH(&c->evaluations, it) {
        VEC_FREE(&it->roles);
        VEC_FREE(&it->rules);
    }
    VEC_FREE(&c->evaluations);
    rbac_unref(c->rbac);
    strv_free(c->groups);
    free(c->subject);
    free(c->token_project);
    free(c->token_role);
    free(c);
}

/* ---- decisions ---- */

struct request {
    const char *resource, *action, *object;
};

static bool matches(const struct rbac_rule *r, const struct request *q)
{
    return rbac_pattern_match(&r->resource, q->resource) && rbac_pattern_match(&r->action, q->action) &&
           rbac_pattern_match(&r->object, q->object);
}

static void apply(const struct rbac_rule *r, const struct request *q, bool *allowed, bool *denied)
{
    if (!matches(r, q))
        return;
    if (r->deny)
        *denied = true;
    else
        *allowed = true;
}

/* With the project's groupings a subject may reach more roles: then all rules are looked at. */
static bool evaluate_extended(const rbac_caller_t *c, const names_t *roles, const rbac_project_t *p,
                              const struct request *q)
{
    bool allowed = false, denied = false;
    VEC_FOREACH(&c->rbac->rules.rules, it)
        if (contains(roles, it->subject))
            apply(it, q, &allowed, &denied);
    VEC_FOREACH(&p->rules.rules, it)
        if (contains(roles, it->subject))
            apply(it, q, &allowed, &denied);
    return allowed && !denied;
}

static bool evaluate(const rbac_caller_t *c, const struct evaluation *e, const rbac_project_t *p,
                     const struct request *q)
{
    if (e->only_if_grouped && !e->grouped && !(p && is_member(&p->rules, e->roles.v[0])))
        return false;
    if (p) {
        names_t roles = {};
        VEC_PUSH(&roles, e->roles.v[0]);
        close_roles(&roles, &c->rbac->rules, &p->rules);
        bool extended = roles.n > e->roles.n;
        bool granted = extended && evaluate_extended(c, &roles, p, q);
        VEC_FREE(&roles);
        if (extended)
            return granted;
    }
    bool allowed = false, denied = false;
    VEC_FOREACH(&e->rules, it)
        apply(*it, q, &allowed, &denied);
    if (p)
        VEC_FOREACH(&p->rules.rules, it)
            if (contains(&e->roles, it->subject))
                apply(it, q, &allowed, &denied);
    return allowed && !denied;
}

/* A project token counts for its own project only, and while the role exists. */
static bool token_applies(const rbac_caller_t *c, const rbac_project_t *p)
{
    return !p || (!strcmp(p->name, c->token_project) && rbac_project_has_role(p, c->token_role));
}

bool rbac_allows(rbac_caller_t *c, const rbac_project_t *project, const char *resource, const char *action,
                 const char *object)
{
    struct request q = {resource, action, object};
    VEC_FOREACH(&c->evaluations, it) {
        bool is_subject = *c->subject && !strcmp(it->roles.v[0], c->subject);
        if (is_subject && c->token_project && !token_applies(c, project))
            continue;
        if (evaluate(c, it, project, &q))
            return true;
    }
    return false;
}

/* ---- names ---- */

bool rbac_is_project_scoped(const char *resource)
{
    static const char *const scoped[] = {"applications", "applicationsets", "logs",    "exec",
                                         "repositories", "clusters",        "projects"};
    for (size_t i = 0; i < ARRAY_LEN(scoped); i++)
        if (!strcmp(resource, scoped[i]))
            return true;
    return false;
}

char *rbac_object_project(const char *resource, const char *object)
{
    if (!strcmp(resource, "projects"))
        return xstrdup(object);
    const char *slash = strchr(object, '/');
    return slash ? xstrndup(object, (size_t)(slash - object)) : xstrdup("");
}

char *rbac_app_object(const char *project, const char *ns, const char *name, const char *control_ns)
{
    if (str_empty(project))
        project = "default";
    if (str_empty(ns) || str_same(ns, control_ns))
        return xasprintf("%s/%s", project, name);
    return xasprintf("%s/%s/%s", project, ns, name);
}
