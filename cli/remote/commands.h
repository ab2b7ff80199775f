/* The commands that talk to a server, and what they share. */
#ifndef CARGOCD_CLI_REMOTE_COMMANDS_H
#define CARGOCD_CLI_REMOTE_COMMANDS_H

#include "cli/app/states.h"
#include "cli/remote/client.h"

/* session.c */
int login(struct run *r, err_t **err);
int relogin(struct run *r, err_t **err);
int logout(struct run *r, err_t **err);
int remote_version(struct run *r, err_t **err);
/* account.c */
int account_can_i(struct run *r, err_t **err);
int account_get(struct run *r, err_t **err);
int account_list(struct run *r, err_t **err);
int account_update_password(struct run *r, err_t **err);
int account_user_info(struct run *r, err_t **err);
/* app_read.c */
int app_get(struct run *r, err_t **err);
int app_history(struct run *r, err_t **err);
int app_why(struct run *r, err_t **err);
int app_actions_list(struct run *r, err_t **err);
int app_actions_run(struct run *r, err_t **err);
int app_list(struct run *r, err_t **err);
int app_manifests(struct run *r, err_t **err);
int app_resources(struct run *r, err_t **err);
/* app_write.c */
int app_add_source(struct run *r, err_t **err);
int app_confirm_deletion(struct run *r, err_t **err);
int app_create(struct run *r, err_t **err);
int app_delete(struct run *r, err_t **err);
int app_patch(struct run *r, err_t **err);
int app_remove_source(struct run *r, err_t **err);
int app_set(struct run *r, err_t **err);
int app_unset(struct run *r, err_t **err);
/* app_sync.c */
int app_rollback(struct run *r, err_t **err);
int app_sync(struct run *r, err_t **err);
int app_terminate(struct run *r, err_t **err);
int app_wait(struct run *r, err_t **err);
/* app_diff.c, app_logs.c */
int app_diff(struct run *r, err_t **err);
int app_logs(struct run *r, err_t **err);
/* others.c */
int cluster_get(struct run *r, err_t **err);
int cluster_list(struct run *r, err_t **err);
int project_get(struct run *r, err_t **err);
int project_list(struct run *r, err_t **err);
int repo_get(struct run *r, err_t **err);
int repo_list(struct run *r, err_t **err);

/* ---- shared ---- */

/* Logs in with a name and a password that are asked for when they are empty; the token is the caller's. */
int password_login(client_t *c, const char *username, const char *password, char **token, err_t **err);
/* Asks only when prompts are enabled; false: cancelled. */
int confirm(const struct run *r, const char *question, bool *yes, err_t **err);

/* Paths of applications: "/api/v1/applications/<name><rest>?appNamespace=<ns>". */
void app_path(const char *name, const char *ns, const char *rest, str_t *out);
/* The application of a name ("ns/name", or with `ns`); refresh: NULL, "normal", "hard". */
int app_fetch(client_t *c, const char *name, const char *ns, const char *refresh, json_t **out, err_t **err);
/* Puts the health of resources into the status when the server left it in the tree, where the controller
 * keeps it. */
void app_fill_health(client_t *c, json_t *app);
/* Names ("ns/name") of the applications that a selector and projects match; added to *names. */
typedef VEC(char *) names_t;
int apps_select(client_t *c, const char *selector, const char *ns, char *const *projects, names_t *names,
                err_t **err);
void names_dispose(names_t *names);
/* The page of the application in the dashboard; the caller's. */
int app_url(client_t *c, const char *name, char **out, err_t **err);
/* Reads --source-name and --source-position: the position (-1: none was given). */
int source_position_of(const struct run *r, const json_t *app, int64_t *out, err_t **err);
/* Whether one of several sources is at the position. */
int source_position_check(const json_t *app, int64_t position, err_t **err);
/* Reads --revisions with --source-positions or --source-names into `into` ("revisions", "sourcePositions").
 */
int revisions_of_run(const struct run *r, const json_t *app, json_t *into, err_t **err);
/* Prints the resource tree of -o tree or tree=detailed for an application. */
int print_app_tree(client_t *c, const char *name, const char *ns, bool detailed, err_t **err);
/* A file's or URL's content, for spec_files. */
int load_file(void *arg, const char *path_or_url, str_t *out, err_t **err);

/* ---- waiting ---- */

struct wait_request {
    const char *name; /* as the user gave it */
    const char *real_name, *ns;
    struct wait_for_what what;
    const res_filters_t *filters; /* NULL: the application as a whole */
    int64_t timeout_s;            /* 0: none */
    const char *output;
    /* After a request of ours: what it made of the application. Older versions are not looked at, and the
     * status is compared anew at the end. 0: there was none. */
    int64_t min_version;
    bool dry_run;
};
/* Follows the application, prints rows as they change and its final state. *app: how it was when the wait
 * ended (NULL when it is gone). ERR_DEADLINE_EXCEEDED. */
int app_wait_for(client_t *c, const struct wait_request *w, json_t **app, err_t **err);

#endif
