/* Redis: disposable copies for readers, and news. It may be flushed, restarted or absent at any moment; every
 * call then fails fast with ERR_UNAVAILABLE (no more than one connection attempt a second, in the
 * background), and callers go on without it.
 *
 * Values are sealed (architecture: "Authenticated hops"): AES-256-GCM under a key of their own with the Redis
 * key as associated data and issue time and lifetime inside, so that a forged, swapped, stale or foreign
 * entry is a miss, and counted. */
#ifndef CARGOCD_NET_REDIS_H
#define CARGOCD_NET_REDIS_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/metrics.h"
#include "common/base/str.h"

typedef struct redis redis_t;
struct redis_options {
    const char
        *server; /* "host:port" or "unix:///path"; "" or NULL: no Redis, every call is ERR_UNAVAILABLE */
    const char *username, *password;
    int64_t db;
    const char *key_prefix;
    char *const *sentinels; /* "host:port"; NULL-terminated; NULL: none */
    const char *sentinel_master;
    const char *sentinel_username, *sentinel_password;
    bool tls;                                /* to the server and to the sentinels; not over a unix socket */
    bool tls_insecure;                       /* the server is not verified */
    const char *tls_ca, *tls_cert, *tls_key; /* PEM files; ca NULL or "": the system's; cert: none */
    int64_t timeout_ns;                      /* per command; 0: 1 s */
};
/* Never fails for an absent server. */
redis_t *redis_new(const struct redis_options *options) MUST_USE;
void redis_free(redis_t *r);
bool redis_available(redis_t *r);
/* Called after each command ("get", "set" …), for metrics. A miss is no failure. To be set before the first
 * one. */
typedef void (*redis_observe_fn)(void *arg, const char *command, bool failed, int64_t duration_ns);
void redis_observe(redis_t *r, redis_observe_fn fn, void *arg);
/* An observer that counts commands as Argo CD's servers do: argocd_redis_request_total,
 * argocd_redis_request_duration_seconds. Before the first command; the initiator is borrowed. Either may be
 * NULL. */
void redis_measure(redis_t *r, metrics_t *m, const char *initiator);

/* ERR_NOT_FOUND for a miss. Keys get the prefix. */
int redis_get(redis_t *r, const char *key, str_t *out, err_t **err);
int redis_set(redis_t *r, const char *key, const void *p, size_t n, int64_t ttl_ns, err_t **err);
/* 0: it was not there and is set now; ERR_ALREADY_EXISTS. */
int redis_set_if_absent(redis_t *r, const char *key, const void *p, size_t n, int64_t ttl_ns, err_t **err);
int redis_del(redis_t *r, const char *key, err_t **err);
int redis_publish(redis_t *r, const char *channel, const void *p, size_t n, err_t **err);
/* Several commands in one round trip; results are not looked at beyond the first error. */
struct redis_write {
    enum { REDIS_SET, REDIS_DEL, REDIS_PUBLISH } kind;
    const char *key; /* or channel */
    const void *p;
    size_t n;
    int64_t ttl_ns;
};
int redis_pipeline(redis_t *r, const struct redis_write *writes, size_t n, err_t **err);

/* One subscription thread per redis_t. on_message runs there; on_state tells when the subscription is (again)
 * in force (true: news may have been missed before) and when it is lost. Channels get no prefix. Further
 * calls do nothing. */
struct redis_subscription {
    const char *pattern; /* PSUBSCRIBE */
    void (*on_message)(void *arg, const char *channel, const char *p, size_t n);
    void (*on_state)(void *arg, bool subscribed);
    void *arg;
};
void redis_subscribe(redis_t *r, const struct redis_subscription *s);

/* ---- sealed values ---- */

enum { SEAL_KEY_SIZE = 32 };
/* The keys that open, newest first; the first one seals. Reference-free: belongs to one owner, immutable,
 * shareable. */
typedef struct seal seal_t;
struct seal_key {
    uint32_t id;
    unsigned char key[SEAL_KEY_SIZE];
};
seal_t *seal_new(const struct seal_key *keys, size_t n) MUST_USE;
void seal_free(seal_t *s);
/* The plain text is compressed (zstd) when that pays. max_age_ns <= 0: it never grows too old. *out has
 * overflowed when it does not take the value, when that is over 1 GiB, and when there is no key. */
void seal_close(const seal_t *s, const char *redis_key, const void *p, size_t n, int64_t max_age_ns,
                wall_t now, str_t *out);
/* ERR_DATA_LOSS: forged, swapped, of another key; ERR_OUT_OF_RANGE: too old. At most max bytes come out. */
int seal_open(const seal_t *s, const char *redis_key, const void *p, size_t n, wall_t now, size_t max,
              str_t *out, err_t **err);
struct seal_stats {
    uint64_t opened, forged, stale;
};
void seal_stats(const seal_t *s, struct seal_stats *out);

/* get and set with sealing, under the key with its prefix; a refused entry is ERR_NOT_FOUND (and counted). */
int redis_get_sealed(redis_t *r, const seal_t *s, const char *key, size_t max, str_t *out, err_t **err);
int redis_set_sealed(redis_t *r, const seal_t *s, const char *key, const void *p, size_t n, int64_t ttl_ns,
                     err_t **err);

#endif
