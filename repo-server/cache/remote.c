#include "repo-server/cache/remote.h"

#include <stdio.h>

enum { INDEX_VERSION = 1, INDEX_MAX = 64 << 20, NAME_MAX_LEN = 256 };

void cache_index_dispose(struct cache_index *i)
{
    for (size_t k = 0; k < i->n; k++)
        str_dispose(&i->rows[k].trace);
    i->n = 0;
}

static void put_u32(str_t *out, size_t v)
{
    unsigned char b[4] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
                          (unsigned char)(v >> 24)};
    str_add(out, b, sizeof(b));
}

void cache_index_encode(const struct cache_index *i, str_t *out)
{
    str_putc(out, INDEX_VERSION);
    str_putc(out, (char)i->n);
    for (size_t k = 0; k < i->n; k++) {
        str_add(out, i->rows[k].key, SHA256_HEX - 1);
        str_add(out, i->rows[k].note, CACHE_NOTE);
        put_u32(out, i->rows[k].trace.len);
        str_add(out, str_text(&i->rows[k].trace), i->rows[k].trace.len);
    }
}

static const unsigned char *cut(const unsigned char **p, size_t *left, size_t n)
{
    if (n > *left)
        return NULL;
    const unsigned char *at = *p;
    *p += n;
    *left -= n;
    return at;
}

static bool decode_row(const unsigned char **p, size_t *left, struct cache_index_row *out)
{
    const unsigned char *key = cut(p, left, SHA256_HEX - 1), *note = cut(p, left, CACHE_NOTE);
    const unsigned char *size = cut(p, left, 4);
    if (!key || !note || !size || note[CACHE_NOTE - 1])
        return false;
    size_t n = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
    const unsigned char *trace = cut(p, left, n);
    if (!trace || strspn((const char *)key, "0123456789abcdef") < SHA256_HEX - 1)
        return false;
    *out = (struct cache_index_row){};
    memcpy(out->key, key, SHA256_HEX - 1);
    memcpy(out->note, note, CACHE_NOTE);
    str_add(&out->trace, trace, n);
    return true;
}

bool cache_index_decode(const void *bytes, size_t n, struct cache_index *out)
{
    const unsigned char *p = bytes;
    size_t left = n;
    const unsigned char *head = cut(&p, &left, 2);
    *out = (struct cache_index){};
    if (!head || head[0] != INDEX_VERSION || head[1] > CACHE_CANDIDATES)
        return false;
    for (size_t i = 0; i < head[1]; i++) {
        if (!decode_row(&p, &left, &out->rows[out->n])) {
            cache_index_dispose(out);
            return false;
        }
        out->n++;
    }
    return true;
}

bool cache_remote_index(redis_t *r, const seal_t *s, const char *spec, struct cache_index *out)
{
    char name[NAME_MAX_LEN];
    AUTO_STR bytes = STR_MAX(INDEX_MAX);
    snprintf(name, sizeof(name), "render|%s", spec);
    return redis_get_sealed(r, s, name, INDEX_MAX, &bytes, NULL) == 0 &&
           cache_index_decode(str_text(&bytes), bytes.len, out);
}

bool cache_remote_body(redis_t *r, const seal_t *s, const char *key, str_t *out)
{
    char name[NAME_MAX_LEN], got[SHA256_HEX];
    snprintf(name, sizeof(name), "rendered|%s", key);
    size_t before = out->len;
    if (redis_get_sealed(r, s, name, CACHE_BODY_MAX, out, NULL) < 0)
        return false;
    cache_key(out->p + before, out->len - before, got);
    return strcmp(got, key) == 0;
}

/* Two replicas that write one index at the same time lose a candidate, which is a rendering more. */
void cache_remote_put(redis_t *r, const seal_t *s, int64_t ttl_ns, const char *spec, const str_t *trace,
                      const char *key, const char *note, const void *body, size_t n)
{
    char name[NAME_MAX_LEN];
    struct cache_index before = {}, after = {};
    AUTO_STR bytes = STR_MAX(INDEX_MAX);
    snprintf(name, sizeof(name), "rendered|%s", key);
    if (redis_set_sealed(r, s, name, body, n, ttl_ns, NULL) < 0)
        return;
    cache_remote_index(r, s, spec, &before);
    memcpy(after.rows[0].key, key, SHA256_HEX);
    snprintf(after.rows[0].note, CACHE_NOTE, "%s", note);
    str_add(&after.rows[0].trace, str_text(trace), trace->len);
    after.n = 1;
    for (size_t i = 0; i < before.n && after.n < CACHE_CANDIDATES; i++) {
        const str_t *t = &before.rows[i].trace;
        if (t->len == trace->len && memcmp(str_text(t), str_text(trace), t->len) == 0)
            continue;
        memcpy(after.rows[after.n].key, before.rows[i].key, SHA256_HEX);
        memcpy(after.rows[after.n].note, before.rows[i].note, CACHE_NOTE);
        str_add(&after.rows[after.n++].trace, str_text(t), t->len);
    }
    cache_index_encode(&after, &bytes);
    snprintf(name, sizeof(name), "render|%s", spec);
    if (!str_overflowed(&bytes))
        redis_set_sealed(r, s, name, bytes.p, bytes.len, ttl_ns, NULL);
    cache_index_dispose(&before);
    cache_index_dispose(&after);
}
