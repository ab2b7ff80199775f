/* Design. Each lane is one curl multi handle, driven by the loop's epoll, so that lanes never share a
 * connection.
 *
 * Left alone, curl 7.88 opens one connection per waiting transfer as soon as the existing ones have no room
 * for another stream: 300 watches at a limit of 250 streams cost 51 connections. Which connection has room
 * only curl knows (the server's limit is not told), so the group (transfers of one lane to one origin as one
 * identity) finds out by trying: a transfer is handed over and curl is run at once; either it is given a
 * stream there and then (curl calls the pre-request callback) or it is opening a connection, and then the
 * rest of the group is held until that one is ready or has failed. A new connection also gets a moment for
 * its SETTINGS to arrive: what is sent beyond a limit that is not known yet would be refused, and curl gives
 * up the whole connection then. Once ALPN says HTTP/1.1, nothing is held. max_connections is enforced where
 * curl asks for a socket.
 *
 * A connection's streams are limited by us too, because curl runs all transfers of a connection whenever
 * bytes arrive on it: an event costs 420 us of processor time among 250 idle streams, 110 us among 32, while
 * the memory of a watch grows only from 12 to 15 KB. */
#include "common/net/http_internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WATCH_STREAMS = 32, STREAMS = 100, IDLE_CONNECTIONS = 500, RETIRE_SECONDS = 300 };

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
        return 0;
    }
    h->sockets.v[fd].lane = l;
    if (epoll_ctl(h->epoll_fd, EPOLL_CTL_MOD, fd, &ev) < 0)
        epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
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

/* A lane that nobody has used for long gives back its connections. */
static void retire_fired(struct http_timer *t)
{
    struct http_lane_state *l = CONTAINER_OF(t, struct http_lane_state, retire);
    if (!l->active)
        http_lane_close(l);
}

void http_lane_init(http_t *h, enum http_lane lane)
{
    h->lanes[lane] = (struct http_lane_state){.h = h, .timer.fn = timer_fired, .retire.fn = retire_fired};
}

static CURLM *lane_multi(struct http_lane_state *l)
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
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
    return l->multi;
}

void http_lane_close(struct http_lane_state *l)
{
    if (l->multi)
        curl_multi_cleanup(l->multi);
    l->multi = NULL;
    http_timer_stop(&l->h->timers, &l->timer);
    http_timer_stop(&l->h->timers, &l->retire);
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
    curl_multi_socket_action(l->multi, fd, what, &running);
}

/* ---- groups ---- */

static void mark_dirty(struct http_group *g)
{
    if (g->dirty)
        return;
    g->dirty = true;
    g->next_dirty = g->h->dirty;
    g->h->dirty = g;
}

static void group_free(struct http_group *g)
{
    http_endpoint_unref(g->endpoint);
    free(g->key);
    free(g);
}

static void group_put(struct http_group *g)
{
    if (g->held || g->active || g->sockets || g->dirty)
        return;
    http_timer_stop(&g->h->timers, &g->settle);
    map_del(&g->h->groups, g->key);
    group_free(g);
}

void http_groups_free(http_t *h)
{
    MAP_FOREACH(&h->groups, e)
        group_free(e->value);
    map_dispose(&h->groups);
}

static void settled(struct http_group *g)
{
    g->newest = NULL;
    http_timer_stop(&g->h->timers, &g->settle);
    mark_dirty(g);
}

static void settle_fired(struct http_timer *t)
{
    settled(CONTAINER_OF(t, struct http_group, settle));
}

static struct http_group *group_get(http_transfer_t *t, const struct http_url *url)
{
    AUTO(free_p) char *origin = http_url_origin(url);
    AUTO(free_p) char *key = xasprintf("%d %d %p %s", (int)t->lane, t->stranger, (void *)t->endpoint, origin);
    struct http_group *g = map_get(&t->h->groups, key);
    if (g)
        return g;
    g = xcalloc(1, sizeof(*g));
    g->h = t->h;
    g->lane = t->lane;
    g->settle.fn = settle_fired;
    g->key = xstrdup(key);
    g->endpoint = http_endpoint_ref(t->endpoint);
    g->parallel = t->lane == HTTP_LANE_STREAM || t->endpoint->c.http1_only ||
                  strcmp(url->scheme, "http") == 0;
    map_put(&t->h->groups, key, g);
    return g;
}

static unsigned max_connections(const struct http_group *g)
{
    return g->endpoint->c.max_connections;
}

static bool may_admit(struct http_group *g)
{
    if (g->parallel)
        return !max_connections(g) || g->active < max_connections(g);
    return !g->full && !g->newest && (!g->opening || g->place);
}

static void hold(struct http_group *g, http_transfer_t *t, bool first)
{
    t->state = HTTP_HELD;
    if (!g->held)
        g->held_tail = &g->held;
    if (first) {
        t->next_held = g->held;
        if (!g->held)
            g->held_tail = &t->next_held;
        g->held = t;
        return;
    }
    t->next_held = NULL;
    *g->held_tail = t;
    g->held_tail = &t->next_held;
}

static http_transfer_t *take_held(struct http_group *g)
{
    http_transfer_t *t = g->held;
    g->held = t->next_held;
    if (!g->held)
        g->held_tail = &g->held;
    return t;
}

static void drop_held(struct http_group *g, http_transfer_t *t)
{
    http_transfer_t **p = &g->held;
    while (*p != t)
        p = &(*p)->next_held;
    *p = t->next_held;
    if (!*p)
        g->held_tail = p;
}

static void count_in(http_transfer_t *t)
{
    struct http_group *g = t->group;
    struct http_lane_state *l = &t->h->lanes[t->lane];
    t->state = HTTP_OPENING;
    g->active++;
    g->opening++;
    if (l->active++ == 0)
        http_timer_stop(&l->h->timers, &l->retire);
}

static void count_out(http_transfer_t *t)
{
    struct http_group *g = t->group;
    struct http_lane_state *l = &t->h->lanes[t->lane];
    http_lane_heard(t);
    g->active--;
    g->opening -= t->state == HTTP_OPENING;
    g->full = false;
    g->place = g->opening > 0;
    mark_dirty(g);
    if (--l->active == 0)
        http_timer_set(&l->h->timers, &l->retire, mono_after(mono_now(), SECONDS(RETIRE_SECONDS)));
}

/* Takes back a transfer that was refused a connection. */
void http_lane_wait_for_place(http_transfer_t *t)
{
    struct http_group *g = t->group;
    curl_multi_remove_handle(t->h->lanes[t->lane].multi, t->easy);
    http_transfer_drop_easy(t);
    count_out(t);
    g->place = false;
    g->full = true;
    hold(g, t, true);
    http_transfer_watch_time(t);
}

/* Hands the transfer to curl and runs it as far as it goes. False when it found all connections full. */
static bool admit(struct http_group *g, http_transfer_t *t)
{
    struct http_lane_state *l = &t->h->lanes[t->lane];
    g->place = false;
    t->refused = t->tried = false;
    if (http_transfer_prepare(t) < 0) {
        t->group = NULL;
        http_transfer_end(t);
        return true;
    }
    count_in(t);
    if (curl_multi_add_handle(lane_multi(l), t->easy) != CURLM_OK)
        oom();
    http_lane_run(l);
    if (!t->refused)
        return true;
    http_lane_wait_for_place(t);
    return false;
}

static void group_admit(struct http_group *g)
{
    while (g->held && may_admit(g))
        if (!admit(g, take_held(g)))
            break;
}

void http_lane_submit(http_transfer_t *t)
{
    struct http_url url;
    if (http_url_parse(t->url, &url, &t->error) < 0) {
        http_transfer_end(t);
        return;
    }
    struct http_group *g = t->group = group_get(t, &url);
    http_url_dispose(&url);
    t->connect_by = mono_after(mono_now(), t->endpoint->c.connect_timeout_ns);
    hold(g, t, false);
    mark_dirty(g);
    http_transfer_watch_time(t);
}

void http_lane_remove(http_transfer_t *t)
{
    struct http_group *g = t->group;
    if (!g)
        return;
    if (t->state == HTTP_HELD) {
        drop_held(g, t);
        mark_dirty(g);
    } else {
        curl_multi_remove_handle(t->h->lanes[t->lane].multi, t->easy);
        count_out(t);
    }
    t->group = NULL;
    t->state = HTTP_NEW;
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
        more = h->dirty != NULL;
        for (struct http_group *g; (g = h->dirty);) {
            h->dirty = g->next_dirty;
            g->dirty = false;
            group_admit(g);
            group_put(g);
        }
        for (size_t i = 0; i < HTTP_LANE_MAX; i++) {
            more = more || h->lanes[i].ran;
            if (h->lanes[i].ran) {
                h->lanes[i].ran = false;
                reap(&h->lanes[i]);
            }
        }
    }
}

/* ---- connections ---- */

/* The protocol agreed on for the connection that the transfer was just given. */
static bool speaks_http2(http_transfer_t *t)
{
    struct curl_tlssessioninfo *tls = NULL;
    if (curl_easy_getinfo(t->easy, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK || !tls || !tls->internals)
        return false;
    const unsigned char *name = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(tls->internals, &name, &n);
    return n == 2 && memcmp(name, "h2", 2) == 0;
}

/* SETTINGS follow the handshake by a round trip at most; that took about as long. */
static int64_t settling_time(http_transfer_t *t)
{
    enum { LEAST_MS = 5, MOST_MS = 250 };
    curl_off_t begun_us = 0, shaken_us = 0;
    curl_easy_getinfo(t->easy, CURLINFO_NAMELOOKUP_TIME_T, &begun_us);
    curl_easy_getinfo(t->easy, CURLINFO_APPCONNECT_TIME_T, &shaken_us);
    int64_t took = (int64_t)(shaken_us - begun_us) * NS_PER_US;
    return took < MILLIS(LEAST_MS) ? MILLIS(LEAST_MS) : took > MILLIS(MOST_MS) ? MILLIS(MOST_MS) : took;
}

void http_lane_ready(http_transfer_t *t)
{
    struct http_group *g = t->group;
    long opened = 0;
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &opened);
    if (t->state == HTTP_OPENING) {
        t->state = HTTP_ACTIVE;
        g->opening--;
    }
    g->parallel = !speaks_http2(t);
    if (!g->parallel && opened > 0) {
        g->full = false;
        g->newest = t;
        http_timer_set(&g->h->timers, &g->settle, mono_after(mono_now(), settling_time(t)));
    }
    mark_dirty(g);
}

void http_lane_heard(http_transfer_t *t)
{
    if (t->group && t->group->newest == t)
        settled(t->group);
}

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
    if (max_connections(g) && g->sockets >= max_connections(g) && !g->parallel && !t->tried) {
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
        mark_dirty(g);
    }
    return close(fd);
}
