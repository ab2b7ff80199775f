/* One request of the API: where it goes, who asks, and the ways to answer. */
#ifndef CARGOCD_KUBESIM_API_H
#define CARGOCD_KUBESIM_API_H

#include "tests/kubesim/faults.h"
#include "tests/kubesim/format.h"
#include "tests/kubesim/query.h"
#include "tests/kubesim/write.h"

struct route {
    struct endpoint *endpoint;     /* NULL: not a resource's path */
    char *ns, *name, *subresource; /* "" when absent; subresource NULL */
    const char *verb; /* get list watch create update patch delete deletecollection; NULL: not allowed */
    bool watch_path;  /* /api/v1/watch/... */
};
/* False when the path is none of a served resource. A resource that is not served: endpoint NULL and
 * *known_group set. */
bool route_parse(const struct registry *g, const char *method, const char *path, struct route *out,
                 bool *known_group);
void route_dispose(struct route *r);

struct exchange {
    struct sim *sim;
    struct request *request;
    struct route route;
    char *user;
    char *label;        /* of the resource, for counters; "" for other paths */
    struct timer timer; /* a fault's latency, a log's next line */
    struct fault fault; /* what is to go wrong */
    void *stream;       /* of a streamed reply */
    void (*stream_free)(void *stream);
};

void reply_json(struct exchange *x, int code, const json_t *body);
void reply_status_take(struct exchange *x, json_t *status_take);
void reply_text(struct exchange *x, int code, const char *type, const char *text);
/* The write that this request asks for, as the callers of write.h want it. */
struct write exchange_write(const struct exchange *x, bool dry_run);
/* DeleteOptions of the body and the query string. *options owns what d points to. */
json_t *deletion_read(struct exchange *x, struct deletion *d, json_t **options, bool *dry_run) MUST_USE;

/* Handlers. */
void api_list(struct exchange *x);
void api_watch(struct exchange *x, struct query *q_take);
void api_get(struct exchange *x);
void api_create(struct exchange *x);
void api_update(struct exchange *x);
void api_patch(struct exchange *x);
void api_delete(struct exchange *x);
void api_delete_collection(struct exchange *x);
void api_log(struct exchange *x);
void api_review(struct exchange *x);
/* False when the path is none of discovery. */
bool api_discovery(struct exchange *x);
void admin_handle(struct exchange *x);

#endif
