/* Hashes: keyed for tables, FNV-1a where Argo CD's names are made of it, SHA-256 for content. */
#ifndef CARGOCD_BASE_HASH_H
#define CARGOCD_BASE_HASH_H

#include "common/base/base.h"

/* SipHash-1-3 under a random per-process key: for tables whose keys come from outside. */
uint64_t hash_keyed(const void *p, size_t n);
/* wyhash-like 64-bit mix, unkeyed and stable: for change detection, never for tables or names. */
uint64_t hash_content(const void *p, size_t n, uint64_t seed);
/* https://datatracker.ietf.org/doc/html/draft-eastlake-fnv */
uint32_t fnv1a32(const void *p, size_t n);
uint64_t fnv1a64(const void *p, size_t n);

enum { SHA256_SIZE = 32, SHA256_HEX = 65 };
void sha256(const void *p, size_t n, unsigned char out[SHA256_SIZE]);
void sha256_hex(const void *p, size_t n, char out[SHA256_HEX]);

typedef struct sha256_ctx sha256_ctx_t;
sha256_ctx_t *sha256_begin(void) MUST_USE;
void sha256_add(sha256_ctx_t *c, const void *p, size_t n);
/* Adds the length and the bytes: fields that follow one another cannot run together. */
void sha256_field(sha256_ctx_t *c, const void *p, size_t n);
void sha256_field_str(sha256_ctx_t *c, const char *s);
/* Frees c. */
void sha256_end(sha256_ctx_t *c, unsigned char out[SHA256_SIZE]);
void sha256_end_hex(sha256_ctx_t *c, char out[SHA256_HEX]);

/* Compares in time that depends on n only. */
bool equal_constant_time(const void *a, const void *b, size_t n);

#endif
