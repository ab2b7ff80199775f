/* cargocd-remote: the commands that talk to a server. */
#include "cli/remote/commands.h"

const struct command_handler command_handlers[] = {
    {"account can-i", account_can_i},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return run_main(argc, argv);
}
