#include "common/net/redis_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

enum { SMALL_REPLY = 1 << 20 };

/* What Redis' error replies mean to a caller. `gone`: another connection may lead to a better server. */
static const struct {
    const char *prefix;
    enum err_code code;
    bool gone;
} replies_of_error[] = {
    {"READONLY", ERR_UNAVAILABLE, true},           {"LOADING", ERR_UNAVAILABLE, true},
    {"MASTERDOWN", ERR_UNAVAILABLE, true},         {"NOAUTH", ERR_UNAVAILABLE, true},
    {"WRONGPASS", ERR_UNAVAILABLE, true},          {"NOPERM", ERR_PERMISSION_DENIED, false},
    {"OOM", ERR_RESOURCE_EXHAUSTED, false},        {"MISCONF", ERR_UNAVAILABLE, false},
    {"WRONGTYPE", ERR_FAILED_PRECONDITION, false},
};

static int error_reply(const redisReply *reply, bool *broken, err_t **err)
{
    for (size_t i = 0; i < ARRAY_LEN(replies_of_error); i++) {
        if (!str_has_prefix(reply->str, replies_of_error[i].prefix))
            continue;
        *broken |= replies_of_error[i].gone;
        return err_set(err, replies_of_error[i].code, "redis: %s", reply->str);
    }
    return err_set(err, ERR_INTERNAL, "redis: %s", reply->str);
}

static int io_error(const redisContext *c, err_t **err)
{
    return err_set(err, ERR_UNAVAILABLE, "redis: %s", c->err ? c->errstr : "connection lost");
}

void redis_arg(struct redis_command *c, const void *p, size_t n)
{
    c->argv[c->argc] = p ? p : "";
    c->lens[c->argc++] = n;
}

void redis_arg_text(struct redis_command *c, const char *text)
{
    redis_arg(c, text, strlen(text));
}

int redis_link_write(struct redis_link *l, int *done, err_t **err)
{
    if (l->ssl)
        return redis_tls_write(l, done, err);
    return redisBufferWrite(l->c, done) == REDIS_OK ? 0 : io_error(l->c, err);
}

static int read_some(struct redis_link *l, err_t **err)
{
    if (l->ssl)
        return redis_tls_read(l, err);
    return redisBufferRead(l->c) == REDIS_OK ? 0 : io_error(l->c, err);
}

static int send_all(struct redis_link *l, mono_t deadline, err_t **err)
{
    for (int done = 0; !done;) {
        int r = redis_link_write(l, &done, err);
        if (r < 0)
            return r;
        if (!done && !mono_left(deadline))
            return err_set(err, ERR_UNAVAILABLE, "redis: it takes no data");
    }
    return 0;
}

int redis_link_poll(struct redis_link *l, size_t max, redisReply **out, err_t **err)
{
    void *reply = NULL;
    *out = NULL;
    if (redisGetReplyFromReader(l->c, &reply) != REDIS_OK)
        return io_error(l->c, err);
    if (reply) {
        *out = reply;
        return 0;
    }
    struct pollfd p = {.fd = l->c->fd, .events = POLLIN};
    if (!redis_tls_pending(l) && poll(&p, 1, 0) == 0)
        return 0;
    int r = read_some(l, err);
    if (r < 0)
        return r;
    if (l->c->reader->len > max)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "redis: a reply of more than %zu bytes", max);
    if (redisGetReplyFromReader(l->c, &reply) != REDIS_OK)
        return io_error(l->c, err);
    *out = reply;
    return 0;
}

static int next_reply(struct redis_link *l, size_t max, mono_t deadline, redisReply **out, err_t **err)
{
    for (;;) {
        int r = redis_link_poll(l, max, out, err);
        if (r < 0 || *out)
            return r;
        int64_t left = mono_left(deadline);
        struct pollfd p = {.fd = l->c->fd, .events = POLLIN};
        if (left == 0)
            return err_set(err, ERR_UNAVAILABLE, "redis: no answer in time");
        if (poll(&p, 1, (int)(left / NS_PER_MS) + 1) < 0 && errno != EINTR)
            return err_set_errno(err, errno, "redis: wait");
    }
}

int redis_link_do(struct redis_link *l, const struct redis_command *commands, size_t n, size_t max,
                  int64_t timeout_ns, redisReply **replies, bool *broken, err_t **err)
{
    mono_t deadline = mono_after(mono_now(), timeout_ns);
    for (size_t i = 0; i < n; i++)
        redisAppendCommandArgv(l->c, commands[i].argc, (const char **)commands[i].argv, commands[i].lens);
    int result = 0, r = send_all(l, deadline, err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        AUTO(redis_reply_free_p) redisReply *reply = NULL;
        r = next_reply(l, max, deadline, &reply, err);
        if (r == 0 && reply->type == REDIS_REPLY_ERROR) {
            if (result == 0)
                result = error_reply(reply, broken, err);
        } else if (r == 0 && replies) {
            replies[i] = TAKE(reply);
        }
    }
    *broken |= r < 0;
    return r < 0 ? r : result;
}

/* ---- opening ---- */

static struct timeval timeval_of(int64_t ns)
{
    return (struct timeval){.tv_sec = ns / NS_PER_SEC, .tv_usec = ns % NS_PER_SEC / NS_PER_US};
}

/* "host:port", "[v6]:port", "unix:///path". */
static int connect_to(const char *server, const struct redis_options *o, struct redis_link **out, err_t **err)
{
    struct timeval tv = timeval_of(o->timeout_ns);
    const char *path = str_after(server, "unix://");
    redisContext *c;
    AUTO(free_p) char *host = NULL;
    if (path) {
        c = redisConnectUnixWithTimeout(path, tv);
    } else {
        const char *colon = strrchr(server, ':');
        uint64_t port = 6379;
        if (colon && (!str_to_u64(colon + 1, &port) || port > UINT16_MAX))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "redis server '%s' is neither host:port nor unix:///path", server);
        size_t n = colon ? (size_t)(colon - server) : strlen(server);
        bool brackets = n > 2 && server[0] == '[' && server[n - 1] == ']';
        host = brackets ? xstrndup(server + 1, n - 2) : xstrndup(server, n);
        c = redisConnectWithTimeout(host, (int)port, tv);
    }
    if (!c)
        oom();
    if (c->err || redisSetTimeout(c, tv) != REDIS_OK) {
        err_set(err, ERR_UNAVAILABLE, "connect to redis at %s: %s", server, c->errstr);
        redisFree(c);
        return -ERR_UNAVAILABLE;
    }
    if (!path)
        redisEnableKeepAlive(c);
    *out = xcalloc(1, sizeof(**out));
    (*out)->c = c;
    return o->tls && host ? redis_tls_start(*out, o, host, err) : 0;
}

void redis_link_close(struct redis_link *l)
{
    if (!l)
        return;
    if (l->ssl)
        redis_tls_end(l);
    redisFree(l->c);
    free(l);
}

AUTO_DECL(link_close_p, struct redis_link, redis_link_close)

static int small(struct redis_link *l, const struct redis_options *o, struct redis_command *c,
                 redisReply **reply, err_t **err)
{
    bool broken = false;
    return redis_link_do(l, c, 1, SMALL_REPLY, o->timeout_ns, reply, &broken, err);
}

static int authenticate(struct redis_link *l, const struct redis_options *o, const char *username,
                        const char *password, err_t **err)
{
    AUTO(redis_reply_free_p) redisReply *reply = NULL;
    struct redis_command c = {};
    if (str_empty(password))
        return 0;
    redis_arg_text(&c, "AUTH");
    if (!str_empty(username))
        redis_arg_text(&c, username);
    redis_arg_text(&c, password);
    return small(l, o, &c, &reply, err);
}

static int select_db(struct redis_link *l, const struct redis_options *o, err_t **err)
{
    AUTO(redis_reply_free_p) redisReply *reply = NULL;
    struct redis_command c = {};
    char db[24];
    if (!o->db)
        return 0;
    snprintf(db, sizeof(db), "%lld", (long long)o->db);
    redis_arg_text(&c, "SELECT");
    redis_arg_text(&c, db);
    return small(l, o, &c, &reply, err);
}

/* That it takes a connection does not mean that it answers. */
static int ping(struct redis_link *l, const struct redis_options *o, err_t **err)
{
    AUTO(redis_reply_free_p) redisReply *reply = NULL;
    struct redis_command c = {};
    redis_arg_text(&c, "PING");
    return small(l, o, &c, &reply, err);
}

/* A sentinel may still name a master that has stepped down. */
static int check_master(struct redis_link *l, const struct redis_options *o, err_t **err)
{
    AUTO(redis_reply_free_p) redisReply *reply = NULL;
    struct redis_command c = {};
    redis_arg_text(&c, "ROLE");
    int r = small(l, o, &c, &reply, err);
    if (r < 0)
        return r;
    if (reply->type != REDIS_REPLY_ARRAY || !reply->elements || !str_eq(reply->element[0]->str, "master"))
        return err_set(err, ERR_UNAVAILABLE, "redis: the server that the sentinels named is no master");
    return 0;
}

static int ask_sentinel(const char *sentinel, const struct redis_options *o, char **server, err_t **err)
{
    AUTO(link_close_p) struct redis_link *l = NULL;
    AUTO(redis_reply_free_p) redisReply *reply = NULL;
    struct redis_command c = {};
    int r = connect_to(sentinel, o, &l, err);
    if (r < 0 || (r = authenticate(l, o, o->sentinel_username, o->sentinel_password, err)) < 0)
        return r;
    redis_arg_text(&c, "SENTINEL");
    redis_arg_text(&c, "get-master-addr-by-name");
    redis_arg_text(&c, str_or_empty(o->sentinel_master));
    if ((r = small(l, o, &c, &reply, err)) < 0)
        return r;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !reply->element[0]->str ||
        !reply->element[1]->str)
        return err_set(err, ERR_UNAVAILABLE, "redis sentinel %s knows no master '%s'", sentinel,
                       str_or_empty(o->sentinel_master));
    const char *host = reply->element[0]->str;
    bool v6 = strchr(host, ':') != NULL;
    *server = xasprintf("%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", reply->element[1]->str);
    return 0;
}

static int find_master(const struct redis_options *o, char **server, err_t **err)
{
    int r = err_set(err, ERR_UNAVAILABLE, "no redis sentinel");
    for (size_t i = 0; o->sentinels[i]; i++)
        if ((r = ask_sentinel(o->sentinels[i], o, server, err)) == 0)
            break;
    return r;
}

int redis_link_open(const struct redis_options *o, struct redis_link **out, err_t **err)
{
    AUTO(link_close_p) struct redis_link *l = NULL;
    AUTO(free_p) char *master = NULL;
    AUTO_ERR e = NULL;
    bool sentinels = o->sentinels && o->sentinels[0];
    int r = sentinels ? find_master(o, &master, &e) : 0;
    if (r == 0)
        r = connect_to(sentinels ? master : o->server, o, &l, &e);
    if (r == 0)
        r = authenticate(l, o, o->username, o->password, &e);
    if (r == 0)
        r = select_db(l, o, &e);
    if (r == 0)
        r = ping(l, o, &e);
    if (r == 0 && sentinels)
        r = check_master(l, o, &e);
    if (r < 0)
        return err_move(err, TAKE(e));
    *out = TAKE(l);
    return 0;
}
