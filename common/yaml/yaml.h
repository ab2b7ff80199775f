/* YAML to JSON and back, with the exact rules of sigs.k8s.io/yaml (goyaml v2), which Kubernetes and Argo CD
 * use: YAML 1.1 booleans (y, yes, on …, also as keys), octal and binary integers, underscores, merge keys
 * (<<), anchors with an expansion limit, the last of duplicate keys, timestamps left as strings. */
#ifndef CARGOCD_YAML_YAML_H
#define CARGOCD_YAML_YAML_H

#include "common/json/json.h"

struct yaml_options {
    bool strict_keys; /* a duplicate key is an error, as in kustomization files and kubectl --validate */
    size_t max_nodes; /* after expanding aliases; 0: 1,000,000 */
};

/* Reads the first document; the rest is not looked at (as Unmarshal). An empty text is null. Errors name line
 * and column. */
int yaml_read(const char *p, size_t n, const struct yaml_options *options, json_t **out, err_t **err);

/* Splits a stream into documents as Kubernetes' YAML reader does: at lines that begin with "---" and are
 * followed by blanks or a comment only. BOMs (UTF-8, UTF-16) are honoured by yaml_read on each piece. */
struct yaml_splitter {
    view_t rest;
    size_t line; /* of the piece at hand, from 1 */
};
void yaml_split_init(struct yaml_splitter *s, const char *p, size_t n);
bool yaml_split_next(struct yaml_splitter *s, view_t *piece);

/* Writes as sigs.k8s.io/yaml does: keys in natural order, sequences not indented, YAML 1.1's ambiguous
 * strings quoted, multi-line strings as literal blocks. What is written reads back identical. */
void yaml_write(const json_t *v, str_t *out);

#endif
