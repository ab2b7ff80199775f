/* Design. Three things a watch may have to wait for, each with a list of those who wait: an identity (a
 * credential plugin runs on a thread of its own, once for all), a place among the lists that run, and a
 * cluster that answers. While a cluster is unreachable one probe goes out for all its watches; any HTTP
 * answer but a gateway's is a sign of life. Everything here happens on the I/O thread but the plugin's job.
 */
#include "common/base/rand.h"
#include "common/kube/kube_internal.h"

enum { FIRST_BACKOFF_MS = 500, LONGEST_BACKOFF_MS = 10000, PROBE_SECONDS = 10 };

void kube_waiters_init(struct kube_waiters *ws)
{
    ws->head = NULL;
    ws->tail = &ws->head;
}

static void wait_in(struct kube_waiters *ws, struct kube_waiter *w)
{
    w->in = ws;
    w->next = NULL;
    w->link = ws->tail;
    *ws->tail = w;
    ws->tail = &w->next;
}

void kube_unwait(struct kube_waiter *w)
{
    if (!w->in)
        return;
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    else
        w->in->tail = w->link;
    w->in = NULL;
}

static void wake_first(struct kube_waiters *ws)
{
    struct kube_waiter *w = ws->head;
    kube_unwait(w);
    w->go(w);
}

/* Those who begin to wait again while the others are woken wait for the next time. */
static void wake_all(struct kube_waiters *ws)
{
    struct kube_waiters now;
    kube_waiters_init(&now);
    for (struct kube_waiter *w; (w = ws->head);) {
        kube_unwait(w);
        wait_in(&now, w);
    }
    while (now.head)
        wake_first(&now);
}

int64_t kube_backoff_ns(unsigned failures)
{
    int64_t ms = FIRST_BACKOFF_MS;
    for (unsigned i = 1; i < failures && ms < LONGEST_BACKOFF_MS; i++)
        ms *= 2;
    if (ms > LONGEST_BACKOFF_MS)
        ms = LONGEST_BACKOFF_MS;
    return MILLIS(ms) - (int64_t)(random_unit() * (double)MILLIS(ms) / 4);
}

/* ---- who we are ---- */

static void identity_known(void *arg)
{
    struct kube_core *c = arg;
    c->asking = false;
    wake_all(&c->unknown);
    kube_core_leave(c);
}

static void ask_plugin(void *arg)
{
    struct kube_core *c = arg;
    struct kube_identity who = {};
    kube_auth_get(c->auth, &who, NULL); /* its result, or failure, is kept there */
    kube_identity_dispose(&who);
    http_post(c->options.io, 0, identity_known, c);
}

void kube_identity_await(struct kube_core *c, struct kube_waiter *w)
{
    if (kube_auth_ready(c->auth)) {
        w->go(w);
        return;
    }
    wait_in(&c->unknown, w);
    if (c->asking)
        return;
    c->asking = true;
    kube_core_enter(c);
    if (pool_submit(c->plugin_runner, ask_plugin, c, NULL) < 0) {
        c->asking = false; /* it is being closed: nobody is woken any more */
        kube_core_leave(c);
    }
}

/* ---- lists ---- */

void kube_list_enter(struct kube_core *c, struct kube_waiter *w)
{
    if (c->lists >= c->options.max_lists) {
        wait_in(&c->queued, w);
        return;
    }
    c->lists++;
    w->go(w);
}

void kube_list_leave(struct kube_core *c)
{
    c->lists--;
    while (c->lists < c->options.max_lists && c->queued.head) {
        c->lists++;
        wake_first(&c->queued);
    }
}

/* ---- the probe ---- */

struct probe {
    struct kube_core *core;
    http_transfer_t *transfer;
    int status;
};

static void probe_later(struct kube_core *c);

static int probe_head(void *arg, int status, const str_t *headers)
{
    struct probe *p = arg;
    p->status = status;
    return -ERR_CANCELED; /* that is all we wanted to know */
}

static void probe_done(void *arg, err_t *err)
{
    struct probe *p = arg;
    struct kube_core *c = p->core;
    bool alive = p->status && p->status != 502 && p->status != 503 && p->status != 504;
    http_transfer_release(p->transfer);
    free(p);
    c->probe = NULL;
    c->probes = alive ? 0 : c->probes + 1;
    c->probing = false;
    if (alive)
        wake_all(&c->parked);
    else
        probe_later(c);
    kube_core_leave(c);
}

static void probe_now(void *arg)
{
    static const struct http_stream_ops ops = {.on_head = probe_head, .on_done = probe_done};
    struct kube_core *c = arg;
    if (!c->parked.head) { /* they have all been stopped */
        c->probing = false;
        kube_core_unref(c);
        return;
    }
    struct probe *p = xcalloc(1, sizeof(*p));
    p->core = c;
    kube_core_enter(c);
    http_endpoint_t *endpoint = kube_auth_endpoint(c->auth);
    AUTO(free_p) char *url = xasprintf("%s/version", c->server);
    struct http_request request = {.url = url, .endpoint = endpoint, .timeout_ns = SECONDS(PROBE_SECONDS)};
    p->transfer = c->probe = http_start(c->options.io, &request, &ops, p);
    http_endpoint_unref(endpoint);
    kube_core_unref(c);
}

/* What is posted holds the core by a reference, not by entering it: kube_close need not wait for a timer. */
static void probe_later(struct kube_core *c)
{
    if (c->probing || !c->parked.head)
        return;
    c->probing = true;
    kube_core_ref(c);
    http_post(c->options.io, c->probes ? kube_backoff_ns(c->probes) : 0, probe_now, c);
}

void kube_park(struct kube_core *c, struct kube_waiter *w)
{
    wait_in(&c->parked, w);
    probe_later(c);
}

static void drop_probe(void *arg)
{
    struct kube_core *c = arg;
    if (c->probe)
        http_cancel(c->probe);
    kube_core_leave(c);
}

void kube_probe_cancel(struct kube_core *c)
{
    kube_core_enter(c);
    http_post(c->options.io, 0, drop_probe, c);
}
