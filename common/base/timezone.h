/* Time zones by their IANA names, from the system's compiled database (RFC 8536: TZif). glibc's own functions
 * know only one zone for a whole process. */
#ifndef CARGOCD_BASE_TIMEZONE_H
#define CARGOCD_BASE_TIMEZONE_H

#include "common/base/clock.h"

/* Immutable, shared by the whole process and never freed (there are some 600 names). */
typedef struct tzone timezone_t;

/* "UTC" and "" are always known; NULL when there is no such zone. Thread-safe. */
const timezone_t *timezone_find(const char *name);
/* Seconds east of Greenwich at the time. */
int32_t timezone_offset(const timezone_t *z, int64_t unix_seconds);

/* The same over the bytes of a TZif file, for tests and the fuzzer. NULL when malformed. The caller's. */
timezone_t *timezone_parse(const void *p, size_t n) MUST_USE;
void timezone_free(timezone_t *z);

#endif
