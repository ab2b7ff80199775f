#include "common/net/redis_link.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SMALL = 1 << 20, VALUE_MAX = 512 << 20, HEAD = 64 << 10 };

/* ---- life ---- */

static char **copy_list(char *const *v)
{
    size_t n = strv_len(v);
    char **out = xcalloc(n + 1, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        out[i] = xstrdup(v[i]);
    return out;
}

redis_t *redis_new(const struct redis_options *o)
{
    redis_t *r = xcalloc(1, sizeof(*r));
    r->o = (struct redis_options){
        .server = xstrdup(str_or_empty(o->server)),
        .username = xstrdup(o->username),
        .password = xstrdup(o->password),
        .db = o->db,
        .key_prefix = xstrdup(str_or_empty(o->key_prefix)),
        .sentinels = o->sentinels ? copy_list(o->sentinels) : NULL,
        .sentinel_master = xstrdup(o->sentinel_master),
        .sentinel_username = xstrdup(o->sentinel_username),
        .sentinel_password = xstrdup(o->sentinel_password),
        .tls = o->tls,
        .tls_insecure = o->tls_insecure,
        .tls_ca = xstrdup(o->tls_ca),
        .tls_cert = xstrdup(o->tls_cert),
        .tls_key = xstrdup(o->tls_key),
        .timeout_ns = o->timeout_ns > 0 ? o->timeout_ns : SECONDS(1),
    };
    pthread_mutex_init(&r->lock, NULL);
    cond_init(&r->changed);
    r->threaded = !str_empty(r->o.server) || (r->o.sentinels && r->o.sentinels[0]);
    r->tried = !r->threaded;
    r->wake = -1;
    if (!r->threaded) {
        err_set(&r->error, ERR_UNAVAILABLE, "no redis is configured");
        return r;
    }
    r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->wake < 0)
        oom();
    r->thread = thread_start("redis", redis_thread, r);
    return r;
}

static void free_secret(const char *s)
{
    if (s)
        wipe((char *)s, strlen(s));
    free((char *)s);
}

void redis_free(redis_t *r)
{
    if (!r)
        return;
    {
        LOCKED(&r->lock);
        r->closing = true;
    }
    if (r->threaded) {
        redis_wake(r);
        pthread_join(r->thread, NULL);
    }
    redis_lost(r, r->generation);
    VEC_FREE(&r->idle);
    close_p(&r->wake);
    err_free(r->error);
    free((char *)r->o.server);
    free((char *)r->o.username);
    free_secret(r->o.password);
    free((char *)r->o.sentinel_username);
    free_secret(r->o.sentinel_password);
    free((char *)r->o.tls_ca);
    free((char *)r->o.tls_cert);
    free((char *)r->o.tls_key);
    free((char *)r->o.key_prefix);
    free((char *)r->sub.pattern);
    strv_free((char **)r->o.sentinels);
    free((char *)r->o.sentinel_master);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    free(r);
}

bool redis_available(redis_t *r)
{
    LOCKED(&r->lock);
    return r->nlinks > 0;
}

void redis_subscribe(redis_t *r, const struct redis_subscription *s)
{
    if (!r->threaded)
        return;
    LOCKED(&r->lock);
    if (r->subscribe)
        return;
    r->sub = *s;
    r->sub.pattern = xstrdup(s->pattern);
    r->subscribe = true;
    redis_wake(r);
}

/* ---- borrowing ---- */

static int borrow(redis_t *r, struct redis_link **out, err_t **err)
{
    LOCKED(&r->lock);
    mono_t until = mono_after(mono_now(), r->o.timeout_ns);
    for (bool timely = true;; timely = cond_wait_until(&r->changed, &r->lock, until)) {
        if (r->idle.n) {
            *out = VEC_POP(&r->idle);
            return 0;
        }
        if (r->tried && !r->nlinks)
            return err_set(err, ERR_UNAVAILABLE, "%s",
                           r->error ? err_text(r->error) : "redis: connection lost");
        if (!timely)
            return err_set(err, ERR_UNAVAILABLE, "redis: all connections are in use");
        if (r->nlinks && r->nlinks < REDIS_MAX_LINKS && !r->want) {
            r->want = true;
            redis_wake(r);
        }
    }
}

static void give_back(redis_t *r, struct redis_link *l, bool broken)
{
    LOCKED(&r->lock);
    if (!broken && l->generation == r->generation) {
        VEC_PUSH(&r->idle, l);
        pthread_cond_broadcast(&r->changed);
        return;
    }
    r->nlinks--;
    redis_lost(r, l->generation);
    redis_wake(r);
    redis_link_close(l);
}

void redis_observe(redis_t *r, redis_observe_fn fn, void *arg)
{
    r->observe = fn;
    r->observe_arg = arg;
}

static void observed(redis_t *r, const struct redis_command *c, bool failed, mono_t since)
{
    char name[16];
    size_t n = c->lens[0] < sizeof(name) ? c->lens[0] : sizeof(name) - 1;
    for (size_t i = 0; i < n; i++)
        name[i] = (char)tolower((unsigned char)c->argv[0][i]);
    name[n] = 0;
    r->observe(r->observe_arg, name, failed, mono_now().ns - since.ns);
}

static int run(redis_t *r, const struct redis_command *commands, size_t n, size_t max, redisReply **replies,
               err_t **err)
{
    struct redis_link *l = NULL;
    bool broken = false;
    mono_t since = mono_now();
    int rc = borrow(r, &l, err);
    if (rc == 0) {
        rc = redis_link_do(l, commands, n, max, r->o.timeout_ns, replies, &broken, err);
        give_back(r, l, broken);
    }
    for (size_t i = 0; r->observe && i < n; i++)
        observed(r, &commands[i], rc < 0, since);
    return rc;
}

/* ---- commands ---- */

/* A command with what it points to. */
struct prepared {
    struct redis_command c;
    char *key;
    char ttl[24];
};

static void prepared_dispose(struct prepared *p)
{
    free(p->key);
}

static void set_command(struct prepared *p, const redis_t *r, const char *key, const void *value, size_t n,
                        int64_t ttl_ns)
{
    p->key = xasprintf("%s%s", r->o.key_prefix, key);
    redis_arg_text(&p->c, "SET");
    redis_arg_text(&p->c, p->key);
    redis_arg(&p->c, value, n);
    if (ttl_ns <= 0)
        return;
    int64_t ms = ttl_ns / NS_PER_MS;
    snprintf(p->ttl, sizeof(p->ttl), "%lld", (long long)(ms ? ms : 1));
    redis_arg_text(&p->c, "PX");
    redis_arg_text(&p->c, p->ttl);
}

static void key_command(struct prepared *p, const redis_t *r, const char *name, const char *key)
{
    p->key = xasprintf("%s%s", r->o.key_prefix, key);
    redis_arg_text(&p->c, name);
    redis_arg_text(&p->c, p->key);
}

static void publish_command(struct prepared *p, const char *channel, const void *value, size_t n)
{
    redis_arg_text(&p->c, "PUBLISH");
    redis_arg_text(&p->c, channel);
    redis_arg(&p->c, value, n);
}

static int unexpected(const char *what, err_t **err)
{
    return err_set(err, ERR_INTERNAL, "redis: an unexpected answer to %s", what);
}

int redis_get(redis_t *r, const char *key, str_t *out, err_t **err)
{
    AUTO(prepared_dispose) struct prepared p = {};
    AUTO(redis_reply_free_p) redisReply *reply = NULL;
    size_t max = min_size(out->max ? out->max : STR_DEFAULT_MAX, VALUE_MAX);
    key_command(&p, r, "GET", key);
    int rc = run(r, &p.c, 1, max + HEAD, &reply, err);
    if (rc < 0)
        return rc;
    if (reply->type == REDIS_REPLY_NIL)
        return err_set(err, ERR_NOT_FOUND, "redis: no key '%s'", p.key);
    if (reply->type != REDIS_REPLY_STRING)
        return unexpected("GET", err);
    str_add(out, reply->str, reply->len);
    return str_overflowed(out) ? err_set(err, ERR_RESOURCE_EXHAUSTED, "redis: '%s' is too large", p.key) : 0;
}

int redis_set(redis_t *r, const char *key, const void *value, size_t n, int64_t ttl_ns, err_t **err)
{
    AUTO(prepared_dispose) struct prepared p = {};
    set_command(&p, r, key, value, n, ttl_ns);
    return run(r, &p.c, 1, SMALL, NULL, err);
}

int redis_set_if_absent(redis_t *r, const char *key, const void *value, size_t n, int64_t ttl_ns, err_t **err)
{
    AUTO(prepared_dispose) struct prepared p = {};
    AUTO(redis_reply_free_p) redisReply *reply = NULL;
    set_command(&p, r, key, value, n, ttl_ns);
    redis_arg_text(&p.c, "NX");
    int rc = run(r, &p.c, 1, SMALL, &reply, err);
    if (rc < 0)
        return rc;
    return reply->type == REDIS_REPLY_NIL ? err_set(err, ERR_ALREADY_EXISTS, "redis: key '%s' exists", p.key)
                                          : 0;
}

int redis_del(redis_t *r, const char *key, err_t **err)
{
    AUTO(prepared_dispose) struct prepared p = {};
    key_command(&p, r, "DEL", key);
    return run(r, &p.c, 1, SMALL, NULL, err);
}

int redis_publish(redis_t *r, const char *channel, const void *value, size_t n, err_t **err)
{
    AUTO(prepared_dispose) struct prepared p = {};
    publish_command(&p, channel, value, n);
    return run(r, &p.c, 1, SMALL, NULL, err);
}

int redis_pipeline(redis_t *r, const struct redis_write *writes, size_t n, err_t **err)
{
    if (!n)
        return 0;
    struct prepared *p = xcalloc(n, sizeof(*p));
    struct redis_command *commands = xcalloc(n, sizeof(*commands));
    for (size_t i = 0; i < n; i++) {
        if (writes[i].kind == REDIS_SET)
            set_command(&p[i], r, writes[i].key, writes[i].p, writes[i].n, writes[i].ttl_ns);
        else if (writes[i].kind == REDIS_DEL)
            key_command(&p[i], r, "DEL", writes[i].key);
        else
            publish_command(&p[i], writes[i].key, writes[i].p, writes[i].n);
        commands[i] = p[i].c;
    }
    int rc = run(r, commands, n, SMALL, NULL, err);
    for (size_t i = 0; i < n; i++)
        prepared_dispose(&p[i]);
    free(p);
    free(commands);
    return rc;
}

/* ---- sealed values ---- */

int redis_get_sealed(redis_t *r, const seal_t *s, const char *key, size_t max, str_t *out, err_t **err)
{
    AUTO_STR sealed = STR_MAX(max + HEAD);
    AUTO(free_p) char *name = xasprintf("%s%s", r->o.key_prefix, key);
    AUTO_ERR refused = NULL;
    int rc = redis_get(r, key, &sealed, err);
    if (rc < 0)
        return rc;
    if (seal_open(s, name, sealed.p, sealed.len, wall_now(), max, out, &refused) == 0)
        return 0;
    return err_set(err, ERR_NOT_FOUND, "redis: '%s' is refused: %s", name, err_text(refused));
}

int redis_set_sealed(redis_t *r, const seal_t *s, const char *key, const void *p, size_t n, int64_t ttl_ns,
                     err_t **err)
{
    AUTO_STR sealed = STR_INIT;
    AUTO(free_p) char *name = xasprintf("%s%s", r->o.key_prefix, key);
    seal_close(s, name, p, n, ttl_ns, wall_now(), &sealed);
    if (str_overflowed(&sealed))
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "redis: the value of '%s' is too large to be sealed",
                       name);
    return redis_set(r, key, sealed.p, sealed.len, ttl_ns, err);
}
