/* A table of chains, split into shards with a lock each. An entry sits in front of its text. */
#include "common/base/intern.h"
#include "common/base/slab.h"
#include "common/base/hash.h"

#include <pthread.h>

enum { SHARDS = 16 };

struct entry {
    struct entry *next;
    uint32_t hash;
    uint32_t refs;
    uint32_t len;
    char text[];
};

static struct shard {
    pthread_mutex_t lock;
    struct entry **buckets;
    size_t nbuckets, n, bytes;
} shards[SHARDS] = {[0 ... SHARDS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static struct entry *entry_of(const char *interned)
{
    return (struct entry *)(uintptr_t)(interned - offsetof(struct entry, text));
}

static void grow(struct shard *sh)
{
    size_t nbuckets = sh->nbuckets ? sh->nbuckets * 2 : 64;
    struct entry **buckets = xcalloc(nbuckets, sizeof(struct entry *));
    for (size_t i = 0; i < sh->nbuckets; i++) {
        for (struct entry *e = sh->buckets[i], *next; e; e = next) {
            next = e->next;
            struct entry **b = &buckets[e->hash & (nbuckets - 1)];
            e->next = *b;
            *b = e;
        }
    }
    free(sh->buckets);
    sh->buckets = buckets;
    sh->nbuckets = nbuckets;
}

const char *intern_n(const char *s, size_t n)
{
    if (n > UINT32_MAX)
        oom();
    uint64_t full = hash_keyed(s, n);
    uint32_t hash = (uint32_t)full;
    struct shard *sh = &shards[(full >> 32) % SHARDS];
    pthread_mutex_lock(&sh->lock);
    if (sh->n >= sh->nbuckets)
        grow(sh);
    struct entry **bucket = &sh->buckets[hash & (sh->nbuckets - 1)];
    struct entry *e = *bucket;
    while (e && (e->hash != hash || e->len != n || memcmp(e->text, s, n) != 0))
        e = e->next;
    if (!e) {
        e = slab_alloc(sizeof(*e) + n + 1);
        *e = (struct entry){.next = *bucket, .hash = hash, .len = (uint32_t)n};
        memcpy(e->text, s, n);
        e->text[n] = 0;
        *bucket = e;
        sh->n++;
        sh->bytes += n + 1;
    }
    e->refs++;
    pthread_mutex_unlock(&sh->lock);
    return e->text;
}

const char *intern(const char *s)
{
    return s ? intern_n(s, strlen(s)) : NULL;
}

static struct shard *shard_of(const struct entry *e)
{
    return &shards[(hash_keyed(e->text, e->len) >> 32) % SHARDS];
}

const char *intern_ref(const char *interned)
{
    if (!interned)
        return NULL;
    struct entry *e = entry_of(interned);
    struct shard *sh = shard_of(e);
    pthread_mutex_lock(&sh->lock);
    e->refs++;
    pthread_mutex_unlock(&sh->lock);
    return interned;
}

void intern_unref(const char *interned)
{
    if (!interned)
        return;
    struct entry *e = entry_of(interned);
    struct shard *sh = shard_of(e);
    pthread_mutex_lock(&sh->lock);
    if (--e->refs == 0) {
        struct entry **p = &sh->buckets[e->hash & (sh->nbuckets - 1)];
        while (*p != e)
            p = &(*p)->next;
        *p = e->next;
        sh->n--;
        sh->bytes -= e->len + 1;
        slab_free(e, sizeof(*e) + e->len + 1);
    }
    pthread_mutex_unlock(&sh->lock);
}

void intern_stats(size_t *texts, size_t *bytes)
{
    *texts = *bytes = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&shards[i].lock);
        *texts += shards[i].n;
        *bytes += shards[i].bytes;
        pthread_mutex_unlock(&shards[i].lock);
    }
}
