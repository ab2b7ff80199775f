/* The decompressed stream is read in pieces that the parser asks for; nothing is held but one header and, up
 * to a limit, the long names that stand before it. */
#include "common/base/str.h"
#include "common/base/tgz.h"

#include <ctype.h>
#include <errno.h>
#include <unistd.h>
#include <zlib.h>

enum { BLOCK = 512, IN = 64 << 10, PAX_MAX = 1 << 20, MAX_ENTRIES = 1000000 };

struct source {
    int fd;
    z_stream z;
    bool ended;
    uint64_t left; /* of what may be decompressed */
    unsigned char in[IN];
};

static int malformed(const char *why, err_t **err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "the archive is malformed: %s", why);
}

static int refill(struct source *s, err_t **err)
{
    ssize_t n;
    do {
        n = read(s->fd, s->in, IN);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set_errno(err, errno, "read the archive");
    s->z.next_in = s->in;
    s->z.avail_in = (unsigned)n;
    return n ? 0 : malformed("unexpected EOF", err);
}

/* Exactly n bytes, or *eof when the stream ends before the first. */
static int get(struct source *s, void *out, size_t n, bool *eof, err_t **err)
{
    if (eof)
        *eof = false;
    if (n > s->left)
        return malformed("unexpected EOF", err);
    s->left -= n;
    s->z.next_out = out;
    s->z.avail_out = (unsigned)n;
    while (s->z.avail_out) {
        if (s->ended) {
            if (!eof || s->z.avail_out != n)
                return malformed("unexpected EOF", err);
            *eof = true;
            return 0;
        }
        if (!s->z.avail_in && refill(s, err) < 0)
            return err_again(err);
        int z = inflate(&s->z, Z_NO_FLUSH);
        if (z == Z_STREAM_END)
            s->ended = true;
        else if (z != Z_OK && z != Z_BUF_ERROR)
            return malformed("it is not gzip", err);
    }
    return 0;
}

static bool octal(const char *p, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;
    if ((unsigned char)*p == 0x80) { /* GNU: the rest is a big-endian number */
        for (i = 1; i < n; i++) {
            if (v >> 55)
                return false;
            v = v << 8 | (unsigned char)p[i];
        }
        *out = v;
        return true;
    }
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        if (v >> 60)
            return false;
        v = v << 3 | (uint64_t)(p[i] - '0');
    }
    *out = v;
    return i == n || !p[i] || p[i] == ' ';
}

static bool sum_fits(const char *b)
{
    uint64_t told;
    unsigned sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)b[i];
    return octal(b + 148, 8, &told) && told == sum;
}

/* What pax and GNU headers say of the entry that follows them. */
struct extra {
    char *path, *target;
    bool has_size;
    uint64_t size;
};

static void extra_clear(struct extra *x)
{
    free(x->path);
    free(x->target);
    *x = (struct extra){};
}

static int read_pax(view_t rest, struct extra *x, err_t **err)
{
    while (rest.n) {
        size_t n = 0, digits = 0;
        while (digits < rest.n && digits < 8 && isdigit((unsigned char)rest.p[digits]))
            n = n * 10 + (size_t)(rest.p[digits++] - '0');
        if (!digits || digits >= rest.n || rest.p[digits] != ' ' || n > rest.n || n < digits + 3 ||
            rest.p[n - 1] != '\n')
            return malformed("pax header", err);
        view_t record = {rest.p + digits + 1, n - digits - 2}, key;
        if (!view_split(&record, '=', &key) || !record.p)
            return malformed("pax header", err);
        char **text = view_eq(key, "path") ? &x->path : view_eq(key, "linkpath") ? &x->target : NULL;
        if (text) {
            free(*text);
            *text = xstrndup(record.p, record.n);
        } else if (view_eq(key, "size")) {
            AUTO(free_p) char *number = xstrndup(record.p, record.n);
            x->has_size = str_to_u64(number, &x->size);
            if (!x->has_size)
                return malformed("pax header", err);
        }
        rest = (view_t){rest.p + n, rest.n - n};
    }
    return 0;
}

static int read_extra(struct source *s, char type, uint64_t size, struct extra *x, err_t **err)
{
    if (size > PAX_MAX)
        return malformed("a header is too long", err);
    size_t padded = (size_t)(size + BLOCK - 1) / BLOCK * BLOCK;
    AUTO(free_p) char *text = xcalloc(1, padded + 1);
    int r = padded ? get(s, text, padded, NULL, err) : 0;
    if (r < 0 || type == 'g')
        return r;
    if (type == 'x')
        return read_pax((view_t){text, (size_t)size}, x, err);
    char **to = type == 'L' ? &x->path : &x->target;
    free(*to);
    *to = xstrndup(text, (size_t)size);
    return 0;
}

static int pass_data(struct source *s, const struct tgz_reading *r, uint64_t size, bool wanted, err_t **err)
{
    char buf[16 << 10];
    for (uint64_t left = (size + BLOCK - 1) / BLOCK * BLOCK, data = size; left;) {
        size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);
        if (get(s, buf, n, NULL, err) < 0)
            return err_again(err);
        size_t useful = data < n ? (size_t)data : n;
        if (wanted && useful && r->on_data) {
            int e = r->on_data(r->arg, buf, useful, err);
            if (e < 0)
                return e;
        }
        data -= useful;
        left -= n;
    }
    return 0;
}

/* The ustar name, with its prefix. */
static char *name_of(const char *b)
{
    bool ustar = memcmp(b + 257, "ustar\0", 6) == 0;
    if (ustar && b[345])
        return xasprintf("%.155s/%.100s", b + 345, b);
    return xasprintf("%.100s", b);
}

static int read_entry(struct source *s, const struct tgz_reading *r, const char *b, struct extra *x,
                      err_t **err)
{
    uint64_t size = 0, mode = 0;
    char type = b[156];
    if (!octal(b + 124, 12, &size) || !octal(b + 100, 8, &mode))
        return malformed("a number", err);
    if (type && strchr("xgLK", type))
        return read_extra(s, type, size, x, err);
    AUTO(free_p) char *path = x->path ? TAKE(x->path) : name_of(b);
    AUTO(free_p) char *target = x->target ? TAKE(x->target) : xasprintf("%.100s", b + 157);
    size = x->has_size ? x->size : size;
    extra_clear(x);
    struct tgz_entry e = {.path = path, .target = target, .mode = (unsigned)(mode & 07777), .size = size};
    bool slash = str_has_suffix(path, "/");
    bool file = (type == '0' || !type) && !slash, dir = type == '5' || ((type == '0' || !type) && slash);
    e.kind = dir ? TGZ_DIR : type == '2' ? TGZ_LINK : TGZ_FILE;
    bool known = file || dir || type == '2';
    if (known && r->on_entry) {
        int failed = r->on_entry(r->arg, &e, err);
        if (failed < 0)
            return failed;
    }
    return pass_data(s, r, type == '1' || type == '2' || type == '5' ? 0 : size, file, err);
}

static bool is_zero(const char *b)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (b[i])
            return false;
    return true;
}

static int read_all(struct source *s, const struct tgz_reading *r, struct extra *x, err_t **err)
{
    char b[BLOCK];
    bool eof;
    for (uint64_t n = 0;; n++) {
        if (get(s, b, BLOCK, &eof, err) < 0)
            return err_again(err);
        if (eof || is_zero(b))
            return 0;
        if (!sum_fits(b))
            return malformed("a checksum", err);
        if (n >= (r->max_entries ? r->max_entries : MAX_ENTRIES))
            return err_set(err, ERR_RESOURCE_EXHAUSTED, "the archive has too many entries");
        int e = read_entry(s, r, b, x, err);
        if (e < 0)
            return e;
    }
}

int tgz_read(int fd, const struct tgz_reading *reading, err_t **err)
{
    enum { GZIP = 15 + 16 };
    struct source *s = xcalloc(1, sizeof(*s));
    struct extra x = {};
    s->fd = fd;
    s->left = reading->max_bytes ? reading->max_bytes : UINT64_MAX;
    if (inflateInit2(&s->z, GZIP) != Z_OK)
        oom();
    int r = read_all(s, reading, &x, err);
    extra_clear(&x);
    inflateEnd(&s->z);
    free(s);
    return r;
}
