/* cargocd-remote: the commands that talk to a server. */
#include "cli/remote/commands.h"

const struct command_handler command_handlers[] = {
    {"account can-i", account_can_i},
    {"account get", account_get},
    {"account get-user-info", account_user_info},
    {"account list", account_list},
    {"account update-password", account_update_password},
    {"app actions list", app_actions_list},
    {"app actions run", app_actions_run},
    {"app add-source", app_add_source},
    {"app confirm-deletion", app_confirm_deletion},
    {"app create", app_create},
    {"app delete", app_delete},
    {"app diff", app_diff},
    {"app get", app_get},
    {"app history", app_history},
    {"app list", app_list},
    {"app logs", app_logs},
    {"app manifests", app_manifests},
    {"app patch", app_patch},
    {"app remove-source", app_remove_source},
    {"app resources", app_resources},
    {"app rollback", app_rollback},
    {"app set", app_set},
    {"app sync", app_sync},
    {"app terminate-op", app_terminate},
    {"app unset", app_unset},
    {"app wait", app_wait},
    {"app why", app_why},
    {"cluster get", cluster_get},
    {"cluster list", cluster_list},
    {"login", login},
    {"logout", logout},
    {"proj get", project_get},
    {"proj list", project_list},
    {"relogin", relogin},
    {"repo get", repo_get},
    {"repo list", repo_list},
    {"version", remote_version},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    int status = run_main(argc, argv);
    if (status == RUN_ELSEWHERE)
        abort(); /* the table of commands has one that no program does */
    return status;
}
