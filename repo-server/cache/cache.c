/* In memory an entry is one specification with its candidates, traces as they are encoded and bodies
 * compressed: most callers hold the rendering already and only want to hear "same". Checking a trace reads
 * directories of a clone, so candidates are copied out (referenced) and checked without the lock. */
#include "repo-server/cache/cache.h"
#include "common/base/map.h"
#include "common/base/thread.h"
#include "common/base/vec.h"
#include "repo-server/cache/remote.h"

#include <stdio.h>
#include <zstd.h>

enum { DEFAULT_BYTES = 16 << 20, LEVEL = 3, ENTRY_OVERHEAD = 256 };

struct candidate {
    _Atomic int refs;
    char key[SHA256_HEX], note[CACHE_NOTE];
    str_t trace;
    str_t packed; /* the body; empty: only Redis has it */
};

struct entry {
    struct entry *newer, *older;
    char *spec;
    struct candidate *candidates[CACHE_CANDIDATES]; /* the last used first */
    size_t n, bytes;
};

/* The lock guards entries, list and figures; candidates are immutable. */
struct cache {
    lock_t lock;
    map_t entries; /* by spec; struct entry */
    struct entry *newest, *oldest;
    size_t bytes;
    struct cache_stats stats;
    struct cache_options options;
};

static void candidate_unref(struct candidate *c)
{
    if (!c || --c->refs > 0)
        return;
    str_dispose(&c->trace);
    str_dispose(&c->packed);
    free(c);
}

static size_t candidate_bytes(const struct candidate *c)
{
    return sizeof(*c) + c->trace.cap + c->packed.cap;
}

static void entry_free(void *p)
{
    struct entry *e = p;
    for (size_t i = 0; i < e->n; i++)
        candidate_unref(e->candidates[i]);
    free(e->spec);
    free(e);
}

cache_t *cache_new(const struct cache_options *options)
{
    cache_t *c = xcalloc(1, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    c->entries.value_free = entry_free;
    c->options = *options;
    c->options.max_bytes = options->max_bytes ? options->max_bytes : DEFAULT_BYTES;
    return c;
}

void cache_free(cache_t *c)
{
    if (!c)
        return;
    map_dispose(&c->entries);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void cached_dispose(struct cached *c)
{
    str_dispose(&c->body);
}

void cache_key(const void *body, size_t n, char out[SHA256_HEX])
{
    sha256_hex(body, n, out);
}

/* ---- the list of entries, by use ---- */

static void unlink_entry(cache_t *c, struct entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void link_newest(cache_t *c, struct entry *e)
{
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void recount(cache_t *c, struct entry *e)
{
    size_t bytes = sizeof(*e) + strlen(e->spec) + ENTRY_OVERHEAD;
    for (size_t i = 0; i < e->n; i++)
        bytes += candidate_bytes(e->candidates[i]);
    c->bytes += bytes - e->bytes;
    e->bytes = bytes;
}

static void shrink(cache_t *c)
{
    while (c->bytes > c->options.max_bytes && c->oldest) {
        struct entry *e = c->oldest;
        unlink_entry(c, e);
        c->bytes -= e->bytes;
        map_del(&c->entries, e->spec);
    }
}

static struct entry *touch(cache_t *c, const char *spec)
{
    struct entry *e = map_get(&c->entries, spec);
    if (e) {
        unlink_entry(c, e);
    } else {
        e = xcalloc(1, sizeof(*e));
        e->spec = xstrdup(spec);
        map_put(&c->entries, spec, e);
    }
    link_newest(c, e);
    return e;
}

static bool same_trace(const struct candidate *a, const struct candidate *b)
{
    return a->trace.len == b->trace.len && memcmp(a->trace.p, b->trace.p, a->trace.len) == 0;
}

/* Puts a candidate (a reference is taken over) in front, in place of one with the same trace, or the last. */
static void insert(cache_t *c, const char *spec, struct candidate *take)
{
    LOCKED(&c->lock);
    struct entry *e = touch(c, spec);
    size_t at = 0;
    while (at < e->n && !same_trace(e->candidates[at], take))
        at++;
    if (at == CACHE_CANDIDATES)
        at--;
    if (at < e->n)
        candidate_unref(e->candidates[at]);
    else
        e->n++;
    memmove(&e->candidates[1], &e->candidates[0], at * sizeof(e->candidates[0]));
    e->candidates[0] = take;
    recount(c, e);
    shrink(c);
}

/* ---- finding ---- */

static size_t copy_candidates(cache_t *c, const char *spec, struct candidate *out[CACHE_CANDIDATES])
{
    LOCKED(&c->lock);
    if (!map_has(&c->entries, spec))
        return 0;
    struct entry *e = touch(c, spec);
    for (size_t i = 0; i < e->n; i++) {
        out[i] = e->candidates[i];
        out[i]->refs++;
    }
    return e->n;
}

static bool unpack(const str_t *packed, str_t *out)
{
    unsigned long long n = ZSTD_getFrameContentSize(packed->p, packed->len);
    if (n == ZSTD_CONTENTSIZE_ERROR || n == ZSTD_CONTENTSIZE_UNKNOWN || n > CACHE_BODY_MAX)
        return false;
    char *p = str_reserve(out, (size_t)n + 1);
    size_t got = p ? ZSTD_decompress(p, (size_t)n, packed->p, packed->len) : 0;
    if (!p || ZSTD_isError(got) || got != n)
        return false;
    p[n] = '\0';
    out->len += (size_t)n;
    return true;
}

static struct candidate *candidate_new(const char *key, const char *note, const str_t *trace,
                                       const void *body, size_t n)
{
    struct candidate *c = xcalloc(1, sizeof(*c));
    c->refs = 1;
    memcpy(c->key, key, sizeof(c->key));
    snprintf(c->note, sizeof(c->note), "%s", note);
    str_add(&c->trace, str_text(trace), trace->len);
    if (body) {
        size_t bound = ZSTD_compressBound(n);
        char *p = str_reserve(&c->packed, bound);
        size_t got = ZSTD_compress(p, bound, body, n, LEVEL);
        c->packed.len = ZSTD_isError(got) ? 0 : got;
        c->packed.p = xrealloc(c->packed.p, c->packed.len + 1);
        c->packed.cap = c->packed.len + 1;
        c->packed.p[c->packed.len] = '\0';
    }
    return c;
}

/* The body of a candidate, from memory or Redis. */
static bool body_of(cache_t *c, const struct candidate *k, str_t *out)
{
    if (k->packed.len)
        return unpack(&k->packed, out);
    return c->options.redis && cache_remote_body(c->options.redis, c->options.seal, k->key, out);
}

static bool take(cache_t *c, struct candidate *k, const char *have_key, struct cached *out)
{
    memcpy(out->key, k->key, sizeof(out->key));
    memcpy(out->note, k->note, sizeof(out->note));
    return str_eq(have_key, k->key) || body_of(c, k, &out->body);
}

static bool find_local(cache_t *c, const char *spec, const struct trace_world *world, const char *have_key,
                       struct cached *out)
{
    struct candidate *list[CACHE_CANDIDATES];
    size_t n = copy_candidates(c, spec, list);
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        found = found ||
                (trace_holds(list[i]->trace.p, list[i]->trace.len, world) && take(c, list[i], have_key, out));
        candidate_unref(list[i]);
    }
    return found;
}

static bool find_remote(cache_t *c, const char *spec, const struct trace_world *world, const char *have_key,
                        struct cached *out)
{
    struct cache_index index = {};
    bool found = false;
    if (!c->options.redis || !cache_remote_index(c->options.redis, c->options.seal, spec, &index))
        return false;
    for (size_t i = 0; !found && i < index.n; i++) {
        const struct cache_index_row *row = &index.rows[i];
        if (!trace_holds(row->trace.p, row->trace.len, world))
            continue;
        memcpy(out->key, row->key, sizeof(out->key));
        memcpy(out->note, row->note, sizeof(out->note));
        bool have = str_eq(have_key, row->key);
        found = have || cache_remote_body(c->options.redis, c->options.seal, row->key, &out->body);
        if (found)
            insert(c, spec,
                   candidate_new(row->key, row->note, &row->trace, have ? NULL : out->body.p, out->body.len));
    }
    cache_index_dispose(&index);
    return found;
}

bool cache_find(cache_t *c, const char *spec, const struct trace_world *world, const char *have_key,
                struct cached *out)
{
    *out = (struct cached){.body = STR_MAX(CACHE_BODY_MAX + 1)};
    bool local = find_local(c, spec, world, have_key, out);
    bool remote = !local && find_remote(c, spec, world, have_key, out);
    if (!local && !remote)
        cached_dispose(out);
    LOCKED(&c->lock);
    c->stats.hits += local;
    c->stats.redis_hits += remote;
    c->stats.misses += !local && !remote;
    return local || remote;
}

void cache_put(cache_t *c, const char *spec, const str_t *trace, const char key[SHA256_HEX], const char *note,
               const void *body, size_t n)
{
    if (n > CACHE_BODY_MAX)
        return;
    insert(c, spec, candidate_new(key, note, trace, body, n));
    if (c->options.redis)
        cache_remote_put(c->options.redis, c->options.seal, c->options.ttl_ns, spec, trace, key, note, body,
                         n);
}

void cache_stats(cache_t *c, struct cache_stats *out)
{
    LOCKED(&c->lock);
    *out = c->stats;
    out->bytes = c->bytes;
    out->candidates = 0;
    for (struct entry *e = c->newest; e; e = e->older)
        out->candidates += e->n;
}
