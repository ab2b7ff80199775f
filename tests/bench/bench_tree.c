/* The cluster cache: taking objects in, and the tree of an application of 2,000 nodes. */
#include "app-controller/cluster/cache.h"
#include "common/base/clock.h"
#include "common/base/thread.h"

#include <time.h>
#include "tests/bench/bench.h"

enum { ROOTS = 50, SETS = 3, PODS = 12, ROUNDS = 41 }; /* 50 × (1 + 3 × (1 + 12)) = 2,000 nodes */

/* Of this thread: what else the machine does is not to be seen. */
static int64_t processor_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static void check(int r, err_t *err)
{
    if (r < 0) {
        fprintf(stderr, "%s\n", err_text(err));
        exit(1);
    }
}

static size_t put(cache_t *c, cache_kind_t *k, const char *name, const char *owner_kind, const char *owner,
                  const char *rest)
{
    AUTO_ERR err = NULL;
    AUTO(free_p)
    char *owners = owner ? xasprintf(
                               "\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"%s\",\"name\":"
                               "\"%s\",\"uid\":\"uid-%s\"}],",
                               owner_kind, owner, owner)
                         : xstrdup("");
    AUTO(free_p)
    char *text = xasprintf("{\"metadata\":{\"name\":\"%s\",\"namespace\":\"shop\",\"uid\":\"uid-%s\",%s"
                           "\"creationTimestamp\":\"2026-11-23T11:36:43Z\",\"resourceVersion\":\"1000\","
                           "\"labels\":{\"app\":\"shop\",\"pod-template-hash\":\"%s\"}},%s}",
                           name, name, owners, owner ? owner : name, rest);
    check(cache_put(c, k, text, strlen(text), true, &err), err);
    return 1;
}

static size_t fill(cache_t *c, struct tree_root *roots)
{
    static const char workload[] =
        "\"spec\":{\"replicas\":12},\"status\":{\"replicas\":12,\"readyReplicas\":12,"
        "\"availableReplicas\":12,\"updatedReplicas\":12}";
    static const char pod[] =
        "\"spec\":{\"nodeName\":\"node-1\",\"containers\":[{\"name\":\"main\",\"image\":\"registry.example."
        "org/"
        "team/program:1.2.3\",\"resources\":{\"requests\":{\"cpu\":\"100m\",\"memory\":\"128Mi\"}}}]},"
        "\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],"
        "\"containerStatuses\":[{\"name\":\"main\",\"ready\":true,\"restartCount\":1,\"state\":{\"running\":{"
        "}}}]}";
    cache_kind_t *deployments = cache_kind_add(c, "apps", "v1", "Deployment", true),
                 *sets = cache_kind_add(c, "apps", "v1", "ReplicaSet", true),
                 *pods = cache_kind_add(c, "", "v1", "Pod", true);
    size_t n = 0;
    for (int i = 0; i < ROOTS; i++) {
        char *name = xasprintf("shop-%02d", i); /* the root's, to the end */
        roots[i] = (struct tree_root){{"apps", "Deployment", "shop", name}, "v1"};
        n += put(c, deployments, name, NULL, NULL, workload);
        for (int k = 0; k < SETS; k++) {
            AUTO(free_p) char *set = xasprintf("%s-6d4cf56db%d", name, k);
            n += put(c, sets, set, "Deployment", name, workload);
            for (int m = 0; m < PODS; m++) {
                AUTO(free_p) char *replica = xasprintf("%s-x%04d", set, m);
                n += put(c, pods, replica, "ReplicaSet", set, pod);
            }
        }
    }
    return n;
}

int main(void)
{
    AUTO_ERR err = NULL;
    AUTO_STR warnings = STR_INIT;
    process_setup();
    settings_t *settings = NULL;
    static const unsigned char key[MASK_KEY_SIZE];
    static struct tree_root roots[ROOTS];
    double times[ROUNDS];
    check(settings_parse(NULL, &settings, &warnings, &err), err);
    cache_t *c = cache_new(settings, key, NULL, NULL);
    int64_t begun = processor_ns();
    size_t n = fill(c, roots);
    bench_print("cache-put", (double)(processor_ns() - begun) / (double)n / 1e3, "us", 0);
    for (size_t i = 0; i < ROUNDS; i++) {
        begun = processor_ns();
        AUTO_JSON tree = cache_tree(c, roots, ROOTS, NULL, NULL);
        times[i] = (double)(processor_ns() - begun) / NS_PER_MS;
        if (json_array_size(tree) != n) {
            fprintf(stderr, "%zu nodes instead of %zu\n", json_array_size(tree), n);
            return 1;
        }
    }
    AUTO(free_p) char *name = xasprintf("tree-of-%zu-nodes", n);
    bench_print(name, bench_median(times, ROUNDS), "ms", 5);
    for (size_t i = 0; i < ROOTS; i++)
        free((char *)(uintptr_t)roots[i].key.name);
    cache_free(c);
    settings_unref(settings);
    return 0;
}
