/* Verifying OpenPGP signatures with gpg, against the keys of a directory (argocd-gpg-keys-cm, mounted: a file
 * for each key). The keyring is made anew when the directory changes; all its keys are trusted. */
#ifndef CARGOCD_REPO_INTEGRITY_GPG_H
#define CARGOCD_REPO_INTEGRITY_GPG_H

#include "repo-server/integrity/policy.h"

typedef struct gpg gpg_t;
struct gpg_options {
    const char *keys_dir; /* ARGOCD_GPG_DATA_PATH; NULL: no keys */
    const char *scratch;  /* the keyring is made below; exists */
    int64_t timeout_ns;   /* of one run; 0: 30 s */
};
gpg_t *gpg_new(const struct gpg_options *options) MUST_USE;
void gpg_free(gpg_t *g);

/* Thread-safe; blocks for the run of a program, unless this object was verified with the same keys before.
 * `object`: what names the signed bytes (an object id). ERR_FAILED_PRECONDITION when gpg cannot be run. */
int gpg_verify(gpg_t *g, const char *object, view_t data, view_t signature, enum signature_status *status,
               char key[17], err_t **err);

/* What gpg writes to --status-fd. False when it says nothing of a signature. */
bool gpg_status_read(const char *text, enum signature_status *status, char key[17]);

#endif
