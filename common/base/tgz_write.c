#include "common/base/str.h"
#include "common/base/tgz.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

enum { BLOCK = 512, OUT = 64 << 10, NAME_MAX_USTAR = 100 };

struct tgz_writer {
    int fd;
    z_stream z;
    sha256_ctx_t *hash;
    uint64_t size;
    unsigned char out[OUT];
};

tgz_writer_t *tgz_writer_new(int fd)
{
    enum { GZIP = 15 + 16 };
    tgz_writer_t *w = xcalloc(1, sizeof(*w));
    w->fd = fd;
    w->hash = sha256_begin();
    if (deflateInit2(&w->z, Z_BEST_SPEED, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        oom();
    w->z.next_out = w->out;
    w->z.avail_out = OUT;
    return w;
}

void tgz_writer_free(tgz_writer_t *w)
{
    unsigned char ignored[SHA256_SIZE];
    if (!w)
        return;
    deflateEnd(&w->z);
    if (w->hash)
        sha256_end(w->hash, ignored);
    free(w);
}

static int flush(tgz_writer_t *w, err_t **err)
{
    size_t n = OUT - w->z.avail_out;
    for (size_t at = 0; at < n;) {
        ssize_t r = write(w->fd, w->out + at, n - at);
        if (r < 0 && errno != EINTR)
            return err_set_errno(err, errno, "write the archive");
        at += r > 0 ? (size_t)r : 0;
    }
    sha256_add(w->hash, w->out, n);
    w->size += n;
    w->z.next_out = w->out;
    w->z.avail_out = OUT;
    return 0;
}

static int put(tgz_writer_t *w, const void *p, size_t n, err_t **err)
{
    while (n) {
        size_t part = min_size(n, 1 << 30);
        w->z.next_in = (unsigned char *)p;
        w->z.avail_in = (unsigned)part;
        while (w->z.avail_in) {
            if (!w->z.avail_out && flush(w, err) < 0)
                return err_again(err);
            deflate(&w->z, Z_NO_FLUSH);
        }
        p = (const char *)p + part;
        n -= part;
    }
    return 0;
}

static int pad(tgz_writer_t *w, uint64_t n, err_t **err)
{
    static const char zeros[BLOCK];
    size_t rest = (size_t)(n % BLOCK);
    return rest ? put(w, zeros, BLOCK - rest, err) : 0;
}

struct header {
    char type;
    const char *name, *target;
    unsigned mode;
    uint64_t size;
};

static int put_header(tgz_writer_t *w, const struct header *h, err_t **err)
{
    char b[BLOCK] = {};
    memcpy(b, h->name, min_size(strlen(h->name), NAME_MAX_USTAR));
    snprintf(b + 100, 8, "%07o", h->mode);
    snprintf(b + 108, 8, "%07o", 0);
    snprintf(b + 116, 8, "%07o", 0);
    /* Sizes beyond eleven octal digits stand in the pax header. */
    snprintf(b + 124, 12, "%011llo", (unsigned long long)(h->size & 077777777777));
    snprintf(b + 136, 12, "%011o", 0);
    b[156] = h->type;
    if (h->target)
        memcpy(b + 157, h->target, min_size(strlen(h->target), NAME_MAX_USTAR));
    memcpy(b + 257,
           "ustar\0"
           "00",
           8);
    memset(b + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)b[i];
    snprintf(b + 148, 8, "%06o", sum);
    return put(w, b, BLOCK, err);
}

/* "27 path=…\n": the length counts itself. */
static void pax_record(str_t *out, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + 3, n = rest + 1;
    for (;;) {
        char digits[24];
        size_t total = rest + (size_t)snprintf(digits, sizeof(digits), "%zu", n);
        if (total == n)
            break;
        n = total;
    }
    str_printf(out, "%zu %s=%s\n", n, key, value);
}

static int add(tgz_writer_t *w, const struct header *h, err_t **err)
{
    AUTO_STR pax = STR_INIT;
    if (strlen(h->name) > NAME_MAX_USTAR)
        pax_record(&pax, "path", h->name);
    if (h->target && strlen(h->target) > NAME_MAX_USTAR)
        pax_record(&pax, "linkpath", h->target);
    if (h->size > 077777777777) {
        char text[24];
        snprintf(text, sizeof(text), "%llu", (unsigned long long)h->size);
        pax_record(&pax, "size", text);
    }
    int r = 0;
    if (pax.len) {
        struct header x = {.type = 'x', .name = "PaxHeaders.0", .mode = 0644, .size = pax.len};
        r = put_header(w, &x, err);
        if (r == 0)
            r = put(w, pax.p, pax.len, err);
        if (r == 0)
            r = pad(w, pax.len, err);
    }
    return r < 0 ? r : put_header(w, h, err);
}

int tgz_add_dir(tgz_writer_t *w, const char *path, err_t **err)
{
    AUTO(free_p) char *name = xasprintf("%s/", path);
    return add(w, &(struct header){.type = '5', .name = name, .mode = 0755}, err);
}

int tgz_add_file(tgz_writer_t *w, const char *path, bool executable, const void *p, size_t n, err_t **err)
{
    int r = add(w, &(struct header){.type = '0', .name = path, .mode = executable ? 0755 : 0644, .size = n},
                err);
    if (r == 0)
        r = put(w, p, n, err);
    return r < 0 ? r : pad(w, n, err);
}

int tgz_add_link(tgz_writer_t *w, const char *path, const char *target, err_t **err)
{
    return add(w, &(struct header){.type = '2', .name = path, .target = target, .mode = 0777}, err);
}

int tgz_writer_finish(tgz_writer_t *w, char checksum[SHA256_HEX], uint64_t *size, err_t **err)
{
    static const char end[2 * BLOCK];
    int r = put(w, end, sizeof(end), err);
    for (int z = Z_OK; r == 0 && z != Z_STREAM_END;) {
        z = deflate(&w->z, Z_FINISH);
        r = flush(w, err);
    }
    if (r < 0)
        return r;
    sha256_end_hex(TAKE(w->hash), checksum);
    *size = w->size;
    return 0;
}
