/* Source integrity: what a project's spec.sourceIntegrity asks of a repository, and what signatures mean by
 * it (https://argo-cd.readthedocs.io/en/latest/user-guide/source-integrity/). Values in, values out. */
#ifndef CARGOCD_REPO_INTEGRITY_POLICY_H
#define CARGOCD_REPO_INTEGRITY_POLICY_H

#include "common/base/vec.h"
#include "common/json/json.h"

enum integrity_mode { INTEGRITY_NONE, INTEGRITY_HEAD, INTEGRITY_STRICT };

struct integrity_policy {
    enum integrity_mode mode;
    const json_t *keys; /* of those who may sign; the document's */
};
/* The policy for a repository; mode NONE: nothing is asked. ERR_FAILED_PRECONDITION: more than one policy
 * applies, or the mode is not known. `spec` may be NULL. */
int integrity_policy_of(const json_t *spec, const char *repo_url, bool gpg_enabled,
                        struct integrity_policy *out, err_t **err);

enum signature_status {
    SIGNATURE_GOOD,
    SIGNATURE_BAD,
    SIGNATURE_UNTRUSTED,
    SIGNATURE_EXPIRED,
    SIGNATURE_EXPIRED_KEY,
    SIGNATURE_REVOKED_KEY,
    SIGNATURE_MISSING_KEY,
    SIGNATURE_UNSIGNED
};
struct signature {
    char *revision; /* commit in full, or name of a tag */
    char *author;   /* "Name <email>" */
    enum signature_status status;
    char key[17]; /* long key id; "" when unsigned */
};
typedef VEC(struct signature) signatures_t;
void signatures_free(signatures_t *s);

/* SourceIntegrityCheckResult as JSON: at most ten problems, one for each key; none: it has passed. */
json_t *integrity_result(const struct integrity_policy *policy, const signatures_t *signatures) MUST_USE;
/* All problems of a result as one text; NULL when there are none. The caller's. */
char *integrity_problems(const json_t *result) MUST_USE;
/* What Argo CD's older field says: "Good signature from Ada <ada@x> key 0123456789ABCDEF". The caller's. */
char *integrity_legacy_text(const signatures_t *signatures) MUST_USE;

#endif
