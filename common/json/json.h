/* JSON documents: jansson's json_t, read and written by us.
 *
 * What jansson's own reader and writer cannot do, and these can: numbers keep their value and, where it is
 * not the usual one, their spelling (18446744073709551615, 1.0, 1e3 survive a round trip); floats are written
 * in the shortest form that reads back; strings are escaped as Go's encoding/json does, because Argo CD's
 * clients compare bytes.
 *
 * A number that a json_integer or json_real would not write back as it was spelled is held as a *number
 * text*: a json_t that these functions treat as a number. To other code it is an object with one key that no
 * JSON text can contain.
 *
 * Limits: JSON_MAX_DEPTH levels; duplicate keys: the last one wins; strings must be valid UTF-8 (a lone
 * surrogate escape becomes U+FFFD, as in Go). \u0000 is allowed. */
#ifndef CARGOCD_JSON_JSON_H
#define CARGOCD_JSON_JSON_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <jansson.h>

#if defined(CARGOCD_SANITIZE)
/* The library is not instrumented, and no sanitizer sees it read a value that is gone. So we read it before.
 */
static inline UNUSED const json_t *json_looked_at(const json_t *v)
{
    if (v)
        (void)*(const volatile json_type *)&v->type;
    return v;
}
#define json_object_get(v, key) json_object_get(json_looked_at(v), key)
#define json_object_size(v)     json_object_size(json_looked_at(v))
#define json_array_get(v, i)    json_array_get(json_looked_at(v), i)
#define json_array_size(v)      json_array_size(json_looked_at(v))
#define json_string_value(v)    json_string_value(json_looked_at(v))
#define json_string_length(v)   json_string_length(json_looked_at(v))
#define json_integer_value(v)   json_integer_value(json_looked_at(v))
#define json_copy(v)            json_copy((json_t *)(uintptr_t)json_looked_at(v))
#define json_deep_copy(v)       json_deep_copy(json_looked_at(v))
#define json_equal(a, b)        json_equal(json_looked_at(a), json_looked_at(b))
#define json_object_iter(v)     json_object_iter((json_t *)(uintptr_t)json_looked_at(v))
#endif

enum { JSON_MAX_DEPTH = 512 };

/* Reads one document; anything but blanks behind it is an error. The error gives line and column. *out is
 * new. */
int json_read(const char *p, size_t n, json_t **out, err_t **err);
/* Whether json_read would take it, without building anything. */
bool json_valid(const char *p, size_t n);
int json_read_str(const char *text, json_t **out, err_t **err);

enum json_style {
    JSON_GO = 0,         /* compact; keys sorted; <, >, & and U+2028/9 escaped: Go's json.Marshal of a map */
    JSON_KEEP_ORDER = 1, /* keys as they were inserted */
    JSON_NO_HTML = 2,    /* <, >, & and U+2028/9 as they are */
    JSON_PRETTY = 4,     /* indented by two blanks, as Go's MarshalIndent */
};
void json_write(const json_t *v, unsigned style, str_t *out);
char *json_text(const json_t *v, unsigned style) MUST_USE;
/* A quoted and escaped string. */
void json_write_string(const char *p, size_t n, unsigned style, str_t *out);
/* A double as Go writes it: "0.1", "1", "1e+21". */
void json_write_double(double v, str_t *out);

/* Numbers. `text` must match JSON's number grammar; the result is a json_integer or json_real when that
 * writes back the same text, else a number text. NULL when it does not match. */
json_t *json_number_of(const char *text, size_t n) MUST_USE;
bool json_is_number_text(const json_t *v);
/* Spelling of a number text, borrowed; NULL for other values. */
const char *json_number_text(const json_t *v);
/* json_is_number and number texts. */
bool json_is_any_number(const json_t *v);
/* json_is_object and no number text. */
bool json_is_map(const json_t *v);
/* False when v is no number or not a whole one within int64. */
bool json_to_i64(const json_t *v, int64_t *out);
bool json_to_double(const json_t *v, double *out);

/* Equal as values: objects by key, arrays in order, numbers by exact decimal value (1, 1.0 and 1e0 are equal;
 * null and absence are not). */
bool json_same(const json_t *a, const json_t *b);
/* Total order consistent with json_same, for sorting. */
int json_compare(const json_t *a, const json_t *b);
/* Equal values have equal hashes. */
uint64_t json_hash(const json_t *v, uint64_t seed);

/* Access by path; each path ends with NULL (the macros add it). NULL, 0, false when absent or of another
 * type. */
json_t *json_at_(const json_t *v, ...) __attribute__((sentinel));
const char *json_str_at_(const json_t *v, ...) __attribute__((sentinel));
int64_t json_int_at_(const json_t *v, ...) __attribute__((sentinel));
bool json_bool_at_(const json_t *v, ...) __attribute__((sentinel));
#define json_at(v, ...)      json_at_(v, __VA_ARGS__, NULL)
#define json_str_at(v, ...)  json_str_at_(v, __VA_ARGS__, NULL)
#define json_int_at(v, ...)  json_int_at_(v, __VA_ARGS__, NULL)
#define json_bool_at(v, ...) json_bool_at_(v, __VA_ARGS__, NULL)
/* Stores value (taken) at the path, making objects on the way. A value that is no object on the way is
 * replaced. */
void json_put_at_(json_t *v, json_t *value_take, ...) __attribute__((sentinel));
#define json_put_at(v, value_take, ...) json_put_at_(v, value_take, __VA_ARGS__, NULL)
/* Removes what is at the path; with it, parents do not vanish. False when there was nothing. */
bool json_drop_at_(json_t *v, ...) __attribute__((sentinel));
#define json_drop_at(v, ...) json_drop_at_(v, __VA_ARGS__, NULL)

/* Sets only when the value says something: not for NULL or "". */
void json_put_str(json_t *object, const char *key, const char *value);
/* Always sets; NULL as "". */
void json_set_str(json_t *object, const char *key, const char *value);
json_t *json_str_new(const char *s) MUST_USE;
/* Object keys in byte order; the array (NULL-terminated) is the caller's, the keys are the object's. Keys
 * with NUL bytes inside are cut there. */
const char **json_sorted_keys(const json_t *object) MUST_USE;
/* {}, [], "", null, 0, false and NULL: what Go's omitempty leaves out. */
bool json_is_zero(const json_t *v);
json_t *json_copy_deep(const json_t *v) MUST_USE;

AUTO_DECL(json_decref_p, json_t, json_decref)
#define AUTO_JSON AUTO(json_decref_p) json_t *

#endif
