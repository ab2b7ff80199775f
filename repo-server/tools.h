/* The programs that render (helm, kustomize, kubectl): finding them, their versions, and running them where
 * they can do no harm: in a fresh directory that is all they can read and write besides the system's
 * libraries, with an environment of their own, under limits of time, memory and output (architecture:
 * "Security"). */
#ifndef CARGOCD_REPO_TOOLS_H
#define CARGOCD_REPO_TOOLS_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/base/vec.h"

struct tools_options {
    const char *helm, *kustomize, *kubectl; /* names, looked up in PATH, or paths */
    const char *scratch;                    /* where the directories of runs are made; must exist */
    int64_t timeout_ns;                     /* ARGOCD_EXEC_TIMEOUT */
    uint64_t max_memory;                    /* address space, bytes; 0: none */
    uint64_t max_output;                    /* bytes */
};
/* Knows where programs are and their versions; thread-safe. Texts of the options are copied. */
typedef struct tools tools_t;
tools_t *tools_new(const struct tools_options *options) MUST_USE;
void tools_free(tools_t *t);

enum tool { TOOL_HELM, TOOL_KUSTOMIZE, TOOL_KUBECTL, TOOL_MAX };
/* Where the program is, and the version that it tells (asked once for each change of the file). Both are the
 * caller's; version may be NULL. ERR_FAILED_PRECONDITION: "helm is not installed (not found in PATH)". `path`
 * is one other than the options' (kustomize.path.<version>); NULL: theirs. */
int tools_find(tools_t *t, enum tool which, const char *path, char **where, char **version, err_t **err);

/* The version behind a fact of a trace: "helm", "kustomize" (kubectl's when there is no kustomize), or a
 * path. NULL when the program is not there. The caller's. */
char *tools_version(tools_t *t, const char *name) MUST_USE;

/* The directory of one run: <dir>/src for sources, <dir>/tmp for the program's own, and for what it must know
 * and sources must not (credentials) a home whose name cannot be guessed: some options let a source read by
 * any path that it can spell. */
struct workdir {
    char *dir, *src, *home, *tmp;
};
int workdir_make(tools_t *t, struct workdir *out, err_t **err);
/* Later, by a thread of its own: what asks for a rendering need not wait for the disk. tools_free waits for
 * it. */
void workdir_remove(tools_t *t, struct workdir *w);

typedef VEC(char *) words_t;
void words_add(words_t *w, const char *text);
void words_addf(words_t *w, const char *fmt, ...) PRINTF(2, 3);
/* Frees the texts too. */
void words_free(words_t *w);

struct tool_run {
    const struct workdir *work;
    const char *program; /* its path */
    const char *name;    /* how it stands in messages */
    const words_t *args; /* without the program */
    const words_t *env;  /* "NAME=value", besides PATH, HOME, TMPDIR */
    const char *cwd;
    const char *also;   /* another program that it starts; NULL: none */
    const char *script; /* and one that we have written into the run's directory; NULL: none */
    bool network;
    const char *ca_file; /* authorities to trust besides the system's; NULL: none */
    bool own_proxy;      /* `env` names one: the daemon's is not passed on */
    const char *input;   /* for standard input; NULL: none */
    mono_t deadline;     /* of the request */
    atomic_bool *canceled;
};
/* Output goes to *out, which gets the options' maximum; standard error to *errs (may be NULL). A status other
 * than 0 is ERR_UNKNOWN: "`helm template …` failed exit status 1: <standard error>". Paths of ours are masked
 * in texts. */
int tools_run(tools_t *t, const struct tool_run *run, str_t *out, str_t *errs, err_t **err);
/* The command as it may be shown. The caller's. */
char *tools_describe(const struct tool_run *run) MUST_USE;
/* A text with the run's directory replaced by "<path to cached source>". The caller's. */
char *tools_mask(const struct workdir *w, const char *text) MUST_USE;

#endif
