#include "common/base/enc.h"
#include "common/kube/kube_internal.h"
#include "common/kube/status.h"

#include <ctype.h>

enum { MAX_TRIES = 10 };

/* ---- what every request carries ---- */

void kube_headers_add(struct kube_headers *h, char *line_take)
{
    VEC_PUSH(&h->lines, line_take);
}

/* The name of an extra may hold anything; in a header it is percent-encoded. */
static void add_extra(struct kube_headers *h, const char *key, const json_t *values)
{
    size_t i;
    json_t *v;
    AUTO_STR name = STR_INIT;
    url_escape(key, false, &name);
    json_array_foreach(values, i, v)
        if (json_is_string(v))
            kube_headers_add(h, xasprintf("Impersonate-Extra-%s: %s", str_text(&name), json_string_value(v)));
}

void kube_headers_finish(struct kube_headers *h, const struct kube_who *as, const struct kube_identity *who)
{
    const char *key;
    json_t *values;
    if (who->authorization)
        kube_headers_add(h, xstrdup(who->authorization));
    if (as->user)
        kube_headers_add(h, xasprintf("Impersonate-User: %s", as->user));
    for (size_t i = 0; as->groups && as->groups[i]; i++)
        kube_headers_add(h, xasprintf("Impersonate-Group: %s", as->groups[i]));
    json_object_foreach(as->extra, key, values)
        add_extra(h, key, values);
    kube_headers_add(h, NULL);
}

void kube_headers_dispose(struct kube_headers *h)
{
    VEC_FOREACH(&h->lines, l) {
        if (*l)
            wipe(*l, strlen(*l));
        free(*l);
    }
    VEC_FREE(&h->lines);
}

void kube_query_add(str_t *path, const char *name, const char *value)
{
    if (str_empty(value))
        return;
    str_printf(path, "%c%s=", strchr(str_text(path), '?') ? '&' : '?', name);
    url_escape(value, false, path);
}

void kube_observe(struct kube_core *c, const char *method, const char *verb, int status, mono_t since)
{
    if (c->options.observe)
        c->options.observe(c->options.observe_arg, method, verb, c->server, status, mono_now().ns - since.ns);
}

static _Thread_local const struct kube_tap *thread_tap;

void kube_tap_thread(const struct kube_tap *tap)
{
    thread_tap = tap;
}

static void measure(const struct kube_core *c, const struct kube_figures *f)
{
    if (c->options.measure)
        c->options.measure(c->options.observe_arg, f);
    if (thread_tap)
        thread_tap->fn(thread_tap->arg, f);
}

/* ---- one blocking request ---- */

/* f: what is known of it beforehand. */
static int send_once(kube_t *k, const struct kube_call *call, const struct kube_gate *gate,
                     int64_t timeout_ns, uint64_t *generation, struct kube_figures *f,
                     struct http_response *out, err_t **err)
{
    struct kube_core *c = k->core;
    struct kube_identity who;
    struct kube_headers headers = {};
    int r = kube_auth_get(c->auth, &who, err);
    if (r < 0)
        return r;
    *generation = who.generation;
    kube_headers_add(&headers, xasprintf("Accept: %s", call->accept ? call->accept : "application/json"));
    if (call->content_type)
        kube_headers_add(&headers, xasprintf("Content-Type: %s", call->content_type));
    kube_headers_finish(&headers, k->who, &who);
    AUTO(free_p) char *url = xasprintf("%s%s", c->server, call->path);
    struct http_request request = {
        .method = call->method,
        .url = url,
        .endpoint = who.endpoint,
        .headers = (const char *const *)headers.lines.v,
        .body = call->body,
        .body_size = call->n,
        .lane = call->lane,
        .timeout_ns = timeout_ns,
        .idempotent = call->idempotent,
        .canceled = &c->canceled,
        .wanted = gate ? gate->goes_on : NULL,
        .wanted_arg = gate ? gate->arg : NULL,
    };
    mono_t since = mono_now();
    r = http_do(c->options.io, &request, out, err);
    kube_observe(c, call->method, f->verb, r < 0 ? 0 : out->status, since);
    f->status = r < 0 ? 0 : out->status;
    f->received = r < 0 ? 0 : out->body.len;
    measure(c, f);
    kube_headers_dispose(&headers);
    kube_identity_dispose(&who);
    return r;
}

/* The same, where the gate lets it through. */
static int send_gated(kube_t *k, const struct kube_call *call, int64_t timeout_ns, uint64_t *generation,
                      struct kube_figures *f, struct http_response *out, err_t **err)
{
    const struct kube_gate *gate = k->core->options.gate;
    if (!gate || strcmp(call->method, "GET") == 0)
        return send_once(k, call, NULL, timeout_ns, generation, f, out, err);
    int r = gate->enter(gate->arg, call->method, call->path, err);
    if (r < 0)
        return r;
    r = send_once(k, call, gate, timeout_ns, generation, f, out, err);
    gate->leave(gate->arg, call->method, k->core->server, call->path, r < 0 ? 0 : out->status);
    return r;
}

/* Waits its turn. */
static int wait_turn(struct kube_core *c, const char *what, mono_t deadline, int64_t *waited, err_t **err)
{
    int64_t wait;
    if (!kube_limit_take(&c->limit, mono_left(deadline), &wait))
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s: more than %g requests a second are waiting", what,
                       c->options.qps);
    if (wait)
        sleep_ns(wait);
    *waited = wait;
    return 0;
}

/* Whether the answer asks to come again, and there is time for it; waits then. */
static bool come_again(const struct kube_call *call, const struct http_response *response, mono_t deadline)
{
    if (!call->idempotent || (response->status != 429 && response->status != 503))
        return false;
    int64_t after = kube_retry_after(&response->headers);
    if (!after || after >= mono_left(deadline))
        return false;
    sleep_ns(after);
    return true;
}

/* The n-th pause before another try, as the options ask for it; false when there is to be none. */
static bool worth_a_retry(const struct kube_core *c, const struct kube_call *call, int r, int status,
                          unsigned *done, mono_t deadline)
{
    bool failed = r < 0 ? r == -ERR_UNAVAILABLE : status == 503 || status == 504;
    if (!failed || !call->idempotent || *done >= c->options.retries || c->canceled)
        return false;
    int64_t pause = c->options.retry_ns << (*done < 16 ? *done : 16);
    if (pause >= mono_left(deadline))
        return false;
    ++*done;
    sleep_ns(pause);
    return true;
}

static int call_failed(const struct kube_call *call, const char *what, struct http_response *response,
                       err_t **err)
{
    int r = kube_status_error(response->status, &response->headers, str_text(&response->body),
                              response->body.len, what, call->failure, err);
    http_response_dispose(response);
    return r;
}

int kube_call(kube_t *k, const struct kube_call *call, struct http_response *out, err_t **err)
{
    struct kube_core *c = k->core;
    mono_t deadline = mono_after(mono_now(), call->timeout_ns ? call->timeout_ns : c->options.timeout_ns);
    AUTO(free_p) char *url = xasprintf("%s%s", c->server, call->path);
    AUTO(free_p) char *shown = http_url_for_message(url);
    AUTO(free_p) char *what = xasprintf("%s %s", call->method, shown);
    bool refreshed = false;
    unsigned retries = 0;
    for (int i = 0;; i++) {
        uint64_t generation = 0;
        struct kube_figures f = {.method = call->method,
                                 .path = call->path,
                                 .verb = kube_verb_name(call->method, call->path),
                                 .host = c->server,
                                 .sent = call->n,
                                 .again = i > 0};
        int r = c->canceled ? err_set(err, ERR_CANCELED, "%s: canceled", what)
                            : wait_turn(c, what, deadline, &f.waited_ns, err);
        if (r == 0)
            r = send_gated(k, call, mono_left(deadline) + 1, &generation, &f, out, err);
        if (worth_a_retry(c, call, r, r < 0 ? 0 : out->status, &retries, deadline)) {
            if (r == 0)
                http_response_dispose(out);
            err_clear(err);
            continue;
        }
        if (r < 0)
            return r;
        if (call->warnings)
            kube_warnings(&out->headers, call->warnings);
        if (out->status < 300)
            return 0;
        bool again = out->status == 401 && !refreshed && kube_auth_rejected(c->auth, generation);
        refreshed = refreshed || again;
        if (i + 1 >= MAX_TRIES + (int)retries || (!again && !come_again(call, out, deadline)))
            return call_failed(call, what, out, err);
        http_response_dispose(out);
    }
}
