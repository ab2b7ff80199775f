/* A client of OCI registries, as far as artifacts are read from them: tags, manifests, blobs
 * (https://github.com/opencontainers/distribution-spec), with the two ways in that are in use: Basic, and
 * tokens of an authorization server (https://distribution.github.io/distribution/spec/auth/token/). */
#ifndef CARGOCD_REPO_ARTIFACT_REGISTRY_H
#define CARGOCD_REPO_ARTIFACT_REGISTRY_H

#include "common/json/json.h"
#include "repo-server/artifact/remote.h"

enum { OCI_DIGEST = 72 }; /* "sha256:" and 64 hex digits, terminated */

/* One conversation: the token that it got. Not thread-safe. */
struct registry {
    const remote_t *remote;
    const struct remote_settings *settings;
    const char *repository; /* the name there */
    atomic_bool *canceled;
    char *authorization; /* header line; NULL: not asked for yet */
};
void registry_dispose(struct registry *r);

/* The password of the user AZURE_USER for an Azure registry, by this workload's identity: the token that
 * Azure gives for it is exchanged at the registry for one of its own. *out is the caller's, to be wiped. */
#define AZURE_USER "00000000-0000-0000-0000-000000000000"
int registry_azure_password(const remote_t *remote, const struct remote_settings *settings,
                            atomic_bool *canceled, char **out, err_t **err);
/* A parameter of a challenge: realm="…". NULL when it has none. The caller's. */
char *challenge_parameter(const char *challenge, const char *name) MUST_USE;

/* Whether it answers, and lets us in. */
int registry_ping(struct registry *r, err_t **err);
/* The names of all tags, as they are listed. *out is the caller's, NULL-terminated. */
int registry_tags(struct registry *r, char ***out, err_t **err);
/* The manifest behind a tag or digest, whose digest is checked. ERR_NOT_FOUND. */
int registry_manifest(struct registry *r, const char *reference, char digest[OCI_DIGEST], json_t **out,
                      err_t **err);
/* A blob into a file; its digest is checked. */
int registry_blob(struct registry *r, const char *digest, uint64_t max, int fd, err_t **err);

/* "sha256:<64 hex digits>", the only algorithm that is served. */
bool oci_is_digest(const char *text);

#endif
