/* Inside of live, for live.c, topics.c, conn.c and stream.c. Everything is under live's lock. */
#ifndef CARGOCD_API_LIVE_LIVE_IMPL_H
#define CARGOCD_API_LIVE_LIVE_IMPL_H

#include "api-server/live/conn.h"
#include "api-server/live/live.h"
#include "api-server/live/sub.h"

enum topic { TOPIC_APPS, TOPIC_APP, TOPIC_TREE };

struct follower;

/* A table with those who follow it. */
struct live_topic {
    live_t *live;
    live_table_t table;
    enum topic topic;
    char *key; /* "apps", "app:<ns>/<name>", "tree:<ns>/<name>" */
    char *ns, *name;
    bool ready;
    err_t *failure; /* of the last attempt to get it; NULL when it is there */
    mono_t left_at; /* when the last follower went */
    struct follower *followers;
};

/* Somebody's subscription to a topic. */
struct follower {
    live_sub_t sub;
    struct live_topic *topic; /* NULL: not following */
    struct follower *prev, *next;
    /* The topic changed, became ready or failed. */
    void (*changed)(struct follower *f);
};

struct waiter {
    struct live_wait wait;
    char *key;
    struct waiter *next;
};

struct live {
    struct live_options options;
    char *control_ns;
    char epoch[9];
    lock_t lock;
    uint64_t rev;
    uint64_t policy_epoch;
    struct live_topic apps;
    map_t topics; /* key -> live_topic, all but apps */
    struct waiter *waiters;
    char *apps_version;
    bool listing;
    struct live_stats stats;
};

/* Follows with a filter; the follower starts when the caller calls sub_reset, sub_resume or sub_from_now. */
void live_follow(struct live_topic *t, struct follower *f, const struct sub_filter *filter);
void live_unfollow(struct follower *f);
/* The topic of an application, made when it is not there. */
struct live_topic *live_topic_of(live_t *l, enum topic topic, const char *ns, const char *name);
void live_topic_changed(struct live_topic *t);

/* Whether the caller may get the application of this meta. */
bool live_may_get(live_t *l, rbac_caller_t *caller, const identity_t *identity, const struct live_meta *m);

/* ---- topics.c: rows ---- */

/* Columns of the topic apps; a new object. */
json_t *topic_apps_columns(const json_t *app) MUST_USE;
extern const char *const topic_apps_coded[];
void topic_app_put(live_table_t *t, const struct live_meta *meta, const json_t *app, mono_t now);
void topic_tree_put(live_table_t *t, const struct live_meta *meta, const json_t *tree, mono_t now);

/* The Application as REST shows it: without managed fields, with what the Go structs always print. */
void app_rest_form(json_t *app);

#endif
