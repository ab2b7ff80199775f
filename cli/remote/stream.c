/* The I/O thread cuts the stream into lines and queues the events; the command takes them. A full queue
 * pauses the transfer. A server that is silent for a minute is gone: it sends heartbeats every 15 seconds. */
#include "cli/remote/client.h"

#include "common/base/thread.h"
#include "common/base/vec.h"

enum { QUEUE_MAX = 64, LINE_MAX_BYTES = 256 << 20 };
#define SILENCE SECONDS(60)

struct stream {
    http_transfer_t *transfer;
    char *url;
    /* of the I/O thread alone */
    int status;
    str_t rest; /* of the line at hand */
    /* shared */
    lock_t lock;
    cond_t changed;
    VEC(char *) events; /* texts */
    bool paused, ended;
    err_t *error;
};

/* ---- the I/O thread ---- */

static int on_head(void *arg, int status, const str_t *headers)
{
    struct stream *s = arg;
    (void)headers;
    s->status = status;
    return 0;
}

/* An event's line is "data: {…}" in an event stream, and the object alone elsewhere; others are heartbeats.
 */
static char *event_of(const char *line, size_t n)
{
    view_t v = view_trim((view_t){line, n});
    if (v.n > 5 && !strncmp(v.p, "data:", 5))
        v = view_trim((view_t){v.p + 5, v.n - 5});
    return v.n && v.p[0] == '{' ? xstrndup(v.p, v.n) : NULL;
}

static void take_lines(struct stream *s)
{
    size_t from = 0;
    for (const char *end; (end = memchr(s->rest.p + from, '\n', s->rest.len - from));
         from = (size_t)(end - s->rest.p) + 1) {
        char *event = event_of(s->rest.p + from, (size_t)(end - s->rest.p) - from);
        if (event)
            VEC_PUSH(&s->events, event);
    }
    str_consume(&s->rest, from);
}

static int on_data(void *arg, const char *p, size_t n)
{
    struct stream *s = arg;
    str_add(&s->rest, p, n);
    if (str_overflowed(&s->rest))
        return -ERR_RESOURCE_EXHAUSTED;
    if (s->status != 200) /* an error's text, in whole */
        return 0;
    LOCKED(&s->lock);
    take_lines(s);
    pthread_cond_signal(&s->changed);
    s->paused = s->events.n >= QUEUE_MAX;
    return s->paused ? HTTP_PAUSE : 0;
}

static void on_done(void *arg, err_t *err)
{
    struct stream *s = arg;
    LOCKED(&s->lock);
    if (err)
        s->error = err_copy(err);
    else if (s->status != 200)
        client_refused(s->url, s->status, str_text(&s->rest), s->rest.len, &s->error);
    s->ended = true;
    pthread_cond_signal(&s->changed);
}

/* ---- the command ---- */

stream_t *stream_open(client_t *c, const char *path)
{
    static const struct http_stream_ops ops = {on_head, on_data, on_done};
    struct stream *s = xcalloc(1, sizeof(*s));
    struct http_request request;
    s->rest.max = LINE_MAX_BYTES;
    pthread_mutex_init(&s->lock, NULL);
    cond_init(&s->changed);
    client_request(c, path, &request, &s->url);
    AUTO(free_p)
    const char **headers = xcalloc(strv_len((char *const *)request.headers) + 2, sizeof(*headers));
    size_t n = 0;
    for (; request.headers[n]; n++)
        headers[n] = request.headers[n];
    headers[n] = "Accept: text/event-stream";
    request.headers = headers;
    request.lane = HTTP_LANE_STREAM;
    request.idle_timeout_ns = SILENCE;
    request.max_body = 0;
    s->transfer = http_start(client_http(c), &request, &ops, s);
    return s;
}

static char *take_event(struct stream *s)
{
    char *text = s->events.v[0];
    VEC_REMOVE(&s->events, 0);
    if (s->paused && s->events.n < QUEUE_MAX / 2) {
        s->paused = false;
        http_resume(s->transfer);
    }
    return text;
}

static int read_event(const char *text, json_t **event, err_t **err)
{
    AUTO_JSON v = NULL;
    int rc = json_read_str(text, &v, err);
    if (rc < 0)
        return err_wrap(err, "read an event");
    const json_t *error = json_object_get(v, "error");
    if (error)
        return client_rpc_error(error, err);
    *event = json_incref(json_object_get(v, "result"));
    return *event ? 1 : err_set(err, ERR_INTERNAL, "an event without a result");
}

int stream_next(stream_t *s, mono_t deadline, json_t **event, bool *timed_out, err_t **err)
{
    AUTO(free_p) char *text = NULL;
    *timed_out = false;
    {
        LOCKED(&s->lock);
        while (!s->events.n && !s->ended && !*timed_out)
            *timed_out = !cond_wait_until(&s->changed, &s->lock, deadline);
        if (s->events.n) {
            *timed_out = false;
            text = take_event(s);
        } else if (s->error) {
            return err_move(err, err_copy(s->error));
        } else {
            return 0;
        }
    }
    return read_event(text, event, err);
}

void stream_close(stream_t *s)
{
    if (!s)
        return;
    http_cancel(s->transfer);
    pthread_mutex_lock(&s->lock);
    while (!s->ended)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    http_transfer_release(s->transfer);
    VEC_FOREACH(&s->events, e)
        free(*e);
    VEC_FREE(&s->events);
    str_dispose(&s->rest);
    err_free(s->error);
    free(s->url);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
