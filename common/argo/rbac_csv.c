#include "common/argo/rbac_csv.h"

#include "common/base/glob.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { MAX_RULES = 100000, MATCH_LIMIT = 100000 };

/* ---- patterns ---- */

static void compile_regex(struct rbac_pattern *p)
{
    int code;
    size_t offset;
    p->regex = pcre2_compile((PCRE2_SPTR)p->text, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C,
                             &code, &offset, NULL);
    p->kind = p->regex ? RBAC_REGEX : RBAC_NEVER;
}

static struct rbac_pattern pattern_new(const char *text, bool regex)
{
    struct rbac_pattern p = {.text = xstrdup(text)};
    if (regex)
        compile_regex(&p);
    else if (!strcmp(text, "*"))
        p.kind = RBAC_ANY;
    else if (!strpbrk(text, "*?[]{}\\"))
        p.kind = RBAC_LITERAL;
    else
        p.kind = glob_valid(text) ? RBAC_GLOB : RBAC_NEVER;
    return p;
}

static void pattern_dispose(struct rbac_pattern *p)
{
    free(p->text);
    pcre2_code_free(p->regex);
}

static bool regex_match(const pcre2_code *code, const char *text)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    if (!data || !context)
        oom();
    pcre2_set_match_limit(context, MATCH_LIMIT);
    int rc = pcre2_match(code, (PCRE2_SPTR)text, strlen(text), 0, 0, data, context);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    return rc >= 0;
}

bool rbac_pattern_match(const struct rbac_pattern *p, const char *text)
{
    switch (p->kind) {
    case RBAC_ANY:
        return true;
    case RBAC_LITERAL:
        return !strcmp(p->text, text);
    case RBAC_GLOB:
        return glob_match(p->text, text, NULL);
    case RBAC_REGEX:
        return regex_match(p->regex, text);
    case RBAC_NEVER:
        break;
    }
    return false;
}

/* ---- lines ---- */

enum { MAX_FIELDS = 8 };

/* Standard CSV: a field in quotes may hold commas and doubled quotes. */
static int split_line(view_t line, char *fields[MAX_FIELDS], size_t *n, err_t **err)
{
    const char *p = line.p, *end = line.p + line.n;
    for (*n = 0;; p++) {
        AUTO_STR field = STR_INIT;
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (p < end && *p == '"') {
            for (p++; p < end && (*p != '"' || (p + 1 < end && p[1] == '"')); p++) {
                p += *p == '"';
                str_putc(&field, *p);
            }
            if (p++ == end)
                return err_set(err, ERR_INVALID_ARGUMENT, "missing closing quote");
            while (p < end && (*p == ' ' || *p == '\t'))
                p++;
            if (p < end && *p != ',')
                return err_set(err, ERR_INVALID_ARGUMENT, "text behind a quoted field");
        } else
            while (p < end && *p != ',') {
                if (*p == '"')
                    return err_set(err, ERR_INVALID_ARGUMENT, "quote within a field");
                str_putc(&field, *p++);
            }
        if (*n == MAX_FIELDS)
            return err_set(err, ERR_INVALID_ARGUMENT, "too many fields");
        view_t trimmed = view_trim((view_t){str_text(&field), field.len});
        fields[(*n)++] = xstrndup(trimmed.p, trimmed.n);
        if (p >= end)
            return 0;
    }
}

static int add_rule(struct rbac_rules *r, char *const *f, bool regex, err_t **err)
{
    bool deny = !strcmp(f[5], "deny");
    if (!deny && strcmp(f[5], "allow") != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "effect must be allow or deny, not %s", f[5]);
    if (r->rules.n >= MAX_RULES)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "more than %d rules", MAX_RULES);
    VEC_PUSH(&r->rules, (struct rbac_rule){xstrdup(f[1]), pattern_new(f[2], regex), pattern_new(f[3], regex),
                                           pattern_new(f[4], regex), deny});
    return 0;
}

static int add_line(struct rbac_rules *r, view_t line, bool regex, err_t **err)
{
    char *f[MAX_FIELDS];
    size_t n = 0;
    int rc = split_line(line, f, &n, err);
    if (rc == 0 && n == 6 && !strcmp(f[0], "p"))
        rc = add_rule(r, f, regex, err);
    else if (rc == 0 && n == 3 && !strcmp(f[0], "g"))
        VEC_PUSH(&r->groupings, (struct rbac_grouping){xstrdup(f[1]), xstrdup(f[2])});
    else if (rc == 0)
        rc = err_set(err, ERR_INVALID_ARGUMENT, "neither p with six fields nor g with three");
    while (n)
        free(f[--n]);
    return rc;
}

int rbac_rules_add(struct rbac_rules *r, const char *csv, bool regex, err_t **err)
{
    view_t rest = view_of(str_or_empty(csv)), line;
    for (size_t number = 1; view_split(&rest, '\n', &line); number++) {
        line = view_trim(line);
        if (!line.n || line.p[0] == '#')
            continue;
        int rc = add_line(r, line, regex, err);
        if (rc < 0)
            return err_wrap(err, "policy line %zu \"%.*s\"", number, (int)min_size(line.n, 200), line.p);
    }
    return 0;
}

void rbac_rules_dispose(struct rbac_rules *r)
{
    VEC_FOREACH(&r->rules, it) {
        free(it->subject);
        pattern_dispose(&it->resource);
        pattern_dispose(&it->action);
        pattern_dispose(&it->object);
    }
    VEC_FREE(&r->rules);
    VEC_FOREACH(&r->groupings, it) {
        free(it->member);
        free(it->role);
    }
    VEC_FREE(&r->groupings);
}

static bool rule_same(const struct rbac_rule *a, const struct rbac_rule *b)
{
    return a->deny == b->deny && !strcmp(a->subject, b->subject) &&
           !strcmp(a->resource.text, b->resource.text) && !strcmp(a->action.text, b->action.text) &&
           !strcmp(a->object.text, b->object.text);
}

bool rbac_rules_same(const struct rbac_rules *a, const struct rbac_rules *b)
{
    if (a->rules.n != b->rules.n || a->groupings.n != b->groupings.n)
        return false;
    for (size_t i = 0; i < a->rules.n; i++)
        if (!rule_same(&a->rules.v[i], &b->rules.v[i]))
            return false;
    for (size_t i = 0; i < a->groupings.n; i++)
        if (strcmp(a->groupings.v[i].member, b->groupings.v[i].member) != 0 ||
            strcmp(a->groupings.v[i].role, b->groupings.v[i].role) != 0)
            return false;
    return true;
}
