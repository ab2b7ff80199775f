#include "app-controller/members/shard.h"
#include "common/base/hash.h"
#include "common/base/str.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>

enum { VIRTUAL_NODES = 1000 };
static const double SPARE = 1.25;

enum shard_method shard_method_of(const char *name, bool *known)
{
    static const char *const names[] = {"legacy", "round-robin", "consistent-hashing"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, names[i])) {
            if (known)
                *known = true;
            return (enum shard_method)i;
        }
    if (known)
        *known = false;
    return SHARD_LEGACY;
}

unsigned shard_of_replica(int64_t given, const char *hostname, unsigned replicas)
{
    uint64_t n = 0;
    const char *dash = strrchr(hostname, '-');
    if (given >= 0)
        n = (uint64_t)given;
    else if (!dash || !str_to_u64(dash + 1, &n))
        n = 0;
    return n > replicas ? 0 : (unsigned)n;
}

/* ---- the ring of consistent hashing with bounded loads ---- */

struct node {
    uint64_t place;
    unsigned shard;
};
struct ring {
    struct node *nodes;
    size_t n;
    int64_t *loads, total;
    unsigned shards;
};

/* The first eight bytes of BLAKE2b-512, the lowest first. */
static uint64_t place_of(const char *text)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    uint64_t out = 0;
    if (!EVP_Digest(text, strlen(text), digest, &size, EVP_blake2b512(), NULL))
        abort(); /* only without memory */
    for (size_t i = 8; i-- > 0;)
        out = out << 8 | digest[i];
    return out;
}

static int by_place(const void *a, const void *b)
{
    uint64_t x = ((const struct node *)a)->place, y = ((const struct node *)b)->place;
    return x < y ? -1 : x > y;
}

static void ring_make(struct ring *r, unsigned shards)
{
    *r = (struct ring){.shards = shards};
    r->nodes = xcalloc((size_t)shards * VIRTUAL_NODES, sizeof(*r->nodes));
    r->loads = xcalloc(shards, sizeof(*r->loads));
    for (unsigned s = 0; s < shards; s++)
        for (unsigned i = 0; i < VIRTUAL_NODES; i++) {
            char name[32];
            snprintf(name, sizeof(name), "%u%u", s, i);
            r->nodes[r->n++] = (struct node){place_of(name), s};
        }
    qsort(r->nodes, r->n, sizeof(*r->nodes), by_place);
    /* "1" + "10" and "11" + "0" are one name: the later shard has it. */
    size_t kept = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (kept && r->nodes[kept - 1].place == r->nodes[i].place) {
            if (r->nodes[i].shard > r->nodes[kept - 1].shard)
                r->nodes[kept - 1] = r->nodes[i];
            continue;
        }
        r->nodes[kept++] = r->nodes[i];
    }
    r->n = kept;
}

static bool has_room(const struct ring *r, unsigned shard)
{
    double average = (double)((r->total + 1) / (int64_t)r->shards);
    return (double)r->loads[shard] < ceil((average > 0 ? average : 1) * SPARE);
}

/* The next shard on the ring after the key that has room. */
static unsigned ring_find(const struct ring *r, const char *key)
{
    uint64_t at = place_of(key);
    size_t low = 0, high = r->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->nodes[middle].place <= at)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = 0; i < r->n; i++) {
        unsigned shard = r->nodes[(low + i) % r->n].shard;
        if (has_room(r, shard))
            return shard;
    }
    return 0;
}

/* ---- dividing ---- */

static int by_id(const void *a, const void *b)
{
    const struct shard_cluster *x = a, *y = b;
    int order = strcmp(x->id, y->id);
    return order ? order : strcmp(x->server, y->server);
}

static unsigned legacy(const struct shard_cluster *c, unsigned replicas)
{
    return *c->id ? fnv1a32(c->id, strlen(c->id)) % replicas : 0;
}

void shard_divide(enum shard_method method, unsigned replicas, struct shard_cluster *c, size_t n,
                  unsigned *out)
{
    struct ring ring = {};
    qsort(c, n, sizeof(*c), by_id);
    if (method == SHARD_CONSISTENT_HASHING && replicas > 1)
        ring_make(&ring, replicas);
    for (size_t i = 0; i < n; i++) {
        unsigned shard = replicas < 2 ? 0 : method == SHARD_ROUND_ROBIN ? (unsigned)(i % replicas) : 0;
        if (replicas > 1 && method == SHARD_LEGACY)
            shard = legacy(&c[i], replicas);
        if (ring.n) { /* its load counts also where its Secret decides */
            shard = ring_find(&ring, c[i].id);
            ring.loads[shard] += c[i].apps;
            ring.total += c[i].apps;
        }
        out[i] = c[i].shard < 0 ? shard : (uint64_t)c[i].shard < replicas ? (unsigned)c[i].shard : 0;
    }
    free(ring.nodes);
    free(ring.loads);
}
