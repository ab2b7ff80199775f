/* What the api-server knows live: every Application (as bytes, and as rows of the topic `apps`), and tables
 * for the topics that somebody looks at (`app`, `tree`). One lock; callers are the watch's thread, the pools,
 * the loops.
 *
 * Rows are shown by who may see them: each is checked with the subscriber's identity, once per policy. */
#ifndef CARGOCD_API_LIVE_LIVE_H
#define CARGOCD_API_LIVE_LIVE_H

#include "api-server/auth/session.h"
#include "api-server/live/table.h"
#include "common/base/thread.h"

typedef struct live live_t;

struct live_options {
    const char *control_ns;
    config_box_t *config;
    auth_t *auth;
    /* A reference to a project's roles; NULL when there is no such project. Called under the lock: must not
     * block. */
    rbac_project_t *(*project)(void *ctx, const char *name);
    /* Somebody wants the tree of an application: live_put_tree or live_fail_tree is to follow. Called under
     * the lock. */
    void (*want_tree)(void *ctx, const char *ns, const char *name);
    void *ctx;
};
live_t *live_new(const struct live_options *options) MUST_USE;
void live_free(live_t *l);
/* The process's identity in the protocol. */
const char *live_epoch(const live_t *l);

/* ---- the watch of Applications ---- */

/* A list begins: what is not put until live_apps_synced is gone. */
void live_apps_begin(live_t *l);
/* p: the object as the API server sent it. */
void live_app_put(live_t *l, const char *p, size_t n);
void live_app_del(live_t *l, const char *p, size_t n);
void live_apps_synced(live_t *l, const char *resource_version);
bool live_apps_ready(live_t *l);

/* ---- reading ---- */

/* The application as REST shows it; NULL when there is none. */
struct live_doc *live_app(live_t *l, const char *ns, const char *name) MUST_USE;
/* Newest resource version of the watch; the caller's. */
char *live_apps_version(live_t *l) MUST_USE;
/* Calls fn for every application in the order of keys, under the lock: it must be quick. */
void live_each_app(live_t *l, void (*fn)(void *arg, const struct live_meta *meta), void *arg);
size_t live_app_count(live_t *l);

/* Calls fn(arg, doc) once, when check(arg, doc) is true of a newer state of the application (NULL: it was
 * deleted), or with timed_out after the deadline. Both run on the watch's thread or the timer's and must be
 * quick. */
struct live_wait {
    bool (*check)(void *arg, const struct live_doc *doc);
    void (*done)(void *arg, struct live_doc *doc, bool timed_out);
    void *arg;
    mono_t deadline;
    atomic_bool *canceled; /* ends the wait too, at the next tick; NULL: nobody cancels */
};
/* Looks at the present state too. */
void live_wait_app(live_t *l, const char *ns, const char *name, const struct live_wait *wait);
/* To be called now and then: ends waits that are overdue, forgets tables nobody looks at. */
void live_tick(live_t *l);

/* ---- trees ---- */

bool live_tree_wanted(live_t *l, const char *ns, const char *name);
/* tree: an ApplicationTree. */
void live_put_tree(live_t *l, const char *ns, const char *name, const json_t *tree);
void live_fail_tree(live_t *l, const char *ns, const char *name, const err_t *err);
/* The tree changed, or all may have (name NULL): wanted ones are asked for again. */
void live_tree_news(live_t *l, const char *ns, const char *name);

/* ---- policy ---- */

/* RBAC, a project's roles or an account changed: verdicts are made again and open subscriptions start over.
 */
void live_policy_changed(live_t *l);

struct live_stats {
    size_t connections, subscriptions, apps, tables;
    uint64_t messages, bytes, resumes, resets, slow_closes;
};
void live_stats(live_t *l, struct live_stats *out);

#endif
