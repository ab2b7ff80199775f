/* The repository server as a process: many who ask for one repository, many repositories, many requests.
 * Children (Git, tools) are not counted. Usage: bench_sources DIRECTORY-OF-PROGRAMS */
#include "tests/bench/bench.h"
#include "tests/bench/repo.h"

enum { CALLERS = 200, REPOS = 50, APPS = 20, REQUESTS = 100000, WINDOW = 500 };

/* The sum of the samples that begin so. */
static double figure(const struct daemon *d, const char *sample)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *url = xasprintf("http://127.0.0.1:%u/metrics", d->port);
    struct http_response r = {};
    check(http_do(d->http, &(struct http_request){.url = url, .timeout_ns = SECONDS(10)}, &r, &err), err);
    double sum = 0;
    view_t rest = {str_text(&r.body), r.body.len}, line;
    while (view_split(&rest, '\n', &line)) {
        AUTO(free_p) char *l = xstrndup(line.p, line.n);
        if (str_has_prefix(l, sample))
            sum += strtod(strrchr(l, ' '), NULL);
    }
    http_response_dispose(&r);
    return sum;
}

/* ---- asking ---- */

static void ask_app(struct ask *a, const char *repo, unsigned app)
{
    AUTO(free_p) char *path = xasprintf("app-%u", app);
    AUTO(free_p) char *name = xasprintf("%s-%u", repo, app);
    ask_init(a, repo, path, name);
}

struct crowd {
    lock_t lock;
    cond_t cond;
    size_t asked, done, failed;
};

static void one_done(void *arg, ProtobufCMessage *out, err_t *err)
{
    struct crowd *c = arg;
    LOCKED(&c->lock);
    c->done++;
    c->failed += err != NULL;
    if (out)
        protobuf_c_message_free_unpacked(out, NULL);
    pthread_cond_signal(&c->cond);
}

/* All of them, `n` times round, with so many under way. */
static double ask_many(struct daemon *d, struct ask *asks, size_t nasks, size_t n, size_t window)
{
    struct crowd c = {.lock = LOCK_INIT};
    cond_init(&c.cond);
    mono_t begun = mono_now();
    for (; c.asked < n; c.asked++) {
        rpc_start(d->client, "repo.GenerateManifest", &asks[c.asked % nasks].q.base,
                  &cargocd__repo__generate_manifest_response__descriptor, SECONDS(60), one_done, &c);
        LOCKED(&c.lock);
        while (c.asked + 1 - c.done >= window)
            cond_wait_until(&c.cond, &c.lock, MONO_NEVER);
    }
    LOCKED(&c.lock);
    while (c.done < n)
        cond_wait_until(&c.cond, &c.lock, MONO_NEVER);
    if (c.failed) {
        fprintf(stderr, "%zu of %zu requests failed\n", c.failed, n);
        exit(1);
    }
    return (double)(mono_now().ns - begun.ns) / 1e6;
}

static void learn_key(struct daemon *d, struct ask *a)
{
    ask_once(d, a, NULL);
    a->q.have_key = a->key;
}

/* ---- the figures ---- */

/* REPOS repositories of APPS directories with a few objects each, of about 2 KB. */
static void make_repositories(void)
{
    fx_sh("mkdir template && cd template && a=0; while [ $a -lt %d ]; do mkdir app-$a; k=0; while [ $k -lt 5 "
          "]; do { "
          "printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: cm-%%d}\\ndata:\\n' $k; i=0; while [ "
          "$i -lt 40 ]; "
          "do "
          "printf '  key-%%d: \"a value of some length %%d\"\\n' $i $a; i=$((i+1)); done; } > "
          "app-$a/cm-$k.yaml; "
          "k=$((k+1)); done; a=$((a+1)); done",
          APPS);
    for (int i = 0; i < REPOS; i++) {
        AUTO(free_p) char *name = xasprintf("repo%d", i);
        fx_repo(name);
        fx_sh("cp -r template/. %s/ && echo %d > %s/n", name, i, name);
        fx_commit(name, "one");
    }
}

static void bench_one_fetch(struct daemon *d)
{
    struct ask *asks = xcalloc(APPS, sizeof(*asks));
    for (unsigned i = 0; i < APPS; i++)
        ask_app(&asks[i], "repo0", i);
    double ms = ask_many(d, asks, APPS, CALLERS, CALLERS + 1);
    bench_print("render-200-callers-one-repository", ms, "ms", 0);
    bench_print("render-200-callers-fetches", figure(d, "argocd_git_request_total{repo=\"file://") - 1,
                "fetches", 1);
    free(asks);
}

static void bench_many_repositories(struct daemon *d)
{
    size_t n = REPOS * APPS;
    struct ask *asks = xcalloc(n, sizeof(*asks));
    for (unsigned i = 0; i < n; i++) {
        AUTO(free_p) char *name = xasprintf("repo%u", i % REPOS);
        ask_app(&asks[i], name, i / REPOS);
    }
    double ms = ask_many(d, asks, n, n, 50);
    bench_print("render-50-repositories-1000-applications", ms, "ms", 0);
    bench_print("repo-server-pss-after-1000-renderings", pss_mb(d), "MB", 60);
    for (size_t i = 0; i < n; i++)
        learn_key(d, &asks[i]);
    ask_many(d, asks, n, REQUESTS / 10, WINDOW);
    double before = pss_mb(d);
    bench_print("repo-server-pss-after-10000-requests", before, "MB", 60);
    ms = ask_many(d, asks, n, REQUESTS, WINDOW);
    bench_print("render-100000-requests-rate", REQUESTS / ms * 1000, "1/s", 0);
    bench_print("repo-server-growth-over-100000-requests", pss_mb(d) - before, "MB", 3);
    bench_print("repo-server-pss-after-100000-requests", pss_mb(d), "MB", 60);
    free(asks);
}

int main(int argc, char **argv)
{
    int role = repo_child_main(argc, argv);
    if (role >= 0)
        return role;
    struct daemon d = {};
    process_setup();
    rpc_setup();
    fx_begin(NULL);
    make_repositories();
    daemon_start(&d, argc > 1 ? argv[1] : "build/bin");
    bench_one_fetch(&d);
    bench_many_repositories(&d);
    daemon_stop(&d);
    fx_end(NULL);
    return 0;
}
