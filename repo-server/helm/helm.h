/* Inside of the Helm renderer. */
#ifndef CARGOCD_REPO_HELM_HELM_H
#define CARGOCD_REPO_HELM_HELM_H

#include "common/base/file.h"
#include "common/base/map.h"
#include "repo-server/export.h"
#include "repo-server/render.h"

/* What the texts of a chart refer to of the cluster's capabilities, and whether they read files of the chart
 * at all. */
struct capabilities {
    bool kube_version, all_apis, files;
    map_t apis; /* names that .Capabilities.APIVersions.Has asks for */
};
void capabilities_scan(struct capabilities *c, const char *path, const char *p, size_t n);
void capabilities_dispose(struct capabilities *c);

/* One rendering. */
struct helm {
    const struct render_input *in;
    const struct render_plan *plan;
    const json_t *spec; /* source.helm; may be NULL */
    struct render_output *out;
    struct workdir work;
    struct export src;
    struct capabilities caps;
    char *program;
    bool names_only;           /* nothing is exported: files are named "<role>\n<path in that tree>" */
    unsigned credentials;      /* files written */
    bool insecure, plain_http; /* what some dependency needs */
    str_t authorities;         /* of the hosts of dependencies and values */
    words_t asked;             /* repositories of dependencies */
    VEC(char *) charts;        /* directories that were brought */
    VEC(struct export) refs;   /* one for each of in->refs that is used */
    VEC(const struct render_ref *) ref_of;
};

/* values.c: each of the source's valueFiles, in order, as its tree and the path there, or as a URL (tree
 * NULL). Ones that are not there are left out. */
int helm_each_value_file(const struct render_input *in, const struct render_plan *plan,
                         int (*fn)(void *arg, tree_t *tree, const char *path, err_t **err), void *arg,
                         err_t **err);

/* The files behind valueFiles and one path of fileParameters, as helm is to be given them: paths of
 * the host or URLs. */
int helm_value_files(struct helm *h, words_t *out, err_t **err);
int helm_file_parameter(struct helm *h, const char *path, char **out, err_t **err);

/* deps.c: fetches what Chart.yaml names and charts/ has not. */
int helm_build_dependencies(struct helm *h, err_t **err);
bool helm_misses_dependencies(const char *standard_error);

/* credentials.c: the repository of that URL (without "oci://") or name, else the template that fits best. */
const struct render_repo *helm_find_repo(const struct render_input *in, const char *url, const char *name,
                                         bool oci);
bool helm_repo_is_oci(const struct render_repo *r);
const char *helm_without_oci(const char *url);
/* Which one it is becomes a fact. */
void helm_note_credential(const struct render_input *in, const char *url, const char *name, bool oci);

/* helm.c: runs helm in the chart's directory; commands are noted in the output. */
int helm_run(struct helm *h, const words_t *args, bool network, const char *input, str_t *out, str_t *errs,
             err_t **err);
/* Brings a chart's directory; what of it matters is noted at the end, when all texts have been seen. */
int helm_take_chart(struct helm *h, const char *path, err_t **err);

#endif
