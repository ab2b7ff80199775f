/* Git's protocol over a child OpenSSH, as a libgit2 subtransport: one process per connection, its standard
 * input and output are the stream. Keys and known hosts are files in the job's scratch directory, which the
 * daemon removes. */
#include "repo-server/git/transport.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "common/base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { CONNECT_SECONDS = 15 };

struct ssh {
    git_smart_subtransport parent;
    git_smart_subtransport_stream stream;
    struct git_session *session;
    struct proc_pipes pipes;
    bool running;
    str_t said; /* its standard error */
};

/* Single quotes for the remote shell. */
static void shell_quote(const char *s, str_t *out)
{
    str_putc(out, '\'');
    for (; *s; s++) {
        if (*s == '\'' || *s == '!')
            str_printf(out, "'\\%c'", *s);
        else
            str_putc(out, *s);
    }
    str_putc(out, '\'');
}

static int scratch_file(struct git_session *s, const char *name, const char *text, char **path)
{
    AUTO_ERR err = NULL;
    AUTO_STR content = STR_INIT;
    str_puts(&content, text);
    if (!content.len || content.p[content.len - 1] != '\n')
        str_putc(&content, '\n'); /* OpenSSH refuses keys without a final newline */
    *path = xasprintf("%s/%s", s->job->scratch, name);
    int r = file_write(*path, content.p, content.len, 0600, &err);
    wipe(content.p, content.len);
    return r < 0 ? git_session_fail(s, err_code(err), "%s", err_text(err)) : 0;
}

typedef VEC(char *) argv_t;

static void arg(argv_t *a, const char *text)
{
    VEC_PUSH(a, xstrdup(text));
}

static void option(argv_t *a, char *text_take)
{
    arg(a, "-o");
    VEC_PUSH(a, text_take);
}

/* socks5://user:password@host:port, reached through connect-proxy as Argo CD does it. */
static int proxy_option(struct git_session *s, argv_t *args, argv_t *env)
{
    struct git_url u;
    AUTO(free_p) char *as_http = NULL;
    const char *rest = str_after(s->job->proxy, "socks5://");
    as_http = xasprintf("http://%s", rest ? rest : "");
    if (!rest || git_url_parse(as_http, &u, NULL) < 0)
        return git_session_fail(s, ERR_INVALID_ARGUMENT, "the proxy for ssh must be socks5://host:port");
    option(args, xasprintf("ProxyCommand=connect-proxy -S %s:%u -5 %%h %%p", u.host, u.port ? u.port : 1080));
    if (u.user)
        VEC_PUSH(env, xasprintf("SOCKS5_USER=%s", u.user));
    if (u.password)
        VEC_PUSH(env, xasprintf("SOCKS5_PASSWD=%s", u.password));
    git_url_dispose(&u);
    return 0;
}

static int key_options(struct git_session *s, argv_t *args)
{
    const struct git_job *job = s->job;
    AUTO(free_p) char *path = NULL;
    if (job->insecure) {
        option(args, xstrdup("StrictHostKeyChecking=no"));
        option(args, xstrdup("UserKnownHostsFile=/dev/null"));
    } else {
        if (scratch_file(s, "known_hosts", str_or_empty(job->known_hosts), &path) < 0)
            return -1;
        option(args, xstrdup("StrictHostKeyChecking=yes"));
        option(args, xasprintf("UserKnownHostsFile=%s", path));
        free(TAKE(path));
    }
    if (job->ssh_private_key) {
        if (scratch_file(s, "key", job->ssh_private_key, &path) < 0)
            return -1;
        arg(args, "-i");
        arg(args, path);
    }
    return 0;
}

static int build_command(struct git_session *s, const struct git_url *u, const char *program,
                         const char *argument, argv_t *args, argv_t *env)
{
    static const char *const fixed[] = {"BatchMode=yes", "IdentitiesOnly=yes",
                                        "GlobalKnownHostsFile=/dev/null", "ForwardAgent=no",
                                        "LogLevel=ERROR"};
    arg(args, "ssh");
    arg(args, "-F");
    arg(args, "/dev/null");
    arg(args, "-T");
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        option(args, xstrdup(fixed[i]));
    option(args, xasprintf("ConnectTimeout=%d", CONNECT_SECONDS));
    if (key_options(s, args) < 0)
        return -1;
    if (s->job->proxy && *s->job->proxy && proxy_option(s, args, env) < 0)
        return -1;
    if (u->port) {
        arg(args, "-p");
        VEC_PUSH(args, xasprintf("%u", u->port));
    }
    const char *user = u->user ? u->user : s->job->username ? s->job->username : "git";
    if (*user == '-')
        return git_session_fail(s, ERR_INVALID_ARGUMENT, "the user name '%s' is not valid", user);
    arg(args, "-l");
    arg(args, user);
    arg(args, "--");
    arg(args, u->host);
    AUTO_STR command = STR_INIT;
    str_printf(&command, "%s ", program);
    shell_quote(u->path, &command);
    if (argument)
        str_printf(&command, " %s", argument);
    arg(args, str_text(&command));
    return 0;
}

static void free_args(argv_t *a)
{
    VEC_FOREACH(a, p)
        free(*p);
    VEC_FREE(a);
}

static int start(struct ssh *h, const struct git_url *where, const char *program, const char *argument)
{
    argv_t args = {}, env = {};
    const char *path = getenv("PATH");
    VEC_PUSH(&env, xasprintf("PATH=%s", path ? path : "/usr/bin:/bin"));
    VEC_PUSH(&env, xasprintf("HOME=%s", h->session->job->scratch));
    int r = build_command(h->session, where, program, argument, &args, &env);
    VEC_PUSH(&args, NULL);
    VEC_PUSH(&env, NULL);
    if (r == 0) {
        AUTO_ERR err = NULL;
        struct proc_spec spec = {.argv = args.v, .env = env.v};
        if (proc_spawn(&spec, true, &h->pipes, &err) < 0)
            r = git_session_fail(h->session, err_code(err), "%s", err_text(err));
        else
            h->running = true;
    }
    free_args(&args);
    free_args(&env);
    return r;
}

static bool said(const struct ssh *h, const char *text)
{
    return strstr(str_text(&h->said), text) != NULL;
}

/* The connection ended: what ssh or the server wrote to standard error says why. */
static int ssh_failed(struct ssh *h)
{
    static const struct {
        const char *text, *meaning;
        enum err_code code;
        bool quote; /* what was said helps, and has no path of ours in it */
    } table[] = {
        {"Host key verification failed", "the host key is not among the known hosts", ERR_FAILED_PRECONDITION,
         false},
        {"host key is known", "the host key is not among the known hosts", ERR_FAILED_PRECONDITION, false},
        {"REMOTE HOST IDENTIFICATION", "the host key is not the known one", ERR_FAILED_PRECONDITION, false},
        {"invalid format", "the private key cannot be read", ERR_UNAUTHENTICATED, false},
        {"error in libcrypto", "the private key cannot be read", ERR_UNAUTHENTICATED, false},
        {"Permission denied", "authentication failed", ERR_UNAUTHENTICATED, true},
        {"does not appear to be a git repository", "repository not found", ERR_NOT_FOUND, true},
        {"not found", "repository not found", ERR_NOT_FOUND, true},
    };
    AUTO_STR tail = STR_MAX(512);
    for (const char *p = str_text(&h->said); *p; p++)
        str_putc(&tail, (unsigned char)*p < 0x20 ? ' ' : *p);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (said(h, table[i].text))
            return git_session_fail(h->session, table[i].code, "%s%s%s", table[i].meaning,
                                    table[i].quote ? ": " : "", table[i].quote ? str_text(&tail) : "");
    return git_session_fail(h->session, ERR_UNAVAILABLE, "ssh: %s",
                            tail.len ? str_text(&tail) : "the connection was closed");
}

static void read_stderr(struct ssh *h)
{
    char buf[4096];
    ssize_t n = read(h->pipes.errs, buf, sizeof(buf));
    if (n > 0)
        str_add(&h->said, buf, (size_t)n);
    else if (n == 0 || errno != EINTR)
        close_p(&h->pipes.errs);
}

static int stream_read(git_smart_subtransport_stream *stream, char *buf, size_t size, size_t *n)
{
    struct ssh *h = CONTAINER_OF(stream, struct ssh, stream);
    for (;;) {
        struct pollfd fds[2] = {{h->pipes.from, POLLIN, 0}, {h->pipes.errs, POLLIN, 0}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return git_session_fail(h->session, ERR_INTERNAL, "poll: %s", strerror(errno));
        if (fds[1].revents)
            read_stderr(h);
        if (!fds[0].revents)
            continue;
        ssize_t r = read(h->pipes.from, buf, size);
        if (r < 0 && errno == EINTR)
            continue;
        if (r > 0) {
            *n = (size_t)r;
            return 0;
        }
        while (h->pipes.errs >= 0)
            read_stderr(h);
        return ssh_failed(h);
    }
}

static int stream_write(git_smart_subtransport_stream *stream, const char *buf, size_t n)
{
    struct ssh *h = CONTAINER_OF(stream, struct ssh, stream);
    while (n) {
        ssize_t r = write(h->pipes.to, buf, n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            while (h->pipes.errs >= 0)
                read_stderr(h);
            return ssh_failed(h);
        }
        buf += r;
        n -= (size_t)r;
    }
    return 0;
}

static void stream_free(git_smart_subtransport_stream *stream)
{
    /* The subtransport owns it: the same connection serves the next action. */
}

static int ssh_action(git_smart_subtransport_stream **out, git_smart_subtransport *t, const char *url,
                      git_smart_service_t action)
{
    struct ssh *h = CONTAINER_OF(t, struct ssh, parent);
    if (action != GIT_SERVICE_UPLOADPACK_LS && action != GIT_SERVICE_UPLOADPACK)
        return git_session_fail(h->session, ERR_INTERNAL, "only fetching is supported");
    if (!h->running && start(h, &h->session->url, "git-upload-pack", NULL) < 0)
        return -1;
    *out = &h->stream;
    return 0;
}

static int ssh_close(git_smart_subtransport *t)
{
    struct ssh *h = CONTAINER_OF(t, struct ssh, parent);
    if (h->running)
        proc_end(&h->pipes);
    h->running = false;
    return 0;
}

static void ssh_free(git_smart_subtransport *t)
{
    struct ssh *h = CONTAINER_OF(t, struct ssh, parent);
    ssh_close(t);
    str_dispose(&h->said);
    free(h);
}

int git_ssh_subtransport(git_smart_subtransport **out, git_transport *owner, void *session)
{
    struct ssh *h = xcalloc(1, sizeof(*h));
    h->parent = (git_smart_subtransport){ssh_action, ssh_close, ssh_free};
    h->stream = (git_smart_subtransport_stream){&h->parent, stream_read, stream_write, stream_free};
    h->session = session;
    h->said.max = 64 << 10;
    *out = &h->parent;
    return 0;
}

int git_ssh_run(struct git_session *s, const struct git_url *where, const char *command, const char *argument,
                str_t *out)
{
    struct ssh h = {.session = s, .said.max = 64 << 10};
    char buf[4096];
    size_t n = 0;
    int r = start(&h, where, command, argument);
    if (r == 0)
        close_p(&h.pipes.to);
    /* Its end is told as a failure by the reader; what came before that is the answer. */
    while (r == 0 && stream_read(&h.stream, buf, sizeof(buf), &n) == 0 && !str_overflowed(out))
        str_add(out, buf, n);
    if (r == 0 && out->len && !str_overflowed(out))
        err_clear(&s->err);
    else
        r = -1;
    ssh_close(&h.parent);
    str_dispose(&h.said);
    return r;
}
