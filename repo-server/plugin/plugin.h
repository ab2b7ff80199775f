/* Config management plugins (v2): sidecars that render, reached over a Unix socket each. The source goes to
 * them as an archive, what they print comes back. */
#ifndef CARGOCD_REPO_PLUGIN_H
#define CARGOCD_REPO_PLUGIN_H

#include "common/net/grpc.h"
#include "repo-server/render.h"

/* Settings of the daemon. Texts are borrowed. */
struct plugin_settings {
    const char *dir;     /* ARGOCD_PLUGINSOCKFILEPATH: <name>.sock files */
    const char *scratch; /* for archives; exists */
    char *const
        *exclusions; /* ARGOCD_REPO_SERVER_PLUGIN_TAR_EXCLUSIONS: shell globs over paths; NULL: none */
    bool use_generate_paths; /* ARGOCD_REPO_SERVER_PLUGIN_USE_MANIFEST_GENERATE_PATHS */
    size_t chunk;            /* ARGOCD_CMP_CHUNK_SIZE, bytes */
    struct askpass *askpass; /* gives credentials to plugins that ask for them; NULL: none are given */
};

/* The names of the plugins that are there, sorted, NULL-terminated; the caller's. Empty for NULL settings. */
char **plugin_names(const struct plugin_settings *s) MUST_USE;

/* Whether a plugin that was not named finds that the application at `path` is its own. Blocks: streams the
 * source to every plugin with a discovery rule. What it depends on is noted in the trace. */
int plugin_detect(const struct render_input *in, const char *path, bool *found, err_t **err);

int plugin_render(const struct render_input *in, const struct render_plan *plan, rendered_objects_t *objects,
                  struct render_output *out, err_t **err);

/* The parameters that the plugin announces: an array as Argo CD's API has it. A new document. */
int plugin_announcements(const struct render_input *in, const struct render_plan *plan, json_t **out,
                         err_t **err);

/* ---- parts (plugin_env.c, plugin_archive.c) ---- */

typedef VEC(char *) plugin_env_t; /* "NAME=value" */
/* The build environment alone, as discovery gets it. */
void plugin_env_build(const struct render_input *in, plugin_env_t *env);
/* What of spec.source.plugin becomes variables. */
int plugin_env_source(const struct render_input *in, const json_t *plugin, plugin_env_t *env, err_t **err);
void plugin_env_free(plugin_env_t *env);
/* plugin_creds.c: how to get the credential of the source's repository. *nonce (NULL: nothing was given) is
 * for askpass_remove when the plugin is done. */
int plugin_creds_give(const struct render_input *in, plugin_env_t *env, char **nonce, err_t **err);

/* The source as a gzipped tar in a file without a name. */
struct plugin_archive {
    int fd;
    char checksum[65];
    uint64_t size;
    char *app; /* the application's path in the archive */
};
int plugin_archive_make(const struct render_input *in, const char *path, struct plugin_archive *out,
                        err_t **err);
void plugin_archive_dispose(struct plugin_archive *a);

/* generate_paths.c: the annotation manifest-generate-paths as paths from the root of the tree, cleaned;
 * NULL-terminated, the caller's. source_path is the application's. */
char **generate_paths_of(const char *annotation, const char *source_path) MUST_USE;
/* The deepest directory that holds all of them and the application; the caller's ("" is the root). */
char *generate_paths_root(char *const *paths, const char *source_path) MUST_USE;
/* Whether a changed file (from the root) concerns one of the paths: equal, below it, or a shell glob. */
bool generate_paths_match(char *const *paths, const char *file);

#endif
