/* cargocd-cmp-server: the sidecar of a config management plugin, in place of argocd-cmp-server. It is copied
 * into the images of plugins, whatever their C library: the program is linked statically. */
#include "cmp-server/service.h"
#include "common/base/file.h"
#include "common/base/flag.h"
#include "common/base/log.h"
#include "common/base/thread.h"

#include <signal.h>
#include <unistd.h>

struct settings {
    char *log_format, *log_level, *config_dir, *sockets, *work;
};

static int parse(struct settings *s, int argc, char **argv, err_t **err)
{
    struct flag flags[] = {
        {.name = "logformat",
         .type = FLAG_STRING,
         .target = &s->log_format,
         .env = "ARGOCD_CMP_SERVER_LOGFORMAT",
         .fallback = "json",
         .help = "Set the logging format. One of: json|text"},
        {.name = "loglevel",
         .type = FLAG_STRING,
         .target = &s->log_level,
         .env = "ARGOCD_CMP_SERVER_LOGLEVEL",
         .fallback = "info",
         .help = "Set the logging level. One of: debug|info|warn|error"},
        {.name = "config-dir-path",
         .type = FLAG_STRING,
         .target = &s->config_dir,
         .fallback = "/home/argocd/cmp-server/config",
         .help = "Config management plugin configuration file location"},
        {.name = "plugin-socket-path",
         .type = FLAG_STRING,
         .target = &s->sockets,
         .env = "ARGOCD_PLUGINSOCKFILEPATH",
         .fallback = "/home/argocd/cmp-server/plugins",
         .help = "Where the socket is made"},
        {.name = "work-dir",
         .type = FLAG_STRING,
         .target = &s->work,
         .env = "ARGOCD_CMP_WORKDIR",
         .help =
             "Where sources are unpacked, in a directory _cmp_server of its own; default: $TMPDIR or /tmp"},
    };
    return flags_parse(flags, ARRAY_LEN(flags), argc, argv, NULL, "cargocd-cmp-server [flags]", err);
}

static void settings_dispose(struct settings *s)
{
    char *texts[] = {s->log_format, s->log_level, s->config_dir, s->sockets, s->work};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
}

/* Made anew: what a killed server left behind is gone. */
static int make_work(const struct settings *s, char **out, err_t **err)
{
    const char *tmp = getenv("TMPDIR");
    const char *base = !str_empty(s->work) ? s->work : str_empty(tmp) ? "/tmp" : tmp;
    AUTO(free_p) char *work = xasprintf("%s/_cmp_server", base);
    int r = dir_remove(work, err);
    if (r == 0)
        r = dir_make(work, 0700, err);
    if (r == 0)
        *out = TAKE(work);
    return r;
}

static int serve(const struct settings *s, const struct plugin_config *config, const sigset_t *signals,
                 err_t **err)
{
    AUTO(free_p) char *work = NULL;
    AUTO(free_p) char *socket = plugin_config_socket(config, s->sockets);
    struct service service = {.config = config};
    grpc_server_t *server = NULL;
    int r = make_work(s, &work, err), got = 0;
    service.work = work;
    struct grpc_server_options options = {
        .socket_path = socket, .methods = service_methods, .nmethods = service_method_count, .ctx = &service};
    if (r == 0)
        r = grpc_server_start(&options, &server, err);
    if (r < 0)
        return r;
    if (!plugin_config_discovers(config))
        log_info(
            NULL,
            "No discovery configuration is defined for plugin %s. To use this plugin, specify \"%s%s%s\" "
            "in the Application's spec.source.plugin.name field.",
            config->name, config->name, *config->version ? "-" : "", config->version);
    log_info(LOGF({"address", socket}), "cmp server %s started", CARGOCD_VERSION);
    while (sigwait(signals, &got) == 0 && got != SIGTERM && got != SIGINT)
        ;
    grpc_server_free(server);
    dir_remove(work, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    process_setup();
    if (askpass_is_wanted())
        return askpass_main(argc, argv);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct settings s = {};
    struct plugin_config config = {};
    AUTO_ERR err = NULL;
    int r = parse(&s, argc, argv, &err);
    if (r == 0)
        r = log_setup(s.log_format, s.log_level, &err);
    if (r == 0)
        r = plugin_config_read(s.config_dir, &config, &err);
    if (r == 0)
        r = serve(&s, &config, &signals, &err);
    if (r < 0)
        log_error(NULL, "%s", err_text(err));
    plugin_config_dispose(&config);
    settings_dispose(&s);
    return r < 0;
}
