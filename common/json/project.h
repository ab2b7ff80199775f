/* Reading only some paths of a document: a watch of 200,000 objects looks at a dozen fields of each, and must
 * not build a tree of the rest. */
#ifndef CARGOCD_JSON_PROJECT_H
#define CARGOCD_JSON_PROJECT_H

#include "common/json/json.h"

/* A set of paths: "metadata.name", "status.conditions" (with all below it). Arrays on the way are passed
 * through: each element is read by the same paths. "*" matches every key of a map. Immutable once made,
 * shareable. */
typedef struct projection projection_t;
projection_t *projection_new(const char *const *paths, size_t n) MUST_USE;
void projection_free(projection_t *p);

/* As json_read, keeping only what the paths name. What is skipped is checked for syntax all the same, but not
 * for UTF-8. */
int json_read_projected(const char *p, size_t n, const projection_t *projection, json_t **out, err_t **err);

/* Appends the text of a document without the member `key` of its top-level map `parent`, as it is spelt
 * otherwise. False, with an undefined rest in `out`, when it is malformed. */
bool json_text_without(const char *p, size_t n, const char *parent, const char *key, str_t *out) MUST_USE;

AUTO_DECL(projection_free_p, projection_t, projection_free)

#endif
