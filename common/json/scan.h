/* A streaming reader: tokens over bytes, without allocating, and the splitting of a list that arrives in
 * pieces. */
#ifndef CARGOCD_JSON_SCAN_H
#define CARGOCD_JSON_SCAN_H

#include "common/json/json.h"

enum json_token {
    JT_ERROR, /* malformed; see json_scan.error and .p */
    JT_END,   /* the document is complete (blanks may follow) */
    JT_OBJECT_BEGIN,
    JT_OBJECT_END,
    JT_ARRAY_BEGIN,
    JT_ARRAY_END,
    JT_KEY,    /* text: between the quotes, still escaped */
    JT_STRING, /* likewise */
    JT_NUMBER, /* text: its spelling */
    JT_TRUE,
    JT_FALSE,
    JT_NULL
};

struct json_scan {
    const char *begin, *p, *end;
    view_t text;       /* of the token at hand */
    bool escaped;      /* the text has backslashes */
    const char *error; /* after JT_ERROR: what is wrong */
    unsigned depth;
    unsigned char state;
    uint64_t is_object[JSON_MAX_DEPTH / 64];
};

void json_scan_init(struct json_scan *s, const char *p, size_t n);
enum json_token json_scan_next(struct json_scan *s);
/* Skips to the end of the value whose first token was just read (nothing to do for scalars), or, after a key,
 * over its value. False on malformed input. */
bool json_scan_skip(struct json_scan *s, enum json_token just_read);
/* The bytes of the whole value whose first token was just read; consumes it. */
bool json_scan_value(struct json_scan *s, enum json_token just_read, view_t *bytes);
/* Decodes escapes of a key or string; invalid UTF-8 is an error (false). */
bool json_unescape(view_t escaped_text, str_t *out);
/* Whether the key or string just read is s. */
bool json_scan_is(const struct json_scan *scan, const char *s);
/* "line 3, column 7: unexpected character" for the error at hand. */
int json_scan_error(const struct json_scan *s, err_t **err);

/* Splits {"kind":…,"metadata":{…},"items":[…,…]} that arrives in pieces of any size into its items, each
 * delivered as contiguous bytes as soon as it is complete; top-level fields other than items are delivered
 * whole. A callback that returns non-zero ends the reading with that value. */
struct json_list {
    int (*on_item)(void *arg, const char *p, size_t n);
    int (*on_field)(void *arg, const char *key, const char *p, size_t n); /* may be NULL */
    void *arg;
    size_t max_item;     /* bytes; more is ERR_RESOURCE_EXHAUSTED, or: */
    bool skip_oversized; /* leave larger items out and count them */
    size_t oversized;
    /* private */
    str_t buf, key;
    unsigned depth;
    unsigned char state;
    bool in_string, escape, in_items, done;
};
void json_list_init(struct json_list *l, size_t max_item);
int json_list_feed(struct json_list *l, const char *p, size_t n, err_t **err);
/* To be called at the end of the input: whether the list was complete. */
int json_list_end(struct json_list *l, err_t **err);
void json_list_dispose(struct json_list *l);

#endif
