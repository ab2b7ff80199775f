/* The repository server: rendering from the object database, answering from the cache over the wire, a
 * monorepo of many applications, memory. Usage: bench_render DIRECTORY-OF-PROGRAMS */
#include "tests/unit/repo-server/fixture/fixture.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "common/net/rpc.h"
#include "proto/rpc/repo.pb-c.h"
#include "repo-server/git/git_tree.h"
#include "repo-server/manager.h"
#include "repo-server/render.h"
#include "tests/bench/bench.h"

#include <signal.h>

enum { ROUNDS = 15, FILES = 100, APPS = 1000 };

typedef Cargocd__Repo__GenerateManifestRequest request_t;
typedef Cargocd__Repo__GenerateManifestResponse response_t;

struct server {
    char *root, *address, *url;
    metrics_t *metrics;
    repo_t *repo;
    rpc_server_t *server;
    rpc_client_t *client;
};

static void check(int r, err_t *err)
{
    if (r < 0) {
        fprintf(stderr, "%s\n", err_text(err));
        exit(1);
    }
}

static void server_start(struct server *s)
{
    AUTO_ERR err = NULL;
    s->metrics = metrics_new();
    struct repo_options options = {
        .root = s->root,
        .git = *fx_settings(),
        .revision_ttl_ns = SECONDS(600),
        .cache_ttl_ns = SECONDS(3600),
        .exec_timeout_ns = SECONDS(60),
        .max_directory_bytes = 10 << 20,
        .metrics = s->metrics,
    };
    check(repo_new(&options, &s->repo, &err), err);
    struct rpc_server_options so = {.name = "repo", .address = s->address, .ctx = s->repo, .max_calls = 5000};
    so.methods = repo_methods(s->repo, &so.nmethods);
    check(rpc_server_start(&so, &s->server, &err), err);
    check(rpc_client_new(&(struct rpc_client_options){.address = s->address}, &s->client, &err), err);
}

static void server_stop(struct server *s)
{
    rpc_client_free(s->client);
    rpc_server_free(s->server, SECONDS(10));
    repo_free(s->repo);
    metrics_free(s->metrics);
}

/* 100 files of 2 KB and 1,000 small applications. */
static void make_repository(void)
{
    fx_repo("bench");
    fx_sh("cd bench && mkdir dir && i=0; while [ $i -lt %d ]; do { printf 'apiVersion: v1\\nkind: "
          "ConfigMap\\nmetadata:\\n  "
          "name: cm-%%d\\n  labels:\\n    app: bench\\ndata:\\n' $i; k=0; while [ $k -lt 40 ]; do printf '  "
          "key-%%d: \"a value "
          "of some length %%d\"\\n' $k $i; k=$((k+1)); done; } > dir/cm-$i.yaml; i=$((i+1)); done",
          FILES);
    fx_sh("cd bench && i=0; while [ $i -lt %d ]; do mkdir -p apps/app-$i; printf 'apiVersion: v1\\nkind: "
          "ConfigMap\\nmetadata: "
          "{name: cm}\\ndata: {v: \"0\"}\\n' > apps/app-$i/cm.yaml; i=$((i+1)); done",
          APPS);
    fx_commit("bench", "base");
}

struct request {
    Cargocd__Repo__Repository repo;
    request_t q;
    char source[128], name[32], key[128];
};

static void request_init(struct request *r, const struct server *s, const char *path, const char *name)
{
    cargocd__repo__repository__init(&r->repo);
    cargocd__repo__generate_manifest_request__init(&r->q);
    snprintf(r->source, sizeof(r->source), "{\"path\":\"%s\"}", path);
    snprintf(r->name, sizeof(r->name), "%s", name);
    r->repo.url = s->url;
    r->q.repo = &r->repo;
    r->q.source = (ProtobufCBinaryData){strlen(r->source), (uint8_t *)r->source};
    r->q.app_name = r->name;
    r->q.namespace_ = (char *)"prod";
    r->q.app_label_key = (char *)"app.kubernetes.io/instance";
}

static double ask(struct server *s, struct request *r, size_t *manifests)
{
    AUTO_ERR err = NULL;
    response_t *out = NULL;
    mono_t begun = mono_now();
    check(rpc_do(s->client, "repo.GenerateManifest", &r->q.base,
                 &cargocd__repo__generate_manifest_response__descriptor, SECONDS(60), NULL,
                 (ProtobufCMessage **)&out, &err),
          err);
    double ms = (double)(mono_now().ns - begun.ns) / 1e6;
    snprintf(r->key, sizeof(r->key), "%s", out->key);
    if (manifests)
        *manifests = out->n_manifests;
    protobuf_c_message_free_unpacked(&out->base, NULL);
    return ms;
}

/* ---- cold ---- */

static void done(void *arg, const char *commit, err_t *err)
{
    check(err ? -1 : 0, err);
    *(_Atomic bool *)arg = true;
}

/* Opens the clone anew, so that nothing of libgit2's caches is warm, and renders. */
static double cold(origin_t *origin, const char *commit)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *root = xasprintf("%s/cold", fx_dir());
    pool_t *pool = pool_new("git", 1, 10);
    git_store_t *store = NULL;
    _Atomic bool there = false;
    check(git_store_new(&(struct git_store_options){.root = root, .settings = fx_settings(), .pool = pool},
                        &store, &err),
          err);
    git_store_want(store, origin, commit, NULL, done, &there);
    while (!there)
        sleep_ns(MILLIS(1));
    pool_free(pool);
    git_store_free(store);
    pool = pool_new("git", 1, 10);
    check(git_store_new(&(struct git_store_options){.root = root, .settings = fx_settings(), .pool = pool},
                        &store, &err),
          err);

    mono_t begun = mono_now();
    git_lease_t *lease = NULL;
    tree_backend_t *backend = NULL;
    trace_t *trace = trace_new();
    AUTO_JSON source = json_pack("{ss}", "path", "dir");
    struct build_env env = {.app_name = "bench", .revision = commit};
    struct render_settings settings = {.max_directory_bytes = 10 << 20};
    check(git_lease_open(store, origin->storage_key, &lease, &err), err);
    check(git_tree_open(lease, commit, &backend, &err), err);
    tree_t *tree = tree_new(backend, trace_root(trace, ""));
    struct render_input in = {.tree = tree,
                              .trace = trace,
                              .source = source,
                              .env = &env,
                              .settings = &settings,
                              .app_name = "bench",
                              .namespace = "prod",
                              .tracking = {TRACK_ANNOTATION, "app.kubernetes.io/instance", ""},
                              .directory_enabled = true};
    struct render_plan plan = {};
    struct render_output out = {};
    check(render_plan(&in, &plan, &err), err);
    check(render_run(&in, &plan, &out, &err), err);
    double ms = (double)(mono_now().ns - begun.ns) / 1e6;
    if (out.manifests.n != FILES)
        check(err_set(&err, ERR_INTERNAL, "%zu manifests", out.manifests.n), err);
    render_output_dispose(&out);
    render_plan_dispose(&plan);
    tree_free(tree);
    trace_free(trace);
    git_lease_close(lease);
    pool_free(pool);
    git_store_free(store);
    return ms;
}

static void bench_cold(const struct server *s)
{
    double ms[ROUNDS];
    AUTO(origin_unref_p) origin_t *origin = fx_origin(s->url);
    AUTO(free_p) char *commit = fx_out("git -C bench rev-parse HEAD");
    for (size_t i = 0; i < ROUNDS; i++)
        ms[i] = cold(origin, commit);
    bench_print("render-directory-100-files-cold", bench_median(ms, ROUNDS), "ms", 20);
}

static void bench_cached(struct server *s)
{
    double whole[ROUNDS * 10], same[ROUNDS * 10];
    struct request r;
    size_t n = 0;
    request_init(&r, s, "dir", "cached");
    ask(s, &r, NULL);
    for (size_t i = 0; i < ROUNDS * 10; i++) {
        r.q.have_key = (char *)"";
        whole[i] = ask(s, &r, &n);
        if (n != FILES)
            exit(1);
        r.q.have_key = r.key;
        same[i] = ask(s, &r, &n);
        if (n != 0)
            exit(1);
    }
    bench_print("render-cached-over-rpc", bench_median(same, ROUNDS * 10), "ms", 1);
    bench_print("render-cached-over-rpc-with-manifests-200KB", bench_median(whole, ROUNDS * 10), "ms", 0);
}

/* ---- a monorepo ---- */

struct crowd {
    lock_t lock;
    cond_t cond;
    size_t done, same, failed;
};

static void one_done(void *arg, ProtobufCMessage *out, err_t *err)
{
    struct crowd *c = arg;
    LOCKED(&c->lock);
    c->done++;
    c->failed += err != NULL;
    c->same += out && ((response_t *)out)->same;
    if (out)
        protobuf_c_message_free_unpacked(out, NULL);
    pthread_cond_signal(&c->cond);
}

static double ask_all(struct server *s, struct request *all, struct crowd *c)
{
    *c = (struct crowd){.lock = LOCK_INIT};
    cond_init(&c->cond);
    mono_t begun = mono_now();
    for (size_t i = 0; i < APPS; i++)
        rpc_start(s->client, "repo.GenerateManifest", &all[i].q.base,
                  &cargocd__repo__generate_manifest_response__descriptor, SECONDS(60), one_done, c);
    LOCKED(&c->lock);
    while (c->done < APPS)
        cond_wait_until(&c->cond, &c->lock, MONO_NEVER);
    return (double)(mono_now().ns - begun.ns) / 1e6;
}

static void bench_monorepo(struct server *s)
{
    struct request *all = xcalloc(APPS, sizeof(*all)), fresh;
    struct crowd c;
    for (size_t i = 0; i < APPS; i++) {
        char path[32], name[32];
        snprintf(path, sizeof(path), "apps/app-%zu", i);
        snprintf(name, sizeof(name), "app-%zu", i);
        request_init(&all[i], s, path, name);
        ask(s, &all[i], NULL);
        all[i].q.have_key = all[i].key;
    }
    fx_sh("cd bench && sed -i s/0/1/ apps/app-500/cm.yaml");
    fx_commit("bench", "one");
    request_init(&fresh, s, "apps/app-0", "app-0");
    fresh.q.no_revision_cache = true; /* what a webhook does */
    ask(s, &fresh, NULL);
    double ms = ask_all(s, all, &c);
    if (c.failed || c.same != APPS - 1) {
        fprintf(stderr, "monorepo: %zu failed, %zu the same\n", c.failed, c.same);
        exit(1);
    }
    bench_print("render-1000-apps-one-commit-touching-one", ms, "ms", 1000);
    free(all);
}

/* ---- memory ---- */

static double pss_kib(pid_t pid)
{
    AUTO(free_p) char *path = xasprintf("/proc/%d/smaps_rollup", (int)pid);
    AUTO_STR text = STR_MAX(1 << 20);
    if (file_read(path, &text, NULL) < 0)
        return 0;
    const char *at = strstr(str_text(&text), "\nPss:");
    return at ? strtod(at + 5, NULL) : 0;
}

static void bench_idle(const char *programs)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *program = xasprintf("%s/cargocd-repo-server", programs);
    AUTO(free_p) char *address = xasprintf("ipc://%s/idle.sock", fx_dir());
    AUTO(free_p) char *data = xasprintf("%s/idle", fx_dir());
    char port[16];
    snprintf(port, sizeof(port), "%u", fx_free_port());
    char *argv[] = {program,     "--address",      address, "--data",     data,    "--metrics-address",
                    "127.0.0.1", "--metrics-port", port,    "--loglevel", "error", NULL};
    char *env[] = {"PATH=/usr/bin:/bin", NULL};
    struct proc_pipes p;
    rpc_client_t *client = NULL;
    mono_t begun = mono_now();
    check(proc_spawn(&(struct proc_spec){.argv = argv, .env = env}, false, &p, &err), err);
    check(rpc_client_new(&(struct rpc_client_options){.address = address}, &client, &err), err);
    while (rpc_health(client, SECONDS(1), NULL) < 0 && mono_now().ns - begun.ns < SECONDS(10))
        sleep_ns(MILLIS(2));
    bench_print("repo-server-start", (double)(mono_now().ns - begun.ns) / 1e6, "ms", 200);
    rpc_client_free(client);
    sleep_ns(SECONDS(1));
    bench_print("repo-server-idle-pss", pss_kib(p.pid) / 1024, "MB", 12);
    kill(p.pid, SIGTERM);
    proc_end(&p);
}

int main(int argc, char **argv)
{
    int role = repo_child_main(argc, argv);
    if (role >= 0)
        return role;
    struct server s = {};
    process_setup();
    rpc_setup();
    fx_begin(NULL);
    make_repository();
    s.root = xasprintf("%s/root", fx_dir());
    s.address = xasprintf("ipc://%s/rpc.sock", fx_dir());
    s.url = xasprintf("file://%s/bench.git", fx_dir());
    bench_cold(&s);
    server_start(&s);
    bench_cached(&s);
    bench_monorepo(&s);
    server_stop(&s);
    bench_idle(argc > 1 ? argv[1] : "build/bin");
    free(s.root);
    free(s.address);
    free(s.url);
    fx_end(NULL);
    return 0;
}
