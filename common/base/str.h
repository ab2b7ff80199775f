/* Strings: a growable buffer with a maximum, and helpers over plain C strings.
 *
 * A buffer's maximum is part of its declaration, so that outside input cannot grow it past what the writer
 * thought of. Going past it is sticky: later appends do nothing, and one check at the end (`str_overflowed`)
 * tells. */
#ifndef CARGOCD_BASE_STR_H
#define CARGOCD_BASE_STR_H

#include "common/base/base.h"

typedef struct str {
    char *p; /* NUL-terminated once anything was appended; NULL before */
    size_t len;
    size_t cap;
    size_t max; /* of len; 0 means STR_DEFAULT_MAX */
    bool overflowed;
} str_t;

#define STR_DEFAULT_MAX ((size_t)1 << 30)
#define STR_INIT                                                                                             \
    {                                                                                                        \
    }
#define STR_MAX(n)                                                                                           \
    {                                                                                                        \
        .max = (n)                                                                                           \
    }
#define AUTO_STR AUTO(str_dispose) str_t

void str_dispose(str_t *s);
/* Empties, keeps the memory and the maximum. */
void str_reset(str_t *s);
void str_add(str_t *s, const void *p, size_t n);
void str_puts(str_t *s, const char *text);
void str_putc(str_t *s, char c);
void str_printf(str_t *s, const char *fmt, ...) PRINTF(2, 3);
void str_vprintf(str_t *s, const char *fmt, va_list ap) PRINTF(2, 0);
/* Makes room for n more bytes and returns where they go; the caller then adds to len. NULL when over the
 * maximum. */
char *str_reserve(str_t *s, size_t n);
void str_truncate(str_t *s, size_t len);
/* Removes n bytes at the front. */
void str_consume(str_t *s, size_t n);
/* The text, never NULL; borrowed. */
const char *str_text(const str_t *s);
/* Hands the text to the caller (never NULL) and empties the buffer. */
char *str_take(str_t *s) MUST_USE;
static inline bool str_overflowed(const str_t *s)
{
    return s->overflowed;
}

/* NULL-safe comparisons: NULL equals only NULL. */
bool str_eq(const char *a, const char *b);
/* NULL counts as "". */
bool str_same(const char *a, const char *b);
int str_cmp(const char *a, const char *b);
bool str_empty(const char *s);
bool str_has_prefix(const char *s, const char *prefix);
bool str_has_suffix(const char *s, const char *suffix);
/* What follows prefix in s, or NULL. */
const char *str_after(const char *s, const char *prefix);
/* "" for NULL. */
const char *str_or_empty(const char *s);

/* A piece of text that is not terminated and not owned. */
typedef struct view {
    const char *p;
    size_t n;
} view_t;

static inline view_t view_of(const char *s)
{
    return (view_t){s, s ? strlen(s) : 0};
}
bool view_eq(view_t v, const char *s);
view_t view_trim(view_t v);
/* Cuts the text up to `sep` off the front of *rest. False when *rest is used up (rest->p is NULL). */
bool view_split(view_t *rest, char sep, view_t *part);

/* A NULL-terminated list of owned strings. */
char **strv_split(const char *s, const char *separators, bool trim_and_skip_empty) MUST_USE;
void strv_free(char **v);
size_t strv_len(char *const *v);
bool strv_contains(char *const *v, const char *s);
char *strv_join(char *const *v, const char *separator) MUST_USE;
AUTO_DECL(strv_free_p, char *, strv_free)

/* Whole-string numbers; false on anything else, an overflow included. */
bool str_to_i64(const char *s, int64_t *out);
bool str_to_u64(const char *s, uint64_t *out);
/* Go's strconv.ParseBool: 1 t T true TRUE True, 0 f F false FALSE False. */
bool str_to_bool(const char *s, bool *out);

/* Whether n bytes are valid UTF-8 (no surrogates, no overlong forms). */
bool utf8_valid(const char *p, size_t n);
/* Writes one code point; returns how many bytes (1 to 4), 0 for an invalid one. */
size_t utf8_encode(uint32_t cp, char out[4]);
/* Reads one code point at p (n > 0 bytes left) into *cp; returns its length, 0 when invalid. */
size_t utf8_decode(const char *p, size_t n, uint32_t *cp);

/* Compares as people expect: digit runs by value ("a9" < "a10"). */
int str_natural_cmp(const char *a, const char *b);

#endif
