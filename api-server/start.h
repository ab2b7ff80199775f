/* Putting the api-server together, and taking it apart. */
#ifndef CARGOCD_API_START_H
#define CARGOCD_API_START_H

#include "api-server/services/server.h"
#include "common/net/daemon.h"

struct process {
    struct daemon_options daemon;
    struct server_flags flags;
    char *kubeconfig, *context, *ns;
    char *repo_server, *controller;
    char *address, *metrics_address;
    char *tls_min, *tls_max, *tls_ciphers;
    int64_t port, metrics_port, qps, burst;
    int64_t login_failures, login_window_s, login_names, logins, replicas;
    int64_t grpc_max_mb;
    bool prepare;       /* make what the daemons' pods start with, and end */
    char *redis_secret; /* where prepare puts a password for Redis; empty: nowhere */
    char *port_file;    /* the ports that were bound are written here, for tests and the demo */
};

/* Runs until the process is asked to end. */
int server_run(struct process *p, err_t **err);

#endif
