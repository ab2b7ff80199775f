/* Renderings that were made, by what they were made of.
 *
 * A specification (everything of a request but the commit) has a few candidates: renderings with their
 * traces. One is valid for a commit iff its trace holds there; that is checked without reading a file, so a
 * commit that does not touch an application's files costs it a look at some directories. Candidates live in
 * memory, bounded by bytes, the least recently used going first, and in Redis, sealed, for restarts and other
 * replicas. Thread-safe. */
#ifndef CARGOCD_REPO_CACHE_CACHE_H
#define CARGOCD_REPO_CACHE_CACHE_H

#include "common/base/hash.h"
#include "common/net/redis.h"
#include "repo-server/trace.h"

enum { CACHE_CANDIDATES = 4, CACHE_BODY_MAX = 256 << 20, CACHE_NOTE = 16 };

typedef struct cache cache_t;
struct cache_options {
    size_t max_bytes;   /* of memory; 0: 16 MiB */
    redis_t *redis;     /* NULL: memory only */
    const seal_t *seal; /* must be there when redis is */
    int64_t ttl_ns;     /* in Redis: ARGOCD_REPO_CACHE_EXPIRATION */
};
cache_t *cache_new(const struct cache_options *options) MUST_USE;
void cache_free(cache_t *c);

struct cached {
    char key[SHA256_HEX];  /* of the content: equal keys, equal bodies */
    char note[CACHE_NOTE]; /* a few characters that are there without the body, too */
    str_t body;            /* empty when the caller has it (have_key) */
};
void cached_dispose(struct cached *c);

/* The body's key: its digest. */
void cache_key(const void *body, size_t n, char out[SHA256_HEX]);
/* The candidate of the specification whose trace holds in the world. False: there is none. The body is left
 * out when its key is have_key (may be NULL). */
bool cache_find(cache_t *c, const char *spec, const struct trace_world *world, const char *have_key,
                struct cached *out);
/* Keeps a rendering; a candidate with the same trace is replaced. `note` is cut to CACHE_NOTE - 1 characters.
 */
void cache_put(cache_t *c, const char *spec, const str_t *trace, const char key[SHA256_HEX], const char *note,
               const void *body, size_t n);

/* Figures: bytes in memory, candidates, hits and misses so far. */
struct cache_stats {
    size_t bytes, candidates;
    uint64_t hits, redis_hits, misses;
};
void cache_stats(cache_t *c, struct cache_stats *out);

#endif
