/* kubesim: one simulated cluster. Everything runs on one thread, the loop's. */
#ifndef CARGOCD_KUBESIM_SIM_H
#define CARGOCD_KUBESIM_SIM_H

#include "tests/kubesim/http.h"
#include "tests/kubesim/registry.h"
#include "tests/kubesim/store.h"

/* Delays of the simulated parts; all ns. */
struct sim_delays {
    int64_t controller; /* from a change to the controller's reaction */
    int64_t schedule;   /* from a pod's creation to its node */
    int64_t start;      /* from its node to running */
    int64_t ready;      /* from running to ready */
    int64_t stop;       /* from its deletion to its end */
    int64_t run;        /* how long a container runs whose command does not say */
    int64_t backoff;    /* a Job's or container's first pause after a failure; doubles */
    int64_t bookmark;   /* between bookmarks of a watch */
    int64_t log_line;   /* between lines of a synthetic log */
    int64_t establish;  /* from a CustomResourceDefinition to its being served */
};

struct sim_options {
    char *git_version;   /* "v1.34.0"; owned by the sim */
    const char *token;   /* bearer; NULL: none */
    const char *root_ca; /* PEM that signs the server's certificate; NULL: none */
    bool authenticate;   /* requests without credentials are anonymous */
    int64_t nodes;
    int64_t max_changes, max_history_bytes, max_writes;
    struct sim_delays delays;
};

struct faults;
struct audit;
struct controllers;
struct allocator;
struct sim {
    struct sim_options options;
    loop_t *loop;
    http_server_t *http;
    struct registry registry;
    store_t *store;
    struct faults *faults;
    struct audit *audit;
    struct controllers *controllers;
    struct allocator *allocator;
    map_t definitions; /* name of a CustomResourceDefinition -> its spec as it is served */
    map_t pod_stages;  /* "namespace/name" -> when the pod enters its next stage (ctl_pod.c) */
    map_t job_retries; /* "namespace/name" -> when a Job may try again (ctl_job.c) */
};

/* Namespaces, nodes and what else a fresh cluster has. */
struct sim *sim_new(loop_t *loop, const struct sim_options *options) MUST_USE;
void sim_free(struct sim *s);
/* The handler of the HTTP server. */
void sim_handle(void *sim, struct request *r);

/* 34 for v1.34.2. */
int sim_minor(const struct sim *s);
/* Now, as Kubernetes writes it in metadata. */
json_t *sim_now(void) MUST_USE;

#endif
