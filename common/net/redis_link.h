/* One connection to Redis, and what a redis_t consists of. Internal to common/net.
 *
 * A thread of its own makes the connections: it is the only one that ever waits for a connect, a name or a
 * sentinel, and it carries the subscription. Callers borrow one of a few connections for each command, and
 * hear ERR_UNAVAILABLE at once when there is none. When a connection fails, all of its generation go: they
 * lead to the same dead server. */
#ifndef CARGOCD_NET_REDIS_LINK_H
#define CARGOCD_NET_REDIS_LINK_H

#include "common/base/thread.h"
#include "common/base/vec.h"
#include "common/net/redis.h"

#include <hiredis/hiredis.h>

enum { REDIS_MAX_LINKS = 4 };

struct redis_link {
    redisContext *c;
    struct ssl_st *ssl; /* NULL: plain */
    uint64_t generation;
};

struct redis {
    struct redis_options o; /* owned copies */
    redis_observe_fn observe;
    void *observe_arg;
    pthread_t thread;
    bool threaded;
    int wake; /* an eventfd that ends the thread's sleep */

    lock_t lock; /* guards what follows */
    cond_t changed;
    bool closing, tried; /* tried: a first attempt to connect has ended */
    VEC(struct redis_link *) idle;
    size_t nlinks; /* idle and borrowed */
    bool want;     /* a caller waits and one more is allowed */
    uint64_t generation;
    err_t *error; /* why there is no connection */
    struct redis_subscription sub;
    bool subscribe; /* sub is set */

    const char *initiator; /* of redis_measure */
    metric_t *requests, *durations;
};

/* ---- redis_link.c ---- */
/* Connects, also through sentinels, authenticates, selects the database. Blocks up to the timeout a few
 * times. */
int redis_link_open(const struct redis_options *o, struct redis_link **out, err_t **err);
void redis_link_close(struct redis_link *l);
AUTO_DECL(redis_reply_free_p, redisReply, freeReplyObject)

struct redis_command {
    int argc;
    const char *argv[8];
    size_t lens[8];
};
/* Adds a word to a command. */
void redis_arg(struct redis_command *c, const void *p, size_t n);
void redis_arg_text(struct redis_command *c, const char *text);
/* Sends the commands together and reads as many replies, each up to max bytes. *broken: the connection is of
 * no use any more. The first reply that is an error is the result; replies[i] (may be NULL) is the caller's
 * if it is not an error. */
int redis_link_do(struct redis_link *l, const struct redis_command *commands, size_t n, size_t max,
                  int64_t timeout_ns, redisReply **replies, bool *broken, err_t **err);
/* As redisBufferWrite, whatever is between the socket and us. */
int redis_link_write(struct redis_link *l, int *done, err_t **err);
/* One more reply that is on its way; 0 with *out NULL: not whole yet. It reads what is there without waiting.
 */
int redis_link_poll(struct redis_link *l, size_t max, redisReply **out, err_t **err);

/* ---- redis_tls.c ---- */
/* Makes the connection, which is new, a session with `host`. */
int redis_tls_start(struct redis_link *l, const struct redis_options *o, const char *host, err_t **err);
void redis_tls_end(struct redis_link *l);
/* As redisBufferWrite and redisBufferRead. */
int redis_tls_write(struct redis_link *l, int *done, err_t **err);
int redis_tls_read(struct redis_link *l, err_t **err);
/* Whether bytes have been read from the socket that nobody has asked for yet. */
bool redis_tls_pending(const struct redis_link *l);

/* ---- redis_thread.c ---- */
void *redis_thread(void *arg);
void redis_wake(redis_t *r);
/* Under the lock: a connection failed, all like it go. */
void redis_lost(redis_t *r, uint64_t generation);

#endif
