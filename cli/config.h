/* The file that argocd and cargocd share: ~/.config/argocd/config, YAML, with contexts, servers and users
 * (https://argo-cd.readthedocs.io/en/stable/user-guide/environment-variables/). It stays a document, so that
 * what another version wrote into it is kept. */
#ifndef CARGOCD_CLI_CONFIG_H
#define CARGOCD_CLI_CONFIG_H

#include "common/json/json.h"

/* $ARGOCD_CONFIG_DIR, or ~/.argocd when there is one, or $XDG_CONFIG_HOME/argocd, or ~/.config/argocd. */
int config_dir(const char *(*env)(const char *name), char **out, err_t **err);

/* Reads the file; *out is NULL when there is none. Refuses a file that others may read, and one whose current
 * context is not complete. */
int config_read(const char *path, json_t **out, err_t **err);
/* Writes it, readable by its owner only; makes the folder. A link stays one. */
int config_write(const char *path, const json_t *config, err_t **err);
/* The text of a file, checked, as a document. */
int config_parse(const char *text, size_t n, json_t **out, err_t **err);

/* What a context stands for; borrowed from the document. */
struct config_context {
    const char *name;
    const json_t *server; /* {server, insecure, plain-text, grpc-web, grpc-web-root-path, …} */
    const json_t *user;   /* {name, auth-token, refresh-token} */
};
/* name "": the current context. */
int config_context(const json_t *config, const char *name, struct config_context *out, err_t **err);

/* Whether the current context is complete, if there is one. */
int config_check(const json_t *config, err_t **err);

enum config_list { CONFIG_CONTEXTS, CONFIG_SERVERS, CONFIG_USERS };
/* The entry of a name (a server's name is its address); NULL. Borrowed. */
json_t *config_find(const json_t *config, enum config_list list, const char *name);
/* Adds the entry, or puts it in the place of the one of its name. */
void config_upsert(json_t *config, enum config_list list, json_t *entry_take);
/* False when there was none. */
bool config_remove(json_t *config, enum config_list list, const char *name);

const char *config_current(const json_t *config);
void config_set_current(json_t *config, const char *name);
bool config_prompts(const json_t *config);

/* The claims of a token, unverified; for texts only. */
int token_claims(const char *token, json_t **out, err_t **err);
/* Who the claims name: email, name, or the subject. */
const char *token_display_name(const json_t *claims);

#endif
