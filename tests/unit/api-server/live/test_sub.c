/* Tables and subscriptions, against a client that keeps what it is told. */
#include "tests/unit/test.h"

#include "api-server/live/sub.h"

/* ---- a client ---- */

struct client {
    live_sub_t sub;
    json_t *rows;    /* key -> columns */
    json_t *pending; /* of a snapshot under way */
    int64_t seq, rev;
    size_t messages, snapshots, largest;
    bool connected;
    bool resumed; /* then it may be told of a row that it lost while away */
};

static uint64_t hidden_projects; /* bit per project number: nobody may see it */
static unsigned wanted = 9;      /* label that the filter asks for; 9: any */

static unsigned number_of(const char *text)
{
    return (unsigned)(text[strlen(text) - 1] - '0');
}

static bool visible(void *ctx, const struct live_meta *m)
{
    return !(hidden_projects >> number_of(m->project) & 1);
}

static bool matches(void *ctx, const struct live_meta *m)
{
    return wanted == 9 || (m->labels && number_of(m->labels) == wanted);
}

static const struct sub_filter filter = {visible, matches, NULL};

static void apply_columns(json_t *rows, const char *key, json_t *columns)
{
    json_t *have = json_object_get(rows, key);
    const char *name;
    json_t *v;
    if (!have)
        json_object_set_new(rows, key, have = json_object());
    json_object_foreach(columns, name, v) {
        if (json_is_null(v))
            json_object_del(have, name);
        else
            json_object_set(have, name, v);
    }
}

static void apply_snap(struct client *c, json_t *m)
{
    size_t i, j;
    json_t *row, *cols = json_object_get(m, "cols"), *dict = json_object_get(m, "dict");
    bool reset = json_bool_at(m, "reset");
    if (reset && !c->pending)
        c->pending = json_object();
    json_array_foreach(json_object_get(m, "rows"), i, row) {
        json_t *columns = json_object();
        for (j = 1; j < json_array_size(row); j++) {
            const char *name = json_string_value(json_array_get(cols, j - 1));
            json_t *v = json_array_get(row, j);
            bool coded = str_has_suffix(name, "#");
            AUTO(free_p) char *plain = xstrndup(name, strlen(name) - coded);
            if (!json_is_null(v))
                json_object_set(columns, plain,
                                coded ? json_array_get(dict, (size_t)json_integer_value(v)) : v);
        }
        json_object_set_new(reset ? c->pending : c->rows, json_string_value(json_array_get(row, 0)), columns);
    }
    assert_true(json_array_size(json_object_get(m, "rows")) <= SUB_SNAP_ROWS);
    if (json_bool_at(m, "more"))
        return;
    c->snapshots++;
    if (reset) {
        json_decref(c->rows);
        c->rows = TAKE(c->pending);
        assert_int_equal(json_int_at(m, "total"), json_object_size(c->rows));
    }
}

static void apply_delta(struct client *c, json_t *m)
{
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(m, "set"), i, e)
        apply_columns(c->rows, json_string_value(json_array_get(e, 0)), json_array_get(e, 1));
    json_array_foreach(json_object_get(m, "del"), i, e) {
        /* only what the client has is ever named */
        if (!json_object_get(c->rows, json_string_value(e)) && !c->resumed)
            fail_msg("a deletion names %s, which the client does not have", json_string_value(e));
        json_object_del(c->rows, json_string_value(e));
    }
}

static bool receive(struct client *c)
{
    static const char *const coded[] = {"health", NULL};
    AUTO_ERR err = NULL;
    AUTO_JSON m = NULL;
    AUTO_STR text = STR_INIT;
    if (!sub_write(&c->sub, 7, coded, &text))
        return false;
    ASSERT_OK(json_read(str_text(&text), text.len, &m, &err));
    assert_int_equal(json_int_at(m, "id"), 7);
    assert_int_equal(json_int_at(m, "seq"), c->seq++);
    c->messages++;
    c->largest = max_size(c->largest, text.len);
    c->rev = json_int_at(m, "rev");
    if (!strcmp(json_str_at(m, "ev"), "snap"))
        apply_snap(c, m);
    else
        apply_delta(c, m);
    return true;
}

static void client_new(struct client *c, live_table_t *t)
{
    *c = (struct client){.rows = json_object(), .connected = true};
    sub_init(&c->sub, t, &filter);
    sub_reset(&c->sub);
}

static void client_dispose(struct client *c)
{
    sub_dispose(&c->sub);
    json_decref(c->rows);
    json_decref(c->pending);
}

static void drain(struct client *c)
{
    for (int i = 0; sub_pending(&c->sub) && i < 10000; i++)
        receive(c);
}

/* What the client ought to have. */
static void compare(const struct client *c, const live_table_t *t)
{
    size_t n = 0;
    MAP_FOREACH(&t->rows, e) {
        const live_row_t *r = e->value;
        json_t *have = json_object_get(c->rows, r->key);
        bool sees = visible(NULL, &r->meta) && matches(NULL, &r->meta);
        if (sees != (have != NULL))
            fail_msg("%s: expected %d", r->key, sees);
        if (!sees)
            continue;
        n++;
        size_t cells = 0;
        for (uint32_t i = 0; i < r->ncells; i++) {
            if (!r->cells[i].text)
                continue;
            cells++;
            AUTO(free_p)
            char *got = json_text(json_object_get(have, table_column(t, r->cells[i].column)), JSON_NO_HTML);
            if (strcmp(got, r->cells[i].text) != 0)
                fail_msg("%s.%s: %s, not %s (row %d born %d cell %d cursor %d resumed %d rev %d)", r->key,
                         table_column(t, r->cells[i].column), got, r->cells[i].text, (int)r->rev,
                         (int)r->born, (int)r->cells[i].rev, (int)c->sub.cursor, c->resumed, (int)*t->rev);
        }
        if (cells != json_object_size(have)) {
            AUTO(free_p) char *text = json_text(have, 0);
            fail_msg("%s: %zu cells, the client has %s", r->key, cells, text);
        }
    }
    assert_int_equal(n, json_object_size(c->rows));
}

/* ---- tables ---- */

static bool put(live_table_t *t, const char *key, const char *project, const char *label, const char *columns)
{
    AUTO_ERR err = NULL;
    AUTO_JSON doc = NULL;
    ASSERT_OK(json_read_str(columns, &doc, &err));
    return table_put(t, key,
                     &(struct live_meta){.project = project, .ns = "ns", .name = key, .labels = label}, doc);
}

static void only_changes_are_told(void **state)
{
    uint64_t rev = 41;
    live_table_t t;
    struct client c;
    table_init(&t, &rev);
    assert_true(put(&t, "a", "p0", NULL, "{\"health\":\"Healthy\",\"n\":1}"));
    assert_false(put(&t, "a", "p0", NULL, "{\"n\":1,\"health\":\"Healthy\"}"));
    assert_int_equal(rev, 42);
    client_new(&c, &t);
    drain(&c);
    compare(&c, &t);
    assert_false(sub_pending(&c.sub));
    assert_true(put(&t, "a", "p0", NULL, "{\"health\":\"Degraded\",\"n\":1}"));
    AUTO_STR text = STR_INIT;
    assert_true(sub_write(&c.sub, 3, NULL, &text));
    assert_string_equal(
        str_text(&text),
        "{\"ev\":\"delta\",\"id\":3,\"seq\":1,\"rev\":43,\"set\":[[\"a\",{\"health\":\"Degraded\"}]]}");
    put(&t, "a", "p0", NULL, "{\"health\":null,\"m\":[1,{\"x\":\"<\"}]}");
    put(&t, "b", "p0", NULL, "{\"n\":2}");
    table_del(&t, "a", (mono_t){1});
    str_reset(&text);
    assert_true(sub_write(&c.sub, 3, NULL, &text));
    assert_string_equal(str_text(&text),
                        "{\"ev\":\"delta\",\"id\":3,\"seq\":2,\"rev\":46,\"set\":[[\"b\",{\"n\":2}]],"
                        "\"del\":[\"a\"]}");
    assert_false(sub_write(&c.sub, 3, NULL, &text));
    client_dispose(&c);
    table_dispose(&t);
}

/* However much happens while the client does not listen, it gets each row once, in its newest state. */
static void a_slow_client_gets_the_newest_only(void **state)
{
    uint64_t rev = 0;
    live_table_t t;
    struct client c;
    table_init(&t, &rev);
    client_new(&c, &t);
    drain(&c);
    size_t memory = sub_memory(&c.sub);
    for (int i = 0; i < 100000; i++) {
        char key[16], columns[40];
        snprintf(key, sizeof key, "k%d", i % 10);
        snprintf(columns, sizeof columns, "{\"n\":%d}", i);
        put(&t, key, "p0", NULL, columns);
    }
    assert_int_equal(sub_memory(&c.sub), memory);
    c.messages = 0;
    drain(&c);
    assert_int_equal(c.messages, 1);
    compare(&c, &t);
    client_dispose(&c);
    table_dispose(&t);
}

static void hidden_rows_are_never_named(void **state)
{
    uint64_t rev = 0;
    live_table_t t;
    struct client c;
    table_init(&t, &rev);
    hidden_projects = 2;
    put(&t, "open", "p0", NULL, "{}");
    put(&t, "secret", "p1", NULL, "{}");
    client_new(&c, &t);
    t.on_meta = (void (*)(void *, uint32_t))(void (*)(void))sub_forget_verdict;
    t.arg = &c.sub;
    drain(&c);
    compare(&c, &t);
    put(&t, "secret", "p1", NULL, "{\"n\":1}");
    table_del(&t, "secret", (mono_t){1});
    assert_false(receive(&c));
    put(&t, "open", "p1", NULL, "{}"); /* moves to a hidden project: a deletion */
    drain(&c);
    compare(&c, &t);
    table_del(&t, "open", (mono_t){2});
    assert_false(receive(&c));
    hidden_projects = 0;
    client_dispose(&c);
    table_dispose(&t);
}

static void resuming(void **state)
{
    uint64_t rev = 0;
    live_table_t t;
    struct client c;
    table_init(&t, &rev);
    for (int i = 0; i < 10; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        put(&t, key, "p0", NULL, "{\"n\":1}");
    }
    client_new(&c, &t);
    drain(&c);
    sub_dispose(&c.sub);
    put(&t, "k3", "p0", NULL, "{\"n\":2}");
    table_del(&t, "k4", (mono_t){1});
    put(&t, "new", "p0", NULL, "{\"n\":3}");
    table_del(&t, "k5", (mono_t){1});
    put(&t, "k5", "p0", NULL, "{\"n\":4}");
    sub_init(&c.sub, &t, &filter);
    c.seq = 0;
    assert_true(sub_resume(&c.sub, (uint64_t)c.rev));
    c.messages = 0;
    drain(&c);
    assert_int_equal(c.messages, 2); /* the empty snapshot and one delta */
    compare(&c, &t);
    /* from the future, or from before what was forgotten: everything again */
    assert_false(sub_resume(&c.sub, rev + 1));
    table_purge(&t, (mono_t){SECONDS(601)});
    assert_int_equal(t.ntombs, 0);
    assert_false(sub_resume(&c.sub, 5));
    drain(&c);
    compare(&c, &t);
    client_dispose(&c);
    table_dispose(&t);
}

static void large_snapshots_come_in_pieces(void **state)
{
    uint64_t rev = 0;
    live_table_t t;
    struct client c;
    table_init(&t, &rev);
    for (int i = 0; i < 5000; i++) {
        char key[32], columns[200];
        snprintf(key, sizeof key, "argocd/app-%04d", i);
        snprintf(columns, sizeof columns,
                 "{\"health\":\"Healthy\",\"labels\":{\"team\":\"t-%d\"},\"rv\":\"%d\"}", i % 7, i);
        put(&t, key, "p0", NULL, columns);
    }
    client_new(&c, &t);
    receive(&c);
    put(&t, "argocd/app-0000", "p0", NULL,
        "{\"health\":\"Degraded\"}"); /* behind the cursor of the snapshot */
    table_del(&t, "argocd/app-0001", (mono_t){1});
    put(&t, "argocd/app-4999", "p0", NULL, "{\"health\":\"Missing\"}"); /* before it */
    put(&t, "argocd/app-9999", "p0", NULL, "{}");
    drain(&c);
    compare(&c, &t);
    assert_true(c.messages >= 10);
    assert_true(c.largest < SUB_MESSAGE + 4096);
    assert_true(sub_memory(&c.sub) < 16 << 10);
    client_dispose(&c);
    table_dispose(&t);
}

/* Random changes, clients that are slow, leave and come back, policies and filters that change: at every rest
 * each client has exactly what it may see. */
static uint32_t seed;
static uint32_t roll(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static void random_change(live_table_t *t, mono_t now)
{
    char key[16], columns[120], project[8], label[8];
    snprintf(key, sizeof key, "key-%u", roll(60));
    if (roll(4) == 0) {
        table_del(t, key, now);
        return;
    }
    snprintf(project, sizeof project, "p%u", roll(4));
    snprintf(label, sizeof label, "%u", roll(3));
    snprintf(columns, sizeof columns, "{\"health\":\"H%u\",\"n\":%u%s}", roll(3), roll(3),
             roll(2) ? ",\"x\":{\"y\":[null]}" : "");
    put(t, key, project, label, columns);
}

static struct client *fleet;
enum { FLEET = 4 };

static void fleet_meta(void *arg, uint32_t slot)
{
    for (int i = 0; i < FLEET; i++)
        if (fleet[i].connected)
            sub_forget_verdict(&fleet[i].sub, slot);
}

static void reconnect(struct client *c, live_table_t *t)
{
    if (c->connected) {
        sub_dispose(&c->sub);
        json_decref(c->pending);
        c->pending = NULL;
        c->connected = false;
        return;
    }
    sub_init(&c->sub, t, &filter);
    c->seq = 0;
    c->connected = true;
    if (c->snapshots == 0 || c->rev == 0)
        sub_reset(&c->sub);
    else
        c->resumed |= sub_resume(&c->sub, (uint64_t)c->rev);
}

/* After a snapshot that was cut short, what the client has is what it had before: it must not resume from its
 * rev. */
static void note_cut(struct client *c)
{
    if (c->pending)
        c->rev = 0;
}

static void a_long_random_life(void **state)
{
    for (uint32_t run = 1; run <= 60; run++) {
        uint64_t rev = 0;
        live_table_t t;
        struct client clients[FLEET];
        mono_t now = {1};
        seed = run;
        table_init(&t, &rev);
        fleet = clients;
        for (int i = 0; i < FLEET; i++)
            client_new(&clients[i], &t);
        t.on_meta = fleet_meta;
        for (int step = 0; step < 800; step++) {
            struct client *c = &clients[roll(FLEET)];
            uint32_t what = roll(100);
            if (what < 60)
                random_change(&t, now);
            else if (what < 90) {
                if (c->connected && sub_pending(&c->sub))
                    receive(c);
            } else if (what < 96) {
                note_cut(c);
                reconnect(c, &t);
            } else if (what < 97) {
                now.ns += SECONDS(700);
                table_purge(&t, now);
            } else if (what < 98) { /* a change of policy: all start over, and none may resume across it */
                hidden_projects = roll(16);
                for (int i = 0; i < FLEET; i++) {
                    clients[i].rev = 0;
                    if (clients[i].connected) {
                        sub_forget_verdicts(&clients[i].sub);
                        json_decref(clients[i].pending);
                        clients[i].pending = NULL;
                        sub_reset(&clients[i].sub);
                    }
                }
            }
        }
        for (int i = 0; i < FLEET; i++) {
            if (!clients[i].connected)
                reconnect(&clients[i], &t);
            drain(&clients[i]);
            compare(&clients[i], &t);
            client_dispose(&clients[i]);
        }
        hidden_projects = 0;
        table_dispose(&t);
    }
}

static void one_change_at_a_time(void **state)
{
    uint64_t rev = 0;
    live_table_t t;
    live_sub_t s;
    const live_row_t *r;
    table_init(&t, &rev);
    put(&t, "a", "p0", NULL, "{}");
    hidden_projects = 2;
    put(&t, "h", "p1", NULL, "{}");
    sub_init(&s, &t, &filter);
    sub_begin_after_list(&s);
    assert_int_equal(sub_next(&s, &r), SUB_NOTHING);
    put(&t, "a", "p0", NULL, "{\"n\":1}");
    put(&t, "b", "p0", NULL, "{}");
    put(&t, "h", "p1", NULL, "{\"n\":1}");
    table_del(&t, "a", (mono_t){1});
    assert_int_equal(sub_next(&s, &r), SUB_ADDED);
    assert_string_equal(r->key, "b");
    assert_int_equal(sub_next(&s, &r), SUB_DELETED);
    assert_string_equal(r->key, "a");
    assert_int_equal(sub_next(&s, &r), SUB_NOTHING);
    hidden_projects = 0;
    sub_dispose(&s);
    table_dispose(&t);
}

static void replacing_all(void **state)
{
    uint64_t rev = 0;
    live_table_t t;
    table_init(&t, &rev);
    put(&t, "a", "p0", NULL, "{}");
    put(&t, "b", "p0", NULL, "{}");
    table_mark(&t);
    put(&t, "b", "p0", NULL, "{}");
    put(&t, "c", "p0", NULL, "{}");
    assert_true(table_sweep(&t, (mono_t){1}));
    assert_null(table_get(&t, "a"));
    assert_non_null(table_get(&t, "b"));
    assert_int_equal(t.rows.n, 2);
    assert_false(table_sweep(&t, (mono_t){1}));
    table_dispose(&t);
}

TESTS(T(only_changes_are_told), T(a_slow_client_gets_the_newest_only), T(hidden_rows_are_never_named),
      T(resuming), T(large_snapshots_come_in_pieces), T(a_long_random_life), T(one_change_at_a_time),
      T(replacing_all))
