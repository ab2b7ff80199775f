/* cargocd-compare: the commands that decide as the controller does, on files, without any server. */
#include "cli/compare/load.h"

#define OVERRIDES "admin settings resource-overrides "

const struct command_handler command_handlers[] = {
    {"compare", compare},
    {"admin settings validate", settings_validate},
    {OVERRIDES "health", override_health},
    {OVERRIDES "ignore-differences", override_differences},
    {OVERRIDES "ignore-resource-updates", override_updates},
    {OVERRIDES "list-actions", override_list_actions},
    {OVERRIDES "run-action", override_run_action},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    int status = run_main(argc, argv);
    if (status == RUN_ELSEWHERE)
        abort(); /* cargocd sent a command here that is not ours */
    return status;
}
