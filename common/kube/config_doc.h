/* Kubeconfig documents before a context is chosen: one JSON object with clusters, users and contexts as maps
 * by name. */
#ifndef CARGOCD_KUBE_CONFIG_DOC_H
#define CARGOCD_KUBE_CONFIG_DOC_H

#include "common/kube/kube_config.h"

enum { KUBE_CONFIG_MAX_FILE = 4 << 20, KUBE_CONFIG_MAX_PEM = 1 << 20 };

/* Reads a text into its normal form: {"current-context": "", "clusters": {name: …}, "users": …, "contexts":
 * …}. File names become relative to base_dir (NULL: they stay). */
int kube_config_doc_read(const char *text, size_t n, const char *base_dir, json_t **out, err_t **err);
/* Adds what `more` has and `doc` has not: the first file wins, as with kubectl. */
void kube_config_doc_merge(json_t *doc, const json_t *more);
/* The context's (NULL: the current one's) cluster and user. Reads the files named there. */
int kube_config_doc_select(const json_t *doc, const char *context, struct kube_config *out, err_t **err);

/* The string under key, borrowed; NULL when absent, null or "". Another type is an error naming `what`. */
int kube_config_text(const json_t *object, const char *key, const char *what, const char **out, err_t **err);

#endif
