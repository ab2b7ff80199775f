#include "common/kube/lister.h"

/* A caller that waits for its list; guarded by the lock until done. */
struct list_call {
    lock_t lock;
    cond_t wake;
    bool done;
    err_t *error;
    char *resource_version;
    kube_t *k;
    const struct kube_resource *resource;
    const struct kube_list *what;
    const struct kube_list_ops *ops;
    void *arg;
    kube_lister_t *lister;
};

static int on_item(void *arg, const char *p, size_t n)
{
    struct list_call *c = arg;
    return c->ops->on_item(c->arg, p, n);
}

static bool on_restart(void *arg)
{
    struct list_call *c = arg;
    if (!c->ops->on_restart)
        return false;
    c->ops->on_restart(c->arg);
    return true;
}

static void on_done(void *arg, const char *resource_version, const struct kube_failure *failure, err_t *err)
{
    struct list_call *c = arg;
    kube_lister_release(TAKE(c->lister));
    LOCKED(&c->lock);
    c->error = err_copy(err);
    c->resource_version = xstrdup(resource_version);
    c->done = true;
    pthread_cond_signal(&c->wake);
}

static void start(void *arg)
{
    static const struct kube_lister_ops ops = {on_item, on_restart, on_done};
    struct list_call *c = arg;
    c->lister = kube_lister_start(c->k->core, c->k->who, c->resource, c->what, &ops, c);
}

int kube_list(kube_t *k, const struct kube_resource *r, const struct kube_list *what,
              const struct kube_list_ops *ops, void *arg, char **resource_version, err_t **err)
{
    static const struct kube_list all;
    if (http_on_thread(k->core->options.io))
        return err_set(err, ERR_INTERNAL, "a blocking list on the thread that would read it");
    struct list_call c = {
        .lock = LOCK_INIT, .k = k, .resource = r, .what = what ? what : &all, .ops = ops, .arg = arg};
    cond_init(&c.wake);
    http_post(k->core->options.io, 0, start, &c);
    pthread_mutex_lock(&c.lock);
    while (!c.done)
        pthread_cond_wait(&c.wake, &c.lock);
    pthread_mutex_unlock(&c.lock);
    pthread_cond_destroy(&c.wake);
    pthread_mutex_destroy(&c.lock);
    if (c.error) {
        free(c.resource_version);
        return err_move(err, c.error);
    }
    if (resource_version)
        *resource_version = c.resource_version;
    else
        free(c.resource_version);
    return 0;
}

/* ---- small lists ---- */

enum { MAX_SMALL_LIST = 512 << 20 };

struct pile {
    str_t text;
    VEC(size_t) ends;
};

static int pile_item(void *arg, const char *p, size_t n)
{
    struct pile *pile = arg;
    str_add(&pile->text, p, n);
    VEC_PUSH(&pile->ends, pile->text.len);
    return str_overflowed(&pile->text) ? -ERR_RESOURCE_EXHAUSTED : 0;
}

static void pile_restart(void *arg)
{
    struct pile *pile = arg;
    str_reset(&pile->text);
    pile->ends.n = 0;
}

int kube_list_json(kube_t *k, const struct kube_resource *r, const struct kube_list *what, json_t **items,
                   err_t **err)
{
    static const struct kube_list_ops ops = {pile_item, pile_restart};
    struct pile pile = {.text = STR_MAX(MAX_SMALL_LIST)};
    int result = kube_list(k, r, what, &ops, &pile, NULL, err);
    if (result == 0) {
        *items = json_array();
        size_t at = 0;
        VEC_FOREACH(&pile.ends, end) {
            json_t *v;
            /* An object that cannot be read is left out: it must not hide the others. */
            if (json_read(str_text(&pile.text) + at, *end - at, &v, NULL) == 0)
                json_array_append_new(*items, v);
            at = *end;
        }
    }
    str_dispose(&pile.text);
    VEC_FREE(&pile.ends);
    return result;
}
