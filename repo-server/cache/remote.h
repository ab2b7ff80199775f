/* The cache's part in Redis. Under render|<spec> an index of the candidates with their traces, under
 * rendered|<key> the bodies; all sealed. Whatever is wrong with an entry makes it a miss. */
#ifndef CARGOCD_REPO_CACHE_REMOTE_H
#define CARGOCD_REPO_CACHE_REMOTE_H

#include "repo-server/cache/cache.h"

struct cache_index_row {
    char key[SHA256_HEX], note[CACHE_NOTE];
    str_t trace;
};
struct cache_index {
    struct cache_index_row rows[CACHE_CANDIDATES];
    size_t n;
};
void cache_index_dispose(struct cache_index *i);
void cache_index_encode(const struct cache_index *i, str_t *out);
bool cache_index_decode(const void *p, size_t n, struct cache_index *out);

bool cache_remote_index(redis_t *r, const seal_t *s, const char *spec, struct cache_index *out);
bool cache_remote_body(redis_t *r, const seal_t *s, const char *key, str_t *out);
void cache_remote_put(redis_t *r, const seal_t *s, int64_t ttl_ns, const char *spec, const str_t *trace,
                      const char *key, const char *note, const void *body, size_t n);

#endif
