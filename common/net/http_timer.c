#include "common/net/http_timer.h"

static void put(struct http_timers *ts, size_t i, struct http_timer *t)
{
    ts->heap.v[i] = t;
    t->place = i + 1;
}

static bool earlier(const struct http_timer *a, const struct http_timer *b)
{
    return mono_cmp(a->at, b->at) < 0;
}

/* Moves what is at i up or down to where it belongs. */
static void sift(struct http_timers *ts, size_t i)
{
    struct http_timer *t = ts->heap.v[i];
    for (; i && earlier(t, ts->heap.v[(i - 1) / 2]); i = (i - 1) / 2)
        put(ts, i, ts->heap.v[(i - 1) / 2]);
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= ts->heap.n)
            break;
        if (child + 1 < ts->heap.n && earlier(ts->heap.v[child + 1], ts->heap.v[child]))
            child++;
        if (!earlier(ts->heap.v[child], t))
            break;
        put(ts, i, ts->heap.v[child]);
        i = child;
    }
    put(ts, i, t);
}

void http_timer_set(struct http_timers *ts, struct http_timer *t, mono_t at)
{
    t->at = at;
    if (!t->place) {
        VEC_PUSH(&ts->heap, t);
        t->place = ts->heap.n;
    }
    sift(ts, t->place - 1);
}

void http_timer_stop(struct http_timers *ts, struct http_timer *t)
{
    if (!t->place)
        return;
    size_t i = t->place - 1;
    struct http_timer *last = VEC_POP(&ts->heap);
    t->place = 0;
    if (last != t) {
        put(ts, i, last);
        sift(ts, i);
    }
}

struct http_timer *http_timer_due(struct http_timers *ts, mono_t now)
{
    if (!ts->heap.n || mono_cmp(ts->heap.v[0]->at, now) > 0)
        return NULL;
    struct http_timer *t = ts->heap.v[0];
    http_timer_stop(ts, t);
    return t;
}

mono_t http_timer_first(const struct http_timers *ts)
{
    return ts->heap.n ? ts->heap.v[0]->at : MONO_NEVER;
}
