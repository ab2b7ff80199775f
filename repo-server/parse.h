/* Reading manifests from texts; what the renderers share. */
#ifndef CARGOCD_REPO_PARSE_H
#define CARGOCD_REPO_PARSE_H

#include "repo-server/render.h"

struct parse {
    const char *name; /* of the file, for origins */
    rendered_objects_t *objects;
    size_t document; /* read so far */
};
/* As parse_stream; what was added before an error stays in objects. */
int parse_run(struct parse *p, const char *text, size_t n, err_t **err);

/* Makes a text with a byte order mark UTF-8 without one. */
void parse_decode(str_t *text);

/* A file of one JSON object, which need not have a kind. ERR_OUT_OF_RANGE: there is more than one value. */
int parse_json_object(const char *text, size_t n, json_t **out, err_t **err);

/* What a program generated: an object or an array of objects, each with a kind; null elements are left out.
 */
int parse_generated(const char *text, size_t n, const char *name, rendered_objects_t *objects, err_t **err);

/* An error unless the document is an object with a kind. */
int parse_check_object(const json_t *doc, err_t **err);

#endif
