/* Argo CD's division of clusters into shards, for replicas that are told which shard is theirs
 * (https://argo-cd.readthedocs.io/en/stable/operator-manual/high_availability/, controller/sharding of its
 * source): legacy, round-robin, consistent-hashing. Pure. */
#ifndef CARGOCD_APP_CONTROLLER_MEMBERS_SHARD_H
#define CARGOCD_APP_CONTROLLER_MEMBERS_SHARD_H

#include "common/base/map.h"

enum shard_method { SHARD_LEGACY, SHARD_ROUND_ROBIN, SHARD_CONSISTENT_HASHING };

struct shard_cluster {
    char *server, *id; /* id: the uid of its Secret; "" for the implicit one */
    int64_t shard;     /* that its Secret asks for; negative: none */
    int64_t apps;      /* Applications whose destination names this server */
};

/* Unknown names are legacy, with *known false (may be NULL). */
enum shard_method shard_method_of(const char *name, bool *known);
/* Which shard each cluster belongs to, in out[0..n). A shard asked for that there is not is 0. Reorders c by
 * id. */
void shard_divide(enum shard_method method, unsigned replicas, struct shard_cluster *c, size_t n,
                  unsigned *out);
/* The shard of a replica: what was given, else the number at the end of its host name, else 0. */
unsigned shard_of_replica(int64_t given, const char *hostname, unsigned replicas);

#endif
