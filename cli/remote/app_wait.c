/* Waiting for an application: its current state, then the server's stream of changes. The stream may break at
 * any time (a proxy, a restart); it is opened again a second later from the last version that was seen. */
#include "cli/app/show.h"
#include "cli/print.h"
#include "cli/remote/commands.h"
#include "cli/table.h"

#include <time.h>

struct waiting {
    client_t *c;
    const struct wait_request *w;
    mono_t deadline;
    char *url;
    json_t *app;          /* as it was last seen; NULL before */
    char *version;        /* its resource version */
    res_states_t printed; /* rows that were shown, as they were */
    bool summary;         /* not with -o json and yaml */
    bool header_due;      /* the header goes out with the first rows */
    bool operated;        /* an operation was seen under way: the status lags behind its end */
};

/* ---- rows ---- */

enum { ROWS_MIN_WIDTH = 5 };

static void put_row(const struct res_state *s, str_t *out)
{
    static const int widths[RES_FIELDS] = {5, 10, 10, 20, 8, 7, 10, 0};
    time_t now = time(NULL);
    struct tm tm;
    char text[40] = "", zone[8];
    if (localtime_r(&now, &tm) && strftime(text, sizeof(text) - 8, "%Y-%m-%dT%H:%M:%S", &tm) &&
        strftime(zone, sizeof(zone), "%z", &tm))
        str_printf(out, "%s%.3s:%s", text, zone, zone + 3);
    for (size_t i = 0; i < RES_FIELDS; i++)
        str_printf(out, "\t%*s", widths[i], s->f[i]);
    str_putc(out, '\n');
}

static void put_header(str_t *out)
{
    str_printf(out, "%s\t%5s\t%10s\t%10s\t%20s\t%8s\t%7s\t%10s\t%s\n", "TIMESTAMP", "GROUP", "KIND",
               "NAMESPACE", "NAME", "STATUS", "HEALTH", "HOOK", "MESSAGE");
}

/* Whether a healthy (or progressing) resource became degraded while health is waited for. */
static int check_health(const struct waiting *s, const struct res_state *before, const struct res_state *now,
                        err_t **err)
{
    const char *was = before->f[RES_HEALTH];
    if (!s->w->what.health || !str_eq(now->f[RES_HEALTH], "Degraded") || str_eq(was, "Degraded") ||
        str_eq(was, "Unknown"))
        return 0;
    return err_set(err, ERR_FAILED_PRECONDITION,
                   "application '%s' health state has transitioned from %s to %s", s->w->name, was,
                   now->f[RES_HEALTH]);
}

static int put_changes(struct waiting *s, const res_states_t *states, str_t *rows, err_t **err)
{
    VEC_FOREACH(states, now) {
        struct res_state *before = res_states_find(&s->printed, now);
        if (before) {
            int rc = check_health(s, before, now, err);
            if (rc < 0)
                return rc;
            if (res_state_merge(before, now))
                put_row(before, rows);
        } else {
            VEC_PUSH(&s->printed, res_state_copy(now));
            put_row(now, rows);
        }
    }
    return 0;
}

static int print_changes(struct waiting *s, err_t **err)
{
    res_states_t states = {};
    AUTO_STR rows = STR_INIT, out = STR_INIT;
    if (s->header_due)
        put_header(&rows);
    res_states_grouped(s->app, s->w->filters, &states);
    int rc = put_changes(s, &states, &rows, err);
    res_states_dispose(&states);
    if (rc == 0 && s->summary) {
        s->header_due = false;
        table_layout(str_text(&rows), rows.len, ROWS_MIN_WIDTH, &out);
        print_str(&out);
        print_finish(NULL);
    }
    return rc;
}

/* ---- the end ---- */

static void see(struct waiting *s, json_t *app_take)
{
    json_decref(s->app);
    s->app = app_take;
    app_fill_health(s->c, s->app);
    free(s->version);
    s->version = xstrdup(str_or_empty(json_str_at(app_take, "metadata", "resourceVersion")));
}

static void print_summary(const struct waiting *s)
{
    AUTO_STR text = STR_INIT;
    str_putc(&text, '\n');
    show_summary(s->app, s->url, NULL, &text);
    str_putc(&text, '\n');
    if (s->w->what.operation)
        show_operation(json_at(s->app, "status", "operationState"), &text);
    print_str(&text);
}

static int print_final(struct waiting *s, bool refresh, err_t **err)
{
    const char *format = s->w->output;
    bool detailed = str_eq(format, "tree=detailed");
    AUTO_STR rows = STR_INIT;
    if (refresh && s->operated) {
        json_t *app = NULL;
        int rc = app_fetch(s->c, s->w->real_name, s->w->ns, "normal", &app, err);
        if (rc < 0)
            return rc;
        see(s, app);
    }
    if (s->summary)
        print_summary(s);
    if (print_object(s->app, format))
        return 0;
    if (detailed || str_eq(format, "tree"))
        return print_app_tree(s->c, s->w->real_name, s->w->ns, detailed, err);
    if (*format && !str_eq(format, "wide"))
        return print_unknown_format(format, err);
    if (json_array_size(json_at(s->app, "status", "resources"))) {
        show_resources(s->app, &rows);
        printf_out("\n");
        print_table(&rows);
    }
    return 0;
}

static int time_out(struct waiting *s, err_t **err)
{
    json_t *app = NULL;
    if (s->summary)
        printf_out("\nThis is the state of the app after wait timed out:\n");
    int rc = app_fetch(s->c, s->w->real_name, s->w->ns, NULL, &app, err);
    if (rc < 0)
        return rc;
    see(s, app);
    if (s->summary)
        printf_out("\nThe command timed out waiting for the conditions to be met.\n");
    rc = print_final(s, false, err);
    return rc < 0 ? rc
                  : err_set(err, ERR_DEADLINE_EXCEEDED,
                            "timed out (%llds) waiting for app \"%s\" match desired state",
                            (long long)s->w->timeout_s, s->w->name);
}

/* ---- following ---- */

/* A cache of the server may still have the application as it was before our request. */
static bool is_new_enough(const struct waiting *s)
{
    int64_t version;
    return !s->w->min_version || !str_to_i64(s->version, &version) || version >= s->w->min_version;
}

/* 1: the wait is over. */
static int look(struct waiting *s, err_t **err)
{
    bool in_progress;
    if (!is_new_enough(s))
        return 0;
    bool satisfied = wait_satisfied(s->app, &s->w->what, s->w->filters, &in_progress);
    const json_t *operation = json_object_get(s->app, "operation");
    if (json_is_map(operation) && !json_bool_at(operation, "sync", "dryRun"))
        s->operated = true;
    return satisfied && (!in_progress || !s->w->what.operation);
}

static int on_event(struct waiting *s, const json_t *event, err_t **err)
{
    json_t *app = json_object_get(event, "application");
    if (!json_is_map(app))
        return 0;
    see(s, json_incref(app));
    if (s->w->what.gone && str_eq(json_str_at(event, "type"), "DELETED")) {
        AUTO(free_p) char *name = app_qualified_name(s->app);
        printf_out("Application '%s' deleted\n", name);
        json_decref(s->app);
        s->app = NULL;
        return 1;
    }
    int rc = look(s, err);
    return rc != 0 ? rc : print_changes(s, err);
}

/* Errors that trying again does not mend. */
static bool is_final(int rc)
{
    return rc == -ERR_UNAUTHENTICATED || rc == -ERR_PERMISSION_DENIED || rc == -ERR_UNIMPLEMENTED ||
           rc == -ERR_INVALID_ARGUMENT || rc == -ERR_NOT_FOUND;
}

/* One stream, until it breaks (0), the wait is over (1) or the time is up. */
static int follow_once(struct waiting *s, bool *timed_out, err_t **err)
{
    AUTO_STR path = STR_INIT;
    str_puts(&path, "/api/v1/stream/applications");
    query_add(&path, "name", s->w->real_name);
    query_add(&path, "appNamespace", s->w->ns);
    query_add(&path, "resourceVersion", s->version);
    AUTO(stream_close_p) stream_t *stream = stream_open(s->c, str_text(&path));
    for (;;) {
        AUTO_JSON event = NULL;
        AUTO_ERR why = NULL;
        int rc = stream_next(stream, s->deadline, &event, timed_out, &why);
        if (rc < 0)
            return is_final(rc) ? err_move(err, TAKE(why)) : 0;
        if (rc == 0)
            return 0;
        rc = on_event(s, event, err);
        if (rc != 0)
            return rc;
    }
}

static int pause_a_second(struct waiting *s)
{
    sleep_ns(mono_left(s->deadline) < SECONDS(1) ? mono_left(s->deadline) : SECONDS(1));
    return mono_left(s->deadline) == 0;
}

static int follow(struct waiting *s, err_t **err)
{
    for (;;) {
        bool timed_out = false;
        int rc = follow_once(s, &timed_out, err);
        if (rc != 0)
            return rc;
        if (timed_out || pause_a_second(s))
            return time_out(s, err);
    }
}

static int begin(struct waiting *s, err_t **err)
{
    json_t *app = NULL;
    int rc = app_url(s->c, s->w->name, &s->url, err);
    if (rc == 0)
        rc = app_fetch(s->c, s->w->real_name, s->w->ns, NULL, &app, err);
    if (rc < 0)
        return rc;
    see(s, app);
    return s->w->what.gone ? 0 : look(s, err);
}

int app_wait_for(client_t *c, const struct wait_request *w, json_t **app, err_t **err)
{
    bool quiet = str_eq(w->output, "json") || str_eq(w->output, "yaml");
    struct waiting s = {.c = c,
                        .w = w,
                        .deadline = w->timeout_s ? mono_after(mono_now(), SECONDS(w->timeout_s)) : MONO_NEVER,
                        .summary = !quiet,
                        .header_due = !quiet,
                        .operated = w->min_version && !w->dry_run};
    int rc = begin(&s, err);
    /* A short operation may be over already: its rows are shown all the same. */
    if (rc > 0 && w->min_version && print_changes(&s, err) < 0)
        rc = err_again(err);
    if (rc == 0)
        rc = follow(&s, err);
    if (rc > 0)
        rc = s.app ? print_final(&s, true, err) : 0;
    *app = rc == 0 ? TAKE(s.app) : NULL;
    json_decref(s.app);
    free(s.url);
    free(s.version);
    res_states_dispose(&s.printed);
    return rc;
}
