#include "tests/unit/test.h"
#include "common/base/file.h"
#include "common/base/proc.h"

#include <unistd.h>

static void runs_with_nothing_inherited(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_STR out = STR_MAX(4096);
    AUTO_STR errs = STR_MAX(4096);
    char *argv[] = {"sh", "-c", "cat; echo $X $HOME; ls /proc/self/fd | wc -l; echo bad >&2; exit 3", NULL};
    char *env[] = {"X=1", "PATH=/usr/bin:/bin", NULL};
    AUTO(close_p) UNUSED int leaked = dup(1);
    struct proc_spec spec = {
        .argv = argv, .env = env, .input = "in\n", .input_size = 3, .timeout_ns = SECONDS(10)};
    struct proc_result result;
    setenv("HOME", "/secret", 1);
    ASSERT_OK(proc_run(&spec, &out, &errs, &result, &err));
    assert_int_equal(result.exit_status, 3);
    assert_string_equal(str_text(&out), "in\n1\n4\n"); /* 0, 1, 2 and ls's own */
    assert_string_equal(str_text(&errs), "bad\n");
}

static void a_missing_program_is_named(void **state)
{
    AUTO_ERR err = NULL;
    char *argv[] = {"no-such-program", NULL};
    struct proc_spec spec = {.argv = argv};
    assert_int_equal(proc_run(&spec, NULL, NULL, NULL, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err_text(err), "no-such-program is not installed"));
    char *argv2[] = {"/etc/passwd", NULL};
    struct proc_spec spec2 = {.argv = argv2};
    assert_int_equal(proc_run(&spec2, NULL, NULL, NULL, &err), -ERR_PERMISSION_DENIED);
}

static void grandchildren_die_at_the_timeout(void **state)
{
    AUTO_ERR err = NULL;
    char *argv[] = {"/bin/sh", "-c", "sleep 60 & sleep 60", NULL};
    struct proc_spec spec = {.argv = argv, .timeout_ns = MILLIS(200)};
    struct proc_result result;
    mono_t start = mono_now();
    assert_int_equal(proc_run(&spec, NULL, NULL, &result, &err), -ERR_DEADLINE_EXCEEDED);
    assert_true(result.timed_out);
    assert_string_equal(err_text(err), "`/bin/sh -c sleep 60 & sleep 60` failed timeout after 200ms");
    assert_true(mono_now().ns - start.ns < SECONDS(5));
}

static void a_child_that_closes_its_output_is_still_bounded(void **state)
{
    AUTO_ERR err = NULL;
    char *argv[] = {"/bin/sh", "-c", "exec >&- 2>&-; sleep 60", NULL};
    struct proc_spec spec = {.argv = argv, .timeout_ns = MILLIS(200)};
    assert_int_equal(proc_run(&spec, NULL, NULL, NULL, &err), -ERR_DEADLINE_EXCEEDED);
}

static void too_much_output_kills(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_STR out = STR_MAX(1000);
    char *argv[] = {"/bin/sh", "-c", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxx; done", NULL};
    struct proc_spec spec = {.argv = argv, .timeout_ns = SECONDS(10)};
    assert_int_equal(proc_run(&spec, &out, NULL, NULL, &err), -ERR_RESOURCE_EXHAUSTED);
}

static void pipes_talk(void **state)
{
    AUTO_ERR err = NULL;
    char *argv[] = {"/bin/cat", NULL};
    struct proc_spec spec = {.argv = argv};
    struct proc_pipes p;
    ASSERT_OK(proc_spawn(&spec, false, &p, &err));
    char buf[4] = {};
    assert_int_equal(write(p.to, "hi", 2), 2);
    assert_int_equal(read(p.from, buf, 2), 2);
    assert_string_equal(buf, "hi");
    assert_int_equal(proc_end(&p), 0);
}

static void descriptions_hide_credentials(void **state)
{
    char *argv[] = {"helm",       "pull", "--username", "bob", "https://bob:pw@h/x",
                    "--password", "s3",   "a@b",        NULL};
    AUTO(free_p) char *text = proc_describe(argv);
    assert_string_equal(text, "helm pull --username ****** https://******@h/x --password ****** a@b");
}

static void files(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *dir = NULL;
    ASSERT_OK(dir_make_temp(NULL, "test", &dir, &err));
    AUTO(free_p) char *deep = xasprintf("%s/a/b/c", dir);
    AUTO(free_p) char *path = xasprintf("%s/f", deep);
    ASSERT_OK(dir_make(deep, 0700, &err));
    ASSERT_OK(file_write(path, "hello", 5, 0600, &err));
    AUTO_STR text = STR_MAX(5);
    ASSERT_OK(file_read(path, &text, &err));
    assert_string_equal(str_text(&text), "hello");
    AUTO_STR small = STR_MAX(4);
    assert_int_equal(file_read(path, &small, &err), -ERR_RESOURCE_EXHAUSTED);
    struct file_stamp a, b;
    assert_true(file_stamp(path, &a));
    ASSERT_OK(file_write(path, "other", 5, 0600, &err));
    assert_true(file_stamp(path, &b) && !file_stamp_eq(&a, &b));
    AUTO(free_p) char *link = xasprintf("%s/link", dir);
    assert_int_equal(symlink("/etc", link), 0);
    ASSERT_OK(dir_remove(dir, &err));
    assert_int_equal(access(dir, F_OK), -1);
    assert_int_equal(access("/etc/passwd", F_OK), 0);
    ASSERT_OK(dir_remove(dir, &err));
    assert_int_equal(file_read(path, &text, &err), -ERR_NOT_FOUND);
}

TESTS(T(runs_with_nothing_inherited), T(a_missing_program_is_named), T(grandchildren_die_at_the_timeout),
      T(a_child_that_closes_its_output_is_still_bounded), T(too_much_output_kills), T(pipes_talk),
      T(descriptions_hide_credentials), T(files))
