/* Command-line flags from a table, each with an environment variable to fall back on.
 *
 * Order of precedence: flag, environment, default (Argo CD's). As there, a malformed or out-of-range value in
 * the environment is a warning and the default holds; on the command line it is an error. Accepted forms are
 * --name value, --name=value, -n value, and --name for booleans (--name=false to switch off). "--" ends the
 * flags. */
#ifndef CARGOCD_BASE_FLAG_H
#define CARGOCD_BASE_FLAG_H

#include "common/base/err.h"

enum flag_type {
    FLAG_STRING,   /* char *, owned */
    FLAG_BOOL,     /* bool */
    FLAG_INT,      /* int64_t, within [min, max] when max is set */
    FLAG_DURATION, /* int64_t ns; Go syntax and days */
    FLAG_SECONDS,  /* int64_t ns; a bare number is seconds, or Go syntax */
    FLAG_STRINGS,  /* char **, NULL-terminated; comma lists and repeats add up */
};

struct flag {
    const char *name;
    enum flag_type type;
    void *target;
    const char *env;      /* NULL: none */
    const char *fallback; /* the default as text; NULL: leave the target */
    const char *help;
    char shorthand; /* 0: none */
    int64_t min, max;
    bool set; /* out: given on the command line */
};

/* Parses argv[1..]; what is not a flag goes, in order, to *args (NULL-terminated array of borrowed pointers,
 * the array is the caller's; NULL: such arguments are an error). "--help" and "-h" print the table to
 * standard output and return 1. */
int flags_parse(struct flag *flags, size_t n, int argc, char **argv, char ***args, const char *usage,
                err_t **err);
/* Frees what string flags hold. */
void flags_dispose(struct flag *flags, size_t n);
void flags_print(const struct flag *flags, size_t n, const char *usage);

#endif
