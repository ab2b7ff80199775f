#include "app-controller/members/plan.h"
#include "common/base/hash.h"
#include "common/base/vec.h"

#include <stdio.h>

enum { MAX_MEMBERS = 100, MAX_NAMED = 1500, MAX_TEXT = 200 << 10 };

static const char split_mark[] = "";

static char **copy_names(char *const *names)
{
    size_t n = names ? strv_len(names) : 0;
    char **out = xcalloc(n + 1, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        out[i] = xstrdup(names[i]);
    return out;
}

void plan_dispose(struct plan *p)
{
    strv_free(p->members);
    map_dispose(&p->clusters);
    *p = (struct plan){};
}

void plan_copy(struct plan *to, const struct plan *from)
{
    *to = (struct plan){.generation = from->generation, .clusters = MAP_INIT(free)};
    to->members = copy_names(from->members);
    MAP_FOREACH(&from->clusters, e)
        map_put(&to->clusters, e->key, xstrdup(e->value));
}

/* ---- as text ---- */

char *plan_text(const struct plan *p)
{
    AUTO_JSON o = json_object();
    json_object_set_new_nocheck(o, "generation", json_integer((json_int_t)p->generation));
    json_t *members = json_array();
    for (char **m = p->members; m && *m; m++)
        json_array_append_new(members, json_str_new(*m));
    json_object_set_new_nocheck(o, "members", members);
    json_t *clusters = json_object();
    MAP_FOREACH(&p->clusters, e)
        json_set_str(clusters, e->key, e->value);
    json_object_set_new_nocheck(o, "clusters", clusters);
    return json_text(o, JSON_GO);
}

static int parse_members(const json_t *list, struct plan *out, err_t **err)
{
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > MAX_MEMBERS)
        return err_set(err, ERR_INVALID_ARGUMENT, "plan: bad list of members");
    out->members = xcalloc(n + 1, sizeof(*out->members));
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (str_empty(name) || (i && strcmp(out->members[i - 1], name) >= 0))
            return err_set(err, ERR_INVALID_ARGUMENT, "plan: the members are not sorted names");
        out->members[i] = xstrdup(name);
    }
    return 0;
}

int plan_parse(const char *text, size_t n, struct plan *out, err_t **err)
{
    AUTO_JSON o = NULL;
    int64_t generation;
    *out = (struct plan){.clusters = MAP_INIT(free)};
    if (n > MAX_TEXT)
        return err_set(err, ERR_INVALID_ARGUMENT, "plan: too long");
    if (json_read(text, n, &o, err) < 0)
        return err_wrap(err, "plan");
    json_t *clusters = json_object_get(o, "clusters");
    int r = 0;
    if (!json_to_i64(json_object_get(o, "generation"), &generation) || generation < 1 ||
        !json_is_map(clusters))
        r = err_set(err, ERR_INVALID_ARGUMENT, "plan: no generation or no clusters");
    if (r == 0)
        r = parse_members(json_object_get(o, "members"), out, err);
    if (r < 0) {
        plan_dispose(out);
        return r;
    }
    out->generation = (uint64_t)generation;
    for (void *it = json_object_iter(clusters); it; it = json_object_iter_next(clusters, it))
        map_put(&out->clusters, json_object_iter_key(it),
                xstrdup(str_or_empty(json_string_value(json_object_iter_value(it)))));
    return 0;
}

/* ---- who ---- */

static bool is_member(char *const *members, const char *name)
{
    for (; members && *members; members++)
        if (strcmp(*members, name) == 0)
            return true;
    return false;
}

static uint64_t score(const char *member, const char *key)
{
    unsigned char digest[SHA256_SIZE];
    uint64_t out = 0;
    sha256_ctx_t *h = sha256_begin();
    sha256_field_str(h, member);
    sha256_field_str(h, key);
    sha256_end(h, digest);
    for (size_t i = 0; i < sizeof(out); i++)
        out = out << 8 | digest[i];
    return out;
}

static const char *rendezvous(char *const *members, const char *key)
{
    const char *best = NULL;
    uint64_t most = 0;
    if (members && members[0] && !members[1])
        return members[0];
    for (; members && *members; members++) {
        uint64_t s = score(*members, key);
        if (!best || s > most) {
            best = *members;
            most = s;
        }
    }
    return best;
}

bool plan_splits(const struct plan *p, const char *server)
{
    const char *given = map_get(&p->clusters, server);
    return given && !*given;
}

const char *plan_owner(const struct plan *p, const char *server, const char *app)
{
    if (!*server || plan_splits(p, server))
        return rendezvous(p->members, app);
    return plan_cluster_owner(p, server);
}

const char *plan_cluster_owner(const struct plan *p, const char *server)
{
    const char *given = map_get(&p->clusters, server);
    return given && *given && is_member(p->members, given) ? given : rendezvous(p->members, server);
}

/* ---- the next one ---- */

struct division {
    const struct plan *old;
    char *const *members;
    size_t nmembers, *loads;
    size_t total; /* of what is given whole */
    const struct plan_cluster **left;
    size_t nleft;
    struct plan *out;
};

static size_t weight(const struct plan_cluster *c)
{
    return 1 + c->apps;
}

static int by_weight(const void *a, const void *b)
{
    const struct plan_cluster *x = *(const struct plan_cluster *const *)a,
                              *y = *(const struct plan_cluster *const *)b;
    if (weight(x) != weight(y))
        return weight(x) > weight(y) ? -1 : 1;
    return strcmp(x->server, y->server);
}

/* percent of the average. */
static bool has_room(const struct division *d, size_t member, size_t w, size_t percent)
{
    size_t limit = (d->total * percent + 100 * d->nmembers - 1) / (100 * d->nmembers);
    return !d->loads[member] || d->loads[member] + w <= limit;
}

static void give(struct division *d, const struct plan_cluster *c, size_t member)
{
    d->loads[member] += weight(c);
    if (d->out->clusters.n < MAX_NAMED)
        map_put(&d->out->clusters, c->server, xstrdup(d->members[member]));
}

static size_t index_of(const struct division *d, const char *member)
{
    for (size_t i = 0; i < d->nmembers; i++)
        if (member && strcmp(d->members[i], member) == 0)
            return i;
    return d->nmembers;
}

static size_t pinned_to(const struct division *d, const struct plan_cluster *c)
{
    char suffix[32];
    if (c->shard < 0)
        return d->nmembers;
    snprintf(suffix, sizeof(suffix), "-%lld", (long long)c->shard);
    for (size_t i = 0; i < d->nmembers; i++)
        if (str_has_suffix(d->members[i], suffix))
            return i;
    return d->nmembers;
}

/* Whether it stays (or goes where it must); what does not is left for place(). */
static bool settle(struct division *d, const struct plan_cluster *c)
{
    size_t to = pinned_to(d, c);
    if (to < d->nmembers) {
        give(d, c, to);
        return true;
    }
    if (!d->old->generation || plan_splits(d->old, c->server))
        return false;
    to = index_of(d, plan_cluster_owner(d->old, c->server));
    if (to == d->nmembers || !has_room(d, to, weight(c), 150))
        return false;
    give(d, c, to);
    return true;
}

static void place(struct division *d, const struct plan_cluster *c)
{
    size_t best = 0, least = 0;
    bool found = false;
    uint64_t most = 0;
    for (size_t i = 0; i < d->nmembers; i++) {
        uint64_t s = score(d->members[i], c->server);
        if (d->loads[i] < d->loads[least])
            least = i;
        if (!has_room(d, i, weight(c), 125) || (found && s <= most))
            continue;
        best = i;
        most = s;
        found = true;
    }
    give(d, c, found ? best : least);
}

static bool is_split(const struct division *d, const struct plan_cluster *c, size_t above)
{
    if (!above || d->nmembers < 2)
        return false;
    return c->apps > (plan_splits(d->old, c->server) ? above / 2 : above);
}

static bool same_plan(const struct plan *a, const struct plan *b)
{
    size_t n = a->members ? strv_len(a->members) : 0;
    if (!a->generation || n != strv_len(b->members) || a->clusters.n != b->clusters.n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(a->members[i], b->members[i]) != 0)
            return false;
    MAP_FOREACH(&b->clusters, e)
        if (!str_eq(map_get(&a->clusters, e->key), e->value))
            return false;
    return true;
}

static void divide(struct division *d, const struct plan_cluster *clusters, size_t n, size_t split_above)
{
    for (size_t i = 0; i < n; i++) {
        if (is_split(d, &clusters[i], split_above)) {
            map_put(&d->out->clusters, clusters[i].server, xstrdup(split_mark));
            continue;
        }
        d->total += weight(&clusters[i]);
        d->left[d->nleft++] = &clusters[i];
    }
    qsort(d->left, d->nleft, sizeof(*d->left), by_weight);
    size_t kept = 0;
    for (size_t i = 0; i < d->nleft; i++)
        if (!settle(d, d->left[i]))
            d->left[kept++] = d->left[i];
    for (size_t i = 0; i < kept; i++)
        place(d, d->left[i]);
}

bool plan_next(const struct plan *old, char *const *members, const struct plan_cluster *clusters, size_t n,
               size_t split_above, struct plan *out)
{
    *out = (struct plan){.generation = old->generation + 1, .clusters = MAP_INIT(free)};
    out->members = copy_names(members);
    struct division d = {.old = old, .members = members, .nmembers = strv_len(out->members), .out = out};
    if (d.nmembers > 1) { /* to one alone everything belongs without being named */
        d.loads = xcalloc(d.nmembers, sizeof(*d.loads));
        d.left = xcalloc(n + 1, sizeof(*d.left));
        divide(&d, clusters, n, split_above);
        free(d.left);
        free(d.loads);
    }
    bool news = d.nmembers && !same_plan(old, out);
    if (!news)
        plan_dispose(out);
    return news;
}
