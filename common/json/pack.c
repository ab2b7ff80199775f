/* zstd in its fastest useful level, with a dictionary of what such documents have in common
 * (pack_dictionary.c), which halves them; the smallest texts stay as they are. A few contexts are kept:
 * making one costs more than compressing an object. A pack is allocated once, in its final size: one that
 * shrinks leaves a hole in the heap beside it. */
#include "common/json/pack.h"
#include "common/base/hash.h"
#include "common/base/slab.h"
#include "common/base/thread.h"
#include "common/json/pack_dictionary.h"

#include <zstd.h>

enum { LEVEL = 1, WORTHWHILE = 64, KEPT = 4 };

struct pack {
    uint32_t raw, stored; /* bytes of the text, and as kept */
    uint64_t hash;
    _Atomic unsigned refs;
    char bytes[];
};

/* A context of either kind weighs 100 to 200 KB, and a daemon has dozens of threads that need one now and
 * then. */
struct contexts {
    ZSTD_CCtx *c;
    ZSTD_DCtx *d;
};

static struct {
    lock_t lock; /* of the rest */
    struct contexts idle[KEPT];
    size_t n;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct contexts take_contexts(void)
{
    LOCKED(&kept.lock);
    return kept.n ? kept.idle[--kept.n] : (struct contexts){};
}

static void give_back(struct contexts ctx)
{
    {
        LOCKED(&kept.lock);
        if (kept.n < KEPT) {
            kept.idle[kept.n++] = ctx;
            return;
        }
    }
    ZSTD_freeCCtx(ctx.c);
    ZSTD_freeDCtx(ctx.d);
}

/* Read-only, for all threads, for the life of the process. */
static struct {
    pthread_once_t made;
    ZSTD_CDict *c;
    ZSTD_DDict *d;
} dictionary = {.made = PTHREAD_ONCE_INIT};

static void make_dictionary(void)
{
    dictionary.c = ZSTD_createCDict(pack_dictionary, pack_dictionary_size, LEVEL);
    dictionary.d = ZSTD_createDDict(pack_dictionary, pack_dictionary_size);
    if (!dictionary.c || !dictionary.d)
        oom();
}

/* Bytes written; n when that is no less than the text itself. */
static size_t compress(char *to, size_t bound, const void *p, size_t n)
{
    pthread_once(&dictionary.made, make_dictionary);
    struct contexts ctx = take_contexts();
    if (!ctx.c && !(ctx.c = ZSTD_createCCtx()))
        oom();
    size_t stored = ZSTD_compress_usingCDict(ctx.c, to, bound, p, n, dictionary.c);
    give_back(ctx);
    return ZSTD_isError(stored) || stored > n ? n : stored;
}

/* Of the text p; `bytes` are what is kept of it. */
static pack_t *make(const void *p, size_t n, const void *bytes, size_t stored)
{
    if (n > UINT32_MAX)
        oom();
    pack_t *pack = slab_alloc(sizeof(*pack) + stored);
    *pack = (pack_t){
        .raw = (uint32_t)n, .stored = (uint32_t)stored, .hash = hash_content(p, n, 0), .refs = 1};
    if (n)
        memcpy(pack->bytes, bytes, stored);
    return pack;
}

pack_t *pack_plain(const void *p, size_t n)
{
    return make(p, n, p, n);
}

pack_t *pack_bytes(const void *p, size_t n)
{
    if (n > UINT32_MAX)
        oom();
    size_t stored = n, bound = ZSTD_compressBound(n);
    AUTO(free_p) char *compressed = n >= WORTHWHILE ? xmalloc(bound) : NULL;
    if (compressed)
        stored = compress(compressed, bound, p, n);
    return make(p, n, stored < n ? compressed : p, stored);
}

pack_t *pack_tighten(pack_t *p)
{
    if (!p || p->stored != p->raw || p->raw < WORTHWHILE)
        return p;
    pack_t *tight = pack_bytes(p->bytes, p->raw);
    pack_free(p);
    return tight;
}

pack_t *pack_json(const json_t *v)
{
    if (!v)
        return NULL;
    AUTO_STR text = STR_INIT;
    json_write(v, JSON_KEEP_ORDER | JSON_NO_HTML, &text);
    return pack_bytes(str_text(&text), text.len);
}

pack_t *pack_copy(const pack_t *p)
{
    pack_t *pack = (pack_t *)(uintptr_t)p;
    if (pack)
        pack->refs++;
    return pack;
}

void pack_free(pack_t *p)
{
    if (p && --p->refs == 0)
        slab_free(p, sizeof(*p) + p->stored);
}

void pack_read(const pack_t *p, str_t *out)
{
    if (!p)
        return;
    if (p->stored == p->raw) {
        str_add(out, p->bytes, p->raw);
        return;
    }
    char *to = str_reserve(out, p->raw);
    if (!to)
        return;
    struct contexts ctx = take_contexts();
    if (!ctx.d && !(ctx.d = ZSTD_createDCtx()))
        oom();
    if (ZSTD_decompress_usingDDict(ctx.d, to, p->raw, p->bytes, p->stored, dictionary.d) != p->raw)
        abort();
    give_back(ctx);
    out->len += p->raw;
    out->p[out->len] = 0;
}

json_t *pack_open(const pack_t *p)
{
    if (!p)
        return NULL;
    AUTO_STR text = STR_INIT;
    pack_read(p, &text);
    json_t *v = NULL;
    if (json_read(str_text(&text), text.len, &v, NULL) < 0)
        abort();
    return v;
}

size_t pack_size(const pack_t *p)
{
    return p ? sizeof(*p) + p->stored : 0;
}

uint64_t pack_hash(const pack_t *p)
{
    return p ? p->hash : 0;
}
