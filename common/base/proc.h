/* Child processes: bounded in time, output and memory, with nothing inherited but what is named here.
 *
 * The child runs in its own process group (a breach kills the whole group, grandchildren included), with no
 * open descriptors but 0, 1, 2, no capabilities to gain (no_new_privs), default signals, and exactly the
 * environment given. */
#ifndef CARGOCD_BASE_PROC_H
#define CARGOCD_BASE_PROC_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/str.h"

struct proc_spec {
    char *const *argv; /* argv[0] is looked up in PATH of `env` unless it has a slash */
    char *const *env;  /* NULL: empty environment */
    const char *cwd;   /* NULL: inherited */
    const void *input; /* for standard input; NULL: /dev/null */
    size_t input_size;
    int64_t timeout_ns;  /* 0: none */
    int64_t grace_ns;    /* between SIGTERM and SIGKILL at the timeout; 0: SIGKILL at once */
    uint64_t max_memory; /* RLIMIT_AS in bytes; 0: none */
    uint64_t max_cpu_s;  /* RLIMIT_CPU; 0: none */
    uint64_t max_file;   /* RLIMIT_FSIZE; 0: none */
    uint64_t max_procs;  /* RLIMIT_NPROC; 0: none */
    /* Runs in the child between fork and exec; async-signal-safe calls only. Non-zero: the child exits with
     * 126. */
    int (*confine)(void *arg);
    void *confine_arg;
    atomic_bool *canceled; /* looked at ten times a second; NULL: never */
};

struct proc_result {
    int exit_status; /* 0..255, or 128 + signal */
    bool timed_out;
};

/* Runs to the end; standard output and error go to out and errs, whose maxima are the output caps (more kills
 * the group). 0 when the child ran and ended by itself, whatever its status; an error when it could not
 * start, ran into a limit or was cancelled. Either buffer may be NULL (discarded). */
int proc_run(const struct proc_spec *spec, str_t *out, str_t *errs, struct proc_result *result, err_t **err);

/* A child that is talked to through pipes: helpers, ssh. */
struct proc_pipes {
    pid_t pid;
    int to;   /* its standard input */
    int from; /* its standard output */
    int errs; /* its standard error, or -1 when it shares ours */
};
int proc_spawn(const struct proc_spec *spec, bool want_stderr, struct proc_pipes *out, err_t **err);
/* Closes the pipes, kills the group, reaps. Returns the exit status as above. */
int proc_end(struct proc_pipes *p);

/* The text of a command for messages: arguments joined by blanks, with what follows --username or --password
 * and the user information of URLs replaced by ******. */
char *proc_describe(char *const *argv) MUST_USE;

#endif
