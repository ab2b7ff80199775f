/* Stored objects as compact bytes, and an ordered index over them.
 *
 * A blob is immutable and counted: the index, the history and a list that is being sent share it. Its text is
 * the object without apiVersion and kind, metadata first: {"metadata":{...},...}. What apiVersion it is
 * served under is the reader's business. Keys are as in etcd, "namespace/name" or "name", and are ordered by
 * bytes. */
#ifndef CARGOCD_KUBESIM_INDEX_H
#define CARGOCD_KUBESIM_INDEX_H

#include "common/base/str.h"
#include "common/base/vec.h"
#include "common/json/json.h"

struct blob {
    uint32_t refs;
    uint32_t json_len, meta_len; /* bytes of the text, and of the value of "metadata" in it */
    uint16_t key_len, ns_len;
    bool owned; /* has ownerReferences */
    uint64_t rv;
    char data[]; /* key NUL text */
};

/* The object must have metadata.name (and namespace); its resourceVersion is set to rv. One reference is the
 * caller's. */
struct blob *blob_new(json_t *object, uint64_t rv) MUST_USE;
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b);
static inline const char *blob_key(const struct blob *b)
{
    return b->data;
}
static inline const char *blob_name(const struct blob *b)
{
    return b->data + (b->ns_len ? b->ns_len + 1 : 0);
}
static inline view_t blob_ns(const struct blob *b)
{
    return (view_t){b->data, b->ns_len};
}
static inline view_t blob_json(const struct blob *b)
{
    return (view_t){b->data + b->key_len + 1, b->json_len};
}
static inline view_t blob_meta(const struct blob *b)
{
    return (view_t){b->data + b->key_len + 1 + sizeof("{\"metadata\":") - 1, b->meta_len};
}
/* The object as a document, with apiVersion and kind in front. */
json_t *blob_read(const struct blob *b, const char *api_version, const char *kind) MUST_USE;
/* Bytes that all blobs take, and how many there are. */
void blob_stats(size_t *n, size_t *bytes);

struct index_chunk;
struct index {
    VEC(struct index_chunk *) chunks; /* none empty */
    size_t n;
};
void index_dispose(struct index *x);
struct blob *index_get(const struct index *x, const char *key);
/* Takes a reference of its own; returns the blob that it replaced (the reference is the caller's) or NULL. */
struct blob *index_put(struct index *x, struct blob *b) MUST_USE;
/* The reference is the caller's; NULL when absent. */
struct blob *index_take(struct index *x, const char *key) MUST_USE;
/* How many keys are less than this one. */
size_t index_rank(const struct index *x, const char *key);
/* How many keys begin with the prefix, which ends in "/" or is empty. */
size_t index_count(const struct index *x, const char *prefix);

/* Walks from the first key that is not less than `from`. The index must not change meanwhile. */
struct index_cursor {
    const struct index *index;
    size_t chunk, at;
};
struct index_cursor index_from(const struct index *x, const char *from);
/* NULL at the end. */
struct blob *index_next(struct index_cursor *c);

#endif
