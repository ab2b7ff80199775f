#include "tests/unit/test.h"
#include "tests/unit/common/kube/fake_kube.h"

/* ---- a scripted server: the n-th request gets the n-th step ---- */

enum how { REPLY, STREAM, CUT, HOLD }; /* an answer; chunks and a regular end, a cut, or silence */
struct step {
    const char *expect; /* in the target */
    enum how how;
    const char *status; /* of REPLY */
    const char *body;   /* of STREAM and the like: "|" separates chunks, "@" stands for 70,000 bytes */
};
enum { MAX_STEPS = 10 };
struct script {
    const struct step *steps;
    atomic_int at, wrong;
    str_t accept; /* of the last request */
};

static void send_chunks(fake_conn_t *c, const char *body)
{
    AUTO(free_p) char *big = xasprintf("%070000d", 0);
    view_t rest = view_of(body), chunk;
    fake_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (view_split(&rest, '|', &chunk)) {
        AUTO_STR text = STR_INIT;
        for (size_t i = 0; i < chunk.n; i++)
            str_add(&text, chunk.p[i] == '@' ? big : chunk.p + i, chunk.p[i] == '@' ? strlen(big) : 1);
        if (text.len)
            fake_chunk(c, str_text(&text), text.len);
        sleep_ns(MILLIS(2));
    }
}

static bool play(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    struct script *s = arg;
    int at = s->at++;
    const struct step *step = &s->steps[at];
    if (at >= MAX_STEPS || !step->expect) {
        fake_linger(c, 10000); /* the script is over */
        return false;
    }
    if (!strstr(r->target, step->expect)) {
        print_message("# request %d: %s\n", at, r->target);
        s->wrong++;
    }
    if (step->how == REPLY) {
        fake_reply(c, step->status ? step->status : "200 OK", NULL, step->body);
        return true;
    }
    send_chunks(c, step->body);
    if (step->how == HOLD)
        fake_linger(c, 10000);
    if (step->how == STREAM)
        fake_chunk(c, NULL, 0);
    return step->how == STREAM;
}

/* ---- a log of what the callbacks say ---- */

struct log {
    lock_t lock;
    cond_t wake;
    str_t text;
};

static void note(struct log *l, const char *fmt, ...) PRINTF(2, 3);
static void note(struct log *l, const char *fmt, ...)
{
    LOCKED(&l->lock);
    va_list ap;
    va_start(ap, fmt);
    str_vprintf(&l->text, fmt, ap);
    va_end(ap);
    str_putc(&l->text, ' ');
    pthread_cond_broadcast(&l->wake);
}

static void on_list(void *arg)
{
    note(arg, "list");
}

static void on_event(void *arg, enum kube_event event, const char *p, size_t n)
{
    AUTO_JSON o = NULL;
    json_read(p, n, &o, NULL);
    note(arg, "%c%s%s", "+~-"[event], str_or_empty(json_str_at(o, "metadata", "name")),
         json_str_at(o, "kind") ? "" : "(bare)");
}

static void on_synced(void *arg, const char *resource_version)
{
    note(arg, "synced:%s", resource_version);
}

static void on_error(void *arg, err_t *err)
{
    note(arg, err ? "error:%s" : "%s", err ? err_code_name(err_code(err)) : "well");
}

static void on_stop(void *arg, enum kube_watch_stop why)
{
    note(arg, why == KUBE_STOP_GONE ? "gone" : "forbidden");
}

static const struct kube_watch_ops ops = {on_list, on_event, on_synced, on_error, on_stop};

#define LIST(version, items)                                                                                 \
    "{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"
#define ITEM(name) "{\"metadata\":{\"name\":\"" name "\"}}"
#define EVENT_(type, name, v)                                                                                \
    "{\"type\":\"" type "\",\"object\":{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" name               \
    "\",\"resourceVersion\":\"" v "\"}}}\n"
#define ADDED(name, v)    EVENT_("ADDED", name, v)
#define MODIFIED(name, v) EVENT_("MODIFIED", name, v)
#define DELETED(name, v)  EVENT_("DELETED", name, v)
#define BOOKMARK(v)       EVENT_("BOOKMARK", "", v)
#define ERROR_EVENT(code, reason)                                                                            \
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":" #code ",\"reason\":\"" reason            \
    "\",\"message\":\"m\"}}\n"
#define STATUS(reason) "{\"kind\":\"Status\",\"reason\":\"" reason "\",\"message\":\"m\"}"
#define FROM(v)        "watch=true&allowWatchBookmarks=true&resourceVersion=" v "&timeoutSeconds="
#define PLAIN_LIST                                                                                           \
    {                                                                                                        \
        "configmaps?limit=500", REPLY, NULL, LIST("5", ITEM("a"))                                            \
    }

struct story {
    const char *name;
    struct step steps[MAX_STEPS];
    const char *log;
    bool stop_when_forbidden;
    int64_t resync_ns;
    size_t max_object;
};

static const struct story stories[] = {
    {"a list, then events",
     {PLAIN_LIST, {FROM("5"), HOLD, NULL, ADDED("b", "6") MODIFIED("a", "7") "|" DELETED("a", "8")}},
     "list +a synced:5 +b ~a -a ",
     false,
     0,
     0},
    {"a regular end goes on from the last event",
     {PLAIN_LIST, {FROM("5"), STREAM, NULL, ADDED("b", "6")}, {FROM("6"), HOLD, NULL, ADDED("c", "7")}},
     "list +a synced:5 +b +c ",
     false,
     0,
     0},
    {"a cut in the middle of an event neither loses nor doubles it",
     {PLAIN_LIST,
      {FROM("5"), CUT, NULL,
       ADDED("b", "6") "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"c\",\"resou"},
      {"/version", REPLY, NULL, "{}"},
      {FROM("6"), HOLD, NULL, ADDED("c", "7")}},
     "list +a synced:5 +b error:Unavailable well +c ",
     false,
     0,
     0},
    {"events in pieces",
     {PLAIN_LIST,
      {FROM("5"), HOLD, NULL,
       "{\"type\":|\"ADDED\",\"obj|ect\":{\"kind\":\"x\",\"metadata\":{\"name\":\"b|b\"}}|}" ADDED("c",
                                                                                                   "7")}},
     "list +a synced:5 +bb +c ",
     false,
     0,
     0},
    {"a bookmark moves the position",
     {PLAIN_LIST, {FROM("5"), STREAM, NULL, BOOKMARK("9")}, {FROM("9"), HOLD, NULL, ADDED("c", "10")}},
     "list +a synced:5 +c ",
     false,
     0,
     0},
    {"410 in the stream lists again",
     {PLAIN_LIST,
      {FROM("5"), STREAM, NULL, ERROR_EVENT(410, "Expired")},
      {"limit=", REPLY, NULL, LIST("8", ITEM("z"))},
      {FROM("8"), HOLD, NULL, ADDED("b", "9")}},
     "list +a synced:5 list +z synced:8 +b ",
     false,
     0,
     0},
    {"410 as the answer lists again",
     {PLAIN_LIST,
      {FROM("5"), REPLY, "410 Gone", STATUS("Gone")},
      {"limit=", REPLY, NULL, LIST("8", "")},
      {FROM("8"), HOLD, NULL, ""}},
     "list +a synced:5 list synced:8 ",
     false,
     0,
     0},
    {"a version from the future lists again",
     {PLAIN_LIST,
      {FROM("5"), STREAM, NULL,
       "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":504,\"reason\":\"Timeout\",\"message\":"
       "\"m\",\"details\":"
       "{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\"}]}}}"},
      {"limit=", REPLY, NULL, LIST("2", "")},
      {FROM("2"), HOLD, NULL, ""}},
     "list +a synced:5 list synced:2 ",
     false,
     0,
     0},
    {"odd events are passed over",
     {PLAIN_LIST,
      {FROM("5"), HOLD, NULL,
       "{\"type\":\"DANCE\",\"object\":{}}{\"type\":\"ADDED\"}[3]nonsense{\"a\":tru}" ADDED("@", "6")
           ADDED("b", "7")}},
     "list +a synced:5 +b ",
     false,
     0,
     1000},
    {"the kind is gone",
     {{"limit=", REPLY, "404 Not Found", STATUS("NotFound")},
      {"limit=", REPLY, "404 Not Found", ""},
      {"limit=", REPLY, "404 Not Found", STATUS("NotFound")}},
     "list list list gone ",
     false,
     0,
     0},
    {"the kind goes while watching",
     {PLAIN_LIST,
      {FROM("5"), REPLY, "404 Not Found", STATUS("NotFound")},
      {FROM("5"), REPLY, "404 Not Found", STATUS("NotFound")},
      {FROM("5"), REPLY, "404 Not Found", STATUS("NotFound")}},
     "list +a synced:5 gone ",
     false,
     0,
     0},
    {"a kind that is not loaded yet",
     {PLAIN_LIST,
      {FROM("5"), REPLY, "404 Not Found", STATUS("NotFound")},
      {FROM("5"), REPLY, "404 Not Found", "404 page not found"},
      {FROM("5"), HOLD, NULL, ADDED("b", "6")}},
     "list +a synced:5 +b ",
     false,
     0,
     0},
    {"forbidden for good",
     {{"limit=", REPLY, "403 Forbidden", STATUS("Forbidden")}},
     "list error:PermissionDenied forbidden ",
     true,
     0,
     0},
    {"forbidden for a while",
     {{"limit=", REPLY, "403 Forbidden", STATUS("Forbidden")}, PLAIN_LIST, {FROM("5"), HOLD, NULL, ""}},
     "list error:PermissionDenied list +a well synced:5 ",
     false,
     0,
     0},
    {"nobody knows us",
     {{"limit=", REPLY, "401 Unauthorized", STATUS("Unauthorized")}, PLAIN_LIST, {FROM("5"), HOLD, NULL, ""}},
     "list error:Unauthenticated list +a well synced:5 ",
     false,
     0,
     0},
    {"a server in trouble loses its credit",
     {PLAIN_LIST,
      {FROM("5"), REPLY, "500 Internal Server Error", STATUS("InternalError")},
      {FROM("5"), STREAM, NULL, ERROR_EVENT(500, "InternalError")},
      {FROM("5"), REPLY, "500 Internal Server Error", ""},
      {"limit=", REPLY, NULL, LIST("8", "")},
      {FROM("8"), HOLD, NULL, ""}},
     "list +a synced:5 error:Internal well error:Internal error:Internal list well synced:8 ",
     false,
     0,
     0},
    {"a gateway without a server behind it is probed",
     {PLAIN_LIST,
      {FROM("5"), REPLY, "503 Service Unavailable", "<html>no backend"},
      {"/version", REPLY, "503 Service Unavailable", "<html>no backend"},
      {"/version", REPLY, "403 Forbidden", ""},
      {FROM("5"), HOLD, NULL, ADDED("b", "6")}},
     "list +a synced:5 error:Unavailable well +b ",
     false,
     0,
     0},
    {"an aggregated API that is away is not the whole cluster",
     {PLAIN_LIST,
      {FROM("5"), REPLY, "503 Service Unavailable", STATUS("ServiceUnavailable")},
      {FROM("5"), HOLD, NULL, ADDED("b", "6")}},
     "list +a synced:5 error:Unavailable well +b ",
     false,
     0,
     0},
    {"a list cut short begins anew",
     {{"limit=", CUT, NULL, "{\"metadata\":{\"resourceVersion\":\"4\"},\"items\":[" ITEM("a") ","},
      {"/version", REPLY, NULL, "{}"},
      {"limit=", REPLY, NULL, LIST("5", ITEM("a") "," ITEM("b"))},
      {FROM("5"), HOLD, NULL, ""}},
     "list +a error:Unavailable list +a +b well synced:5 ",
     false,
     0,
     0},
    {"a page that expires begins anew",
     {{"limit=", REPLY, NULL,
       "{\"metadata\":{\"resourceVersion\":\"4\",\"continue\":\"t\"},\"items\":[" ITEM("a") "]}"},
      {"continue=t", REPLY, "410 Gone", STATUS("Expired")},
      {"limit=", REPLY, NULL, LIST("5", ITEM("b"))},
      {FROM("5"), HOLD, NULL, ""}},
     "list +a list +b synced:5 ",
     false,
     0,
     0},
    {"a list without a version is watched from any",
     {{"limit=", REPLY, NULL, "{\"items\":[]}"}, {FROM("0"), HOLD, NULL, ADDED("b", "6")}},
     "list synced:0 +b ",
     false,
     0,
     0},
    {"time to list again",
     {PLAIN_LIST,
      {FROM("5") "1", STREAM, NULL, "||||||" BOOKMARK("6")},
      {"limit=", REPLY, NULL, LIST("7", "")},
      {FROM("7"), HOLD, NULL, ""}},
     "list +a synced:5 list synced:7 ",
     false,
     MILLIS(1),
     0},
    {"a watch that ends at once is not hammered",
     {PLAIN_LIST, {FROM("5"), STREAM, NULL, ""}, {FROM("5"), HOLD, NULL, ADDED("b", "6")}},
     "list +a synced:5 +b ",
     false,
     0,
     0},
};

static void tell(const struct story *story)
{
    struct script s = {.steps = story->steps};
    struct log l = {.lock = LOCK_INIT};
    struct fake_kube f;
    cond_init(&l.wake);
    fake_kube_open(&f, play, &s, (struct kube_config){}, (struct kube_options){.timeout_ns = SECONDS(5)});
    struct kube_watch_spec spec = {.resource = &configmaps,
                                   .stop_when_forbidden = story->stop_when_forbidden,
                                   .resync_ns = story->resync_ns,
                                   .list.max_object = story->max_object};
    kube_watch_t *w = kube_watch_start(f.k, &spec, &ops, &l);
    int steps = 0;
    while (steps < MAX_STEPS && story->steps[steps].expect)
        steps++;
    mono_t end = mono_after(mono_now(), SECONDS(10));
    pthread_mutex_lock(&l.lock);
    while ((strcmp(str_text(&l.text), story->log) != 0 || s.at < steps) && mono_left(end))
        cond_wait_until(&l.wake, &l.lock, mono_after(mono_now(), MILLIS(5)));
    pthread_mutex_unlock(&l.lock);
    sleep_ns(MILLIS(20)); /* nothing more may come */
    kube_watch_stop(w);
    if (strcmp(str_text(&l.text), story->log) != 0 || s.wrong || s.at != steps)
        fail_msg("%s: after %d requests: %s", story->name, s.at, str_text(&l.text));
    fake_kube_close(&f);
    str_dispose(&l.text);
}

static void stories_end_well(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(stories); i++)
        tell(&stories[i]);
}

/* ---- many watches ---- */

struct crowd {
    atomic_bool down;
    atomic_int lists, most_lists, list_requests, watch_requests, probes;
    bool slow_lists, chatty;
    atomic_int version;
};

static bool crowd_watch(fake_conn_t *c, struct crowd *crowd)
{
    crowd->watch_requests++;
    fake_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (!crowd->down && !fake_peer_gone(c)) {
        if (crowd->chatty) {
            AUTO(free_p)
            char *event = xasprintf(
                "{\"type\":\"ADDED\",\"object\":{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\","
                "\"resourceVersion\":\"%d\"}}}",
                ++crowd->version);
            fake_chunk(c, event, strlen(event));
        }
        sleep_ns(crowd->chatty ? MILLIS(1) / 5 : MILLIS(5));
    }
    return false;
}

static bool serve_crowd(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    struct crowd *crowd = arg;
    if (has(r->target, "/version"))
        crowd->probes++;
    if (crowd->down)
        return false;
    if (has(r->target, "watch=true"))
        return crowd_watch(c, crowd);
    if (has(r->target, "/version")) {
        fake_reply(c, "200 OK", NULL, "{}");
        return true;
    }
    int now = ++crowd->lists;
    crowd->list_requests++;
    if (now > crowd->most_lists)
        crowd->most_lists = now;
    if (crowd->slow_lists)
        sleep_ns(MILLIS(30));
    crowd->lists--;
    fake_reply(c, "200 OK", NULL, LIST("5", ITEM("a")));
    return true;
}

struct member {
    lock_t lock;
    bool stopped;
    int synced, events, after_stop;
};

static void member_event(void *arg, enum kube_event event, const char *p, size_t n)
{
    struct member *m = arg;
    LOCKED(&m->lock);
    m->events++;
    m->after_stop += m->stopped;
}

static void member_synced(void *arg, const char *resource_version)
{
    struct member *m = arg;
    LOCKED(&m->lock);
    m->synced++;
    m->after_stop += m->stopped;
}

static void member_list(void *arg)
{
    struct member *m = arg;
    LOCKED(&m->lock);
    m->after_stop += m->stopped;
}

static void member_error(void *arg, err_t *err)
{
    member_list(arg);
}

static const struct kube_watch_ops member_ops = {member_list, member_event, member_synced, member_error,
                                                 NULL};

enum { MEMBERS = 40 };

static void gather(struct fake_kube *f, struct crowd *crowd, struct member *m, kube_watch_t **w)
{
    fake_kube_open(f, serve_crowd, crowd, (struct kube_config){}, (struct kube_options){.qps = 1000});
    for (size_t i = 0; i < MEMBERS; i++) {
        m[i] = (struct member){.lock = LOCK_INIT};
        struct kube_watch_spec spec = {.resource = &configmaps};
        w[i] = kube_watch_start(f->k, &spec, &member_ops, &m[i]);
    }
}

static void wait_for_int(atomic_int *what, int n)
{
    mono_t end = mono_after(mono_now(), SECONDS(20));
    while (*what < n && mono_left(end))
        sleep_ns(MILLIS(2));
    assert_true(*what >= n);
}

static void three_lists_run_at_once(void **state)
{
    struct crowd crowd = {.slow_lists = true};
    struct member m[MEMBERS];
    kube_watch_t *w[MEMBERS];
    struct fake_kube f;
    gather(&f, &crowd, m, w);
    wait_for_int(&crowd.watch_requests, MEMBERS);
    assert_int_equal(crowd.most_lists, 3);
    assert_int_equal(crowd.list_requests, MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++)
        kube_watch_stop(w[i]);
    fake_kube_close(&f);
}

static void a_dead_cluster_is_probed_once_for_all(void **state)
{
    struct crowd crowd = {};
    struct member m[MEMBERS];
    kube_watch_t *w[MEMBERS];
    struct fake_kube f;
    gather(&f, &crowd, m, w);
    wait_for_int(&crowd.watch_requests, MEMBERS);
    crowd.down = true;
    sleep_ns(MILLIS(2500));
    assert_in_range(crowd.probes, 2, 8);
    assert_int_equal(crowd.watch_requests, MEMBERS);
    crowd.down = false;
    mono_t since = mono_now();
    wait_for_int(&crowd.watch_requests, 2 * MEMBERS);
    assert_true(mono_now().ns - since.ns < SECONDS(6));
    assert_int_equal(crowd.list_requests, MEMBERS); /* all went on from where they were */
    kube_close(f.k);                                /* stops the watches */
    fake_http_stop(f.server);
    http_free(f.io);
}

struct stopper {
    kube_watch_t **w;
    struct member *m;
    size_t from, step;
};

static void *stop_some(void *arg)
{
    struct stopper *s = arg;
    for (size_t i = s->from; i < MEMBERS; i += s->step) {
        kube_watch_stop(s->w[i]);
        LOCKED(&s->m[i].lock);
        s->m[i].stopped = true;
    }
    return NULL;
}

static void nothing_comes_after_stop(void **state)
{
    for (int round = 0; round < 4; round++) {
        struct crowd crowd = {.chatty = true, .slow_lists = round == 0};
        struct member m[MEMBERS];
        kube_watch_t *w[MEMBERS];
        struct fake_kube f;
        gather(&f, &crowd, m, w);
        if (round)
            wait_for_int(&crowd.version, 300 * round);
        else
            sleep_ns(MILLIS(40)); /* in the middle of the lists */
        if (round == 3)
            crowd.down = true; /* and of the cuts */
        pthread_t t[4];
        struct stopper s[ARRAY_LEN(t)];
        for (size_t i = 0; i < ARRAY_LEN(t); i++) {
            s[i] = (struct stopper){w, m, i, ARRAY_LEN(t)};
            t[i] = thread_start("stopper", stop_some, &s[i]);
        }
        for (size_t i = 0; i < ARRAY_LEN(t); i++)
            pthread_join(t[i], NULL);
        sleep_ns(MILLIS(20));
        for (size_t i = 0; i < MEMBERS; i++) {
            LOCKED(&m[i].lock);
            assert_int_equal(m[i].after_stop, 0);
        }
        fake_kube_close(&f);
    }
}

static void closing_stops_what_runs(void **state)
{
    for (int round = 0; round < 3; round++) {
        struct crowd crowd = {.chatty = round == 1, .down = round == 2};
        struct member m[MEMBERS];
        kube_watch_t *w[MEMBERS];
        struct fake_kube f;
        gather(&f, &crowd, m, w);
        kube_t *other = kube_impersonate(f.k, "somebody");
        struct member more = {.lock = LOCK_INIT};
        struct kube_watch_spec spec = {.resource = &configmaps};
        kube_watch_t *x = kube_watch_start(other, &spec, &member_ops, &more);
        assert_non_null(x);
        sleep_ns(MILLIS(60));
        mono_t since = mono_now();
        kube_close(other);
        {
            LOCKED(&more.lock);
            more.stopped = true;
        }
        kube_close(f.k);
        assert_true(mono_now().ns - since.ns < SECONDS(2));
        for (size_t i = 0; i < MEMBERS; i++) {
            LOCKED(&m[i].lock);
            m[i].stopped = true;
        }
        sleep_ns(MILLIS(20));
        http_free(f.io);
        fake_http_stop(f.server);
        for (size_t i = 0; i < MEMBERS; i++)
            assert_int_equal(m[i].after_stop, 0);
        assert_int_equal(more.after_stop, 0);
    }
}

static bool shows_accept(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    struct script *s = arg;
    AUTO(free_p) char *accept = fake_header(r, "Accept");
    AUTO(free_p) char *encoding = fake_header(r, "Accept-Encoding");
    str_printf(&s->accept, "%s [%s]\n", accept, encoding);
    s->at++;
    if (s->at == 1)
        fake_reply(c, "200 OK", NULL, LIST("5", ""));
    else
        fake_linger(c, 10000);
    return s->at == 1;
}

static void metadata_alone_is_asked_for(void **state)
{
    struct script s = {};
    struct log l = {.lock = LOCK_INIT};
    struct fake_kube f;
    cond_init(&l.wake);
    fake_kube_open(&f, shows_accept, &s, (struct kube_config){}, (struct kube_options){});
    struct kube_watch_spec spec = {.resource = &configmaps, .list.metadata_only = true};
    kube_watch_t *w = kube_watch_start(f.k, &spec, &ops, &l);
    wait_for_int(&s.at, 2);
    kube_watch_stop(w);
    fake_kube_close(&f);
    assert_string_equal(
        str_text(&s.accept),
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json [gzip]\n"
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json [identity]\n");
    str_dispose(&s.accept);
    str_dispose(&l.text);
}

/* A server that takes the request and says nothing. */
static bool mute(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    struct script *s = arg;
    int at = s->at++;
    if (at == 0)
        fake_reply(c, "200 OK", NULL, LIST("5", ""));
    else if (has(r->target, "/version"))
        fake_reply(c, "200 OK", NULL, "{}");
    else if (at == 1)
        fake_linger(c, 10000);
    else
        send_chunks(c, ADDED("b", "6"));
    return at == 0 || has(r->target, "/version");
}

static void a_mute_server_is_left(void **state)
{
    struct script s = {};
    struct log l = {.lock = LOCK_INIT};
    struct fake_kube f;
    cond_init(&l.wake);
    fake_kube_open(&f, mute, &s, (struct kube_config){}, (struct kube_options){.timeout_ns = MILLIS(300)});
    struct kube_watch_spec spec = {.resource = &configmaps};
    kube_watch_t *w = kube_watch_start(f.k, &spec, &ops, &l);
    wait_for_int(&s.at, 4);
    sleep_ns(MILLIS(50));
    kube_watch_stop(w);
    assert_ptr_equal(strstr(str_text(&l.text), "list synced:5 error:Unavailable well +b "),
                     str_text(&l.text));
    fake_kube_close(&f);
    str_dispose(&l.text);
}

TESTS(T(stories_end_well), T(three_lists_run_at_once), T(a_dead_cluster_is_probed_once_for_all),
      T(nothing_comes_after_stop), T(closing_stops_what_runs), T(metadata_alone_is_asked_for),
      T(a_mute_server_is_left))
