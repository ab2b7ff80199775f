/* The rows that `app get`, `app sync` and `app wait` show: the resources of an application with what the last
 * operation did to them, and when waiting is over. */
#ifndef CARGOCD_CLI_APP_STATES_H
#define CARGOCD_CLI_APP_STATES_H

#include "common/base/vec.h"
#include "common/json/json.h"

/* ---- which resources: --resource ---- */

struct res_filter {
    bool exclude;
    char *group, *kind, *ns, *name; /* owned */
};
typedef VEC(struct res_filter) res_filters_t;

/* Adds "[!]GROUP:KIND:[NAMESPACE/]NAME". */
int res_filters_add(res_filters_t *filters, const char *text, err_t **err);
void res_filters_dispose(res_filters_t *filters);
/* Whether a resource is meant; all are when there is no filter. Exclusions win. */
bool res_filters_match(const res_filters_t *filters, const char *group, const char *kind, const char *ns,
                       const char *name);
/* The resources in the status of the application that are meant, as a sync request names them. Empty without
 * filters. */
json_t *res_filters_select(const res_filters_t *filters, const json_t *app) MUST_USE;

/* ---- rows ---- */

enum res_field {
    RES_GROUP,
    RES_KIND,
    RES_NAMESPACE,
    RES_NAME,
    RES_STATUS,
    RES_HEALTH,
    RES_HOOK,
    RES_MESSAGE,
    RES_FIELDS
};
struct res_state {
    char *f[RES_FIELDS]; /* owned, never NULL */
};
typedef VEC(struct res_state) res_states_t;

/* What the last operation touched in its order, then the rest by key. Adds to *out. */
void res_states_of(const json_t *app, const res_filters_t *filters, res_states_t *out);
/* The same with one row for a resource that an operation touched twice. */
void res_states_grouped(const json_t *app, const res_filters_t *filters, res_states_t *out);
void res_states_dispose(res_states_t *states);
/* The row of the same resource; NULL. */
struct res_state *res_states_find(const res_states_t *states, const struct res_state *like);
/* Takes over what `newer` says about status, health, hook and message; whether anything changed. */
bool res_state_merge(struct res_state *s, const struct res_state *newer);
struct res_state res_state_copy(const struct res_state *s);

/* ---- waiting ---- */

struct wait_for_what {
    bool sync, health, operation, suspended, degraded, gone, hydrated;
};
/* Whether the application (or the resources that are meant) are as wanted, but for an operation that is under
 * way, which *in_progress tells: requested, running, or ended and not yet compared anew. */
bool wait_satisfied(const json_t *app, const struct wait_for_what *what, const res_filters_t *filters,
                    bool *in_progress);
/* Of the last operation: resources that were left because pruning was not asked for. */
size_t pruning_required(const json_t *app);

#endif
