/* One client per address of a headless Service. A thread asks for the addresses again and again; it is on its
 * own because a name server may take its time, and it is left behind when the replicas are freed meanwhile.
 *
 * It looks seldom while nobody calls. A call that finds no replica connected, after an unanswered or an old
 * look-up, has it look at once and waits for that: a peer that started later than we did, or in another
 * place, is there for it.
 *
 * The order for a key is that of the hashes of (address, key): it is the same in every process, and a replica
 * that comes or goes moves only the keys that it gets or had. */
#include "common/net/rpc_client.h"

#include "common/base/hash.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

enum {
    RESOLVE_SECONDS = 5,
    RESOLVE_IDLE_SECONDS = 30, /* when nobody asked for a while */
    LOOK_SECONDS = 2,          /* how long a call waits for addresses */
    LOOK_PAUSE_MILLIS = 250,   /* at least, between two look-ups */
    FRESH_MILLIS = 300, /* how long for a replica that is just being connected, while others are there */
    MAX_REPLICAS = 64,
};

struct replica {
    char *address;
    rpc_client_t *client;
    size_t users; /* calls that hold it */
    bool gone;    /* the name has it no more */
};

struct rpc_replicas {
    char *scheme, *host, *port; /* port with its colon */
    char *server_name;
    struct tls_files tls; /* owned copies */

    lock_t lock; /* guards what follows */
    cond_t changed;
    VEC(struct replica *) all;
    size_t refs;          /* the owner and the thread */
    bool fixed;           /* an address, not a name: no thread */
    bool closing, wanted; /* wanted: look now */
    uint64_t looks;       /* look-ups that have ended */
    mono_t used, looked;
    err_t *error; /* of the last look-up */
};

/* ---- the set ---- */

static void replica_free(struct replica *r)
{
    rpc_client_free(r->client);
    free(r->address);
    free(r);
}

static struct replica *find(rpc_replicas_t *r, const char *address)
{
    VEC_FOREACH(&r->all, it)
        if (strcmp((*it)->address, address) == 0)
            return *it;
    return NULL;
}

static int add(rpc_replicas_t *r, const char *address, err_t **err)
{
    struct replica *known = find(r, address);
    if (known) {
        known->gone = false;
        return 0;
    }
    struct rpc_client_options o = {.address = address, .tls = r->tls, .server_name = r->server_name};
    rpc_client_t *client = NULL;
    int rc = rpc_client_new(&o, &client, err);
    if (rc < 0)
        return rc;
    struct replica *new = xcalloc(1, sizeof(*new));
    new->address = xstrdup(address);
    new->client = client;
    VEC_PUSH(&r->all, new);
    return 0;
}

/* The addresses that the name has now; those that it has no more are kept while they are used. */
static void update(rpc_replicas_t *r, const struct addrinfo *found)
{
    char ip[INET6_ADDRSTRLEN];
    LOCKED(&r->lock);
    VEC_FOREACH(&r->all, it)
        (*it)->gone = true;
    size_t n = 0;
    for (const struct addrinfo *a = found; a && n < MAX_REPLICAS && !r->closing; a = a->ai_next, n++) {
        if (getnameinfo(a->ai_addr, a->ai_addrlen, ip, sizeof(ip), NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        bool v6 = a->ai_family == AF_INET6;
        AUTO(free_p)
        char *address = xasprintf("%s%s%s%s%s", r->scheme, v6 ? "[" : "", ip, v6 ? "]" : "", r->port);
        add(r, address, NULL);
    }
    err_clear(&r->error);
}

/* One that is gone and free, taken out of the set. */
static struct replica *take_gone(rpc_replicas_t *r)
{
    LOCKED(&r->lock);
    for (size_t i = 0; i < r->all.n; i++) {
        struct replica *it = r->all.v[i];
        if (it->gone && !it->users) {
            VEC_REMOVE(&r->all, i);
            return it;
        }
    }
    return NULL;
}

/* ---- the thread ---- */

static void resolve(rpc_replicas_t *r)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    {
        LOCKED(&r->lock);
        r->wanted = false;
    }
    int rc = getaddrinfo(r->host, r->port + 1, &hints, &found);
    if (rc == 0) {
        update(r, found);
        freeaddrinfo(found);
    }
    {
        LOCKED(&r->lock);
        if (rc != 0) {
            err_clear(&r->error);
            err_set(&r->error, ERR_UNAVAILABLE, "look up %s: %s", r->host, gai_strerror(rc));
        }
        r->looks++;
        r->looked = mono_now();
        pthread_cond_broadcast(&r->changed);
    }
    for (struct replica *gone; (gone = take_gone(r));)
        replica_free(gone);
}

static void unref(rpc_replicas_t *r)
{
    {
        LOCKED(&r->lock);
        if (--r->refs)
            return;
    }
    err_free(r->error);
    VEC_FREE(&r->all);
    free((char *)r->tls.cert);
    free((char *)r->tls.key);
    free((char *)r->tls.ca);
    free(r->scheme);
    free(r->host);
    free(r->port);
    free(r->server_name);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    free(r);
}

/* Under the lock: when to look the next time. */
static mono_t next_look(const rpc_replicas_t *r)
{
    bool idle = mono_cmp(mono_after(r->used, SECONDS(RESOLVE_IDLE_SECONDS)), mono_now()) < 0;
    if (r->wanted)
        return mono_after(r->looked, MILLIS(LOOK_PAUSE_MILLIS));
    return mono_after(r->looked, SECONDS(idle ? RESOLVE_IDLE_SECONDS : RESOLVE_SECONDS));
}

static void *keep_resolving(void *arg)
{
    rpc_replicas_t *r = arg;
    for (bool go_on = true; go_on;) {
        resolve(r);
        LOCKED(&r->lock);
        while (!r->closing && mono_cmp(mono_now(), next_look(r)) < 0)
            cond_wait_until(&r->changed, &r->lock, next_look(r));
        go_on = !r->closing;
    }
    unref(r);
    return NULL;
}

/* ---- life ---- */

/* Replicas on one machine: "ipc:///one,ipc:///two". */
static int add_each(rpc_replicas_t *r, const char *addresses, err_t **err)
{
    AUTO(strv_free_p) char **list = strv_split(addresses, ",", true);
    int rc = 0;
    for (char **a = list; *a && rc == 0; a++)
        rc = add(r, *a, err);
    return rc;
}

static bool is_ip(const char *host)
{
    unsigned char ip[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

static rpc_replicas_t *replicas_new(const struct rpc_client_options *o, struct rpc_address *a)
{
    rpc_replicas_t *r = xcalloc(1, sizeof(*r));
    pthread_mutex_init(&r->lock, NULL);
    cond_init(&r->changed);
    r->refs = 1;
    r->scheme = xstrdup(a->tls ? "tls+tcp://" : "tcp://");
    r->host = xstrdup(a->host);
    r->port = xstrdup(a->ipc ? "" : strrchr(a->url, ':'));
    r->server_name = xstrdup(o->server_name ? o->server_name : a->host);
    r->tls = (struct tls_files){xstrdup(o->tls.cert), xstrdup(o->tls.key), xstrdup(o->tls.ca)};
    return r;
}

int rpc_replicas_new(const struct rpc_client_options *o, rpc_replicas_t **out, err_t **err)
{
    struct rpc_address a;
    int rc = rpc_address_parse(o->address, &a, err);
    if (rc < 0)
        return rc;
    rpc_replicas_t *r = replicas_new(o, &a);
    bool fixed = a.ipc || is_ip(a.host);
    if (!fixed && a.tls && (!o->tls.cert || !o->tls.key || !o->tls.ca))
        rc = err_set(err, ERR_INVALID_ARGUMENT, "address '%s' needs a certificate, its key and an authority",
                     o->address);
    else if (fixed)
        rc = a.ipc ? add_each(r, o->address, err) : add(r, o->address, err);
    rpc_address_dispose(&a);
    if (rc < 0) {
        unref(r);
        return rc;
    }
    r->fixed = fixed;
    if (!fixed) {
        r->refs++;
        pthread_detach(thread_start("rpc-resolve", keep_resolving, r));
    }
    *out = r;
    return 0;
}

void rpc_replicas_free(rpc_replicas_t *r)
{
    if (!r)
        return;
    {
        LOCKED(&r->lock);
        r->closing = true;
        pthread_cond_broadcast(&r->changed);
    }
    for (;;) {
        struct replica *one;
        {
            LOCKED(&r->lock);
            one = r->all.n ? VEC_POP(&r->all) : NULL;
        }
        if (!one)
            break;
        replica_free(one);
    }
    unref(r);
}

/* ---- calls ---- */

struct candidate {
    struct replica *replica;
    unsigned char score[SHA256_SIZE];
};

static int by_score(const void *a, const void *b)
{
    return memcmp(((const struct candidate *)b)->score, ((const struct candidate *)a)->score, SHA256_SIZE);
}

/* Under the lock: some replica of those that the name has is connected. */
static bool connected(const rpc_replicas_t *r)
{
    VEC_FOREACH(&r->all, it)
        if (!(*it)->gone && rpc_client_connected((*it)->client))
            return true;
    return false;
}

/* Under the lock: what is known is as new as a caller may expect. */
static void look_if_needed(rpc_replicas_t *r)
{
    mono_t now = mono_now(), until = mono_after(now, SECONDS(LOOK_SECONDS));
    bool old = mono_cmp(mono_after(r->looked, SECONDS(RESOLVE_SECONDS)), now) < 0;
    r->used = now;
    if (r->fixed || (r->looks && !r->error && !old) || connected(r))
        return;
    uint64_t before = r->looks;
    r->wanted = true;
    pthread_cond_broadcast(&r->changed);
    while (r->looks == before && cond_wait_until(&r->changed, &r->lock, until))
        ;
}

/* The replicas in the order for this key, each held. */
static size_t candidates(rpc_replicas_t *r, const char *key, struct candidate *out)
{
    LOCKED(&r->lock);
    look_if_needed(r);
    size_t n = 0;
    VEC_FOREACH(&r->all, it) {
        if ((*it)->gone || n == MAX_REPLICAS)
            continue;
        (*it)->users++;
        sha256_ctx_t *hash = sha256_begin();
        sha256_field_str(hash, (*it)->address);
        sha256_field_str(hash, key);
        out[n].replica = *it;
        sha256_end(hash, out[n++].score);
    }
    qsort(out, n, sizeof(*out), by_score);
    return n;
}

/* failed: none could be reached, so that those that come next shall find newer ones. */
static void release(rpc_replicas_t *r, struct candidate *c, size_t n, bool failed)
{
    LOCKED(&r->lock);
    for (size_t i = 0; i < n; i++)
        c[i].replica->users--;
    if (failed) {
        r->wanted = true;
        pthread_cond_broadcast(&r->changed);
    }
}

static bool any_connected(const struct candidate *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rpc_client_connected(c[i].replica->client))
            return true;
    return false;
}

/* How long a call waits for this one's connection; negative: not at all, the next one is there. */
static int64_t patience(const struct candidate *c, bool others, mono_t connect_by)
{
    int64_t left = mono_left(connect_by);
    if (!others || rpc_client_connected(c->replica->client))
        return left;
    if (rpc_client_tried(c->replica->client))
        return -1;
    return left < MILLIS(FRESH_MILLIS) ? left : MILLIS(FRESH_MILLIS);
}

/* owned: one of them has what is asked for, and the others answer that they are not available for it. */
static bool next_may_help(enum err_code code, bool answered, bool owned)
{
    return code == ERR_RESOURCE_EXHAUSTED || (code == ERR_UNAVAILABLE && (!answered || owned));
}

static int do_in_order(const struct candidate *c, size_t n, struct rpc_request_options *o, bool owned,
                       atomic_bool *canceled, ProtobufCMessage **out, err_t **err)
{
    mono_t deadline = o->timeout_ns > 0 ? mono_after(mono_now(), o->timeout_ns) : MONO_NEVER;
    mono_t connect_by = mono_after(mono_now(), SECONDS(RPC_CONNECT_SECONDS)); /* for all of them together */
    bool others = any_connected(c, n);
    AUTO_ERR last = NULL;
    for (size_t i = 0; i < n; i++) {
        AUTO_ERR e = NULL;
        bool answered = false;
        int64_t left = mono_left(deadline);
        o->connect_ns = patience(&c[i], others, connect_by);
        if (o->connect_ns < 0 || (last && !left))
            continue;
        if (o->timeout_ns > 0)
            o->timeout_ns = left ? left : 1;
        int r = rpc_request_do(c[i].replica->client, o, canceled, &answered, out, &e);
        if (r == 0)
            return 0;
        if (!next_may_help(err_code(e), answered, owned))
            return err_move(err, TAKE(e));
        if (err_code(last) == ERR_RESOURCE_EXHAUSTED || (owned && last && !answered))
            continue; /* says more than that another one is not there */
        err_free(last);
        last = TAKE(e);
    }
    return last ? err_move(err, TAKE(last)) : err_set(err, ERR_UNAVAILABLE, "no replica is connected");
}

static int do_some(rpc_replicas_t *r, const char *key, struct rpc_request_options *o, bool owned,
                   atomic_bool *canceled, ProtobufCMessage **out, err_t **err)
{
    AUTO(free_p) struct candidate *c = xcalloc(MAX_REPLICAS, sizeof(*c));
    size_t n = candidates(r, key, c);
    if (!n) {
        LOCKED(&r->lock);
        return err_set(err, ERR_UNAVAILABLE, "%s",
                       r->error ? err_text(r->error) : "the name has no addresses");
    }
    int rc = do_in_order(c, n, o, owned, canceled, out, err);
    release(r, c, n, rc == -ERR_UNAVAILABLE);
    return rc;
}

int rpc_replicas_do(rpc_replicas_t *r, const char *key, const char *method, const ProtobufCMessage *in,
                    const ProtobufCMessageDescriptor *out_type, int64_t timeout_ns, atomic_bool *canceled,
                    ProtobufCMessage **out, err_t **err)
{
    struct rpc_request_options o = {
        .method = method, .in = in, .out_type = out_type, .timeout_ns = timeout_ns};
    return do_some(r, key, &o, false, canceled, out, err);
}

int rpc_replicas_find(rpc_replicas_t *r, const char *key, const char *method, const ProtobufCMessage *in,
                      const ProtobufCMessageDescriptor *out_type, int64_t timeout_ns, ProtobufCMessage **out,
                      err_t **err)
{
    struct rpc_request_options o = {
        .method = method, .in = in, .out_type = out_type, .timeout_ns = timeout_ns};
    return do_some(r, key, &o, true, NULL, out, err);
}

int rpc_replicas_each(rpc_replicas_t *r, const char *method, const ProtobufCMessageDescriptor *out_type,
                      int64_t timeout_ns, atomic_bool *canceled, const struct rpc_each *each, err_t **err)
{
    AUTO(free_p) struct candidate *c = xcalloc(MAX_REPLICAS, sizeof(*c));
    size_t n = candidates(r, "", c), answers = 0;
    AUTO_ERR last = NULL;
    for (size_t i = 0; i < n; i++) {
        ProtobufCMessage *reply = NULL;
        bool answered = false;
        const char *address = c[i].replica->address;
        struct rpc_request_options o = {.method = method,
                                        .in = each->question(each->ctx, address, n),
                                        .out_type = out_type,
                                        .timeout_ns = timeout_ns};
        err_clear(&last);
        o.connect_ns = patience(&c[i], any_connected(c, n),
                                mono_after(mono_now(), SECONDS(RPC_CONNECT_SECONDS)));
        if (o.connect_ns < 0 ||
            rpc_request_do(c[i].replica->client, &o, canceled, &answered, &reply, &last) < 0)
            continue;
        answers++;
        each->answer(each->ctx, address, reply);
        protobuf_c_message_free_unpacked(reply, NULL);
    }
    release(r, c, n, !answers);
    if (answers)
        return 0;
    return last ? err_move(err, TAKE(last)) : err_set(err, ERR_UNAVAILABLE, "no replica is connected");
}
