/* Helpers are started when there is work, up to the maximum, and kept. A caller takes a free one, talks to it
 * alone until the answer is there or the time is over, and gives it back, or ends it. Whose programs ended a
 * helper are remembered by their hash. */
#include "common/eval/eval.h"
#include "common/base/hash.h"
#include "common/base/proc.h"
#include "common/base/thread.h"
#include "common/base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MEMORY = 512 << 20, REQUESTS_OF_A_HELPER = 100000, MAX_BANNED = 256 };
static const int64_t BAN_NS = SECONDS(60), WAIT_NS = SECONDS(10), START_NS = SECONDS(5);

struct helper {
    struct proc_pipes pipes;
    size_t requests;
};

struct ban {
    uint64_t program;
    mono_t until;
};

struct eval {
    char *program;
    size_t max;
    int64_t timeout_ns;
    lock_t lock; /* guards what follows */
    cond_t free_one;
    VEC(struct helper *) idle;
    size_t running; /* idle ones included */
    VEC(struct ban) bans;
};

/* "cargocd-eval" in the folder of the running program. */
static char *default_program(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return xstrdup("cargocd-eval");
    self[n] = 0;
    char *slash = strrchr(self, '/');
    return xasprintf("%.*s/cargocd-eval", (int)(slash ? slash - self : 0), self);
}

eval_t *eval_new(const struct eval_options *o)
{
    eval_t *e = xcalloc(1, sizeof(*e));
    e->program = o->program ? xstrdup(o->program) : default_program();
    e->max = o->helpers ? o->helpers : 2;
    e->timeout_ns = o->timeout_ns ? o->timeout_ns : SECONDS(1);
    pthread_mutex_init(&e->lock, NULL);
    cond_init(&e->free_one);
    return e;
}

static void helper_end(struct helper *h)
{
    proc_end(&h->pipes);
    free(h);
}

void eval_free(eval_t *e)
{
    if (!e)
        return;
    VEC_FOREACH(&e->idle, h)
        helper_end(*h);
    VEC_FREE(&e->idle);
    VEC_FREE(&e->bans);
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->free_one);
    free(e->program);
    free(e);
}

/* ---- programs that are shut out ---- */

static bool is_banned(eval_t *e, uint64_t program)
{
    LOCKED(&e->lock);
    for (size_t i = 0; i < e->bans.n; i++) {
        if (mono_left(e->bans.v[i].until) == 0)
            VEC_REMOVE(&e->bans, i--);
        else if (e->bans.v[i].program == program)
            return true;
    }
    return false;
}

static void ban(eval_t *e, uint64_t program)
{
    LOCKED(&e->lock);
    if (e->bans.n == MAX_BANNED)
        VEC_REMOVE(&e->bans, 0);
    VEC_PUSH(&e->bans, (struct ban){program, mono_after(mono_now(), BAN_NS)});
}

/* ---- helpers ---- */

/* A helper outlives the thread that started it, and ends when its input does. */
static int detach(void *arg)
{
    return prctl(PR_SET_PDEATHSIG, 0);
}

static int start_helper(eval_t *e, struct helper **out, err_t **err)
{
    char *argv[] = {e->program, NULL};
    struct proc_spec spec = {.argv = argv, .confine = detach};
#ifndef CARGOCD_SANITIZE
    spec.max_memory = MEMORY; /* a sanitizer reserves terabytes of addresses */
#endif
    struct helper *h = xcalloc(1, sizeof(*h));
    if (proc_spawn(&spec, false, &h->pipes, err) < 0) {
        free(h);
        return err_recode(err, ERR_UNAVAILABLE);
    }
    fcntl(h->pipes.to, F_SETFL, O_NONBLOCK);
    fcntl(h->pipes.from, F_SETFL, O_NONBLOCK);
    *out = h;
    return 0;
}

static int acquire(eval_t *e, struct helper **out, err_t **err)
{
    mono_t deadline = mono_after(mono_now(), WAIT_NS);
    {
        LOCKED(&e->lock);
        while (!e->idle.n && e->running >= e->max)
            if (!cond_wait_until(&e->free_one, &e->lock, deadline))
                return err_set(err, ERR_RESOURCE_EXHAUSTED, "all helpers for expressions are busy");
        if (e->idle.n) {
            *out = VEC_POP(&e->idle);
            return 0;
        }
        e->running++;
    }
    if (start_helper(e, out, err) == 0)
        return 0;
    LOCKED(&e->lock);
    e->running--;
    pthread_cond_signal(&e->free_one);
    return err_again(err);
}

static void release(eval_t *e, struct helper *h, bool good)
{
    good = good && ++h->requests < REQUESTS_OF_A_HELPER;
    if (!good)
        helper_end(h);
    LOCKED(&e->lock);
    if (good)
        VEC_PUSH(&e->idle, h);
    else
        e->running--;
    pthread_cond_signal(&e->free_one);
}

/* ---- talking ---- */

static int wait_for(int fd, short events, mono_t deadline, err_t **err)
{
    struct pollfd p = {.fd = fd, .events = events};
    int64_t left = mono_left(deadline);
    int n = poll(&p, 1, (int)(left / NS_PER_MS) + 1);
    if (n > 0 || (n < 0 && errno == EINTR))
        return 0;
    if (n < 0)
        return err_set_errno(err, errno, "wait for an expression");
    return mono_left(deadline) ? 0 : err_set(err, ERR_DEADLINE_EXCEEDED, "the expression takes too long");
}

static int ended(err_t **err)
{
    return err_set(err, ERR_RESOURCE_EXHAUSTED, "the expression ended its helper: too much memory, or worse");
}

static int send_all(int fd, const char *p, size_t n, mono_t deadline, err_t **err)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done >= 0) {
            p += done;
            n -= (size_t)done;
        } else if (errno != EAGAIN && errno != EINTR) {
            return ended(err);
        } else if (wait_for(fd, POLLOUT, deadline, err) < 0) {
            return err_again(err);
        }
    }
    return 0;
}

static int receive(int fd, char *p, size_t n, mono_t deadline, err_t **err)
{
    while (n) {
        ssize_t done = read(fd, p, n);
        if (done == 0 || (done < 0 && errno != EAGAIN && errno != EINTR))
            return ended(err);
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        } else if (wait_for(fd, POLLIN, deadline, err) < 0) {
            return err_again(err);
        }
    }
    return 0;
}

static int talk(const struct helper *h, const json_t *request, int64_t timeout_ns, json_t **answer,
                err_t **err)
{
    AUTO_STR message = STR_MAX(EVAL_MAX_MESSAGE);
    AUTO_STR reply = STR_MAX(EVAL_MAX_MESSAGE);
    unsigned char size[4] = {};
    str_add(&message, size, sizeof(size));
    json_write(request, JSON_NO_HTML, &message);
    if (str_overflowed(&message))
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the object is too large for an expression");
    for (size_t i = 0; i < sizeof(size); i++)
        message.p[i] = (char)((message.len - sizeof(size)) >> (8 * i));
    mono_t deadline = mono_after(mono_now(), timeout_ns + (h->requests ? 0 : START_NS));
    if (send_all(h->pipes.to, message.p, message.len, deadline, err) < 0 ||
        receive(h->pipes.from, (char *)size, sizeof(size), deadline, err) < 0)
        return err_again(err);
    size_t n = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
    char *to = n < EVAL_MAX_MESSAGE ? str_reserve(&reply, n + 1) : NULL;
    if (!to)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the expression yields too much");
    if (receive(h->pipes.from, to, n, deadline, err) < 0)
        return err_again(err);
    return json_read(to, n, answer, err);
}

/* The value of the answer; *out is NULL for none. */
static int ask(eval_t *e, const json_t *request, uint64_t program, json_t **out, err_t **err)
{
    struct helper *h = NULL;
    AUTO_JSON answer = NULL;
    AUTO_ERR failure = NULL;
    *out = NULL;
    if (is_banned(e, program))
        return err_set(err, ERR_RESOURCE_EXHAUSTED,
                       "the expression went over its limits before and is shut out for a while");
    if (acquire(e, &h, err) < 0)
        return err_again(err);
    int r = talk(h, request, e->timeout_ns, &answer, &failure);
    release(e, h, r == 0);
    if (r < 0) {
        ban(e, program);
        return err_move(err, TAKE(failure));
    }
    const char *problem = json_str_at(answer, "error");
    if (problem)
        return err_set(err, (enum err_code)json_int_at(answer, "code"), "%s", problem);
    *out = json_incref(json_object_get(answer, "value"));
    return 0;
}

/* ---- questions ---- */

int eval_script(eval_t *e, const struct script *s, const json_t *object, const json_t *params, json_t **out,
                err_t **err)
{
    AUTO_JSON request = json_object();
    json_set_str(request, "op", "script");
    json_set_str(request, "source", s->source);
    json_object_set_new_nocheck(request, "openLibs", json_boolean(s->open_libs));
    json_object_set_nocheck(request, "object", (json_t *)(uintptr_t)object);
    if (params)
        json_object_set_nocheck(request, "params", (json_t *)(uintptr_t)params);
    return ask(e, request, hash_content(s->source, strlen(s->source), 1), out, err);
}

int eval_health(void *eval, const struct script *s, const json_t *object, struct health *out, err_t **err)
{
    AUTO_JSON value = NULL;
    if (eval_script(eval, s, object, NULL, &value, err) < 0)
        return err_again(err);
    return script_health_of(value, out, err);
}

int eval_jq_delete(eval_t *e, const char *expression, const json_t *object, json_t **out, err_t **err)
{
    AUTO_JSON request = json_object();
    AUTO_JSON paths = NULL;
    json_set_str(request, "op", "paths");
    json_set_str(request, "expression", expression);
    json_object_set_nocheck(request, "object", (json_t *)(uintptr_t)object);
    if (ask(e, request, hash_content(expression, strlen(expression), 2), &paths, err) < 0)
        return err_again(err);
    return eval_delete_paths(object, paths, out, err);
}
