/* Label selectors and field selectors as kube-apiserver parses and matches them, errors included
 * (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api and .../field-selectors/).
 */
#ifndef CARGOCD_KUBESIM_SELECTOR_H
#define CARGOCD_KUBESIM_SELECTOR_H

#include "common/base/vec.h"
#include "common/json/json.h"

enum selector_op { SEL_IN, SEL_NOT_IN, SEL_EXISTS, SEL_NOT_EXISTS, SEL_GREATER, SEL_LESS };
struct requirement {
    enum selector_op op;
    char *key;
    char **values; /* NULL-terminated */
};
typedef struct selector {
    VEC(struct requirement) all; /* every one must hold; none: everything matches */
} selector_t;

enum { SELECTOR_MAX = 64 << 10 }; /* bytes of text */

/* text NULL or "": everything. The error's text is what kube-apiserver answers. */
int label_selector_parse(const char *text, selector_t *out, err_t **err);
/* {"matchLabels":{...},"matchExpressions":[...]}; NULL matches nothing in Kubernetes: the caller's case. */
int label_selector_read(const json_t *v, selector_t *out, err_t **err);
/* "a=b,c!=d"; known: whether the kind can be selected by that field. */
int field_selector_parse(const char *text, selector_t *out, err_t **err);
void selector_dispose(selector_t *s);
AUTO_DECL(selector_dispose_p_, selector_t, selector_dispose)
#define AUTO_SELECTOR AUTO(selector_dispose) selector_t

/* get returns the value of a key, or NULL when there is none. */
bool selector_matches(const selector_t *s, const char *(*get)(void *arg, const char *key), void *arg);
/* labels: an object of strings, or NULL. */
bool selector_matches_labels(const selector_t *s, const json_t *labels);
/* meta: the text of a "metadata" object. */
bool selector_matches_meta(const selector_t *s, view_t meta);
/* One field of an object's text, by a path like "involvedObject.name": its spelling, unquoted; "" when
 * absent. False when the text does not fit. */
bool scan_field(view_t json, const char *path, str_t *out);

#endif
