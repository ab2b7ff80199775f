/* Who works what: the division of clusters and applications among the controller's replicas, as a value.
 *
 * A plan has a number (its generation), the members among whom it divides, and the clusters that are given to
 * one of them. What it does not name is divided by rendezvous hashing, so that two replicas with the same
 * plan never disagree, whatever each of them has heard of clusters so far: the owner depends on nothing but
 * the plan, the destination's server and the application. Pure: no I/O, no clock. */
#ifndef CARGOCD_APP_CONTROLLER_MEMBERS_PLAN_H
#define CARGOCD_APP_CONTROLLER_MEMBERS_PLAN_H

#include "common/base/map.h"
#include "common/json/json.h"

struct plan {
    uint64_t generation; /* 0: no plan */
    char **members;      /* names, sorted; NULL: none */
    map_t
        clusters; /* k: server, v: char *, the member; set to "" where applications are divided one by one */
};

/* What a plan is made of. */
struct plan_cluster {
    char *server;
    int64_t shard; /* that its Secret asks for; negative: none */
    size_t apps;
};

void plan_dispose(struct plan *p);
void plan_copy(struct plan *to, const struct plan *from);
/* {"generation", "members": [], "clusters": {server: member}}. At most 200 KiB: an annotation's place. */
char *plan_text(const struct plan *p) MUST_USE;
int plan_parse(const char *text, size_t n, struct plan *out, err_t **err);

/* The member that works this application ("namespace/name") of that destination; server "": it could not be
 * resolved. NULL when there are no members. Borrowed. */
const char *plan_owner(const struct plan *p, const char *server, const char *app);
/* The member that answers for the cluster as a whole: its state, its figures. */
const char *plan_cluster_owner(const struct plan *p, const char *server);
/* Whether the cluster's applications are divided one by one. */
bool plan_splits(const struct plan *p, const char *server);

/* The plan that follows `old` (generation 0: the first) for these members (sorted). A cluster stays where it
 * is while its owner is there and not overloaded; the others go to whom they hash to, if that one has room,
 * so that nobody has more than a quarter over the average unless by a single cluster. The weight of a cluster
 * is 1 + its applications. A shard names the member whose name ends in "-<shard>". Above `split_above`
 * applications (0: never) a cluster is divided by application, until it has less than half of that.
 * False when nothing changes; *out is then empty. */
bool plan_next(const struct plan *old, char *const *members, const struct plan_cluster *clusters, size_t n,
               size_t split_above, struct plan *out);

#endif
