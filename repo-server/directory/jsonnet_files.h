/* The Jsonnet files of a plain directory. */
#ifndef CARGOCD_REPO_DIRECTORY_JSONNET_FILES_H
#define CARGOCD_REPO_DIRECTORY_JSONNET_FILES_H

#include "repo-server/jsonnet/jsonnet.h"
#include "repo-server/render.h"

struct jsonnet_files {
    const struct render_input *in;
    const char *root;   /* the application's directory */
    const json_t *spec; /* directory.jsonnet; may be NULL */
    /* Made with the first file. */
    jsonnet_t *evaluator;
    json_t *ext_vars, *tlas;
    char **paths; /* where imports are looked for, the first one first */
};
/* Adds what the file evaluates to. `path` is below root. */
int jsonnet_file(struct jsonnet_files *j, const char *path, const str_t *text, rendered_objects_t *objects,
                 err_t **err);
void jsonnet_files_dispose(struct jsonnet_files *j);

#endif
