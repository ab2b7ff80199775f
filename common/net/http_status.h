/* The small server of every daemon: /healthz and /metrics, on nng's HTTP server. */
#ifndef CARGOCD_NET_HTTP_STATUS_H
#define CARGOCD_NET_HTTP_STATUS_H

#include "common/base/err.h"
#include "common/base/metrics.h"

typedef struct http_status http_status_t;
struct http_status_options {
    const char *address; /* "0.0.0.0" */
    unsigned port;       /* 0: any */
    metrics_t *metrics;  /* NULL: no /metrics */
    /* 0: healthy. `full`: the query has full=true, and a check may take a moment. NULL: always healthy. Any
     * thread. */
    int (*health)(void *arg, bool full, err_t **err);
    void *arg;
};
int http_status_start(const struct http_status_options *options, http_status_t **out, err_t **err);
void http_status_free(http_status_t *s);
unsigned http_status_port(const http_status_t *s);

#endif
