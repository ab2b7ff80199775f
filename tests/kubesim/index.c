#include "tests/kubesim/index.h"

#include <stdio.h>

static size_t live_blobs, live_bytes;

/* ---- blobs ---- */

static const char text_prefix[] = "{\"metadata\":";

static void write_text(const json_t *object, str_t *text, size_t *meta_len)
{
    str_puts(text, text_prefix);
    json_write(json_object_get(object, "metadata"), JSON_GO, text);
    *meta_len = text->len - (sizeof(text_prefix) - 1);
    AUTO(free_p) const char **keys = json_sorted_keys(object);
    for (const char **k = keys; *k; k++) {
        if (strcmp(*k, "metadata") == 0 || strcmp(*k, "kind") == 0 || strcmp(*k, "apiVersion") == 0)
            continue;
        str_putc(text, ',');
        json_write_string(*k, strlen(*k), JSON_GO, text);
        str_putc(text, ':');
        json_write(json_object_get(object, *k), JSON_GO, text);
    }
    str_putc(text, '}');
}

struct blob *blob_new(json_t *object, uint64_t rv)
{
    char number[24];
    snprintf(number, sizeof(number), "%llu", (unsigned long long)rv);
    json_put_at(object, json_string(number), "metadata", "resourceVersion");
    AUTO_STR text = STR_INIT;
    size_t meta_len;
    write_text(object, &text, &meta_len);
    const char *ns = str_or_empty(json_str_at(object, "metadata", "namespace"));
    const char *name = str_or_empty(json_str_at(object, "metadata", "name"));
    size_t ns_len = strlen(ns), key_len = strlen(name) + (ns_len ? ns_len + 1 : 0);
    struct blob *b = xmalloc(sizeof(*b) + key_len + 1 + text.len);
    *b = (struct blob){.refs = 1,
                       .json_len = (uint32_t)text.len,
                       .meta_len = (uint32_t)meta_len,
                       .key_len = (uint16_t)key_len,
                       .ns_len = (uint16_t)ns_len,
                       .owned = json_array_size(json_at(object, "metadata", "ownerReferences")) > 0,
                       .rv = rv};
    snprintf(b->data, key_len + 1, "%s%s%s", ns, ns_len ? "/" : "", name);
    memcpy(b->data + key_len + 1, text.p, text.len);
    live_blobs++;
    live_bytes += sizeof(*b) + key_len + 1 + text.len;
    return b;
}

struct blob *blob_ref(struct blob *b)
{
    b->refs++;
    return b;
}

void blob_unref(struct blob *b)
{
    if (!b || --b->refs)
        return;
    live_blobs--;
    live_bytes -= sizeof(*b) + b->key_len + 1u + b->json_len;
    free(b);
}

json_t *blob_read(const struct blob *b, const char *api_version, const char *kind)
{
    json_t *o = NULL;
    view_t text = blob_json(b);
    /* What we wrote, we can read. */
    if (json_read(text.p, text.n, &o, NULL) < 0)
        abort();
    json_object_set_new(o, "apiVersion", json_string(api_version));
    json_object_set_new(o, "kind", json_string(kind));
    return o;
}

void blob_stats(size_t *n, size_t *bytes)
{
    *n = live_blobs;
    *bytes = live_bytes;
}

/* ---- the index: a sorted list of sorted chunks ---- */

enum { CHUNK = 512 };
struct index_chunk {
    size_t n;
    struct blob *v[CHUNK];
};

void index_dispose(struct index *x)
{
    VEC_FOREACH(&x->chunks, c) {
        for (size_t i = 0; i < (*c)->n; i++)
            blob_unref((*c)->v[i]);
        free(*c);
    }
    VEC_FREE(&x->chunks);
    x->n = 0;
}

/* The chunk in which the key is or belongs: the first whose last key is not less, else the last one. */
static size_t find_chunk(const struct index *x, const char *key)
{
    size_t lo = 0, hi = x->chunks.n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const struct index_chunk *c = x->chunks.v[mid];
        if (strcmp(blob_key(c->v[c->n - 1]), key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static size_t find_in(const struct index_chunk *c, const char *key)
{
    size_t lo = 0, hi = c->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(blob_key(c->v[mid]), key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct index_cursor index_from(const struct index *x, const char *from)
{
    struct index_cursor c = {.index = x, .chunk = find_chunk(x, from)};
    if (c.chunk < x->chunks.n)
        c.at = find_in(x->chunks.v[c.chunk], from);
    return c;
}

struct blob *index_next(struct index_cursor *c)
{
    if (c->chunk >= c->index->chunks.n)
        return NULL;
    const struct index_chunk *chunk = c->index->chunks.v[c->chunk];
    struct blob *b = chunk->v[c->at++];
    if (c->at == chunk->n) {
        c->chunk++;
        c->at = 0;
    }
    return b;
}

struct blob *index_get(const struct index *x, const char *key)
{
    struct index_cursor c = index_from(x, key);
    struct blob *b = index_next(&c);
    return b && strcmp(blob_key(b), key) == 0 ? b : NULL;
}

size_t index_rank(const struct index *x, const char *key)
{
    struct index_cursor c = index_from(x, key);
    size_t n = c.at;
    for (size_t i = 0; i < c.chunk; i++)
        n += x->chunks.v[i]->n;
    return n;
}

size_t index_count(const struct index *x, const char *prefix)
{
    size_t n = strlen(prefix);
    if (!n)
        return x->n;
    AUTO(free_p) char *behind = xstrdup(prefix);
    behind[n - 1] = '/' + 1;
    return index_rank(x, behind) - index_rank(x, prefix);
}

static void insert_chunk(struct index *x, size_t at, struct index_chunk *c)
{
    VEC_PUSH(&x->chunks, c);
    memmove(&x->chunks.v[at + 1], &x->chunks.v[at], (x->chunks.n - 1 - at) * sizeof(x->chunks.v[0]));
    x->chunks.v[at] = c;
}

/* A full chunk is cut in halves, the last one behind its end: keys mostly come in order. */
static void split(struct index *x, size_t at)
{
    struct index_chunk *c = x->chunks.v[at], *right = xmalloc(sizeof(*right));
    size_t keep = at + 1 == x->chunks.n ? CHUNK - 1 : CHUNK / 2;
    right->n = c->n - keep;
    memcpy(right->v, c->v + keep, right->n * sizeof(right->v[0]));
    c->n = keep;
    insert_chunk(x, at + 1, right);
}

struct blob *index_put(struct index *x, struct blob *b)
{
    const char *key = blob_key(b);
    if (!x->chunks.n) {
        struct index_chunk *first = xmalloc(sizeof(*first));
        first->n = x->n = 1;
        first->v[0] = blob_ref(b);
        insert_chunk(x, 0, first);
        return NULL;
    }
    size_t at = find_chunk(x, key);
    if (at == x->chunks.n)
        at--;
    struct index_chunk *c = x->chunks.v[at];
    size_t i = find_in(c, key);
    if (i < c->n && strcmp(blob_key(c->v[i]), key) == 0) {
        struct blob *old = c->v[i];
        c->v[i] = blob_ref(b);
        return old;
    }
    if (c->n == CHUNK) {
        split(x, at);
        return index_put(x, b);
    }
    memmove(&c->v[i + 1], &c->v[i], (c->n - i) * sizeof(c->v[0]));
    c->v[i] = blob_ref(b);
    c->n++;
    x->n++;
    return NULL;
}

struct blob *index_take(struct index *x, const char *key)
{
    size_t at = find_chunk(x, key);
    if (at == x->chunks.n)
        return NULL;
    struct index_chunk *c = x->chunks.v[at];
    size_t i = find_in(c, key);
    if (i == c->n || strcmp(blob_key(c->v[i]), key) != 0)
        return NULL;
    struct blob *b = c->v[i];
    memmove(&c->v[i], &c->v[i + 1], (c->n - i - 1) * sizeof(c->v[0]));
    x->n--;
    if (--c->n == 0) {
        free(c);
        VEC_REMOVE(&x->chunks, at);
    }
    return b;
}
