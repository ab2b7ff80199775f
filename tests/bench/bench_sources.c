/* The repository server as a process: many who ask for one repository, many repositories, many requests.
 * Children (Git, tools) are not counted. Usage: bench_sources DIRECTORY-OF-PROGRAMS */
#include "tests/unit/repo-server/fixture/fixture.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "common/net/http.h"
#include "common/net/rpc.h"
#include "proto/rpc/repo.pb-c.h"
#include "tests/bench/bench.h"

#include <signal.h>

enum { CALLERS = 200, REPOS = 50, APPS = 20, REQUESTS = 100000, WINDOW = 500 };

typedef Cargocd__Repo__GenerateManifestRequest request_t;
typedef Cargocd__Repo__GenerateManifestResponse response_t;

struct daemon {
    struct proc_pipes p;
    rpc_client_t *client;
    http_t *http;
    unsigned port;
};

static void check(int r, err_t *err)
{
    if (r < 0) {
        fprintf(stderr, "%s\n", err_text(err));
        exit(1);
    }
}

static void daemon_start(struct daemon *d, const char *programs)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *program = xasprintf("%s/cargocd-repo-server", programs);
    AUTO(free_p) char *address = xasprintf("ipc://%s/d.sock", fx_dir());
    AUTO(free_p) char *data = xasprintf("%s/data", fx_dir());
    char port[16];
    d->port = fx_free_port();
    snprintf(port, sizeof(port), "%u", d->port);
    char *argv[] = {program, "--address",         address,     "--data",
                    data,    "--metrics-address", "127.0.0.1", "--metrics-port",
                    port,    "--loglevel",        "error",     "--revision-cache-expiration",
                    "1h",    "--git-allow-file",  NULL};
    char *env[] = {"PATH=/usr/bin:/bin", NULL};
    check(proc_spawn(&(struct proc_spec){.argv = argv, .env = env}, false, &d->p, &err), err);
    check(rpc_client_new(&(struct rpc_client_options){.address = address}, &d->client, &err), err);
    d->http = http_new("bench");
    for (int i = 0; i < 1000 && rpc_health(d->client, SECONDS(1), NULL) < 0; i++)
        sleep_ns(MILLIS(5));
}

static void daemon_stop(struct daemon *d)
{
    rpc_client_free(d->client);
    http_free(d->http);
    kill(d->p.pid, SIGTERM);
    proc_end(&d->p);
}

static double pss_mb(const struct daemon *d)
{
    AUTO(free_p) char *path = xasprintf("/proc/%d/smaps_rollup", (int)d->p.pid);
    AUTO_STR text = STR_MAX(1 << 20);
    const char *at = file_read(path, &text, NULL) == 0 ? strstr(str_text(&text), "\nPss:") : NULL;
    return at ? strtod(at + 5, NULL) / 1024 : 0;
}

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

struct ask {
    Cargocd__Repo__Repository repo;
    request_t q;
    char url[256], source[64], name[32], key[128];
};

static void ask_init(struct ask *a, const char *repo, unsigned app)
{
    cargocd__repo__repository__init(&a->repo);
    cargocd__repo__generate_manifest_request__init(&a->q);
    snprintf(a->url, sizeof(a->url), "file://%s/%s.git", fx_dir(), repo);
    snprintf(a->source, sizeof(a->source), "{\"path\":\"app-%u\"}", app);
    snprintf(a->name, sizeof(a->name), "%s-%u", repo, app);
    a->repo.url = a->url;
    a->q.repo = &a->repo;
    a->q.source = (ProtobufCBinaryData){strlen(a->source), (uint8_t *)a->source};
    a->q.app_name = a->name;
    a->q.namespace_ = (char *)"prod";
    a->q.app_label_key = (char *)"app.kubernetes.io/instance";
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
    AUTO_ERR err = NULL;
    response_t *out = NULL;
    check(rpc_do(d->client, "repo.GenerateManifest", &a->q.base,
                 &cargocd__repo__generate_manifest_response__descriptor, SECONDS(60), NULL,
                 (ProtobufCMessage **)&out, &err),
          err);
    snprintf(a->key, sizeof(a->key), "%s", out->key);
    a->q.have_key = a->key;
    protobuf_c_message_free_unpacked(&out->base, NULL);
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
        ask_init(&asks[i], "repo0", i);
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
        ask_init(&asks[i], name, i / REPOS);
    }
    double ms = ask_many(d, asks, n, n, 50);
    bench_print("render-50-repositories-1000-applications", ms, "ms", 0);
    bench_print("repo-server-pss-after-1000-renderings", pss_mb(d), "MB", 60);
    for (size_t i = 0; i < n; i++)
        learn_key(d, &asks[i]);
    ask_many(d, asks, n, REQUESTS / 10, WINDOW);
    double before = pss_mb(d);
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
