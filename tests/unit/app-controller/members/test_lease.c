#include "app-controller/members/lease.h"
#include "common/kinds/kinds.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct lease l = {.name = "cargocd-x",
                      .kind = "member",
                      .holder = "x_1_23",
                      .life = "pod:1",
                      .rv = "7",
                      .acked = 12,
                      .duration_ns = SECONDS(8),
                      .transitions = 3};
    AUTO_JSON o = lease_object(&l, "argocd", (wall_t){1700000000123456789});
    assert_string_equal(json_str_at(o, "spec", "renewTime"), "2023-11-14T22:13:20.123456Z");
    assert_string_equal(json_str_at(o, "metadata", "resourceVersion"), "7");
    struct lease r;
    lease_parse(o, &r);
    assert_string_equal(r.name, "cargocd-x");
    assert_string_equal(r.kind, "member");
    assert_string_equal(r.member, "x_1");
    assert_string_equal(r.holder, "x_1_23");
    assert_int_equal(r.acked, 12);
    assert_int_equal(r.duration_ns, SECONDS(8));
    assert_int_equal(r.transitions, 3);
    assert_null(r.plan);
    lease_dispose(&r);
}

static void odd_objects_read_as_nothing(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{}", "{\"metadata\":7,\"spec\":[]}",
        "{\"metadata\":{\"annotations\":{\"cargocd.io/"
        "acked\":\"-1\"}},\"spec\":{\"leaseDurationSeconds\":-5}}",
        "{\"metadata\":{\"annotations\":{\"cargocd.io/acked\":\"99999999999999999999\"}},\"spec\":{"
        "\"leaseDurationSeconds\":\"x\"}}"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON o = NULL;
        struct lease l;
        assert_int_equal(json_read(cases[i], strlen(cases[i]), &o, NULL), 0);
        lease_parse(o, &l);
        assert_int_equal(l.acked, 0);
        assert_int_equal(l.duration_ns, SECONDS(1));
        assert_string_equal(l.holder, "");
        lease_dispose(&l);
    }
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *member, *name;
    } cases[] = {{"argocd-application-controller-0", "cargocd-argocd-application-controller-0"},
                 {"Host.Example", "cargocd-host-example"},
                 {"odd_", "cargocd-oddx"},
                 {"a/b", "cargocd-a-b"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *name = lease_name(cases[i].member);
        assert_string_equal(name, cases[i].name);
    }
}

static void lives(void **state)
{
    (void)state;
    AUTO(free_p) char *own = life_text(NULL);
    AUTO(free_p) char *pod = life_text("1234");
    assert_string_equal(pod, "pod:1234");
    assert_false(life_is_over(own, own));
    assert_true(life_is_over("pod:1234", pod)); /* the predecessor's container */
    assert_false(life_is_over("pod:1234", "pod:99"));
    assert_false(life_is_over("", own));
    assert_false(life_is_over("process:another-boot:1:2:3", own));
    /* One that has ended. */
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    if (child == 0) {
        char *mine = life_text(NULL);
        if (write(out[1], mine, strlen(mine) + 1) < 0)
            _exit(1);
        _exit(0);
    }
    char text[200] = "";
    assert_true(read(out[0], text, sizeof(text) - 1) > 10);
    assert_true(waitpid(child, NULL, 0) == child);
    assert_true(life_is_over(text, own));
    close(out[0]);
    close(out[1]);
    /* Another process that has its number now. */
    AUTO(free_p) char *other = xasprintf("%.*s:1", (int)(strrchr(own, ':') - own), own);
    assert_true(life_is_over(other, own));
}

TESTS(T(what_is_written_is_read), T(odd_objects_read_as_nothing), T(names), T(lives))
