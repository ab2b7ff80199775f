#include "app-controller/members/plan.h"
#include "tests/unit/test.h"

#include <stdio.h>

enum { MANY = 400 };

static char *one[] = {"a", NULL}, *two[] = {"a", "b", NULL}, *three[] = {"a", "b", "c", NULL},
            *without_b[] = {"a", "c", NULL};

static struct plan_cluster *clusters(size_t n, size_t apps)
{
    struct plan_cluster *c = xcalloc(n + 1, sizeof(*c));
    for (size_t i = 0; i < n; i++)
        c[i] = (struct plan_cluster){xasprintf("https://cluster-%zu", i), -1, apps};
    return c;
}

static void free_clusters(struct plan_cluster *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(c[i].server);
    free(c);
}

/* How many clusters (weighted) each member has. */
static void loads(const struct plan *p, const struct plan_cluster *c, size_t n, size_t out[8])
{
    memset(out, 0, 8 * sizeof(*out));
    for (size_t i = 0; i < n; i++)
        for (size_t m = 0; p->members[m]; m++)
            if (strcmp(p->members[m], plan_cluster_owner(p, c[i].server)) == 0)
                out[m] += 1 + c[i].apps;
}

static void one_alone_has_everything(void **state)
{
    (void)state;
    struct plan none = {}, p, q;
    assert_true(plan_next(&none, one, NULL, 0, 10, &p));
    assert_int_equal(p.generation, 1);
    assert_string_equal(plan_owner(&p, "https://x", "argocd/app"), "a");
    assert_string_equal(plan_owner(&p, "", "argocd/app"), "a");
    assert_false(plan_next(&p, one, NULL, 0, 10, &q));
    assert_null(plan_owner(&none, "https://x", "argocd/app"));
    plan_dispose(&p);
}

static void is_balanced_and_stays(void **state)
{
    (void)state;
    static const struct {
        size_t n, apps;
    } cases[] = {{3, 100}, {7, 5}, {100, 0}, {100, 20}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct plan none = {}, p, q, r;
        size_t n = cases[i].n, have[8], moved = 0;
        struct plan_cluster *c = clusters(n, cases[i].apps);
        assert_true(plan_next(&none, three, c, n, 0, &p));
        loads(&p, c, n, have);
        size_t total = n * (1 + cases[i].apps), most = total * 125 / 300 + 1 + cases[i].apps;
        for (size_t m = 0; m < 3; m++)
            if (have[m] > most)
                fail_msg("%zu clusters: member %zu has %zu of %zu", n, m, have[m], total);
        assert_false(plan_next(&p, three, c, n, 0, &r)); /* nothing to change */
        /* One goes: only what it had moves. */
        assert_true(plan_next(&p, without_b, c, n, 0, &q));
        assert_int_equal(q.generation, 2);
        for (size_t k = 0; k < n; k++) {
            const char *before = plan_cluster_owner(&p, c[k].server),
                       *after = plan_cluster_owner(&q, c[k].server);
            moved += strcmp(before, after) != 0;
            if (strcmp(before, "b") != 0 && n > 50)
                assert_string_equal(before, after);
        }
        assert_true(moved * 2 <= n + 2);
        /* It comes back: it gets its share again. */
        assert_true(plan_next(&q, three, c, n, 0, &r));
        loads(&r, c, n, have);
        assert_true(have[1] > 0);
        plan_dispose(&p);
        plan_dispose(&q);
        plan_dispose(&r);
        free_clusters(c, n);
    }
}

static void big_clusters_are_split_and_joined_again(void **state)
{
    (void)state;
    struct plan_cluster c[] = {{"https://big", -1, 101}, {"https://small", -1, 3}};
    struct plan none = {}, p, q;
    size_t of_a = 0;
    assert_true(plan_next(&none, two, c, 2, 100, &p));
    assert_true(plan_splits(&p, "https://big"));
    assert_false(plan_splits(&p, "https://small"));
    for (size_t i = 0; i < MANY; i++) {
        char app[32];
        snprintf(app, sizeof(app), "argocd/app-%zu", i);
        of_a += strcmp(plan_owner(&p, "https://big", app), "a") == 0;
    }
    assert_in_range(of_a, MANY / 3, MANY * 2 / 3);
    c[0].apps = 60; /* stays divided until it has less than half */
    assert_false(plan_next(&p, two, c, 2, 100, &q));
    c[0].apps = 40;
    assert_true(plan_next(&p, two, c, 2, 100, &q));
    assert_false(plan_splits(&q, "https://big"));
    plan_dispose(&p);
    plan_dispose(&q);
}

static void a_shard_names_a_member(void **state)
{
    (void)state;
    char *members[] = {"controller-0", "controller-1", NULL};
    struct plan_cluster c[] = {{"https://x", 1, 0}, {"https://y", 0, 500}, {"https://z", 7, 0}};
    struct plan none = {}, p;
    assert_true(plan_next(&none, members, c, 3, 100000, &p));
    assert_string_equal(plan_cluster_owner(&p, "https://x"), "controller-1");
    assert_string_equal(plan_cluster_owner(&p, "https://y"), "controller-0");
    assert_string_equal(plan_cluster_owner(&p, "https://z"), "controller-1"); /* no such member: by load */
    plan_dispose(&p);
}

/* Whoever reads it, and whatever else he knows, finds the same owner. */
static void text_says_it_all(void **state)
{
    (void)state;
    struct plan none = {}, p, q;
    struct plan_cluster *c = clusters(20, 10);
    assert_true(plan_next(&none, three, c, 20, 0, &p));
    AUTO(free_p) char *text = plan_text(&p);
    assert_int_equal(plan_parse(text, strlen(text), &q, NULL), 0);
    assert_int_equal(q.generation, 1);
    for (size_t i = 0; i < 20; i++)
        assert_string_equal(plan_cluster_owner(&p, c[i].server), plan_cluster_owner(&q, c[i].server));
    assert_string_equal(plan_owner(&p, "https://unheard-of", "ns/x"),
                        plan_owner(&q, "https://unheard-of", "ns/y"));
    free_clusters(c, 20);
    plan_dispose(&p);
    plan_dispose(&q);
}

static void spoilt_texts(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "{",
                                        "[]",
                                        "{}",
                                        "{\"generation\":1}",
                                        "{\"generation\":0,\"members\":[],\"clusters\":{}}",
                                        "{\"generation\":-4,\"members\":[],\"clusters\":{}}",
                                        "{\"generation\":1,\"members\":[\"b\",\"a\"],\"clusters\":{}}",
                                        "{\"generation\":1,\"members\":[7],\"clusters\":{}}",
                                        "{\"generation\":1,\"members\":{},\"clusters\":{}}",
                                        "{\"generation\":1,\"members\":[\"a\"],\"clusters\":[]}"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct plan p;
        if (plan_parse(cases[i], strlen(cases[i]), &p, NULL) == 0)
            fail_msg("%s was read", cases[i]);
    }
}

TESTS(T(one_alone_has_everything), T(is_balanced_and_stays), T(big_clusters_are_split_and_joined_again),
      T(a_shard_names_a_member), T(text_says_it_all), T(spoilt_texts))
