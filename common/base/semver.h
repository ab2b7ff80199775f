/* Versions and version constraints, with the rules of Masterminds/semver 3.4
 * (https://github.com/Masterminds/semver), which Helm and Argo CD use: lenient versions ("v1", "1.2"), ranges
 * with `= != > < >= <= ~ ^`, wildcards, hyphens, AND by blanks or commas, OR by "||". */
#ifndef CARGOCD_BASE_SEMVER_H
#define CARGOCD_BASE_SEMVER_H

#include "common/base/err.h"
#include "common/base/str.h"

enum { SEMVER_TEXT_MAX = 256, SEMVER_MAX_TERMS = 64 };

typedef struct semver {
    uint64_t major, minor, patch;
    view_t pre; /* borrowed from the text that was parsed; n = 0: none */
} semver_t;

/* "v1.2.3-rc.1+build", missing parts are 0. False when the text is no version. */
bool semver_parse(const char *text, semver_t *out);
/* Precedence (https://semver.org/#spec-item-11); build metadata does not count. */
int semver_compare(const semver_t *a, const semver_t *b);

typedef struct semver_constraint semver_constraint_t;
/* ERR_INVALID_ARGUMENT for what is no constraint, the empty text included. */
int semver_constraint_parse(const char *text, semver_constraint_t **out, err_t **err);
void semver_constraint_free(semver_constraint_t *c);
bool semver_satisfies(const semver_constraint_t *c, const semver_t *v);

/* Selects from `names` (tags, chart versions) what `wanted` means, as Argo CD does:
 *   a version                → tag_prefix + itself, whether or not it is in the list
 *   a constraint             → the greatest satisfying name, whole; only names with tag_prefix count
 *   anything else            → itself when it is in the list and there is no tag_prefix
 * ERR_NOT_FOUND or ERR_INVALID_ARGUMENT otherwise. *out is the caller's. */
int semver_select(char *const *names, size_t n, const char *wanted, const char *tag_prefix, char **out,
                  err_t **err);

AUTO_DECL(semver_constraint_free_p, semver_constraint_t, semver_constraint_free)

#endif
