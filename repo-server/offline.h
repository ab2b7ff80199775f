/* What the repository server would render for an Application, without any server: the whole of it is started
 * in this process, in a temporary directory, and asked once for each source. */
#ifndef CARGOCD_REPO_OFFLINE_H
#define CARGOCD_REPO_OFFLINE_H

#include "common/base/vec.h"
#include "common/json/json.h"

/* Texts are borrowed. */
struct offline_options {
    const json_t *app; /* the Application */
    const char *local; /* a directory that stands for the repository of the sources; NULL: none */
    const char
        *revision; /* of the first source; NULL: as the Application says. With `local`, a commit there */
    const char *kube_version;               /* NULL: "" */
    char *const *api_versions;              /* NULL-terminated; NULL: none */
    const char *helm, *kustomize, *kubectl; /* NULL: by these names in PATH */
    const char *tls_dir, *ssh_dir;          /* authorities and known hosts; NULL: none */
};

struct offline_result {
    VEC(char *) manifests; /* compact JSON, of all sources in order */
    VEC(char *) warnings;
};
void offline_result_dispose(struct offline_result *r);

/* Errors are those of the server. To be called once in a process, whose main has called repo_child_main. */
int offline_render(const struct offline_options *options, struct offline_result *out, err_t **err);

/* offline_tree.c: makes a bare repository at `to` whose only branch `local` has the files of a directory as
 * they are: without .git, and without what a .gitignore there excludes. */
int offline_import(const char *from, const char *to, err_t **err);

#endif
