/* The signatures that vouch for a revision of a clone. */
#ifndef CARGOCD_REPO_INTEGRITY_SIGNATURES_H
#define CARGOCD_REPO_INTEGRITY_SIGNATURES_H

#include "repo-server/git/store.h"
#include "repo-server/integrity/gpg.h"

struct signatures_query {
    git_lease_t *lease;
    gpg_t *gpg;
    const char *commit;     /* in full */
    const char *tag;        /* the name of the annotated tag that was asked for; NULL: none */
    const char *tag_object; /* its id */
    /* The whole ancestry, up to good signed commits with the trailer "Argocd-gpg-seal:", these included. */
    bool deep;
};
/* With the tag's signature first. Not deep: the tag's alone, or the commit's. ERR_RESOURCE_EXHAUSTED: the
 * history is too long. Blocks. */
int signatures_list(const struct signatures_query *q, signatures_t *out, err_t **err);

#endif
