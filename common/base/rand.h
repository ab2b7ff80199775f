/* Randomness, all of it from the kernel (getrandom(2)). */
#ifndef CARGOCD_BASE_RAND_H
#define CARGOCD_BASE_RAND_H

#include "common/base/base.h"

void random_bytes(void *p, size_t n);
/* Uniform in [0, n); 0 for n = 0. */
uint64_t random_below(uint64_t n);
/* Uniform in [0, 1). */
double random_unit(void);
/* n characters drawn from the alphabet. */
char *random_text(size_t n, const char *alphabet) MUST_USE;
/* A version 4 UUID (RFC 9562). */
enum { UUID_TEXT = 37 };
void random_uuid(char out[UUID_TEXT]);

#endif
