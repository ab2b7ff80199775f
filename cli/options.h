/* Tables of options that several commands share, and the rows they are made of. */
#ifndef CARGOCD_CLI_OPTIONS_H
#define CARGOCD_CLI_OPTIONS_H

#include "cli/args.h"

#define OPTION(kind, n, h, ...)                                                                              \
    {                                                                                                        \
        .name = (n), .type = (kind), .help = (h), __VA_ARGS__                                                \
    }
#define TEXT(n, h, ...)     OPTION(OPT_TEXT, n, h, __VA_ARGS__)
#define BOOL(n, h, ...)     OPTION(OPT_BOOL, n, h, __VA_ARGS__)
#define INT(n, h, ...)      OPTION(OPT_INT, n, h, __VA_ARGS__)
#define UINT(n, h, ...)     OPTION(OPT_UINT, n, h, __VA_ARGS__)
#define DURATION(n, h, ...) OPTION(OPT_DURATION, n, h, __VA_ARGS__)
#define LIST(n, h, ...)     OPTION(OPT_LIST, n, h, __VA_ARGS__)
#define INTS(n, h, ...)     OPTION(OPT_INTS, n, h, __VA_ARGS__)
#define OPTIONS_END                                                                                          \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }

/* What an application's spec is made of: app create, set, add-source. */
extern const struct option app_spec_options[];
extern const struct option app_namespace_option[];
/* Which of several sources is meant: by position; by name (which app_spec_options have already). */
extern const struct option source_position_option[];
extern const struct option source_name_option[];
/* Parallel lists: --revisions with --source-positions or --source-names. */
extern const struct option revisions_options[];
extern const struct option server_diff_options[];

#endif
