/* zstd in its fastest useful level; small texts stay as they are. A few contexts are kept: making one costs
 * more than compressing an object. */
#include "common/json/pack.h"
#include "common/base/hash.h"
#include "common/base/thread.h"

#include <zstd.h>

enum { LEVEL = 1, WORTHWHILE = 200, KEPT = 4 };

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

static size_t compress(char *to, size_t bound, const void *p, size_t n)
{
    struct contexts ctx = take_contexts();
    if (!ctx.c && !(ctx.c = ZSTD_createCCtx()))
        oom();
    size_t stored = ZSTD_compressCCtx(ctx.c, to, bound, p, n, LEVEL);
    give_back(ctx);
    return ZSTD_isError(stored) ? n : stored;
}

pack_t *pack_bytes(const void *p, size_t n)
{
    if (n > UINT32_MAX)
        oom();
    size_t stored = 0, bound = ZSTD_compressBound(n);
    pack_t *pack = NULL;
    if (n >= WORTHWHILE) {
        pack = xmalloc(sizeof(*pack) + bound);
        stored = compress(pack->bytes, bound, p, n);
    }
    bool plain = n < WORTHWHILE || stored >= n;
    pack = xrealloc(pack, sizeof(*pack) + (plain ? n : stored));
    if (plain && n)
        memcpy(pack->bytes, p, n);
    pack->raw = (uint32_t)n;
    pack->stored = (uint32_t)(plain ? n : stored);
    pack->hash = hash_content(p, n, 0);
    pack->refs = 1;
    return pack;
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
        free(p);
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
    if (ZSTD_decompressDCtx(ctx.d, to, p->raw, p->bytes, p->stored) != p->raw)
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
