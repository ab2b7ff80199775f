#include "common/net/rpc_server.h"

enum {
    KEEP_SECONDS = 60,
    KEEP_CALLS = 1024,    /* answered calls that are remembered */
    KEEP_BYTES = 1 << 20, /* of small replies among them; of the others only that they were answered */
    HOLD_BYTES = 1 << 30, /* of large replies that are being fetched */
    MAX_ASKERS = 16,      /* of one call */
};
#define MAX_TIMEOUT_MS ((int64_t)1000 * 60 * 60 * 24 * 365)

/* ---- remembering; all under the lock ---- */

static bool is_large(const rpc_call_t *call)
{
    return call->nreply > RPC_CHUNK;
}

static void askers_dispose(rpc_call_t *call)
{
    VEC_FOREACH(&call->askers, a)
        rpc_conn_unref(a->conn);
    VEC_FREE(&call->askers);
}

static void add_asker(rpc_call_t *call, const struct rpc_asker *from)
{
    struct rpc_asker *a = VEC_ADD(&call->askers);
    *a = *from;
    rpc_conn_ref(a->conn);
}

void rpc_calls_drop_reply(rpc_server_t *s, rpc_call_t *call)
{
    if (!call->reply)
        return;
    call->dropped = true;
    if (call->pinned)
        return;
    *(is_large(call) ? &s->held : &s->kept) -= call->nreply;
    free(TAKE(call->reply));
    askers_dispose(call);
}

/* Somebody else works with it. */
static bool in_use(const rpc_call_t *call)
{
    return call->pinned || call->cancel_queued;
}

static void forget(rpc_server_t *s, rpc_call_t *call)
{
    rpc_calls_drop_reply(s, call);
    TAILQ_REMOVE(&s->done, call, link);
    s->ndone--;
    (void)!map_take(&s->calls, call->key);
    askers_dispose(call);
    err_free(call->error);
    free(call);
}

/* Makes room among the answered calls, the oldest first. */
static void keep_bounded(rpc_server_t *s)
{
    rpc_call_t *call, *next;
    for (call = TAILQ_FIRST(&s->done); call && s->kept > KEEP_BYTES; call = TAILQ_NEXT(call, link))
        if (!is_large(call) && !call->pinned)
            rpc_calls_drop_reply(s, call);
    for (call = TAILQ_FIRST(&s->done); call && s->ndone > KEEP_CALLS; call = next) {
        next = TAILQ_NEXT(call, link);
        if (!in_use(call) && !(is_large(call) && call->reply))
            forget(s, call);
    }
}

static void remember(rpc_server_t *s, rpc_call_t *call)
{
    call->done = true;
    call->expires = mono_after(mono_now(), SECONDS(KEEP_SECONDS));
    TAILQ_REMOVE(&s->running, call, link);
    TAILQ_INSERT_TAIL(&s->done, call, link);
    s->ndone++;
    if (call->reply)
        *(is_large(call) ? &s->held : &s->kept) += call->nreply;
    rpc_timer_set(&s->timer, call->expires);
}

/* ---- answering ---- */

static void respond(const rpc_call_t *call, const struct rpc_asker *to)
{
    struct rpc_answer answer = {
        .error = call->error,
        .body = call->reply,
        .n = min_size(call->nreply, RPC_CHUNK),
        .total = call->nreply,
    };
    rpc_respond(to, call->key, &answer);
}

/* Nothing of this call is under way any more. */
static void unpin(rpc_server_t *s, rpc_call_t *call)
{
    call->pinned = false;
    if (call->dropped || (is_large(call) && !call->askers.n))
        rpc_calls_drop_reply(s, call);
    s->nrunning--;
    keep_bounded(s);
    pthread_cond_broadcast(&s->changed);
}

/* Sends the answer to those who wait for it. It is known as answered before the first of them hears it, since
 * he may ask for the next piece at once; large replies stay for as long as he is there. */
static void answer(rpc_call_t *call)
{
    rpc_server_t *s = call->server;
    size_t n;
    struct rpc_asker *askers;
    {
        LOCKED(&s->lock);
        rpc_call_wait_for_cancel(call);
        n = call->askers.n;
        askers = xmalloc((n + 1) * sizeof(*askers));
        for (size_t i = 0; i < n; i++) {
            askers[i] = call->askers.v[i];
            rpc_conn_ref(askers[i].conn);
        }
        if (!is_large(call))
            askers_dispose(call);
        call->pinned = true;
        err_text(call->error); /* makes the text, which is only read from here on, by several threads */
        remember(s, call);
    }
    for (size_t i = 0; i < n; i++) {
        respond(call, &askers[i]);
        rpc_conn_unref(askers[i].conn);
    }
    free(askers);
    LOCKED(&s->lock);
    unpin(s, call);
}

static void request_done(rpc_call_t *call)
{
    free(TAKE(call->body));
    if (call->in)
        protobuf_c_message_free_unpacked(call->in, NULL);
    call->in = NULL;
}

static bool too_much_held(rpc_server_t *s, size_t n)
{
    LOCKED(&s->lock);
    return n > RPC_CHUNK && s->held + n > HOLD_BYTES;
}

void rpc_reply(rpc_call_t *call, const ProtobufCMessage *out)
{
    int r = rpc_pack(out, &call->reply, &call->nreply, &call->error);
    if (r == 0 && too_much_held(call->server, call->nreply)) {
        free(TAKE(call->reply));
        call->nreply = 0;
        err_set(&call->error, ERR_RESOURCE_EXHAUSTED, "%s is busy: its replies under way fill its memory",
                call->server->name);
    }
    request_done(call);
    answer(call);
}

void rpc_fail(rpc_call_t *call, const err_t *err)
{
    call->error = err ? err_copy(err) : NULL;
    if (!call->error)
        err_set(&call->error, ERR_UNKNOWN, "%s failed", call->method->name);
    /* The handler knows that it was cancelled, not why. */
    if (err_code(call->error) == ERR_CANCELED && mono_left(call->deadline) == 0)
        err_recode(&call->error, ERR_DEADLINE_EXCEEDED);
    request_done(call);
    answer(call);
}

static void fail_here(rpc_call_t *call, enum err_code code, const char *text)
{
    AUTO_ERR err = NULL;
    err_set(&err, code, "%s", text);
    rpc_fail(call, err);
}

/* ---- the callers' connections ---- */

static void remove_asker(rpc_call_t *call, const rpc_conn_t *conn)
{
    for (size_t i = call->askers.n; i-- > 0;) {
        if (call->askers.v[i].conn != conn)
            continue;
        rpc_conn_unref(call->askers.v[i].conn);
        VEC_REMOVE(&call->askers, i);
    }
}

/* A call that nobody waits for any more is cancelled; a large reply that nobody can fetch goes. */
void rpc_calls_lost(rpc_server_t *s, const rpc_conn_t *conn)
{
    rpc_call_t *call;
    TAILQ_FOREACH(call, &s->running, link) {
        remove_asker(call, conn);
        if (!call->askers.n)
            rpc_call_cancel(call);
    }
    TAILQ_FOREACH(call, &s->done, link) {
        if (!call->askers.n)
            continue;
        remove_asker(call, conn);
        if (!call->askers.n)
            rpc_calls_drop_reply(s, call);
    }
}

bool rpc_calls_use(rpc_server_t *s, const rpc_conn_t *conn)
{
    rpc_call_t *call;
    struct rpc_calls *lists[] = {&s->running, &s->done};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        TAILQ_FOREACH(call, lists[i], link)
            VEC_FOREACH(&call->askers, a)
                if (a->conn == conn)
                    return true;
    return false;
}

mono_t rpc_calls_tick(rpc_server_t *s, mono_t now)
{
    mono_t next = MONO_NEVER;
    rpc_call_t *call, *after;
    TAILQ_FOREACH(call, &s->running, link) {
        if (mono_cmp(call->deadline, now) <= 0)
            rpc_call_cancel(call);
        else if (mono_cmp(call->deadline, next) < 0)
            next = call->deadline;
    }
    for (call = TAILQ_FIRST(&s->done); call; call = after) {
        after = TAILQ_NEXT(call, link);
        if (mono_cmp(call->expires, now) > 0)
            return mono_cmp(call->expires, next) < 0 ? call->expires : next;
        if (!in_use(call))
            forget(s, call);
    }
    return next;
}

void rpc_calls_dispose(rpc_server_t *s)
{
    rpc_call_t *call;
    while ((call = TAILQ_FIRST(&s->done)))
        forget(s, call);
    map_dispose(&s->calls);
    map_dispose(&s->uploads);
}

/* ---- beginning ---- */

static void run_call(void *arg)
{
    rpc_call_t *call = arg;
    AUTO_ERR err = NULL;
    if (call->canceled) {
        fail_here(call, ERR_CANCELED, "the caller gave up before the call began");
        return;
    }
    if (rpc_unpack(call->method->in, call->body, call->nbody, &call->in, &err) < 0) {
        rpc_fail(call, err);
        return;
    }
    free(TAKE(call->body));
    call->method->handle(call->server->ctx, call, call->in);
}

static void start_call(rpc_call_t *call)
{
    AUTO_ERR err = NULL;
    if (!call->method->pool)
        run_call(call);
    else if (pool_submit(call->method->pool, run_call, call, &err) < 0)
        fail_here(call, err_code(err) == ERR_CANCELED ? ERR_UNAVAILABLE : err_code(err), err_text(err));
}

static const struct rpc_method *find_method(rpc_server_t *s, const char *name)
{
    for (size_t i = 0; i < s->nmethods; i++)
        if (strcmp(s->methods[i].name, name) == 0)
            return &s->methods[i];
    return NULL;
}

/* One that has arrived before. */
static void again(rpc_call_t *call, const struct rpc_asker *from)
{
    if (!call->done && call->askers.n < MAX_ASKERS)
        add_asker(call, from);
    else if (!call->done)
        rpc_refuse(from, call->key, ERR_RESOURCE_EXHAUSTED, "%s is asked for too often", call->method->name);
    else if (call->dropped)
        rpc_refuse(from, call->key, ERR_ABORTED, "%s was answered before", call->method->name);
    else
        respond(call, from);
}

static rpc_call_t *call_new(rpc_server_t *s, const char *key, const struct rpc_method *m, int64_t timeout_ms)
{
    rpc_call_t *call = xcalloc(1, sizeof(*call));
    call->server = s;
    call->method = m;
    memcpy(call->key, key, strlen(key) + 1);
    call->deadline = MONO_NEVER;
    if (timeout_ms > 0)
        call->deadline = mono_after(mono_now(),
                                    MILLIS(timeout_ms < MAX_TIMEOUT_MS ? timeout_ms : MAX_TIMEOUT_MS));
    return call;
}

/* The call, under way; or NULL after an answer to it. Under the lock. */
static rpc_call_t *admit(rpc_server_t *s, const struct rpc_asker *from, const char *key,
                         Cargocd__Rpc__Call *in)
{
    AUTO_ERR err = NULL;
    rpc_call_t *call = map_get(&s->calls, key);
    const struct rpc_method *m = find_method(s, in->method);
    if (call)
        again(call, from);
    else if (s->stopping)
        rpc_refuse(from, key, ERR_UNAVAILABLE, "%s is stopping", s->name);
    else if (!m)
        rpc_refuse(from, key, ERR_UNIMPLEMENTED, "%s has no method '%.100s'", s->name, in->method);
    else if (s->nrunning >= s->max_calls)
        rpc_refuse(from, key, ERR_RESOURCE_EXHAUSTED, "%s is busy: %zu calls are under way", s->name,
                   s->nrunning);
    if (call || s->stopping || !m || s->nrunning >= s->max_calls) {
        rpc_uploads_drop(s, key);
        return NULL;
    }
    call = call_new(s, key, m, in->timeout_ms);
    if (rpc_uploads_take(s, key, in, &call->body, &call->nbody, &err) < 0) {
        rpc_respond(from, key, &(struct rpc_answer){.error = err});
        free(call);
        return NULL;
    }
    add_asker(call, from);
    map_put(&s->calls, key, call);
    TAILQ_INSERT_TAIL(&s->running, call, link);
    s->nrunning++;
    if (in->timeout_ms > 0)
        rpc_timer_set(&s->timer, call->deadline);
    return call;
}

void rpc_call_begin(rpc_server_t *s, const struct rpc_asker *from, const char *key, Cargocd__Rpc__Call *in)
{
    rpc_call_t *call;
    {
        LOCKED(&s->lock);
        call = admit(s, from, key, in);
    }
    if (call)
        start_call(call);
}
