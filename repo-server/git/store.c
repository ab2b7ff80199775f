/* A clone's record lives as long as the store. Its generation goes up whenever files under open handles went
 * away (packs joined, clone replaced): idle handles of an older generation are closed, not reused. Packs that
 * a join has made superfluous are unlinked when no lease is out.
 *
 * All that writes into a clone's directory happens in its flight, of which there is one at a time. */
#include "repo-server/git/store.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/map.h"
#include "common/base/vec.h"
#include "repo-server/git/lfs_config.h"
#include "repo-server/git/store_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_JOIN = 20, DEFAULT_IDLE = 16, MAX_RUNS = 8 };

#define TOUCH_NS SECONDS(30)

struct clone {
    char *dir;
    unsigned generation, leases;
    bool fetching; /* its flight is under way */
    bool corrupt;
    mono_t touched;     /* when its use was last written to its directory's time */
    char **superfluous; /* packs; NULL: none */
};

struct git_lease {
    git_store_t *store;
    struct clone *clone;
    unsigned generation;
    git_repository *repo;
    git_odb *odb;
};

/* The lock guards the map, its records, and the idle handles. */
struct git_store {
    lock_t lock;
    map_t clones;            /* by storage key; struct clone */
    VEC(git_lease_t *) idle; /* the least recently used first */
    struct git_store_options options;
    char *root;
    flights_t *flights;
};

static void lease_free(git_lease_t *l)
{
    git_odb_free(l->odb);
    git_repository_free(l->repo);
    free(l);
}

static void clone_free(void *p)
{
    struct clone *c = p;
    strv_free(c->superfluous);
    free(c->dir);
    free(c);
}

static struct clone *find_clone(git_store_t *s, const char *key)
{
    struct clone *c = map_get(&s->clones, key);
    if (!c) {
        char hex[SHA256_HEX];
        sha256_hex(key, strlen(key), hex);
        c = xcalloc(1, sizeof(*c));
        c->dir = xasprintf("%s/git/%.32s", s->root, hex);
        map_put(&s->clones, key, c);
    }
    return c;
}

/* ---- leases ---- */

/* Its directory's time is that of its last use, also for who starts after us. */
static bool touch_is_due(struct clone *c)
{
    mono_t now = mono_now();
    if (c->touched.ns && now.ns - c->touched.ns < TOUCH_NS)
        return false;
    c->touched = now;
    return true;
}

static int open_handle(git_store_t *s, struct clone *c, git_lease_t *l, err_t **err)
{
    struct stat st;
    if (stat(c->dir, &st) < 0)
        return err_set(err, ERR_NOT_FOUND, "the repository was not fetched yet");
    if (git_repository_open_bare(&l->repo, c->dir) == 0 && git_repository_odb(&l->odb, l->repo) == 0)
        return 0;
    const git_error *e = git_error_last();
    return err_set(err, ERR_DATA_LOSS, "open the clone: %s", e && e->message ? e->message : "unknown error");
}

/* The idle handle of the clone that was used last, without those of former generations. */
static git_lease_t *take_idle(git_store_t *s, struct clone *c)
{
    for (size_t i = s->idle.n; i > 0; i--) {
        git_lease_t *l = s->idle.v[i - 1];
        if (l->clone != c)
            continue;
        VEC_REMOVE(&s->idle, i - 1);
        if (l->generation == c->generation)
            return l;
        lease_free(l);
    }
    return NULL;
}

int git_lease_open(git_store_t *s, const char *storage_key, git_lease_t **out, err_t **err)
{
    struct clone *c;
    git_lease_t *l;
    bool touch;
    {
        LOCKED(&s->lock);
        c = find_clone(s, storage_key);
        touch = touch_is_due(c);
        l = take_idle(s, c);
        if (!l) {
            l = xcalloc(1, sizeof(*l));
            l->store = s;
            l->clone = c;
            l->generation = c->generation;
        }
        c->leases++;
    }
    if (touch)
        utimensat(AT_FDCWD, c->dir, NULL, 0);
    int r = l->repo ? 0 : open_handle(s, c, l, err);
    if (r == 0) {
        *out = l;
        return 0;
    }
    {
        LOCKED(&s->lock);
        c->leases--;
        c->corrupt = c->corrupt || r == -ERR_DATA_LOSS;
    }
    lease_free(l);
    return r;
}

git_repository *git_lease_repo(git_lease_t *l)
{
    return l->repo;
}

git_odb *git_lease_odb(git_lease_t *l)
{
    return l->odb;
}

/* With the lock: open handles must not be used again, since files went away under them. */
static void next_generation(git_store_t *s, struct clone *c)
{
    c->generation++;
    for (size_t i = s->idle.n; i > 0; i--) {
        if (s->idle.v[i - 1]->clone == c) {
            lease_free(s->idle.v[i - 1]);
            VEC_REMOVE(&s->idle, i - 1);
        }
    }
}

/* With the lock; no lease is out. */
static void drop_superfluous(git_store_t *s, struct clone *c)
{
    if (!c->superfluous)
        return;
    for (size_t i = 0; c->superfluous[i]; i++)
        store_remove_pack(c->superfluous[i]);
    strv_free(TAKE(c->superfluous));
    next_generation(s, c);
}

void git_lease_close(git_lease_t *l)
{
    if (!l)
        return;
    git_store_t *s = l->store;
    git_lease_t *drop[2] = {};
    {
        LOCKED(&s->lock);
        struct clone *c = l->clone;
        if (--c->leases == 0)
            drop_superfluous(s, c);
        if (l->generation != c->generation || c->corrupt) {
            drop[0] = l;
        } else {
            VEC_PUSH(&s->idle, l);
            if (s->idle.n > s->options.idle_handles) {
                drop[1] = s->idle.v[0];
                VEC_REMOVE(&s->idle, 0);
            }
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(drop); i++)
        if (drop[i])
            lease_free(drop[i]);
}

bool git_lease_corrupt(git_lease_t *l)
{
    LOCKED(&l->store->lock);
    if (l->generation != l->clone->generation)
        return false;
    l->clone->corrupt = true;
    return true;
}

/* ---- fetching ---- */

struct job {
    origin_t *origin;
    char *want;
};

static void job_free(void *p)
{
    struct job *j = p;
    origin_unref(j->origin);
    free(j->want);
    free(j);
}

static int measured_fetch(git_store_t *s, const struct job *j, const char *dir, err_t **err)
{
    mono_t start = mono_now();
    int r = origin_fetch(j->origin, s->options.settings, dir, j->want, err);
    metric_inc(s->options.requests, LABELS(j->origin->shown, "fetch"));
    metric_observe_since(s->options.durations, start, LABELS(j->origin->shown, "fetch"));
    if (r < 0)
        metric_inc(s->options.failures, LABELS(j->origin->shown, str_or_empty(j->want)));
    return r;
}

/* A new clone beside the old one, which it replaces when it is whole: a server that sends rubbish costs
 * nobody a clone that is good. */
static int replace_clone(git_store_t *s, struct clone *c, const struct job *j, err_t **err)
{
    AUTO(free_p) char *fresh = xasprintf("%s" STORE_NEW, c->dir);
    AUTO(free_p) char *old = xasprintf("%s" STORE_OLD, c->dir);
    int r = dir_remove(fresh, err);
    if (r == 0)
        r = measured_fetch(s, j, fresh, err);
    if (r < 0) {
        dir_remove(fresh, NULL);
        return r;
    }
    dir_remove(old, NULL);
    {
        LOCKED(&s->lock);
        rename(c->dir, old);
        if (rename(fresh, c->dir) < 0)
            return err_set(err, ERR_INTERNAL, "put the new clone in its place");
        c->corrupt = false;
        strv_free(TAKE(c->superfluous));
        next_generation(s, c);
    }
    dir_remove(old, NULL);
    return 0;
}

static void join_packs(git_store_t *s, struct clone *c)
{
    unsigned limit = s->options.join_packs ? s->options.join_packs : DEFAULT_JOIN;
    if (store_count_packs(c->dir) <= limit)
        return;
    char **old = NULL;
    if (git_pack_join(c->dir, s->options.settings, &old, NULL) < 0)
        return; /* more packs than are good is slower, not wrong; the next fetch tries again */
    LOCKED(&s->lock);
    strv_free(c->superfluous);
    c->superfluous = old;
    if (c->leases == 0)
        drop_superfluous(s, c);
}

static int run_fetch(void *ctx, const char *key, void *job, atomic_bool *canceled, void **result, err_t **err)
{
    git_store_t *s = ctx;
    const struct job *j = job;
    struct clone *c;
    bool corrupt;
    {
        LOCKED(&s->lock);
        c = find_clone(s, key);
        corrupt = c->corrupt;
        c->fetching = true;
    }
    /* The first fetch too goes beside: what stands under the clone's name is always whole. */
    bool anew = corrupt || access(c->dir, F_OK) != 0;
    store_clean(c->dir);
    AUTO_ERR why = NULL;
    int r = anew ? replace_clone(s, c, j, &why) : measured_fetch(s, j, c->dir, &why);
    if (r == -ERR_DATA_LOSS && !anew) {
        err_clear(&why);
        r = replace_clone(s, c, j, &why);
    }
    if (r == 0)
        join_packs(s, c);
    {
        LOCKED(&s->lock);
        c->fetching = false;
    }
    return r < 0 ? err_move(err, TAKE(why)) : 0;
}

/* ---- space ---- */

void git_store_disk(void *store, disk_items_t *out)
{
    git_store_t *s = store;
    AUTO(free_p) char *clones = xasprintf("%s/git", s->root);
    store_list(clones, out);
}

static struct clone *clone_at(git_store_t *s, const char *dir)
{
    MAP_FOREACH(&s->clones, e)
        if (strcmp(((const struct clone *)e->value)->dir, dir) == 0)
            return e->value;
    return NULL;
}

/* Out of the way in one step, while nobody reads or fetches; what takes time comes after. */
static bool set_aside(git_store_t *s, const char *dir, const char *gone)
{
    LOCKED(&s->lock);
    struct clone *c = clone_at(s, dir);
    if (c && (c->leases || c->fetching))
        return false;
    if (c) {
        next_generation(s, c);
        strv_free(TAKE(c->superfluous));
        c->corrupt = false;
    }
    return rename(dir, gone) == 0;
}

bool git_store_evict(void *store, const struct disk_item *item)
{
    struct stat st;
    if (lstat(item->path, &st) < 0)
        return false;
    if (!S_ISDIR(st.st_mode))
        return unlink(item->path) == 0;
    AUTO(free_p) char *gone = xasprintf("%s" STORE_GONE, item->path);
    dir_remove(gone, NULL);
    return set_aside(store, item->path, gone) && dir_remove(gone, NULL) == 0;
}

int git_store_new(const struct git_store_options *options, git_store_t **out, err_t **err)
{
    static const struct flight_ops ops = {run_fetch, job_free, NULL};
    AUTO(free_p) char *clones = xasprintf("%s/git", options->root);
    int r = dir_make(clones, 0700, err);
    if (r < 0)
        return r;
    store_sweep(clones);
    git_libgit2_init();
    store_setup_libgit2();
    git_store_t *s = xcalloc(1, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    s->clones.value_free = clone_free;
    s->options = *options;
    s->options.idle_handles = options->idle_handles ? options->idle_handles : DEFAULT_IDLE;
    s->root = xstrdup(options->root);
    s->flights = flights_new(options->pool, &ops, s);
    *out = s;
    return 0;
}

void git_store_free(git_store_t *s)
{
    if (!s)
        return;
    flights_free(s->flights);
    VEC_FOREACH(&s->idle, l)
        lease_free(*l);
    VEC_FREE(&s->idle);
    map_dispose(&s->clones);
    pthread_mutex_destroy(&s->lock);
    free(s->root);
    free(s);
    git_libgit2_shutdown();
}

/* ---- wanting ---- */

struct want {
    git_store_t *store;
    origin_t *origin;
    char *commit, *ref;
    git_store_fn fn;
    void *arg;
    bool ours; /* the run that is waited for asks for this very commit */
    unsigned runs;
};

static void want_done(struct want *w, const char *commit, err_t *err)
{
    w->fn(w->arg, commit, err);
    origin_unref(w->origin);
    free(w->commit);
    free(w->ref);
    free(w);
}

/* Whether the clone has the commit: full[] gets its whole id. */
static int look(git_store_t *s, const char *key, const char *commit, char full[GIT_OID_HEX], err_t **err)
{
    {
        LOCKED(&s->lock);
        if (find_clone(s, key)->corrupt)
            return err_set(err, ERR_NOT_FOUND, "the clone is being replaced");
    }
    AUTO(git_lease_close_p) git_lease_t *l = NULL;
    int r = git_lease_open(s, key, &l, err);
    return r < 0 ? r : store_find_commit(l->repo, commit, full, err);
}

static void fetched(void *arg, void *result, err_t *err);

static void fly(struct want *w, bool fresh)
{
    struct job *j = xmalloc(sizeof(*j));
    /* A full id that no branch leads to, or a reference beside branches and tags, must be asked for by its
     * name. With a depth, nothing but what is asked for comes. */
    bool full = git_is_commit(w->commit);
    const char *ask = w->origin->depth ? w->commit : w->ref ? w->ref : full ? w->commit : NULL;
    *j = (struct job){origin_ref(w->origin), ask ? xstrdup(ask) : NULL};
    w->runs++;
    flight_join(w->store->flights, w->origin->storage_key, fresh, j, fetched, w, &w->ours);
}

static void fetched(void *arg, void *result, err_t *err)
{
    struct want *w = arg;
    char full[GIT_OID_HEX];
    AUTO_ERR why = NULL;
    int r = look(w->store, w->origin->storage_key, w->commit, full, &why);
    if (r == 0) {
        want_done(w, full, NULL); /* even when the fetch as such failed, by another's want */
    } else if (!w->ours && (w->runs < MAX_RUNS || w->origin->depth) && (!err || err->code == ERR_NOT_FOUND)) {
        /* That run was for another's commit, or begun before ours was pushed. With a depth each run serves
         * one of those who wait at least, so that they come to an end. */
        fly(w, true);
    } else if (err) {
        want_done(w, NULL, err);
    } else {
        err_wrap(&why, "%s", w->origin->shown);
        want_done(w, NULL, why);
    }
}

void git_store_want(git_store_t *s, origin_t *o, const char *commit, const char *ref, git_store_fn fn,
                    void *arg)
{
    char full[GIT_OID_HEX];
    AUTO_ERR err = NULL;
    int r = look(s, o->storage_key, commit, full, &err);
    if (r == 0 || r == -ERR_INVALID_ARGUMENT) {
        fn(arg, r == 0 ? full : NULL, err);
        return;
    }
    struct want *w = xmalloc(sizeof(*w));
    *w = (struct want){s, origin_ref(o), xstrdup(commit), ref ? xstrdup(ref) : NULL, fn, arg, false, 0};
    fly(w, false);
}

/* ---- LFS ---- */

/* False when it is not there, or is not what it should be. */
static bool read_kept(const char *path, const struct lfs_pointer *pointer, str_t *out)
{
    char hex[SHA256_HEX];
    size_t before = out->len;
    if (file_read(path, out, NULL) == 0 && out->len - before == pointer->size) {
        sha256_hex(str_text(out) + before, out->len - before, hex);
        if (strcmp(hex, pointer->oid) == 0) {
            utimensat(AT_FDCWD, path, NULL, 0); /* its last use */
            return true;
        }
    }
    str_truncate(out, before);
    return false;
}

static int where_is_lfs(git_store_t *s, const origin_t *o, const char *commit, char **url, err_t **err)
{
    AUTO(git_lease_close_p) git_lease_t *l = NULL;
    int r = git_lease_open(s, o->storage_key, &l, err);
    if (r == 0)
        r = lfs_config_of(l, commit, url, err);
    if (r == -ERR_DATA_LOSS && l)
        git_lease_corrupt(l);
    return r;
}

int git_store_lfs(git_store_t *s, const origin_t *o, const char *commit, const struct lfs_pointer *pointer,
                  str_t *out, err_t **err)
{
    AUTO(free_p) char *dir = NULL;
    AUTO(free_p) char *url = NULL;
    {
        LOCKED(&s->lock);
        dir = xasprintf("%s" STORE_LFS "/%.2s", find_clone(s, o->storage_key)->dir, pointer->oid);
    }
    AUTO(free_p) char *path = xasprintf("%s/%s", dir, pointer->oid);
    if (read_kept(path, pointer, out))
        return 0;
    mono_t start = mono_now();
    int r = where_is_lfs(s, o, commit, &url, err);
    if (r == 0)
        r = origin_lfs(o, s->options.settings, dir, url, pointer, err);
    metric_inc(s->options.requests, LABELS(o->shown, "fetch"));
    metric_observe_since(s->options.durations, start, LABELS(o->shown, "fetch"));
    if (r < 0) {
        metric_inc(s->options.failures, LABELS(o->shown, pointer->oid));
        return r;
    }
    return read_kept(path, pointer, out)
               ? 0
               : err_set(err, ERR_UNAVAILABLE, "the LFS object %s cannot be read", pointer->oid);
}
