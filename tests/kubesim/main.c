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

static int serve(struct settings *o, err_t **err)
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

#define DELAY(flag, field, def, text)                                                                        \
    {                                                                                                        \
        .name = flag, .type = FLAG_DURATION, .target = &o.delays.field, .fallback = def, .help = text        \
    }

int main(int argc, char **argv)
{
    struct settings o = {};
    struct flag flags[] = {
        {.name = "host",
         .type = FLAG_STRING,
         .target = &o.host,
         .fallback = "127.0.0.1",
         .help = "address to listen on"},
        {.name = "port",
         .type = FLAG_INT,
         .target = &o.port,
         .fallback = "0",
         .help = "port; 0: one that is free",
         .max = 65535},
        {.name = "port-file",
         .type = FLAG_STRING,
         .target = &o.port_file,
         .help = "file to write the port to"},
        {.name = "tls-cert",
         .type = FLAG_STRING,
         .target = &o.cert,
         .help = "certificate file; without: plain HTTP"},
        {.name = "tls-key", .type = FLAG_STRING, .target = &o.key, .help = "its key"},
        {.name = "tls-ca",
         .type = FLAG_STRING,
         .target = &o.ca,
         .help = "what clients verify it with (default: itself)"},
        {.name = "client-ca",
         .type = FLAG_STRING,
         .target = &o.client_ca,
         .help = "CA of client certificates"},
        {.name = "client-cert",
         .type = FLAG_STRING,
         .target = &o.client_cert,
         .help = "for --kubeconfig-out"},
        {.name = "client-key", .type = FLAG_STRING, .target = &o.client_key, .help = "for --kubeconfig-out"},
        {.name = "token", .type = FLAG_STRING, .target = &o.token, .help = "bearer token to ask for"},
        {.name = "kubeconfig-out",
         .type = FLAG_STRING,
         .target = &o.kubeconfig,
         .help = "file to write a kubeconfig to"},
        {.name = "fault-file",
         .type = FLAG_STRING,
         .target = &o.fault_file,
         .help = "faults to begin with, JSON"},
        {.name = "version",
         .type = FLAG_STRING,
         .target = &o.version,
         .fallback = "v1.34.0",
         .help = "Kubernetes version to be"},
        {.name = "nodes",
         .type = FLAG_INT,
         .target = &o.nodes,
         .fallback = "1",
         .help = "simulated nodes",
         .max = 5000},
        {.name = "history",
         .type = FLAG_INT,
         .target = &o.changes,
         .fallback = "100000",
         .help = "changes to remember",
         .min = 1,
         .max = 100000000},
        {.name = "history-mib",
         .type = FLAG_INT,
         .target = &o.history_mib,
         .fallback = "128",
         .help = "of superseded objects to remember",
         .min = 1,
         .max = 100000},
        {.name = "writes",
         .type = FLAG_INT,
         .target = &o.writes,
         .fallback = "100000",
         .help = "writes to remember for /kubesim/writes",
         .min = 1,
         .max = 100000000},
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
    AUTO_ERR err = NULL;
    process_setup();
    int result = flags_parse(flags, ARRAY_LEN(flags), argc, argv, NULL, "kubesim [flags]", &err);
    if (result == 0 && (!o.cert != !o.key || (o.client_cert && !o.client_key) || (o.client_ca && !o.cert)))
        result = err_set(&err, ERR_INVALID_ARGUMENT,
                         "certificates and keys come in pairs, and --client-ca needs --tls-cert");
    if (result == 0)
        result = serve(&o, &err);
    if (result < 0)
        log_error(NULL, "%s", err_text(err));
    flags_dispose(flags, ARRAY_LEN(flags));
    return result < 0 ? 1 : 0;
}
