/* The store: resource versions, the current objects, and a bounded history of changes from which watches
 * resume and older states are rebuilt. One counter serves all resources, as in etcd.
 *
 * What is forgotten: the oldest changes, when there are more than `max_changes` or the versions of objects
 * that only the history keeps take more than `max_bytes`. A position before the newest forgotten change is
 * expired. */
#ifndef CARGOCD_KUBESIM_STORE_H
#define CARGOCD_KUBESIM_STORE_H

#include "common/base/map.h"
#include "tests/kubesim/registry.h"

enum change_type { CHANGE_ADDED, CHANGE_MODIFIED, CHANGE_DELETED };
struct change {
    uint64_t rv;
    uint64_t next; /* place of the next change of the same resource; 0: none yet */
    struct resource *resource;
    struct blob *object; /* for CHANGE_DELETED: the last state under the version of the deletion */
    struct blob *before; /* NULL for CHANGE_ADDED */
    enum change_type type;
};

/* Embedded in what follows the changes of one resource. */
struct watcher {
    struct resource *resource;
    uint64_t place; /* of its next change; 0: it has seen all */
    void (*wake)(struct watcher *w);
    struct watcher *next, **at;
};

typedef struct store store_t;
struct store_config {
    size_t max_changes, max_bytes;
    /* Called after each change; must not write. */
    void (*on_change)(void *ctx, const struct change *c);
    void *ctx;
};
store_t *store_new(const struct store_config *config) MUST_USE;
void store_free(store_t *s);

uint64_t store_rv(const store_t *s);
/* Borrowed; NULL when absent. ns "": cluster-scoped. */
struct blob *store_get(const struct resource *r, const char *ns, const char *name);
/* Stores the object under the next version (written into it) and returns it, borrowed. */
struct blob *store_put(store_t *s, struct resource *r, json_t *object);
/* Removes what is stored under the object's name; `object` is its last state. Its resourceVersion stays as it
 * was: that is what a client is shown; the history has the version of the removal. */
void store_remove(store_t *s, struct resource *r, json_t *object);

/* Begins to follow. rv: the version that has been seen. False when it is expired. */
bool store_watch(store_t *s, struct resource *r, uint64_t rv, struct watcher *w);
void store_unwatch(struct watcher *w);
/* The next change, NULL when there is none yet; *expired when it is forgotten. Valid until the next change.
 */
const struct change *store_next(store_t *s, struct watcher *w, bool *expired);

/* Whether the state at that version can still be told. */
bool store_has_rv(const store_t *s, uint64_t rv);
/* The keys of a resource that changed after rv, sorted, with the state that they had (NULL: absent). The
 * blobs are borrowed; the array is the caller's. */
struct past {
    const char *key;
    struct blob *blob;
};
struct past *store_past(store_t *s, const struct resource *r, uint64_t rv, size_t *n) MUST_USE;
/* Forgets all but the newest `keep` changes. */
void store_compact(store_t *s, size_t keep);

/* Objects that name this uid as an owner: calls fn with resource and key of each; fn must not write. */
void store_dependents(store_t *s, const char *uid, void (*fn)(void *arg, struct resource *r, const char *key),
                      void *arg);

struct store_stats {
    size_t objects, changes, history_bytes, owners;
    uint64_t rv, compacted;
};
void store_stats(const store_t *s, const struct registry *g, struct store_stats *out);

#endif
