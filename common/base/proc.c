#include "common/base/proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void set_limit(int what, uint64_t value)
{
    if (value) {
        struct rlimit rl = {value, value};
        setrlimit((__rlimit_resource_t)what, &rl);
    }
}

/* Everything between fork and exec: only async-signal-safe calls. */
static NORETURN void child_main(const struct proc_spec *spec, const char *path, const int fds[3],
                                int status_fd)
{
    int code = 0;
    setpgid(0, 0);
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0 && dup2(fds[i], i) < 0)
            goto failed;
    /* All but 0, 1, 2 close on exec; the status pipe too, and that is its message. */
    syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int s = 1; s < 32; s++)
        sigaction(s, &dfl, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    set_limit(RLIMIT_AS, spec->max_memory);
    set_limit(RLIMIT_CPU, spec->max_cpu_s);
    set_limit(RLIMIT_FSIZE, spec->max_file);
    set_limit(RLIMIT_NPROC, spec->max_procs);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (spec->cwd && chdir(spec->cwd) < 0)
        goto failed;
    if (spec->confine && spec->confine(spec->confine_arg) != 0)
        _exit(126);
    static char *const empty[] = {NULL};
    execve(path, spec->argv, spec->env ? spec->env : empty);
failed:
    code = errno;
    ssize_t ignored = write(status_fd, &code, sizeof(code));
    (void)ignored;
    _exit(127);
}

static const char *env_value(char *const *env, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; env && env[i]; i++)
        if (strncmp(env[i], name, n) == 0 && env[i][n] == '=')
            return env[i] + n + 1;
    return NULL;
}

/* Looks the program up, as execvp would with the child's PATH. */
static char *find_program(const struct proc_spec *spec)
{
    const char *name = spec->argv[0];
    if (strchr(name, '/'))
        return xstrdup(name);
    const char *path = env_value(spec->env, "PATH");
    AUTO(strv_free_p) char **dirs = strv_split(path ? path : "/usr/local/bin:/usr/bin:/bin", ":", true);
    for (size_t i = 0; dirs[i]; i++) {
        char *p = xasprintf("%s/%s", dirs[i], name);
        if (access(p, X_OK) == 0)
            return p;
        free(p);
    }
    return NULL;
}

static int start(const struct proc_spec *spec, const int fds[3], pid_t *pid, err_t **err)
{
    AUTO(free_p) char *path = find_program(spec);
    if (!path)
        return err_set(err, ERR_NOT_FOUND, "%s is not installed (not found in PATH)", spec->argv[0]);
    int status[2];
    if (pipe2(status, O_CLOEXEC) < 0)
        return err_set_errno(err, errno, "start %s: pipe", spec->argv[0]);
    *pid = fork();
    if (*pid == 0)
        child_main(spec, path, fds, status[1]);
    int saved = errno;
    close(status[1]);
    if (*pid < 0) {
        close(status[0]);
        return err_set_errno(err, saved, "start %s: fork", spec->argv[0]);
    }
    setpgid(*pid, *pid);
    int code;
    ssize_t n;
    while ((n = read(status[0], &code, sizeof(code))) < 0 && errno == EINTR)
        ;
    close(status[0]);
    if (n == (ssize_t)sizeof(code)) {
        waitpid(*pid, NULL, 0);
        return err_set_errno(err, code, "start %s", spec->argv[0]);
    }
    return 0;
}

static int exit_status_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct pump {
    struct pollfd fds[3]; /* its standard input, output, error */
    const char *input;
    size_t input_left;
    str_t *bufs[3];
    bool over;
};

static void pump_write(struct pump *p)
{
    ssize_t n = write(p->fds[0].fd, p->input, p->input_left);
    if (n > 0) {
        p->input += n;
        p->input_left -= (size_t)n;
    }
    if (p->input_left == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_p(&p->fds[0].fd);
}

static void pump_read(struct pump *p, int i)
{
    char buf[16 << 10];
    ssize_t n = read(p->fds[i].fd, buf, sizeof(buf));
    if (n > 0 && p->bufs[i]) {
        str_add(p->bufs[i], buf, (size_t)n);
        p->over = p->over || str_overflowed(p->bufs[i]);
    }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_p(&p->fds[i].fd);
}

/* Moves bytes until both outputs are closed. NULL, or why it stopped early. */
static const char *pump_run(struct pump *p, const struct proc_spec *spec, mono_t deadline)
{
    while (p->fds[1].fd >= 0 || p->fds[2].fd >= 0) {
        int64_t left = mono_left(deadline);
        if (left == 0)
            return "timeout";
        if (spec->canceled && *spec->canceled)
            return "canceled";
        int64_t wait = spec->canceled && left > MILLIS(100) ? MILLIS(100) : left;
        int ms = wait > SECONDS(3600) ? 3600000 : (int)(wait / NS_PER_MS) + 1;
        if (poll(p->fds, 3, ms) < 0 && errno != EINTR)
            return strerror(errno);
        if (p->fds[0].fd >= 0 && p->fds[0].revents)
            pump_write(p);
        for (int i = 1; i < 3; i++)
            if (p->fds[i].fd >= 0 && p->fds[i].revents)
                pump_read(p, i);
        if (p->over)
            return "output";
    }
    return NULL;
}

/* Sleeps until the child has ended, or so long. Kernels before 5.3 have no descriptor for it. */
static void wait_for_end(int pidfd, int64_t ns)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    if (pidfd < 0)
        sleep_ns(ns);
    else
        poll(&p, 1, (int)(ns / NS_PER_MS) + 1);
}

/* Waits for the child itself; kills the group when the deadline passes. True when it had to. */
static bool reap(pid_t pid, mono_t deadline, int64_t grace_ns, int *status)
{
    bool killed = false;
    AUTO(close_p) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    for (int64_t nap = NS_PER_MS / 4;; nap = nap < MILLIS(20) ? nap * 2 : nap) {
        pid_t r = waitpid(pid, status, WNOHANG);
        if (r == pid)
            break;
        if (r < 0 && errno != EINTR) {
            *status = 0;
            break;
        }
        if (mono_left(deadline) == 0) {
            kill(-pid, killed || !grace_ns ? SIGKILL : SIGTERM);
            if (!killed)
                deadline = mono_after(mono_now(), grace_ns ? grace_ns : SECONDS(5));
            killed = true;
        }
        wait_for_end(pidfd, nap);
    }
    kill(-pid, SIGKILL); /* what it left behind in its group */
    return killed;
}

static int make_pipes(int in[2], int out[2], int errs[2], err_t **err)
{
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(errs, O_CLOEXEC) < 0)
        return err_set_errno(err, errno, "pipe");
    return 0;
}

static void close_pair(int fds[2])
{
    close_p(&fds[0]);
    close_p(&fds[1]);
}

static int proc_stopped(const struct proc_spec *spec, const char *why, err_t **err)
{
    AUTO(free_p) char *what = proc_describe(spec->argv);
    char limit[DURATION_TEXT];
    duration_format(spec->timeout_ns, limit);
    if (strcmp(why, "timeout") == 0)
        return err_set(err, ERR_DEADLINE_EXCEEDED, "`%s` failed timeout after %s", what, limit);
    if (strcmp(why, "canceled") == 0)
        return err_set(err, ERR_CANCELED, "`%s` was canceled", what);
    if (strcmp(why, "output") == 0)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "`%s` wrote more output than is allowed", what);
    return err_set(err, ERR_INTERNAL, "`%s`: %s", what, why);
}

int proc_run(const struct proc_spec *spec, str_t *out, str_t *errs, struct proc_result *result, err_t **err)
{
    int in[2] = {-1, -1}, o[2] = {-1, -1}, e[2] = {-1, -1};
    pid_t pid = -1;
    int r = make_pipes(in, o, e, err);
    if (r == 0)
        r = start(spec, (const int[3]){in[0], o[1], e[1]}, &pid, err);
    close_p(&in[0]);
    close_p(&o[1]);
    close_p(&e[1]);
    if (r < 0) {
        close_pair(in);
        close_pair(o);
        close_pair(e);
        return r;
    }
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    if (!spec->input_size)
        close_p(&in[1]);
    struct pump p = {
        .fds = {{in[1], POLLOUT, 0}, {o[0], POLLIN, 0}, {e[0], POLLIN, 0}},
        .input = spec->input,
        .input_left = spec->input_size,
        .bufs = {NULL, out, errs},
    };
    mono_t deadline = spec->timeout_ns ? mono_after(mono_now(), spec->timeout_ns) : MONO_NEVER;
    const char *why = pump_run(&p, spec, deadline);
    for (int i = 0; i < 3; i++)
        close_p(&p.fds[i].fd);
    int status = 0;
    bool killed = reap(pid, why ? mono_now() : deadline, spec->grace_ns, &status);
    if (!why && killed)
        why = "timeout";
    if (result)
        *result = (struct proc_result){exit_status_of(status), why && strcmp(why, "timeout") == 0};
    return why ? proc_stopped(spec, why, err) : 0;
}

int proc_spawn(const struct proc_spec *spec, bool want_stderr, struct proc_pipes *out, err_t **err)
{
    int in[2] = {-1, -1}, o[2] = {-1, -1}, e[2] = {-1, -1};
    pid_t pid = -1;
    int r = make_pipes(in, o, e, err);
    if (r == 0)
        r = start(spec, (const int[3]){in[0], o[1], want_stderr ? e[1] : -1}, &pid, err);
    close_p(&in[0]);
    close_p(&o[1]);
    close_p(&e[1]);
    if (!want_stderr)
        close_p(&e[0]);
    if (r < 0) {
        close_p(&in[1]);
        close_p(&o[0]);
        close_p(&e[0]);
        return r;
    }
    *out = (struct proc_pipes){.pid = pid, .to = in[1], .from = o[0], .errs = e[0]};
    return 0;
}

int proc_end(struct proc_pipes *p)
{
    close_p(&p->to);
    close_p(&p->from);
    close_p(&p->errs);
    if (p->pid <= 0)
        return 0;
    int status = 0;
    /* A child that sees its input closed ends by itself; give it a moment before the group is killed. */
    reap(p->pid, mono_after(mono_now(), MILLIS(500)), 0, &status);
    p->pid = -1;
    return exit_status_of(status);
}

/* Copies a word, hiding "user:password@" of URLs. */
static void put_word(str_t *s, const char *word)
{
    const char *scheme = strstr(word, "://");
    if (scheme) {
        const char *host = scheme + 3, *at = NULL;
        for (const char *p = host; *p && *p != '/' && !isspace((unsigned char)*p); p++)
            if (*p == '@')
                at = p;
        if (at) {
            str_add(s, word, (size_t)(host - word));
            str_printf(s, "******%s", at);
            return;
        }
    }
    str_puts(s, word);
}

char *proc_describe(char *const *argv)
{
    static const char *const secret[] = {"--username", "--password", "--auth"};
    str_t s = STR_INIT;
    bool hide = false;
    for (size_t i = 0; argv[i]; i++) {
        if (i)
            str_putc(&s, ' ');
        if (hide)
            str_puts(&s, "******");
        else
            put_word(&s, argv[i]);
        hide = false;
        for (size_t k = 0; k < ARRAY_LEN(secret); k++)
            hide = hide || strcmp(argv[i], secret[k]) == 0;
    }
    return str_take(&s);
}
