/* The lexer and the parser follow the grammar of the documentation; where that leaves a choice (empty values,
 * keywords as values, what an error names), the choice is the one observed on kube-apiserver. */
#include "tests/kubesim/selector.h"

#include "common/json/scan.h"
#include "tests/kubesim/names.h"

enum token {
    T_END,
    T_WORD,
    T_COMMA,
    T_OPEN,
    T_CLOSE,
    T_NOT,
    T_EQ,
    T_EQEQ,
    T_NE,
    T_GT,
    T_LT,
    T_IN,
    T_NOTIN,
    T_BAD
};

struct lexer {
    const char *p;
    enum token token; /* the one at hand */
    char *text;       /* its spelling */
    err_t **err;
};

static const struct {
    const char *text;
    enum token token;
} symbols[] = {{"==", T_EQEQ}, {"!=", T_NE},   {"=", T_EQ},   {"!", T_NOT},  {">", T_GT},
               {"<", T_LT},    {",", T_COMMA}, {"(", T_OPEN}, {")", T_CLOSE}};

static const char special[] = "=!(),<>", blanks[] = " \t\r\n";

static void advance(struct lexer *x)
{
    free(TAKE(x->text));
    x->p += strspn(x->p, blanks);
    size_t n = 0;
    x->token = T_BAD;
    if (!*x->p) {
        x->token = T_END;
    } else if (strchr(special, *x->p)) {
        for (size_t i = 0; i < ARRAY_LEN(symbols) && x->token == T_BAD; i++) {
            if (!str_has_prefix(x->p, symbols[i].text))
                continue;
            x->token = symbols[i].token;
            n = strlen(symbols[i].text);
        }
    } else {
        while (x->p[n] && !strchr(special, x->p[n]) && !strchr(blanks, x->p[n]))
            n++;
        view_t word = {x->p, n};
        x->token = view_eq(word, "in") ? T_IN : view_eq(word, "notin") ? T_NOTIN : T_WORD;
    }
    x->text = xstrndup(x->p, n);
    x->p += n;
}

/* A key or a value: there "in" and "notin" are words like others. */
static bool is_word(const struct lexer *x)
{
    return x->token == T_WORD || x->token == T_IN || x->token == T_NOTIN;
}

static int expected(struct lexer *x, const char *what)
{
    return err_set(x->err, ERR_INVALID_ARGUMENT, "found '%s', expected: %s", x->text, what);
}

static void requirement_dispose(struct requirement *r)
{
    free(r->key);
    strv_free(r->values);
}

void selector_dispose(selector_t *s)
{
    VEC_FOREACH(&s->all, r)
        requirement_dispose(r);
    VEC_FREE(&s->all);
}

static void add_value(struct requirement *r, const char *value)
{
    size_t n = strv_len(r->values);
    for (size_t i = 0; i < n; i++)
        if (strcmp(r->values[i], value) == 0)
            return;
    r->values = xrealloc(r->values, (n + 2) * sizeof(char *));
    r->values[n] = xstrdup(value);
    r->values[n + 1] = NULL;
}

/* Behind "(": words with commas; nothing before, between or after commas is the empty value. */
static int parse_list(struct lexer *x, struct requirement *r)
{
    if (x->token == T_CLOSE) {
        add_value(r, "");
        advance(x);
        return 0;
    }
    if (!is_word(x) && x->token != T_COMMA)
        return expected(x, "',', ')' or identifier");
    for (;;) {
        if (is_word(x)) {
            add_value(r, x->text);
            advance(x);
            if (x->token != T_COMMA && x->token != T_CLOSE)
                return expected(x, "',' or ')'");
        } else if (x->token == T_COMMA) {
            if (!strv_len(r->values))
                add_value(r, "");
            advance(x);
            if (x->token == T_CLOSE || x->token == T_COMMA)
                add_value(r, "");
        } else if (x->token == T_CLOSE) {
            advance(x);
            return 0;
        } else {
            return expected(x, "',', or identifier");
        }
    }
}

static int parse_values(struct lexer *x, enum token op, struct requirement *r)
{
    if (op == T_IN || op == T_NOTIN) {
        if (x->token != T_OPEN)
            return err_set(x->err, ERR_INVALID_ARGUMENT, "found '%s' expected: '('", x->text);
        advance(x);
        return parse_list(x, r);
    }
    if (x->token == T_END || x->token == T_COMMA) {
        add_value(r, "");
        return 0;
    }
    if (!is_word(x))
        return expected(x, "identifier");
    add_value(r, x->text);
    advance(x);
    return 0;
}

static int check_key(const char *key, err_t **err)
{
    const char *problems[NAME_PROBLEMS + 1] = {NULL};
    if (!qualified_name_check(key, problems))
        return 0;
    AUTO(free_p) char *text = strv_join((char *const *)(uintptr_t)problems, "; ");
    return err_set(err, ERR_INVALID_ARGUMENT, "invalid label key \"%s\": %s", key, text);
}

static int check_requirement(const struct requirement *r, err_t **err)
{
    int64_t number;
    if ((r->op == SEL_GREATER || r->op == SEL_LESS) && !str_to_i64(r->values[0], &number))
        return err_set(err, ERR_INVALID_ARGUMENT, "for 'Gt', 'Lt' operators, the value must be an integer");
    for (size_t i = 0; r->values && r->values[i]; i++) {
        const char *bad = label_value_check(r->values[i]);
        if (bad)
            return err_set(err, ERR_INVALID_ARGUMENT, "invalid label value: \"%s\": at key: \"%s\": %s",
                           r->values[i], r->key, bad);
    }
    return 0;
}

static int parse_requirement(struct lexer *x, struct requirement *r)
{
    static const struct {
        enum token token;
        enum selector_op op;
    } ops[] = {{T_IN, SEL_IN},     {T_NOTIN, SEL_NOT_IN}, {T_EQ, SEL_IN},  {T_EQEQ, SEL_IN},
               {T_NE, SEL_NOT_IN}, {T_GT, SEL_GREATER},   {T_LT, SEL_LESS}};
    r->op = SEL_EXISTS;
    if (x->token == T_NOT) {
        r->op = SEL_NOT_EXISTS;
        advance(x);
    }
    if (!is_word(x))
        return expected(x, "identifier");
    r->key = xstrdup(x->text);
    int result = check_key(r->key, x->err);
    if (result < 0)
        return result;
    advance(x);
    if (x->token == T_END || x->token == T_COMMA || r->op == SEL_NOT_EXISTS)
        return 0;
    enum token op = x->token;
    for (size_t i = 0;; i++) {
        if (i == ARRAY_LEN(ops))
            return expected(x, "'=', '!=', '==', 'in', notin'");
        if (ops[i].token == op) {
            r->op = ops[i].op;
            break;
        }
    }
    advance(x);
    result = parse_values(x, op, r);
    return result < 0 ? result : check_requirement(r, x->err);
}

static int parse_all(struct lexer *x, selector_t *s)
{
    for (;;) {
        if (x->token == T_END)
            return 0;
        if (!is_word(x) && x->token != T_NOT)
            return expected(x, "!, identifier, or 'end of string'");
        struct requirement r = {};
        int result = parse_requirement(x, &r);
        VEC_PUSH(&s->all, r);
        if (result < 0)
            return err_wrap(x->err, "unable to parse requirement");
        if (x->token == T_END)
            return 0;
        if (x->token != T_COMMA)
            return expected(x, "',' or 'end of string'");
        advance(x);
        if (!is_word(x) && x->token != T_NOT)
            return expected(x, "identifier after ','");
    }
}

int label_selector_parse(const char *text, selector_t *out, err_t **err)
{
    selector_t s = {};
    if (text && strlen(text) > SELECTOR_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "the selector is too long");
    struct lexer x = {.p = str_or_empty(text), .err = err};
    advance(&x);
    int result = parse_all(&x, &s);
    free(x.text);
    if (result < 0)
        selector_dispose(&s);
    else
        *out = s;
    return result;
}

static int read_expression(const json_t *v, struct requirement *r, err_t **err)
{
    static const char *const ops[] = {
        [SEL_IN] = "In", [SEL_NOT_IN] = "NotIn", [SEL_EXISTS] = "Exists", [SEL_NOT_EXISTS] = "DoesNotExist"};
    const char *op = str_or_empty(json_str_at(v, "operator"));
    size_t i;
    json_t *value;
    json_array_foreach(json_at(v, "values"), i, value)
        add_value(r, str_or_empty(json_string_value(value)));
    r->key = xstrdup(str_or_empty(json_str_at(v, "key")));
    for (i = 0; i < ARRAY_LEN(ops) && strcmp(op, ops[i]) != 0; i++)
        ;
    if (i == ARRAY_LEN(ops))
        return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" is not a valid label selector operator", op);
    r->op = (enum selector_op)i;
    if ((i == SEL_IN || i == SEL_NOT_IN) && !strv_len(r->values))
        return err_set(err, ERR_INVALID_ARGUMENT, "for 'in', 'notin' operators, values set can't be empty");
    return check_key(r->key, err);
}

int label_selector_read(const json_t *v, selector_t *out, err_t **err)
{
    selector_t s = {};
    const char *key;
    json_t *value, *labels = json_at(v, "matchLabels");
    size_t i;
    int result = 0;
    json_object_foreach(labels, key, value) {
        struct requirement r = {.op = SEL_IN, .key = xstrdup(key)};
        add_value(&r, str_or_empty(json_string_value(value)));
        VEC_PUSH(&s.all, r);
    }
    json_array_foreach(json_at(v, "matchExpressions"), i, value) {
        struct requirement r = {};
        result = result < 0 ? result : read_expression(value, &r, err);
        VEC_PUSH(&s.all, r);
    }
    if (result < 0)
        selector_dispose(&s);
    else
        *out = s;
    return result;
}

/* ---- fields ---- */

static int unescape_value(const char *p, size_t n, str_t *out, err_t **err)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '=')
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "invalid field selector: unescaped character in value: %d", p[i]);
        if (p[i] == '\\' && (++i == n || !strchr("\\,=", p[i])))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "invalid field selector: invalid escape sequence: \\%.*s", (int)(n > i), p + i);
        str_putc(out, p[i]);
    }
    return 0;
}

static int parse_term(const char *whole, view_t term, selector_t *s, err_t **err)
{
    size_t at = 0, op = 0;
    for (; at < term.n && !op; at += !op) {
        const char *q = term.p + at;
        size_t left = term.n - at;
        op = left > 1 && (memcmp(q, "!=", 2) == 0 || memcmp(q, "==", 2) == 0) ? 2 : *q == '=' ? 1 : 0;
    }
    if (!op)
        return err_set(err, ERR_INVALID_ARGUMENT, "invalid selector: '%s'; can't understand '%.*s'", whole,
                       (int)term.n, term.p);
    AUTO_STR value = STR_INIT;
    int result = unescape_value(term.p + at + op, term.n - at - op, &value, err);
    if (result < 0)
        return result;
    struct requirement r = {.op = term.p[at] == '!' ? SEL_NOT_IN : SEL_IN, .key = xstrndup(term.p, at)};
    add_value(&r, str_text(&value));
    VEC_PUSH(&s->all, r);
    return 0;
}

int field_selector_parse(const char *text, selector_t *out, err_t **err)
{
    selector_t s = {};
    const char *whole = str_or_empty(text), *p = whole;
    if (strlen(whole) > SELECTOR_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "the selector is too long");
    int result = 0;
    while (*p && result == 0) {
        size_t n = 0;
        while (p[n] && p[n] != ',')
            n += p[n] == '\\' && p[n + 1] ? 2 : 1;
        if (n)
            result = parse_term(whole, (view_t){p, n}, &s, err);
        p += n + (p[n] == ',');
    }
    if (result < 0)
        selector_dispose(&s);
    else
        *out = s;
    return result;
}

/* ---- matching ---- */

static bool matches_one(const struct requirement *r, const char *have)
{
    int64_t a, b;
    switch (r->op) {
    case SEL_EXISTS:
        return have;
    case SEL_NOT_EXISTS:
        return !have;
    case SEL_IN:
        return have && strv_contains(r->values, have);
    case SEL_NOT_IN:
        return !have || !strv_contains(r->values, have);
    default:
        if (!have || !str_to_i64(have, &a) || !str_to_i64(r->values[0], &b))
            return false;
        return r->op == SEL_GREATER ? a > b : a < b;
    }
}

bool selector_matches(const selector_t *s, const char *(*get)(void *arg, const char *key), void *arg)
{
    VEC_FOREACH(&s->all, r)
        if (!matches_one(r, get(arg, r->key)))
            return false;
    return true;
}

static const char *get_label(void *labels, const char *key)
{
    return json_string_value(json_object_get(labels, key));
}

bool selector_matches_labels(const selector_t *s, const json_t *labels)
{
    return selector_matches(s, get_label, (void *)(uintptr_t)labels);
}

/* ---- over bytes ---- */

/* Moves the scanner to the value of a key of the object that was just begun. */
static bool find_key(struct json_scan *scan, view_t key, enum json_token *value)
{
    AUTO_STR text = STR_INIT;
    for (enum json_token t; (t = json_scan_next(scan)) == JT_KEY;) {
        str_reset(&text);
        view_t name = scan->text;
        if (scan->escaped && json_unescape(scan->text, &text))
            name = (view_t){str_text(&text), text.len};
        if (name.n == key.n && memcmp(name.p, key.p, key.n) == 0) {
            *value = json_scan_next(scan);
            return true;
        }
        if (!json_scan_skip(scan, JT_KEY))
            return false;
    }
    return false;
}

static void put_scalar(struct json_scan *scan, enum json_token t, str_t *out)
{
    if (t == JT_STRING)
        json_unescape(scan->text, out);
    else if (t == JT_NUMBER)
        str_add(out, scan->text.p, scan->text.n);
    else if (t == JT_TRUE || t == JT_FALSE)
        str_puts(out, t == JT_TRUE ? "true" : "false");
}

bool scan_field(view_t json, const char *path, str_t *out)
{
    struct json_scan scan;
    json_scan_init(&scan, json.p, json.n);
    view_t rest = view_of(path), key;
    enum json_token t = json_scan_next(&scan);
    while (view_split(&rest, '.', &key))
        if (t != JT_OBJECT_BEGIN || !find_key(&scan, key, &t))
            return t != JT_ERROR;
    put_scalar(&scan, t, out);
    return t != JT_ERROR;
}

struct label_text {
    view_t json; /* of the labels */
    str_t value;
};

static const char *get_label_text(void *arg, const char *key)
{
    struct label_text *l = arg;
    struct json_scan scan;
    enum json_token t;
    if (!l->json.p)
        return NULL;
    json_scan_init(&scan, l->json.p, l->json.n);
    if (json_scan_next(&scan) != JT_OBJECT_BEGIN || !find_key(&scan, view_of(key), &t) || t != JT_STRING)
        return NULL;
    str_reset(&l->value);
    str_add(&l->value, "", 0);
    put_scalar(&scan, t, &l->value);
    return str_text(&l->value);
}

bool selector_matches_meta(const selector_t *s, view_t meta)
{
    static const char name[] = "\"labels\":";
    if (!s->all.n)
        return true;
    struct label_text l = {};
    struct json_scan scan;
    enum json_token t;
    json_scan_init(&scan, meta.p, meta.n);
    /* Most objects of a big list have none, and long annotations. */
    if (meta.n && memmem(meta.p, meta.n, name, sizeof(name) - 1) &&
        json_scan_next(&scan) == JT_OBJECT_BEGIN && find_key(&scan, view_of("labels"), &t) &&
        !json_scan_value(&scan, t, &l.json))
        l.json = (view_t){};
    bool matches = selector_matches(s, get_label_text, &l);
    str_dispose(&l.value);
    return matches;
}
