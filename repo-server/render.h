/* Rendering: from a source tree, a source's specification and an environment to manifests and the trace of
 * what was read.
 *
 * One interface for all types of sources; each type is one row of a table (render.c). Renderers get
 * everything in struct render_input and touch nothing else: no network but what their programs need, no
 * clock, no global state. */
#ifndef CARGOCD_REPO_RENDER_H
#define CARGOCD_REPO_RENDER_H

#include "common/argo/tracking.h"
#include "common/base/clock.h"
#include "common/json/json.h"
#include "repo-server/artifact/remote.h"
#include "repo-server/build_env.h"
#include "repo-server/tools.h"
#include "repo-server/trace.h"
#include "repo-server/tree.h"

/* Changes whenever equal inputs may give another result: renderings of another version are not used. */
enum { RENDERER_VERSION = 4 };

/* Settings of the daemon. */
struct plugin_settings;
struct render_settings {
    int64_t max_directory_bytes; /* ARGOCD_REPO_SERVER_MAX_COMBINED_DIRECTORY_MANIFESTS_SIZE; 0: none */
    tools_t *tools;
    const struct remote_settings *remote;  /* for details; NULL: values on the network are left out */
    const struct plugin_settings *plugins; /* NULL: none are served */
    int64_t remote_ttl_ns; /* how long a rendering holds that has used what no trace can prove; 0: 24 h */
};

struct origin;
struct git_settings;

/* A credential for helm, as the caller found it. Texts are borrowed, NULL when there is none. */
struct render_repo {
    const char *url, *name, *type, *username, *password, *ca_pem, *tls_client_cert, *tls_client_key;
    bool insecure, enable_oci, plain_http, azure;
};

/* Another tree that the source may refer to: "$values". */
struct render_ref {
    const char *name;
    tree_t *tree;
};

struct kustomize_version {
    const char *name, *path;
};

struct render_input {
    tree_t *tree;
    trace_t *trace;       /* of this rendering; may be NULL */
    const json_t *source; /* ApplicationSource */
    const struct build_env *env;
    const struct render_settings *settings;
    const char *app_name;     /* the instance name */
    const char *namespace;    /* of the destination */
    struct tracking tracking; /* of nobody when tracking.label_key is "" */
    const char *kube_version;
    char *const *api_versions; /* sorted; NULL-terminated */
    bool helm_enabled, kustomize_enabled, directory_enabled;
    const char *generate_paths; /* the annotation manifest-generate-paths; NULL: none */
    const char *kustomize_build_options;
    const struct kustomize_version *kustomize_versions;
    size_t nkustomize_versions;
    char *const *value_schemes; /* NULL: https, http */
    const struct render_repo *helm_repos, *helm_repo_creds;
    size_t nhelm_repos, nhelm_repo_creds;
    const struct origin *origin;    /* the source's Git repository and its credential; NULL: none */
    const struct git_settings *git; /* with the origin */
    const char *proxy, *no_proxy;   /* of the source's repository; NULL: the environment's */
    bool insecure;                  /* so is that repository's server: not verified */
    const char *access_key;         /* digest of who reads the source; NULL: nobody in particular */
    const char *project;
    char *const *project_repos; /* spec.sourceRepos of the project; NULL: not known */
    const struct render_ref *refs;
    size_t nrefs;
    /* All that the sources define, sorted, also those that this one does not use; NULL: the above. For
     * messages. */
    char *const *ref_names;
    bool multi_source; /* references may exist; nrefs may be 0 all the same */
    mono_t deadline;
    atomic_bool *canceled; /* may be NULL */
};

/* Objects as a renderer finds them. */
struct rendered_object {
    json_t *doc;
    char *origin; /* "a.yaml, document 2", for messages */
};
typedef VEC(struct rendered_object) rendered_objects_t;
/* Takes the document. */
void rendered_add(rendered_objects_t *objects, json_t *doc_take, const char *origin);
void rendered_objects_dispose(rendered_objects_t *objects);

struct render_output {
    const char *type;      /* "Directory" …; static */
    VEC(char *) manifests; /* compact JSON, tracking applied */
    VEC(char *) commands;
    VEC(char *) warnings;
};
void render_output_dispose(struct render_output *out);
void render_warn(struct render_output *out, const char *fmt, ...) PRINTF(2, 3);

/* Which renderer is to work on what: the source with the overrides of .argocd-source.yaml files, and its
 * type. */
struct render_plan {
    json_t *source;
    const struct renderer *renderer;
    char *path; /* of the application below the root of the tree, cleaned; "" is the root */
};
void render_plan_dispose(struct render_plan *p);
int render_plan(const struct render_input *in, struct render_plan *out, err_t **err);
/* "Directory", "Helm", "Kustomize", "Plugin". */
const char *render_plan_type(const struct render_plan *p);
/* Whether it starts a program: such work waits in a pool of its own. */
bool render_plan_forks(const struct render_plan *p);

int render_run(const struct render_input *in, const struct render_plan *plan, struct render_output *out,
               err_t **err);

/* Something came over the network: no trace proves that, so the rendering holds for a time only, and, unless
 * what came is pinned by the source, for this commit only. */
int render_note_remote(const struct render_input *in, bool pinned, err_t **err);

/* The value of FACT_CREDENTIAL by its name ("": who reads the source). The caller's. */
char *render_credential(const struct render_input *in, const char *asked) MUST_USE;

/* The value of FACT_OPTION by its name ("kustomize", "valueSchemes"): settings of argocd-cm. The caller's. */
char *render_option(const struct render_input *in, const char *name) MUST_USE;
/* Notes that one counts. */
void render_note_option(const struct render_input *in, const char *name);

/* A row of the table of types. */
struct renderer {
    const char *type;
    bool forks;
    int (*render)(const struct render_input *in, const struct render_plan *plan, rendered_objects_t *objects,
                  struct render_output *out, err_t **err);
};
int directory_render(const struct render_input *in, const struct render_plan *plan,
                     rendered_objects_t *objects, struct render_output *out, err_t **err);
int helm_render(const struct render_input *in, const struct render_plan *plan, rendered_objects_t *objects,
                struct render_output *out, err_t **err);
int kustomize_render(const struct render_input *in, const struct render_plan *plan,
                     rendered_objects_t *objects, struct render_output *out, err_t **err);

/* source.c: the path of the application in the tree, checked as Argo CD does. The caller's. */
int source_app_path(tree_t *tree, const json_t *source, char **out, err_t **err);
/* The names by which sources refer to one another ("$values"): letters, digits, "_" and "-", each once. */
int source_check_refs(char *const *names, size_t n, err_t **err);
/* The source merged with the overrides below path. A new document. */
int source_overridden(const struct render_input *in, const char *path, json_t **out, err_t **err);
/* The type that the source names, or that the directory's content makes it. */
int source_type(const struct render_input *in, const json_t *source, const char *path, const char **type,
                err_t **err);

/* The type that a file of this name makes its directory: of several, in the order of names, the last one
 * counts ("Chart.yaml" is before "kustomization.yaml", "MyChart.yaml" after "Kustomization"). NULL: none.
 * Static. */
const char *source_mark(const char *name, bool helm, bool kustomize);

/* manifest.c: lists expanded, empty objects dropped, tracking applied, each as text. */
int manifests_finish(const struct render_input *in, rendered_objects_t *objects, struct render_output *out,
                     err_t **err);

/* parse.c: objects of a text as Argo CD reads generated output: a stream of YAML (or JSON) documents, each of
 * which must be an object with a kind, or empty. */
int parse_stream(const char *p, size_t n, const char *name, rendered_objects_t *objects, err_t **err);

#endif
