/* A small HTTP/2 server (TLS, ALPN) inside a test, on nghttp2: for what depends on streams.
 *
 * GET /echo/… answers with the path at once; /hold answers with headers and "hello", then nothing until
 * fake_h2_release; /watch sends FAKE_H2_NEWS bytes of the pattern at each fake_h2_say, for ever; /big sends 8
 * MiB of a pattern; /never is not answered; /reset is reset. */
#ifndef CARGOCD_TESTS_UNIT_KIT_FAKE_H2_H
#define CARGOCD_TESTS_UNIT_KIT_FAKE_H2_H

#include "common/base/str.h"

#include <stdint.h>

struct fake_h2_config {
    unsigned max_streams;  /* SETTINGS_MAX_CONCURRENT_STREAMS */
    int goaway_after;      /* requests on a connection until it is told to go away; 0: never */
    int settings_delay_ms; /* before the first frame */
};
typedef struct fake_h2 fake_h2_t;
fake_h2_t *fake_h2_start(const struct fake_h2_config *config);
void fake_h2_stop(fake_h2_t *f);
char *fake_h2_url(const fake_h2_t *f, const char *path) MUST_USE;
/* Connections accepted; most of them in use at once; most streams open on one of them at once; requests
 * answered; streams refused. */
struct fake_h2_stats {
    int connections, most_connections, most_streams, requests, refused;
};
void fake_h2_stats(fake_h2_t *f, struct fake_h2_stats *out);
/* Ends all that hold. */
void fake_h2_release(fake_h2_t *f);
/* News on half of the /watch streams, changing ones. */
static inline bool fake_h2_silent(int32_t stream, int round)
{
    return ((unsigned)stream / 2 * 2654435761U ^ (unsigned)round * 40503U) >> 7 & 1;
}
void fake_h2_say(fake_h2_t *f);
/* Cuts all connections; new ones are welcome. */
void fake_h2_cut(fake_h2_t *f);
/* Byte i of /big. */
static inline char fake_h2_pattern(size_t i)
{
    return (char)('a' + (i * 7 + i / 1000) % 26);
}
enum { FAKE_H2_BIG = 8 << 20, FAKE_H2_NEWS = 700 };

#endif
