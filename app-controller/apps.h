/* The Applications of this replica: their documents as last seen, and what was found out about them.
 *
 * An app is reference-counted. Its document may be replaced at any time by the watch; whoever works on it
 * takes a copy. What a refresh found (app_found) belongs to the refresh, which is serial per application, and
 * is read by others under the app's lock. */
#ifndef CARGOCD_APP_CONTROLLER_APPS_H
#define CARGOCD_APP_CONTROLLER_APPS_H

#include "app-controller/cluster/cluster.h"
#include "app-controller/journal.h"
#include "app-controller/members/tenure.h"
#include "common/base/thread.h"
#include "common/json/pack.h"

enum { UUID_SIZE = 40 };

/* One source's rendering. */
struct rendering {
    const char *key, *revision, *type; /* interned */
    pack_t *manifests;                 /* array of objects, tracking applied */
    bool same;                         /* the repository server said that the rendering at hand holds */
    json_t *warnings;                  /* array of texts; NULL: none */
    uint64_t source_hash;
    bool given; /* by who requested the last sync, not rendered */
};

/* A resource as the last comparison left it. */
struct found_resource {
    struct tree_root root; /* texts owned */
    char *status;          /* Synced, OutOfSync, Unknown, ""; interned */
    bool hook, requires_pruning, requires_confirmation, self_referenced, modified;
    int wave;
    enum health_status health;
    char *health_message;
    char *where;      /* where it differs, for the journal; NULL: it does not */
    uint64_t verdict; /* what `modified` holds for (comparison.h); 0: nothing */
};

struct app {
    lock_t lock;                                  /* guards what follows */
    const char *key, *ns, *name, *instance, *uid; /* interned */
    pack_t *doc;
    char *rv; /* of slab_strdup */
    bool gone;
    /* Of the last refresh. */
    struct rendering *renderings;
    size_t nrenderings;
    struct found_resource *resources;
    size_t nresources;
    uint64_t fingerprint;                   /* of everything the last comparison depended on; 0: none */
    bool asks_server;                       /* whether the API server had a say in it */
    uint64_t said;                          /* hash of what it put in the status */
    uint64_t finalizers;                    /* of those that fit the hooks last compared; 0: not known */
    mono_t refreshed_at, hard_refreshed_at; /* 0: never in this process */
    cluster_t *cluster;                     /* where it goes; a reference; NULL: unresolved */
    const char *project;                    /* interned */
    mono_t wave_until;                      /* the next wave of its sync does not start before */
    size_t norphans;                        /* in the namespace it goes to */
    bool operating;                         /* its document has an operation */
    bool auto_sync, self_heal, skip;        /* as its document says */
    bool turned_on;                         /* one of them was turned on, and nobody has looked since */
    bool settled;                           /* a refresh has found nothing left to do for this document */
    const char *server, *cluster_name;      /* its document's destination; interned */
    uint64_t tree_rev;
    uint64_t tree_hash, managed_hash;
    mono_t repo_error_since; /* first failure of manifest generation in a row; 0: none */
    struct journal journal;
    char *woken_by;       /* the object whose change the next refresh is for; NULL: none */
    struct tenure tenure; /* not guarded by the lock above */
    /* Of ownership.c, under its lock: what was decided last, by which plan; that it is asked for. */
    uint64_t decided_by;
    bool decided, was_ours, asked;
    /* private */
    unsigned refs;
};

/* The fields of log lines about an application, as Argo CD has them; doc (may be NULL): its document. */
#define LOG_APP(app, doc)                                                                                    \
    {"application", (app)->name}, {"app-namespace", (app)->ns},                                              \
    {                                                                                                        \
        "project", (doc) ? app_project(doc) : NULL                                                           \
    }

typedef struct apps apps_t;
apps_t *apps_new(void) MUST_USE;
void apps_free(apps_t *a);
/* A reference; NULL when there is no such Application. */
struct app *apps_get(apps_t *a, const char *key) MUST_USE;
void app_unref(apps_t *a, struct app *app);
/* The same when its document is of this version, else NULL. */
struct app *apps_get_version(apps_t *a, const char *key, const char *uid, const char *rv) MUST_USE;
/* Whether there is such an Application; may be asked under any lock. */
bool apps_has(apps_t *a, const char *key);
/* Takes in what the watch or one of our writes brought; an older document replaces nothing. What somebody
 * else changed may come with the answer to our own write: the event that follows finds it here already. */
struct app *apps_put_own(apps_t *a, const char *key, const char *instance, const json_t *doc) MUST_USE;
/* The paths of a document that apps_put_event reads; the document itself is its text, which json_valid has
 * found good. loose: work will follow that soon replaces it; until app_rest it takes more room. */
extern const char *const apps_event_paths[];
extern const size_t apps_event_npaths;
struct app *apps_put_event(apps_t *a, const char *key, const char *instance, const json_t *brief, view_t text,
                           bool loose, bool *is_new) MUST_USE;
/* Nobody works on it for now. */
void app_rest(struct app *app);
void apps_remove(apps_t *a, const char *key, const char *uid);
/* All keys; the caller's (strv). */
char **apps_keys(apps_t *a) MUST_USE;
/* The document as it is now; NULL when gone. */
json_t *app_doc(struct app *app) MUST_USE;
size_t apps_count(apps_t *a);

/* News for the query service: the trees and managed resources that changed. */
uint64_t apps_bump(apps_t *a, struct app *app);
uint64_t apps_rev(apps_t *a);
/* Keys of applications changed after `since`, waiting for at most wait_ns; *reset when `since` is too old. */
char **apps_changed_since(apps_t *a, uint64_t since, int64_t wait_ns, atomic_bool *canceled, uint64_t *rev,
                          bool *reset) MUST_USE;

void rendering_dispose(struct rendering *r);
struct rendering rendering_copy(const struct rendering *r);
void found_resource_dispose(struct found_resource *r);
/* Replaces what was found; the list is of slab_alloc. Under the app's lock. */
void app_set_resources(struct app *app, struct found_resource *list_take, size_t n);
/* Replaces the renderings at hand; the list is of slab_alloc. Under the app's lock. */
void app_set_renderings(struct app *app, struct rendering *list_take, size_t n);

#endif
