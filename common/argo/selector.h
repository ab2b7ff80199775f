/* Label selectors in Kubernetes' text form
 * (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors): "a=b,c!=d,e in
 * (x,y), f notin (z),g,!h,n>3,n<5". */
#ifndef CARGOCD_ARGO_SELECTOR_H
#define CARGOCD_ARGO_SELECTOR_H

#include "common/json/json.h"

typedef struct selector selector_t;
enum { SELECTOR_MAX = 16 << 10 };
/* An empty text selects everything. */
int selector_parse(const char *text, selector_t **out, err_t **err);
void selector_free(selector_t *s);
/* labels: an object of texts; NULL: none. */
bool selector_matches(const selector_t *s, const json_t *labels);
/* A LabelSelector object: {matchLabels, matchExpressions}. False also for one that cannot be read: *valid
 * then is false. */
bool label_selector_matches(const json_t *selector, const json_t *labels, bool *valid);
AUTO_DECL(selector_free_p, selector_t, selector_free)

#endif
