/* A sealed value:
 *
 *   1 byte   version, 1
 *   4 bytes  id of the key, big-endian
 *   12 bytes nonce
 *   n bytes  AES-256-GCM of: 8 bytes issued and 8 bytes lifetime (nanoseconds, big-endian), 1 byte flags, the
 * text 16 bytes tag
 *
 * Associated data are the version, the key id and the Redis key, so that a value is good under its own name
 * only. Nonces are random: with 2^32 values under one key, which keys are rotated long before, two of them
 * are equal with a probability of 2^-33. */
#include "common/net/redis.h"

#include "common/base/rand.h"

#include <openssl/evp.h>
#include <zstd.h>

#include <stdatomic.h>

enum {
    VERSION = 1,
    NONCE = 12,
    TAG = 16,
    HEAD = 1 + 4,
    INNER_HEAD = 8 + 8 + 1,
    OVERHEAD = HEAD + NONCE + INNER_HEAD + TAG,
    PACKED = 1,      /* flag: zstd */
    PACK_FROM = 256, /* bytes under which compressing is not tried */
    PACK_LEVEL = 3,
    TEXT_MAX = 1 << 30, /* what OpenSSL's int lengths take with room to spare */
};
/* A clock of another machine may be this much ahead. */
#define SKEW SECONDS(60)

struct counts {
    atomic_uint_fast64_t opened, forged, stale;
};

struct seal {
    struct seal_key *keys;
    size_t n;
    struct counts *counts; /* apart, since the seal itself is constant */
};

seal_t *seal_new(const struct seal_key *keys, size_t n)
{
    seal_t *s = xcalloc(1, sizeof(*s));
    s->keys = xcalloc(max_size(n, 1), sizeof(*s->keys));
    if (n)
        memcpy(s->keys, keys, n * sizeof(*keys));
    s->n = n;
    s->counts = xcalloc(1, sizeof(*s->counts));
    return s;
}

void seal_free(seal_t *s)
{
    if (!s)
        return;
    wipe(s->keys, s->n * sizeof(*s->keys));
    free(s->keys);
    free(s->counts);
    free(s);
}

void seal_stats(const seal_t *s, struct seal_stats *out)
{
    out->opened = atomic_load(&s->counts->opened);
    out->forged = atomic_load(&s->counts->forged);
    out->stale = atomic_load(&s->counts->stale);
}

static void put(unsigned char *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(v >> (8 * (n - 1 - i)));
}

static uint64_t get(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

/* ---- the cipher ---- */

AUTO_DECL(cipher_free_p, EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

static EVP_CIPHER_CTX *cipher(const struct seal_key *key, const unsigned char *head, const char *redis_key,
                              bool encrypt)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n;
    if (!c || EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key->key, head + HEAD, encrypt) != 1 ||
        EVP_CipherUpdate(c, NULL, &n, head, HEAD) != 1 ||
        EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)redis_key, (int)strlen(redis_key)) != 1)
        oom();
    return c;
}

/* The text compressed behind an inner head, if that is shorter; 0 otherwise. */
static size_t pack(unsigned char *to, size_t room, const void *p, size_t n)
{
    if (n < PACK_FROM)
        return 0;
    size_t packed = ZSTD_compress(to, room, p, n, PACK_LEVEL);
    return ZSTD_isError(packed) || packed >= n - n / 16 ? 0 : packed;
}

void seal_close(const seal_t *s, const char *redis_key, const void *p, size_t n, int64_t max_age_ns,
                wall_t now, str_t *out)
{
    size_t room = n >= PACK_FROM ? ZSTD_compressBound(n) : n;
    if (n > TEXT_MAX || !s->n) {
        out->overflowed = true;
        return;
    }
    AUTO(free_p) unsigned char *inner = xmalloc(INNER_HEAD + room + 1);
    size_t packed = pack(inner + INNER_HEAD, room, p, n);
    put(inner, (uint64_t)now.ns, 8);
    put(inner + 8, max_age_ns > 0 ? (uint64_t)max_age_ns : INT64_MAX, 8);
    inner[16] = packed ? PACKED : 0;
    if (!packed && n)
        memcpy(inner + INNER_HEAD, p, n);
    size_t size = INNER_HEAD + (packed ? packed : n);

    unsigned char *to = (unsigned char *)str_reserve(out, HEAD + NONCE + size + TAG);
    if (!to)
        return;
    to[0] = VERSION;
    put(to + 1, s->keys[0].id, 4);
    random_bytes(to + HEAD, NONCE);
    AUTO(cipher_free_p) EVP_CIPHER_CTX *c = cipher(&s->keys[0], to, redis_key, true);
    int written, rest;
    unsigned char *body = to + HEAD + NONCE;
    if (EVP_EncryptUpdate(c, body, &written, inner, (int)size) != 1 ||
        EVP_EncryptFinal_ex(c, body + written, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, body + size) != 1)
        oom();
    out->len += HEAD + NONCE + size + TAG;
    out->p[out->len] = 0;
    wipe(inner, size);
}

static const struct seal_key *find_key(const seal_t *s, uint32_t id)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->keys[i].id == id)
            return &s->keys[i];
    return NULL;
}

/* Decrypts the inside into `inner` (as long as it is); false when it is not ours. */
static bool decrypt(const struct seal_key *key, const char *redis_key, const unsigned char *p, size_t size,
                    unsigned char *inner)
{
    AUTO(cipher_free_p) EVP_CIPHER_CTX *c = cipher(key, p, redis_key, false);
    const unsigned char *body = p + HEAD + NONCE;
    int written, rest;
    return EVP_DecryptUpdate(c, inner, &written, body, (int)size) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, (void *)(body + size)) == 1 &&
           EVP_DecryptFinal_ex(c, inner + written, &rest) == 1;
}

static int too_large(size_t max, err_t **err)
{
    return err_set(err, ERR_RESOURCE_EXHAUSTED, "the sealed value is larger than %zu bytes", max);
}

static int unpack(const unsigned char *p, size_t n, size_t max, str_t *out, err_t **err)
{
    unsigned long long size = ZSTD_getFrameContentSize(p, n);
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
        return err_set(err, ERR_DATA_LOSS, "the sealed value is not compressed as it says");
    char *to = size <= max ? str_reserve(out, (size_t)size) : NULL;
    if (!to)
        return too_large(max, err);
    size_t got = ZSTD_decompress(to, (size_t)size, p, n);
    if (got != size)
        return err_set(err, ERR_DATA_LOSS, "the sealed value cannot be decompressed");
    out->len += got;
    out->p[out->len] = 0;
    return 0;
}

static int read_inner(const seal_t *s, const unsigned char *inner, size_t size, wall_t now, size_t max,
                      str_t *out, err_t **err)
{
    int64_t issued = (int64_t)get(inner, 8), lifetime = (int64_t)get(inner + 8, 8);
    int64_t age = now.ns - issued;
    if (age > lifetime || age < -SKEW) {
        atomic_fetch_add(&s->counts->stale, 1);
        return err_set(err, ERR_OUT_OF_RANGE, "the sealed value is too old");
    }
    atomic_fetch_add(&s->counts->opened, 1);
    const unsigned char *text = inner + INNER_HEAD;
    size_t n = size - INNER_HEAD;
    if (inner[16] & PACKED)
        return unpack(text, n, max, out, err);
    if (n > max)
        return too_large(max, err);
    str_add(out, text, n);
    return str_overflowed(out) ? too_large(max, err) : 0;
}

int seal_open(const seal_t *s, const char *redis_key, const void *value, size_t n, wall_t now, size_t max,
              str_t *out, err_t **err)
{
    const unsigned char *p = value;
    const struct seal_key *key = n >= OVERHEAD && n <= TEXT_MAX && p[0] == VERSION
                                     ? find_key(s, (uint32_t)get(p + 1, 4))
                                     : NULL;
    size_t size = key ? n - HEAD - NONCE - TAG : 0;
    AUTO(free_p) unsigned char *inner = xmalloc(size + 1);
    if (!key || !decrypt(key, redis_key, p, size, inner)) {
        atomic_fetch_add(&s->counts->forged, 1);
        return err_set(err, ERR_DATA_LOSS, "the value is not sealed by us under this key");
    }
    int r = read_inner(s, inner, size, now, max, out, err);
    wipe(inner, size);
    return r;
}
