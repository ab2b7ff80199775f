/* Application details: what a form about a source shows (RepoAppDetailsResponse of Argo CD). */
#ifndef CARGOCD_REPO_DETAILS_H
#define CARGOCD_REPO_DETAILS_H

#include "common/base/map.h"
#include "repo-server/render.h"

/* {type, helm | kustomize | directory}. A new document. */
int details_of(const struct render_input *in, json_t **out, err_t **err);

/* Helm values as parameters: "a.b[0]" to text, into `out` (later calls override). Leaves as Go prints them
 * (%v). */
void details_flatten(const json_t *values, map_t *out);
/* Every `image` of an entry of a list under containers or initContainers, at any depth. */
void details_images(const json_t *object, words_t *out);

#endif
