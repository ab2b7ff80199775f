/* A constraint is a list of groups (any must hold) of terms (all must hold). A term remembers which parts of
 * its version were missing or wildcards ("dirty"), because that changes what its operator means: >11 is >=12,
 * <=11 admits 11.5. */
#include "common/base/semver.h"
#include "common/base/vec.h"

enum op { OP_EQ, OP_NE, OP_GT, OP_LT, OP_GE, OP_LE, OP_TILDE, OP_CARET };

struct term {
    enum op op;
    semver_t v;
    bool dirty, minor_dirty, patch_dirty;
};

struct group {
    VEC(struct term) terms;
    bool any_pre; /* only then are pre-releases considered at all */
};

struct semver_constraint {
    char *text; /* what the views in the terms point into */
    VEC(struct group) groups;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_ident(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

static bool is_wild(char c)
{
    return c == 'x' || c == 'X' || c == '*';
}

static bool take_number(const char **p, uint64_t *out)
{
    if (!is_digit(**p))
        return false;
    uint64_t v = 0;
    for (; is_digit(**p); (*p)++)
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(**p - '0'), &v))
            return false;
    *out = v;
    return true;
}

/* Dot-separated identifiers; those of a pre-release must not be numbers with leading zeros. */
static bool take_identifiers(const char **p, bool pre, view_t *out)
{
    const char *begin = *p;
    for (;;) {
        const char *id = *p;
        bool number = true;
        for (; is_ident(**p); (*p)++)
            number = number && is_digit(**p);
        if (*p == id || (pre && number && *id == '0' && *p - id > 1))
            return false;
        if (**p != '.')
            break;
        (*p)++;
    }
    *out = (view_t){begin, (size_t)(*p - begin)};
    return true;
}

/* What may follow the three numbers. */
static bool take_suffix(const char **p, semver_t *v)
{
    view_t build;
    if (**p == '-' && ((*p)++, !take_identifiers(p, true, &v->pre)))
        return false;
    if (**p == '+' && ((*p)++, !take_identifiers(p, false, &build)))
        return false;
    return true;
}

bool semver_parse(const char *text, semver_t *out)
{
    if (!text || strlen(text) > SEMVER_TEXT_MAX)
        return false;
    const char *p = text;
    semver_t v = {};
    if (*p == 'v')
        p++;
    uint64_t *parts[] = {&v.major, &v.minor, &v.patch};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!take_number(&p, parts[i]))
            return false;
        if (*p != '.' || i == 2)
            break;
        p++;
    }
    if (!take_suffix(&p, &v) || *p)
        return false;
    *out = v;
    return true;
}

static int cmp_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_identifier(view_t a, view_t b)
{
    bool a_num = true, b_num = true;
    for (size_t i = 0; i < a.n; i++)
        a_num = a_num && is_digit(a.p[i]);
    for (size_t i = 0; i < b.n; i++)
        b_num = b_num && is_digit(b.p[i]);
    if (a_num != b_num)
        return a_num ? -1 : 1;
    /* Numbers have no leading zeros here, so the longer one is the greater. */
    if (a_num && a.n != b.n)
        return a.n < b.n ? -1 : 1;
    int r = memcmp(a.p, b.p, min_size(a.n, b.n));
    return r ? r : cmp_u64(a.n, b.n);
}

static int compare_pre(view_t a, view_t b)
{
    if (!a.n || !b.n)
        return a.n ? -1 : b.n ? 1 : 0;
    view_t x, y;
    for (;;) {
        bool more_a = view_split(&a, '.', &x), more_b = view_split(&b, '.', &y);
        if (!more_a || !more_b)
            return more_a ? 1 : more_b ? -1 : 0;
        int r = compare_identifier(x, y);
        if (r)
            return r;
    }
}

int semver_compare(const semver_t *a, const semver_t *b)
{
    int r = cmp_u64(a->major, b->major);
    r = r ? r : cmp_u64(a->minor, b->minor);
    r = r ? r : cmp_u64(a->patch, b->patch);
    return r ? r : compare_pre(a->pre, b->pre);
}

/* ---- parsing constraints ---- */

static const struct {
    const char *text;
    enum op op;
} operators[] = {{">=", OP_GE}, {"=>", OP_GE},    {"<=", OP_LE},  {"=<", OP_LE},
                 {"!=", OP_NE}, {"~>", OP_TILDE}, {"=", OP_EQ},   {">", OP_GT},
                 {"<", OP_LT},  {"~", OP_TILDE},  {"^", OP_CARET}};

static void skip_blanks(const char **p)
{
    while (**p == ' ' || **p == '\t' || **p == '\n' || **p == '\r')
        (*p)++;
}

/* One number or wildcard of a term. */
static bool take_part(const char **p, uint64_t *out, bool *wild)
{
    if (is_wild(**p)) {
        (*p)++;
        *wild = true;
        return true;
    }
    *wild = false;
    return take_number(p, out);
}

static bool take_version(const char **p, struct term *t)
{
    if (**p == 'v')
        (*p)++;
    uint64_t *parts[] = {&t->v.major, &t->v.minor, &t->v.patch};
    int known = 0; /* numbers before the first wildcard or the end */
    bool open = false;
    for (int i = 0; i < 3; i++) {
        uint64_t n = 0;
        bool wild = false;
        if (!take_part(p, &n, &wild))
            return false;
        open = open || wild;
        if (!open) {
            *parts[i] = n;
            known = i + 1;
        }
        if (**p != '.' || i == 2)
            break;
        (*p)++;
    }
    t->dirty = known < 3;
    t->minor_dirty = known == 1;
    t->patch_dirty = known == 2;
    return take_suffix(p, &t->v);
}

static bool take_term(const char **p, struct term *t)
{
    *t = (struct term){.op = OP_EQ};
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        const char *after = str_after(*p, operators[i].text);
        if (after) {
            t->op = operators[i].op;
            *p = after;
            break;
        }
    }
    skip_blanks(p);
    return take_version(p, t);
}

/* "A - B": the blanks around the hyphen tell it from a pre-release. */
static bool take_hyphen(const char **p)
{
    const char *q = *p;
    skip_blanks(&q);
    if (q == *p || *q != '-' || (q[1] != ' ' && q[1] != '\t'))
        return false;
    q++;
    skip_blanks(&q);
    *p = q;
    return true;
}

static bool add_term(struct group *g, const struct term *t)
{
    if (g->terms.n >= SEMVER_MAX_TERMS)
        return false;
    VEC_PUSH(&g->terms, *t);
    g->any_pre = g->any_pre || t->v.pre.n;
    return true;
}

static bool parse_group(const char *p, struct group *g)
{
    struct term t;
    for (;;) {
        skip_blanks(&p);
        if (!take_term(&p, &t))
            return false;
        if (t.op == OP_EQ && take_hyphen(&p)) {
            struct term upper = {.op = OP_LE};
            if (!take_version(&p, &upper))
                return false;
            t.op = OP_GE;
            if (!add_term(g, &t))
                return false;
            t = upper;
        }
        if (!add_term(g, &t))
            return false;
        const char *end = p;
        skip_blanks(&p);
        if (!*p)
            return true;
        if (*p == ',')
            p++;
        else if (p == end)
            return false;
    }
}

int semver_constraint_parse(const char *text, semver_constraint_t **out, err_t **err)
{
    if (strlen(text) > SEMVER_TEXT_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "improper constraint: longer than %d characters",
                       SEMVER_TEXT_MAX);
    AUTO(semver_constraint_free_p) semver_constraint_t *c = xcalloc(1, sizeof(*c));
    c->text = xstrdup(text);
    for (char *p = c->text, *next; p; p = next) {
        next = strstr(p, "||");
        if (next) {
            *next = '\0';
            next += 2;
        }
        struct group *g = VEC_ADD(&c->groups);
        *g = (struct group){};
        if (!parse_group(p, g))
            return err_set(err, ERR_INVALID_ARGUMENT, "improper constraint: %s", text);
    }
    *out = TAKE(c);
    return 0;
}

void semver_constraint_free(semver_constraint_t *c)
{
    if (!c)
        return;
    VEC_FOREACH(&c->groups, g)
        VEC_FREE(&g->terms);
    VEC_FREE(&c->groups);
    free(c->text);
    free(c);
}

/* ---- operators ---- */

static bool tilde_holds(const struct term *t, const semver_t *v)
{
    if (semver_compare(v, &t->v) < 0)
        return false;
    if (!t->v.major && !t->v.minor && !t->v.patch && !t->minor_dirty && !t->patch_dirty)
        return true; /* "*" and, by tradition, ~0.0.0 */
    return v->major == t->v.major && (v->minor == t->v.minor || t->minor_dirty);
}

static bool caret_holds(const struct term *t, const semver_t *v)
{
    if (semver_compare(v, &t->v) < 0 || v->major != t->v.major)
        return false;
    if (t->v.major || t->minor_dirty)
        return true;
    if (t->v.minor || t->patch_dirty)
        return v->minor == t->v.minor;
    return v->minor == 0 && v->patch == t->v.patch;
}

static bool not_equal_holds(const struct term *t, const semver_t *v)
{
    if (!t->dirty)
        return semver_compare(v, &t->v) != 0;
    if (v->major != t->v.major)
        return true;
    if (t->minor_dirty)
        return false;
    if (v->minor != t->v.minor)
        return true;
    if (t->patch_dirty)
        return (v->pre.n || t->v.pre.n) && compare_pre(v->pre, t->v.pre) != 0;
    return semver_compare(v, &t->v) != 0;
}

static bool greater_holds(const struct term *t, const semver_t *v)
{
    if (!t->dirty || v->major != t->v.major)
        return t->dirty ? v->major > t->v.major : semver_compare(v, &t->v) > 0;
    if (t->minor_dirty)
        return false;
    if (t->patch_dirty)
        return v->minor > t->v.minor;
    return semver_compare(v, &t->v) > 0;
}

static bool less_equal_holds(const struct term *t, const semver_t *v)
{
    if (!t->dirty)
        return semver_compare(v, &t->v) <= 0;
    if (v->major != t->v.major)
        return v->major < t->v.major;
    return v->minor <= t->v.minor || t->minor_dirty;
}

static bool term_holds(const struct term *t, const semver_t *v)
{
    switch (t->op) {
    case OP_EQ:
        return t->dirty ? tilde_holds(t, v) : semver_compare(v, &t->v) == 0;
    case OP_NE:
        return not_equal_holds(t, v);
    case OP_GT:
        return greater_holds(t, v);
    case OP_LT:
        return semver_compare(v, &t->v) < 0;
    case OP_GE:
        return semver_compare(v, &t->v) >= 0;
    case OP_LE:
        return less_equal_holds(t, v);
    case OP_TILDE:
        return tilde_holds(t, v);
    case OP_CARET:
        return caret_holds(t, v);
    }
    return false;
}

static bool group_holds(const struct group *g, const semver_t *v)
{
    if (v->pre.n && !g->any_pre)
        return false;
    VEC_FOREACH(&g->terms, t)
        if (!term_holds(t, v))
            return false;
    return true;
}

bool semver_satisfies(const semver_constraint_t *c, const semver_t *v)
{
    VEC_FOREACH(&c->groups, g)
        if (group_holds(g, v))
            return true;
    return false;
}

static const char *greatest(char *const *names, size_t n, const semver_constraint_t *c, const char *prefix)
{
    const char *best = NULL;
    semver_t best_v = {}, v;
    for (size_t i = 0; i < n; i++) {
        const char *version = str_after(names[i], prefix);
        if (!version || !semver_parse(version, &v) || !semver_satisfies(c, &v))
            continue;
        if (!best || semver_compare(&v, &best_v) > 0) {
            best = names[i];
            best_v = v;
        }
    }
    return best;
}

int semver_select(char *const *names, size_t n, const char *wanted, const char *tag_prefix, char **out,
                  err_t **err)
{
    const char *prefix = str_or_empty(tag_prefix);
    semver_t pin;
    if (semver_parse(wanted, &pin)) {
        *out = xasprintf("%s%s", prefix, wanted);
        return 0;
    }
    AUTO(semver_constraint_free_p) semver_constraint_t *c = NULL;
    AUTO_ERR why = NULL;
    if (semver_constraint_parse(wanted, &c, &why) < 0) {
        for (size_t i = 0; !*prefix && i < n; i++) {
            if (str_eq(names[i], wanted)) {
                *out = xstrdup(wanted);
                return 0;
            }
        }
        return err_set(err, ERR_INVALID_ARGUMENT, "failed to determine semver constraint: %s", err_text(why));
    }
    const char *best = greatest(names, n, c, prefix);
    if (!best)
        return err_set(err, ERR_NOT_FOUND, "version matching constraint not found in %zu tags", n);
    *out = xstrdup(best);
    return 0;
}
