/* Why no two replicas work one application.
 *
 * A member works an application (1) that the plan it has adopted, number g, gives it, and (2) either worked
 * it already by the plan it had acknowledged before, or has seen a list of all Leases, made after its
 * acknowledgement of g was written, in which the plan's number was g and every other Lease was expired,
 * acknowledged 0 (works nothing), or acknowledged g.
 *
 * Lists are consistent snapshots, and plan numbers only grow (compare-and-swap). Say A gained an application
 * by plan g in snapshot s. At s everybody alive had dropped what g does not give him, and written that. B may
 * gain the application only by a later plan h, after a snapshot in which A acknowledged h or its lease had
 * expired: in the first case A has dropped it and its writes have ended; in the second A's own clock passed
 * the end of its lease before B's did, since A counts from before it sent the renewal and B from after it saw
 * it, and A lets no write begin after two thirds nor last beyond the whole of it.
 *
 * A member whose lease ran out, for instance while the process was stopped, may have been passed over. It
 * renews first, without working, and lists: with the plan unchanged nobody has gained anything of it (to gain
 * takes a new plan), and whoever makes one now sees a fresh Lease and waits for its acknowledgement. With
 * another plan it drops everything, acknowledges 0, and joins as if it were new.
 *
 * A process takes over the Lease of an earlier one of the same name when that one is certainly dead (a crash)
 * or its lease has run out; otherwise it waits as a standby. */
#include "app-controller/members/members.h"
#include "app-controller/members/lease.h"
#include "app-controller/members/moves.h"
#include "common/base/log.h"
#include "common/base/vec.h"
#include "common/kinds/kinds.h"

#include <stdio.h>

static const int64_t TICK_NS = SECONDS(1), QUICK_NS = MILLIS(30), SLOW_QUICK_NS = MILLIS(200),
                     LOAD_PERIOD_NS = SECONDS(10), ALONE_AFTER_NS = SECONDS(10),
                     COLLECT_AFTER_NS = SECONDS(600);

/* When a version of another's Lease was first seen. */
struct sight {
    char *rv;
    mono_t at;
    bool listed;
};

struct members {
    struct members_options o;
    char *ns, *name, *holder, *life, *lease, *kind;
    pthread_t thread;
    bool started;

    lock_t lock; /* guards what follows */
    cond_t wake;
    bool stopping;
    struct plan plan; /* the one adopted */
    bool hurry;

    struct moves moves; /* has a lock of its own */

    /* Of the thread. */
    char *rv, *uid; /* of our Lease; NULL: not held */
    int64_t transitions;
    uint64_t acked;
    mono_t sent, stop;     /* when the last renewal was sent; until when work may begin (boot time) */
    bool doubt;            /* the lease had run out before it was renewed */
    bool settled, waiting; /* waiting: told that another process has our name */
    map_t sights;
    mono_t listed, clear_since; /* boot time: the last list; since when there has been no gap */
    mono_t load_at, refused_since;
    bool alone;
    int64_t next_ns; /* to the next look */
};

static void sight_free(void *p)
{
    struct sight *s = p;
    free(s->rv);
    free(s);
}

typedef VEC(struct lease) leases_t;

static void leases_free(leases_t *l)
{
    VEC_FOREACH(l, it)
        lease_dispose(it);
    VEC_FREE(l);
}

static bool by_shard(const struct members *m)
{
    return m->o.shard != NULL;
}

/* ---- reading ---- */

static int list(struct members *m, leases_t *out, err_t **err)
{
    /* One answer that does not come is to cost neither the lease nor an end in time. */
    struct kube_list what = {.ns = m->ns, .label_selector = LEASE_LABEL, .silence_ns = m->o.duration_ns / 3};
    AUTO_JSON items = NULL;
    if (kube_list_json(m->o.kube, &lease_resource, &what, &items, err) < 0)
        return err_wrap(err, "leases of the controller's replicas");
    for (size_t i = 0; i < json_array_size(items); i++) {
        struct lease l;
        lease_parse(json_array_get(items, i), &l);
        VEC_PUSH(out, l);
    }
    return 0;
}

static void observe(struct members *m, const leases_t *leases)
{
    mono_t now = boot_now();
    /* Who did not look for a while does not know who has been silent. */
    if (!m->listed.ns || now.ns - m->listed.ns > m->o.duration_ns / 2)
        m->clear_since = now;
    m->listed = now;
    MAP_FOREACH(&m->sights, e)
        ((struct sight *)e->value)->listed = false;
    VEC_FOREACH(leases, l) {
        struct sight *s = map_get(&m->sights, l->name);
        if (!s) {
            s = xcalloc(1, sizeof(*s));
            map_put(&m->sights, l->name, s);
        }
        s->listed = true;
        if (str_eq(s->rv, l->rv))
            continue;
        free(s->rv);
        s->rv = xstrdup(l->rv);
        s->at = now;
    }
    MAP_FOREACH(&m->sights, e)
        if (!((struct sight *)e->value)->listed) {
            AUTO(free_p) char *name = xstrdup(e->key);
            map_del(&m->sights, name);
        }
}

static int64_t silent_for(const struct members *m, const struct lease *l)
{
    const struct sight *s = map_get(&m->sights, l->name);
    if (!s)
        return 0;
    return m->listed.ns - (s->at.ns > m->clear_since.ns ? s->at.ns : m->clear_since.ns);
}

static bool expired(const struct members *m, const struct lease *l)
{
    return str_empty(l->holder) || silent_for(m, l) > l->duration_ns || life_is_over(l->life, m->life);
}

static struct lease *find(const leases_t *leases, const char *name)
{
    VEC_FOREACH(leases, l)
        if (strcmp(l->name, name) == 0)
            return l;
    return NULL;
}

static bool is_mine(const struct members *m, const struct lease *l)
{
    return strcmp(l->name, m->lease) == 0;
}

/* ---- our Lease ---- */

static void keep(struct members *m, const json_t *answer)
{
    free(m->rv);
    free(m->uid);
    m->rv = xstrdup(object_resource_version(answer));
    m->uid = xstrdup(object_uid(answer));
}

/* Work may go on as long as the last renewal permits. */
static void extend(struct members *m)
{
    m->stop = mono_after(m->sent, m->o.duration_ns * 2 / 3);
    m->doubt = false;
    tenures_lease(m->o.tenures, m->stop, mono_after(m->sent, m->o.duration_ns));
}

/* Writes the Lease as it is to be; rv "": it is made. */
static int write_lease(struct members *m, const char *rv, uint64_t acked, err_t **err)
{
    struct lease l = {.name = m->lease,
                      .kind = m->kind,
                      .holder = m->holder,
                      .life = m->life,
                      .rv = (char *)(uintptr_t)rv,
                      .acked = acked,
                      .duration_ns = m->o.duration_ns,
                      .transitions = m->transitions};
    uint64_t question;
    AUTO(free_p) char *asks = moves_question(&m->moves, &question);
    AUTO(free_p) char *gives = moves_answers(&m->moves);
    l.asks = asks;
    l.gives = gives;
    AUTO_JSON body = lease_object(&l, m->ns, wall_now());
    AUTO_JSON answer = NULL;
    struct kube_params params = {.timeout_ns = m->o.duration_ns / 3};
    mono_t sent = boot_now();
    int r = *rv ? kube_update(m->o.kube, &lease_resource, m->ns, m->lease, body, &params, &answer, err)
                : kube_create(m->o.kube, &lease_resource, m->ns, body, &params, &answer, err);
    if (r < 0)
        return err_wrap(err, "lease %s", m->lease);
    keep(m, answer);
    m->sent = sent;
    m->acked = acked;
    moves_wrote(&m->moves, question);
    return 0;
}

/* The Lease was renewed. Where that came too late, also while it was under way, work was turned away, and
 * others may have taken it: that is looked at before anything goes on. */
static void renewed(struct members *m)
{
    bool late = m->doubt || mono_cmp(boot_now(), m->stop) >= 0;
    if (late && !by_shard(m)) {
        m->doubt = true;
        m->next_ns = 0;
        return;
    }
    extend(m);
    if (late)
        m->o.on_resumed(m->o.ctx);
}

static void lose(struct members *m, const char *why)
{
    log_warn(LOGF({"replica", m->name}), "replica gives up its work: %s", why);
    tenures_lease(m->o.tenures, (mono_t){0}, (mono_t){0});
    tenures_settle(m->o.tenures, false);
    m->settled = false;
    m->doubt = false;
    m->acked = 0;
    {
        LOCKED(&m->lock);
        plan_dispose(&m->plan);
    }
    m->o.on_lost(m->o.ctx);
}

/* Takes the Lease, new or another's that is over. */
static int acquire(struct members *m, const struct lease *there, err_t **err)
{
    if (m->rv) {
        free(TAKE(m->rv));
        lose(m, there ? "another process has its lease" : "its lease was deleted");
    }
    if (tenures_draining(m->o.tenures)) { /* writes of before the loss are under way */
        m->next_ns = SLOW_QUICK_NS;
        return 0;
    }
    if (there && !expired(m, there)) {
        if (!m->waiting)
            log_warn(LOGF({"replica", m->name}), "waits: %s works as this replica", there->holder);
        m->waiting = true;
        return 0;
    }
    m->waiting = false;
    m->transitions = there ? there->transitions + 1 : 0;
    if (write_lease(m, there ? there->rv : "", 0, err) < 0)
        return err_again(err);
    log_info(LOGF({"replica", m->name}, {"lease", m->lease}), "replica has its lease");
    extend(m);
    m->next_ns = 0;
    return 0;
}

static bool due(const struct members *m)
{
    return boot_now().ns - m->sent.ns >= m->o.duration_ns / 4;
}

/* 1: it is ours, and this list may be followed; 0: not (yet). */
static int hold(struct members *m, const struct lease *mine, err_t **err)
{
    if (!mine || !m->rv || strcmp(mine->holder, m->holder) != 0)
        return acquire(m, mine, err);
    free(m->rv); /* an update whose answer was lost has changed it */
    m->rv = xstrdup(mine->rv);
    if (!due(m))
        return 1;
    if (write_lease(m, m->rv, m->acked, err) < 0)
        return err_again(err);
    renewed(m);
    return !m->doubt;
}

/* ---- the plan ---- */

static bool lives(const struct members *m, const struct lease *l)
{
    return strcmp(l->kind, "member") == 0 && (is_mine(m, l) || !expired(m, l));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **living(const struct members *m, const leases_t *leases)
{
    char **names = xcalloc(leases->n + 1, sizeof(*names));
    size_t n = 0;
    VEC_FOREACH(leases, l)
        if (lives(m, l) && !strv_contains(names, l->member))
            names[n++] = xstrdup(l->member);
    qsort(names, n, sizeof(*names), by_name);
    return names;
}

static bool same_names(char *const *a, char *const *b)
{
    for (; a && *a && *b && strcmp(*a, *b) == 0; a++)
        b++;
    return a && !*a && !*b;
}

static int write_plan(struct members *m, const struct lease *old, const struct plan *p, err_t **err)
{
    AUTO(free_p) char *text = plan_text(p);
    struct lease l = {.name = (char *)(uintptr_t)LEASE_PLAN_NAME,
                      .kind = (char *)(uintptr_t) "plan",
                      .holder = m->holder,
                      .rv = old ? old->rv : (char *)(uintptr_t) "",
                      .plan = text};
    AUTO_JSON body = lease_object(&l, m->ns, wall_now());
    struct kube_params params = {.timeout_ns = m->o.duration_ns / 3};
    return old ? kube_update(m->o.kube, &lease_resource, m->ns, l.name, body, &params, NULL, err)
               : kube_create(m->o.kube, &lease_resource, m->ns, body, &params, NULL, err);
}

static void free_load(struct plan_cluster *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(c[i].server);
    free(c);
}

/* Makes the next plan where it is ours to make, and time. True when there is another one now. */
static bool lead(struct members *m, const leases_t *leases, const struct lease *at, const struct plan *plan)
{
    AUTO(strv_free_p) char **names = living(m, leases);
    bool changed = !same_names(plan->members, names);
    if (!names[0] || strcmp(names[0], m->name) != 0 || (!changed && (!names[1] || mono_left(m->load_at))))
        return false;
    size_t n = 0;
    struct plan next;
    struct plan_cluster *load = names[1] ? m->o.load(m->o.ctx, &n) : NULL;
    bool known = load || !names[1];
    m->load_at = mono_after(mono_now(), LOAD_PERIOD_NS);
    bool news = (changed || known) && plan_next(plan, names, load, n, m->o.split_above, &next);
    free_load(load, n);
    if (!news)
        return false;
    AUTO_ERR err = NULL;
    int r = write_plan(m, at, &next, &err);
    if (r == 0) {
        AUTO(free_p) char *all = strv_join(next.members, " ");
        log_info(LOGF({"replica", m->name}, {"members", all}), "plan %llu of the work",
                 (unsigned long long)next.generation);
    } else if (r != -ERR_ABORTED && r != -ERR_ALREADY_EXISTS) {
        log_warn(NULL, "plan of the work: %s", err_text(err));
    }
    plan_dispose(&next);
    return r == 0;
}

static void adopt(struct members *m, const struct plan *plan)
{
    tenures_settle(m->o.tenures, false);
    m->settled = false;
    {
        LOCKED(&m->lock);
        plan_dispose(&m->plan);
        plan_copy(&m->plan, plan);
    }
    m->o.on_change(m->o.ctx);
}

/* By this list, nobody else may still work what the plan gives to us. */
static bool others_follow(const struct members *m, const leases_t *leases)
{
    VEC_FOREACH(leases, l)
        if (strcmp(l->kind, "member") == 0 && !is_mine(m, l) && !expired(m, l) && l->acked &&
            l->acked != m->plan.generation)
            return false;
    return true;
}

static void settle(struct members *m)
{
    m->settled = true;
    tenures_settle(m->o.tenures, true);
    log_info(LOGF({"replica", m->name}), "replica works by plan %llu",
             (unsigned long long)m->plan.generation);
    m->o.on_change(m->o.ctx);
}

/* The lease had run out: whether the plan is still the one that we worked by. */
static void resolve_doubt(struct members *m, const struct plan *plan)
{
    if (m->acked && plan->generation == m->acked) {
        log_warn(LOGF({"replica", m->name}), "the lease had run out; nobody has taken anything over");
        extend(m);
        m->o.on_resumed(m->o.ctx);
        return;
    }
    lose(m, "its lease ran out, and its work was given to others");
    m->doubt = true; /* until that is written */
}

static int follow(struct members *m, const leases_t *leases, const struct plan *plan, err_t **err)
{
    if (m->doubt) {
        if (m->acked || m->plan.generation)
            resolve_doubt(m, plan);
        if (m->doubt) {
            if (tenures_draining(m->o.tenures))
                return 0;
            if (write_lease(m, m->rv, 0, err) < 0)
                return err_again(err);
            extend(m);
            m->next_ns = 0;
            return 0;
        }
    }
    if (!plan->generation)
        return 0;
    if (plan->generation != m->plan.generation)
        adopt(m, plan);
    if (m->acked != plan->generation) {
        m->next_ns = QUICK_NS;
        if (tenures_draining(m->o.tenures))
            return 0;
        if (write_lease(m, m->rv, plan->generation, err) < 0)
            return err_again(err);
        m->next_ns = 0;
        renewed(m);
        return 0;
    }
    if (!m->settled && others_follow(m, leases))
        settle(m);
    else if (!m->settled)
        m->next_ns = SLOW_QUICK_NS;
    return 0;
}

/* Leases of those who have long been gone. */
static void collect(struct members *m, const leases_t *leases)
{
    VEC_FOREACH(leases, l) {
        if (strcmp(l->kind, "plan") == 0 || is_mine(m, l) || silent_for(m, l) < COLLECT_AFTER_NS)
            continue;
        struct kube_delete how = {.uid = l->uid, .resource_version = l->rv, .grace_seconds = -1};
        kube_delete(m->o.kube, &lease_resource, m->ns, l->name, &how, NULL, NULL);
    }
}

/* ---- applications that move ---- */

static void take(struct members *m, uint64_t answered)
{
    AUTO(strv_free_p) char **keys = moves_take(&m->moves, answered);
    for (char **k = keys; *k; k++)
        m->o.on_given(m->o.ctx, *k);
}

/* Answers the others' questions, asks ours, and takes what all have answered. Those who work nothing need not
 * answer. */
static int exchange(struct members *m, const leases_t *leases, err_t **err)
{
    uint64_t answered = UINT64_MAX;
    VEC_FOREACH(leases, l) {
        if (strcmp(l->kind, m->kind) != 0 || is_mine(m, l) || expired(m, l))
            continue;
        moves_answer(&m->moves, l->member, l->asks, m->o.let_go, m->o.ctx);
        uint64_t given = moves_answered(l->gives, m->name);
        if (given > moves_last(&m->moves)) /* of an earlier life, whose clock was ahead */
            given = 0;
        if ((by_shard(m) || l->acked) && given < answered)
            answered = given;
    }
    take(m, answered);
    if (moves_unwritten(&m->moves)) {
        if (write_lease(m, m->rv, m->acked, err) < 0)
            return err_again(err);
        renewed(m);
    }
    if (moves_pending(&m->moves) && m->next_ns > SLOW_QUICK_NS)
        m->next_ns = SLOW_QUICK_NS;
    return 0;
}

/* ---- the thread ---- */

/* Without permission, or where Leases are not served, one alone works as Argo CD would. */
static bool works_alone(struct members *m, const err_t *err)
{
    bool refused = err_code(err) == ERR_PERMISSION_DENIED || err_code(err) == ERR_NOT_FOUND;
    if (!refused || m->o.others) {
        m->refused_since = (mono_t){0};
        return false;
    }
    if (!m->refused_since.ns)
        m->refused_since = mono_now();
    return mono_now().ns - m->refused_since.ns > ALONE_AFTER_NS;
}

static void go_alone(struct members *m)
{
    log_error(NULL,
              "leases in namespace %s are not permitted or not served: this replica works without one, so "
              "there must be no other",
              m->ns);
    m->alone = true;
    {
        LOCKED(&m->lock);
        plan_dispose(&m->plan);
        char *names[] = {m->name, NULL};
        AUTO(free_p) struct plan *none = xcalloc(1, sizeof(*none));
        plan_next(none, names, NULL, 0, 0, &m->plan);
    }
    tenures_lease(m->o.tenures, MONO_NEVER, MONO_NEVER);
    tenures_settle(m->o.tenures, true);
    m->o.on_change(m->o.ctx);
}

static int look(struct members *m, err_t **err)
{
    leases_t leases = {};
    struct plan plan = {};
    int r = list(m, &leases, err);
    if (r == 0) {
        m->refused_since = (mono_t){0};
        observe(m, &leases);
        r = hold(m, find(&leases, m->lease), err);
    }
    if (r > 0 && by_shard(m)) {
        if (!m->settled) {
            m->settled = true;
            tenures_settle(m->o.tenures, true);
            m->o.on_change(m->o.ctx);
        }
        r = 0;
    } else if (r > 0) {
        const struct lease *at = find(&leases, LEASE_PLAN_NAME);
        r = at && at->plan ? plan_parse(at->plan, strlen(at->plan), &plan, NULL) : 0;
        if (r < 0) /* somebody spoilt it: a number that is surely new */
            plan = (struct plan){.generation = (uint64_t)(wall_now().ns / NS_PER_SEC) << 20};
        r = 0;
        if (!m->doubt && lead(m, &leases, at, &plan))
            m->next_ns = 0;
        else
            r = follow(m, &leases, &plan, err);
        collect(m, &leases);
    }
    if (r == 0 && m->rv && m->settled && !m->doubt)
        r = exchange(m, &leases, err);
    plan_dispose(&plan);
    leases_free(&leases);
    return r;
}

static void tick(struct members *m)
{
    AUTO_ERR err = NULL;
    m->next_ns = TICK_NS;
    if (!m->alone && look(m, &err) < 0) {
        if (works_alone(m, err))
            go_alone(m);
        else if (err_code(err) != ERR_ABORTED)
            log_warn(LOGF({"replica", m->name}), "%s", err_text(err));
        m->next_ns = err_code(err) == ERR_ABORTED ? QUICK_NS : TICK_NS;
    }
    if (m->alone)
        take(m, UINT64_MAX);
    m->o.on_tick(m->o.ctx);
}

static void *run(void *arg)
{
    struct members *m = arg;
    for (;;) {
        tick(m);
        mono_t next = mono_after(mono_now(), m->next_ns);
        LOCKED(&m->lock);
        while (!m->stopping && !m->hurry && mono_left(next))
            cond_wait_until(&m->wake, &m->lock, next);
        m->hurry = false;
        if (m->stopping)
            return NULL;
    }
}

/* ---- life ---- */

members_t *members_new(const struct members_options *o)
{
    members_t *m = xcalloc(1, sizeof(*m));
    m->o = *o;
    m->ns = xstrdup(o->ns);
    m->name = xstrdup(o->name);
    m->holder = xasprintf("%s_%s", o->name, o->epoch);
    m->life = life_text(o->pod_uid);
    m->kind = xstrdup(o->shard ? "shard" : "member");
    m->lease = lease_name(o->shard ? o->shard : o->name);
    m->sights.value_free = sight_free;
    moves_init(&m->moves);
    pthread_mutex_init(&m->lock, NULL);
    cond_init(&m->wake);
    return m;
}

void members_start(members_t *m)
{
    m->thread = thread_start("members", run, m);
    m->started = true;
}

void members_stop(members_t *m)
{
    if (!m || !m->started)
        return;
    {
        LOCKED(&m->lock);
        m->stopping = true;
        pthread_cond_broadcast(&m->wake);
    }
    pthread_join(m->thread, NULL);
    m->started = false;
    if (!m->rv)
        return;
    AUTO_ERR err = NULL;
    struct kube_delete how = {.uid = m->uid, .resource_version = m->rv, .grace_seconds = -1};
    struct kube_params params = {.timeout_ns = SECONDS(2)};
    if (kube_delete(m->o.kube, &lease_resource, m->ns, m->lease, &how, &params, &err) < 0)
        log_debug(NULL, "lease %s: %s", m->lease, err_text(err));
}

void members_free(members_t *m)
{
    if (!m)
        return;
    plan_dispose(&m->plan);
    map_dispose(&m->sights);
    moves_dispose(&m->moves);
    free(m->ns);
    free(m->name);
    free(m->holder);
    free(m->life);
    free(m->lease);
    free(m->kind);
    free(m->rv);
    free(m->uid);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->wake);
    free(m);
}

bool members_is_mine(members_t *m, const char *server, const char *app)
{
    LOCKED(&m->lock);
    const char *owner = plan_owner(&m->plan, server, app);
    return owner && strcmp(owner, m->name) == 0;
}

bool members_is_my_cluster(members_t *m, const char *server)
{
    LOCKED(&m->lock);
    const char *owner = plan_cluster_owner(&m->plan, server);
    return owner && strcmp(owner, m->name) == 0;
}

size_t members_count(members_t *m)
{
    LOCKED(&m->lock);
    return m->plan.members ? strv_len(m->plan.members) : 0;
}

uint64_t members_plan(members_t *m)
{
    LOCKED(&m->lock);
    return m->plan.generation;
}

void members_ask(members_t *m, const char *key, const char *rv)
{
    moves_ask(&m->moves, key, rv);
    LOCKED(&m->lock);
    m->hurry = true;
    pthread_cond_broadcast(&m->wake);
}

void members_withdraw(members_t *m, const char *key)
{
    moves_withdraw(&m->moves, key);
}
