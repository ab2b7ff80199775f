/* A call's way. It waits for a connection; then its body goes out, all but the last piece of a large one each
 * as a message that is answered; then the Call with the (last piece of the) body; then, when the reply is
 * larger than a piece, one message for each further piece. At any time one message of it is under way. */
#include "common/net/rpc_client.h"

enum {
    LOOK_MS = 100, /* at the caller's flag */
    SILENT_SECONDS = 10,
    DONE_THREADS = 2,
};

/* ---- messages; under the lock ---- */

static void send_envelope(struct rpc_request *q, uint32_t number, Cargocd__Rpc__Envelope *e)
{
    unsigned char trace[4];
    rpc_put32(trace, number);
    e->id.data = q->id;
    e->id.len = sizeof(q->id);
    rpc_conn_send(q->via->conn, rpc_frame(q->client->address.ipc, trace, sizeof(trace), e));
}

static int64_t timeout_ms(const struct rpc_request *q)
{
    if (mono_cmp(q->deadline, MONO_NEVER) >= 0)
        return 0;
    int64_t ms = (mono_left(q->deadline) + NS_PER_MS - 1) / NS_PER_MS;
    return ms > 0 ? ms : 1;
}

static void send_call(struct rpc_request *q)
{
    Cargocd__Rpc__Envelope e = CARGOCD__RPC__ENVELOPE__INIT;
    Cargocd__Rpc__Call call = CARGOCD__RPC__CALL__INIT;
    call.method = q->method;
    call.body.data = q->body + q->put;
    call.body.len = q->nbody - q->put;
    call.body_size = q->put ? q->nbody : 0;
    call.timeout_ms = timeout_ms(q);
    e.kind_case = CARGOCD__RPC__ENVELOPE__KIND_CALL;
    e.call = &call;
    q->phase = RPC_CALLED;
    rpc_number_take(q);
    send_envelope(q, q->number, &e);
    free(TAKE(q->body));
}

static void send_piece(struct rpc_request *q)
{
    Cargocd__Rpc__Envelope e = CARGOCD__RPC__ENVELOPE__INIT;
    Cargocd__Rpc__ChunkPut put = CARGOCD__RPC__CHUNK_PUT__INIT;
    put.offset = q->put;
    put.total = q->nbody;
    put.data.data = q->body + q->put;
    put.data.len = RPC_CHUNK;
    e.kind_case = CARGOCD__RPC__ENVELOPE__KIND_CHUNK_PUT;
    e.chunk_put = &put;
    q->phase = RPC_PUTTING;
    rpc_number_take(q);
    send_envelope(q, q->number, &e);
}

static void send_body(struct rpc_request *q)
{
    if (q->nbody - q->put > RPC_CHUNK)
        send_piece(q);
    else
        send_call(q);
}

static void send_get(struct rpc_request *q)
{
    Cargocd__Rpc__Envelope e = CARGOCD__RPC__ENVELOPE__INIT;
    Cargocd__Rpc__ChunkGet get = CARGOCD__RPC__CHUNK_GET__INIT;
    get.offset = q->reply.len;
    e.kind_case = CARGOCD__RPC__ENVELOPE__KIND_CHUNK_GET;
    e.chunk_get = &get;
    q->phase = RPC_GETTING;
    rpc_number_take(q);
    send_envelope(q, q->number, &e);
}

/* Nobody waits for the answer to it. */
static void send_cancel(struct rpc_request *q)
{
    Cargocd__Rpc__Envelope e = CARGOCD__RPC__ENVELOPE__INIT;
    Cargocd__Rpc__Cancel cancel = CARGOCD__RPC__CANCEL__INIT;
    e.kind_case = CARGOCD__RPC__ENVELOPE__KIND_CANCEL;
    e.cancel = &cancel;
    send_envelope(q, RPC_REQUEST_BIT, &e);
}

/* ---- ends; under the lock ---- */

static void request_free(struct rpc_request *q)
{
    pthread_cond_destroy(&q->changed);
    str_dispose(&q->reply);
    err_free(q->error);
    free(q->method);
    free(q->body);
    free(q);
}

/* The caller has its answer. */
static void release(struct rpc_request *q)
{
    rpc_client_t *c = q->client;
    {
        LOCKED(&c->lock);
        c->nrequests--;
        pthread_cond_broadcast(&c->changed);
    }
    request_free(q);
}

static int take_result(struct rpc_request *q, ProtobufCMessage **out, err_t **err)
{
    int r = q->error ? -(int)q->error->code
                     : rpc_unpack(q->out_type, q->reply.p, q->reply.len, out, &q->error);
    if (r == 0)
        return 0;
    if (!q->answered) /* what the server itself says needs no more */
        err_wrap(&q->error, "call %s at %s", *q->method ? q->method : "health", q->client->name);
    return err_move(err, TAKE(q->error));
}

static void run_done(void *arg)
{
    struct rpc_request *q = arg;
    ProtobufCMessage *out = NULL;
    AUTO_ERR err = NULL;
    take_result(q, &out, &err);
    q->done(q->arg, out, err);
    release(q);
}

static void *run_done_thread(void *arg)
{
    run_done(arg);
    return NULL;
}

static void call_done(struct rpc_request *q)
{
    rpc_client_t *c = q->client;
    if (!c->done_pool)
        c->done_pool = pool_new("rpc-done", DONE_THREADS, RPC_MAX_REQUESTS);
    /* Its queue is as long as there can be requests; but for those that were refused for being too many. */
    if (pool_submit(c->done_pool, run_done, q, NULL) < 0)
        pthread_detach(thread_start("rpc-done", run_done_thread, q));
}

static void finish(struct rpc_request *q)
{
    struct rpc_link *via = TAKE(q->via);
    rpc_number_release(q);
    q->phase = RPC_FINISHED;
    TAILQ_REMOVE(&q->client->requests, q, link);
    if (via)
        rpc_link_released(via);
    if (q->done)
        call_done(q);
    else
        pthread_cond_broadcast(&q->changed);
}

static void fail(struct rpc_request *q, enum err_code code, const char *text)
{
    err_set(&q->error, code, "%s", text);
    finish(q);
}

/* The caller does not wait any longer; the server is to know. */
static void give_up(struct rpc_request *q, enum err_code code, const char *text)
{
    if (q->via)
        send_cancel(q);
    fail(q, code, text);
}

static void no_connection(struct rpc_request *q)
{
    err_t *last = q->client->last_error;
    fail(q, ERR_UNAVAILABLE, last ? err_text(last) : "no connection yet");
}

/* ---- progress; under the lock ---- */

static void got_put(struct rpc_request *q)
{
    q->put += RPC_CHUNK;
    send_body(q);
}

static void got_reply(struct rpc_request *q, const Cargocd__Rpc__Reply *reply)
{
    if (q->phase == RPC_CALLED) {
        q->reply_size = reply->body_size > reply->body.len ? reply->body_size : reply->body.len;
        q->reply.max = RPC_MAX_BODY;
    }
    if (q->reply_size > RPC_MAX_BODY) {
        give_up(q, ERR_RESOURCE_EXHAUSTED, "the reply is too large");
        return;
    }
    bool fits = q->reply.len + reply->body.len <= q->reply_size;
    bool piece = q->phase == RPC_CALLED || reply->body.len;
    if (!fits || !piece) {
        give_up(q, ERR_DATA_LOSS, "the pieces of the reply do not fit together");
        return;
    }
    str_add(&q->reply, reply->body.data, reply->body.len);
    if (q->reply.len < q->reply_size)
        send_get(q);
    else
        finish(q);
}

void rpc_requests_message(rpc_client_t *c, uint32_t number, const Cargocd__Rpc__Envelope *e)
{
    struct rpc_request *q = rpc_by_number(c, number);
    if (!q || e->id.len != sizeof(q->id) || memcmp(e->id.data, q->id, sizeof(q->id)) != 0)
        return;
    if (e->reply->error) {
        q->answered = !e->reply->refused;
        rpc_error_read(e->reply->error, &q->error);
        finish(q);
    } else if (q->phase == RPC_PUTTING) {
        got_put(q);
    } else {
        got_reply(q, e->reply);
    }
}

static void begin(struct rpc_request *q)
{
    q->via = q->client->current;
    q->via->requests++;
    send_body(q);
    rpc_timer_set(&q->client->timer, mono_after(mono_now(), SECONDS(SILENT_SECONDS)));
}

void rpc_requests_opened(rpc_client_t *c)
{
    struct rpc_request *q;
    TAILQ_FOREACH(q, &c->requests, link)
        if (q->phase == RPC_WAITING)
            begin(q);
}

void rpc_requests_lost(rpc_client_t *c, const struct rpc_link *l, err_t *err)
{
    struct rpc_request *q, *next;
    for (q = TAILQ_FIRST(&c->requests); q; q = next) {
        next = TAILQ_NEXT(q, link);
        if (q->via != l)
            continue;
        q->via = NULL;
        fail(q, ERR_UNAVAILABLE, err_text(err));
    }
}

void rpc_requests_cancel_all(rpc_client_t *c)
{
    struct rpc_request *q;
    while ((q = TAILQ_FIRST(&c->requests)))
        give_up(q, ERR_CANCELED, "the client is closed");
}

/* True when it is over. */
static bool expire(struct rpc_request *q, mono_t now)
{
    if (q->phase == RPC_FINISHED)
        return true;
    if (q->phase == RPC_WAITING && mono_cmp(q->connect_by, now) <= 0)
        no_connection(q);
    else if (mono_cmp(q->deadline, now) <= 0)
        give_up(q, ERR_DEADLINE_EXCEEDED, "no answer in time");
    return q->phase == RPC_FINISHED;
}

static mono_t next_look(const struct rpc_request *q)
{
    return q->phase == RPC_WAITING ? q->connect_by : q->deadline;
}

mono_t rpc_requests_tick(rpc_client_t *c, mono_t now)
{
    mono_t next = MONO_NEVER;
    struct rpc_request *q, *after;
    for (q = TAILQ_FIRST(&c->requests); q; q = after) {
        after = TAILQ_NEXT(q, link);
        if (!q->done || expire(q, now)) /* rpc_do looks after itself */
            continue;
        if (mono_cmp(next_look(q), next) < 0)
            next = next_look(q);
    }
    return next;
}

void rpc_requests_dispose(rpc_client_t *c)
{
    pool_free(c->done_pool);
    VEC_FREE(&c->slots);
}

/* ---- starts ---- */

static struct rpc_request *request_new(rpc_client_t *c, const struct rpc_request_options *o)
{
    struct rpc_request *q = xcalloc(1, sizeof(*q));
    mono_t now = mono_now();
    q->client = c;
    q->method = xstrdup(o->method);
    q->out_type = o->out_type;
    q->deadline = o->timeout_ns > 0 ? mono_after(now, o->timeout_ns) : MONO_NEVER;
    q->connect_by = mono_after(now, o->connect_ns);
    if (mono_cmp(q->deadline, q->connect_by) < 0)
        q->connect_by = q->deadline;
    cond_init(&q->changed);
    if (o->in)
        rpc_pack(o->in, &q->body, &q->nbody, &q->error);
    return q;
}

static void set_id(struct rpc_request *q)
{
    uint64_t n = ++q->client->counter;
    memcpy(q->id, q->client->id_random, RPC_OUT_ID_RANDOM);
    for (size_t i = 0; i < 8; i++)
        q->id[RPC_OUT_ID_RANDOM + i] = (unsigned char)(n >> (56 - 8 * i));
}

/* Under the lock. */
static void start(struct rpc_request *q)
{
    rpc_client_t *c = q->client;
    size_t before = c->nrequests++;
    set_id(q);
    TAILQ_INSERT_TAIL(&c->requests, q, link);
    if (q->error)
        finish(q);
    else if (c->closing)
        fail(q, ERR_CANCELED, "the client is closed");
    else if (before >= RPC_MAX_REQUESTS)
        fail(q, ERR_RESOURCE_EXHAUSTED, "too many calls are under way");
    else if (c->current)
        begin(q);
    else
        rpc_client_wanted(c);
    if (q->done && q->phase != RPC_FINISHED)
        rpc_timer_set(&c->timer, next_look(q));
}

static void wait(struct rpc_request *q, atomic_bool *canceled)
{
    while (!expire(q, mono_now())) {
        if (canceled && *canceled) {
            give_up(q, ERR_CANCELED, "the caller gave up");
            return;
        }
        mono_t until = next_look(q);
        mono_t look = mono_after(mono_now(), MILLIS(LOOK_MS));
        if (canceled && mono_cmp(look, until) < 0)
            until = look;
        cond_wait_until(&q->changed, &q->client->lock, until);
    }
}

int rpc_request_do(rpc_client_t *c, const struct rpc_request_options *o, atomic_bool *canceled,
                   bool *answered, ProtobufCMessage **out, err_t **err)
{
    struct rpc_request *q = request_new(c, o);
    {
        LOCKED(&c->lock);
        start(q);
        wait(q, canceled);
    }
    *answered = q->answered;
    int r = take_result(q, out, err);
    release(q);
    return r;
}

int rpc_do(rpc_client_t *c, const char *method, const ProtobufCMessage *in,
           const ProtobufCMessageDescriptor *out_type, int64_t timeout_ns, atomic_bool *canceled,
           ProtobufCMessage **out, err_t **err)
{
    bool answered;
    struct rpc_request_options o = {method, in, out_type, timeout_ns, SECONDS(RPC_CONNECT_SECONDS)};
    return rpc_request_do(c, &o, canceled, &answered, out, err);
}

void rpc_start(rpc_client_t *c, const char *method, const ProtobufCMessage *in,
               const ProtobufCMessageDescriptor *out_type, int64_t timeout_ns, rpc_done_fn done, void *arg)
{
    struct rpc_request_options o = {method, in, out_type, timeout_ns, SECONDS(RPC_CONNECT_SECONDS)};
    struct rpc_request *q = request_new(c, &o);
    q->done = done;
    q->arg = arg;
    LOCKED(&c->lock);
    start(q);
}

int rpc_health(rpc_client_t *c, int64_t timeout_ns, err_t **err)
{
    ProtobufCMessage *out = NULL;
    int r = rpc_do(c, "", NULL, &cargocd__rpc__cancel__descriptor, timeout_ns, NULL, &out, err);
    if (r == 0)
        protobuf_c_message_free_unpacked(out, NULL);
    return r;
}
