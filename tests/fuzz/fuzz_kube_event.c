/* A watch's stream, arriving in pieces whose size the first byte tells. Whatever the pieces, the same events
 * come. */
#include "tests/fuzz/fuzz.h"
#include "common/kube/event.h"

struct seen {
    size_t values, events;
    uint64_t sum;
};

static int on_value(void *arg, const char *p, size_t n)
{
    struct seen *s = arg;
    struct kube_event_view ev;
    s->values++;
    s->sum = s->sum * 31 + n;
    if (kube_event_read(p, n, &ev)) {
        s->events++;
        s->sum = s->sum * 31 + (uint64_t)ev.type + strlen(ev.resource_version);
        REQUIRE(ev.object.p >= p && ev.object.p + ev.object.n <= p + n);
        s->sum += kube_object_is_bare(ev.object.p, ev.object.n);
    }
    return 0;
}

static struct seen feed(const char *p, size_t n, size_t step)
{
    struct seen seen = {};
    struct kube_stream s;
    kube_stream_init(&s, 4096);
    s.on_value = on_value;
    s.arg = &seen;
    for (size_t at = 0; at < n; at += step)
        kube_stream_feed(&s, p + at, min_size(step, n - at));
    seen.sum = seen.sum * 31 + s.skipped;
    kube_stream_dispose(&s);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *p = (const char *)data + 1;
    struct seen whole = feed(p, size - 1, size), pieces = feed(p, size - 1, (size_t)data[0] + 1);
    REQUIRE(whole.values == pieces.values && whole.events == pieces.events && whole.sum == pieces.sum);
    return 0;
}
