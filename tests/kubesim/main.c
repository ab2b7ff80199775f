/* kubesim: an in-memory Kubernetes API server for tests and demonstrations. README.md describes it. */
#include "common/base/enc.h"
#include "common/base/file.h"
#include "common/base/flag.h"
#include "common/base/log.h"
#include "common/base/thread.h"
#include "tests/kubesim/admin.h"
#include "tests/kubesim/sim.h"

#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct settings {
    char *host, *port_file, *cert, *key, *ca, *client_ca, *client_cert, *client_key, *token, *kubeconfig,
        *fault_file, *version;
    int64_t port, nodes, changes, history_mib, writes;
    struct sim_delays delays;
};

static int write_text(const char *path, const char *text, err_t **err)
{
    return file_write(path, text, strlen(text), 0600, err);
}

/* "  name: <base64 of the file>\n". */
static int add_file(str_t *out, const char *name, const char *path, err_t **err)
{
    AUTO_STR bytes = STR_MAX(1 << 20);
    if (file_read(path, &bytes, err) < 0)
        return err_wrap(err, "kubeconfig");
    str_printf(out, "    %s: ", name);
    base64_encode(bytes.p, bytes.len, out);
    str_putc(out, '\n');
    return 0;
}

static int write_kubeconfig(const struct settings *o, unsigned port, err_t **err)
{
    AUTO_STR out = STR_INIT;
    str_printf(
        &out,
        "apiVersion: v1\nkind: Config\ncurrent-context: kubesim\ncontexts:\n- name: kubesim\n  context: "
        "{cluster: kubesim, user: kubesim}\nclusters:\n- name: kubesim\n  cluster:\n    server: %s://%s:%u\n",
        o->cert ? "https" : "http", o->host, port);
    if (o->cert && add_file(&out, "certificate-authority-data", o->ca ? o->ca : o->cert, err) < 0)
        return -(int)(*err)->code;
    str_puts(&out, "users:\n- name: kubesim\n  user:\n");
    if (o->token)
        str_printf(&out, "    token: \"%s\"\n", o->token);
    else if (!o->client_cert)
        str_puts(&out, "    {}\n");
    if (o->client_cert && (add_file(&out, "client-certificate-data", o->client_cert, err) < 0 ||
                           add_file(&out, "client-key-data", o->client_key, err) < 0))
        return -(int)(*err)->code;
    return write_text(o->kubeconfig, str_text(&out), err);
}

static int announce(const struct settings *o, unsigned port, err_t **err)
{
    AUTO(free_p) char *line = xasprintf("%u\n", port);
    if (o->kubeconfig && write_kubeconfig(o, port, err) < 0)
        return -(int)(*err)->code;
    if (o->port_file && write_text(o->port_file, line, err) < 0)
        return -(int)(*err)->code;
    printf("listening on %s://%s:%u\n", o->cert ? "https" : "http", o->host, port);
    fflush(stdout);
    return 0;
}

static int load_faults(struct sim *s, const char *path, err_t **err)
{
    AUTO_STR text = STR_MAX(8 << 20);
    AUTO_JSON o = NULL;
    if (file_read(path, &text, err) < 0 || json_read(str_text(&text), text.len, &o, err) < 0 ||
        admin_set_faults(s, o, err) < 0)
        return err_wrap(err, "fault file %s", path);
    return 0;
}

struct signals {
    struct loop_fd fd;
    loop_t *loop;
};

static void on_signal(struct loop_fd *f, uint32_t events)
{
    loop_stop(CONTAINER_OF(f, struct signals, fd)->loop);
}

static void catch_signals(struct signals *g, loop_t *loop)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    g->loop = loop;
    g->fd = (struct loop_fd){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .fn = on_signal};
    loop_watch(loop, &g->fd, EPOLLIN);
}

static int serve(const struct settings *o, err_t **err)
{
    loop_t *loop = loop_new(err);
    if (!loop)
        return -(int)(*err)->code;
    AUTO_STR ca = STR_MAX(1 << 20);
    if (o->cert && file_read(o->ca ? o->ca : o->cert, &ca, err) < 0)
        return -(int)(*err)->code;
    struct signals signals = {};
    catch_signals(&signals, loop);
    struct sim_options options = {.git_version = o->version,
                                  .token = o->token,
                                  .root_ca = ca.len ? str_text(&ca) : NULL,
                                  .authenticate = o->token || o->client_ca,
                                  .nodes = o->nodes,
                                  .max_changes = o->changes,
                                  .max_history_bytes = o->history_mib << 20,
                                  .max_writes = o->writes,
                                  .delays = o->delays};
    struct sim *sim = sim_new(loop, &options);
    struct http_config http = {.host = o->host,
                               .port = (uint16_t)o->port,
                               .cert = o->cert,
                               .key = o->key,
                               .client_ca = o->client_ca,
                               .handle = sim_handle,
                               .ctx = sim};
    int result = o->fault_file ? load_faults(sim, o->fault_file, err) : 0;
    if (result == 0)
        result = http_server_new(loop, &http, &sim->http, err);
    if (result == 0)
        result = announce(o, http_server_port(sim->http), err);
    if (result == 0)
        loop_run(loop);
    http_server_free(sim->http);
    sim_free(sim);
    loop_watch(loop, &signals.fd, 0);
    close_p(&signals.fd.fd);
    loop_free(loop);
    return result;
}

static struct settings settings;

#define TEXT(flag, field, def, text)                                                                         \
    {                                                                                                        \
        .name = flag, .type = FLAG_STRING, .target = &settings.field, .fallback = def, .help = text          \
    }
#define NUMBER(flag, field, def, least, most, text)                                                          \
    {                                                                                                        \
        .name = flag, .type = FLAG_INT, .target = &settings.field, .fallback = def, .help = text,            \
        .min = least, .max = most                                                                            \
    }
#define DELAY(flag, field, def, text)                                                                        \
    {                                                                                                        \
        .name = flag, .type = FLAG_DURATION, .target = &settings.delays.field, .fallback = def, .help = text \
    }

static struct flag flags[] = {
    TEXT("host", host, "127.0.0.1", "address to listen on"),
    NUMBER("port", port, "0", 0, 65535, "port; 0: one that is free"),
    TEXT("port-file", port_file, NULL, "file to write the port to"),
    TEXT("tls-cert", cert, NULL, "certificate file; without: plain HTTP"),
    TEXT("tls-key", key, NULL, "its key"),
    TEXT("tls-ca", ca, NULL, "what clients verify it with (default: itself)"),
    TEXT("client-ca", client_ca, NULL, "CA of client certificates"),
    TEXT("client-cert", client_cert, NULL, "for --kubeconfig-out"),
    TEXT("client-key", client_key, NULL, "for --kubeconfig-out"),
    TEXT("token", token, NULL, "bearer token to ask for"),
    TEXT("kubeconfig-out", kubeconfig, NULL, "file to write a kubeconfig to"),
    TEXT("fault-file", fault_file, NULL, "faults to begin with, JSON"),
    TEXT("version", version, "v1.34.0", "Kubernetes version to be"),
    NUMBER("nodes", nodes, "1", 0, 5000, "simulated nodes"),
    NUMBER("history", changes, "100000", 1, 100000000, "changes to remember"),
    NUMBER("history-mib", history_mib, "128", 1, 100000, "MiB of superseded objects to remember"),
    NUMBER("writes", writes, "100000", 1, 100000000, "writes to remember for /kubesim/writes"),
    DELAY("controller-delay", controller, "20ms", "from a change to a controller's reaction"),
    DELAY("schedule-delay", schedule, "10ms", "from a pod to its node"),
    DELAY("start-delay", start, "20ms", "from its node to running"),
    DELAY("ready-delay", ready, "20ms", "from running to ready"),
    DELAY("stop-delay", stop, "20ms", "from a pod's deletion to its end"),
    DELAY("run-time", run, "100ms", "how long a command runs that does not say"),
    DELAY("backoff", backoff, "50ms", "first pause after a failure"),
    DELAY("bookmark-interval", bookmark, "60s", "between bookmarks"),
    DELAY("log-interval", log_line, "1s", "between lines of synthetic logs"),
    DELAY("establish-delay", establish, "20ms", "from a CustomResourceDefinition to its being served"),
};

static int check(const struct settings *o, err_t **err)
{
    if (!o->cert != !o->key || !o->client_cert != !o->client_key)
        return err_set(err, ERR_INVALID_ARGUMENT, "a certificate and its key come together");
    if (o->client_ca && !o->cert)
        return err_set(err, ERR_INVALID_ARGUMENT, "--client-ca needs --tls-cert");
    if (o->version[0] != 'v' || !strchr(o->version, '.'))
        return err_set(err, ERR_INVALID_ARGUMENT, "--version '%s' is not like v1.34.0", o->version);
    return o->delays.log_line > 0 ? 0 : err_set(err, ERR_INVALID_ARGUMENT, "--log-interval must be positive");
}

int main(int argc, char **argv)
{
    AUTO_ERR err = NULL;
    process_setup();
    int result = flags_parse(flags, ARRAY_LEN(flags), argc, argv, NULL, "kubesim [flags]", &err);
    if (result == 0)
        result = check(&settings, &err);
    if (result == 0)
        result = serve(&settings, &err);
    if (result < 0)
        log_error(NULL, "%s", err_text(err));
    flags_dispose(flags, ARRAY_LEN(flags));
    return result < 0 ? 1 : 0;
}
