#include "app-controller/members/tenure.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "tests/unit/test.h"

static str_t logged;

static void keep_line(void *arg, const char *line)
{
    (void)arg;
    str_puts(&logged, line);
}

static tenures_t *open_tenures(void)
{
    tenures_t *ts = tenures_new("replica-1");
    tenures_lease(ts, MONO_NEVER, MONO_NEVER);
    tenures_settle(ts, true);
    log_redirect(keep_line, NULL);
    return ts;
}

static void close_tenures(tenures_t *ts)
{
    log_redirect(NULL, NULL);
    str_dispose(&logged);
    tenures_free(ts);
}

static int write_once(tenures_t *ts, const char *path, err_t **err)
{
    struct kube_gate g;
    tenures_gate(ts, &g);
    int r = g.enter(g.arg, "PATCH", path, err);
    if (r == 0)
        g.leave(g.arg, "PATCH", "https://x", path, 200);
    return r;
}

static void who_owns_writes_and_it_is_logged(void **state)
{
    (void)state;
    tenures_t *ts = open_tenures();
    struct tenure t = {.key = "argocd/app"};
    AUTO_ERR err = NULL;
    assert_false(tenure_begin(ts, &t));
    assert_int_equal(tenure_want(ts, &t, true), TENURE_GAINED);
    assert_int_equal(write_once(ts, "/api/v1/x", &err), -ERR_INTERNAL); /* for no application */
    err_clear(&err);
    assert_true(tenure_begin(ts, &t));
    assert_int_equal(write_once(ts, "/api/v1/x", &err), 0);
    assert_non_null(strstr(str_text(&logged), "replica-1"));
    assert_non_null(strstr(str_text(&logged), "argocd/app"));
    assert_false(tenure_end(ts, &t));
    assert_int_equal(write_once(ts, "/api/v1/x", NULL), -ERR_INTERNAL);
    /* What changes nothing needs no right. */
    assert_int_equal(write_once(ts, "/api/v1/x?fieldManager=a&dryRun=All", NULL), 0);
    assert_int_equal(write_once(ts, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", NULL), 0);
    close_tenures(ts);
}

static void lease_that_ran_out(void **state)
{
    (void)state;
    tenures_t *ts = open_tenures();
    struct tenure t = {.key = "argocd/app"};
    AUTO_ERR err = NULL;
    tenure_want(ts, &t, true);
    assert_true(tenure_begin(ts, &t));
    mono_t now = boot_now();
    tenures_lease(ts, (mono_t){now.ns - 1}, mono_after(now, SECONDS(2)));
    assert_int_equal(write_once(ts, "/api/v1/x", &err), -ERR_UNAVAILABLE);
    assert_int_equal(tenure_refusals(ts, &t), 1);
    assert_true(tenure_owned(ts, &t)); /* it may come back */
    tenure_end(ts, &t);
    assert_false(tenure_begin(ts, &t));
    tenures_lease(ts, MONO_NEVER, MONO_NEVER);
    assert_true(tenure_begin(ts, &t));
    tenure_end(ts, &t);
    close_tenures(ts);
}

static void writes_end_with_the_lease(void **state)
{
    (void)state;
    tenures_t *ts = open_tenures();
    struct tenure t = {.key = "argocd/app"};
    struct kube_gate g;
    tenure_want(ts, &t, true);
    tenure_begin(ts, &t);
    tenures_gate(ts, &g);
    tenures_lease(ts, mono_after(boot_now(), SECONDS(1)), mono_after(boot_now(), SECONDS(2)));
    assert_int_equal(g.enter(g.arg, "PUT", "/x", NULL), 0);
    assert_true(g.goes_on(g.arg));
    tenures_lease(ts, boot_now(), mono_after(boot_now(), SECONDS(1)));
    assert_true(g.goes_on(g.arg)); /* what has begun may end */
    tenures_lease(ts, boot_now(), boot_now());
    assert_false(g.goes_on(g.arg));
    tenures_lease(ts, mono_after(boot_now(), SECONDS(1)), mono_after(boot_now(), SECONDS(2)));
    /* Lost with a write under way: it drains. */
    assert_int_equal(tenure_want(ts, &t, false), TENURE_LOST);
    assert_int_equal(tenures_draining(ts), 1);
    assert_int_equal(write_once(ts, "/y", NULL), -ERR_UNAVAILABLE);
    g.leave(g.arg, "PUT", "https://x", "/x", 0);
    assert_int_equal(tenures_draining(ts), 0);
    tenure_end(ts, &t);
    close_tenures(ts);
}

/* Work of an earlier tenure goes on: the new one begins when it has ended. */
static void comes_back_after_the_old_work(void **state)
{
    (void)state;
    tenures_t *ts = open_tenures();
    struct tenure t = {.key = "argocd/app"};
    tenure_want(ts, &t, true);
    assert_true(tenure_begin(ts, &t));
    assert_int_equal(tenure_want(ts, &t, false), TENURE_LOST);
    assert_int_equal(tenure_want(ts, &t, true), TENURE_SAME);
    assert_false(tenure_owned(ts, &t));
    assert_int_equal(write_once(ts, "/x", NULL), -ERR_UNAVAILABLE);
    assert_true(tenure_end(ts, &t));
    assert_true(tenure_owned(ts, &t));
    close_tenures(ts);
}

static void waits_until_it_is_settled(void **state)
{
    (void)state;
    tenures_t *ts = open_tenures();
    struct tenure t = {.key = "argocd/app"};
    tenures_settle(ts, false);
    assert_int_equal(tenure_want(ts, &t, true), TENURE_SAME);
    assert_false(tenure_begin(ts, &t));
    tenures_settle(ts, true);
    assert_int_equal(tenure_want(ts, &t, true), TENURE_GAINED);
    tenures_settle(ts, false); /* what is owned stays */
    assert_true(tenure_begin(ts, &t));
    tenure_end(ts, &t);
    close_tenures(ts);
}

TESTS(T(who_owns_writes_and_it_is_logged), T(lease_that_ran_out), T(writes_end_with_the_lease),
      T(comes_back_after_the_old_work), T(waits_until_it_is_settled))
