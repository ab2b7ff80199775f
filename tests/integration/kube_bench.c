/* Figures of the Kubernetes client against a real API server (KUBECONFIG); KUBE_BENCH_OBJECTS sets the size
 * of the list (20,000). One line each: bench NAME VALUE UNIT. Processor time and memory are this process's
 * own. */
#include "tests/integration/kube_fixture.h"

#include <malloc.h>
#include <sys/resource.h>

static struct fixture f;

static double cpu_seconds(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static double since(mono_t t)
{
    return (double)(mono_now().ns - t.ns) / 1e9;
}

/* KiB of memory of its own. */
static double anonymous(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    double kib = 0;
    malloc_trim(0);
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, "Anonymous:", 10) == 0)
            kib = strtod(line + 10, NULL);
    if (file)
        fclose(file);
    return kib;
}

static void figure(const char *name, double value, const char *unit)
{
    printf("bench %s %.3f %s\n", name, value, unit);
    fflush(stdout);
}

/* ---- requests ---- */

static int failed;

static void get_one(void *arg, size_t i)
{
    if (kube_get(f.k, f.namespaces, NULL, f.ns, NULL, NULL, NULL) < 0)
        __atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
}

static void bench_requests(size_t threads, size_t n)
{
    mono_t start = mono_now();
    double cpu = cpu_seconds();
    in_parallel(threads, n, get_one, NULL);
    char name[64];
    snprintf(name, sizeof(name), "kube.get.%zu-threads", threads);
    figure(name, (double)n / since(start), "requests/s");
    snprintf(name, sizeof(name), "kube.get.%zu-threads.cpu", threads);
    figure(name, (cpu_seconds() - cpu) / (double)n * 1e6, "us/request");
}

/* ---- a list ---- */

/* About the size of a pod, 1.5 KB and more with what the server adds. */
static void create_big(void *arg, size_t i)
{
    AUTO(free_p) char *name = xasprintf("big-%06zu", i);
    AUTO(free_p) char *value = xasprintf("%01100zu", i);
    AUTO_JSON cm = make_configmap(name, "big", value);
    if (kube_create(f.k, f.configmaps, f.ns, cm, NULL, NULL, NULL) < 0)
        __atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
}

struct count {
    size_t n, bytes;
};

static int count_item(void *arg, const char *p, size_t n)
{
    struct count *c = arg;
    c->n++;
    c->bytes += n;
    return 0;
}

static void bench_list(const char *name, const struct kube_list *what)
{
    static const struct kube_list_ops ops = {.on_item = count_item};
    AUTO_ERR err = NULL;
    struct count c = {};
    mono_t start = mono_now();
    double cpu = cpu_seconds(), before = anonymous();
    char text[64];
    if (kube_list(f.k, f.configmaps, what, &ops, &c, NULL, &err) < 0) {
        printf("# %s\n", err_text(err));
        return;
    }
    double took = since(start);
    cpu = cpu_seconds() - cpu;
    snprintf(text, sizeof(text), "%s.rate", name);
    figure(text, (double)c.n / took, "objects/s");
    snprintf(text, sizeof(text), "%s.cpu", name);
    figure(text, cpu / (double)c.n * 1e6, "us/object");
    snprintf(text, sizeof(text), "%s.bytes", name);
    figure(text, (double)c.bytes / (double)c.n, "bytes/object");
    snprintf(text, sizeof(text), "%s.memory", name);
    figure(text, anonymous() - before, "KiB");
}

/* ---- watches ---- */

enum { WATCHES = 300 };

static size_t synced, events;

static void on_synced(void *arg, const char *resource_version)
{
    __atomic_add_fetch(&synced, 1, __ATOMIC_RELAXED);
}

static void on_event(void *arg, enum kube_event event, const char *p, size_t n)
{
    __atomic_add_fetch(&events, 1, __ATOMIC_RELAXED);
}

static void wait_for(size_t *what, size_t n)
{
    mono_t end = mono_after(mono_now(), SECONDS(60));
    while (__atomic_load_n(what, __ATOMIC_RELAXED) < n && mono_left(end))
        sleep_ns(MILLIS(1));
}

static void touch(void *arg, size_t i)
{
    AUTO(free_p) char *value = xasprintf("%zu", i);
    AUTO_JSON cm = make_configmap("hot", "w0", value);
    if (kube_patch(f.k, f.configmaps, f.ns, "hot", KUBE_PATCH_MERGE, cm, NULL, NULL, NULL) < 0)
        __atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
}

static void bench_watches(void)
{
    static const struct kube_watch_ops ops = {.on_synced = on_synced, .on_event = on_event};
    double before = anonymous();
    mono_t start = mono_now();
    for (size_t i = 0; i < WATCHES; i++) {
        AUTO(free_p) char *selector = xasprintf("x=w%zu", i);
        struct kube_watch_spec spec = {.resource = f.configmaps,
                                       .list = {.ns = f.ns, .label_selector = selector}};
        kube_watch_t *w = kube_watch_start(f.k, &spec, &ops, NULL);
        (void)w; /* kube_close ends it */
    }
    wait_for(&synced, WATCHES);
    figure("kube.watch.start-300", since(start), "s");
    sleep_ns(SECONDS(2));
    figure("kube.watch.memory", (anonymous() - before) / WATCHES, "KiB/watch");
    double cpu = cpu_seconds();
    sleep_ns(SECONDS(20));
    figure("kube.watch.idle-300.cpu", (cpu_seconds() - cpu) / 20, "cores");
    AUTO_JSON cm = make_configmap("hot", "w0", "0");
    kube_create(f.k, f.configmaps, f.ns, cm, NULL, NULL, NULL);
    wait_for(&events, 1);
    enum { TOUCHES = 1000 };
    mono_t since_first = mono_now();
    cpu = cpu_seconds();
    in_parallel(1, TOUCHES, touch, NULL);
    wait_for(&events, 1 + TOUCHES);
    figure("kube.patch-and-event", (double)TOUCHES / since(since_first), "1/s");
    figure("kube.patch-and-event.cpu", (cpu_seconds() - cpu) / TOUCHES * 1e6, "us");
}

int main(void)
{
    process_setup();
    const char *why = fixture_open(&f, 100000);
    if (why) {
        printf("# skipped: %s\n", why);
        return 0;
    }
    const char *wanted = getenv("KUBE_BENCH_OBJECTS");
    size_t objects = wanted ? strtoul(wanted, NULL, 10) : 20000;
    bench_requests(1, 2000);
    bench_requests(16, 10000);
    bench_watches();
    mono_t start = mono_now();
    double cpu = cpu_seconds();
    in_parallel(16, objects, create_big, NULL);
    figure("kube.create.16-threads", (double)objects / since(start), "requests/s");
    figure("kube.create.16-threads.cpu", (cpu_seconds() - cpu) / (double)objects * 1e6, "us/request");
    bench_list("kube.list", &(struct kube_list){.ns = f.ns});
    bench_list("kube.list.5000-a-page", &(struct kube_list){.ns = f.ns, .page_size = 5000});
    bench_list("kube.list.metadata", &(struct kube_list){.ns = f.ns, .metadata_only = true});
    figure("kube.failed", failed, "requests");
    fixture_close(&f);
    return 0;
}
