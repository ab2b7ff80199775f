/* Command-line flags with the rules of Go's pflag, which Argo CD's users and scripts know: flags stand
 * before, between and behind arguments; "--" ends them; "--name value", "--name=value", "-nvalue", "-n
 * value", "-abc" for booleans, "--name=false"; lists repeat. (common/base/flag.h is for daemons: no repeats
 * without commas, no shared tables, targets instead of values by name.)
 *
 * Values are looked up by name. A name that no table has, or a lookup of another type, is an error of the
 * program and aborts. */
#ifndef CARGOCD_CLI_ARGS_H
#define CARGOCD_CLI_ARGS_H

#include "common/base/err.h"
#include "common/base/map.h"
#include "common/base/str.h"

enum option_type {
    OPT_TEXT,
    OPT_BOOL,
    OPT_INT,      /* int64 */
    OPT_UINT,     /* int64, at least 0 */
    OPT_DURATION, /* int64 ns, Go's syntax */
    OPT_LIST,     /* repeated; commas mean nothing */
    OPT_CSV,      /* repeated and comma-separated, with CSV's quotes */
    OPT_INTS,     /* repeated and comma-separated numbers; kept as texts that are numbers */
};

struct option {
    const char *name;
    enum option_type type;
    char shorthand;       /* 0: none */
    const char *fallback; /* the default as text; NULL: "", false, 0, empty */
    const char *help;     /* `word` names the value in the help */
    const char *values;   /* what may follow, for completion: "json|yaml"; NULL: anything */
    const char *env;      /* an environment variable that gives the default */
    bool in_opts;         /* ARGOCD_OPTS may give the default */
};

/* Tables of options end with a NULL name; a command has a NULL-terminated list of tables. */

/* Where defaults come from. */
struct args_defaults {
    const map_t *opts;                    /* ARGOCD_OPTS, see args_opts; may be NULL */
    const char *(*env)(const char *name); /* NULL: no environment */
};

/* ARGOCD_OPTS: words in shell quotes, "--name value", "--name=value" or "--name" (true). `out` frees its
 * values. */
int args_opts(const char *text, map_t *out, err_t **err);
/* Splits a text as a shell does: blanks, '…', "…", backslash. NULL-terminated, the caller's. */
int shell_split(const char *text, char ***out, err_t **err);
/* One line of comma-separated values (RFC 4180 quotes). */
int csv_split(const char *text, char ***out, err_t **err);

typedef struct args args_t;
/* Parses words[0..n). Tables are borrowed. On an error, *out is NULL. */
int args_parse(const struct option *const *tables, const struct args_defaults *defaults, size_t n,
               char *const *words, args_t **out, err_t **err);
void args_free(args_t *a);
AUTO_DECL(args_free_p, args_t, args_free)

enum option_type args_type(const args_t *a, const char *name);
/* The words that are no flags; borrowed. */
char *const *args_rest(const args_t *a);
size_t args_count(const args_t *a);

const char *args_text(const args_t *a, const char *name); /* "" when not given */
bool args_bool(const args_t *a, const char *name);
int64_t args_int(const args_t *a, const char *name);
char *const *args_list(const args_t *a, const char *name); /* never NULL */
size_t args_list_count(const args_t *a, const char *name);
/* On the command line, that is: not by default. */
bool args_given(const args_t *a, const char *name);
bool args_has(const args_t *a, const char *name);
/* Options given on the command line in the order of their names, as pflag visits them. NULL at the end. */
const char *args_next_given(const args_t *a, size_t *pos);

/* The option of a name or shorthand in a list of tables; NULL. */
const struct option *option_find(const struct option *const *tables, const char *name, size_t len);
const struct option *option_short(const struct option *const *tables, char c);
/* Whether the word takes the next one as its value: "--server", "-o"; not "--server=x", not booleans. */
bool option_takes_next(const struct option *const *tables, const char *word);

#endif
