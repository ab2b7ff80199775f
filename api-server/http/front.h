/* The front door: one port that carries plain HTTP/1.1, HTTP/2 with prior knowledge, and both over TLS.
 *
 * One thread accepts, tells the protocols apart by their first bytes and by ALPN, does TLS, and moves bytes.
 * What a request means is the dispatcher's (front_ops), and handlers run elsewhere. Every wait of a client
 * has a limit: first bytes and TLS handshake together, the head, the body (a minimum rate), the time between
 * requests, and a response that is not taken. Bodies count against one budget for all connections. */
#ifndef CARGOCD_API_HTTP_FRONT_H
#define CARGOCD_API_HTTP_FRONT_H

#include "api-server/http/exchange.h"

typedef struct front front_t;

struct front_ops {
    /* The head is complete: how many bytes of body are acceptable. On the loop's thread; must not block. */
    size_t (*body_limit)(void *ctx, const struct web_request *r);
    /* The request is complete; takes a reference. On the loop's thread; must not block. */
    void (*request)(void *ctx, exchange_t *ex_take);
};

struct front_options {
    const char *address; /* to listen on; "" or NULL: all */
    int port;            /* 0: any */
    bool tls;            /* with cert_pem and key_pem; plain HTTP is then redirected */
    const char *cert_pem, *key_pem;
    const char *tls_min, *tls_max; /* "1.2", "1.3"; NULL: these */
    const char *ciphers; /* of TLS 1.2, OpenSSL's or IANA's names, colon-separated; NULL: OpenSSL's default */
    const char *root_path;  /* prefix in redirects; NULL: none */
    size_t max_connections; /* 0: 10,000 */
    size_t body_budget;     /* bytes of all bodies under way; 0: 512 MiB */
    int64_t head_timeout_ns, body_timeout_ns, idle_timeout_ns,
        write_timeout_ns; /* 0: 10 s, 30 s, 120 s, 60 s */
    const struct front_ops *ops;
    void *ctx;
};

int front_start(const struct front_options *options, front_t **out, err_t **err);
int front_port(const front_t *f);
/* Takes effect for the next handshakes. */
int front_set_certificate(front_t *f, const char *cert_pem, const char *key_pem, err_t **err);
/* Stops accepting, finishes what is under way within the grace, closes the rest. Handlers may still answer.
 */
void front_stop(front_t *f, int64_t grace_ns);
/* After front_stop, when no handler is left. */
void front_free(front_t *f);

struct front_stats {
    size_t connections, tls_handshakes_failed, rejected;
    uint64_t accepted, requests, bytes_in, bytes_out;
};
void front_stats(front_t *f, struct front_stats *out);

/* For exchanges: hands an answer or a wake-up to the loop. */
void front_post(front_t *f, exchange_t *ex);
void front_budget_return(front_t *f, size_t n);

#endif
