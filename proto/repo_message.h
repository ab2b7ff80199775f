/* Repository Secrets as messages of proto/rpc/repo.proto: what the controller and the api-server send to the
 * repository server when they ask about a source. */
#ifndef CARGOCD_PROTO_REPO_MESSAGE_H
#define CARGOCD_PROTO_REPO_MESSAGE_H

#include "common/base/arena.h"
#include "common/json/json.h"
#include "proto/rpc/repo.pb-c.h"

/* A member's text, "" when it is missing; the arena's. */
char *message_text(arena_t *a, const json_t *o, const char *key);
/* A repository's Secret, its data as texts by their keys. The arena's. */
Cargocd__Repo__Repository *message_of_repo(arena_t *a, const json_t *secret);
Cargocd__Repo__Repository **messages_of_repos(arena_t *a, const json_t *list, size_t *n);

#endif
