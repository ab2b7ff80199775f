/* Cancelling: of one call by its caller, by its deadline, by the loss of its last caller, or of all by the
 * end of the server. The handler sees the flag; its hook runs once, as a job of the server's pool, since what
 * it does may block. Until that job is over the call is not answered, unless it is the hook that answers. */
#include "common/net/rpc_server.h"

static void run_cancel(void *arg)
{
    rpc_call_t *call = arg;
    rpc_server_t *s = call->server;
    pthread_mutex_lock(&s->lock);
    call->cancel_running = true;
    call->cancel_thread = pthread_self();
    pthread_mutex_unlock(&s->lock);
    call->cancel_fn(call->cancel_arg);
    pthread_mutex_lock(&s->lock);
    call->cancel_running = call->cancel_queued = false;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void queue_cancel(rpc_call_t *call)
{
    call->cancel_queued = pool_submit(call->server->cancel_pool, run_cancel, call, NULL) == 0;
}

void rpc_call_cancel(rpc_call_t *call)
{
    if (call->done || call->canceled)
        return;
    call->canceled = true;
    if (call->cancel_fn)
        queue_cancel(call);
}

void rpc_call_on_cancel(rpc_call_t *call, void (*fn)(void *arg), void *arg)
{
    LOCKED(&call->server->lock);
    if (call->cancel_queued)
        return;
    call->cancel_fn = fn;
    call->cancel_arg = arg;
    if (fn && call->canceled)
        queue_cancel(call);
}

atomic_bool *rpc_call_canceled(rpc_call_t *call)
{
    return &call->canceled;
}

mono_t rpc_call_deadline(const rpc_call_t *call)
{
    return call->deadline;
}

void rpc_call_cancel_by_key(rpc_server_t *s, const char *key)
{
    LOCKED(&s->lock);
    rpc_call_t *call = map_get(&s->calls, key);
    if (call)
        rpc_call_cancel(call);
    rpc_uploads_drop(s, key);
}

void rpc_calls_cancel_all(rpc_server_t *s)
{
    rpc_call_t *call;
    TAILQ_FOREACH(call, &s->running, link)
        rpc_call_cancel(call);
}

/* Until the job of cancel_fn has run, unless it is the one that answers. */
void rpc_call_wait_for_cancel(rpc_call_t *call)
{
    while (call->cancel_queued &&
           !(call->cancel_running && pthread_equal(call->cancel_thread, pthread_self())))
        pthread_cond_wait(&call->server->changed, &call->server->lock);
}
