/* Programs that misbehave: shell scripts in the place of helm. */
#include "tests/unit/repo-server/fixture/fixture.h"
#include "common/base/file.h"
#include "common/base/thread.h"
#include "repo-server/confine.h"
#include "repo-server/tools.h"

#include <sys/stat.h>
#include <unistd.h>

static char *scratch;

static int setup(void **state)
{
    fx_begin(state);
    scratch = xasprintf("%s/scratch", fx_dir());
    fx_sh("mkdir scratch bin");
    return 0;
}

static int teardown(void **state)
{
    free(scratch);
    return fx_end(state);
}

static char *script(const char *name, const char *body)
{
    AUTO(free_p) char *relative = xasprintf("bin/%s", name);
    AUTO(free_p) char *text = xasprintf("#!/bin/sh\n%s\n", body);
    fx_write(relative, text);
    fx_sh("chmod 755 %s", relative);
    return xasprintf("%s/%s", fx_dir(), relative);
}

struct outcome {
    int r;
    err_t *err;
    str_t out, errs;
    int64_t took_ns;
};

static void outcome_dispose(struct outcome *o)
{
    err_free(o->err);
    str_dispose(&o->out);
    str_dispose(&o->errs);
}

static struct outcome run(const char *body, const struct tools_options *more, atomic_bool *canceled)
{
    struct outcome o = {};
    AUTO_ERR err = NULL;
    AUTO(free_p) char *path = script("tool", body);
    struct tools_options options = {.helm = path,
                                    .kustomize = "none",
                                    .kubectl = "none",
                                    .scratch = scratch,
                                    .timeout_ns = SECONDS(20),
                                    .max_output = 1 << 20};
    if (more && more->timeout_ns)
        options.timeout_ns = more->timeout_ns;
    if (more && more->max_output)
        options.max_output = more->max_output;
    if (more)
        options.max_memory = more->max_memory;
    tools_t *tools = tools_new(&options);
    struct workdir w;
    words_t args = {}, env = {};
    ASSERT_OK(workdir_make(tools, &w, &err));
    words_add(&args, "template");
    words_add(&args, "--password");
    words_add(&args, "s3cret");
    words_add(&env, "EXTRA=1");
    struct tool_run r = {.work = &w,
                         .program = path,
                         .name = "helm",
                         .args = &args,
                         .env = &env,
                         .cwd = w.src,
                         .deadline = mono_after(mono_now(), SECONDS(30)),
                         .canceled = canceled};
    mono_t begun = mono_now();
    o.r = tools_run(tools, &r, &o.out, &o.errs, &o.err);
    o.took_ns = mono_now().ns - begun.ns;
    words_free(&args);
    words_free(&env);
    AUTO(free_p) char *dir = xstrdup(w.dir);
    workdir_remove(tools, &w);
    tools_free(tools);
    struct stat st;
    assert_int_equal(stat(dir, &st), -1); /* nothing stays behind */
    return o;
}

static void the_environment_is_scrubbed(void **state)
{
    setenv("ARGOCD_SECRET", "hush", 1);
    setenv("http_proxy", "http://proxy", 1); /* there is no network, so no proxy either */
    struct outcome o = run("env | sort; pwd; ls -A .. | cut -d- -f1", NULL, NULL);
    unsetenv("http_proxy");
    assert_int_equal(o.r, 0);
    assert_null(strstr(str_text(&o.out), "hush"));
    assert_null(strstr(str_text(&o.out), "proxy"));
    assert_non_null(strstr(str_text(&o.out), "EXTRA=1\n"));
    assert_non_null(strstr(str_text(&o.out), "/src\nhome\nsrc\ntmp\n"));
    outcome_dispose(&o);
}

static void failures_show_what_was_said_without_paths_and_passwords(void **state)
{
    struct outcome o = run("echo \"broken in $PWD/x.yaml\" >&2; exit 7", NULL, NULL);
    assert_int_equal(o.r, -ERR_UNKNOWN);
    assert_string_equal(
        err_text(o.err),
        "`helm template --password ******` failed exit status 7: broken in <path to cached source>/x.yaml");
    outcome_dispose(&o);
}

/* Programs resolve links: names that they print are masked all the same. */
static void directories_behind_links_are_masked(void **state)
{
    char *real = scratch;
    fx_sh("mkdir deep; ln -s deep link; mkdir deep/scratch");
    scratch = xasprintf("%s/link/scratch", fx_dir());
    struct outcome o = run("echo \"broken in $(pwd -P)/x.yaml\" >&2; exit 7", NULL, NULL);
    free(scratch);
    scratch = real;
    assert_string_equal(
        err_text(o.err),
        "`helm template --password ******` failed exit status 7: broken in <path to cached source>/x.yaml");
    outcome_dispose(&o);
}

static void hanging_and_forking_ends_at_the_timeout(void **state)
{
    struct outcome o = run("trap '' TERM; (trap '' TERM; sleep 31.7) & sleep 31.7",
                           &(struct tools_options){.timeout_ns = MILLIS(300)}, NULL);
    assert_int_equal(o.r, -ERR_DEADLINE_EXCEEDED);
    assert_string_equal(err_text(o.err), "`helm template --password ******` failed timeout after 300ms");
    assert_true(o.took_ns < SECONDS(5));
    AUTO(free_p) char *left = fx_out("pgrep -f '^sleep 31.7' || true");
    assert_string_equal(left, "");
    outcome_dispose(&o);
}

static void memory_is_bounded(void **state)
{
    struct outcome o = run("x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done",
                           &(struct tools_options){.max_memory = 256 << 20}, NULL);
    assert_int_equal(o.r, -ERR_UNKNOWN);
    assert_non_null(strstr(err_text(o.err), "failed exit status"));
    outcome_dispose(&o);
}

/* The group of processes is what is killed: nothing leaves it. */
static void nothing_escapes_by_a_session_of_its_own(void **state)
{
    struct outcome o = run("setsid sleep 31.8 & setsid -f sleep 31.8 & sleep 31.8",
                           &(struct tools_options){.timeout_ns = MILLIS(300)}, NULL);
    assert_int_equal(o.r, -ERR_DEADLINE_EXCEEDED);
    AUTO(free_p) char *left = fx_out("pgrep -f '^sleep 31.8' || true");
    assert_string_equal(left, "");
    outcome_dispose(&o);
}

static void floods_are_cut(void **state)
{
    struct outcome o = run("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done",
                           &(struct tools_options){.max_output = 10000}, NULL);
    assert_int_equal(o.r, -ERR_RESOURCE_EXHAUSTED);
    outcome_dispose(&o);
}

static void *cancel_soon(void *flag)
{
    sleep_ns(MILLIS(300));
    *(atomic_bool *)flag = true;
    return NULL;
}

static void who_is_cancelled_ends_at_once(void **state)
{
    atomic_bool canceled = false;
    pthread_t t = thread_start("cancel", cancel_soon, (void *)&canceled);
    struct outcome o = run("sleep 31", NULL, &canceled);
    pthread_join(t, NULL);
    assert_int_equal(o.r, -ERR_CANCELED);
    assert_true(o.took_ns < SECONDS(5));
    outcome_dispose(&o);
}

static void nothing_of_the_host_can_be_read_or_reached(void **state)
{
    if (!confine_abi())
        skip();
    fx_write("secret", "hush");
    AUTO(free_p)
    char *body = xasprintf(
        "cat %s/secret; cat /proc/%d/environ; ls %s; cat /etc/shadow; cat /proc/1/cmdline; "
        "ln -s %s/secret link; cat link; exit 0",
        fx_dir(), getpid(), fx_dir(), fx_dir());
    struct outcome o = run(body, NULL, NULL);
    assert_int_equal(o.r, 0);
    assert_string_equal(str_text(&o.out), "");
    outcome_dispose(&o);
    if (confine_abi() < 4)
        return;
    unsigned port = fx_silent_port();
    AUTO(free_p) char *net = xasprintf("bash -c 'echo x > /dev/tcp/127.0.0.1/%u' && echo reached", port);
    o = run(net, NULL, NULL);
    assert_null(strstr(str_text(&o.out), "reached"));
    outcome_dispose(&o);
}

static void versions_are_asked_once_for_each_file(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *path = script("versioned", "echo \"v1.2.3\"; echo more");
    tools_t *t = tools_new(&(struct tools_options){.helm = path,
                                                   .kustomize = "no-such-kustomize",
                                                   .kubectl = "no-such-kubectl",
                                                   .scratch = scratch,
                                                   .timeout_ns = SECONDS(20),
                                                   .max_output = 1000});
    AUTO(free_p) char *where = NULL;
    AUTO(free_p) char *version = NULL;
    ASSERT_OK(tools_find(t, TOOL_HELM, NULL, &where, &version, &err));
    assert_string_equal(where, path);
    assert_string_equal(version, "v1.2.3 more ");
    AUTO(free_p) char *fact = tools_version(t, "helm");
    assert_string_equal(fact, version);
    free(script("versioned", "echo v9.9.9-changed"));
    AUTO(free_p) char *now = tools_version(t, "helm");
    assert_string_equal(now, "v9.9.9-changed ");
    assert_null(tools_version(t, "kustomize"));
    char *none = NULL;
    assert_int_equal(tools_find(t, TOOL_KUSTOMIZE, NULL, &none, NULL, &err), -ERR_FAILED_PRECONDITION);
    assert_string_equal(err_text(err), "no-such-kustomize is not installed (not found in PATH)");
    tools_free(t);
}

REPO_TESTS(setup, teardown, T(the_environment_is_scrubbed),
           T(failures_show_what_was_said_without_paths_and_passwords), T(directories_behind_links_are_masked),
           T(memory_is_bounded), T(nothing_escapes_by_a_session_of_its_own),
           T(hanging_and_forking_ends_at_the_timeout), T(floods_are_cut), T(who_is_cancelled_ends_at_once),
           T(nothing_of_the_host_can_be_read_or_reached), T(versions_are_asked_once_for_each_file))
