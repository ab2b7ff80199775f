#include "common/argo/selector.h"

#include "common/base/vec.h"

#include <ctype.h>

enum operator{ EXISTS, ABSENT, IN, NOT_IN, GREATER, LESS };

struct requirement {
    enum operator op;
    char *key;
    char **values; /* NULL-terminated; NULL for EXISTS and ABSENT */
};

struct selector {
    VEC(struct requirement) all;
};

struct reader {
    const char *p;
    const char *text; /* whole, for errors */
};

static int fail(const struct reader *r, err_t **err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "unable to parse requirement: \"%.200s\" near \"%.40s\"",
                   r->text, r->p);
}

static void blanks(struct reader *r)
{
    while (isspace((unsigned char)*r->p))
        r->p++;
}

/* A key or value; may be empty. */
static char *word(struct reader *r)
{
    blanks(r);
    const char *begin = r->p;
    while (isalnum((unsigned char)*r->p) || (*r->p && strchr("-_./", *r->p)))
        r->p++;
    char *w = xstrndup(begin, (size_t)(r->p - begin));
    blanks(r);
    return w;
}

static bool take(struct reader *r, const char *text)
{
    blanks(r);
    size_t n = strlen(text);
    if (strncmp(r->p, text, n) != 0)
        return false;
    r->p += n;
    blanks(r);
    return true;
}

/* "(a,b)" */
static int value_set(struct reader *r, char ***out, err_t **err)
{
    VEC(char *) values = {};
    if (!take(r, "("))
        return fail(r, err);
    do
        VEC_PUSH(&values, word(r));
    while (take(r, ","));
    VEC_PUSH(&values, NULL);
    *out = values.v;
    return take(r, ")") ? 0 : fail(r, err);
}

static void one_value(struct reader *r, struct requirement *q, enum operator op)
{
    q->op = op;
    q->values = xcalloc(2, sizeof *q->values);
    q->values[0] = word(r);
}

/* "in" and "notin" are words of their own. */
static bool take_word(struct reader *r, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(r->p, text, n) != 0 || (r->p[n] != '(' && !isspace((unsigned char)r->p[n])))
        return false;
    r->p += n;
    blanks(r);
    return true;
}

static int requirement(struct reader *r, struct requirement *q, err_t **err)
{
    bool absent = take(r, "!");
    q->key = word(r);
    if (!*q->key)
        return fail(r, err);
    q->op = absent ? ABSENT : EXISTS;
    if (absent || !*r->p || *r->p == ',')
        return 0;
    bool in = take_word(r, "in");
    if (in || take_word(r, "notin")) {
        q->op = in ? IN : NOT_IN;
        return value_set(r, &q->values, err);
    }
    if (take(r, "!="))
        one_value(r, q, NOT_IN);
    else if (take(r, "==") || take(r, "="))
        one_value(r, q, IN);
    else if (take(r, ">"))
        one_value(r, q, GREATER);
    else if (take(r, "<"))
        one_value(r, q, LESS);
    else
        return fail(r, err);
    int64_t number;
    if ((q->op == GREATER || q->op == LESS) && !str_to_i64(q->values[0], &number))
        return fail(r, err);
    return 0;
}

int selector_parse(const char *text, selector_t **out, err_t **err)
{
    struct reader r = {str_or_empty(text), str_or_empty(text)};
    AUTO(selector_free_p) selector_t *s = xcalloc(1, sizeof *s);
    if (strlen(r.text) > SELECTOR_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "selector longer than %d bytes", SELECTOR_MAX);
    blanks(&r);
    while (*r.p) {
        struct requirement *q = VEC_ADD(&s->all);
        *q = (struct requirement){};
        int rc = requirement(&r, q, err);
        if (rc < 0)
            return rc;
        if (!take(&r, ",") && *r.p)
            return fail(&r, err);
    }
    *out = TAKE(s);
    return 0;
}

void selector_free(selector_t *s)
{
    if (!s)
        return;
    VEC_FOREACH(&s->all, it) {
        free(it->key);
        strv_free(it->values);
    }
    VEC_FREE(&s->all);
    free(s);
}

static bool holds(const struct requirement *q, const char *value)
{
    int64_t have, want;
    switch (q->op) {
    case EXISTS:
        return value != NULL;
    case ABSENT:
        return !value;
    case IN:
        return value && strv_contains(q->values, value);
    case NOT_IN:
        return !value || !strv_contains(q->values, value);
    case GREATER:
    case LESS:
        if (!value || !str_to_i64(value, &have) || !str_to_i64(q->values[0], &want))
            return false;
        return q->op == GREATER ? have > want : have < want;
    }
    return false;
}

bool selector_matches(const selector_t *s, const json_t *labels)
{
    VEC_FOREACH(&s->all, it)
        if (!holds(it, json_string_value(json_object_get(labels, it->key))))
            return false;
    return true;
}

/* ---- as an object ---- */

static bool among(const json_t *values, const char *text)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if (str_eq(json_string_value(json_array_get(values, i)), text))
            return true;
    return false;
}

static bool expression_matches(const json_t *e, const json_t *labels, bool *valid)
{
    const char *operator= str_or_empty(json_str_at(e, "operator"));
    const char *have = json_str_at(labels, str_or_empty(json_str_at(e, "key")));
    const json_t *values = json_object_get(e, "values");
    bool set = strcmp(operator, "In") == 0 || strcmp(operator, "NotIn") == 0;
    bool presence = strcmp(operator, "Exists") == 0 || strcmp(operator, "DoesNotExist") == 0;
    if ((!set && !presence) || set != (json_array_size(values) > 0)) {
        *valid = false;
        return false;
    }
    if (presence)
        return (have != NULL) == (*operator== 'E');
    return (have && among(values, have)) == (*operator== 'I');
}

bool label_selector_matches(const json_t *selector, const json_t *labels, bool *valid)
{
    json_t *wanted = json_object_get(selector, "matchLabels");
    const json_t *expressions = json_object_get(selector, "matchExpressions");
    bool matches = true;
    *valid = true;
    for (void *it = json_object_iter(wanted); it; it = json_object_iter_next(wanted, it)) {
        const char *have = json_str_at(labels, json_object_iter_key(it));
        matches = matches && have && str_eq(have, json_string_value(json_object_iter_value(it)));
    }
    for (size_t i = 0; i < json_array_size(expressions); i++)
        matches = expression_matches(json_array_get(expressions, i), labels, valid) && matches;
    return matches && *valid;
}
