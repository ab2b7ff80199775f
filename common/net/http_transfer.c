#include "common/net/http_internal.h"

/* ---- made and unmade on any thread ---- */

static bool safe_method(const char *method)
{
    return str_eq(method, "GET") || str_eq(method, "HEAD") || str_eq(method, "OPTIONS");
}

static void copy_request(http_transfer_t *t, const struct http_request *r)
{
    t->method = xstrdup(r->method ? r->method : "GET");
    t->url = xstrdup(str_or_empty(r->url));
    size_t n = 0;
    while (r->headers && r->headers[n])
        n++;
    t->headers = xcalloc(n + 1, sizeof(*t->headers));
    for (size_t i = 0; i < n; i++)
        t->headers[i] = xstrdup(r->headers[i]);
    t->body = r->body ? xmemdup(r->body, r->body_size) : NULL;
    t->body_size = r->body ? r->body_size : 0;
    t->max_body = r->max_body;
    t->timeout_ns = r->timeout_ns;
    t->idle_timeout_ns = r->idle_timeout_ns;
    t->lane = r->lane < HTTP_LANE_MAX ? r->lane : HTTP_LANE_REQUEST;
    t->idempotent = r->idempotent || safe_method(t->method);
    t->redirects_left = r->max_redirects;
}

http_transfer_t *http_start(http_t *h, const struct http_request *request, const struct http_stream_ops *ops,
                            void *arg)
{
    http_transfer_t *t = xcalloc(1, sizeof(*t));
    t->refs = 2; /* the caller's; the loop's until on_done */
    t->h = h;
    http_request_check(request, &t->error);
    copy_request(t, request);
    t->endpoint = http_endpoint_ref(request->endpoint ? request->endpoint : h->plain);
    t->ops = *ops;
    t->arg = arg;
    t->started = mono_now();
    t->head = (str_t)STR_MAX(256 << 10);
    http_ask(t, HTTP_ASK_START);
    return t;
}

void http_transfer_unref(http_transfer_t *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(t->method);
    free(t->url);
    strv_free(t->headers);
    free(t->body);
    http_endpoint_unref(t->endpoint);
    err_free(t->error);
    str_dispose(&t->head);
    free(t->location);
    free(t);
}

void http_cancel(http_transfer_t *t)
{
    atomic_store(&t->canceled, true);
    http_ask(t, HTTP_ASK_CANCEL);
}

void http_resume(http_transfer_t *t)
{
    http_ask(t, HTTP_ASK_RESUME);
}

void http_transfer_release(http_transfer_t *t)
{
    http_transfer_unref(t);
}

/* ---- on the I/O thread ---- */

static void timed_out(http_transfer_t *t, enum err_code code, const char *what, int64_t limit)
{
    AUTO(free_p) char *url = http_url_for_message(t->url);
    char text[DURATION_TEXT];
    duration_format(limit, text);
    err_set(&t->error, code, "%s %s: %s %s", t->method, url, what, text);
    http_transfer_end(t);
}

static bool idle_for_too_long(http_transfer_t *t, mono_t now)
{
    if (!t->idle_timeout_ns || t->state != HTTP_ACTIVE || t->paused)
        return false;
    curl_off_t sent = 0;
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (sent != t->uploaded) {
        t->uploaded = sent;
        t->last_byte = now;
    }
    return mono_cmp(mono_after(t->last_byte, t->idle_timeout_ns), now) <= 0;
}

static void timer_fired(struct http_timer *timer)
{
    http_transfer_t *t = CONTAINER_OF(timer, http_transfer_t, timer);
    mono_t now = mono_now();
    if (t->timeout_ns && mono_cmp(t->deadline, now) <= 0)
        timed_out(t, ERR_DEADLINE_EXCEEDED, "no complete answer within", t->timeout_ns);
    else if (t->state == HTTP_HELD && mono_cmp(t->connect_by, now) <= 0)
        timed_out(t, ERR_UNAVAILABLE, "not connected within", t->endpoint->c.connect_timeout_ns);
    else if (idle_for_too_long(t, now))
        timed_out(t, ERR_DEADLINE_EXCEEDED, "not a byte within", t->idle_timeout_ns);
    else
        http_transfer_watch_time(t);
}

/* Sets the timer for the earliest of what may be waited for. */
void http_transfer_watch_time(http_transfer_t *t)
{
    mono_t at = t->timeout_ns ? t->deadline : MONO_NEVER;
    mono_t other = MONO_NEVER;
    if (t->state == HTTP_HELD)
        other = t->connect_by;
    else if (t->idle_timeout_ns)
        other = mono_after(t->state == HTTP_ACTIVE && !t->paused ? t->last_byte : mono_now(),
                           t->idle_timeout_ns);
    if (mono_cmp(other, at) < 0)
        at = other;
    if (at.ns == MONO_NEVER.ns)
        http_timer_stop(&t->h->timers, &t->timer);
    else
        http_timer_set(&t->h->timers, &t->timer, at);
}

void http_transfer_begin(http_transfer_t *t)
{
    http_t *h = t->h;
    t->next_live = h->live;
    t->live_link = &h->live;
    if (h->live)
        h->live->live_link = &t->next_live;
    h->live = t;
    t->timer.fn = timer_fired;
    t->last_byte = mono_now();
    t->deadline = mono_after(t->started, t->timeout_ns);
    if (t->error)
        http_transfer_end(t);
    else
        http_group_submit(t);
}

void http_transfer_drop_easy(http_transfer_t *t)
{
    if (t->easy)
        curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->lines);
    curl_slist_free_all(t->connect_to);
    t->easy = NULL;
    t->lines = t->connect_to = NULL;
}

void http_transfer_end(http_transfer_t *t)
{
    if (t->state == HTTP_ENDED)
        return;
    http_group_remove(t);
    http_transfer_drop_easy(t);
    http_timer_stop(&t->h->timers, &t->timer);
    *t->live_link = t->next_live;
    if (t->next_live)
        t->next_live->live_link = t->live_link;
    t->state = HTTP_ENDED;
    if (atomic_load(&t->canceled)) {
        AUTO(free_p) char *url = http_url_for_message(t->url);
        err_set(&t->error, ERR_CANCELED, "%s %s: canceled", t->method, url);
    }
    if (t->ops.on_done)
        t->ops.on_done(t->arg, t->error);
    http_transfer_unref(t);
}

void http_transfer_do_cancel(http_transfer_t *t)
{
    if (t->state != HTTP_ENDED)
        http_transfer_end(t);
}

void http_transfer_do_resume(http_transfer_t *t)
{
    if (!t->paused || t->state == HTTP_ENDED)
        return;
    t->paused = false;
    t->last_byte = mono_now();
    http_transfer_watch_time(t);
    if (t->curl_paused) {
        t->curl_paused = false;
        CURLcode code = curl_easy_pause(t->easy, CURLPAUSE_CONT);
        if (code != CURLE_OK)
            http_transfer_result(t, code);
        else
            http_lane_run(&t->h->lanes[t->lane]);
    }
}
