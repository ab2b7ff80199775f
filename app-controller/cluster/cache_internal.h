/* Records and tables of the cache; for cache*.c only. */
#ifndef CARGOCD_APP_CONTROLLER_CLUSTER_CACHE_INTERNAL_H
#define CARGOCD_APP_CONTROLLER_CLUSTER_CACHE_INTERNAL_H

#include "app-controller/cluster/cache.h"
#include "common/engine/script.h"
#include "common/base/intern.h"
#include "common/base/map.h"
#include "common/base/slab.h"
#include "common/base/thread.h"
#include "common/base/vec.h"

struct obj;

/* An owner reference: an element of the table by owner uid. */
struct owner {
    struct obj *child;
    struct owner *next;                    /* in the table */
    const char *group, *kind, *name, *uid; /* interned; uid NULL: by name */
};

struct obj {
    struct obj *next_key, *next_uid;   /* in the tables */
    struct obj *prev_kind, *next_kind; /* of the same kind and namespace */
    struct obj *prev_app, *next_app;   /* tracked for the same application */
    cache_kind_t *of;
    const char *ns, *name, *uid, *app; /* interned; app NULL: not tracked */
    char *rv;
    struct owner *owners;
    pack_t *content; /* of tracked objects without owners */
    struct node_info info;
    const char *health_message; /* interned */
    int64_t created;            /* seconds since 1970 */
    uint64_t update_hash;       /* of what no pointer lets ignore; 0: none */
    uint32_t generation;        /* of the list that last had it */
    uint32_t walked;            /* the last walk that came by */
    uint8_t nowners, health;
    bool deleting;
    bool templates_changed; /* of a stateful set: its claims are called otherwise than before */
};

struct node_sum {
    int64_t cpu, memory; /* milli-units */
    size_t pods;
};

struct cache_kind {
    struct cache_kind *next;
    const char *group, *version, *kind; /* interned */
    bool namespaced, synced, content_wanted;
    projection_t *projection;
    map_t objects; /* k: namespace, "" where there is none; v: first struct obj * of the list */
    size_t n;
    uint32_t generation;
    uint64_t script; /* hash of the settings' health check; 0: none */
    uint64_t rules;  /* hash of the settings that records depend on */
};

struct table {
    void **buckets;
    size_t nbuckets, n;
};

struct cache {
    lock_t lock; /* guards everything below */
    settings_t *settings;
    unsigned char mask_key[MASK_KEY_SIZE];
    cache_change_fn on_change;
    void *ctx;
    cache_kind_t *kinds;
    struct table by_key;   /* struct obj by next_key */
    struct table by_uid;   /* struct obj by next_uid */
    struct table by_owner; /* struct owner by next */
    map_t by_app;          /* k: instance name, v: first struct obj * of the list */
    map_t orphans;         /* k: namespace, v: map_t * of the instance names that look after orphans there */
    map_t claims; /* k: "namespace/name" of a stateful set, v: names of its claims' templates, by "," */
    map_t nodes;  /* k: node name, v: struct node_sum *: what its pods ask for */
    size_t managed;
    size_t twins; /* objects whose uid another one had when they came */
    uint32_t walks;
    uint64_t *gone; /* hashes of the uids of objects that went last, a ring of NGONE; NULL: none did */
    uint32_t ngone;
    script_host_t *scripts;
    cache_checker_fn checker;
};

/* So many ends of objects may come between a write of our own and its answer. */
enum { NGONE = 512 };

/* Changes noted while the lock is held, told after it was released. */
struct note {
    const char *app; /* interned reference */
    bool managed;
    const char *group, *kind, *ns, *name, *uid; /* interned references */
};
typedef VEC(struct note) notes_t;
void notes_tell(cache_t *c, notes_t *notes);

/* cache_check.c: hash of the settings' health check for the kind; 0: none. */
uint64_t cache_script_hash(const settings_t *settings, const char *group, const char *kind);
/* Of all settings that a record is made by: tracking, updates that are ignored, labels that are shown. */
uint64_t cache_rules_hash(const settings_t *settings);
/* Hands the object over to the settings' check, if there is one; until that has run the health is what it
 * was. */
bool cache_check_later(cache_t *c, struct obj *o, const json_t *doc);
/* Hands an update of the same object over if jq expressions decide on it: who is concerned is told if it is
 * not to be ignored. False: nothing decides, or nobody can, and it counts. */
bool cache_update_later(cache_t *c, const struct obj *old, const struct obj *now);

cache_kind_t *cache_kind_find(cache_t *c, const char *group, const char *kind);
struct obj *cache_lookup(cache_t *c, const struct obj_key *key);
struct obj *cache_by_uid(const cache_t *c, const char *uid);
/* Owners that name the uid: `o->child` of each. */
struct owner *cache_children(cache_t *c, const char *uid);
/* Notes who is concerned by the object: whoever it, or what owns it, is tracked for. */
void cache_note(cache_t *c, const struct obj *o, notes_t *notes);

/* An element of hosts[]: what the node has, what `ours` ask for and what the other pods on it do. NULL when
 * no such node is known. With the lock held. */
json_t *cache_host_json(cache_t *c, const char *name, const struct node_sum *ours) MUST_USE;
/* cache_parents.c, with the lock held: owners that the object has without naming them. */
void cache_infer(cache_t *c, struct obj *o, const json_t *doc);
/* The object has been taken in: it may be the parent of what was there before. */
void cache_adopt(cache_t *c, const struct obj *parent, bool is_new);
/* It goes, and so do the owners that were inferred from it. replaced: by another of its name, which has been
 * read. */
void cache_abandon(cache_t *c, const struct obj *parent, bool replaced);
/* While the object is not indexed. Texts are interned. */
void obj_add_owner(struct obj *o, const char *group, const char *kind, const char *name, const char *uid);
void obj_drop_owners(struct obj *o);

void table_free(struct table *t);
uint64_t hash_pointers(const void *a, const void *b, const void *c, const void *d);
void cache_index(cache_t *c, struct obj *o);
void cache_unindex(cache_t *c, struct obj *o);
void obj_free(struct obj *o);

#endif
