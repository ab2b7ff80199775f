/* A lane is one curl multi handle, driven by the loop's epoll, so that lanes never share a connection. Which
 * transfers it is given, and when, is up to http_group.c.
 *
 * When several streams of an HTTP/2 connection get data at once, libcurl 7.88 (Debian 12's) sometimes keeps
 * some of it until the socket has something to read again, which for a watch may be a minute later. So a
 * descriptor that had something is looked at again, as if it had more, until nothing comes of it. */
#include "common/net/http_internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WATCH_STREAMS = 32, STREAMS = 100, IDLE_CONNECTIONS = 500 };
#define AGAIN_AFTER MILLIS(2)

/* ---- the multi handle in the loop ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *lane, void *unused)
{
    struct http_lane_state *l = lane;
    http_t *h = l->h;
    while (h->sockets.n <= (size_t)fd)
        VEC_PUSH(&h->sockets, (struct http_socket){});
    struct epoll_event ev = {.data.fd = fd};
    if (what & CURL_POLL_IN)
        ev.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        ev.events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        h->sockets.v[fd].lane = NULL;
        h->sockets.v[fd].look_again = false;
        return 0;
    }
    int op = h->sockets.v[fd].lane ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    h->sockets.v[fd].lane = l;
    /* A descriptor that was closed without a word has left epoll by itself. */
    if (epoll_ctl(h->epoll_fd, op, fd, &ev) < 0)
        epoll_ctl(h->epoll_fd, op == EPOLL_CTL_MOD ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *lane)
{
    struct http_lane_state *l = lane;
    if (ms < 0)
        http_timer_stop(&l->h->timers, &l->timer);
    else
        http_timer_set(&l->h->timers, &l->timer, mono_after(mono_now(), MILLIS(ms)));
    return 0;
}

/* Lets curl do what it has to do by its timers. */
void http_lane_run(struct http_lane_state *l)
{
    int running;
    l->ran = true;
    if (l->multi)
        curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static void timer_fired(struct http_timer *t)
{
    http_lane_run(CONTAINER_OF(t, struct http_lane_state, timer));
}

/* Another look at what had something to read: at once again while it brings something, and once more a moment
 * after. */
static void again_fired(struct http_timer *t)
{
    struct http_lane_state *l = CONTAINER_OF(t, struct http_lane_state, again);
    http_t *h = l->h;
    bool moved = l->pieces != l->pieces_seen;
    int running;
    l->pieces_seen = l->pieces;
    if (moved)
        http_timer_set(&h->timers, t, mono_now());
    else if (!l->last_look)
        http_timer_set(&h->timers, t, mono_after(mono_now(), AGAIN_AFTER));
    for (size_t fd = 0; l->multi && fd < h->sockets.n; fd++) {
        struct http_socket *s = &h->sockets.v[fd];
        if (s->lane != l || !s->look_again)
            continue;
        s->look_again = moved || !l->last_look;
        l->ran = true;
        curl_multi_socket_action(l->multi, (curl_socket_t)fd, CURL_CSELECT_IN, &running);
    }
    l->last_look = !moved;
}

/* A lane that nobody has used for long gives back its connections. */
static void retire_fired(struct http_timer *t)
{
    struct http_lane_state *l = CONTAINER_OF(t, struct http_lane_state, retire);
    if (!l->active)
        http_lane_close(l);
}

void http_lane_init(http_t *h, enum http_lane lane)
{
    h->lanes[lane] = (struct http_lane_state){
        .h = h, .timer.fn = timer_fired, .retire.fn = retire_fired, .again.fn = again_fired};
}

void http_keep_idle(http_t *h, unsigned n)
{
    h->keep_idle = n;
}

CURLM *http_lane_multi(struct http_lane_state *l)
{
    if (l->multi)
        return l->multi;
    if (!(l->multi = curl_multi_init()))
        oom();
    bool watches = l == &l->h->lanes[HTTP_LANE_WATCH];
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)(watches ? WATCH_STREAMS : STREAMS));
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS,
                      (long)(l->h->keep_idle ? l->h->keep_idle : IDLE_CONNECTIONS));
    return l->multi;
}

void http_lane_close(struct http_lane_state *l)
{
    if (l->multi)
        curl_multi_cleanup(l->multi);
    l->multi = NULL;
    http_timer_stop(&l->h->timers, &l->timer);
    http_timer_stop(&l->h->timers, &l->retire);
    http_timer_stop(&l->h->timers, &l->again);
}

void http_lane_event(http_t *h, int fd, uint32_t events)
{
    /* The lane may have let go of the descriptor earlier in the same round. */
    struct http_lane_state *l = (size_t)fd < h->sockets.n ? h->sockets.v[fd].lane : NULL;
    if (!l || !l->multi)
        return;
    int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    int running;
    l->ran = true;
    if (what & CURL_CSELECT_IN) {
        h->sockets.v[fd].look_again = true;
        if (!l->again.place || l->last_look)
            http_timer_set(&h->timers, &l->again, mono_now());
        l->last_look = false;
    }
    curl_multi_socket_action(l->multi, fd, what, &running);
}

static void reap(struct http_lane_state *l)
{
    CURLMsg *msg;
    int left;
    while (l->multi && (msg = curl_multi_info_read(l->multi, &left))) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        http_transfer_t *t = NULL;
        CURLcode code = msg->data.result;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        http_transfer_result(t, code);
    }
}

void http_lane_settle(http_t *h)
{
    bool more = true;
    while (more) {
        more = http_groups_settle(h);
        for (struct http_lane_state *l = h->lanes; l < h->lanes + HTTP_LANE_MAX; l++) {
            more = more || l->ran;
            if (l->ran) {
                l->ran = false;
                reap(l);
            }
        }
    }
}

/* ---- connections ---- */

/* A peer that vanished without a word is noticed within about a minute. */
static void keep_alive(int fd)
{
    int on = 1, idle = 30, interval = 10, count = 3;
    unsigned lost_ms = 60000;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &lost_ms, sizeof(lost_ms));
}

curl_socket_t http_lane_open_socket(void *transfer, curlsocktype purpose, struct curl_sockaddr *a)
{
    http_transfer_t *t = transfer;
    http_t *h = t->h;
    struct http_group *g = t->group;
    if (!http_group_may_connect(t)) {
        t->refused = true;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    while (h->sockets.n <= (size_t)fd)
        VEC_PUSH(&h->sockets, (struct http_socket){});
    h->sockets.v[fd].group = g;
    g->sockets++;
    t->tried = true; /* a second one races it over the other address family */
    if (a->family == AF_INET || a->family == AF_INET6)
        keep_alive(fd);
    return fd;
}

int http_lane_close_socket(void *http, curl_socket_t fd)
{
    http_t *h = http;
    struct http_group *g = (size_t)fd < h->sockets.n ? h->sockets.v[fd].group : NULL;
    if (g) {
        h->sockets.v[fd].group = NULL;
        g->sockets--;
        g->full = false;
        http_group_mark(g);
    }
    return close(fd);
}
