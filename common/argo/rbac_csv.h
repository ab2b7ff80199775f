/* Policies as parsed rules. Internal to rbac. */
#ifndef CARGOCD_ARGO_RBAC_CSV_H
#define CARGOCD_ARGO_RBAC_CSV_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/base/vec.h"

/* One field of a rule. Most are "*" or plain words, which need no matcher. */
struct rbac_pattern {
    enum { RBAC_ANY, RBAC_LITERAL, RBAC_GLOB, RBAC_REGEX, RBAC_NEVER } kind;
    char *text;
    void *regex; /* pcre2_code */
};

struct rbac_rule {
    char *subject;
    struct rbac_pattern resource, action, object;
    bool deny;
};
struct rbac_grouping {
    char *member, *role;
};

struct rbac_rules {
    VEC(struct rbac_rule) rules;
    VEC(struct rbac_grouping) groupings;
};

/* Adds the lines of a CSV text. */
int rbac_rules_add(struct rbac_rules *r, const char *csv, bool regex, err_t **err);
void rbac_rules_dispose(struct rbac_rules *r);
bool rbac_pattern_match(const struct rbac_pattern *p, const char *text);
bool rbac_rules_same(const struct rbac_rules *a, const struct rbac_rules *b);

#endif
