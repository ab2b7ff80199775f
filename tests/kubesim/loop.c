#include "tests/kubesim/loop.h"

#include "common/base/vec.h"

#include <errno.h>
#include <sys/epoll.h>

struct loop {
    int epoll;
    bool stop;
    VEC(struct timer *) heap; /* least due first */
    struct deferred *deferred, **deferred_tail;
};

loop_t *loop_new(err_t **err)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
        err_set_errno(err, errno, "epoll_create1");
        return NULL;
    }
    loop_t *l = xcalloc(1, sizeof(*l));
    l->epoll = fd;
    l->deferred_tail = &l->deferred;
    return l;
}

void loop_free(loop_t *l)
{
    if (!l)
        return;
    close_p(&l->epoll);
    VEC_FREE(&l->heap);
    free(l);
}

void loop_watch(loop_t *l, struct loop_fd *f, uint32_t events)
{
    if (f->events == events)
        return;
    int op = !f->events ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    struct epoll_event e = {.events = events, .data.ptr = f};
    f->events = events;
    if (epoll_ctl(l->epoll, op, f->fd, &e) < 0 && op == EPOLL_CTL_ADD)
        f->events = 0;
}

/* ---- timers: a binary heap ---- */

static void heap_place(loop_t *l, size_t i, struct timer *t)
{
    l->heap.v[i] = t;
    t->pos = i + 1;
}

static void heap_up(loop_t *l, size_t i)
{
    struct timer *t = l->heap.v[i];
    for (; i > 0 && l->heap.v[(i - 1) / 2]->due > t->due; i = (i - 1) / 2)
        heap_place(l, i, l->heap.v[(i - 1) / 2]);
    heap_place(l, i, t);
}

static void heap_down(loop_t *l, size_t i)
{
    struct timer *t = l->heap.v[i];
    for (;;) {
        size_t c = 2 * i + 1;
        if (c + 1 < l->heap.n && l->heap.v[c + 1]->due < l->heap.v[c]->due)
            c++;
        if (c >= l->heap.n || l->heap.v[c]->due >= t->due)
            break;
        heap_place(l, i, l->heap.v[c]);
        i = c;
    }
    heap_place(l, i, t);
}

void loop_timer_stop(loop_t *l, struct timer *t)
{
    if (!t->pos)
        return;
    size_t i = t->pos - 1;
    struct timer *last = VEC_POP(&l->heap);
    t->pos = 0;
    if (last == t)
        return;
    heap_place(l, i, last);
    heap_up(l, i);
    heap_down(l, last->pos - 1);
}

void loop_timer(loop_t *l, struct timer *t, int64_t delay_ns)
{
    loop_timer_stop(l, t);
    t->due = mono_now().ns + delay_ns;
    VEC_PUSH(&l->heap, t);
    heap_up(l, l->heap.n - 1);
}

/* Only those that were due at the beginning: a timer that sets itself again cannot hold up the loop. */
static void run_timers(loop_t *l)
{
    int64_t now = mono_now().ns;
    for (size_t n = l->heap.n; n > 0 && l->heap.n && l->heap.v[0]->due <= now; n--) {
        struct timer *t = l->heap.v[0];
        loop_timer_stop(l, t);
        t->fn(t);
    }
}

/* ---- deferred ---- */

void loop_defer(loop_t *l, struct deferred *d)
{
    if (d->queued)
        return;
    d->queued = true;
    d->next = NULL;
    *l->deferred_tail = d;
    l->deferred_tail = &d->next;
}

void loop_defer_cancel(loop_t *l, struct deferred *d)
{
    if (!d->queued)
        return;
    struct deferred **at = &l->deferred;
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    if (l->deferred_tail == &d->next)
        l->deferred_tail = at;
    d->queued = false;
}

static void run_deferred(loop_t *l)
{
    struct deferred *d;
    while ((d = l->deferred)) {
        l->deferred = d->next;
        if (!l->deferred)
            l->deferred_tail = &l->deferred;
        d->queued = false;
        d->fn(d);
    }
}

/* ---- the loop ---- */

static int wait_ms(const loop_t *l)
{
    if (!l->heap.n)
        return -1;
    int64_t left = l->heap.v[0]->due - mono_now().ns;
    if (left <= 0)
        return 0;
    left = (left + NS_PER_MS - 1) / NS_PER_MS;
    return left > 3600000 ? 3600000 : (int)left;
}

void loop_run(loop_t *l)
{
    struct epoll_event events[256];
    l->stop = false;
    run_deferred(l);
    while (!l->stop) {
        int n = epoll_wait(l->epoll, events, ARRAY_LEN(events), wait_ms(l));
        for (int i = 0; i < n; i++) {
            struct loop_fd *f = events[i].data.ptr;
            /* What an earlier event of this turn took out of the set is skipped. */
            if (f->events)
                f->fn(f, events[i].events);
        }
        run_timers(l);
        run_deferred(l);
    }
}

void loop_stop(loop_t *l)
{
    l->stop = true;
}
