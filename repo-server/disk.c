#include "repo-server/disk.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/thread.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MAX_DEPTH = 8, MAX_OWNERS = 4 };

/* The lock guards `stop`; rounds take the other one. */
struct disk {
    struct disk_options options;
    const char *root;
    struct disk_owner owners[MAX_OWNERS];
    size_t nowners;
    lock_t lock, round;
    cond_t wake;
    bool stop;
    pthread_t thread;
    metric_t *bytes, *evicted;
};

/* ---- what there is ---- */

void disk_items_dispose(disk_items_t *items)
{
    VEC_FOREACH(items, i)
        free(i->path);
    VEC_FREE(items);
}

void disk_add_files(const char *dir, unsigned depth, disk_items_t *out)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        AUTO(free_p) char *path = xasprintf("%s/%s", dir, e->d_name);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || lstat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth > 0)
            disk_add_files(path, depth - 1, out);
        else if (S_ISREG(st.st_mode))
            VEC_PUSH(out,
                     (struct disk_item){TAKE(path), (uint64_t)st.st_blocks * 512, st.st_mtim.tv_sec, NULL});
    }
    if (d)
        closedir(d);
}

uint64_t disk_bytes_of(const char *dir)
{
    disk_items_t files = {};
    uint64_t sum = 0;
    disk_add_files(dir, MAX_DEPTH, &files);
    VEC_FOREACH(&files, f)
        sum += f->bytes;
    disk_items_dispose(&files);
    return sum;
}

/* ---- what goes ---- */

static int cmp_used(const void *a, const void *b)
{
    const struct disk_item *x = a, *y = b;
    return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

size_t disk_evict(disk_items_t *items, const struct disk_options *options, int64_t now_s, uint64_t *left)
{
    int64_t max_idle_s = options->max_idle_ns / NS_PER_SEC, grace_s = options->grace_ns / NS_PER_SEC;
    size_t gone = 0;
    *left = 0;
    VEC_SORT(items, cmp_used);
    VEC_FOREACH(items, i)
        *left += i->bytes;
    VEC_FOREACH(items, i) {
        int64_t idle = now_s - i->used_s;
        bool old = max_idle_s > 0 && idle > max_idle_s;
        if (!old && (*left <= options->max_bytes || idle < grace_s))
            break;
        if (!i->owner->evict(i->owner->arg, i))
            continue; /* the next one goes in its place */
        log_debug(LOGF({"path", i->path}), "not used for long: removed");
        *left -= i->bytes;
        gone++;
    }
    return gone;
}

/* ---- rounds ---- */

static uint64_t limit_of(const disk_t *d)
{
    struct statvfs fs;
    if (d->options.max_bytes)
        return d->options.max_bytes;
    return statvfs(d->root, &fs) < 0 ? UINT64_MAX : (uint64_t)fs.f_frsize * fs.f_blocks / 2;
}

/* One list, since there is one limit. */
static void list_all(const disk_t *d, disk_items_t *out)
{
    for (size_t i = 0; i < d->nowners; i++) {
        size_t before = out->n;
        d->owners[i].list(d->owners[i].arg, out);
        for (size_t k = before; k < out->n; k++)
            out->v[k].owner = &d->owners[i];
    }
}

void disk_tidy(disk_t *d)
{
    LOCKED(&d->round);
    struct disk_options options = d->options;
    disk_items_t all = {};
    uint64_t left;
    options.max_bytes = limit_of(d);
    list_all(d, &all);
    metric_add(d->evicted, (double)disk_evict(&all, &options, wall_now().ns / NS_PER_SEC, &left), NULL);
    metric_set(d->bytes, (double)left, NULL);
    disk_items_dispose(&all);
}

static void *run(void *arg)
{
    disk_t *d = arg;
    for (;;) {
        {
            LOCKED(&d->lock);
            mono_t next = mono_after(mono_now(), d->options.period_ns);
            while (!d->stop && cond_wait_until(&d->wake, &d->lock, next))
                ;
            if (d->stop)
                return NULL;
        }
        disk_tidy(d);
    }
}

disk_t *disk_new(const struct disk_options *options, const char *root, const struct disk_owner *owners,
                 size_t nowners, metrics_t *metrics)
{
    disk_t *d = xcalloc(1, sizeof(*d));
    d->options = *options;
    d->options.grace_ns = options->grace_ns ? options->grace_ns : SECONDS(300);
    d->options.period_ns = options->period_ns ? options->period_ns : SECONDS(60);
    d->root = root;
    d->nowners = min_size(nowners, MAX_OWNERS);
    memcpy(d->owners, owners, d->nowners * sizeof(*owners));
    d->bytes = metric_gauge(metrics, "cargocd_repo_disk_bytes",
                            "Bytes of clones, charts and artifacts kept on disk.", NULL);
    d->evicted = metric_counter(metrics, "cargocd_repo_evictions_total",
                                "Clones and files removed because nobody used them or space was needed.",
                                NULL);
    pthread_mutex_init(&d->lock, NULL);
    pthread_mutex_init(&d->round, NULL);
    cond_init(&d->wake);
    d->thread = thread_start("disk", run, d);
    return d;
}

void disk_free(disk_t *d)
{
    if (!d)
        return;
    {
        LOCKED(&d->lock);
        d->stop = true;
        pthread_cond_broadcast(&d->wake);
    }
    pthread_join(d->thread, NULL);
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->round);
    pthread_cond_destroy(&d->wake);
    free(d);
}
