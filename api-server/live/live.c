#include "api-server/live/live_impl.h"

#include "common/argo/app.h"
#include "common/base/log.h"
#include "common/base/rand.h"
#include "common/kinds/kinds.h"

#include <stdio.h>

/* A table nobody follows is kept for a while, so that a page that comes back resumes. */
#define KEEP_IDLE_TOPIC SECONDS(120)

/* ---- topics ---- */

static void verdict_changed(void *arg, uint32_t slot)
{
    struct live_topic *t = arg;
    for (struct follower *f = t->followers; f; f = f->next)
        sub_forget_verdict(&f->sub, slot);
}

static void topic_init(struct live_topic *t, live_t *l, enum topic topic, const char *key)
{
    *t = (struct live_topic){.live = l, .topic = topic, .key = xstrdup(key), .left_at = mono_now()};
    table_init(&t->table, &l->rev);
    t->table.on_meta = verdict_changed;
    t->table.arg = t;
}

static void topic_dispose(struct live_topic *t)
{
    table_dispose(&t->table);
    err_free(t->failure);
    free(t->key);
    free(t->ns);
    free(t->name);
}

static void topic_free(void *p)
{
    topic_dispose(p);
    free(p);
}

void live_topic_changed(struct live_topic *t)
{
    for (struct follower *f = t->followers, *next; f; f = next) {
        next = f->next;
        f->changed(f);
    }
}

void live_follow(struct live_topic *t, struct follower *f, const struct sub_filter *filter)
{
    sub_init(&f->sub, &t->table, filter);
    f->topic = t;
    f->prev = NULL;
    f->next = t->followers;
    if (f->next)
        f->next->prev = f;
    t->followers = f;
}

void live_unfollow(struct follower *f)
{
    struct live_topic *t = f->topic;
    if (!t)
        return;
    *(f->prev ? &f->prev->next : &t->followers) = f->next;
    if (f->next)
        f->next->prev = f->prev;
    f->topic = NULL;
    sub_dispose(&f->sub);
    if (!t->followers)
        t->left_at = mono_now();
}

static void app_key(const live_t *l, const char *ns, const char *name, str_t *out)
{
    str_printf(out, "%s/%s", str_empty(ns) ? l->control_ns : ns, name);
}

static struct live_topic *find_topic(live_t *l, enum topic topic, const char *ns, const char *name)
{
    AUTO_STR key = STR_INIT;
    str_puts(&key, topic == TOPIC_TREE ? "tree:" : "app:");
    app_key(l, ns, name, &key);
    return map_get(&l->topics, str_text(&key));
}

static live_row_t *find_app(live_t *l, const char *ns, const char *name)
{
    AUTO_STR key = STR_INIT;
    app_key(l, ns, name, &key);
    return table_get(&l->apps.table, str_text(&key));
}

static struct live_meta app_meta(const live_row_t *r)
{
    return (struct live_meta){.project = r->meta.project, .ns = r->meta.ns, .name = r->meta.name};
}

static void fill_app_topic(struct live_topic *t, const live_row_t *r, const json_t *app)
{
    struct live_meta meta = r ? app_meta(r) : (struct live_meta){};
    topic_app_put(&t->table, &meta, app, mono_now());
    t->ready = true;
}

struct live_topic *live_topic_of(live_t *l, enum topic topic, const char *ns, const char *name)
{
    if (topic == TOPIC_APPS)
        return &l->apps;
    struct live_topic *t = find_topic(l, topic, ns, name);
    if (t)
        return t;
    AUTO_STR key = STR_INIT;
    str_puts(&key, topic == TOPIC_TREE ? "tree:" : "app:");
    app_key(l, ns, name, &key);
    t = xcalloc(1, sizeof *t);
    topic_init(t, l, topic, str_text(&key));
    t->ns = xstrdup(str_empty(ns) ? l->control_ns : ns);
    t->name = xstrdup(name);
    map_put(&l->topics, t->key, t);
    live_row_t *r = find_app(l, ns, name);
    if (topic == TOPIC_APP && r) {
        AUTO_JSON app = NULL;
        if (json_read(r->meta.doc->bytes, r->meta.doc->n, &app, NULL) == 0)
            fill_app_topic(t, r, app);
    }
    if (topic == TOPIC_TREE && l->options.want_tree)
        l->options.want_tree(l->options.ctx, t->ns, t->name);
    return t;
}

/* ---- life ---- */

live_t *live_new(const struct live_options *options)
{
    live_t *l = xcalloc(1, sizeof *l);
    unsigned char id[4];
    l->options = *options;
    l->control_ns = xstrdup(str_or_empty(options->control_ns));
    random_bytes(id, sizeof id);
    snprintf(l->epoch, sizeof l->epoch, "%02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
    l->policy_epoch = 1;
    l->topics = (map_t)MAP_INIT(topic_free);
    pthread_mutex_init(&l->lock, NULL);
    topic_init(&l->apps, l, TOPIC_APPS, "apps");
    return l;
}

const char *live_epoch(const live_t *l)
{
    return l->epoch;
}

static void waiter_free(struct waiter *w)
{
    free(w->key);
    free(w);
}

void live_free(live_t *l)
{
    if (!l)
        return;
    for (struct waiter *w = l->waiters, *next; w; w = next) {
        next = w->next;
        w->wait.done(w->wait.arg, NULL, true);
        waiter_free(w);
    }
    map_dispose(&l->topics);
    topic_dispose(&l->apps);
    pthread_mutex_destroy(&l->lock);
    free(l->control_ns);
    free(l->apps_version);
    free(l);
}

/* ---- waits ---- */

static bool is_canceled(const struct waiter *w)
{
    return w->wait.canceled && *w->wait.canceled;
}

/* Takes waiters that are done off the list; they are told outside the lock. */
static struct waiter *take_done(live_t *l, const char *key, struct live_doc *doc, mono_t now)
{
    struct waiter *done = NULL;
    for (struct waiter **p = &l->waiters; *p;) {
        struct waiter *w = *p;
        bool hit = key ? !strcmp(w->key, key) && (!doc || w->wait.check(w->wait.arg, doc))
                       : mono_cmp(now, w->wait.deadline) >= 0 || is_canceled(w);
        if (hit) {
            *p = w->next;
            w->next = done;
            done = w;
        } else
            p = &w->next;
    }
    return done;
}

static void tell(struct waiter *w, struct live_doc *doc, bool timed_out)
{
    while (w) {
        struct waiter *next = w->next;
        w->wait.done(w->wait.arg, doc, timed_out);
        waiter_free(w);
        w = next;
    }
}

void live_wait_app(live_t *l, const char *ns, const char *name, const struct live_wait *wait)
{
    AUTO_STR key = STR_INIT;
    struct live_doc *doc = NULL;
    bool now;
    app_key(l, ns, name, &key);
    {
        LOCKED(&l->lock);
        live_row_t *r = table_get(&l->apps.table, str_text(&key));
        now = r && wait->check(wait->arg, r->meta.doc);
        if (now)
            doc = live_doc_ref(r->meta.doc);
        else {
            struct waiter *w = xcalloc(1, sizeof *w);
            *w = (struct waiter){*wait, str_take(&key), l->waiters};
            l->waiters = w;
        }
    }
    if (now)
        wait->done(wait->arg, doc, false);
    live_doc_unref(doc);
}

/* ---- applications ---- */

/* Topics of the one application follow it. */
static void update_app_topics(live_t *l, const live_row_t *r, const char *ns, const char *name,
                              const json_t *app)
{
    struct live_topic *t = find_topic(l, TOPIC_APP, ns, name), *tree = find_topic(l, TOPIC_TREE, ns, name);
    if (t) {
        fill_app_topic(t, r, app);
        live_topic_changed(t);
    }
    if (!tree)
        return;
    if (!app) {
        topic_tree_put(&tree->table, &(struct live_meta){}, NULL, mono_now());
        live_topic_changed(tree);
        return;
    }
    live_row_t *any = tree->table.last;
    if (any && !str_same(any->meta.project, r->meta.project)) { /* moved to another project */
        struct live_meta meta = app_meta(r);
        MAP_FOREACH(&tree->table.rows, e) {
            live_row_t *row = e->value;
            AUTO_JSON columns = json_object();
            for (uint32_t i = 0; i < row->ncells; i++) {
                json_t *v = NULL;
                if (row->cells[i].text && json_read_str(row->cells[i].text, &v, NULL) == 0)
                    json_object_set_new(columns, table_column(&tree->table, row->cells[i].column), v);
            }
            table_put(&tree->table, row->key, &meta, columns);
        }
        live_topic_changed(tree);
    }
}

void live_apps_begin(live_t *l)
{
    LOCKED(&l->lock);
    table_mark(&l->apps.table);
    l->listing = true;
}

/* Versions are opaque, but Argo CD's clients compare them as numbers; so do we, to name the newest. */
static void note_version(live_t *l, const char *version)
{
    int64_t have, got;
    if (!str_to_i64(str_or_empty(version), &got) ||
        (str_to_i64(str_or_empty(l->apps_version), &have) && have >= got))
        return;
    free(l->apps_version);
    l->apps_version = xstrdup(version);
}

static int read_app(const char *p, size_t n, json_t **app)
{
    AUTO_ERR err = NULL;
    int rc = json_read(p, n, app, &err);
    if (rc == 0 && (str_empty(object_name(*app)) || str_empty(object_namespace(*app))))
        rc = err_set(&err, ERR_INVALID_ARGUMENT, "no name or namespace");
    if (rc < 0)
        log_debug(NULL, "watch applications: %s", err_text(err));
    return rc;
}

void live_app_put(live_t *l, const char *p, size_t n)
{
    AUTO_JSON app = NULL;
    if (read_app(p, n, &app) < 0)
        return;
    app_rest_form(app);
    AUTO_STR text = STR_INIT;
    json_write(app, JSON_GO, &text);
    AUTO(free_p)
    char *labels = json_at(app, "metadata", "labels")
                       ? json_text(json_at(app, "metadata", "labels"), JSON_NO_HTML)
                       : NULL;
    struct live_meta meta = {.project = app_project(app),
                             .ns = object_namespace(app),
                             .name = object_name(app),
                             .labels = labels,
                             .doc = live_doc_new(str_text(&text), text.len)};
    AUTO_JSON columns = topic_apps_columns(app);
    AUTO_STR key = STR_INIT;
    app_key(l, meta.ns, meta.name, &key);
    struct waiter *done;
    {
        LOCKED(&l->lock);
        note_version(l, json_str_at(app, "metadata", "resourceVersion"));
        if (table_put(&l->apps.table, str_text(&key), &meta, columns))
            live_topic_changed(&l->apps);
        update_app_topics(l, table_get(&l->apps.table, str_text(&key)), meta.ns, meta.name, app);
        done = take_done(l, str_text(&key), meta.doc, mono_now());
    }
    tell(done, meta.doc, false);
    live_doc_unref(meta.doc);
}

static void delete_app(live_t *l, const char *key, const char *ns, const char *name)
{
    if (table_del(&l->apps.table, key, mono_now()))
        live_topic_changed(&l->apps);
    update_app_topics(l, NULL, ns, name, NULL);
}

void live_app_del(live_t *l, const char *p, size_t n)
{
    AUTO_JSON app = NULL;
    if (read_app(p, n, &app) < 0)
        return;
    AUTO_STR key = STR_INIT;
    app_key(l, object_namespace(app), object_name(app), &key);
    struct waiter *done;
    {
        LOCKED(&l->lock);
        delete_app(l, str_text(&key), object_namespace(app), object_name(app));
        done = take_done(l, str_text(&key), NULL, mono_now());
    }
    tell(done, NULL, false);
}

void live_apps_synced(live_t *l, const char *resource_version)
{
    LOCKED(&l->lock);
    free(l->apps_version);
    l->apps_version = xstrdup(str_or_empty(resource_version));
    if (!l->listing)
        return;
    l->listing = false;
    MAP_FOREACH(&l->apps.table.rows, e) {
        live_row_t *r = e->value;
        if (!r->marked)
            continue;
        AUTO(free_p) char *ns = xstrdup(r->meta.ns), *name = xstrdup(r->meta.name);
        delete_app(l, r->key, ns, name);
    }
    l->apps.ready = true;
    live_topic_changed(&l->apps);
}

bool live_apps_ready(live_t *l)
{
    LOCKED(&l->lock);
    return l->apps.ready;
}

/* ---- reading ---- */

struct live_doc *live_app(live_t *l, const char *ns, const char *name)
{
    LOCKED(&l->lock);
    live_row_t *r = find_app(l, ns, name);
    return r ? live_doc_ref(r->meta.doc) : NULL;
}

/* The greatest version seen: that of the list, or of an object that came later. */
char *live_apps_version(live_t *l)
{
    LOCKED(&l->lock);
    return xstrdup(str_or_empty(l->apps_version));
}

void live_each_app(live_t *l, void (*fn)(void *arg, const struct live_meta *meta), void *arg)
{
    LOCKED(&l->lock);
    size_t n;
    live_row_t **rows = table_sorted(&l->apps.table, &n);
    for (size_t i = 0; i < n; i++)
        fn(arg, &rows[i]->meta);
}

size_t live_app_count(live_t *l)
{
    LOCKED(&l->lock);
    return l->apps.table.rows.n;
}

void live_tick(live_t *l)
{
    struct waiter *done;
    mono_t now = mono_now();
    {
        LOCKED(&l->lock);
        done = take_done(l, NULL, NULL, now);
        table_purge(&l->apps.table, now);
        MAP_FOREACH(&l->topics, e) {
            struct live_topic *t = e->value;
            table_purge(&t->table, now);
            if (!t->followers && now.ns - t->left_at.ns > KEEP_IDLE_TOPIC)
                map_del(&l->topics, e->key);
        }
    }
    tell(done, NULL, true);
}

/* ---- trees ---- */

bool live_tree_wanted(live_t *l, const char *ns, const char *name)
{
    LOCKED(&l->lock);
    const struct live_topic *t = find_topic(l, TOPIC_TREE, ns, name);
    return t && t->followers;
}

void live_put_tree(live_t *l, const char *ns, const char *name, const json_t *tree)
{
    LOCKED(&l->lock);
    struct live_topic *t = find_topic(l, TOPIC_TREE, ns, name);
    live_row_t *r = find_app(l, ns, name);
    if (!t || !r)
        return;
    struct live_meta meta = app_meta(r);
    topic_tree_put(&t->table, &meta, tree, mono_now());
    err_clear(&t->failure);
    t->ready = true;
    live_topic_changed(t);
}

void live_fail_tree(live_t *l, const char *ns, const char *name, const err_t *err)
{
    LOCKED(&l->lock);
    struct live_topic *t = find_topic(l, TOPIC_TREE, ns, name);
    if (!t || t->ready) /* what was there stays, until it can be had again */
        return;
    err_free(t->failure);
    t->failure = err_copy(err);
    live_topic_changed(t);
}

void live_tree_news(live_t *l, const char *ns, const char *name)
{
    LOCKED(&l->lock);
    MAP_FOREACH(&l->topics, e) {
        const struct live_topic *t = e->value;
        if (t->topic != TOPIC_TREE || (name && (strcmp(t->ns, ns) != 0 || strcmp(t->name, name) != 0)))
            continue;
        if (t->followers && l->options.want_tree)
            l->options.want_tree(l->options.ctx, t->ns, t->name);
    }
}

/* ---- policy ---- */

static void start_over(struct live_topic *t)
{
    for (struct follower *f = t->followers; f; f = f->next) {
        sub_forget_verdicts(&f->sub);
        if (f->sub.stage != SUB_IDLE)
            sub_reset(&f->sub);
    }
    live_topic_changed(t);
}

void live_policy_changed(live_t *l)
{
    LOCKED(&l->lock);
    l->policy_epoch++;
    start_over(&l->apps);
    MAP_FOREACH(&l->topics, e)
        start_over(e->value);
}

bool live_may_get(live_t *l, rbac_caller_t *caller, const identity_t *identity, const struct live_meta *m)
{
    if (identity->all_powers)
        return true;
    if (!m->name)
        return false;
    AUTO(rbac_project_unref_p)
    rbac_project_t *project = l->options.project ? l->options.project(l->options.ctx, m->project) : NULL;
    AUTO(free_p) char *object = rbac_app_object(m->project, m->ns, m->name, l->control_ns);
    return rbac_allows(caller, project, "applications", "get", object);
}

void live_stats(live_t *l, struct live_stats *out)
{
    LOCKED(&l->lock);
    *out = l->stats;
    out->apps = l->apps.table.rows.n;
    out->tables = l->topics.n + 1;
}
