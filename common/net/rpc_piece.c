#include "common/net/rpc_server.h"

enum {
    UPLOAD_SECONDS = 60,             /* without a piece, after which it is dropped */
    UPLOAD_BYTES = 2 * RPC_MAX_BODY, /* of all of a server's together */
};

/* A large request whose Call has not come yet. It belongs to its connection. */
struct rpc_upload {
    rpc_conn_t *conn;
    size_t *uploaded; /* the server's count */
    str_t data;
    uint64_t total;
    mono_t touched;
};

static void upload_free(void *p)
{
    struct rpc_upload *u = p;
    *u->uploaded -= u->data.len;
    rpc_conn_unref(u->conn);
    str_dispose(&u->data);
    free(u);
}

void rpc_uploads_init(rpc_server_t *s)
{
    s->uploads.value_free = upload_free;
}

void rpc_uploads_drop(rpc_server_t *s, const char *key)
{
    map_del(&s->uploads, key);
}

void rpc_uploads_lost(rpc_server_t *s, const rpc_conn_t *conn)
{
    MAP_FOREACH(&s->uploads, e)
        if (((struct rpc_upload *)e->value)->conn == conn)
            map_del(&s->uploads, e->key);
}

mono_t rpc_uploads_tick(rpc_server_t *s, mono_t now)
{
    mono_t next = MONO_NEVER;
    MAP_FOREACH(&s->uploads, e) {
        struct rpc_upload *u = e->value;
        mono_t due = mono_after(u->touched, SECONDS(UPLOAD_SECONDS));
        if (mono_cmp(due, now) <= 0)
            map_del(&s->uploads, e->key);
        else if (mono_cmp(due, next) < 0)
            next = due;
    }
    return next;
}

static struct rpc_upload *upload_begin(rpc_server_t *s, rpc_conn_t *conn, const char *key, uint64_t total)
{
    struct rpc_upload *u = xcalloc(1, sizeof(*u));
    u->conn = rpc_conn_ref(conn);
    u->uploaded = &s->uploaded;
    u->data.max = RPC_MAX_BODY;
    u->total = total;
    map_put(&s->uploads, key, u);
    rpc_timer_set(&s->timer, mono_after(mono_now(), SECONDS(UPLOAD_SECONDS)));
    return u;
}

static int put(rpc_server_t *s, rpc_conn_t *conn, const char *key, const Cargocd__Rpc__ChunkPut *p,
               err_t **err)
{
    struct rpc_upload *u = map_get(&s->uploads, key);
    size_t n = p->data.len;
    if (map_has(&s->calls, key))
        return 0; /* a piece that comes again after its call */
    if (p->total > RPC_MAX_BODY)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "a request of %llu bytes is over the limit of %d",
                       (unsigned long long)p->total, RPC_MAX_BODY);
    if (!n || n > RPC_CHUNK || p->offset > p->total || n > p->total - p->offset ||
        (u && u->total != p->total))
        return err_set(err, ERR_INVALID_ARGUMENT, "a piece of a request that does not fit it");
    if (!u && p->offset)
        return err_set(err, ERR_FAILED_PRECONDITION, "a piece of a request that was dropped");
    if (u && p->offset < u->data.len)
        return 0; /* it is there */
    if (u && p->offset > u->data.len)
        return err_set(err, ERR_FAILED_PRECONDITION, "a piece before this one is missing");
    if (s->uploaded + n > UPLOAD_BYTES || (!u && s->uploads.n >= s->max_calls))
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s is busy: requests under way fill its memory",
                       s->name);
    if (!u)
        u = upload_begin(s, conn, key, p->total);
    str_add(&u->data, p->data.data, n);
    u->touched = mono_now();
    s->uploaded += n;
    return 0;
}

void rpc_piece_put(rpc_server_t *s, const struct rpc_asker *from, const char *key,
                   const Cargocd__Rpc__ChunkPut *p)
{
    AUTO_ERR err = NULL;
    {
        LOCKED(&s->lock);
        if (s->stopping)
            err_set(&err, ERR_UNAVAILABLE, "%s is stopping", s->name);
        else
            put(s, from->conn, key, p, &err);
    }
    rpc_respond(from, key, &(struct rpc_answer){.error = err});
}

int rpc_uploads_take(rpc_server_t *s, const char *key, Cargocd__Rpc__Call *call, unsigned char **body,
                     size_t *n, err_t **err)
{
    if (!call->body_size) {
        rpc_uploads_drop(s, key);
        *n = call->body.len;
        *body = TAKE(call->body.data);
        call->body.len = 0;
        return 0;
    }
    struct rpc_upload *u = map_get(&s->uploads, key);
    if (!u || u->total != call->body_size || u->data.len + call->body.len != u->total)
        return err_set(err, ERR_FAILED_PRECONDITION, "pieces of the request are missing");
    str_add(&u->data, call->body.data, call->body.len);
    s->uploaded += call->body.len; /* upload_free takes off what is left: nothing */
    s->uploaded -= u->data.len;
    *n = u->data.len;
    *body = (unsigned char *)str_take(&u->data);
    rpc_uploads_drop(s, key);
    return 0;
}

void rpc_piece_get(rpc_server_t *s, const struct rpc_asker *from, const char *key, uint64_t offset)
{
    LOCKED(&s->lock);
    rpc_call_t *call = map_get(&s->calls, key);
    if (!call || !call->done || !call->reply || offset >= call->nreply) {
        rpc_refuse(from, key, ERR_OUT_OF_RANGE, "a piece of a reply that is not kept");
        return;
    }
    size_t left = call->nreply - (size_t)offset;
    struct rpc_answer piece = {
        .body = call->reply + offset,
        .n = min_size(left, RPC_CHUNK),
        .total = call->nreply,
    };
    rpc_respond(from, key, &piece);
    call->expires = mono_after(mono_now(), SECONDS(UPLOAD_SECONDS));
    TAILQ_REMOVE(&s->done, call, link);
    TAILQ_INSERT_TAIL(&s->done, call, link);
    if (left <= RPC_CHUNK && call->nreply > RPC_CHUNK)
        rpc_calls_drop_reply(s, call);
}
