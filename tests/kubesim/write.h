/* Everything that changes objects goes through here, whether a client or a controller asks: decoding,
 * defaults, validation, versions, finalizers. Objects go in and come out in the version of the endpoint. On
 * failure the result is NULL and *failure a Status; both are the caller's. */
#ifndef CARGOCD_KUBESIM_WRITE_H
#define CARGOCD_KUBESIM_WRITE_H

#include "tests/kubesim/sim.h"

struct write {
    struct endpoint *endpoint;
    const char *ns, *name;   /* "" when there is none */
    const char *subresource; /* NULL, "status", "scale" or "finalize" */
    bool dry_run;
    const char *user, *user_agent;
};

json_t *write_create(struct sim *s, const struct write *w, json_t *object_take, json_t **failure) MUST_USE;
/* created: set when the object was not there and the kind allows to make it so. */
json_t *write_update(struct sim *s, const struct write *w, json_t *object_take, bool *created,
                     json_t **failure) MUST_USE;
enum patch_type { PATCH_JSON, PATCH_MERGE, PATCH_STRATEGIC };
json_t *write_patch(struct sim *s, const struct write *w, enum patch_type type, const json_t *patch,
                    json_t **failure) MUST_USE;

struct deletion {
    const char *propagation;            /* NULL: the kind's default */
    const char *uid, *resource_version; /* preconditions; NULL: none */
    int64_t grace;                      /* seconds; negative: the object's */
};
/* Returns what DELETE answers: the object when it stays for a while, a Status or the object when it is gone.
 */
json_t *write_delete(struct sim *s, const struct write *w, const struct deletion *d, json_t **failure)
    MUST_USE;

/* The stored object in the endpoint's version; NULL when absent. */
json_t *read_object(const struct endpoint *e, const char *ns, const char *name) MUST_USE;
json_t *read_blob(const struct endpoint *e, const struct blob *b) MUST_USE;

#endif
