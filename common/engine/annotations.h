/* Annotations that hold a list: "A, B=c". Items stand between commas, blanks around them (Unicode's) do not
 * count, and an empty item is none. */
#ifndef CARGOCD_ENGINE_ANNOTATIONS_H
#define CARGOCD_ENGINE_ANNOTATIONS_H

#include "common/kinds/kinds.h"

/* The next item of *rest, which starts as view_of(the annotation). False behind the last. */
bool annotation_next(view_t *rest, view_t *item);
/* Whether the object's annotation has the item, spelled exactly so. */
bool annotation_has(const json_t *object, const char *key, const char *item);
/* The value of the first "<name>=<value>", as the caller's copy; NULL when there is none. */
char *annotation_value(const json_t *object, const char *key, const char *name) MUST_USE;

#define ANNOTATION_SYNC_OPTIONS "argocd.argoproj.io/sync-options"

#endif
