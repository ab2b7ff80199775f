/* Masks in texts of others: an API server quotes what it refuses ("patch: Invalid value: "{\"data\":…}""),
 * and such a text goes into conditions, results, events and logs. Two nets: the values that are known,
 * wherever they stand, and whatever is called an invalid value, since it may be quoted in a way of its own.
 */
#include "common/base/enc.h"
#include "common/base/vec.h"
#include "common/engine/mask.h"
#include "common/engine/normalize.h"

#define MASK    "++++++++"
#define INVALID "Invalid value: "

enum { SHORTEST = 4 }; /* shorter values would be found in any text */

typedef VEC(char *) texts_t;

static void add_text(texts_t *texts, const char *p, size_t n)
{
    if (n >= SHORTEST && !memchr(p, 0, n))
        VEC_PUSH(texts, xstrndup(p, n));
}

/* The values of a Secret whose stringData is folded in, as they are stored and as they are meant. */
static void add_values(texts_t *texts, const json_t *secret)
{
    json_t *data = json_object_get(secret, "data");
    for (void *it = json_object_iter(data); it; it = json_object_iter_next(data, it)) {
        const json_t *v = json_object_iter_value(it);
        const char *text = str_or_empty(json_string_value(v));
        AUTO_STR raw = STR_INIT;
        add_text(texts, text, strlen(text));
        if (base64_decode(text, strlen(text), &raw))
            add_text(texts, str_text(&raw), raw.len);
        if (raw.len)
            wipe(raw.p, raw.len);
    }
}

static bool add_secret(texts_t *texts, const json_t *object)
{
    if (!object || !object_is_secret(object))
        return false;
    AUTO_JSON copy = json_copy_deep(object);
    normalize_secret(copy);
    add_values(texts, copy);
    AUTO_JSON applied = object_last_applied(copy);
    if (applied) {
        normalize_secret(applied);
        add_values(texts, applied);
    }
    return true;
}

/* Longer ones first: one may be a part of another. */
static int by_length(const void *a, const void *b)
{
    size_t x = strlen(*(char *const *)a), y = strlen(*(char *const *)b);
    return (x < y) - (x > y);
}

static const char *known_at(const texts_t *texts, const char *p)
{
    for (size_t i = 0; i < texts->n; i++)
        if (str_has_prefix(p, texts->v[i]))
            return p + strlen(texts->v[i]);
    return NULL;
}

/* Behind a value in quotes as Go writes them; what is not in quotes may reach to the end. */
static const char *behind_value(const char *p)
{
    if (*p != '"')
        return p + strlen(p);
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

char *mask_message(const char *text, const json_t *const *objects, size_t n)
{
    texts_t texts = {};
    bool any = false;
    AUTO_STR out = STR_INIT;
    for (size_t i = 0; i < n; i++)
        any |= add_secret(&texts, objects[i]);
    if (!any)
        return NULL;
    if (texts.n)
        qsort(texts.v, texts.n, sizeof(*texts.v), by_length);
    for (const char *p = text; *p;) {
        const char *end = known_at(&texts, p);
        if (end) {
            str_puts(&out, MASK);
        } else if (str_has_prefix(p, INVALID)) {
            str_puts(&out, INVALID MASK);
            end = behind_value(p + strlen(INVALID));
        } else {
            str_putc(&out, *p);
            end = p + 1;
        }
        p = end;
    }
    VEC_FOREACH(&texts, t) {
        wipe(*t, strlen(*t));
        free(*t);
    }
    VEC_FREE(&texts);
    return str_take(&out);
}

void mask_error(err_t **err, const json_t *const *objects, size_t n)
{
    if (!err || !*err)
        return;
    AUTO(free_p) char *masked = mask_message(err_text(*err), objects, n);
    if (masked)
        err_set(err, err_code(*err), "%s", masked);
}
