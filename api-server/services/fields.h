/* The `fields` parameter: which parts of an answer are wanted. Works on bytes: an answer of thousands of
 * objects is never a tree of documents. */
#ifndef CARGOCD_API_SERVICES_FIELDS_H
#define CARGOCD_API_SERVICES_FIELDS_H

#include "common/base/err.h"
#include "common/base/str.h"

typedef struct fields fields_t;
enum { FIELDS_MAX = 16 << 10 };
/* "a.b,c" keeps these; a leading "-" keeps everything else. Lists are looked into ("items.metadata.name").
 * NULL for an empty text. */
fields_t *fields_parse(const char *text) MUST_USE;
void fields_free(fields_t *f);
/* The filter of what is below a name, borrowed; *all says that the whole of it is wanted. */
const fields_t *fields_below(const fields_t *f, const char *name, bool *all);
/* Appends the wanted part of a JSON text. */
void fields_project(const fields_t *f, const char *p, size_t n, str_t *out);
/* The application list prints what it was asked for and does not find: selected paths below "items" (see
 * fields.c). */
fields_t *fields_of_app_list(const char *text) MUST_USE;

AUTO_DECL(fields_free_p, fields_t, fields_free)

#endif
