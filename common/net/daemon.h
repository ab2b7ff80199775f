/* What the daemons have in common at start-up: signals, logging, Redis, seals, the certificates between them.
 */
#ifndef CARGOCD_NET_DAEMON_H
#define CARGOCD_NET_DAEMON_H

#include "common/base/flag.h"
#include "common/net/redis.h"
#include "common/net/tls.h"

struct daemon_options {
    char *log_format, *log_level, *log_time;
    char *redis_server, *redis_username, *redis_password, *redis_prefix, *redis_creds_dir,
        *redis_sentinel_master, *redis_sentinel_username, *redis_sentinel_password;
    char *redis_ca, *redis_cert, *redis_key; /* files */
    bool redis_tls, redis_tls_insecure;
    char *redis_compression; /* taken without effect: what is sealed is compressed in its own way */
    int64_t redis_retries;   /* … : a copy that cannot be had is done without */
    char **redis_sentinels;
    int64_t redis_db;
    char *seal_path; /* directory of seal keys */
    char *tls_path;  /* directory with tls.crt, tls.key, ca.crt */
    bool plaintext;  /* RPC over TCP without TLS is meant */
    /* private */
    char *texts[3];
    struct tls_files files;
};

/* To be called first in main: locale, allocator, nng; SIGTERM and SIGINT wait for daemon_wait. */
void daemon_setup(void);

enum { DAEMON_FLAGS = 23 };
/* Fills out[0..DAEMON_FLAGS) with the flags of the options. env_prefix is the daemon's: "ARGOCD_REPO_SERVER".
 */
void daemon_flags(struct daemon_options *o, const char *env_prefix, struct flag out[DAEMON_FLAGS]);
/* log_setup with the options. */
int daemon_log_setup(const struct daemon_options *o, err_t **err);
/* What flags_dispose does not free. */
void daemon_options_dispose(struct daemon_options *o);

/* Never fails for an absent server; REDIS_CREDS_DIR_PATH holds files named as Argo CD mounts them. */
redis_t *daemon_redis(const struct daemon_options *o) MUST_USE;
/* The keys that seal `owner`'s ("controller", "repo") entries: files "<owner>.<number>" of 64 hex digits, the
 * highest number first. *out NULL when there are none: then nothing is shared through Redis. */
int daemon_seal(const struct daemon_options *o, const char *owner, seal_t **out, err_t **err);
/* "host:port", or an address with a scheme, as an RPC address (the caller's) and what TLS it needs.
 * Certificates that are not there are an error unless plain text is meant. */
int daemon_address(struct daemon_options *o, const char *text, char **address, struct tls_files *tls,
                   err_t **err);

/* Blocks until the process is asked to end. */
void daemon_wait(void);
/* The same for at most timeout_ns; true when asked. */
bool daemon_wait_for(int64_t timeout_ns);

#endif
