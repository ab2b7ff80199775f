/* plugin.yaml: what a config management plugin's sidecar does
 * (https://argo-cd.readthedocs.io/en/stable/operator-manual/config-management-plugins/). */
#ifndef CARGOCD_CMP_CONFIG_H
#define CARGOCD_CMP_CONFIG_H

#include "common/base/err.h"
#include "common/json/json.h"

struct plugin_config {
    json_t *doc;
    const char *name, *version; /* "" when there is none */
    /* Commands with their arguments, NULL-terminated; NULL: not configured. */
    char **init, **generate, **find_command, **dynamic_parameters;
    const char *file_name, *find_glob; /* "" when not configured */
    const json_t *static_parameters;   /* array, or NULL */
    bool keep_modes, git_credentials;
};

/* Reads <dir>/plugin.yaml. */
int plugin_config_read(const char *dir, struct plugin_config *out, err_t **err);
void plugin_config_dispose(struct plugin_config *c);
bool plugin_config_discovers(const struct plugin_config *c);
/* <sockets>/<name>[-<version>].sock; the caller's. */
char *plugin_config_socket(const struct plugin_config *c, const char *sockets) MUST_USE;

#endif
