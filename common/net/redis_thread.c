#include "common/net/redis_link.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    RETRY_MS = 1000,     /* between attempts to connect that fail */
    PING_SECONDS = 10,   /* of silence, after which the subscription's server is asked whether it lives */
    NEWS_MAX = 16 << 20, /* of one message */
};

void redis_wake(redis_t *r)
{
    uint64_t one = 1;
    ssize_t n = write(r->wake, &one, sizeof(one));
    (void)n; /* it only fails when it is set anyway */
}

void redis_lost(redis_t *r, uint64_t generation)
{
    if (generation != r->generation)
        return;
    r->generation++;
    while (r->idle.n) {
        redis_link_close(VEC_POP(&r->idle));
        r->nlinks--;
    }
    pthread_cond_broadcast(&r->changed);
    redis_wake(r);
}

/* What the thread has to itself. */
struct keeper {
    redis_t *r;
    struct redis_subscription sub;
    struct redis_link *news; /* NULL: not subscribed */
    mono_t heard;            /* from the subscription */
    bool pinged;
    mono_t next_try, last_try;
};

/* ---- connections for commands ---- */

static bool closing(redis_t *r)
{
    LOCKED(&r->lock);
    return r->closing;
}

static void failed(struct keeper *k, err_t *err)
{
    k->next_try = mono_after(mono_now(), MILLIS(RETRY_MS));
    LOCKED(&k->r->lock);
    err_free(k->r->error);
    k->r->error = err_copy(err);
    k->r->tried = true;
    pthread_cond_broadcast(&k->r->changed);
}

static void add_link(redis_t *r, struct redis_link *l)
{
    LOCKED(&r->lock);
    l->generation = r->generation;
    VEC_PUSH(&r->idle, l);
    r->nlinks++;
    r->want = false;
    r->tried = true;
    err_clear(&r->error);
    pthread_cond_broadcast(&r->changed);
}

/* When the next connection may be made; MONO_NEVER: none is needed. The first one of a generation waits its
 * second, so that a server that takes connections and drops them is not asked in a loop. */
static mono_t link_due(struct keeper *k)
{
    LOCKED(&k->r->lock);
    mono_t again = mono_after(k->last_try, MILLIS(RETRY_MS));
    if (k->r->closing || (k->r->nlinks && (!k->r->want || k->r->nlinks >= REDIS_MAX_LINKS)))
        return MONO_NEVER;
    return !k->r->nlinks && k->r->tried && mono_cmp(again, k->next_try) > 0 ? again : k->next_try;
}

static void connect_if_due(struct keeper *k)
{
    while (mono_left(link_due(k)) == 0) {
        AUTO_ERR err = NULL;
        struct redis_link *l = NULL;
        k->last_try = mono_now();
        if (redis_link_open(&k->r->o, &l, &err) == 0)
            add_link(k->r, l);
        else
            failed(k, err);
    }
}

/* ---- the subscription ---- */

static void state(struct keeper *k, bool on)
{
    if (k->sub.on_state)
        k->sub.on_state(k->sub.arg, on);
}

static void news_lost(struct keeper *k)
{
    if (!k->news)
        return;
    redis_link_close(TAKE(k->news));
    k->next_try = mono_after(mono_now(), MILLIS(RETRY_MS));
    {
        LOCKED(&k->r->lock);
        redis_lost(k->r, k->r->generation); /* the others lead to the same server */
    }
    state(k, false);
}

static int psubscribe(struct keeper *k, struct redis_link *l, err_t **err)
{
    AUTO(redis_reply_free_p) redisReply *reply = NULL;
    bool broken = false;
    struct redis_command c = {};
    redis_arg_text(&c, "PSUBSCRIBE");
    redis_arg_text(&c, k->sub.pattern);
    return redis_link_do(l, &c, 1, NEWS_MAX, k->r->o.timeout_ns, &reply, &broken, err);
}

static void subscribe_if_due(struct keeper *k)
{
    {
        LOCKED(&k->r->lock);
        if (k->news || !k->r->subscribe || k->r->closing || mono_left(k->next_try))
            return;
        k->sub = k->r->sub;
    }
    AUTO_ERR err = NULL;
    struct redis_link *l = NULL;
    if (redis_link_open(&k->r->o, &l, &err) < 0 || psubscribe(k, l, &err) < 0) {
        redis_link_close(l);
        failed(k, err);
        return;
    }
    k->news = l;
    k->heard = mono_now();
    k->pinged = false;
    state(k, true);
}

static void message(struct keeper *k, const redisReply *m)
{
    bool pmessage = m->type == REDIS_REPLY_ARRAY && m->elements == 4 &&
                    m->element[0]->type == REDIS_REPLY_STRING && str_eq(m->element[0]->str, "pmessage");
    if (!pmessage || m->element[2]->type != REDIS_REPLY_STRING || m->element[3]->type != REDIS_REPLY_STRING)
        return; /* the answer to a ping */
    k->sub.on_message(k->sub.arg, m->element[2]->str, m->element[3]->str, m->element[3]->len);
}

static void read_news(struct keeper *k)
{
    while (k->news && !closing(k->r)) {
        AUTO(redis_reply_free_p) redisReply *reply = NULL;
        if (redis_link_poll(k->news, NEWS_MAX, &reply, NULL) < 0)
            news_lost(k);
        if (!reply)
            return;
        k->heard = mono_now();
        k->pinged = false;
        message(k, reply);
    }
}

static int send_ping(struct redis_link *l)
{
    int done = 0;
    redisAppendCommand(l->c, "PING");
    return redis_link_write(l, &done, NULL) == 0 && done ? 0 : -1;
}

/* When silence is to be looked at next. */
static mono_t watch_silence(struct keeper *k)
{
    if (!k->news)
        return MONO_NEVER;
    int64_t patience = SECONDS(PING_SECONDS) + (k->pinged ? k->r->o.timeout_ns : 0);
    mono_t due = mono_after(k->heard, patience);
    if (mono_left(due))
        return due;
    if (k->pinged || send_ping(k->news) < 0) {
        news_lost(k);
        return k->next_try;
    }
    k->pinged = true;
    return mono_after(mono_now(), k->r->o.timeout_ns);
}

/* ---- the loop ---- */

static mono_t news_due(struct keeper *k)
{
    LOCKED(&k->r->lock);
    return k->r->subscribe && !k->news ? k->next_try : MONO_NEVER;
}

static mono_t earlier(mono_t a, mono_t b)
{
    return mono_cmp(a, b) < 0 ? a : b;
}

static void doze(struct keeper *k)
{
    mono_t until = earlier(watch_silence(k), earlier(link_due(k), news_due(k)));
    struct pollfd p[] = {
        {.fd = k->r->wake, .events = POLLIN},
        {.fd = k->news ? k->news->c->fd : -1, .events = POLLIN},
    };
    int64_t ms = mono_left(until) / NS_PER_MS + 1;
    poll(p, ARRAY_LEN(p), mono_cmp(until, MONO_NEVER) < 0 ? (int)ms : -1);
    uint64_t count;
    if (p[0].revents && read(k->r->wake, &count, sizeof(count)) < 0 && errno != EAGAIN)
        sleep_ns(MILLIS(RETRY_MS)); /* not to be expected of an eventfd; not to be spun on either */
}

void *redis_thread(void *arg)
{
    struct keeper k = {.r = arg};
    while (!closing(k.r)) {
        connect_if_due(&k);
        subscribe_if_due(&k);
        read_news(&k);
        if (!closing(k.r))
            doze(&k);
    }
    redis_link_close(k.news);
    return NULL;
}
