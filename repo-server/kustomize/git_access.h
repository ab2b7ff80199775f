/* The way in to remote bases: git, started by kustomize, finds the credential of the source's repository in a
 * configuration of its own, for that server only. (Argo CD offers it to whatever server a kustomization
 * names.) */
#ifndef CARGOCD_REPO_KUSTOMIZE_GIT_ACCESS_H
#define CARGOCD_REPO_KUSTOMIZE_GIT_ACCESS_H

#include "repo-server/render.h"

/* Writes the files below the run's home and adds what the program's environment needs. */
int git_access_write(const struct render_input *in, const struct workdir *work, words_t *env, err_t **err);

#endif
