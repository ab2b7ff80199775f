/* No way out of a directory: Landlock and seccomp for the children that read what tenants wrote (git, helm,
 * kustomize, plugins), where the kernel has them. Without them the children still run under the limits of
 * proc.h.
 *
 * Landlock (https://docs.kernel.org/userspace-api/landlock.html) is an allow list of paths; everything else,
 * the daemon's configuration and /proc/<its pid> included, cannot be opened. Processes outside of the domain
 * can neither be traced nor (ABI 6) signalled. The seccomp filter refuses what no such tool needs: tracing,
 * namespaces, mounts, kernel interfaces. */
#ifndef CARGOCD_REPO_CONFINE_H
#define CARGOCD_REPO_CONFINE_H

#include "common/base/base.h"

enum confine_right {
    CONFINE_READ = 1,  /* open, list */
    CONFINE_EXEC = 2,  /* and run */
    CONFINE_WRITE = 4, /* and change, create, remove below */
};

enum { CONFINE_MAX_RULES = 24 };

struct confine_rules {
    struct {
        const char *path; /* one that does not exist is skipped */
        unsigned rights;
    } paths[CONFINE_MAX_RULES];
    size_t n;
    bool stay;     /* the process group cannot be left: what kills it kills all */
    bool deny_tcp; /* no TCP at all (ABI 4) */
};

/* What every program needs: its libraries, the resolver's and TLS's files, /dev/null, /dev/urandom. */
void confine_system(struct confine_rules *r);
/* Paths are borrowed. */
void confine_allow(struct confine_rules *r, const char *path, unsigned rights);

/* For proc_spec.confine; arg: const struct confine_rules *. Async-signal-safe. 0, or -1 when the kernel
 * offers Landlock but refuses the rules (then nothing may run). */
int confine_self(void *arg);

/* The kernel's Landlock ABI, 0 without it; for logs and tests. */
int confine_abi(void);

#endif
