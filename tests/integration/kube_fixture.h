/* A real cluster for a test or a benchmark: KUBECONFIG, and a namespace that goes away at the end. */
#ifndef CARGOCD_TESTS_INTEGRATION_KUBE_FIXTURE_H
#define CARGOCD_TESTS_INTEGRATION_KUBE_FIXTURE_H

#include "common/base/rand.h"
#include "common/base/thread.h"
#include "common/kube/kube.h"

#include <stdio.h>

struct fixture {
    http_t *io;
    kube_t *k;
    kube_api_t *api;
    char ns[40];
    const struct kube_resource *namespaces, *configmaps, *deployments;
};

/* NULL when all is well, else why there is no cluster. */
static UNUSED const char *fixture_open(struct fixture *f, double qps)
{
    static char why[300];
    AUTO_ERR err = NULL;
    struct kube_config config;
    const char *path = getenv("KUBECONFIG");
    if (str_empty(path))
        return "KUBECONFIG is not set";
    if (kube_config_load(NULL, NULL, &config, &err) < 0) {
        snprintf(why, sizeof(why), "%s", err_text(err));
        return why;
    }
    f->io = http_new("kube-io");
    int r = kube_open(&config, &(struct kube_options){.io = f->io, .qps = qps}, &f->k, &err);
    kube_config_dispose(&config);
    if (r < 0 || kube_discover(f->k, &f->api, NULL, &err) < 0) {
        snprintf(why, sizeof(why), "%s", err_text(err));
        return why;
    }
    f->namespaces = kube_api_find(f->api, "", NULL, "Namespace");
    f->configmaps = kube_api_find(f->api, "", NULL, "ConfigMap");
    f->deployments = kube_api_find(f->api, "apps", NULL, "Deployment");
    AUTO(free_p) char *suffix = random_text(8, "abcdefghijklmnopqrstuvwxyz");
    snprintf(f->ns, sizeof(f->ns), "cargocd-test-%s", suffix);
    AUTO_JSON ns = json_object();
    json_set_str(ns, "apiVersion", "v1");
    json_set_str(ns, "kind", "Namespace");
    json_put_at(ns, json_str_new(f->ns), "metadata", "name");
    if (kube_create(f->k, f->namespaces, NULL, ns, NULL, NULL, &err) < 0) {
        snprintf(why, sizeof(why), "%s", err_text(err));
        return why;
    }
    return NULL;
}

static UNUSED void fixture_close(struct fixture *f)
{
    if (*f->ns)
        kube_delete(f->k, f->namespaces, NULL, f->ns, NULL, NULL, NULL);
    kube_api_unref(f->api);
    kube_close(f->k);
    http_free(f->io);
}

/* A ConfigMap with a label and one value. */
static UNUSED json_t *make_configmap(const char *name, const char *label, const char *value)
{
    json_t *o = json_object();
    json_set_str(o, "apiVersion", "v1");
    json_set_str(o, "kind", "ConfigMap");
    json_put_at(o, json_str_new(name), "metadata", "name");
    if (label)
        json_put_at(o, json_str_new(label), "metadata", "labels", "x");
    json_put_at(o, json_str_new(value), "data", "v");
    return o;
}

/* Calls fn(arg, i) for 0 <= i < n on `threads` threads. */
struct share {
    size_t n, next;
    void (*fn)(void *arg, size_t i);
    void *arg;
};

static UNUSED void *share_run(void *arg)
{
    struct share *s = arg;
    for (size_t i; (i = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED)) < s->n;)
        s->fn(s->arg, i);
    return NULL;
}

static UNUSED void in_parallel(size_t threads, size_t n, void (*fn)(void *arg, size_t i), void *arg)
{
    struct share s = {n, 0, fn, arg};
    pthread_t t[64];
    for (size_t i = 0; i < threads; i++)
        t[i] = thread_start("share", share_run, &s);
    for (size_t i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
}

#endif
