#include "common/kube/kube_internal.h"
#include "common/kube/watch.h"

/* Of the whole process: its clients share nothing else. */
static atomic_size_t transports_open, transports_made, transports_shared;

void kube_transports(struct kube_transports *out)
{
    *out = (struct kube_transports){transports_open, transports_made, transports_shared};
}

struct kube_core *kube_core_ref(struct kube_core *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void kube_core_unref(struct kube_core *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    kube_auth_free(c->auth);
    kube_limit_dispose(&c->limit);
    kube_config_dispose(&c->config);
    pthread_cond_destroy(&c->idle);
    pthread_mutex_destroy(&c->lock);
    free(c->server);
    free(c);
}

void kube_core_enter(struct kube_core *c)
{
    kube_core_ref(c);
    LOCKED(&c->lock);
    c->in_flight++;
}

void kube_core_leave(struct kube_core *c)
{
    {
        LOCKED(&c->lock);
        if (--c->in_flight == 0)
            pthread_cond_broadcast(&c->idle);
    }
    kube_core_unref(c);
}

static void wait_idle(struct kube_core *c)
{
    LOCKED(&c->lock);
    while (c->in_flight)
        pthread_cond_wait(&c->idle, &c->lock);
}

static int check_server(const char *server, char **out, err_t **err)
{
    if (str_empty(server))
        return err_set(err, ERR_INVALID_ARGUMENT, "the cluster has no server URL");
    if (strpbrk(server, "?#"))
        return err_set(err, ERR_INVALID_ARGUMENT, "the server URL must not have a query");
    char *copy = xstrdup(server);
    for (size_t n = strlen(copy); n && copy[n - 1] == '/'; n--)
        copy[n - 1] = '\0';
    *out = copy;
    return 0;
}

struct kube_who *kube_who_ref(struct kube_who *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void kube_who_unref(struct kube_who *w)
{
    if (atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(w->user);
    strv_free(w->groups);
    json_decref(w->extra);
    free(w);
}

static kube_t *make_user(struct kube_core *core_take)
{
    kube_t *k = xcalloc(1, sizeof(*k));
    k->core = core_take;
    k->who = xcalloc(1, sizeof(*k->who));
    k->who->refs = 1;
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

int kube_open(const struct kube_config *config, const struct kube_options *options, kube_t **out, err_t **err)
{
    AUTO(free_p) char *server = NULL;
    kube_auth_t *auth;
    struct kube_config tuned = *config;
    tuned.connect_timeout_ns = options->connect_timeout_ns;
    tuned.keepalive_ns = options->keepalive_ns;
    tuned.idle_ns = options->idle_ns;
    int r = check_server(config->server, &server, err);
    if (r < 0 || (r = kube_auth_new(&tuned, &auth, err)) < 0)
        return r;
    struct kube_core *c = xcalloc(1, sizeof(*c));
    c->refs = 1;
    c->options = *options;
    c->auth = auth;
    c->server = TAKE(server);
    kube_config_copy(&c->config, config);
    if (c->options.qps <= 0)
        c->options.qps = 50;
    if (!c->options.burst)
        c->options.burst = (unsigned)(2 * c->options.qps) + 1;
    if (!c->options.timeout_ns)
        c->options.timeout_ns = SECONDS(30);
    if (!c->options.retry_ns)
        c->options.retry_ns = MILLIS(100);
    if (!c->options.max_lists)
        c->options.max_lists = KUBE_MAX_LISTS;
    kube_limit_init(&c->limit, c->options.qps, c->options.burst);
    pthread_mutex_init(&c->lock, NULL);
    cond_init(&c->idle);
    c->plugin_runner = pool_new("kube-plugin", 1, 1);
    kube_waiters_init(&c->unknown);
    kube_waiters_init(&c->queued);
    kube_waiters_init(&c->parked);
    kube_t *k = make_user(c);
    /* Taken out of the core's copy, which has no other use for it. */
    k->who->user = TAKE(c->config.impersonate_user);
    k->who->groups = TAKE(c->config.impersonate_groups);
    k->who->extra = TAKE(c->config.impersonate_extra);
    kube_auth_observe(auth, options->plugin_ran, options->observe_arg);
    transports_open++;
    transports_made++;
    *out = k;
    return 0;
}

kube_t *kube_impersonate(kube_t *k, const char *user)
{
    kube_t *other = make_user(kube_core_ref(k->core));
    other->borrowed = true;
    transports_shared++;
    other->who->user = xstrdup(user);
    return other;
}

void kube_close(kube_t *k)
{
    if (!k)
        return;
    kube_watch_stop_all(k);
    if (!k->borrowed) {
        kube_auth_cancel(k->core->auth);
        kube_probe_cancel(k->core);
        wait_idle(k->core);
        pool_free(k->core->plugin_runner);
        transports_open--;
    }
    kube_core_unref(k->core);
    kube_who_unref(k->who);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

void kube_cancel(kube_t *k)
{
    k->core->canceled = true;
    kube_auth_cancel(k->core->auth);
}

const char *kube_server(const kube_t *k)
{
    return k->core->server;
}
