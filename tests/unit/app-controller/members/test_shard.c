#include "app-controller/members/shard.h"
#include "tests/unit/test.h"

#include <stdio.h>

enum { N = 12 };

/* What Argo CD 3.6 (controller/sharding) makes of the clusters of make(), by server. */
static void as_argo_cd_divides(void **state)
{
    (void)state;
    static const struct {
        enum shard_method method;
        unsigned replicas, shards[N];
    } cases[] = {
        {SHARD_LEGACY, 2, {0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0}},
        {SHARD_LEGACY, 3, {0, 0, 2, 2, 1, 0, 1, 1, 2, 0, 2, 0}},
        {SHARD_LEGACY, 5, {0, 3, 1, 1, 1, 0, 0, 1, 2, 1, 3, 3}},
        {SHARD_ROUND_ROBIN, 2, {0, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 1}},
        {SHARD_ROUND_ROBIN, 3, {0, 1, 0, 1, 1, 0, 2, 1, 2, 0, 2, 0}},
        {SHARD_ROUND_ROBIN, 5, {0, 2, 3, 0, 1, 0, 3, 4, 1, 1, 2, 4}},
        {SHARD_CONSISTENT_HASHING, 2, {1, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 1}},
        {SHARD_CONSISTENT_HASHING, 3, {1, 2, 2, 2, 1, 0, 1, 0, 0, 2, 1, 0}},
        {SHARD_CONSISTENT_HASHING, 5, {3, 0, 2, 4, 1, 0, 1, 3, 2, 2, 1, 4}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct shard_cluster c[N];
        char ids[N][64], servers[N][32];
        unsigned out[N];
        for (unsigned k = 0; k < N; k++) {
            snprintf(ids[k], sizeof(ids[k]), "%08x-0000-4000-8000-%012u", k * 2654435761U, k);
            snprintf(servers[k], sizeof(servers[k]), "https://c%02u", k);
            if (!k)
                ids[k][0] = 0; /* the implicit one */
            c[k] = (struct shard_cluster){servers[k], ids[k], k == 4 ? 1 : k == 5 ? 9 : -1, (k * 7) % 11};
        }
        shard_divide(cases[i].method, cases[i].replicas, c, N, out);
        for (unsigned k = 0; k < N; k++) {
            unsigned of = (unsigned)(c[k].server[9] - '0') * 10 + (unsigned)(c[k].server[10] - '0');
            if (out[k] != cases[i].shards[of])
                fail_msg("method %d, %u replicas: %s is of shard %u, not %u", cases[i].method,
                         cases[i].replicas, c[k].server, out[k], cases[i].shards[of]);
        }
    }
}

static void one_replica_has_all(void **state)
{
    (void)state;
    for (int m = SHARD_LEGACY; m <= SHARD_CONSISTENT_HASHING; m++) {
        char server[] = "https://x", id[] = "1234";
        struct shard_cluster c[] = {{server, id, -1, 3}};
        unsigned out[1] = {7};
        shard_divide((enum shard_method)m, 1, c, 1, out);
        assert_int_equal(out[0], 0);
    }
}

static void names_of_methods(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum shard_method method;
        bool known;
    } cases[] = {{"legacy", SHARD_LEGACY, true},
                 {"round-robin", SHARD_ROUND_ROBIN, true},
                 {"consistent-hashing", SHARD_CONSISTENT_HASHING, true},
                 {"other", SHARD_LEGACY, false},
                 {"", SHARD_LEGACY, false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool known;
        assert_int_equal(shard_method_of(cases[i].name, &known), cases[i].method);
        assert_int_equal(known, cases[i].known);
    }
}

static void shard_of_a_replica(void **state)
{
    (void)state;
    static const struct {
        int64_t given;
        const char *host;
        unsigned replicas, shard;
    } cases[] = {{2, "x-0", 3, 2},     {-1, "argocd-application-controller-1", 3, 1},
                 {-1, "laptop", 3, 0}, {-1, "x-y", 3, 0},
                 {7, "x-1", 3, 0},     {-1, "x-9", 3, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(shard_of_replica(cases[i].given, cases[i].host, cases[i].replicas), cases[i].shard);
}

TESTS(T(as_argo_cd_divides), T(one_replica_has_all), T(names_of_methods), T(shard_of_a_replica))
