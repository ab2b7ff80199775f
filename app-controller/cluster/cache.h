/* What a cluster holds, compactly: a small fixed record per object, full content only for objects that belong
 * to an Application. Indexes answer without walking: by key, by uid, by owner, by application.
 *
 * One lock guards all. Watches of the I/O thread write; everybody reads through the functions below, which
 * copy or build what they return while they hold the lock. */
#ifndef CARGOCD_APP_CONTROLLER_CLUSTER_CACHE_H
#define CARGOCD_APP_CONTROLLER_CLUSTER_CACHE_H

#include "common/argo/settings.h"
#include "common/engine/health.h"
#include "common/engine/mask.h"
#include "common/engine/node_info.h"
#include "common/eval/eval.h"
#include "common/json/pack.h"
#include "common/json/project.h"

typedef struct cache cache_t;

/* The identity of an object: texts are borrowed from whoever filled it in. */
struct obj_key {
    const char *group, *kind, *ns, *name;
};

/* A change that concerns an application. */
struct cache_change {
    const char *app; /* instance name; borrowed for the call */
    bool managed;    /* the object itself is the application's (and not owned by another object) */
    struct obj_key key;
    const char *uid;
};
/* Runs on the thread that brought the change, without the cache's lock. */
typedef void (*cache_change_fn)(void *ctx, const struct cache_change *change);

cache_t *cache_new(const settings_t *settings, const unsigned char mask_key[MASK_KEY_SIZE],
                   cache_change_fn on_change, void *ctx) MUST_USE;
void cache_free(cache_t *c);
/* Other rules of tracking: takes effect for what is listed from now on. */
void cache_set_settings(cache_t *c, const settings_t *settings);

/* A health check of the settings, or jq expressions that may let an update be ignored: they run elsewhere. */
struct cache_check;
/* Takes the check over, to give it to cache_check_run in time; false when it cannot. */
typedef bool (*cache_checker_fn)(void *ctx, struct cache_check *check);
/* ctx is that of on_change. Without one such objects have no health, and such updates count. */
void cache_set_checker(cache_t *c, cache_checker_fn checker);
/* Runs the check (taken), and stores what it found if the object is still the same, or tells of the update.
 * Blocks; not for the I/O thread. */
void cache_check_run(cache_t *c, eval_t *eval, struct cache_check *check_take);

/* ---- writing ---- */

/* One kind as it is being watched. */
typedef struct cache_kind cache_kind_t;
cache_kind_t *cache_kind_add(cache_t *c, const char *group, const char *version, const char *kind,
                             bool namespaced) MUST_USE;
/* Whether the kind was added under other health checks or rules of tracking than these: it is to be listed
 * anew. */
bool cache_kind_outdated(const cache_kind_t *k, const settings_t *settings);
/* Drops the kind's objects. */
void cache_kind_remove(cache_t *c, cache_kind_t *k);
/* A list begins (of one namespace, or of all with NULL): what is not put again until cache_kind_synced, which
 * gets the mark that this returned, goes. */
uint32_t cache_kind_list(cache_t *c, cache_kind_t *k) MUST_USE;
void cache_kind_synced(cache_t *c, cache_kind_t *k, const char *ns, uint32_t mark);
/* An object as the API server sent it, in a list or as an event. Malformed ones are named in err and left
 * out. An event that is older than what one of our own writes was answered is left out, too; a list counts
 * even where it is older, as after a restore. */
int cache_put(cache_t *c, cache_kind_t *k, const char *p, size_t n, bool listed, err_t **err);
int cache_delete(cache_t *c, cache_kind_t *k, const char *p, size_t n, err_t **err);
/* The answer to one of our own writes, before the watch brings it: so that what is decided next is never
 * decided on what was before. Does nothing for kinds that are not watched, or when the cache has something
 * newer. */
void cache_put_own(cache_t *c, const json_t *object);
void cache_delete_own(cache_t *c, const struct obj_key *key, const char *uid);

/* ---- reading ---- */

struct cache_stats {
    size_t objects, kinds, managed, bytes;
};
void cache_stats(cache_t *c, struct cache_stats *out);
/* Whether the kind is watched and its first list is complete. */
bool cache_watches(cache_t *c, const char *group, const char *kind);

/* A live object that belongs to an application. */
struct live {
    char *group, *version, *kind, *ns, *name, *uid, *rv;
    pack_t *content; /* NULL: only known by name; a copy */
    enum health_status health;
    char *health_message;
    bool has_owner, deleting;
    const char *app; /* interned instance name that it is tracked for; NULL */
};
void live_dispose(struct live *l);
/* All objects tracked for the application that have no owner; the array is the caller's. */
struct live *cache_managed(cache_t *c, const char *app, size_t *n) MUST_USE;
/* One object; false when it is not there. */
bool cache_find(cache_t *c, const struct obj_key *key, struct live *out);
/* Who the object is tracked for, as an interned reference; NULL. */
const char *cache_owner_app(cache_t *c, const struct obj_key *key) MUST_USE;
/* A hash over (uid, resource version) of the application's objects and of the given keys: unchanged means
 * that a comparison would find what it found. */
uint64_t cache_fingerprint(cache_t *c, const char *app, const struct obj_key *keys, size_t n);

/* The nodes of an application's tree: its roots and everything below, as ResourceNode documents sorted by
 * key. Roots that do not exist become stubs with health Missing. `permitted` (may be NULL) says whether a
 * node and what is below it may be shown. */
struct tree_root {
    struct obj_key key;
    const char *version;
};
typedef bool (*cache_permit_fn)(void *ctx, const struct obj_key *key);
json_t *cache_tree(cache_t *c, const struct tree_root *roots, size_t n, cache_permit_fn permitted, void *ctx)
    MUST_USE;
/* The ownerless objects of a namespace that are no roots, and all below them, as cache_tree; of those that
 * `keep` lets pass. app is who the object is tracked for, NULL for nobody; top: it has no owner. keep is
 * called under the cache's lock. From now on changes of objects there that belong to nobody are told to
 * `instance`. */
typedef bool (*cache_orphan_fn)(void *ctx, const struct obj_key *key, const char *app, bool top);
json_t *cache_orphans(cache_t *c, const char *instance, const char *ns, const struct tree_root *roots,
                      size_t n, cache_orphan_fn keep, void *ctx) MUST_USE;
/* hosts[] of a tree: the nodes that run its pods, with what they ask for and what others do. */
json_t *cache_hosts(cache_t *c, const struct tree_root *roots, size_t n) MUST_USE;
/* Whether the object, by uid or key, is one of the tree's (for reading it on behalf of a user). */
bool cache_tree_has(cache_t *c, const struct tree_root *roots, size_t n, const struct obj_key *key);

#endif
