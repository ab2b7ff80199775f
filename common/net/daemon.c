#include "common/net/daemon.h"
#include "common/base/enc.h"
#include "common/base/intern.h"
#include "common/base/log.h"
#include "common/base/thread.h"
#include "common/base/vec.h"
#include "common/net/rpc.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static sigset_t end_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

void daemon_setup(void)
{
    process_setup();
    sigset_t set = end_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    rpc_setup();
}

void daemon_wait(void)
{
    sigset_t set = end_signals();
    int signal;
    while (sigwait(&set, &signal) != 0)
        ;
}

bool daemon_wait_for(int64_t timeout_ns)
{
    sigset_t set = end_signals();
    struct timespec t = {timeout_ns / NS_PER_SEC, timeout_ns % NS_PER_SEC};
    return sigtimedwait(&set, NULL, &t) > 0;
}

static const char *env_name(const char *prefix, const char *name)
{
    AUTO(free_p) char *text = xasprintf("%s_%s", prefix, name);
    return intern(text);
}

void daemon_flags(struct daemon_options *o, const char *env_prefix, struct flag out[DAEMON_FLAGS])
{
    const struct flag flags[DAEMON_FLAGS] = {
        {.name = "logformat",
         .type = FLAG_STRING,
         .target = &o->log_format,
         .env = env_name(env_prefix, "LOGFORMAT"),
         .fallback = "json",
         .help = "Set the logging format. One of: json|text"},
        {.name = "loglevel",
         .type = FLAG_STRING,
         .target = &o->log_level,
         .env = env_name(env_prefix, "LOGLEVEL"),
         .fallback = "info",
         .help = "Set the logging level. One of: debug|info|warn|error"},
        {.name = "log-format-timestamp",
         .type = FLAG_STRING,
         .target = &o->log_time,
         .env = "ARGOCD_LOG_FORMAT_TIMESTAMP",
         .fallback = "",
         .help = "Layout of the logs' timestamps, as Go's time package has it; by default RFC 3339"},
        {.name = "redis",
         .type = FLAG_STRING,
         .target = &o->redis_server,
         .env = "REDIS_SERVER",
         .fallback = "",
         .help = "Redis server hostname and port (argocd-redis:6379), or unix:///path; empty for none"},
        {.name = "redisdb",
         .type = FLAG_INT,
         .target = &o->redis_db,
         .env = "REDISDB",
         .fallback = "0",
         .max = 1000,
         .help = "Redis database"},
        {.name = "redis-username",
         .type = FLAG_STRING,
         .target = &o->redis_username,
         .env = "REDIS_USERNAME",
         .fallback = "",
         .help = "Redis user"},
        {.name = "redis-password",
         .type = FLAG_STRING,
         .target = &o->redis_password,
         .env = "REDIS_PASSWORD",
         .fallback = "",
         .help = "Redis password (prefer the environment)"},
        {.name = "redis-creds-dir",
         .type = FLAG_STRING,
         .target = &o->redis_creds_dir,
         .env = "REDIS_CREDS_DIR_PATH",
         .fallback = "",
         .help = "Directory with the files auth and auth_username"},
        {.name = "redis-key-prefix",
         .type = FLAG_STRING,
         .target = &o->redis_prefix,
         .env = "ARGOCD_REDIS_KEY_PREFIX",
         .fallback = "",
         .help = "Prefix of all keys in Redis"},
        {.name = "sentinel",
         .type = FLAG_STRINGS,
         .target = &o->redis_sentinels,
         .env = "REDIS_SENTINEL_HOSTS",
         .help = "Redis sentinel hostname and port (e.g. argocd-redis-ha-announce-0:6379)"},
        {.name = "sentinelmaster",
         .type = FLAG_STRING,
         .target = &o->redis_sentinel_master,
         .env = "REDIS_SENTINEL_MASTER",
         .fallback = "master",
         .help = "Redis sentinel master group name"},
        {.name = "redis-sentinel-username",
         .type = FLAG_STRING,
         .target = &o->redis_sentinel_username,
         .env = "REDIS_SENTINEL_USERNAME",
         .fallback = "",
         .help = "User at the sentinels"},
        {.name = "redis-sentinel-password",
         .type = FLAG_STRING,
         .target = &o->redis_sentinel_password,
         .env = "REDIS_SENTINEL_PASSWORD",
         .fallback = "",
         .help = "Password at the sentinels (prefer the environment)"},
        {.name = "redis-use-tls",
         .type = FLAG_BOOL,
         .target = &o->redis_tls,
         .fallback = "false",
         .help = "Use TLS when connecting to Redis"},
        {.name = "redis-insecure-skip-tls-verify",
         .type = FLAG_BOOL,
         .target = &o->redis_tls_insecure,
         .fallback = "false",
         .help = "Skip Redis server certificate validation"},
        {.name = "redis-ca-certificate",
         .type = FLAG_STRING,
         .target = &o->redis_ca,
         .fallback = "",
         .help = "Path to Redis server CA certificate; by default the system's authorities"},
        {.name = "redis-client-certificate",
         .type = FLAG_STRING,
         .target = &o->redis_cert,
         .fallback = "",
         .help = "Path to Redis client certificate"},
        {.name = "redis-client-key",
         .type = FLAG_STRING,
         .target = &o->redis_key,
         .fallback = "",
         .help = "Path to Redis client key"},
        {.name = "redis-compress",
         .type = FLAG_STRING,
         .target = &o->redis_compression,
         .env = "REDIS_COMPRESSION",
         .fallback = "gzip",
         .help = "Taken for Argo CD's arguments; without effect"},
        {.name = "redis-retry-count",
         .type = FLAG_INT,
         .target = &o->redis_retries,
         .env = "REDIS_RETRY_COUNT",
         .fallback = "3",
         .max = 1000,
         .help = "Taken for Argo CD's arguments; without effect"},
        {.name = "seal-keys",
         .type = FLAG_STRING,
         .target = &o->seal_path,
         .env = "CARGOCD_SEAL_KEYS_PATH",
         .fallback = "/app/config/cargocd/seal",
         .help = "Directory of the keys that seal what is kept in Redis"},
        {.name = "rpc-tls",
         .type = FLAG_STRING,
         .target = &o->tls_path,
         .env = "CARGOCD_TLS_PATH",
         .fallback = "/app/config/cargocd/tls",
         .help = "Directory with tls.crt, tls.key and ca.crt of the connections between the daemons"},
        {.name = "rpc-plaintext",
         .type = FLAG_BOOL,
         .target = &o->plaintext,
         .env = "CARGOCD_RPC_PLAINTEXT",
         .fallback = "false",
         .help = "Connections between the daemons without TLS"},
    };
    memcpy(out, flags, sizeof(flags));
}

int daemon_log_setup(const struct daemon_options *o, err_t **err)
{
    log_set_time_layout(o->log_time);
    return log_setup(o->log_format, o->log_level, err);
}

void daemon_options_dispose(struct daemon_options *o)
{
    for (size_t i = 0; i < ARRAY_LEN(o->texts); i++)
        free(o->texts[i]);
}

/* ---- Redis ---- */

static char *read_trimmed(const char *dir, const char *name)
{
    AUTO(free_p) char *path = xasprintf("%s/%s", dir, name);
    AUTO_STR text = STR_INIT;
    if (str_empty(dir) || file_read(path, &text, NULL) < 0)
        return NULL;
    view_t v = view_trim(view_of(str_text(&text)));
    return v.n ? xstrndup(v.p, v.n) : NULL;
}

redis_t *daemon_redis(const struct daemon_options *o)
{
    AUTO(free_p) char *user = read_trimmed(o->redis_creds_dir, "auth_username");
    AUTO(free_p) char *password = read_trimmed(o->redis_creds_dir, "auth");
    AUTO(free_p) char *sentinel_user = read_trimmed(o->redis_creds_dir, "sentinel_username");
    AUTO(free_p) char *sentinel_password = read_trimmed(o->redis_creds_dir, "sentinel_auth");
    struct redis_options r = {.server = o->redis_server,
                              .username = user ? user : o->redis_username,
                              .password = password ? password : o->redis_password,
                              .db = o->redis_db,
                              .key_prefix = o->redis_prefix,
                              .sentinels = o->redis_sentinels,
                              .sentinel_master = o->redis_sentinel_master,
                              .sentinel_username = sentinel_user ? sentinel_user : o->redis_sentinel_username,
                              .sentinel_password = sentinel_password ? sentinel_password
                                                                     : o->redis_sentinel_password,
                              .tls = o->redis_tls,
                              .tls_insecure = o->redis_tls_insecure,
                              .tls_ca = o->redis_ca,
                              .tls_cert = o->redis_cert,
                              .tls_key = o->redis_key};
    return redis_new(&r);
}

/* ---- seals ---- */

static int newest_first(const void *a, const void *b)
{
    const struct seal_key *x = a, *y = b;
    return (x->id < y->id) - (x->id > y->id);
}

static int read_key(const char *dir, const char *name, struct seal_key *out, err_t **err)
{
    AUTO(free_p) char *text = read_trimmed(dir, name);
    if (!text || strlen(text) != 2 * SEAL_KEY_SIZE || !hex_decode(text, strlen(text), out->key))
        return err_set(err, ERR_INVALID_ARGUMENT, "seal key %s/%s: not %d hex digits", dir, name,
                       2 * SEAL_KEY_SIZE);
    explicit_bzero(text, strlen(text));
    return 0;
}

int daemon_seal(const struct daemon_options *o, const char *owner, seal_t **out, err_t **err)
{
    *out = NULL;
    DIR *dir = opendir(o->seal_path);
    if (!dir)
        return 0;
    AUTO(free_p) char *prefix = xasprintf("%s.", owner);
    VEC(struct seal_key) keys = {};
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(dir));) {
        uint64_t id;
        struct seal_key key;
        if (!str_has_prefix(e->d_name, prefix) || !str_to_u64(e->d_name + strlen(prefix), &id) ||
            id > UINT32_MAX)
            continue;
        key.id = (uint32_t)id;
        r = read_key(o->seal_path, e->d_name, &key, err);
        if (r == 0)
            VEC_PUSH(&keys, key);
    }
    closedir(dir);
    VEC_SORT(&keys, newest_first);
    if (r == 0 && keys.n)
        *out = seal_new(keys.v, keys.n);
    if (keys.n)
        explicit_bzero(keys.v, keys.n * sizeof(*keys.v));
    VEC_FREE(&keys);
    return r;
}

/* ---- addresses ---- */

static void certificate_files(struct daemon_options *o)
{
    static const char *const names[] = {"tls.crt", "tls.key", "ca.crt"};
    if (!o->texts[0])
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            o->texts[i] = xasprintf("%s/%s", o->tls_path, names[i]);
    o->files = (struct tls_files){.cert = o->texts[0], .key = o->texts[1], .ca = o->texts[2]};
}

int daemon_address(struct daemon_options *o, const char *text, char **address, struct tls_files *tls,
                   err_t **err)
{
    *tls = (struct tls_files){};
    if (str_has_prefix(text, "ipc://") || (o->plaintext && str_has_prefix(text, "tcp://"))) {
        *address = xstrdup(text);
        return 0;
    }
    const char *place = strstr(text, "://");
    place = place ? place + 3 : text;
    if (o->plaintext) {
        *address = xasprintf("tcp://%s", place);
        return 0;
    }
    certificate_files(o);
    if (access(o->files.cert, R_OK) != 0)
        return err_set_errno(
            err, errno,
            "%s: connections between the daemons need certificates (--rpc-tls; --rpc-plaintext for none): %s",
            text, o->files.cert);
    *tls = o->files;
    *address = xasprintf("tls+tcp://%s", place);
    return 0;
}
