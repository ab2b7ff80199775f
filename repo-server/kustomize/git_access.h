/* The way in to remote bases: git, started by kustomize, finds the credential of the source's repository in a
 * configuration of its own, for that server only. (Argo CD offers it to whatever server a kustomization
 * names.) What is trusted, authorities by host and the known hosts of ssh, counts for every server. */
#ifndef CARGOCD_REPO_KUSTOMIZE_GIT_ACCESS_H
#define CARGOCD_REPO_KUSTOMIZE_GIT_ACCESS_H

#include "common/base/map.h"
#include "repo-server/render.h"

/* Writes the files below the run's home and adds what the program's environment needs. `remotes`: the names
 * by which the kustomization calls what is on the network. *ca_file: the authorities for what kustomize
 * itself fetches from there; the caller's, NULL: the system's. */
int git_access_write(const struct render_input *in, const struct workdir *work, const map_t *remotes,
                     words_t *env, char **ca_file, err_t **err);

#endif
