/* Faults that tests ask for at run time (docs in tests/kubesim/README.md): rules that match requests, images
 * that do not run. */
#ifndef CARGOCD_KUBESIM_FAULTS_H
#define CARGOCD_KUBESIM_FAULTS_H

#include "common/base/err.h"
#include "common/json/json.h"

/* What goes wrong with one request; zeroed: nothing. */
struct fault {
    int status; /* to answer; 0: the real answer. 410 expires a continue token or a watch's version instead */
    const char *reason, *message; /* NULL: the usual */
    int64_t retry_after;          /* seconds; 0: no header */
    int64_t latency_ns;           /* before anything else */
    int64_t drop_after_ns;        /* of a watch; 0: never */
    bool drop;                    /* cut the connection without an answer */
    bool hang;                    /* never answer; a watch stays silent */
    bool mute;                    /* do as asked, and never tell */
};

struct fault_query {
    const char *verb, *resource; /* "deployments.apps", with "/status" and the like; "" for other paths */
    const char *ns, *name, *path, *user_agent, *user;
    bool has_token; /* a continue token */
};

struct faults *faults_new(void) MUST_USE;
void faults_free(struct faults *f);
/* Replaces all of it. Nothing changes on failure. */
int faults_set(struct faults *f, const json_t *document, err_t **err);
/* The document as it was set, and how often each rule fired. */
json_t *faults_get(const struct faults *f) MUST_USE;
/* The first rule that matches and whose dice fall so. */
struct fault faults_match(struct faults *f, const struct fault_query *q);
/* Whether an access review is answered with no. resource: "deployments.apps". */
bool faults_denied(const struct faults *f, const char *verb, const char *resource, const char *ns);
/* Why containers of this image do not run: "ErrImagePull"; NULL: they run. *message may be NULL. */
const char *faults_image(const struct faults *f, const char *image, const char **message);

#endif
