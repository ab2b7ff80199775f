/* The trace of a rendering: everything that its result follows from, in a form that can be checked against
 * another commit without reading a file.
 *
 * For each tree that was read (the source itself, and others that it refers to) it holds a pruned copy of the
 * directory structure: of every path that was looked up the kind and id that were found there, or that
 * nothing was; of every listing a digest of the names that mattered. Where the id of a directory is
 * unchanged, all below it holds, whatever the size. Besides, facts: environment variables, capabilities,
 * versions of tools, as far as they were used. */
#ifndef CARGOCD_REPO_TRACE_H
#define CARGOCD_REPO_TRACE_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "repo-server/tree.h"

typedef struct trace trace_t;
typedef struct trace_root trace_root_t;

trace_t *trace_new(void) MUST_USE;
void trace_free(trace_t *t);
AUTO_DECL(trace_free_p, trace_t, trace_free)

/* The record for one tree; `role` says which ("" the source, "$values" a reference). The same role gives the
 * same record. Belongs to the trace. */
trace_root_t *trace_root(trace_t *t, const char *role);

/* For tree.c. `path` is without links; the root's node is set by the first note. */
void trace_start(trace_root_t *r, const struct node *root);
enum trace_use { TRACE_KIND = 1, TRACE_CONTENT = 2 };
void trace_note(trace_root_t *r, const char *path, const struct node *seen, enum trace_use use);
void trace_listed(trace_root_t *r, const char *path, const struct node *dir, const struct tree_select *sel,
                  const struct tree_entries *all);

enum trace_fact {
    FACT_ENV,          /* name: a variable of the build environment; value: NULL when it had none */
    FACT_KUBE_VERSION, /* name "" */
    FACT_API_VERSION,  /* name: "apps/v1", value: "true" or "false" */
    FACT_API_VERSIONS, /* name "": all of them */
    FACT_TOOL,         /* name: "helm", value: its version */
    FACT_EXPIRES,      /* name "", value: seconds since 1970 after which the trace holds no more */
    FACT_CREDENTIAL,   /* name: as render_credential knows it, value: a digest of what was used */
    FACT_OPTION,       /* name: as render_option knows it, value: a setting of the control plane */
    FACT_KINDS
};
/* A fact that is noted already is noted once. Values are kept as digests. */
void trace_fact(trace_t *t, enum trace_fact kind, const char *name, const char *value);

/* A compact text of bytes. */
void trace_encode(const trace_t *t, str_t *out);

/* What a trace is checked against. */
struct trace_world {
    void *arg;
    /* The backend of a tree by its role; NULL: there is none now. Borrowed. */
    tree_backend_t *(*tree)(void *arg, const char *role);
    /* The value now; NULL: none. The text is borrowed until the next call. */
    const char *(*fact)(void *arg, enum trace_fact kind, const char *name);
    int64_t now_s; /* seconds since 1970 */
};
/* Whether the encoded trace holds. A malformed one does not; neither does one whose tree cannot be read. */
bool trace_holds(const void *encoded, size_t n, const struct trace_world *world);

#endif
