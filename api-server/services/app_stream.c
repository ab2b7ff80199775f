/* Watch and WatchResourceTree: a follower of live's table whose changes are written as whole objects, one a
 * line or one a server-sent event. As everywhere in live nothing is queued: a slow client gets fewer, newer
 * events. */
#include "api-server/live/live_impl.h"
#include "api-server/services/apps.h"
#include "api-server/services/fields.h"
#include "common/argo/app.h"
#include "common/argo/selector.h"
#include "common/base/hash.h"
#include "common/kinds/kinds.h"

#define HEARTBEAT SECONDS(15)

struct app_stream {
    struct follower f; /* first */
    live_t *live;
    exchange_t *ex;
    identity_t *identity;
    config_box_t *config;
    rbac_caller_t *caller;
    uint64_t caller_epoch;
    auth_t *auth;
    mono_t next_check, last_write;
    bool sse, tree, started;
    fields_t *fields;
    /* filters of Watch */
    char *name, *ns;
    json_t *projects;
    selector_t *selector;
    int64_t min_version;
    uint64_t tree_rev; /* of the topic when it was last written */
    map_t last;        /* name -> hash of the event last sent for it: Argo CD drops repeats */
    struct app_stream *prev, *next;
};

/* All streams, for heartbeats. */
static struct {
    lock_t lock;
    struct app_stream *first;
} streams = {.lock = LOCK_INIT};

static void list_add(struct app_stream *s)
{
    LOCKED(&streams.lock);
    s->next = streams.first;
    if (s->next)
        s->next->prev = s;
    streams.first = s;
}

static void list_remove(struct app_stream *s)
{
    LOCKED(&streams.lock);
    *(s->prev ? &s->prev->next : &streams.first) = s->next;
    if (s->next)
        s->next->prev = s->prev;
}

void streams_tick(void)
{
    LOCKED(&streams.lock);
    for (struct app_stream *s = streams.first; s; s = s->next)
        exchange_wake(s->ex);
}

/* ---- what is shown ---- */

static bool visible(void *ctx, const struct live_meta *m)
{
    struct app_stream *s = ctx;
    if (!s->caller || s->caller_epoch != s->live->policy_epoch) {
        AUTO(config_unref_p) config_t *config = config_box_get(s->config);
        rbac_caller_free(s->caller);
        s->caller = rbac_caller_new(config_rbac(config), s->identity->subject, s->identity->groups);
        s->caller_epoch = s->live->policy_epoch;
    }
    return live_may_get(s->live, s->caller, s->identity, m);
}

static bool matches(void *ctx, const struct live_meta *m)
{
    const struct app_stream *s = ctx;
    if (s->name && (!str_same(s->name, m->name) || !str_same(s->ns, m->ns)))
        return false;
    if (!projects_contain(s->projects, str_or_empty(m->project)))
        return false;
    if (!s->selector)
        return true;
    AUTO_JSON labels = NULL;
    if (m->labels && json_read_str(m->labels, &labels, NULL) < 0)
        return false;
    return selector_matches(s->selector, labels);
}

/* ---- writing ---- */

static void write_event(struct app_stream *s, const str_t *json, str_t *out)
{
    AUTO_STR wanted = STR_INIT;
    const str_t *text = json;
    if (s->fields) {
        fields_project(s->fields, str_text(json), json->len, &wanted);
        text = &wanted;
    }
    if (s->sse)
        str_puts(out, "data: ");
    str_add(out, text->p, text->len);
    str_puts(out, s->sse ? " \n\n\n" : "\n");
    s->last_write = mono_now();
}

/* The reference keys repeats by name alone. */
static bool repeats(struct app_stream *s, const char *name, const str_t *event)
{
    uintptr_t hash = (uintptr_t)hash_content(event->p, event->len, 1) | 1;
    if ((uintptr_t)map_get(&s->last, name) == hash)
        return true;
    map_put(&s->last, name, (void *)hash);
    return false;
}

static bool new_enough(const struct app_stream *s, const live_row_t *r)
{
    int64_t version;
    if (!s->min_version)
        return true;
    for (uint32_t i = 0; i < r->ncells; i++)
        if (!strcmp(table_column(&s->f.topic->table, r->cells[i].column), "rv") && r->cells[i].text) {
            AUTO(free_p) char *digits = xstrndup(r->cells[i].text + 1, strcspn(r->cells[i].text + 1, "\""));
            return !str_to_i64(digits, &version) || version >= s->min_version;
        }
    return true;
}

static void write_change(struct app_stream *s, enum sub_change what, const live_row_t *r, str_t *out)
{
    static const char *const types[] = {
        [SUB_ADDED] = "ADDED", [SUB_MODIFIED] = "MODIFIED", [SUB_DELETED] = "DELETED"};
    AUTO_STR event = STR_INIT;
    if (what != SUB_DELETED && !new_enough(s, r))
        return;
    str_printf(&event, "{\"result\":{\"type\":\"%s\",\"application\":", types[what]);
    if (r->meta.doc)
        str_add(&event, r->meta.doc->bytes, r->meta.doc->n);
    else { /* long gone: what is left of it */
        AUTO_JSON app = json_object();
        json_put_at(app, json_str_new(r->meta.name), "metadata", "name");
        json_put_at(app, json_str_new(r->meta.ns), "metadata", "namespace");
        app_rest_form(app);
        json_write(app, JSON_GO, &event);
    }
    str_puts(&event, "}}");
    if (!repeats(s, r->meta.name, &event))
        write_event(s, &event, out);
}

static void pull_apps(struct app_stream *s, size_t room, str_t *out)
{
    const live_row_t *r;
    enum sub_change what;
    do {
        while (out->len < room && sub_list_next(&s->f.sub, &r))
            write_change(s, SUB_ADDED, r, out);
        while (out->len < room && (what = sub_next(&s->f.sub, &r)) != SUB_NOTHING)
            write_change(s, what, r, out);
    } while (out->len < room && s->f.sub.stage == SUB_SNAPSHOT);
}

/* The tree as an object again, from its rows. */
static json_t *tree_object(live_table_t *t)
{
    json_t *tree = json_object(), *nodes = json_array(), *orphans = json_array(), *hosts = json_array();
    size_t n;
    live_row_t **rows = table_sorted(t, &n);
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();
        for (uint32_t k = 0; k < rows[i]->ncells; k++) {
            json_t *v = NULL;
            if (rows[i]->cells[k].text && json_read_str(rows[i]->cells[k].text, &v, NULL) == 0)
                json_object_set_new(o, table_column(t, rows[i]->cells[k].column), v);
        }
        bool orphan = json_object_del(o, "o") == 0;
        json_array_append_new(str_has_prefix(rows[i]->key, "h:") ? hosts : orphan ? orphans : nodes, o);
    }
    json_object_set_new(tree, "nodes", nodes);
    if (json_array_size(orphans))
        json_object_set(tree, "orphanedNodes", orphans);
    if (json_array_size(hosts))
        json_object_set(tree, "hosts", hosts);
    json_decref(orphans);
    json_decref(hosts);
    return tree;
}

static void pull_tree(struct app_stream *s, str_t *out)
{
    live_table_t *t = &s->f.topic->table;
    const live_row_t *r;
    bool changed = false;
    if (!s->f.topic->ready)
        return;
    if (!s->started) { /* what is there when the stream begins is not news */
        s->started = true;
        sub_begin_after_list(&s->f.sub);
        return;
    }
    while (sub_list_next(&s->f.sub, &r) || sub_next(&s->f.sub, &r) != SUB_NOTHING)
        changed = true;
    if (!changed)
        return;
    AUTO_JSON tree = tree_object(t);
    AUTO_STR event = STR_INIT;
    str_puts(&event, "{\"result\":");
    json_write(tree, JSON_GO, &event);
    str_putc(&event, '}');
    write_event(s, &event, out);
}

/* The session is looked at again every ten seconds; its end is the stream's. */
static bool session_over(struct app_stream *s, str_t *out)
{
    AUTO_ERR err = NULL;
    AUTO(identity_unref_p) identity_t *id = NULL;
    mono_t now = mono_now();
    if (!s->identity->authenticated || mono_cmp(now, s->next_check) < 0)
        return false;
    s->next_check = mono_after(now, SECONDS(10));
    if (auth_verify(s->auth, s->identity->token, &id, NULL, &err) == 0)
        return false;
    AUTO_STR event = STR_INIT;
    str_printf(&event, "{\"error\":{\"grpc_code\":%d,\"http_code\":401,\"message\":", ERR_UNAUTHENTICATED);
    json_write_string(err_text(err), strlen(err_text(err)), JSON_GO, &event);
    str_puts(&event, ",\"http_status\":\"Unauthorized\"}}");
    fields_free(TAKE(s->fields));
    write_event(s, &event, out);
    return true;
}

static int pull(void *arg, size_t room, str_t *out)
{
    struct app_stream *s = arg;
    if (session_over(s, out))
        return 1;
    {
        LOCKED(&s->live->lock);
        if (!s->f.topic)
            return 1;
        if (s->tree)
            pull_tree(s, out);
        else
            pull_apps(s, room, out);
    }
    if (!out->len && s->sse && mono_now().ns - s->last_write.ns >= HEARTBEAT) {
        str_puts(out, ":\n");
        s->last_write = mono_now();
    }
    return 0;
}

static void stream_free(struct app_stream *s)
{
    list_remove(s);
    {
        LOCKED(&s->live->lock);
        live_unfollow(&s->f);
    }
    exchange_unref(s->ex);
    identity_unref(s->identity);
    rbac_caller_free(s->caller);
    fields_free(s->fields);
    selector_free(s->selector);
    json_decref(s->projects);
    map_dispose(&s->last);
    free(s->name);
    free(s->ns);
    free(s);
}

static void close_stream(void *arg)
{
    stream_free(arg);
}

static const struct stream_ops ops = {pull, close_stream};

static void changed(struct follower *f)
{
    exchange_wake(((struct app_stream *)f)->ex);
}

/* ---- beginning ---- */

/* Fields of a stream's events begin at "result". */
static struct app_stream *stream_new(call_t *c)
{
    struct app_stream *s = xcalloc(1, sizeof *s);
    s->live = c->s->live;
    s->ex = exchange_ref(c->ex);
    s->identity = identity_ref(c->id);
    s->config = c->s->config;
    s->auth = c->s->auth;
    s->sse = c->sse;
    s->fields = fields_parse(query_get(&c->query, "fields"));
    s->f.changed = changed;
    s->last_write = mono_now();
    s->next_check = mono_after(s->last_write, SECONDS(10));
    list_add(s);
    return s;
}

int app_watch(call_t *c, json_t **out, err_t **err)
{
    const char *name = arg(c, "name"), *version = arg(c, "resourceVersion");
    AUTO(selector_free_p) selector_t *selector = NULL;
    if (*arg(c, "selector") && selector_parse(arg(c, "selector"), &selector, err) < 0)
        return err_wrap(err, "error parsing the selector");
    struct app_stream *s = stream_new(c);
    s->selector = TAKE(selector);
    s->projects = json_incref((json_t *)(uintptr_t)asked_projects(c));
    if (*name) {
        s->name = xstrdup(name);
        s->ns = xstrdup(call_app_ns(c, arg(c, "appNamespace")));
    }
    str_to_i64(version, &s->min_version);
    struct sub_filter filter = {visible, matches, s};
    {
        LOCKED(&s->live->lock);
        live_follow(&s->live->apps, &s->f, &filter);
        if (!*version || *name)
            sub_reset(&s->f.sub); /* what is there now is told as added, by name */
        else
            sub_begin_after_list(&s->f.sub);
    }
    c->stream = &ops;
    c->stream_arg = s;
    return 0;
}

int app_watch_tree(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    int rc = app_lookup(c, APP_CACHED, "get", arg(c, "project"), arg(c, "appNamespace"),
                        arg(c, "applicationName"), &app, err);
    if (rc < 0)
        return rc;
    struct app_stream *s = stream_new(c);
    struct sub_filter filter = {visible, NULL, s};
    s->tree = true;
    {
        LOCKED(&s->live->lock);
        live_follow(live_topic_of(s->live, TOPIC_TREE, object_namespace(app), object_name(app)), &s->f,
                    &filter);
        sub_from_now(&s->f.sub);
        s->started = s->f.topic->ready;
        if (s->started)
            sub_begin_after_list(&s->f.sub);
    }
    c->stream = &ops;
    c->stream_arg = s;
    return 0;
}
