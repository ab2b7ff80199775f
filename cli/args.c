#include "cli/args.h"

#include "common/base/clock.h"
#include "common/base/vec.h"

struct value {
    const struct option *option;
    bool given;
    char *text;  /* OPT_TEXT */
    int64_t n;   /* numbers, booleans */
    char **list; /* lists; NULL: empty */
};

struct args {
    struct value *values; /* in the order of names */
    size_t n;
    char **rest; /* borrowed words */
    size_t nrest;
};

/* ---- options ---- */

const struct option *option_find(const struct option *const *tables, const char *name, size_t len)
{
    for (; *tables; tables++)
        for (const struct option *o = *tables; o->name; o++)
            if (strlen(o->name) == len && !strncmp(o->name, name, len))
                return o;
    return NULL;
}

const struct option *option_short(const struct option *const *tables, char c)
{
    for (; *tables; tables++)
        for (const struct option *o = *tables; o->name; o++)
            if (o->shorthand == c)
                return o;
    return NULL;
}

bool option_takes_next(const struct option *const *tables, const char *word)
{
    if (word[0] != '-' || !word[1])
        return false;
    if (word[1] != '-') {
        /* In a cluster only the last may want a value, and takes what is left of the word first. */
        for (const char *p = word + 1; *p; p++) {
            const struct option *o = option_short(tables, *p);
            if (!o || o->type != OPT_BOOL)
                return o && !p[1];
        }
        return false;
    }
    if (!word[2] || strchr(word, '='))
        return false;
    const struct option *o = option_find(tables, word + 2, strlen(word + 2));
    return o && o->type != OPT_BOOL;
}

/* ---- values ---- */

static const char *const type_names[] = {[OPT_INT] = "strconv.ParseInt", [OPT_UINT] = "strconv.ParseUint"};

static void list_add(char ***list, char *text_take)
{
    size_t n = strv_len(*list);
    *list = xrealloc(*list, (n + 2) * sizeof(**list));
    (*list)[n] = text_take;
    (*list)[n + 1] = NULL;
}

static int add_parts(struct value *v, const char *text, err_t **err)
{
    AUTO(strv_free_p) char **parts = NULL;
    int rc = csv_split(text, &parts, err);
    int64_t n;
    for (char **p = parts; rc == 0 && *p; p++) {
        if (v->option->type == OPT_INTS && !str_to_i64(*p, &n))
            rc = err_set(err, ERR_INVALID_ARGUMENT, "strconv.ParseInt: parsing \"%s\": invalid syntax", *p);
        else
            list_add(&v->list, xstrdup(*p));
    }
    return rc;
}

static int set_number(struct value *v, const char *text, err_t **err)
{
    enum option_type type = v->option->type;
    if (type == OPT_DURATION)
        return duration_parse(text, false, &v->n)
                   ? 0
                   : err_set(err, ERR_INVALID_ARGUMENT, "time: invalid duration \"%s\"", text);
    if (str_to_i64(text, &v->n) && (type != OPT_UINT || v->n >= 0))
        return 0;
    return err_set(err, ERR_INVALID_ARGUMENT, "%s: parsing \"%s\": invalid syntax", type_names[type], text);
}

static int set(struct value *v, const char *text, err_t **err)
{
    bool b;
    switch (v->option->type) {
    case OPT_TEXT:
        free(v->text);
        v->text = xstrdup(text);
        return 0;
    case OPT_BOOL:
        if (!str_to_bool(text, &b))
            return err_set(err, ERR_INVALID_ARGUMENT, "strconv.ParseBool: parsing \"%s\": invalid syntax",
                           text);
        v->n = b;
        return 0;
    case OPT_LIST:
        list_add(&v->list, xstrdup(text));
        return 0;
    case OPT_CSV:
    case OPT_INTS:
        return add_parts(v, text, err);
    default:
        return set_number(v, text, err);
    }
}

/* A value from the command line: the first one replaces a list's default. */
static int give(struct value *v, const char *text, err_t **err)
{
    if (!v->given && v->list) {
        strv_free(v->list);
        v->list = NULL;
    }
    v->given = true;
    if (set(v, text, err) == 0)
        return 0;
    const struct option *o = v->option;
    AUTO(free_p) char *reason = xstrdup(err_text(*err)), *name = NULL;
    name = o->shorthand ? xasprintf("-%c, --%s", o->shorthand, o->name) : xasprintf("--%s", o->name);
    return err_set(err, ERR_INVALID_ARGUMENT, "invalid argument \"%s\" for \"%s\" flag: %s", text, name,
                   reason);
}

static int set_default(struct value *v, const struct args_defaults *d, err_t **err)
{
    const struct option *o = v->option;
    const char *text = o->fallback, *from = NULL;
    const char *env = d && d->env && o->env ? d->env(o->env) : NULL;
    if (!str_empty(env))
        text = env;
    if (d && d->opts && o->in_opts && (from = map_get(d->opts, o->name)))
        text = from;
    /* Only "true" is true there, as Argo CD has it. */
    if (from && o->type == OPT_BOOL)
        text = str_eq(from, "true") ? "true" : "false";
    return text ? set(v, text, err) : 0;
}

/* ---- parsing ---- */

static int by_name(const void *a, const void *b)
{
    const struct value *x = a, *y = b;
    return strcmp(x->option->name, y->option->name);
}

static struct value *value_of(const args_t *a, const char *name, size_t len)
{
    size_t low = 0, high = a->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        const char *has = a->values[mid].option->name;
        int c = strncmp(has, name, len);
        if (c == 0 && has[len])
            c = 1;
        if (c == 0)
            return &a->values[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

struct words {
    size_t n, at;
    char *const *v;
};

static int parse_long(args_t *a, struct words *w, err_t **err)
{
    const char *word = w->v[w->at], *name = word + 2, *eq = strchr(name, '=');
    size_t len = eq ? (size_t)(eq - name) : strlen(name);
    if (!len || name[0] == '-')
        return err_set(err, ERR_INVALID_ARGUMENT, "bad flag syntax: %s", word);
    struct value *v = value_of(a, name, len);
    if (!v)
        return err_set(err, ERR_INVALID_ARGUMENT, "unknown flag: --%.*s", (int)len, name);
    if (eq)
        return give(v, eq + 1, err);
    if (v->option->type == OPT_BOOL)
        return give(v, "true", err);
    if (w->at + 1 >= w->n)
        return err_set(err, ERR_INVALID_ARGUMENT, "flag needs an argument: --%s", v->option->name);
    return give(v, w->v[++w->at], err);
}

static int parse_short(args_t *a, const struct option *const *tables, struct words *w, err_t **err)
{
    const char *word = w->v[w->at];
    for (const char *p = word + 1; *p; p++) {
        const struct option *o = option_short(tables, *p);
        if (!o)
            return err_set(err, ERR_INVALID_ARGUMENT, "unknown shorthand flag: '%c' in %s", *p, word);
        struct value *v = value_of(a, o->name, strlen(o->name));
        if (p[1] == '=')
            return give(v, p + 2, err);
        if (o->type == OPT_BOOL) {
            int rc = give(v, "true", err);
            if (rc < 0)
                return rc;
            continue;
        }
        if (p[1])
            return give(v, p + 1, err);
        if (w->at + 1 >= w->n)
            return err_set(err, ERR_INVALID_ARGUMENT, "flag needs an argument: '%c' in %s", *p, word);
        return give(v, w->v[++w->at], err);
    }
    return 0;
}

static args_t *args_new(const struct option *const *tables, size_t nwords)
{
    args_t *a = xcalloc(1, sizeof(*a));
    for (const struct option *const *t = tables; *t; t++)
        for (const struct option *o = *t; o->name; o++)
            a->n++;
    a->values = xcalloc(a->n + 1, sizeof(*a->values));
    size_t at = 0;
    for (const struct option *const *t = tables; *t; t++)
        for (const struct option *o = *t; o->name; o++)
            a->values[at++].option = o;
    qsort(a->values, a->n, sizeof(*a->values), by_name);
    a->rest = xcalloc(nwords + 1, sizeof(*a->rest));
    return a;
}

int args_parse(const struct option *const *tables, const struct args_defaults *defaults, size_t n,
               char *const *words, args_t **out, err_t **err)
{
    *out = NULL;
    AUTO(args_free_p) args_t *a = args_new(tables, n);
    for (size_t i = 0; i < a->n; i++) {
        int rc = set_default(&a->values[i], defaults, err);
        if (rc < 0)
            return rc;
    }
    bool ended = false;
    for (struct words w = {n, 0, words}; w.at < n; w.at++) {
        char *word = words[w.at];
        int rc = 0;
        if (ended || word[0] != '-' || !word[1])
            a->rest[a->nrest++] = word;
        else if (!strcmp(word, "--"))
            ended = true;
        else
            rc = word[1] == '-' ? parse_long(a, &w, err) : parse_short(a, tables, &w, err);
        if (rc < 0)
            return rc;
    }
    *out = TAKE(a);
    return 0;
}

void args_free(args_t *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n; i++) {
        free(a->values[i].text);
        strv_free(a->values[i].list);
    }
    free(a->values);
    free(a->rest);
    free(a);
}

/* ---- access ---- */

static const struct value *get(const args_t *a, const char *name)
{
    const struct value *v = value_of(a, name, strlen(name));
    if (!v)
        abort(); /* no table of this command has it */
    return v;
}

static const struct value *get_type(const args_t *a, const char *name, bool fits)
{
    const struct value *v = get(a, name);
    if (!fits)
        abort(); /* it is of another type */
    return v;
}

enum option_type args_type(const args_t *a, const char *name)
{
    return get(a, name)->option->type;
}

char *const *args_rest(const args_t *a)
{
    return a->rest;
}

size_t args_count(const args_t *a)
{
    return a->nrest;
}

const char *args_text(const args_t *a, const char *name)
{
    return str_or_empty(get_type(a, name, get(a, name)->option->type == OPT_TEXT)->text);
}

bool args_bool(const args_t *a, const char *name)
{
    return get_type(a, name, get(a, name)->option->type == OPT_BOOL)->n != 0;
}

int64_t args_int(const args_t *a, const char *name)
{
    enum option_type t = get(a, name)->option->type;
    return get_type(a, name, t == OPT_INT || t == OPT_UINT || t == OPT_DURATION)->n;
}

char *const *args_list(const args_t *a, const char *name)
{
    static char *const nothing[] = {NULL};
    enum option_type t = get(a, name)->option->type;
    const struct value *v = get_type(a, name, t == OPT_LIST || t == OPT_CSV || t == OPT_INTS);
    return v->list ? v->list : nothing;
}

size_t args_list_count(const args_t *a, const char *name)
{
    return strv_len(args_list(a, name));
}

bool args_given(const args_t *a, const char *name)
{
    return get(a, name)->given;
}

bool args_has(const args_t *a, const char *name)
{
    return value_of(a, name, strlen(name)) != NULL;
}

const char *args_next_given(const args_t *a, size_t *pos)
{
    while (*pos < a->n) {
        const struct value *v = &a->values[(*pos)++];
        if (v->given)
            return v->option->name;
    }
    return NULL;
}
