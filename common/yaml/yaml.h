/* YAML to JSON and back, with the exact rules of sigs.k8s.io/yaml (goyaml v2), which Kubernetes and Argo CD
 * use: YAML 1.1 booleans (y, yes, on …, also as keys), octal and binary integers, underscores, merge keys
 * (<<), anchors with an expansion limit, the last of duplicate keys, timestamps left as strings. */
#ifndef CARGOCD_YAML_YAML_H
#define CARGOCD_YAML_YAML_H

#include "common/json/json.h"

struct yaml_options {
    bool strict_keys; /* a duplicate key is an error, as in kustomization files and kubectl --validate */
    bool close_line;  /* reads as if the last line ended with a line break, as Kubernetes' stream reader does;
                       * it decides whether "a: |\n  x" is "x" or "x\n" */
    size_t max_nodes; /* after expanding aliases; 0: 1,000,000 */
};

/* Reads the first document; the rest is not looked at (as Unmarshal). An empty text is null. BOMs (UTF-8,
 * UTF-16) are honoured. Nesting is limited to JSON_MAX_DEPTH levels, aliases expanded. Errors name line and
 * column. options may be NULL. */
int yaml_read(const char *p, size_t n, const struct yaml_options *options, json_t **out, err_t **err);

/* Splits a stream into documents as Kubernetes' YAML reader does (apimachinery's YAMLReader): at lines that
 * begin with "---" and are followed by blanks or a comment only. A separator before the first line of a piece
 * belongs to the piece. The pieces are to be read with close_line. */
struct yaml_splitter {
    view_t rest;
    size_t line;      /* of the piece at hand, from 1 */
    size_t next_line; /* where rest begins */
    view_t bad;       /* what follows a "---" that is no separator; .p is NULL when there was none */
};
void yaml_split_init(struct yaml_splitter *s, const char *p, size_t n);
/* False at the end and at a malformed separator ("---x"), which drops the piece it would have ended. */
bool yaml_split_next(struct yaml_splitter *s, view_t *piece);
/* After false: 0 at the end, an error that names the line for a malformed separator. */
int yaml_split_end(const struct yaml_splitter *s, err_t **err);

/* Writes as sigs.k8s.io/yaml does: keys in natural order, sequences not indented, YAML 1.1's ambiguous
 * strings quoted, multi-line strings as literal blocks, folded at 80 columns. What is written reads back
 * identical, but for numbers that goyaml cannot hold: integers beyond 64 bits become floats, floats beyond a
 * double text. */
void yaml_write(const json_t *v, str_t *out);

#endif
