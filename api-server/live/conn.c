/* Output is made when the socket can take it (W3): control messages first, then one message of the
 * subscription whose turn it is, from whatever is current at that moment. A subscription is due at once after
 * a silence, and then every 100 ms at most; pieces of a snapshot follow one another without a pause (W5). */
#include "api-server/live/conn.h"

#include "api-server/live/live_impl.h"
#include "common/argo/selector.h"

#define FRAME_INTERVAL MILLIS(100)
#define CHECK_INTERVAL SECONDS(10)

enum { INPUT_RATE = 50, INPUT_BURST = 200, CONTROL_MAX = 64 << 10, WARN_BEFORE = 60 };

struct follow {
    struct follower f; /* first */
    live_conn_t *conn;
    struct follow *next;
    int64_t id;
    bool has_since;
    uint64_t since;
    bool started;
    mono_t due;
    /* arguments of the topic apps */
    char **projects, **names; /* NULL: any */
    char *app_ns;             /* NULL: any */
    selector_t *selector;     /* NULL: any */
};

struct live_conn {
    live_t *live;
    identity_t *identity;
    void (*wake)(void *arg);
    void *arg;
    rbac_caller_t *caller;
    uint64_t caller_epoch; /* policy it was made for */
    struct follow *follows;
    size_t nfollows;
    VEC(char *) control; /* messages that do not wait for a turn */
    size_t control_bytes;
    bool paused, woken, warned;
    double tokens; /* of the input's rate */
    mono_t tokens_at, next_check;
};

/* ---- control messages ---- */

static void send_control(live_conn_t *c, str_t *text)
{
    if (c->control_bytes + text->len > CONTROL_MAX)
        return; /* a client that asks faster than it reads */
    c->control_bytes += text->len;
    VEC_PUSH(&c->control, str_take(text));
}

static void send_error(live_conn_t *c, int64_t id, enum err_code code, const char *message, bool retry)
{
    AUTO_STR s = STR_INIT;
    str_printf(&s, "{\"ev\":\"err\",\"id\":%lld,\"code\":\"%s\",\"http\":%d,\"message\":", (long long)id,
               err_code_name(code), err_code_to_http(code));
    json_write_string(message, strlen(message), JSON_NO_HTML, &s);
    str_printf(&s, ",\"retry\":%s}", retry ? "true" : "false");
    send_control(c, &s);
}

static void send_hello(live_conn_t *c)
{
    AUTO_STR s = STR_INIT;
    str_printf(&s, "{\"ev\":\"hello\",\"proto\":1,\"epoch\":\"%s\",\"pe\":%llu,\"build\":\"%s\",\"user\":",
               c->live->epoch, (unsigned long long)c->live->policy_epoch, CARGOCD_VERSION);
    json_write_string(c->identity->subject, strlen(c->identity->subject), JSON_NO_HTML, &s);
    if (c->identity->exp)
        str_printf(&s, ",\"exp\":%lld", (long long)c->identity->exp);
    str_printf(&s, ",\"hb\":%d,\"limits\":{\"subs\":%d,\"logs\":0}}", LIVE_HEARTBEAT, LIVE_MAX_SUBS);
    send_control(c, &s);
}

static void wake(live_conn_t *c)
{
    if (c->woken)
        return;
    c->woken = true;
    c->wake(c->arg);
}

/* ---- who sees what ---- */

static rbac_caller_t *caller(live_conn_t *c)
{
    if (c->caller && c->caller_epoch == c->live->policy_epoch)
        return c->caller;
    AUTO(config_unref_p) config_t *config = config_box_get(c->live->options.config);
    rbac_caller_free(c->caller);
    c->caller = rbac_caller_new(config_rbac(config), c->identity->subject, c->identity->groups);
    c->caller_epoch = c->live->policy_epoch;
    return c->caller;
}

static bool visible(void *ctx, const struct live_meta *m)
{
    struct follow *f = ctx;
    return live_may_get(f->conn->live, caller(f->conn), f->conn->identity, m);
}

static bool matches(void *ctx, const struct live_meta *m)
{
    const struct follow *f = ctx;
    if (f->app_ns && !str_same(f->app_ns, m->ns))
        return false;
    if (f->projects && !strv_contains(f->projects, str_or_empty(m->project)))
        return false;
    if (f->names && !strv_contains(f->names, str_or_empty(m->name)))
        return false;
    if (!f->selector)
        return true;
    AUTO_JSON labels = NULL;
    if (m->labels && json_read_str(m->labels, &labels, NULL) < 0)
        return false;
    return selector_matches(f->selector, labels);
}

/* ---- subscriptions ---- */

static void follow_free(struct follow *f)
{
    live_conn_t *c = f->conn;
    for (struct follow **p = &c->follows; *p; p = &(*p)->next)
        if (*p == f) {
            *p = f->next;
            c->nfollows--;
            break;
        }
    live_unfollow(&f->f);
    strv_free(f->projects);
    strv_free(f->names);
    free(f->app_ns);
    selector_free(f->selector);
    free(f);
}

static void begin(struct follow *f)
{
    struct live_stats *stats = &f->conn->live->stats;
    f->started = true;
    if (f->has_since && sub_resume(&f->f.sub, f->since))
        stats->resumes++;
    else {
        sub_reset(&f->f.sub);
        stats->resets++;
    }
}

static void changed(struct follower *follower)
{
    struct follow *f = (struct follow *)follower;
    struct live_topic *t = follower->topic;
    if (!f->started && t->ready)
        begin(f);
    if (!f->started && !t->failure)
        return;
    if (!f->conn->paused)
        wake(f->conn);
}

static char **string_list(const json_t *v)
{
    VEC(char *) list = {};
    size_t i;
    json_t *e;
    json_array_foreach((json_t *)v, i, e)
        if (json_is_string(e))
            VEC_PUSH(&list, xstrdup(json_string_value(e)));
    if (!list.n)
        return NULL;
    VEC_PUSH(&list, NULL);
    return list.v;
}

static int read_apps_args(struct follow *f, const json_t *args, err_t **err)
{
    const char *ns = json_str_at(args, "appNamespace"), *selector = json_str_at(args, "selector");
    f->projects = string_list(json_object_get(args, "projects"));
    f->names = string_list(json_object_get(args, "names"));
    f->app_ns = str_empty(ns) ? NULL : xstrdup(ns);
    return str_empty(selector) ? 0 : selector_parse(selector, &f->selector, err);
}

/* The topic of one application, if the caller may have it: missing and forbidden answer alike. */
static int open_app_topic(struct follow *f, enum topic topic, const json_t *args, err_t **err)
{
    live_t *l = f->conn->live;
    const char *name = json_str_at(args, "name"), *ns = json_str_at(args, "appNamespace");
    if (str_empty(name))
        return err_set(err, ERR_INVALID_ARGUMENT, "name is missing");
    AUTO(free_p) char *key = xasprintf("%s/%s", str_empty(ns) ? l->control_ns : ns, name);
    live_row_t *r = table_get(&l->apps.table, key);
    if (!r || !visible(f, &r->meta))
        return err_set(err, ERR_PERMISSION_DENIED, "permission denied");
    struct sub_filter filter = {visible, NULL, f};
    live_follow(live_topic_of(l, topic, ns, name), &f->f, &filter);
    return 0;
}

static int open_topic(struct follow *f, const char *topic, const json_t *args, err_t **err)
{
    if (str_eq(topic, "apps")) {
        struct sub_filter filter = {visible, matches, f};
        int rc = read_apps_args(f, args, err);
        if (rc == 0)
            live_follow(&f->conn->live->apps, &f->f, &filter);
        return rc;
    }
    if (str_eq(topic, "app"))
        return open_app_topic(f, TOPIC_APP, args, err);
    if (str_eq(topic, "tree"))
        return open_app_topic(f, TOPIC_TREE, args, err);
    return err_set(err, ERR_UNIMPLEMENTED, "topic %.40s is not served", str_or_empty(topic));
}

static struct follow *find_follow(live_conn_t *c, int64_t id)
{
    for (struct follow *f = c->follows; f; f = f->next)
        if (f->id == id)
            return f;
    return NULL;
}

static void read_since(struct follow *f, const json_t *since)
{
    const live_t *l = f->conn->live;
    f->has_since = str_eq(json_str_at(since, "epoch"), l->epoch) &&
                   (uint64_t)json_int_at(since, "pe") == l->policy_epoch && json_int_at(since, "rev") > 0;
    f->since = (uint64_t)json_int_at(since, "rev");
}

static enum live_close subscribe(live_conn_t *c, const json_t *m)
{
    AUTO_ERR err = NULL;
    int64_t id;
    if (!json_to_i64(json_object_get(m, "id"), &id) || id < 0 || find_follow(c, id))
        return CLOSE_PROTOCOL;
    if (c->nfollows >= LIVE_MAX_SUBS) {
        send_error(c, id, ERR_RESOURCE_EXHAUSTED, "too many subscriptions", false);
        return CLOSE_NONE;
    }
    struct follow *f = xcalloc(1, sizeof *f);
    f->conn = c;
    f->id = id;
    f->f.changed = changed;
    f->next = c->follows;
    c->follows = f;
    c->nfollows++;
    read_since(f, json_object_get(m, "since"));
    if (open_topic(f, json_str_at(m, "topic"), json_object_get(m, "args"), &err) < 0) {
        send_error(c, id, err_code(err), err_text(err), false);
        follow_free(f);
        return CLOSE_NONE;
    }
    if (f->f.topic->ready)
        begin(f);
    return CLOSE_NONE;
}

/* ---- input ---- */

static bool within_rate(live_conn_t *c, mono_t now)
{
    int64_t passed = now.ns > c->tokens_at.ns ? now.ns - c->tokens_at.ns : 0;
    double earned = (double)passed / NS_PER_SEC * INPUT_RATE;
    c->tokens_at = now;
    c->tokens = c->tokens + earned > INPUT_BURST ? INPUT_BURST : c->tokens + earned;
    if (c->tokens < 1)
        return false;
    c->tokens -= 1;
    return true;
}

static void pong(live_conn_t *c, const json_t *m)
{
    AUTO_STR s = STR_INIT;
    const json_t *t = json_object_get(m, "t");
    str_puts(&s, "{\"ev\":\"pong\"");
    if (json_is_any_number(t)) {
        str_puts(&s, ",\"t\":");
        json_write(t, JSON_GO, &s);
    }
    str_putc(&s, '}');
    send_control(c, &s);
}

static enum live_close handle(live_conn_t *c, const json_t *m)
{
    const char *op = str_or_empty(json_str_at(m, "op"));
    if (!strcmp(op, "sub"))
        return subscribe(c, m);
    if (!strcmp(op, "unsub")) {
        struct follow *f = find_follow(c, json_int_at(m, "id"));
        if (f)
            follow_free(f);
    } else if (!strcmp(op, "pause"))
        c->paused = true;
    else if (!strcmp(op, "resume"))
        c->paused = false;
    else if (!strcmp(op, "ping"))
        pong(c, m);
    return CLOSE_NONE; /* what a newer client says besides is not for us */
}

enum live_close live_conn_input(live_conn_t *c, const char *p, size_t n, mono_t now)
{
    AUTO_JSON m = NULL;
    if (n > LIVE_MAX_INPUT || json_read(p, n, &m, NULL) < 0 || !json_is_map(m))
        return CLOSE_PROTOCOL;
    LOCKED(&c->live->lock);
    if (!within_rate(c, now))
        return CLOSE_PROTOCOL;
    return handle(c, m);
}

/* ---- output ---- */

static bool take_control(live_conn_t *c, str_t *out)
{
    if (!c->control.n)
        return false;
    AUTO(free_p) char *text = c->control.v[0];
    VEC_REMOVE(&c->control, 0);
    size_t n = strlen(text);
    c->control_bytes -= n;
    str_add(out, text, n);
    return true;
}

/* The topic could not be had: says so, and ends the subscription. */
static bool report_failure(struct follow *f)
{
    struct live_topic *t = f->f.topic;
    if (f->started || !t->failure)
        return false;
    send_error(f->conn, f->id, err_code(t->failure), err_text(t->failure), true);
    follow_free(f);
    return true;
}

static bool has_output(const struct follow *f)
{
    return f->started && sub_pending(&f->f.sub);
}

static struct follow *most_overdue(live_conn_t *c)
{
    struct follow *best = NULL;
    for (struct follow *f = c->follows; f; f = f->next)
        if (has_output(f) && (!best || mono_cmp(f->due, best->due) < 0))
            best = f;
    return best;
}

static bool write_follow(struct follow *f, str_t *out, mono_t now)
{
    const char *const *coded = f->f.topic->topic == TOPIC_APPS ? topic_apps_coded : NULL;
    size_t before = out->len;
    bool wrote = sub_write(&f->f.sub, f->id, coded, out);
    f->due = f->f.sub.stage == SUB_SNAPSHOT ? now : mono_after(now, FRAME_INTERVAL);
    if (out->len - before <= LIVE_MAX_MESSAGE)
        return wrote;
    str_truncate(out, before);
    send_error(f->conn, f->id, ERR_RESOURCE_EXHAUSTED, "a value is too large for this connection", false);
    follow_free(f);
    return false;
}

static bool next_output(live_conn_t *c, str_t *out, mono_t now)
{
    if (take_control(c, out))
        return true;
    if (c->paused)
        return false;
    for (struct follow *f = c->follows, *next; f; f = next) {
        next = f->next;
        report_failure(f);
    }
    for (struct follow *f; !c->control.n && (f = most_overdue(c)) && mono_cmp(f->due, now) <= 0;)
        if (write_follow(f, out, now))
            return true;
    return take_control(c, out);
}

bool live_conn_output(live_conn_t *c, str_t *out, mono_t now)
{
    LOCKED(&c->live->lock);
    size_t before = out->len;
    if (!next_output(c, out, now))
        return false;
    c->live->stats.messages++;
    c->live->stats.bytes += out->len - before;
    return true;
}

int64_t live_conn_due(live_conn_t *c, mono_t now)
{
    LOCKED(&c->live->lock);
    c->woken = false;
    if (c->control.n)
        return 0;
    if (c->paused)
        return -1;
    for (const struct follow *f = c->follows; f; f = f->next)
        if (!f->started && f->f.topic->failure)
            return 0;
    struct follow *f = most_overdue(c);
    return !f ? -1 : f->due.ns <= now.ns ? 0 : f->due.ns - now.ns;
}

/* ---- life ---- */

live_conn_t *live_conn_new(live_t *l, identity_t *identity, void (*wake_fn)(void *arg), void *arg)
{
    live_conn_t *c = xcalloc(1, sizeof *c);
    mono_t now = mono_now();
    *c = (live_conn_t){.live = l,
                       .identity = identity_ref(identity),
                       .wake = wake_fn,
                       .arg = arg,
                       .tokens = INPUT_BURST,
                       .tokens_at = now,
                       .next_check = mono_after(now, CHECK_INTERVAL)};
    LOCKED(&l->lock);
    l->stats.connections++;
    send_hello(c);
    return c;
}

void live_conn_free(live_conn_t *c)
{
    if (!c)
        return;
    {
        LOCKED(&c->live->lock);
        while (c->follows)
            follow_free(c->follows);
        c->live->stats.connections--;
    }
    VEC_FOREACH(&c->control, it)
        free(*it);
    VEC_FREE(&c->control);
    rbac_caller_free(c->caller);
    identity_unref(c->identity);
    free(c);
}

static void warn_of_end(live_conn_t *c, int64_t left)
{
    AUTO_STR s = STR_INIT;
    if (c->warned || left > WARN_BEFORE)
        return;
    c->warned = true;
    str_printf(&s, "{\"ev\":\"auth\",\"in\":%lld}", (long long)left);
    LOCKED(&c->live->lock);
    send_control(c, &s);
    wake(c);
}

/* The session itself: revoked, its account disabled or its password changed. */
static enum live_close check_session(live_conn_t *c)
{
    AUTO_ERR err = NULL;
    AUTO(identity_unref_p) identity_t *now = NULL;
    if (auth_verify(c->live->options.auth, c->identity->token, &now, NULL, &err) == 0)
        return CLOSE_NONE;
    return str_has_suffix(err_text(err), " is disabled") ? CLOSE_DISABLED : CLOSE_EXPIRED;
}

enum live_close live_conn_check(live_conn_t *c, mono_t now, wall_t wall)
{
    if (!c->identity->authenticated)
        return CLOSE_NONE;
    if (c->identity->exp) {
        int64_t left = c->identity->exp - wall.ns / NS_PER_SEC;
        if (left <= 0)
            return CLOSE_EXPIRED;
        warn_of_end(c, left);
    }
    if (mono_cmp(now, c->next_check) < 0)
        return CLOSE_NONE;
    c->next_check = mono_after(now, CHECK_INTERVAL);
    return check_session(c);
}

size_t live_conn_memory(live_conn_t *c)
{
    LOCKED(&c->live->lock);
    size_t n = sizeof *c;
    for (const struct follow *f = c->follows; f; f = f->next)
        n += sizeof *f - sizeof f->f.sub + sub_memory(&f->f.sub);
    return n;
}

void live_conn_was_slow(live_conn_t *c)
{
    LOCKED(&c->live->lock);
    c->live->stats.slow_closes++;
}
