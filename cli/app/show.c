#include "cli/app/show.h"

#include "cli/app/states.h"
#include "cli/print.h"
#include "common/argo/app.h"

#include <ctype.h>

/* "Name:               value". */
#define LINE "%-20s%s\n"

char *app_qualified_name(const json_t *app)
{
    const char *ns = json_str_at(app, "metadata", "namespace"),
               *name = str_or_empty(json_str_at(app, "metadata", "name"));
    return str_empty(ns) ? xstrdup(name) : xasprintf("%s/%s", ns, name);
}

void app_name_split(const char *text, const char *default_ns, char **name, char **ns)
{
    const char *slash = strchr(text, '/');
    *ns = slash ? xstrndup(text, (size_t)(slash - text)) : xstrdup(str_or_empty(default_ns));
    *name = xstrdup(slash ? slash + 1 : text);
}

json_t *app_source_at(const json_t *app, int64_t position)
{
    json_t *sources = json_at(app, "spec", "sources");
    if (!app_multi_source(app))
        return json_at(app, "spec", "source");
    return json_array_get(sources, position > 1 ? (size_t)(position - 1) : 0);
}

static const char *server_of(const json_t *app)
{
    const char *server = json_str_at(app, "spec", "destination", "server");
    return str_empty(server) ? str_or_empty(json_str_at(app, "spec", "destination", "name")) : server;
}

/* The first source, as a document of its own. */
static json_t *first_source(const json_t *app)
{
    AUTO_JSON sources = app_sources(app);
    return json_incref(json_array_get(sources, 0));
}

/* ---- list ---- */

static void put_policy(const json_t *app, str_t *out)
{
    str_puts(out, !app_auto_sync(app) ? "Manual" : app_auto_prune(app) ? "Auto-Prune" : "Auto");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "A,B(2)" */
static void put_conditions(const json_t *app, str_t *out)
{
    VEC(const char *) types = {};
    size_t i;
    json_t *c;
    json_array_foreach(json_at(app, "status", "conditions"), i, c) {
        VEC_PUSH(&types, str_or_empty(json_str_at(c, "type")));
    }
    VEC_SORT(&types, by_text);
    if (!types.n)
        str_puts(out, "<none>");
    for (size_t at = 0, n; at < types.n; at += n) {
        for (n = 1; at + n < types.n && !strcmp(types.v[at], types.v[at + n]);)
            n++;
        str_printf(out, "%s%s", at ? "," : "", types.v[at]);
        if (n > 1)
            str_printf(out, "(%zu)", n);
    }
    VEC_FREE(&types);
}

static void put_app_row(const json_t *app, str_t *out)
{
    AUTO(free_p) char *name = app_qualified_name(app);
    AUTO_JSON source = first_source(app);
    str_printf(out, "%s\t%s\t%s\t%s\t%s\t%s\t", name, server_of(app),
               str_or_empty(json_str_at(app, "spec", "destination", "namespace")), app_project(app),
               str_or_empty(json_str_at(app, "status", "sync", "status")),
               str_or_empty(json_str_at(app, "status", "health", "status")));
    put_policy(app, out);
    str_putc(out, '\t');
    put_conditions(app, out);
    str_printf(out, "\t%s\t%s\t%s\n", str_or_empty(json_str_at(source, "repoURL")),
               str_or_empty(json_str_at(source, "path")),
               str_or_empty(json_str_at(source, "targetRevision")));
}

void show_app_table(const json_t *apps, str_t *out)
{
    str_puts(
        out,
        "NAME\tCLUSTER\tNAMESPACE\tPROJECT\tSTATUS\tHEALTH\tSYNCPOLICY\tCONDITIONS\tREPO\tPATH\tTARGET\n");
    for (size_t i = 0; i < json_array_size(apps); i++)
        put_app_row(json_array_get(apps, i), out);
}

/* ---- summary ---- */

static void put_source(const json_t *s, str_t *out)
{
    static const char *const fields[][2] = {{"  Path:", "path"}, {"  Ref:", "ref"}};
    AUTO_STR values = STR_INIT;
    str_printf(out, LINE, "- Repo:", str_or_empty(json_str_at(s, "repoURL")));
    str_printf(out, LINE, "  Target:", str_or_empty(json_str_at(s, "targetRevision")));
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *value = json_str_at(s, fields[i][1]);
        if (!str_empty(value))
            str_printf(out, LINE, fields[i][0], value);
    }
    put_joined(json_at(s, "helm", "valueFiles"), ",", &values);
    if (values.len)
        str_printf(out, LINE, "  Helm Values:", str_text(&values));
    const char *prefix = json_str_at(s, "kustomize", "namePrefix");
    if (!str_empty(prefix))
        str_printf(out, LINE, "  Name Prefix:", prefix);
}

static bool any_of_kind(const json_t *windows, const char *list, const char *kind)
{
    size_t i;
    json_t *w;
    json_array_foreach(json_object_get(windows, list), i, w)
        if (str_eq(json_str_at(w, "kind"), kind))
            return true;
    return false;
}

/* The server tells which of the windows are open, and whether a sync by hand is allowed. */
static const char *window_status(const json_t *windows)
{
    size_t allows = 0, i;
    json_t *w;
    json_array_foreach(json_object_get(windows, "assignedWindows"), i, w) {
        allows += str_eq(json_str_at(w, "kind"), "allow");
    }
    bool deny = any_of_kind(windows, "activeWindows", "deny"),
         allow = any_of_kind(windows, "activeWindows", "allow");
    if (!deny && (allow || !allows))
        return "Sync Allowed";
    return json_bool_at(windows, "canSync") ? "Manual Allowed" : "Sync Denied";
}

static void put_windows(const json_t *windows, str_t *out)
{
    AUTO_STR list = STR_INIT;
    size_t i;
    json_t *w;
    str_printf(out, LINE,
               "SyncWindow:", windows && !json_object_size(windows) ? "Unknown" : window_status(windows));
    json_array_foreach(json_object_get(windows, "assignedWindows"), i, w) {
        str_printf(&list, "%s%s:%s:%s", i ? "," : "", str_or_empty(json_str_at(w, "kind")),
                   str_or_empty(json_str_at(w, "schedule")), str_or_empty(json_str_at(w, "duration")));
    }
    if (list.len)
        str_printf(out, LINE, "Assigned Windows:", str_text(&list));
}

/* A commit, in full or shortened. */
static bool is_commit(const char *revision)
{
    size_t n = strlen(revision);
    return n >= 7 && strspn(revision, "0123456789abcdefABCDEF") == n;
}

static void put_sync_status(const json_t *app, str_t *out)
{
    const char *status = str_or_empty(json_str_at(app, "status", "sync", "status"));
    const char *revision = str_or_empty(json_str_at(app, "status", "sync", "revision"));
    AUTO_JSON source = first_source(app);
    const char *target = str_or_empty(json_str_at(source, "targetRevision"));
    AUTO_STR text = STR_INIT;
    str_puts(&text, status);
    if (str_eq(status, "Synced"))
        str_printf(&text, " to %s", target);
    else if (str_eq(status, "OutOfSync"))
        str_printf(&text, " from %s", target);
    if (!is_commit(target) && strlen(revision) > 7)
        str_printf(&text, " (%.7s)", revision);
    str_printf(out, LINE, "Sync Status:", str_text(&text));
}

void show_summary(const json_t *app, const char *url, const json_t *windows, str_t *out)
{
    AUTO(free_p) char *name = app_qualified_name(app);
    AUTO_JSON sources = app_sources(app);
    str_printf(out, LINE, "Name:", name);
    str_printf(out, LINE, "Project:", app_project(app));
    str_printf(out, LINE, "Server:", server_of(app));
    str_printf(out, LINE, "Namespace:", str_or_empty(json_str_at(app, "spec", "destination", "namespace")));
    str_printf(out, LINE, "URL:", url);
    str_puts(out, app_multi_source(app) ? "Sources:\n" : "Source:\n");
    for (size_t i = 0; i < json_array_size(sources); i++)
        put_source(json_array_get(sources, i), out);
    put_windows(windows, out);
    str_printf(out, LINE, "Sync Policy:",
               !app_auto_sync(app)   ? "Manual"
               : app_auto_prune(app) ? "Automated (Prune)"
                                     : "Automated");
    put_sync_status(app, out);
    str_printf(out, LINE, "Health Status:", str_or_empty(json_str_at(app, "status", "health", "status")));
}

/* ---- parts ---- */

void show_conditions(const json_t *app, str_t *rows)
{
    size_t i;
    json_t *c;
    str_puts(rows, "CONDITION\tMESSAGE\tLAST TRANSITION\n");
    json_array_foreach(json_at(app, "status", "conditions"), i, c) {
        const char *time = json_str_at(c, "lastTransitionTime");
        str_printf(rows, "%s\t%s\t", str_or_empty(json_str_at(c, "type")),
                   str_or_empty(json_str_at(c, "message")));
        if (time)
            put_go_time(time, rows);
        else
            str_puts(rows, "<nil>");
        str_putc(rows, '\n');
    }
}

void show_resources(const json_t *app, str_t *rows)
{
    res_states_t states = {};
    res_states_of(app, NULL, &states);
    str_puts(rows, "GROUP\tKIND\tNAMESPACE\tNAME\tSTATUS\tHEALTH\tHOOK\tMESSAGE\n");
    VEC_FOREACH(&states, s)
        for (size_t i = 0; i < RES_FIELDS; i++)
            str_printf(rows, "%s%c", s->f[i], i + 1 < RES_FIELDS ? '\t' : '\n');
    res_states_dispose(&states);
}

static void put_time_line(const char *name, const char *time, str_t *out)
{
    AUTO_STR text = STR_INIT;
    if (time)
        put_go_time(time, &text);
    else
        str_puts(&text, "<nil>");
    str_printf(out, LINE, name, str_text(&text));
}

static int64_t whole_seconds(const json_t *state)
{
    wall_t from, to;
    if (!json_to_time(json_object_get(state, "startedAt"), &from))
        return 0;
    if (!json_to_time(json_object_get(state, "finishedAt"), &to))
        to = wall_now();
    return to.ns / NS_PER_SEC - from.ns / NS_PER_SEC;
}

void show_operation(const json_t *state, str_t *out)
{
    if (!json_is_map(state))
        return;
    const json_t *result = json_object_get(state, "syncResult");
    char took[DURATION_TEXT];
    duration_format(SECONDS(whole_seconds(state)), took);
    if (json_is_map(result)) {
        AUTO_JSON revisions = revisions_of(result);
        AUTO(free_p) char *text = revisions_joined(revisions);
        str_printf(out, LINE, "Operation:", "Sync");
        str_printf(out, LINE, "Sync Revision:", text);
    }
    str_printf(out, LINE, "Phase:", str_or_empty(json_str_at(state, "phase")));
    put_time_line("Start:", json_str_at(state, "startedAt"), out);
    put_time_line("Finished:", json_str_at(state, "finishedAt"), out);
    str_printf(out, LINE, "Duration:", took);
    const char *message = json_str_at(state, "message");
    if (!str_empty(message))
        str_printf(out, LINE, "Message:", message);
}

enum { PARAMETER_WIDTH = 80 };

/* Cut to PARAMETER_WIDTH code points, the last three of which tell that it was. */
static void put_cut(const char *text, str_t *out)
{
    size_t points = 0, cut = 0, i = 0;
    for (; text[i]; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80 && points++ == PARAMETER_WIDTH - 3)
            cut = i;
    if (points > PARAMETER_WIDTH)
        str_printf(out, "%.*s...", (int)cut, text);
    else
        str_puts(out, text);
}

void show_parameters(const json_t *source, str_t *rows)
{
    size_t i;
    json_t *p;
    str_puts(rows, "NAME\tVALUE\n");
    json_array_foreach(json_at(source, "helm", "parameters"), i, p) {
        str_printf(rows, "%s\t", str_or_empty(json_str_at(p, "name")));
        put_cut(str_or_empty(json_str_at(p, "value")), rows);
        str_putc(rows, '\n');
    }
}

/* ---- history ---- */

struct deployment {
    const char *repo;
    str_t row;
};
typedef VEC(struct deployment) deployments_t;

static void add_deployment(const json_t *entry, const json_t *source, const char *revision,
                           deployments_t *out)
{
    struct deployment d = {.repo = str_or_empty(json_str_at(source, "repoURL"))};
    str_printf(&d.row, "%lld\t", (long long)json_int_at(entry, "id"));
    put_go_time(json_str_at(entry, "deployedAt"), &d.row);
    str_printf(&d.row, "\t%s", str_or_empty(json_str_at(source, "targetRevision")));
    if (strlen(str_or_empty(revision)) >= 7)
        str_printf(&d.row, " (%.7s)", revision);
    str_putc(&d.row, '\n');
    VEC_PUSH(out, d);
}

static void read_deployments(const json_t *app, deployments_t *out)
{
    size_t i, k;
    json_t *entry, *source;
    json_array_foreach(json_at(app, "status", "history"), i, entry) {
        const json_t *sources = json_object_get(entry, "sources"),
                     *revisions = json_object_get(entry, "revisions");
        bool all = json_array_size(sources) == json_array_size(revisions);
        if (!sources)
            add_deployment(entry, json_object_get(entry, "source"), json_str_at(entry, "revision"), out);
        json_array_foreach((json_t *)(uintptr_t)sources, k, source) {
            add_deployment(entry, source, all ? json_string_value(json_array_get(revisions, k)) : NULL, out);
        }
    }
}

/* One block for each repository, in the order in which they appear. */
void show_history(const json_t *app, str_t *rows)
{
    deployments_t all = {};
    read_deployments(app, &all);
    for (size_t i = 0; i < all.n; i++) {
        const char *repo = all.v[i].repo;
        if (!repo)
            continue; /* shown already */
        str_printf(rows, "%sSOURCE\t%s\nID\tDATE\tREVISION\n", i ? "\n" : "", repo);
        for (size_t k = i; k < all.n; k++) {
            if (!str_eq(all.v[k].repo, repo))
                continue;
            str_add(rows, all.v[k].row.p, all.v[k].row.len);
            all.v[k].repo = NULL;
        }
    }
    VEC_FOREACH(&all, d)
        str_dispose(&d->row);
    VEC_FREE(&all);
}

void show_history_ids(const json_t *app, str_t *out)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_at(app, "status", "history"), i, entry) {
        str_printf(out, "%lld\n", (long long)json_int_at(entry, "id"));
    }
}
