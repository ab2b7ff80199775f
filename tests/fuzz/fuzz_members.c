/* "lease NUL plan": what other replicas wrote. A Lease always reads, within its bounds, and reads the same
 * when it is written again; a plan is refused, or comes back as it was written. */
#include "app-controller/members/lease.h"
#include "app-controller/members/plan.h"
#include "tests/fuzz/fuzz.h"

#include "common/json/json.h"

static void read_lease(const char *text)
{
    AUTO_JSON o = NULL;
    struct lease l, again;
    if (json_read_str(text, &o, NULL) < 0)
        return;
    lease_parse(o, &l);
    REQUIRE(l.duration_ns >= SECONDS(1) && l.duration_ns <= SECONDS(300));
    AUTO_JSON written = lease_object(&l, "ns", (wall_t){0});
    lease_parse(written, &again);
    REQUIRE(strcmp(l.holder, again.holder) == 0 && strcmp(l.member, again.member) == 0);
    REQUIRE(l.plan ? strcmp(l.plan, again.plan) == 0 : l.acked == again.acked);
    REQUIRE(l.plan || (strcmp(l.life, again.life) == 0 &&
                       l.duration_ns / NS_PER_SEC == again.duration_ns / NS_PER_SEC));
    life_is_over(l.life, "process:b:1:2:3");
    free(lease_name(l.member));
    lease_dispose(&l);
    lease_dispose(&again);
}

static void read_plan(const char *text)
{
    struct plan p, again, next;
    if (plan_parse(text, strlen(text), &p, NULL) < 0)
        return;
    AUTO(free_p) char *written = plan_text(&p);
    REQUIRE(plan_parse(written, strlen(written), &again, NULL) == 0);
    AUTO(free_p) char *twice = plan_text(&again);
    REQUIRE(strcmp(written, twice) == 0);
    const char *owner = plan_owner(&p, "https://a", "ns/app");
    REQUIRE(owner == NULL || strv_len(p.members) > 0);
    plan_cluster_owner(&p, "https://a");
    plan_splits(&p, "https://a");
    char *members[] = {(char *)"c-0", (char *)"c-1", NULL};
    struct plan_cluster clusters[] = {{(char *)"https://a", -1, 3}, {(char *)"https://b", 1, 0}};
    plan_next(&p, members, clusters, ARRAY_LEN(clusters), 2, &next);
    plan_dispose(&p);
    plan_dispose(&again);
    plan_dispose(&next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *lease = take_text(&data, &size);
    AUTO(free_p) char *plan = take_text(&data, &size);
    read_lease(lease);
    read_plan(plan);
    return 0;
}
