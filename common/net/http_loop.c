/* Design. One thread waits in epoll for curl's sockets, the next timer, and an eventfd that other threads
 * write when they have put something into the inbox. Nothing but that thread touches curl or the state of a
 * transfer; the inbox and the `asked` bits are all that is shared. In each round: sockets, inbox, timers, and
 * then http_lane_settle ends what is finished and starts what may begin, so that no user callback runs below
 * a curl function that it could re-enter. */
#include "common/net/http_internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void wake(http_t *h)
{
    uint64_t one = 1;
    ssize_t n = write(h->wake_fd, &one, sizeof(one));
    (void)n; /* a full counter wakes as well */
}

void http_ask(http_transfer_t *t, unsigned what)
{
    http_t *h = t->h;
    LOCKED(&h->lock);
    if (!t->asked) {
        atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
        t->next_asked = NULL;
        *h->inbox_tail = t;
        h->inbox_tail = &t->next_asked;
        wake(h);
    }
    t->asked |= what;
}

void http_post(http_t *h, int64_t delay_ns, void (*fn)(void *arg), void *arg)
{
    struct http_post *p = xcalloc(1, sizeof(*p));
    p->fn = fn;
    p->arg = arg;
    p->timer.at = mono_after(mono_now(), delay_ns > 0 ? delay_ns : 0);
    LOCKED(&h->lock);
    *h->posts_tail = p;
    h->posts_tail = &p->next;
    wake(h);
}

bool http_on_thread(const http_t *h)
{
    return pthread_equal(h->thread, pthread_self());
}

static void run_post(struct http_post *p)
{
    void (*fn)(void *) = p->fn;
    void *arg = p->arg;
    free(p);
    fn(arg);
}

static void post_fired(struct http_timer *t)
{
    run_post(CONTAINER_OF(t, struct http_post, timer));
}

static void answer(http_transfer_t *t, unsigned asked)
{
    if (asked & HTTP_ASK_START)
        http_transfer_begin(t);
    if (asked & HTTP_ASK_CANCEL)
        http_transfer_do_cancel(t);
    if (asked & HTTP_ASK_RESUME)
        http_transfer_do_resume(t);
    http_transfer_unref(t);
}

static http_transfer_t *next_asked(http_t *h, unsigned *asked)
{
    LOCKED(&h->lock);
    http_transfer_t *t = h->inbox;
    if (!t)
        return NULL;
    h->inbox = t->next_asked;
    if (!h->inbox)
        h->inbox_tail = &h->inbox;
    *asked = t->asked;
    t->asked = 0;
    return t;
}

static struct http_post *take_posts(http_t *h)
{
    LOCKED(&h->lock);
    struct http_post *list = h->posts;
    h->posts = NULL;
    h->posts_tail = &h->posts;
    return list;
}

static void read_inbox(http_t *h)
{
    unsigned asked;
    for (http_transfer_t *t; (t = next_asked(h, &asked));)
        answer(t, asked);
    mono_t now = mono_now();
    for (struct http_post *p = take_posts(h), *next; p; p = next) {
        next = p->next;
        if (mono_cmp(p->timer.at, now) <= 0) {
            run_post(p);
        } else {
            p->timer.fn = post_fired;
            http_timer_set(&h->timers, &p->timer, p->timer.at);
        }
    }
}

static int wait_ms(http_t *h)
{
    int64_t left = mono_left(http_timer_first(&h->timers));
    return left > SECONDS(3600) ? 3600000 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

static bool take_events(http_t *h)
{
    struct epoll_event events[64];
    int n = epoll_wait(h->epoll_fd, events, ARRAY_LEN(events), wait_ms(h));
    bool mail = false;
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == h->wake_fd)
            mail = true;
        else
            http_lane_event(h, events[i].data.fd, events[i].events);
    }
    if (mail) {
        uint64_t count;
        ssize_t r = read(h->wake_fd, &count, sizeof(count));
        (void)r;
    }
    return mail;
}

static bool stopping(http_t *h)
{
    LOCKED(&h->lock);
    return h->stopping;
}

static void run_timers(http_t *h)
{
    mono_t now = mono_now();
    for (struct http_timer *t; (t = http_timer_due(&h->timers, now));)
        t->fn(t);
}

/* Ends everything: what is under way first, then what was posted; either may bring more of both. */
static void wind_up(http_t *h)
{
    bool more = true;
    while (more) {
        more = false;
        unsigned asked;
        for (http_transfer_t *t; (t = next_asked(h, &asked)); more = true)
            answer(t, asked);
        for (; h->live; more = true) {
            atomic_store(&h->live->canceled, true);
            http_transfer_do_cancel(h->live);
        }
        http_lane_settle(h);
        for (struct http_post *p = take_posts(h), *next; p; p = next, more = true) {
            next = p->next;
            run_post(p);
        }
        while (h->timers.heap.n) {
            struct http_timer *t = h->timers.heap.v[0];
            http_timer_stop(&h->timers, t);
            if (t->fn == post_fired) {
                run_post(CONTAINER_OF(t, struct http_post, timer));
                more = true;
            }
        }
    }
    for (size_t i = 0; i < HTTP_LANE_MAX; i++)
        http_lane_close(&h->lanes[i]);
    http_groups_free(h);
}

static void *loop(void *arg)
{
    http_t *h = arg;
    while (!stopping(h)) {
        if (take_events(h))
            read_inbox(h);
        run_timers(h);
        http_lane_settle(h);
    }
    wind_up(h);
    return NULL;
}

static void curl_setup(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        oom();
}

http_t *http_new(const char *thread_name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, curl_setup);
    http_t *h = xcalloc(1, sizeof(*h));
    pthread_mutex_init(&h->lock, NULL);
    h->inbox_tail = &h->inbox;
    h->posts_tail = &h->posts;
    h->plain = http_endpoint_new(NULL);
    for (int i = 0; i < HTTP_LANE_MAX; i++)
        http_lane_init(h, (enum http_lane)i);
    http_idle_init(h);
    h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (h->epoll_fd < 0 || h->wake_fd < 0)
        oom();
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = h->wake_fd};
    epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, h->wake_fd, &ev);
    LOCKED(&h->lock); /* until `thread` is written */
    h->thread = thread_start(thread_name, loop, h);
    return h;
}

void http_free(http_t *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    wake(h);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    close(h->epoll_fd);
    close(h->wake_fd);
    http_endpoint_unref(h->plain);
    VEC_FREE(&h->timers.heap);
    VEC_FREE(&h->sockets);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
