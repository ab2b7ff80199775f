/* The repository server as a process of its own, and requests to it, for benchmarks. */
#ifndef CARGOCD_TESTS_BENCH_REPO_H
#define CARGOCD_TESTS_BENCH_REPO_H

#include "tests/unit/repo-server/fixture/fixture.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "common/net/http.h"
#include "common/net/rpc.h"
#include "proto/rpc/repo.pb-c.h"

#include <signal.h>

typedef Cargocd__Repo__GenerateManifestRequest request_t;
typedef Cargocd__Repo__GenerateManifestResponse response_t;

struct daemon {
    struct proc_pipes p;
    rpc_client_t *client;
    http_t *http;
    unsigned port;
};

static inline void check(int r, err_t *err)
{
    if (r < 0) {
        fprintf(stderr, "%s\n", err_text(err));
        exit(1);
    }
}

static inline void daemon_start(struct daemon *d, const char *programs)
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
    AUTO(free_p) char *path = xasprintf("PATH=%s", str_or_empty(getenv("PATH"))); /* where tools are */
    char *env[] = {path, NULL};
    check(proc_spawn(&(struct proc_spec){.argv = argv, .env = env}, false, &d->p, &err), err);
    check(rpc_client_new(&(struct rpc_client_options){.address = address}, &d->client, &err), err);
    d->http = http_new("bench");
    for (int i = 0; i < 1000 && rpc_health(d->client, SECONDS(1), NULL) < 0; i++)
        sleep_ns(MILLIS(5));
}

static inline void daemon_stop(struct daemon *d)
{
    rpc_client_free(d->client);
    http_free(d->http);
    kill(d->p.pid, SIGTERM);
    proc_end(&d->p);
}

static inline double pss_mb(const struct daemon *d)
{
    AUTO(free_p) char *path = xasprintf("/proc/%d/smaps_rollup", (int)d->p.pid);
    AUTO_STR text = STR_MAX(1 << 20);
    const char *at = file_read(path, &text, NULL) == 0 ? strstr(str_text(&text), "\nPss:") : NULL;
    return at ? strtod(at + 5, NULL) / 1024 : 0;
}

struct ask {
    Cargocd__Repo__Repository repo;
    request_t q;
    char url[256], source[64], name[32], key[128];
};

/* For the application `name`, which is the directory `path` of a fixture's repository. */
static inline void ask_init(struct ask *a, const char *repo, const char *path, const char *name)
{
    cargocd__repo__repository__init(&a->repo);
    cargocd__repo__generate_manifest_request__init(&a->q);
    snprintf(a->url, sizeof(a->url), "file://%s/%s.git", fx_dir(), repo);
    snprintf(a->source, sizeof(a->source), "{\"path\":\"%s\"}", path);
    snprintf(a->name, sizeof(a->name), "%s", name);
    a->repo.url = a->url;
    a->q.repo = &a->repo;
    a->q.source = (ProtobufCBinaryData){strlen(a->source), (uint8_t *)a->source};
    a->q.app_name = a->name;
    a->q.namespace_ = (char *)"prod";
    a->q.app_label_key = (char *)"app.kubernetes.io/instance";
}

/* Remembers the key; returns the milliseconds. manifests may be NULL. */
static inline double ask_once(struct daemon *d, struct ask *a, size_t *manifests)
{
    AUTO_ERR err = NULL;
    response_t *out = NULL;
    mono_t begun = mono_now();
    check(rpc_do(d->client, "repo.GenerateManifest", &a->q.base,
                 &cargocd__repo__generate_manifest_response__descriptor, SECONDS(60), NULL,
                 (ProtobufCMessage **)&out, &err),
          err);
    double ms = (double)(mono_now().ns - begun.ns) / 1e6;
    snprintf(a->key, sizeof(a->key), "%s", out->key);
    if (manifests)
        *manifests = out->n_manifests;
    protobuf_c_message_free_unpacked(&out->base, NULL);
    return ms;
}

#endif
