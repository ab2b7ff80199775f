/* Synthetic logs: line i of a container was written at its start plus i times an interval, up to its end. The
 * text is a function of the line's number, so that two readers see the same log. */
#include "tests/kubesim/api.h"

struct log {
    wall_t start, end; /* end.ns 0: it runs still */
    int64_t interval;
    uint64_t next;      /* line */
    int64_t bytes_left; /* negative: no limit */
    bool timestamps, follow;
    char *pod, *container, *ns, *uid;
};

static void log_free(void *p)
{
    struct log *l = p;
    free(l->pod);
    free(l->container);
    free(l->ns);
    free(l->uid);
    free(l);
}

/* How many lines there are at a time. */
static uint64_t lines_at(const struct log *l, wall_t now)
{
    int64_t until = l->end.ns && l->end.ns < now.ns ? l->end.ns : now.ns;
    return until < l->start.ns ? 0 : (uint64_t)((until - l->start.ns) / l->interval) + 1;
}

static void put_line(struct log *l, uint64_t i, str_t *out)
{
    char time[RFC3339_TEXT];
    AUTO_STR line = STR_INIT;
    rfc3339_nano((wall_t){l->start.ns + (int64_t)i * l->interval}, time);
    if (l->timestamps)
        str_printf(&line, "%s ", time);
    str_printf(&line, "%s/%s line %llu\n", l->pod, l->container, (unsigned long long)i + 1);
    size_t n = line.len;
    if (l->bytes_left >= 0) {
        n = min_size(n, (size_t)l->bytes_left);
        l->bytes_left -= (int64_t)n;
    }
    str_add(out, line.p, n);
}

static const json_t *container_status(const json_t *pod, const char *name)
{
    static const char *const lists[] = {"containerStatuses", "initContainerStatuses"};
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        json_t *c;
        size_t i;
        json_array_foreach(json_at(pod, "status", lists[k]), i, c)
            if (str_eq(json_str_at(c, "name"), name))
                return c;
    }
    return NULL;
}

/* Whether the container has ended since, or its pod has gone. */
static void look_again(struct exchange *x, struct log *l)
{
    AUTO_JSON pod = read_object(x->route.endpoint, l->ns, l->pod);
    const json_t *state = json_object_get(container_status(pod, l->container), "state");
    const char *finished = json_str_at(state, "terminated", "finishedAt");
    if (!pod || !str_same(json_str_at(pod, "metadata", "uid"), l->uid))
        l->end = wall_now();
    else if (finished)
        rfc3339_parse(finished, &l->end);
}

static void on_line(struct timer *t)
{
    struct exchange *x = CONTAINER_OF(t, struct exchange, timer);
    look_again(x, x->stream);
    http_wake(x->request);
}

static enum http_fill fill(struct request *r, str_t *out)
{
    struct exchange *x = r->state;
    struct log *l = x->stream;
    uint64_t n = lines_at(l, wall_now());
    while (l->next < n && l->bytes_left != 0 && out->len < 64 << 10)
        put_line(l, l->next++, out);
    if (l->bytes_left == 0 || (l->next >= n && (!l->follow || l->end.ns)))
        return HTTP_END;
    if (l->next < n)
        return HTTP_MORE;
    x->timer.fn = on_line;
    loop_timer(x->sim->loop, &x->timer, l->interval);
    return HTTP_IDLE;
}

static bool flag(const struct exchange *x, const char *name)
{
    bool v = false;
    str_to_bool(str_or_empty(http_query(x->request, name)), &v);
    return v;
}

static int64_t number(const struct exchange *x, const char *name, int64_t fallback)
{
    int64_t v;
    const char *text = http_query(x->request, name);
    return text && str_to_i64(text, &v) ? v : fallback;
}

/* The container that is meant: the one named, or the only one. NULL with a Status. */
static const char *choose(const struct exchange *x, const json_t *pod, json_t **failure)
{
    const char *want = str_or_empty(http_query(x->request, "container"));
    static const char *const lists[] = {"containers", "initContainers"};
    AUTO_STR names = STR_INIT;
    json_t *c, *all = json_at(pod, "spec", "containers");
    size_t i;
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        json_array_foreach(json_at(pod, "spec", lists[k]), i, c)
            if (*want && str_eq(json_str_at(c, "name"), want))
                return json_str_at(c, "name");
    json_array_foreach(all, i, c)
        str_printf(&names, "%s%s", i ? " " : "", str_or_empty(json_str_at(c, "name")));
    if (*want)
        *failure = status_bad_request("container %s is not valid for pod %s", want, x->route.name);
    else if (json_array_size(all) > 1)
        *failure = status_bad_request("a container name must be specified for pod %s, choose one of: [%s]",
                                      x->route.name, str_text(&names));
    return *failure ? NULL : json_str_at(json_array_get(all, 0), "name");
}

static void position(const struct exchange *x, struct log *l)
{
    uint64_t n = lines_at(l, wall_now());
    int64_t tail = number(x, "tailLines", -1), seconds = number(x, "sinceSeconds", 0);
    const char *since = http_query(x->request, "sinceTime");
    wall_t from = {wall_now().ns - SECONDS(seconds)};
    bool given = seconds > 0 || (since && rfc3339_parse(since, &from));
    if (given && from.ns > l->start.ns)
        l->next = (uint64_t)((from.ns - l->start.ns + l->interval - 1) / l->interval);
    if (tail >= 0 && n > (uint64_t)tail && l->next < n - (uint64_t)tail)
        l->next = n - (uint64_t)tail;
}

void api_log(struct exchange *x)
{
    AUTO_JSON pod = read_object(x->route.endpoint, x->route.ns, x->route.name);
    json_t *failure = NULL;
    const char *name = pod ? choose(x, pod, &failure) : NULL;
    const json_t *status = container_status(pod, name);
    const char *part = flag(x, "previous") ? "lastState" : "state";
    const char *started = json_str_at(status, part, "running", "startedAt");
    const char *ended = json_str_at(status, part, "terminated", "finishedAt");
    if (!started)
        started = json_str_at(status, part, "terminated", "startedAt");
    if (!pod)
        failure = status_not_found(x->route.endpoint->resource, x->route.name);
    else if (!failure && !started && flag(x, "previous"))
        failure = status_bad_request("previous terminated container \"%s\" in pod \"%s\" not found", name,
                                     x->route.name);
    else if (!failure && !started)
        failure = status_bad_request("container \"%s\" in pod \"%s\" is waiting to start: %s", name,
                                     x->route.name,
                                     json_str_at(status, "state", "waiting", "reason")
                                         ? json_str_at(status, "state", "waiting", "reason")
                                         : "ContainerCreating");
    if (failure) {
        reply_status_take(x, failure);
        return;
    }
    struct log *l = xcalloc(1, sizeof(*l));
    *l = (struct log){.interval = x->sim->options.delays.log_line,
                      .bytes_left = number(x, "limitBytes", -1),
                      .timestamps = flag(x, "timestamps"),
                      .follow = flag(x, "follow"),
                      .pod = xstrdup(x->route.name),
                      .container = xstrdup(name),
                      .ns = xstrdup(x->route.ns),
                      .uid = xstrdup(json_str_at(pod, "metadata", "uid"))};
    rfc3339_parse(started, &l->start);
    if (ended)
        rfc3339_parse(ended, &l->end);
    position(x, l);
    x->stream = l;
    x->stream_free = log_free;
    http_stream(x->request, 200, "text/plain", fill);
}
