/* Signature Version 4 of AWS (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html). */
#ifndef CARGOCD_K8S_AUTH_SIGV4_H
#define CARGOCD_K8S_AUTH_SIGV4_H

#include "common/base/clock.h"
#include "common/base/str.h"

struct sigv4_key {
    char *id, *secret, *token; /* token NULL or "": none */
};
void sigv4_key_dispose(struct sigv4_key *k);

struct sigv4_header {
    const char *name, *value; /* name in lower case */
};
struct sigv4_request {
    const char *method, *host, *path;   /* path as it is sent, percent-encoded */
    const char *query;                  /* encoded, "a=b&c"; NULL: none */
    const struct sigv4_header *headers; /* besides host, in any order */
    size_t nheaders;
    const void *body;
    size_t n;
    const char *region, *service;
    wall_t at;
};
/* The value of the Authorization header. x-amz-date, and x-amz-security-token where the key has a token, are
 * to be among the headers: sigv4_date gives the former's text. */
char *sigv4_authorization(const struct sigv4_request *r, const struct sigv4_key *k) MUST_USE;
/* The query with the signature in it, for a URL that is valid for `seconds`. payload_hash NULL: that of the
 * body. */
char *sigv4_presign(const struct sigv4_request *r, const struct sigv4_key *k, unsigned seconds,
                    const char *payload_hash) MUST_USE;
enum { SIGV4_DATE = 17 };
/* "20150830T123600Z". */
void sigv4_date(wall_t at, char out[SIGV4_DATE]);

#endif
