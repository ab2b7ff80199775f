/* One run of the program: from its words to an exit status. The command line is three programs that share
 * this: `cargocd` starts at once and does little by itself; for what needs a server it becomes
 * `cargocd-remote`, which loads the libraries of the network, and for what the controller's own rules decide,
 * `cargocd-compare`. */
#ifndef CARGOCD_CLI_RUN_H
#define CARGOCD_CLI_RUN_H

#include "cli/command.h"
#include "cli/config.h"

struct run {
    const char *program; /* the name that the user called */
    const struct command *command;
    args_t *args;
    char *config_path;
    int *error_status; /* what errors make the exit status; commands change it */
};

/* 0 when it went well; a positive exit status when it did not and has said so; negative with *err set, which
 * is logged and makes the exit status 20 unless *error_status says otherwise. */
typedef int (*command_fn)(struct run *r, err_t **err);
/* cargocd-remote does it; cargocd-render does; cargocd-compare does. */
enum { RUN_ELSEWHERE = 1000, RUN_RENDER = 1001, RUN_COMPARE = 1002 };

struct command_handler {
    const char *path;
    command_fn fn;
};
/* Of this program; ended by a NULL path. A command that is not among them is done elsewhere. */
extern const struct command_handler command_handlers[];

/* getenv, as a function that options and configuration take. */
const char *run_environment(const char *name);
/* Prints the command's help; the exit status for wrong use. */
int run_usage(const struct run *r);
/* main, but that RUN_ELSEWHERE may come out. */
int run_main(int argc, char **argv);

#endif
