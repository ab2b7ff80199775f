/* Credentials of AWS: where they are found
 * (https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html), as the SDK for Go does:
 * environment, web identity (IRSA), shared files with their roles, containers (ECS, EKS pod identity), the
 * instance's metadata. */
#ifndef CARGOCD_K8S_AUTH_AWS_H
#define CARGOCD_K8S_AUTH_AWS_H

#include "common/base/map.h"
#include "common/net/http.h"
#include "k8s-auth/sigv4.h"

/* The shared files: k: "profile\nkey", v: text. */
struct aws_files {
    map_t values;
    map_t profiles; /* names that occur */
};
void aws_files_dispose(struct aws_files *f);
/* Adds a file's content. config: sections are "profile x" but for "default"; else (credentials) "x". */
void aws_files_parse(struct aws_files *f, const char *text, bool config);
const char *aws_value(const struct aws_files *f, const char *profile, const char *key);

struct aws {
    http_t *io;
    struct aws_files files;
    char *profile; /* in use */
    bool named;    /* by --profile: it goes before the environment */
    char *region;
    char *sts; /* URL of the token service, without a slash at its end */
};
int aws_open(http_t *io, const char *profile, struct aws *out, err_t **err);
void aws_close(struct aws *a);
int aws_credentials(struct aws *a, struct sigv4_key *out, err_t **err);
int aws_assume_role(struct aws *a, const struct sigv4_key *by, const char *role, const char *session,
                    const char *external_id, const char *seconds, struct sigv4_key *out, err_t **err);
/* Of the credentials in a <Credentials> element of an answer of STS. */
int aws_credentials_of_xml(const char *text, struct sigv4_key *out, err_t **err);

#endif
