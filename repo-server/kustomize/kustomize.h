/* Inside of the Kustomize renderer. */
#ifndef CARGOCD_REPO_KUSTOMIZE_KUSTOMIZE_H
#define CARGOCD_REPO_KUSTOMIZE_KUSTOMIZE_H

#include "repo-server/export.h"
#include "repo-server/render.h"

/* What a kustomization reaches. */
struct closure {
    const struct render_input *in;
    struct export *out; /* files are brought here */
    bool remote;        /* something is on the network */
    map_t remotes;      /* … by these names */
    bool helm;          /* charts are inflated */
    bool *env;          /* by build_env_names: an env file names it */
    map_t seen;         /* directories */
};
/* Brings the kustomization in the directory and all that it names, directly and through others. What is not
 * there is left for kustomize to say. */
int closure_of(struct closure *c, const char *dir, err_t **err);
/* The same for one more name in the kustomization of the directory. */
int closure_add(struct closure *c, const char *dir, const char *entry, err_t **err);

/* The kustomization file of a directory, as kustomize looks for it. NULL when there is none, or several. The
 * caller's. */
int kustomization_file(tree_t *tree, const char *dir, char **out, err_t **err);

/* The source's fields (source.kustomize) worked into a kustomization, as `kustomize edit` would and as Argo
 * CD uses it. Commands that say so are added to `commands` (may be NULL). `dir` is where components are
 * looked for. */
int kustomization_edit(json_t *kustomization, const json_t *spec, const struct render_input *in,
                       const char *dir, words_t *commands, err_t **err);
/* Hosts and schemes by which kustomize takes an entry for a repository or a file on the network. */
bool kustomize_looks_remote(const char *entry);

/* The components of the source that are there, patterns expanded. */
int component_paths(const struct render_input *in, const json_t *spec, const char *dir, words_t *out,
                    err_t **err);
/* Whether any field of the source asks for an edit. */
bool kustomization_has_edits(const json_t *spec);

#endif
