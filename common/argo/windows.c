#include "common/argo/windows.h"
#include "common/base/cron.h"
#include "common/base/glob.h"

enum { DESCRIPTION_MAX = 255 };

/* ---- which windows concern an application ---- */

static bool any_matches(const json_t *globs, const char *text)
{
    for (size_t i = 0; i < json_array_size(globs); i++)
        if (glob_match(str_or_empty(json_string_value(json_array_get(globs, i))), str_or_empty(text), NULL))
            return true;
    return false;
}

static bool concerns(const json_t *window, const json_t *app)
{
    const json_t *destination = json_at(app, "spec", "destination");
    const char *name = json_str_at(destination, "name"), *server = json_str_at(destination, "server");
    const json_t *apps = json_object_get(window, "applications"),
                 *clusters = json_object_get(window, "clusters"),
                 *namespaces = json_object_get(window, "namespaces");
    const struct {
        const json_t *globs;
        bool matches;
    } lists[] = {
        {apps, any_matches(apps, json_str_at(app, "metadata", "name"))},
        {clusters, (!str_empty(name) && any_matches(clusters, name)) ||
                       (!str_empty(server) && any_matches(clusters, server))},
        {namespaces, any_matches(namespaces, json_str_at(destination, "namespace"))},
    };
    bool all = true, any = false;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        any = any || lists[i].matches;
        all = all && (lists[i].matches || !json_array_size(lists[i].globs));
    }
    return json_bool_at(window, "andOperator") ? all && any : any;
}

json_t *windows_matching(const json_t *project, const json_t *app)
{
    const json_t *all = json_at(project, "spec", "syncWindows");
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(all); i++)
        if (concerns(json_array_get(all, i), app))
            json_array_append(out, json_array_get(all, i));
    return out;
}

/* ---- one window ---- */

/* Times are counted in seconds of the window's own clock: UTC plus what its zone is ahead now. */
struct window {
    const json_t *doc;
    struct cron schedule;
    int64_t duration; /* nanoseconds */
    int64_t offset;   /* seconds */
    bool allow, deny, manual, overrun;
};

static int read_window(const json_t *doc, wall_t now, struct window *w, err_t **err)
{
    const char *schedule = str_or_empty(json_str_at(doc, "schedule")),
               *kind = str_or_empty(json_str_at(doc, "kind"));
    const char *duration = str_or_empty(json_str_at(doc, "duration"));
    const timezone_t *zone = timezone_find(json_str_at(doc, "timeZone"));
    *w = (struct window){.doc = doc,
                         .offset = zone ? timezone_offset(zone, now.ns / NS_PER_SEC) : 0,
                         .allow = strcmp(kind, "allow") == 0,
                         .deny = strcmp(kind, "deny") == 0,
                         .manual = json_bool_at(doc, "manualSync"),
                         .overrun = json_bool_at(doc, "syncOverrun")};
    if (cron_parse(schedule, &w->schedule, err) < 0)
        return err_wrap(err, "cannot parse schedule '%s'", schedule);
    if (!duration_parse(duration, false, &w->duration))
        return err_set(err, ERR_INVALID_ARGUMENT, "cannot parse duration '%s'", duration);
    return 0;
}

static int64_t floor_seconds(int64_t ns)
{
    return ns / NS_PER_SEC - (ns % NS_PER_SEC < 0);
}

/* The window began less than its duration ago. A schedule that never comes counts as always active: Argo CD
 * takes "no next time" for one long past. */
static bool is_active(const struct window *w, wall_t now)
{
    int64_t next, local = now.ns + SECONDS(w->offset);
    if (!cron_next(&w->schedule, floor_seconds(local - w->duration), &next))
        return true;
    return next < floor_seconds(local) || (next == floor_seconds(local) && local % NS_PER_SEC != 0);
}

/* When an active window ends, or an inactive one begins. */
static int64_t next_change(const struct window *w, wall_t now)
{
    enum { OVERLAPS = 1000 }; /* starts that follow one another before the window is over */
    int64_t local = floor_seconds(now.ns + SECONDS(w->offset)), length = w->duration / NS_PER_SEC, start;
    if (length <= 0 || !cron_next(&w->schedule, local - length, &start))
        return 0;
    if (!is_active(w, now))
        return start - w->offset;
    for (int i = 0; i < OVERLAPS; i++) {
        int64_t following;
        if (!cron_next(&w->schedule, start, &following) || following > start + length)
            break;
        start = following;
    }
    return start + length - w->offset;
}

int window_is_active(const json_t *window, wall_t now, bool *active, err_t **err)
{
    struct window w;
    if (read_window(window, now, &w, err) < 0)
        return err_again(err);
    *active = is_active(&w, now);
    return 0;
}

int windows_active(const json_t *windows, wall_t now, json_t **out, err_t **err)
{
    AUTO_JSON list = json_array();
    for (size_t i = 0; i < json_array_size(windows); i++) {
        bool active = false;
        if (window_is_active(json_array_get(windows, i), now, &active, err) < 0)
            return err_again(err);
        if (active)
            json_array_append(list, json_array_get(windows, i));
    }
    *out = TAKE(list);
    return 0;
}

int window_check(const json_t *window, err_t **err)
{
    struct window w;
    if (!json_is_map(window))
        return err_set(err, ERR_INVALID_ARGUMENT, "a sync window is no object");
    const char *kind = str_or_empty(json_str_at(window, "kind"));
    if (strcmp(kind, "allow") != 0 && strcmp(kind, "deny") != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "kind '%s' mismatch: can only be allow or deny", kind);
    if (read_window(window, (wall_t){0}, &w, err) < 0)
        return err_again(err);
    if (strlen(str_or_empty(json_str_at(window, "description"))) > DESCRIPTION_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "description must not exceed %d characters",
                       DESCRIPTION_MAX);
    return 0;
}

/* ---- all of them ---- */

/* What some of the windows have in common. */
struct group {
    bool some, all_manual, all_overrun;
};

static void add(struct group *g, const struct window *w)
{
    g->all_manual = (!g->some || g->all_manual) && w->manual;
    g->all_overrun = (!g->some || g->all_overrun) && w->overrun;
    g->some = true;
}

/* What stands in the way at the time; {} when nothing does. */
static struct group obstacles(const struct window *list, size_t n, wall_t at)
{
    struct group denies = {}, closed = {};
    bool open = false;
    for (size_t i = 0; i < n; i++) {
        bool active = is_active(&list[i], at);
        if (list[i].deny && active)
            add(&denies, &list[i]);
        if (list[i].allow && active)
            open = true;
        if (list[i].allow && !active)
            add(&closed, &list[i]);
    }
    if (denies.some || !open)
        return denies.some ? denies : closed;
    return (struct group){};
}

static bool may_sync(const struct window *list, size_t n, bool manual, wall_t at)
{
    struct group g = obstacles(list, n, at);
    return !g.some || (manual && g.all_manual);
}

int windows_ask(const json_t *windows, const struct window_question *q, struct window_answer *out,
                err_t **err)
{
    size_t n = json_array_size(windows);
    *out = (struct window_answer){.can_sync = n == 0};
    if (!n)
        return 0;
    AUTO(free_p) struct window *list = xcalloc(n, sizeof(*list));
    for (size_t i = 0; i < n; i++)
        if (read_window(json_array_get(windows, i), q->now, &list[i], err) < 0)
            return err_wrap(err, "invalid sync windows");
    struct group g = obstacles(list, n, q->now);
    out->can_sync = !g.some || (q->manual && g.all_manual) ||
                    (q->started.ns && g.all_overrun && may_sync(list, n, q->manual, q->started));
    for (size_t i = 0; i < n; i++) {
        int64_t change = next_change(&list[i], q->now);
        if (change && (!out->next_change.ns || SECONDS(change) < out->next_change.ns))
            out->next_change.ns = SECONDS(change);
    }
    return 0;
}
