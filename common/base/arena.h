/* A pool of memory that lives as long as one request or one reconcile: many small allocations, one free. */
#ifndef CARGOCD_BASE_ARENA_H
#define CARGOCD_BASE_ARENA_H

#include "common/base/base.h"

typedef struct arena arena_t;

arena_t *arena_new(void) MUST_USE;
void arena_free(arena_t *a);
/* Zeroed, aligned for any type; lives until arena_free. */
void *arena_alloc(arena_t *a, size_t n) MUST_USE;
char *arena_strdup(arena_t *a, const char *s) MUST_USE;
char *arena_strndup(arena_t *a, const char *s, size_t n) MUST_USE;
char *arena_printf(arena_t *a, const char *fmt, ...) PRINTF(2, 3) MUST_USE;
/* Has fn(p) called by arena_free, last registered first: lets the arena own references of other types. */
void arena_defer(arena_t *a, void (*fn)(void *), void *p);
/* Bytes handed out so far. */
size_t arena_used(const arena_t *a);

AUTO_DECL(arena_free_p, arena_t, arena_free)

#endif
