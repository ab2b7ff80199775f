/* Splitting texts into words: shells' quotes, comma-separated values, ARGOCD_OPTS. */
#include "cli/args.h"
#include "common/base/vec.h"

typedef VEC(char *) words_t;

static char **words_take(words_t *w)
{
    VEC_PUSH(w, NULL);
    char **v = w->v;
    *w = (words_t){};
    return v;
}

static void words_drop(words_t *w)
{
    VEC_FOREACH(w, p)
        free(*p);
    VEC_FREE(w);
}

/* ---- shell ---- */

/* Reads what stands between double quotes; *p is behind the first one, and behind the last one afterwards.
 * A backslash quotes only what means something there. */
static bool read_double(const char **p, str_t *word)
{
    for (; **p && **p != '"'; (*p)++) {
        if (**p == '\\' && (*p)[1] && strchr("$`\"\\\n", (*p)[1])) {
            (*p)++;
            if (**p == '\n')
                continue;
        }
        str_putc(word, **p);
    }
    return *(*p)++ == '"';
}

/* One word at *p; false on an open quote. */
static bool read_word(const char **p, str_t *word)
{
    while (**p && !strchr(" \t\r\n", **p)) {
        char c = *(*p)++;
        if (c == '\'') {
            size_t n = strcspn(*p, "'");
            str_add(word, *p, n);
            *p += n;
            if (*(*p)++ != '\'')
                return false;
        } else if (c == '"') {
            if (!read_double(p, word))
                return false;
        } else if (c == '\\') {
            if (!**p)
                return false;
            if (**p != '\n')
                str_putc(word, **p);
            (*p)++;
        } else {
            str_putc(word, c);
        }
    }
    return true;
}

int shell_split(const char *text, char ***out, err_t **err)
{
    words_t words = {};
    for (const char *p = text;;) {
        p += strspn(p, " \t\r\n");
        if (!*p)
            break;
        AUTO_STR word = STR_INIT;
        if (!read_word(&p, &word)) {
            words_drop(&words);
            return err_set(err, ERR_INVALID_ARGUMENT, "an unfinished quote in %s", text);
        }
        VEC_PUSH(&words, str_take(&word));
    }
    *out = words_take(&words);
    return 0;
}

/* ---- comma-separated values ---- */

static bool read_quoted(const char **p, str_t *part)
{
    for ((*p)++; **p; (*p)++) {
        if (**p != '"') {
            str_putc(part, **p);
        } else if ((*p)[1] == '"') {
            str_putc(part, '"');
            (*p)++;
        } else {
            (*p)++;
            return !**p || **p == ',';
        }
    }
    return false;
}

int csv_split(const char *text, char ***out, err_t **err)
{
    words_t parts = {};
    bool more = *text != 0;
    for (const char *p = text; more;) {
        AUTO_STR part = STR_INIT;
        bool good = true;
        if (*p == '"') {
            good = read_quoted(&p, &part);
        } else {
            size_t n = strcspn(p, ",");
            str_add(&part, p, n);
            p += n;
            good = !memchr(str_text(&part), '"', part.len);
        }
        if (!good) {
            words_drop(&parts);
            return err_set(err, ERR_INVALID_ARGUMENT, "a misplaced quote in %s", text);
        }
        VEC_PUSH(&parts, str_take(&part));
        more = *p++ == ',';
    }
    *out = words_take(&parts);
    return 0;
}

/* ---- ARGOCD_OPTS ---- */

/* Entries that were written as one word, "name=value", count where no entry of that name is. */
static void split_equals(map_t *opts)
{
    AUTO(free_p) const char **keys = map_sorted_keys(opts);
    for (const char **k = keys; *k; k++) {
        const char *eq = strchr(*k, '=');
        if (!eq || !str_eq(map_get(opts, *k), "true"))
            continue;
        AUTO(free_p) char *name = xstrndup(*k, (size_t)(eq - *k));
        if (!map_has(opts, name))
            map_put(opts, name, xstrdup(eq + 1));
    }
}

int args_opts(const char *text, map_t *out, err_t **err)
{
    AUTO(strv_free_p) char **words = NULL;
    int rc = shell_split(str_or_empty(text), &words, err);
    if (rc < 0)
        return err_wrap(err, "ARGOCD_OPTS");
    const char *name = NULL;
    for (char **w = words; *w; w++) {
        const char *next = str_after(*w, "--");
        if (!next && !name)
            return err_set(err, ERR_INVALID_ARGUMENT, "ARGOCD_OPTS invalid at '%s'", *w);
        if (name)
            map_put(out, name, xstrdup(next ? "true" : *w));
        name = next;
    }
    if (name)
        map_put(out, name, xstrdup("true"));
    split_equals(out);
    return 0;
}
