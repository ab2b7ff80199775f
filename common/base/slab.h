/* Memory for what stays: many small things of a few sizes that live for hours (records of objects, packed
 * documents, interned texts). In the common heap they lie between what every comparison allocates and frees,
 * and keep its pages from being handed back; here like lies beside like, without a header for each.
 *
 * Thread-safe. Under AddressSanitizer it is malloc, so that overruns and leaks are seen. */
#ifndef CARGOCD_BASE_SLAB_H
#define CARGOCD_BASE_SLAB_H

#include "common/base/base.h"

/* n bytes, aligned to 16, zeroed when asked for by slab_zalloc; never NULL. */
void *slab_alloc(size_t n) MUST_USE;
void *slab_zalloc(size_t n) MUST_USE;
/* Moves what fits; p may be NULL with from 0. */
void *slab_resize(void *p, size_t from, size_t to) MUST_USE;
/* n as it was allocated with. NULL is nothing. */
void slab_free(void *p, size_t n);
/* Of a text; for slab_strfree. */
char *slab_strdup(const char *s) MUST_USE;
void slab_strfree(char *s);
/* What is larger is the heap's; 0 under AddressSanitizer. For tests to set (at most SLAB_LARGEST) before
 * anything is allocated. */
enum { SLAB_LARGEST = 4096 };
extern size_t slab_largest;
/* Bytes taken from the system, and bytes of them in use; for figures and leak tests. */
void slab_stats(size_t *taken, size_t *used);

#endif
