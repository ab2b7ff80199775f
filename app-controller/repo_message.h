/* From documents to the repository server's messages. */
#ifndef CARGOCD_APP_CONTROLLER_REPO_MESSAGE_H
#define CARGOCD_APP_CONTROLLER_REPO_MESSAGE_H

#include "app-controller/comparison.h"
#include "common/base/arena.h"
#include "proto/rpc/repo.pb-c.h"

struct repo_request {
    Cargocd__Repo__GenerateManifestRequest message; /* everything it points to is the arena's */
    arena_t *arena;
};
void repo_request_init(struct repo_request *q, struct controller *ctl, struct app *app,
                       const struct compare_input *in, const json_t *source);
void repo_request_dispose(struct repo_request *q);

#endif
