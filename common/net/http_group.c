/* Design. Left alone, curl 7.88 opens one connection per waiting transfer as soon as the existing ones have
 * no room for another stream: 300 watches at a limit of 250 streams cost 51 connections. Which connection has
 * room only curl knows (the server's limit is not told), so the group (transfers of one lane to one origin as
 * one identity) finds out by trying: a transfer is handed over and curl is run at once; either it is given a
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

#include <openssl/ssl.h>

enum { RETIRE_SECONDS = 300 };

void http_group_mark(struct http_group *g)
{
    if (g->dirty)
        return;
    g->dirty = true;
    g->next_dirty = g->h->dirty;
    g->h->dirty = g;
}

static void group_free(struct http_group *g)
{
    atomic_fetch_sub(&g->endpoint->groups, 1);
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
    http_group_mark(g);
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
    atomic_fetch_add(&g->endpoint->groups, 1);
    g->parallel = t->lane == HTTP_LANE_STREAM || t->endpoint->c.http1_only ||
                  strcmp(url->scheme, "http") == 0;
    map_put(&t->h->groups, key, g);
    return g;
}

static unsigned max_connections(const struct http_group *g)
{
    return g->endpoint->c.max_connections;
}

bool http_group_may_connect(const http_transfer_t *t)
{
    const struct http_group *g = t->group;
    return !max_connections(g) || g->sockets < max_connections(g) || g->parallel || t->tried;
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
    http_group_heard(t);
    g->active--;
    g->opening -= t->state == HTTP_OPENING;
    g->full = false;
    g->place = g->opening > 0;
    http_group_mark(g);
    http_idle_look(g->h);
    if (--l->active == 0)
        http_timer_set(&l->h->timers, &l->retire, mono_after(mono_now(), SECONDS(RETIRE_SECONDS)));
}

/* Takes back a transfer that was refused a connection. */
void http_group_wait(http_transfer_t *t)
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
    if (curl_multi_add_handle(http_lane_multi(l), t->easy) != CURLM_OK)
        oom();
    http_lane_run(l);
    if (!t->refused)
        return true;
    http_group_wait(t);
    return false;
}

static void group_admit(struct http_group *g)
{
    while (g->held && may_admit(g))
        if (!admit(g, take_held(g)))
            break;
}

bool http_groups_settle(http_t *h)
{
    bool any = h->dirty != NULL;
    for (struct http_group *g; (g = h->dirty);) {
        h->dirty = g->next_dirty;
        g->dirty = false;
        group_admit(g);
        group_put(g);
    }
    return any;
}

void http_group_submit(http_transfer_t *t)
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
    http_group_mark(g);
    http_transfer_watch_time(t);
}

void http_group_remove(http_transfer_t *t)
{
    struct http_group *g = t->group;
    if (!g)
        return;
    if (t->state == HTTP_HELD) {
        drop_held(g, t);
        http_group_mark(g);
    } else {
        curl_multi_remove_handle(t->h->lanes[t->lane].multi, t->easy);
        count_out(t);
    }
    t->group = NULL;
    t->state = HTTP_NEW;
}

/* ---- connections that become ready ---- */

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

void http_group_ready(http_transfer_t *t)
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
    http_group_mark(g);
}

void http_group_heard(http_transfer_t *t)
{
    if (t->group && t->group->newest == t)
        settled(t->group);
}
