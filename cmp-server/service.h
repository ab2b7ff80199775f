/* The plugin's side of proto/cmp/plugin.proto: unpacks the source that came, runs the configured commands in
 * it, answers with what they print. */
#ifndef CARGOCD_CMP_SERVICE_H
#define CARGOCD_CMP_SERVICE_H

#include "cmp-server/config.h"
#include "common/net/grpc.h"
#include "proto/cmp/plugin.pb-c.h"

struct service {
    const struct plugin_config *config;
    const char *work; /* directories of calls are made below; exists */
};

/* For grpc_server_options; ctx is struct service *. */
extern const struct grpc_method service_methods[];
extern const size_t service_method_count;

/* ---- what the service files share ---- */

/* A source that came in (receive.c). */
struct source {
    char *dir, *app; /* its root, and the application below it */
    Plugin__ManifestRequestMetadata *meta;
};
int receive_message(const struct grpc_call_info *call, void **state, const char *p, size_t n, err_t **err);
void receive_free(void *state);
/* Unpacks what was received. */
int receive_unpack(const struct service *s, void *state, struct source *out, err_t **err);
void source_dispose(struct source *s);

/* Runs a command in the application's directory, in the sidecar's environment and what the call adds to it;
 * its output without one final newline (command.c). */
int command_run(const struct grpc_call_info *call, const struct source *s, char *const *argv, str_t *out,
                err_t **err);

/* git's helper for credentials (askpass.c): whether the process was started as it, and its main. */
#define ASKPASS_NAME_ENV "ARGOCD_BINARY_NAME"
#define ASKPASS_NAME     "argocd-git-ask-pass"
bool askpass_is_wanted(void);
int askpass_main(int argc, char **argv);

/* Whether a file below `dir` matches (discover.c). `deep`: "**" crosses directories and {a,b} are
 * alternatives; else the rules of Go's filepath.Glob. */
int discover_glob(const char *dir, const char *pattern, bool deep, bool *found, err_t **err);

/* The documents of a stream of YAML or JSON, each as JSON text (documents.c). */
int documents_read(const char *p, size_t n, char ***out, err_t **err);

#endif
