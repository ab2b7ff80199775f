/* The commands: one table that parsing, help and completion read. What a command does stands in the table of
 * the program that runs it (offline.c, remote/main.c), by the same path. */
#ifndef CARGOCD_CLI_COMMAND_H
#define CARGOCD_CLI_COMMAND_H

#include "cli/args.h"

/* What the first word behind the command is, for completion. */
enum operand { OPERAND_NONE, OPERAND_APP, OPERAND_PROJECT, OPERAND_CLUSTER, OPERAND_CONTEXT, OPERAND_SHELL };

struct command {
    const char *path;     /* "app list"; "" is the program itself */
    const char *operands; /* behind the path in the usage line: "APPNAME [ID]" */
    const char *summary;
    const char *details;  /* NULL: none besides the summary */
    const char *examples; /* lines without the program's name: "app get guestbook -o tree\n…" */
    const struct option *const *tables; /* its own options, NULL-terminated; NULL: none */
    const char *alias;                  /* another name of its last word */
    enum operand operand;
};

extern const struct command commands[];
extern const size_t ncommands;
/* Flags that every command has. */
extern const struct option global_options[];
extern const struct option help_option[];

/* Commands of argocd that cannot be served yet, and what they wait for. */
struct missing_command {
    const char *path, *needs;
};
extern const struct missing_command missing_commands[];
extern const size_t nmissing_commands;

enum { COMMAND_TABLES_MAX = 12 };
/* The command's tables, its own first, then --help and the global ones; NULL-terminated. */
void command_tables(const struct command *c, const struct option *out[static COMMAND_TABLES_MAX]);
/* The last word of the path; the program's name for "". */
const char *command_name(const struct command *c, const char *program);
bool command_has_children(const struct command *c);
/* Whether `child` is directly below `parent`. */
bool command_is_child(const struct command *parent, const struct command *child);

/* Finds the command that the words name, past flags and their values; the words that name it are taken out of
 * words[0..*n). Never NULL. */
const struct command *command_find(size_t *n, char **words);
/* The missing command that the words name (flags left out of account); NULL. */
const struct missing_command *command_missing(size_t n, char *const *words);

/* ---- help ---- */

/* Long help, as `command --help` shows it. */
void help_command(const struct command *c, const char *program, str_t *out);
/* The lines of a list of flags. */
void help_options(const struct option *const *tables, str_t *out);

/* ---- completion ---- */

/* A script for bash, zsh or fish that asks `program __complete WORD…`. False for another shell. */
bool completion_script(const char *shell, const char *program, str_t *out);
/* Candidates for the last of the words, one a line ("name\tdescription"). When they are names that only the
 * server knows, *operand says of what. */
void completion_answer(size_t n, char **words, str_t *out, enum operand *operand);

#endif
