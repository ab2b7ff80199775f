/* zstd in its fastest useful level; small texts stay as they are. Contexts are kept per thread: making one
 * costs more than compressing an object. */
#include "common/json/pack.h"
#include "common/base/hash.h"

#include <pthread.h>
#include <zstd.h>

enum { LEVEL = 1, WORTHWHILE = 200 };

struct pack {
    uint32_t raw, stored; /* bytes of the text, and as kept */
    uint64_t hash;
    _Atomic unsigned refs;
    char bytes[];
};

struct contexts {
    ZSTD_CCtx *c;
    ZSTD_DCtx *d;
};

static pthread_key_t contexts_key;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;

static void free_contexts(void *p)
{
    struct contexts *ctx = p;
    ZSTD_freeCCtx(ctx->c);
    ZSTD_freeDCtx(ctx->d);
    free(ctx);
}

static void make_key(void)
{
    if (pthread_key_create(&contexts_key, free_contexts) != 0)
        oom();
}

static struct contexts *contexts(void)
{
    pthread_once(&contexts_once, make_key);
    struct contexts *ctx = pthread_getspecific(contexts_key);
    if (!ctx) {
        ctx = xcalloc(1, sizeof(*ctx));
        pthread_setspecific(contexts_key, ctx);
    }
    return ctx;
}

pack_t *pack_bytes(const void *p, size_t n)
{
    if (n > UINT32_MAX)
        oom();
    size_t stored = 0, bound = ZSTD_compressBound(n);
    pack_t *pack = NULL;
    if (n >= WORTHWHILE) {
        struct contexts *ctx = contexts();
        if (!ctx->c && !(ctx->c = ZSTD_createCCtx()))
            oom();
        pack = xmalloc(sizeof(*pack) + bound);
        stored = ZSTD_compressCCtx(ctx->c, pack->bytes, bound, p, n, LEVEL);
        if (ZSTD_isError(stored))
            stored = n;
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
    struct contexts *ctx = contexts();
    if (!ctx->d && !(ctx->d = ZSTD_createDCtx()))
        oom();
    char *to = str_reserve(out, p->raw);
    if (!to)
        return;
    if (ZSTD_decompressDCtx(ctx->d, to, p->raw, p->bytes, p->stored) != p->raw)
        abort();
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
