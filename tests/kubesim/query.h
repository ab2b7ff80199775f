/* The parameters of LIST and WATCH, read and checked as kube-apiserver does. */
#ifndef CARGOCD_KUBESIM_QUERY_H
#define CARGOCD_KUBESIM_QUERY_H

#include "tests/kubesim/http.h"
#include "tests/kubesim/selector.h"
#include "tests/kubesim/status.h"

struct query {
    selector_t labels, fields;
    int64_t limit, timeout_seconds; /* 0: none */
    bool watch, bookmarks;
    const char *rv, *match, *token; /* borrowed from the request; "" when absent */
    uint64_t rv_number;
};
/* NULL, or the Status to answer (then q is empty). `watch`: the path asks for it. */
json_t *query_read(const struct request *r, const struct endpoint *e, bool watch, struct query *q) MUST_USE;
void query_dispose(struct query *q);
/* Both selectors over a stored object. */
bool query_matches(const struct query *q, const struct endpoint *e, const struct blob *b);

/* A continue token: where the next page begins, relative to the prefix of the list. */
struct token {
    int64_t rv; /* -1: whatever is newest */
    char *start;
    bool behind; /* behind that key, not at it */
};
char *token_write(int64_t rv, const char *start) MUST_USE;
json_t *token_read(const char *text, struct token *out) MUST_USE;

/* Whether the query string asks for a dry run; a Status when it asks for something else. kind:
 * "PatchOptions". */
json_t *dry_run_read(const struct request *r, const char *kind, bool *dry_run) MUST_USE;

#endif
