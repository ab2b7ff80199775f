/* Interned strings: equal texts share one reference-counted copy, so that a cache of 200,000 objects keeps
 * each namespace, kind and label text once, and comparing two interned strings is comparing pointers.
 * Thread-safe. */
#ifndef CARGOCD_BASE_INTERN_H
#define CARGOCD_BASE_INTERN_H

#include "common/base/str.h"

/* An interned string is an ordinary NUL-terminated text; never modify or free() it. NULL stays NULL. */
const char *intern(const char *s) MUST_USE;
const char *intern_n(const char *s, size_t n) MUST_USE;
/* Another reference to an interned string. */
const char *intern_ref(const char *interned) MUST_USE;
void intern_unref(const char *interned);
/* Distinct texts and their bytes, for figures and leak tests. */
void intern_stats(size_t *texts, size_t *bytes);

#endif
