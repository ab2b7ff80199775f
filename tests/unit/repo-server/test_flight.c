#include "tests/unit/test.h"
#include "repo-server/flight.h"

struct gate {
    lock_t lock;
    cond_t cond;
    int running, runs, allowed, done, failed;
    int last_job;
};

static struct gate g;

static void reset(void)
{
    g = (struct gate){.lock = LOCK_INIT};
    cond_init(&g.cond);
}

static void wait_for(int *counter, int want)
{
    LOCKED(&g.lock);
    mono_t deadline = mono_after(mono_now(), SECONDS(20));
    while (*counter < want)
        assert_true(cond_wait_until(&g.cond, &g.lock, deadline));
}

static void bump(int *counter)
{
    LOCKED(&g.lock);
    (*counter)++;
    pthread_cond_broadcast(&g.cond);
}

static atomic_bool *_Atomic seen;

static int run(void *ctx, const char *key, void *job, atomic_bool *canceled, void **result, err_t **err)
{
    seen = canceled;
    bump(&g.running);
    wait_for(&g.allowed, g.running);
    bump(&g.runs);
    int n = *(int *)job;
    if (n < 0)
        return err_set(err, ERR_NOT_FOUND, "job %d", n);
    *result = xmemdup(&n, sizeof(n));
    return 0;
}

static int *job(int n)
{
    return xmemdup(&n, sizeof(n));
}

static void done(void *arg, void *result, err_t *err)
{
    if (err)
        bump(&g.failed);
    if (result) {
        LOCKED(&g.lock);
        g.last_job = *(int *)result;
    }
    bump(&g.done);
}

enum { ANOTHERS, OURS };

static void join(flights_t *f, const char *key, bool fresh, int *job_take, int whose)
{
    bool ours = false;
    flight_join(f, key, fresh, job_take, done, NULL, &ours);
    assert_int_equal(ours, whose);
}

static const struct flight_ops ops = {run, free, free};

static void many_ask_one_runs(void **state)
{
    reset();
    pool_t *pool = pool_new("flight", 4, 100);
    flights_t *f = flights_new(pool, &ops, NULL);
    join(f, "a", false, job(1), OURS);
    wait_for(&g.running, 1);
    for (int i = 0; i < 50; i++)
        join(f, "a", false, job(2), ANOTHERS);
    bump(&g.allowed);
    wait_for(&g.done, 51);
    assert_int_equal(g.runs, 1);
    assert_int_equal(g.last_job, 1);
    pool_free(pool);
    assert_int_equal(flights_count(f), 0);
    flights_free(f);
}

static void fresh_ones_wait_for_the_next_run(void **state)
{
    reset();
    pool_t *pool = pool_new("flight", 4, 100);
    flights_t *f = flights_new(pool, &ops, NULL);
    flight_join(f, "a", true, job(1), done, NULL, NULL);
    wait_for(&g.running, 1);
    join(f, "a", true, job(2), OURS);
    join(f, "a", true, job(3), ANOTHERS);
    join(f, "a", false, job(4), ANOTHERS);
    bump(&g.allowed);
    wait_for(&g.done, 2); /* the first, and who did not insist */
    assert_int_equal(g.last_job, 1);
    wait_for(&g.running, 2);
    bump(&g.allowed);
    wait_for(&g.done, 4);
    assert_int_equal(g.runs, 2);
    assert_int_equal(g.last_job, 2);
    pool_free(pool);
    flights_free(f);
}

static void keys_run_side_by_side_and_errors_reach_all(void **state)
{
    reset();
    pool_t *pool = pool_new("flight", 4, 100);
    flights_t *f = flights_new(pool, &ops, NULL);
    flight_join(f, "a", false, job(-1), done, NULL, NULL);
    flight_join(f, "a", false, job(-2), done, NULL, NULL);
    flight_join(f, "b", false, job(3), done, NULL, NULL);
    wait_for(&g.running, 2);
    bump(&g.allowed);
    bump(&g.allowed);
    wait_for(&g.done, 3);
    assert_int_equal(g.failed, 2);
    pool_free(pool);
    flights_free(f);
}

static void a_full_pool_is_told_at_once(void **state)
{
    reset();
    pool_t *pool = pool_new("flight", 1, 1);
    flights_t *f = flights_new(pool, &ops, NULL);
    flight_join(f, "a", false, job(1), done, NULL, NULL);
    wait_for(&g.running, 1);
    flight_join(f, "b", false, job(2), done, NULL, NULL); /* in the queue */
    flight_join(f, "c", false, job(3), done, NULL, NULL); /* no room */
    assert_int_equal(g.done, 1);
    assert_int_equal(g.failed, 1);
    bump(&g.allowed);
    bump(&g.allowed);
    wait_for(&g.done, 3);
    pool_free(pool);
    assert_int_equal(flights_count(f), 0);
    flights_free(f);
}

static void a_run_that_all_have_left_is_told(void **state)
{
    reset();
    pool_t *pool = pool_new("flight", 4, 100);
    flights_t *f = flights_new(pool, &ops, NULL);
    int one, two;
    flight_join(f, "a", false, job(1), done, &one, NULL);
    wait_for(&g.running, 1);
    flight_join(f, "a", false, job(2), done, &two, NULL);
    flight_leave(f, "a", &one);
    assert_false(*seen);
    flight_leave(f, "a", &two);
    assert_true(*seen);
    flight_leave(f, "none", &two);
    bump(&g.allowed);
    wait_for(&g.done, 2);
    pool_free(pool);
    flights_free(f);
}

TESTS(T(many_ask_one_runs), T(fresh_ones_wait_for_the_next_run),
      T(keys_run_side_by_side_and_errors_reach_all), T(a_full_pool_is_told_at_once),
      T(a_run_that_all_have_left_is_told))
