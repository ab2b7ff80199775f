#include "common/base/rand.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

void random_bytes(void *p, size_t n)
{
    char *at = p;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            abort(); /* no randomness, no security */
        }
        at += got;
        n -= (size_t)got;
    }
}

uint64_t random_below(uint64_t n)
{
    if (n <= 1)
        return 0;
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, v;
    do
        random_bytes(&v, sizeof(v));
    while (v >= limit);
    return v % n;
}

double random_unit(void)
{
    return (double)random_below((uint64_t)1 << 53) / (double)((uint64_t)1 << 53);
}

char *random_text(size_t n, const char *alphabet)
{
    size_t m = strlen(alphabet);
    char *s = xmalloc(n + 1);
    for (size_t i = 0; i < n; i++)
        s[i] = alphabet[random_below(m)];
    s[n] = 0;
    return s;
}

void random_uuid(char out[UUID_TEXT])
{
    unsigned char b[16];
    random_bytes(b, sizeof(b));
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    snprintf(out, UUID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}
