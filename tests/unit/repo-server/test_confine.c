#include "tests/unit/test.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "repo-server/confine.h"

#include <unistd.h>

static char *dir;

static int run(struct confine_rules *rules, const char *script, str_t *out)
{
    AUTO_ERR err = NULL;
    char *argv[] = {"/bin/sh", "-c", (char *)script, NULL};
    char *env[] = {"PATH=/usr/bin:/bin", NULL};
    struct proc_spec spec = {.argv = argv,
                             .env = env,
                             .cwd = dir,
                             .timeout_ns = SECONDS(20),
                             .confine = confine_self,
                             .confine_arg = rules};
    struct proc_result result;
    ASSERT_OK(proc_run(&spec, out, out, &result, &err));
    return result.exit_status;
}

static int setup(void **state)
{
    AUTO_ERR err = NULL;
    ASSERT_OK(dir_make_temp(NULL, "confine-", &dir, &err));
    return 0;
}

static int teardown(void **state)
{
    AUTO_ERR err = NULL;
    ASSERT_OK(dir_remove(dir, &err));
    free(dir);
    return 0;
}

static void nothing_outside_can_be_read(void **state)
{
    if (!confine_abi()) {
        print_message("skipped: the kernel has no Landlock\n");
        skip();
    }
    AUTO(free_p) char *secret = NULL;
    AUTO(free_p) char *file = NULL;
    AUTO_ERR err = NULL;
    ASSERT_OK(dir_make_temp(NULL, "confine-secret-", &secret, &err));
    file = xasprintf("%s/key", secret);
    ASSERT_OK(file_write(file, "hush", 4, 0644, &err));
    AUTO(free_p)
    char *script = xasprintf(
        "echo in > own && cat own; cat %s && exit 9; ls %s && exit 9; echo x > %s/new && exit 9;"
        "cat /proc/%d/environ && exit 9; cat /proc/%d/cmdline && exit 9; [ %d -ge 6 ] && kill -0 %d && exit "
        "9; exit 3",
        file, secret, secret, getpid(), getpid(), confine_abi(), getpid());
    AUTO_STR out = STR_MAX(4096);
    struct confine_rules rules = {};
    confine_system(&rules);
    confine_allow(&rules, dir, CONFINE_READ | CONFINE_WRITE);
    int status = run(&rules, script, &out);
    assert_null(strstr(str_text(&out), "hush"));
    assert_non_null(strstr(str_text(&out), "in\n"));
    assert_int_equal(status, 3);
    ASSERT_OK(dir_remove(secret, &err));
}

static void reading_does_not_include_writing(void **state)
{
    if (!confine_abi())
        skip();
    AUTO_STR out = STR_MAX(4096);
    struct confine_rules rules = {};
    confine_system(&rules);
    confine_allow(&rules, dir, CONFINE_READ);
    assert_int_equal(
        run(&rules, "ls . > /dev/null || exit 9; echo x > f 2>/dev/null && exit 8; exit 0", &out), 0);
}

static void tracing_and_namespaces_are_refused(void **state)
{
    AUTO_STR out = STR_MAX(4096);
    struct confine_rules rules = {};
    confine_system(&rules);
    confine_allow(&rules, dir, CONFINE_READ);
    assert_int_not_equal(run(&rules, "unshare -U true", &out), 0);
    assert_non_null(strstr(str_text(&out), "not permitted"));
}

static void missing_paths_are_skipped(void **state)
{
    AUTO_STR out = STR_MAX(4096);
    struct confine_rules rules = {};
    confine_system(&rules);
    confine_allow(&rules, dir, CONFINE_READ);
    confine_allow(&rules, "/no/such/path", CONFINE_READ);
    assert_int_equal(run(&rules, "echo ok", &out), 0);
    assert_string_equal(str_text(&out), "ok\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(nothing_outside_can_be_read), T(reading_does_not_include_writing),
                                       T(tracing_and_namespaces_are_refused), T(missing_paths_are_skipped)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
