#include "common/base/metrics.h"
#include "common/base/map.h"
#include "common/base/slab.h"
#include "common/base/thread.h"
#include "common/base/vec.h"

#include <dirent.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

enum { MAX_LABELS = 16, SEPARATOR = '\x1f' };
#define SEPARATOR_TEXT "\x1f"

/* Some live as long as an application, thousands of them: their values are in the map's key only. */
struct series {
    double v; /* of a histogram: the sum */
    uint64_t count;
    size_t nbuckets;
    uint64_t buckets[]; /* not cumulative */
};

struct metric {
    metrics_t *owner;
    enum kind kind;
    char *name, *help;
    char **labels;
    size_t nlabels;
    double *bounds;
    size_t nbounds;
    map_t series; /* by the values, each followed by SEPARATOR; struct series */
};

struct writer {
    void (*fn)(void *, str_t *);
    void *arg;
};

/* One lock for all: updates are a hash look-up long. */
struct metrics {
    lock_t lock;
    map_t families; /* struct metric */
    VEC(struct writer) writers;
};

static void series_free(void *p)
{
    struct series *s = p;
    slab_free(s, sizeof(*s) + s->nbuckets * sizeof(s->buckets[0]));
}

static void metric_free(void *p)
{
    metric_t *f = p;
    map_dispose(&f->series);
    strv_free(f->labels);
    free(f->name);
    free(f->help);
    free(f->bounds);
    free(f);
}

metrics_t *metrics_new(void)
{
    metrics_t *m = xcalloc(1, sizeof(*m));
    pthread_mutex_init(&m->lock, NULL);
    m->families.value_free = metric_free;
    return m;
}

void metrics_free(metrics_t *m)
{
    if (!m)
        return;
    map_dispose(&m->families);
    VEC_FREE(&m->writers);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static char **copy_list(const char *const *list, size_t n)
{
    char **copy = xcalloc(n + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = xstrdup(list[i]);
    return copy;
}

static size_t list_len(const char *const *list)
{
    size_t n = 0;
    while (list && list[n] && n < MAX_LABELS)
        n++;
    return n;
}

static struct series *series_new(const metric_t *f)
{
    size_t n = f->kind == HISTOGRAM ? f->nbounds + 1 : 0;
    struct series *s = slab_zalloc(sizeof(*s) + n * sizeof(s->buckets[0]));
    s->nbuckets = n;
    return s;
}

static metric_t *family(metrics_t *m, enum kind kind, const char *name, const char *help,
                        const char *const *labels, const double *bounds, size_t nbounds)
{
    if (!m)
        return NULL;
    LOCKED(&m->lock);
    metric_t *f = map_get(&m->families, name);
    if (f)
        return f;
    f = xcalloc(1, sizeof(*f));
    f->owner = m;
    f->kind = kind;
    f->name = xstrdup(name);
    f->help = xstrdup(help);
    f->nlabels = list_len(labels);
    f->labels = copy_list(labels, f->nlabels);
    f->bounds = nbounds ? xmemdup(bounds, nbounds * sizeof(*bounds)) : NULL;
    f->nbounds = nbounds;
    f->series.value_free = series_free;
    if (!f->nlabels) /* without labels the one series exists from the start */
        map_put(&f->series, "", series_new(f));
    map_put(&m->families, name, f);
    return f;
}

metric_t *metric_counter(metrics_t *m, const char *name, const char *help, const char *const *labels)
{
    return family(m, COUNTER, name, help, labels, NULL, 0);
}

metric_t *metric_gauge(metrics_t *m, const char *name, const char *help, const char *const *labels)
{
    return family(m, GAUGE, name, help, labels, NULL, 0);
}

metric_t *metric_histogram(metrics_t *m, const char *name, const char *help, const double *bounds,
                           size_t nbounds, const char *const *labels)
{
    return family(m, HISTOGRAM, name, help, labels, bounds, nbounds);
}

/* The values, as many as there are labels, each followed by a separator that none contains. */
static void series_key(const metric_t *f, const char *const *values, str_t *key)
{
    size_t n = list_len(values);
    for (size_t i = 0; i < f->nlabels; i++) {
        for (const char *p = i < n ? values[i] : ""; *p; p++)
            str_putc(key, *p == SEPARATOR ? ' ' : *p);
        str_putc(key, SEPARATOR);
    }
}

/* The values of a key; they live as long as *copy, the caller's. */
static void series_values(const metric_t *f, const char *key, char **copy, const char *values[MAX_LABELS + 1])
{
    char *p = *copy = xstrdup(key);
    for (size_t i = 0; i < f->nlabels; i++) {
        values[i] = p;
        p += strcspn(p, SEPARATOR_TEXT);
        *p++ = 0;
    }
    values[f->nlabels] = NULL;
}

static struct series *touch(metric_t *f, const char *const *values)
{
    AUTO_STR key = STR_INIT;
    series_key(f, values, &key);
    struct series *s = map_get(&f->series, str_text(&key));
    if (!s && f->series.n >= METRIC_MAX_SERIES) {
        str_reset(&key);
        for (size_t i = 0; i < f->nlabels; i++)
            str_puts(&key, "other" SEPARATOR_TEXT);
        s = map_get(&f->series, str_text(&key));
    }
    if (!s) {
        s = series_new(f);
        map_put(&f->series, str_text(&key), s);
    }
    return s;
}

void metric_add(metric_t *f, double v, const char *const *values)
{
    if (!f)
        return;
    LOCKED(&f->owner->lock);
    touch(f, values)->v += v;
}

void metric_set(metric_t *f, double v, const char *const *values)
{
    if (!f)
        return;
    LOCKED(&f->owner->lock);
    touch(f, values)->v = v;
}

void metric_observe(metric_t *f, double v, const char *const *values)
{
    if (!f)
        return;
    LOCKED(&f->owner->lock);
    struct series *s = touch(f, values);
    size_t i = 0;
    while (i < f->nbounds && v > f->bounds[i])
        i++;
    s->buckets[i]++;
    s->count++;
    s->v += v;
}

void metric_observe_since(metric_t *f, mono_t start, const char *const *values)
{
    metric_observe(f, (double)(mono_now().ns - start.ns) / (double)NS_PER_SEC, values);
}

void metric_forget(metric_t *f, const char *const *values)
{
    if (!f)
        return;
    LOCKED(&f->owner->lock);
    AUTO_STR key = STR_INIT;
    series_key(f, values, &key);
    map_del(&f->series, str_text(&key));
}

void metric_retain(metric_t *f, bool (*keep)(void *arg, const char *const *values), void *arg)
{
    if (!f)
        return;
    LOCKED(&f->owner->lock);
    AUTO(free_p) const char **keys = map_sorted_keys(&f->series);
    for (size_t i = 0; keys[i]; i++) {
        const char *values[MAX_LABELS + 1];
        AUTO(free_p) char *copy = NULL;
        series_values(f, keys[i], &copy, values);
        if (!keep(arg, values))
            map_del(&f->series, keys[i]);
    }
}

double metric_value(metric_t *f, const char *const *values)
{
    if (!f)
        return 0;
    LOCKED(&f->owner->lock);
    AUTO_STR key = STR_INIT;
    series_key(f, values, &key);
    struct series *s = map_get(&f->series, str_text(&key));
    return !s ? 0 : f->kind == HISTOGRAM ? (double)s->count : s->v;
}

void metrics_on_write(metrics_t *m, void (*fn)(void *, str_t *), void *arg)
{
    LOCKED(&m->lock);
    VEC_PUSH(&m->writers, (struct writer){fn, arg});
}

/* ---- exposition ---- */

static void write_number(double v, str_t *out)
{
    if (isnan(v))
        str_puts(out, "NaN");
    else if (isinf(v))
        str_puts(out, v > 0 ? "+Inf" : "-Inf");
    else if (v == floor(v) && fabs(v) < 1e15)
        str_printf(out, "%.0f", v);
    else
        str_printf(out, "%.17g", v);
}

static void write_escaped(const char *s, bool quotes, str_t *out)
{
    for (; *s; s++) {
        if (*s == '\\')
            str_puts(out, "\\\\");
        else if (*s == '\n')
            str_puts(out, "\\n");
        else if (*s == '"' && quotes)
            str_puts(out, "\\\"");
        else
            str_putc(out, *s);
    }
}

void metrics_write_head(str_t *out, const char *name, const char *type, const char *help)
{
    str_printf(out, "# HELP %s ", name);
    write_escaped(help, false, out);
    str_printf(out, "\n# TYPE %s %s\n", name, type);
}

static void write_labels(const char *const *labels, const char *const *values, const char *le, str_t *out)
{
    bool any = false;
    for (size_t i = 0; labels && labels[i]; i++) {
        str_printf(out, "%c%s=\"", any ? ',' : '{', labels[i]);
        write_escaped(str_or_empty(values[i]), true, out);
        str_putc(out, '"');
        any = true;
    }
    if (le) {
        str_printf(out, "%cle=\"%s\"", any ? ',' : '{', le);
        any = true;
    }
    if (any)
        str_putc(out, '}');
}

void metrics_write_sample(str_t *out, const char *name, const char *const *labels, const char *const *values,
                          double v)
{
    str_puts(out, name);
    write_labels(labels, values, NULL, out);
    str_putc(out, ' ');
    write_number(v, out);
    str_putc(out, '\n');
}

void metrics_write_histogram(str_t *out, const char *name, const char *const *labels,
                             const char *const *values, const double *bounds, const uint64_t *counts,
                             size_t n, double sum)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= n; i++) {
        char le[40] = "+Inf";
        if (i < n)
            snprintf(le, sizeof(le), "%.12g", bounds[i]);
        total += counts[i];
        str_printf(out, "%s_bucket", name);
        write_labels(labels, values, le, out);
        str_printf(out, " %llu\n", (unsigned long long)total);
    }
    AUTO(free_p) char *sum_name = xasprintf("%s_sum", name);
    AUTO(free_p) char *count_name = xasprintf("%s_count", name);
    metrics_write_sample(out, sum_name, labels, values, sum);
    metrics_write_sample(out, count_name, labels, values, (double)total);
}

static void write_family(const metric_t *f, str_t *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    if (!f->series.n)
        return;
    metrics_write_head(out, f->name, types[f->kind], f->help);
    MAP_FOREACH(&f->series, e) {
        const struct series *s = e->value;
        const char *const *labels = (const char *const *)f->labels, *values[MAX_LABELS + 1];
        AUTO(free_p) char *copy = NULL;
        series_values(f, e->key, &copy, values);
        if (f->kind == HISTOGRAM)
            metrics_write_histogram(out, f->name, labels, values, f->bounds, s->buckets, f->nbounds, s->v);
        else
            metrics_write_sample(out, f->name, labels, values, s->v);
    }
}

void metrics_write(metrics_t *m, str_t *out)
{
    VEC(struct writer) writers = {};
    {
        LOCKED(&m->lock);
        AUTO(free_p) const char **names = map_sorted_keys(&m->families);
        for (size_t i = 0; names[i]; i++)
            write_family(map_get(&m->families, names[i]), out);
        VEC_FOREACH(&m->writers, w)
            VEC_PUSH(&writers, *w);
    }
    /* Writers have locks of their own, under which they may count: not under ours. */
    VEC_FOREACH(&writers, w)
        w->fn(w->arg, out);
    VEC_FREE(&writers);
}

/* ---- the process itself ---- */

static double fds_open(void)
{
    DIR *d = opendir("/proc/self/fd");
    double n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the directory itself */
}

static double limit_of(int resource)
{
    struct rlimit l;
    return getrlimit(resource, &l) == 0 ? (double)l.rlim_cur : 0;
}

/* Bytes that went over the network, of the process's network namespace: the columns of the line "IpExt:" in
 * /proc/self/net/netstat, whose names are in the line before. */
static void octets(double *in, double *out)
{
    char names[4096], values[4096];
    FILE *f = fopen("/proc/self/net/netstat", "re");
    *in = *out = 0;
    while (f && fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
        char *n = names, *v = values, *name, *value;
        if (strncmp(names, "IpExt:", 6) != 0)
            continue;
        while ((name = strsep(&n, " \n")) && (value = strsep(&v, " \n"))) {
            if (strcmp(name, "InOctets") == 0)
                *in = strtod(value, NULL);
            else if (strcmp(name, "OutOctets") == 0)
                *out = strtod(value, NULL);
        }
    }
    if (f)
        fclose(f);
}

static void write_process(void *arg, str_t *out)
{
    double ticks = (double)sysconf(_SC_CLK_TCK), page = (double)sysconf(_SC_PAGESIZE);
    struct mallinfo2 heap = mallinfo2();
    size_t slabs, kept;
    slab_stats(&slabs, &kept);
    unsigned long threads = 0, utime = 0, stime = 0, vsize = 0, rss = 0, start = 0, btime = 0;
    FILE *f = fopen("/proc/self/stat", "re");
    char line[1024] = "";
    const char *rest = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
    if (f)
        fclose(f);
    if (!rest ||
        sscanf(rest,
               ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %lu %*d %lu %lu %lu",
               &utime, &stime, &threads, &start, &vsize, &rss) != 6)
        return;
    f = fopen("/proc/stat", "re");
    while (f && fgets(line, sizeof(line), f) && sscanf(line, "btime %lu", &btime) != 1)
        ;
    if (f)
        fclose(f);
    double in, sent;
    octets(&in, &sent);
    const struct {
        const char *name, *type, *help;
        double v;
    } rows[] = {
        {"process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.",
         (double)(utime + stime) / ticks},
        {"process_open_fds", "gauge", "Number of open file descriptors.", fds_open()},
        {"process_max_fds", "gauge", "Maximum number of open file descriptors.", limit_of(RLIMIT_NOFILE)},
        {"process_virtual_memory_max_bytes", "gauge", "Maximum amount of virtual memory available in bytes.",
         limit_of(RLIMIT_AS)},
        {"process_network_receive_bytes_total", "counter",
         "Number of bytes received by the process over the network.", in},
        {"process_network_transmit_bytes_total", "counter",
         "Number of bytes sent by the process over the network.", sent},
        {"process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", (double)rss * page},
        {"process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.",
         (double)btime + (double)start / ticks},
        {"process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", (double)vsize},
        {"go_goroutines", "gauge", "Number of threads: what stands for goroutines here.", (double)threads},
        {"go_threads", "gauge", "Number of threads.", (double)threads},
        {"go_memstats_heap_alloc_bytes", "gauge", "Bytes allocated from the heap and in use.",
         (double)heap.uordblks + (double)heap.hblkhd + (double)kept},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        metrics_write_head(out, rows[i].name, rows[i].type, rows[i].help);
        metrics_write_sample(out, rows[i].name, NULL, NULL, rows[i].v);
    }
}

void metrics_add_process(metrics_t *m)
{
    metrics_on_write(m, write_process, NULL);
}
