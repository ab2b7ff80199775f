#include "common/base/hash.h"
#include "common/base/enc.h"
#include "common/base/rand.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>

static uint64_t table_key[2];
static pthread_once_t table_key_once = PTHREAD_ONCE_INIT;

static void make_table_key(void)
{
    random_bytes(table_key, sizeof(table_key));
}

static inline uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

#define SIP_ROUND                                                                                            \
    do {                                                                                                     \
        v0 += v1, v1 = rotl(v1, 13) ^ v0, v0 = rotl(v0, 32);                                                 \
        v2 += v3, v3 = rotl(v3, 16) ^ v2;                                                                    \
        v0 += v3, v3 = rotl(v3, 21) ^ v0;                                                                    \
        v2 += v1, v1 = rotl(v1, 17) ^ v2, v2 = rotl(v2, 32);                                                 \
    } while (0)

/* SipHash (Aumasson, Bernstein 2012) with 1 and 3 rounds. */
uint64_t hash_keyed(const void *data, size_t n)
{
    pthread_once(&table_key_once, make_table_key);
    const unsigned char *p = data;
    uint64_t k0 = table_key[0], k1 = table_key[1];
    uint64_t v0 = k0 ^ 0x736f6d6570736575, v1 = k1 ^ 0x646f72616e646f6d;
    uint64_t v2 = k0 ^ 0x6c7967656e657261, v3 = k1 ^ 0x7465646279746573;
    uint64_t last = (uint64_t)n << 56, m;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&m, p, 8);
        v3 ^= m;
        SIP_ROUND;
        v0 ^= m;
    }
    for (size_t i = 0; i < n; i++)
        last |= (uint64_t)p[i] << (8 * i);
    v3 ^= last;
    SIP_ROUND;
    v0 ^= last;
    v2 ^= 0xff;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t r = (__uint128_t)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

uint64_t hash_content(const void *data, size_t n, uint64_t seed)
{
    static const uint64_t s0 = 0xa0761d6478bd642f, s1 = 0xe7037ed1a0b428db;
    const unsigned char *p = data;
    uint64_t h = seed ^ s0 ^ n, a, b;
    for (; n >= 16; n -= 16, p += 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        h = mix(a ^ s1, b ^ h);
    }
    unsigned char tail[16] = {};
    if (n)
        memcpy(tail, p, n);
    memcpy(&a, tail, 8);
    memcpy(&b, tail + 8, 8);
    return mix(s1 ^ h, mix(a ^ s1, b ^ h));
}

uint32_t fnv1a32(const void *data, size_t n)
{
    const unsigned char *p = data;
    uint32_t h = 2166136261u;
    while (n--)
        h = (h ^ *p++) * 16777619u;
    return h;
}

uint64_t fnv1a64(const void *data, size_t n)
{
    const unsigned char *p = data;
    uint64_t h = 14695981039346656037u;
    while (n--)
        h = (h ^ *p++) * 1099511628211u;
    return h;
}

struct sha256_ctx {
    EVP_MD_CTX *md;
};

/* Fetched once: an implicit fetch per hash costs more than hashing a small blob. */
static const EVP_MD *sha256_md(void)
{
    static EVP_MD *md;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const EVP_MD *got = __atomic_load_n(&md, __ATOMIC_ACQUIRE);
    if (got)
        return got;
    pthread_mutex_lock(&lock);
    if (!md)
        __atomic_store_n(&md, EVP_MD_fetch(NULL, "SHA256", NULL), __ATOMIC_RELEASE);
    pthread_mutex_unlock(&lock);
    return md;
}

sha256_ctx_t *sha256_begin(void)
{
    sha256_ctx_t *c = xmalloc(sizeof(*c));
    c->md = EVP_MD_CTX_new();
    if (!c->md || EVP_DigestInit_ex(c->md, sha256_md(), NULL) != 1)
        oom();
    return c;
}

void sha256_add(sha256_ctx_t *c, const void *p, size_t n)
{
    if (n && EVP_DigestUpdate(c->md, p, n) != 1)
        oom();
}

void sha256_field(sha256_ctx_t *c, const void *p, size_t n)
{
    uint64_t len = n;
    sha256_add(c, &len, sizeof(len));
    sha256_add(c, p, n);
}

void sha256_field_str(sha256_ctx_t *c, const char *s)
{
    /* NULL and "" differ. */
    unsigned char present = s != NULL;
    sha256_add(c, &present, 1);
    sha256_field(c, s, s ? strlen(s) : 0);
}

void sha256_end(sha256_ctx_t *c, unsigned char out[SHA256_SIZE])
{
    unsigned n = 0;
    if (EVP_DigestFinal_ex(c->md, out, &n) != 1 || n != SHA256_SIZE)
        oom();
    EVP_MD_CTX_free(c->md);
    free(c);
}

void sha256_end_hex(sha256_ctx_t *c, char out[SHA256_HEX])
{
    unsigned char raw[SHA256_SIZE];
    sha256_end(c, raw);
    hex_encode(raw, sizeof(raw), out);
}

void sha256(const void *p, size_t n, unsigned char out[SHA256_SIZE])
{
    sha256_ctx_t *c = sha256_begin();
    sha256_add(c, p, n);
    sha256_end(c, out);
}

void sha256_hex(const void *p, size_t n, char out[SHA256_HEX])
{
    unsigned char raw[SHA256_SIZE];
    sha256(p, n, raw);
    hex_encode(raw, sizeof(raw), out);
}

bool equal_constant_time(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}
