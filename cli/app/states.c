#include "cli/app/states.h"

#include "common/argo/app.h"

/* ---- filters ---- */

static int filter_bad(const char *form, const char *text, err_t **err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "resource %s, but instead got: %s", form, text);
}

int res_filters_add(res_filters_t *filters, const char *text, err_t **err)
{
    struct res_filter f = {.exclude = text[0] == '!'};
    view_t rest = view_of(text + f.exclude), part[3], word;
    size_t n = 0;
    for (; view_split(&rest, ':', &word); n++)
        if (n < 3)
            part[n] = word;
    if (n != 3)
        return filter_bad("should have GROUP:KIND:NAME", text + f.exclude, err);
    view_t name = part[2], ns = {};
    const char *slash = memchr(name.p, '/', name.n);
    if (slash) {
        ns = (view_t){name.p, (size_t)(slash - name.p)};
        name = (view_t){slash + 1, name.n - ns.n - 1};
    }
    if (memchr(name.p, '/', name.n))
        return filter_bad("with namespace should have GROUP:KIND:NAMESPACE/NAME", text + f.exclude, err);
    f.group = xstrndup(part[0].p, part[0].n);
    f.kind = xstrndup(part[1].p, part[1].n);
    f.ns = ns.p ? xstrndup(ns.p, ns.n) : xstrdup("");
    f.name = xstrndup(name.p, name.n);
    VEC_PUSH(filters, f);
    return 0;
}

void res_filters_dispose(res_filters_t *filters)
{
    VEC_FOREACH(filters, f) {
        free(f->group);
        free(f->kind);
        free(f->ns);
        free(f->name);
    }
    VEC_FREE(filters);
}

static bool fits(const char *pattern, const char *text)
{
    return !strcmp(pattern, "*") || str_same(pattern, text);
}

static bool filter_fits(const struct res_filter *f, const char *group, const char *kind, const char *ns,
                        const char *name)
{
    return fits(f->group, group) && fits(f->kind, kind) && fits(f->name, name) &&
           (!*f->ns || fits(f->ns, ns));
}

bool res_filters_match(const res_filters_t *filters, const char *group, const char *kind, const char *ns,
                       const char *name)
{
    bool any_included = false, included = false;
    if (!filters)
        return true;
    VEC_FOREACH(filters, f) {
        bool match = filter_fits(f, group, kind, ns, name);
        if (f->exclude && match)
            return false;
        any_included |= !f->exclude;
        included |= !f->exclude && match;
    }
    return included || !any_included;
}

json_t *res_filters_select(const res_filters_t *filters, const json_t *app)
{
    json_t *out = json_array(), *r;
    size_t i;
    json_array_foreach(json_at(app, "status", "resources"), i, r) {
        const char *group = json_str_at(r, "group"), *kind = json_str_at(r, "kind"),
                   *ns = json_str_at(r, "namespace"), *name = json_str_at(r, "name");
        if (!filters->n || !res_filters_match(filters, group, kind, ns, name))
            continue;
        json_t *one = json_object();
        json_put_str(one, "group", group);
        json_set_str(one, "kind", kind);
        json_set_str(one, "name", name);
        json_put_str(one, "namespace", ns);
        json_array_append_new(out, one);
    }
    return out;
}

/* ---- rows ---- */

static void state_dispose(struct res_state *s)
{
    for (size_t i = 0; i < RES_FIELDS; i++)
        free(s->f[i]);
}

void res_states_dispose(res_states_t *states)
{
    VEC_FOREACH(states, s)
        state_dispose(s);
    VEC_FREE(states);
}

struct res_state res_state_copy(const struct res_state *s)
{
    struct res_state copy;
    for (size_t i = 0; i < RES_FIELDS; i++)
        copy.f[i] = xstrdup(s->f[i]);
    return copy;
}

static struct res_state state_new(const json_t *resource, const char *status, const char *health)
{
    static const char *const keys[] = {"group", "kind", "namespace", "name",
                                       NULL,    NULL,   "hookType",  "message"};
    struct res_state s;
    for (size_t i = 0; i < RES_FIELDS; i++)
        s.f[i] = xstrdup(keys[i]           ? str_or_empty(json_str_at(resource, keys[i]))
                         : i == RES_STATUS ? status
                                           : health);
    return s;
}

static int key_cmp(const struct res_state *a, const struct res_state *b)
{
    /* As texts "group/kind/namespace/name" compare. */
    AUTO(free_p) char *x = xasprintf("%s/%s/%s/%s", a->f[0], a->f[1], a->f[2], a->f[3]);
    AUTO(free_p) char *y = xasprintf("%s/%s/%s/%s", b->f[0], b->f[1], b->f[2], b->f[3]);
    return strcmp(x, y);
}

static int by_key(const void *a, const void *b)
{
    return key_cmp(a, b);
}

struct res_state *res_states_find(const res_states_t *states, const struct res_state *like)
{
    VEC_FOREACH(states, s) {
        bool same = true;
        for (size_t i = 0; i <= RES_NAME && same; i++)
            same = !strcmp(s->f[i], like->f[i]);
        if (same)
            return s;
    }
    return NULL;
}

/* The rows of status.resources; none has a message of its own there. */
static void live_states(const json_t *app, res_states_t *out)
{
    size_t i;
    json_t *r;
    json_array_foreach(json_at(app, "status", "resources"), i, r) {
        struct res_state s = state_new(r, str_or_empty(json_str_at(r, "status")),
                                       str_or_empty(json_str_at(r, "health", "status")));
        free(s.f[RES_HOOK]);
        free(s.f[RES_MESSAGE]);
        s.f[RES_HOOK] = xstrdup("");
        s.f[RES_MESSAGE] = xstrdup("");
        VEC_PUSH(out, s);
    }
}

static void set_field(struct res_state *s, enum res_field field, const char *value)
{
    free(s->f[field]);
    s->f[field] = xstrdup(value);
}

/* The rows of the last operation; what is live of them is taken out of `live`, its state into the row. */
static void result_states(const json_t *app, res_states_t *live, res_states_t *out)
{
    size_t i;
    json_t *r;
    json_array_foreach(json_at(app, "status", "operationState", "syncResult", "resources"), i, r) {
        struct res_state s = state_new(r, str_or_empty(json_str_at(r, "hookPhase")),
                                       str_or_empty(json_str_at(r, "status")));
        struct res_state *now = res_states_find(live, &s);
        if (now && !*s.f[RES_HOOK]) {
            set_field(&s, RES_STATUS, now->f[RES_STATUS]);
            set_field(&s, RES_HEALTH, now->f[RES_HEALTH]);
        }
        if (now) {
            state_dispose(now);
            VEC_REMOVE(live, (size_t)(now - live->v));
        }
        VEC_PUSH(out, s);
    }
}

void res_states_of(const json_t *app, const res_filters_t *filters, res_states_t *out)
{
    res_states_t live = {}, all = {};
    live_states(app, &live);
    result_states(app, &live, &all);
    VEC_SORT(&live, by_key);
    VEC_FOREACH(&live, s)
        VEC_PUSH(&all, *s);
    VEC_FREE(&live);
    VEC_FOREACH(&all, s) {
        if (res_filters_match(filters, s->f[RES_GROUP], s->f[RES_KIND], s->f[RES_NAMESPACE], s->f[RES_NAME]))
            VEC_PUSH(out, *s);
        else
            state_dispose(s);
    }
    VEC_FREE(&all);
}

void res_states_grouped(const json_t *app, const res_filters_t *filters, res_states_t *out)
{
    res_states_t all = {};
    res_states_of(app, filters, &all);
    VEC_FOREACH(&all, s) {
        struct res_state *have = res_states_find(out, s);
        if (have) {
            res_state_merge(have, s);
            state_dispose(s);
        } else {
            VEC_PUSH(out, *s);
        }
    }
    VEC_FREE(&all);
}

bool res_state_merge(struct res_state *s, const struct res_state *newer)
{
    bool changed = false;
    for (size_t i = RES_STATUS; i < RES_FIELDS; i++) {
        if (!*newer->f[i] || !strcmp(s->f[i], newer->f[i]))
            continue;
        set_field(s, (enum res_field)i, newer->f[i]);
        changed = true;
    }
    return changed;
}

/* ---- waiting ---- */

static bool as_wanted(const struct wait_for_what *what, const char *health, const char *sync,
                      const json_t *app)
{
    bool any_health = what->suspended || what->health || what->degraded;
    bool health_ok = !any_health || (what->health && str_eq(health, "Healthy")) ||
                     (what->suspended && str_eq(health, "Suspended")) ||
                     (what->degraded && str_eq(health, "Degraded"));
    return !what->gone && health_ok && (!what->sync || str_eq(sync, "Synced")) &&
           (!what->operation || !json_is_map(json_object_get(app, "operation")));
}

static bool hydrated(const json_t *app)
{
    const json_t *now = json_at(app, "status", "sourceHydrator", "currentOperation");
    const json_t *last = json_at(app, "status", "sourceHydrator", "lastSuccessfulOperation");
    return now && last && str_eq(json_str_at(now, "phase"), "Hydrated") &&
           str_same(json_str_at(now, "drySHA"), json_str_at(last, "drySHA")) &&
           sources_same(json_object_get(now, "sourceHydrator"), json_object_get(last, "sourceHydrator"));
}

static bool operation_under_way(const json_t *app)
{
    const json_t *state = json_at(app, "status", "operationState");
    wall_t finished, reconciled;
    if (json_is_map(json_object_get(app, "operation")))
        return true;
    if (!json_is_map(state))
        return false;
    if (!json_to_time(json_object_get(state, "finishedAt"), &finished))
        return true;
    return !json_bool_at(state, "operation", "sync", "dryRun") &&
           (!json_to_time(json_at(app, "status", "reconciledAt"), &reconciled) ||
            reconciled.ns < finished.ns);
}

bool wait_satisfied(const json_t *app, const struct wait_for_what *what, const res_filters_t *filters,
                    bool *in_progress)
{
    *in_progress = operation_under_way(app);
    if (what->hydrated && !hydrated(app))
        return false;
    if (!filters || !filters->n)
        return as_wanted(what, json_str_at(app, "status", "health", "status"),
                         json_str_at(app, "status", "sync", "status"), app);
    res_states_t states = {};
    res_states_of(app, filters, &states);
    bool ready = true;
    VEC_FOREACH(&states, s)
        ready = ready && as_wanted(what, s->f[RES_HEALTH], s->f[RES_STATUS], app);
    res_states_dispose(&states);
    return ready;
}

size_t pruning_required(const json_t *app)
{
    size_t i, n = 0;
    json_t *r;
    json_array_foreach(json_at(app, "status", "operationState", "syncResult", "resources"), i, r) {
        n += str_eq(json_str_at(r, "status"), "PruneSkipped") &&
             !strstr(str_or_empty(json_str_at(r, "message")), "no prune");
    }
    return n;
}
