/* cargocd-app-controller: keeps clusters equal to their sources. */
#include "app-controller/flags.h"
#include "app-controller/clusters.h"
#include "app-controller/metrics.h"
#include "app-controller/operation.h"
#include "app-controller/ownership.h"
#include "app-controller/projects.h"
#include "app-controller/query.h"
#include "app-controller/refresh.h"
#include "app-controller/watch.h"
#include "common/base/log.h"
#include "common/base/rand.h"
#include "common/net/daemon.h"
#include "common/net/http_status.h"

#include <stdio.h>
#include <stdlib.h>

#define ENV "ARGOCD_APPLICATION_CONTROLLER"

enum { MAX_APPLIERS = 256, MAX_CHECKS = 1 << 17, QUERY_PORT = 8085, METRICS_PORT = 8082 };

struct settings_of_process {
    struct daemon_options daemon;
    char *kubeconfig, *context, *ns;
    char *repo_server, *query_address, *metrics_address;
    int64_t metrics_port;
    int64_t qps_whole, burst;
};

enum { OWN_FLAGS = 39 };

static void own_flags(struct settings_of_process *p, struct controller_options *o, struct flag out[OWN_FLAGS])
{
    const struct flag flags[OWN_FLAGS] = {
        {.name = "kubeconfig",
         .type = FLAG_STRING,
         .target = &p->kubeconfig,
         .env = "KUBECONFIG",
         .help = "Path to a kube config. Only required if out-of-cluster"},
        {.name = "context",
         .type = FLAG_STRING,
         .target = &p->context,
         .help = "The name of the kubeconfig context to use"},
        {.name = "namespace",
         .shorthand = 'n',
         .type = FLAG_STRING,
         .target = &p->ns,
         .env = "ARGOCD_NAMESPACE",
         .help = "Namespace of the control plane; by default the kubeconfig's or the pod's"},
        {.name = "application-namespaces",
         .type = FLAG_STRINGS,
         .target = &o->app_namespaces,
         .env = "ARGOCD_APPLICATION_NAMESPACES",
         .help = "List of additional namespaces that applications are allowed to be reconciled from"},
        {.name = "repo-server",
         .type = FLAG_STRING,
         .target = &p->repo_server,
         .env = ENV "_REPO_SERVER",
         .fallback = "argocd-repo-server:8081",
         .help = "Repo server address"},
        {.name = "repo-server-timeout-seconds",
         .type = FLAG_SECONDS,
         .target = &o->repo_timeout_ns,
         .env = ENV "_REPO_SERVER_TIMEOUT_SECONDS",
         .fallback = "60",
         .help = "Repo server RPC call timeout seconds"},
        {.name = "app-resync",
         .type = FLAG_SECONDS,
         .target = &o->resync_ns,
         .env = "ARGOCD_RECONCILIATION_TIMEOUT",
         .fallback = "120",
         .help = "Time period in seconds for application resync"},
        {.name = "app-resync-jitter",
         .type = FLAG_SECONDS,
         .target = &o->resync_jitter_ns,
         .env = "ARGOCD_RECONCILIATION_JITTER",
         .fallback = "60",
         .help = "Maximum time period in seconds to add as a delay jitter for application resync"},
        {.name = "app-hard-resync",
         .type = FLAG_SECONDS,
         .target = &o->hard_resync_ns,
         .env = "ARGOCD_HARD_RECONCILIATION_TIMEOUT",
         .fallback = "0",
         .help = "Time period in seconds for application hard resync"},
        {.name = "repo-error-grace-period-seconds",
         .type = FLAG_SECONDS,
         .target = &o->repo_error_grace_ns,
         .env = "ARGOCD_REPO_ERROR_GRACE_PERIOD_SECONDS",
         .fallback = "180",
         .help =
             "Grace period in seconds for ignoring consecutive errors while communicating with repo server"},
        {.name = "status-processors",
         .type = FLAG_INT,
         .target = &o->status_processors,
         .env = ENV "_STATUS_PROCESSORS",
         .fallback = "20",
         .min = 1,
         .max = 1000,
         .help = "Number of application status processors"},
        {.name = "operation-processors",
         .type = FLAG_INT,
         .target = &o->operation_processors,
         .env = ENV "_OPERATION_PROCESSORS",
         .fallback = "10",
         .min = 1,
         .max = 1000,
         .help = "Number of application operation processors"},
        {.name = "self-heal-timeout-seconds",
         .type = FLAG_SECONDS,
         .target = &o->self_heal_timeout_ns,
         .env = ENV "_SELF_HEAL_TIMEOUT_SECONDS",
         .fallback = "0",
         .help = "Specifies timeout between application self heal attempts"},
        {.name = "self-heal-backoff-timeout-seconds",
         .type = FLAG_SECONDS,
         .target = &o->heal_backoff_ns,
         .env = ENV "_SELF_HEAL_BACKOFF_TIMEOUT_SECONDS",
         .fallback = "2",
         .help = "Specifies initial timeout of exponential backoff between self heal attempts"},
        {.name = "self-heal-backoff-factor",
         .type = FLAG_INT,
         .target = &o->heal_backoff_factor,
         .env = ENV "_SELF_HEAL_BACKOFF_FACTOR",
         .fallback = "3",
         .max = 1000,
         .help = "Specifies factor of exponential timeout between application self heal attempts"},
        {.name = "self-heal-backoff-cap-seconds",
         .type = FLAG_SECONDS,
         .target = &o->heal_backoff_cap_ns,
         .env = ENV "_SELF_HEAL_BACKOFF_CAP_SECONDS",
         .fallback = "300",
         .help = "Specifies max timeout of exponential backoff between application self heal attempts"},
        {.name = "sync-timeout",
         .type = FLAG_SECONDS,
         .target = &o->sync_timeout_ns,
         .env = ENV "_SYNC_TIMEOUT",
         .fallback = "0",
         .help = "Specifies the timeout after which a sync would be terminated. 0 means no timeout"},
        {.name = "sync-wave-delay",
         .type = FLAG_SECONDS,
         .target = &o->wave_delay_ns,
         .env = "ARGOCD_SYNC_WAVE_DELAY",
         .fallback = "2",
         .help = "Pause between two waves of a sync"},
        {.name = "ignore-normalizer-jq-execution-timeout-seconds",
         .type = FLAG_SECONDS,
         .target = &o->eval_timeout_ns,
         .env = "ARGOCD_IGNORE_NORMALIZER_JQ_TIMEOUT",
         .fallback = "1s",
         .help = "Time limit of one evaluation of a jq expression or a health script"},
        {.name = "persist-resource-health",
         .type = FLAG_BOOL,
         .target = &o->persist_health,
         .env = ENV "_PERSIST_RESOURCE_HEALTH",
         .fallback = "false",
         .help = "Enables storing the managed resources health in the Application CRD"},
        {.name = "server-side-diff-enabled",
         .type = FLAG_BOOL,
         .target = &o->server_side_diff,
         .env = ENV "_SERVER_SIDE_DIFF",
         .fallback = "false",
         .help = "Compares by dry runs of server-side apply where an application does not say otherwise"},
        {.name = "kube-events",
         .type = FLAG_BOOL,
         .target = &o->events,
         .fallback = "true",
         .help = "Write Kubernetes Events about applications"},
        {.name = "metrics-application-labels",
         .type = FLAG_STRINGS,
         .target = &o->metrics_labels,
         .env = ENV "_METRICS_APPLICATION_LABELS",
         .help = "List of Application labels that will be added to the argocd_app_labels metric"},
        {.name = "metrics-application-conditions",
         .type = FLAG_STRINGS,
         .target = &o->metrics_conditions,
         .env = ENV "_METRICS_APPLICATION_CONDITIONS",
         .help = "List of Application conditions that will be added to the argocd_app_condition metric"},
        {.name = "metrics-cluster-labels",
         .type = FLAG_STRINGS,
         .target = &o->metrics_cluster_labels,
         .env = ENV "_METRICS_CLUSTER_LABELS",
         .help = "List of Cluster labels that will be added to the argocd_cluster_labels metric"},
        {.name = "metrics-legacy",
         .type = FLAG_BOOL,
         .target = &o->metrics_legacy,
         .env = "ARGOCD_LEGACY_CONTROLLER_METRICS",
         .fallback = "false",
         .help = "Also argocd_app_sync_status, argocd_app_health_status and argocd_app_created_time, for "
                 "older dashboards"},
        {.name = "metrics-port",
         .type = FLAG_INT,
         .target = &p->metrics_port,
         .fallback = "8082",
         .max = 65535,
         .help = "Start metrics server on given port"},
        {.name = "metrics-address",
         .type = FLAG_STRING,
         .target = &p->metrics_address,
         .fallback = "0.0.0.0",
         .help = "Address of the metrics server"},
        {.name = "query-address",
         .type = FLAG_STRING,
         .target = &p->query_address,
         .env = "CARGOCD_CONTROLLER_QUERY_ADDRESS",
         .fallback = "0.0.0.0:8085",
         .help = "Where the api-server asks; host:port or ipc:///path"},
        {.name = "kube-api-qps",
         .type = FLAG_INT,
         .target = &p->qps_whole,
         .env = "ARGOCD_K8S_CLIENT_QPS",
         .fallback = "50",
         .min = 1,
         .max = 1000000,
         .help = "Requests a second to an API server"},
        {.name = "kube-api-burst",
         .type = FLAG_INT,
         .target = &p->burst,
         .env = "ARGOCD_K8S_CLIENT_BURST",
         .fallback = "100",
         .min = 1,
         .max = 1000000,
         .help = "Burst of requests to an API server"},
        {.name = "replica-name",
         .type = FLAG_STRING,
         .target = &o->replica,
         .env = "CARGOCD_REPLICA_NAME",
         .help = "Name of this replica among the others; by default the host's"},
        {.name = "pod-uid",
         .type = FLAG_STRING,
         .target = &o->pod_uid,
         .env = "CARGOCD_POD_UID",
         .help = "The pod that this runs in: a restarted container takes over from its predecessor at once"},
        {.name = "replicas",
         .type = FLAG_INT,
         .target = &o->replicas,
         .env = "ARGOCD_CONTROLLER_REPLICAS",
         .fallback = "0",
         .max = INT32_MAX,
         .help = "How many replicas there are; with more than one, none works without its lease"},
        {.name = "shard",
         .type = FLAG_INT,
         .target = &o->shard,
         .env = "ARGOCD_CONTROLLER_SHARD",
         .fallback = "-1",
         .min = -INT32_MAX,
         .max = INT32_MAX,
         .help =
             "Work this shard, as Argo CD divides clusters among --replicas, instead of what the replicas "
             "that are there agree upon"},
        {.name = "sharding-method",
         .type = FLAG_STRING,
         .target = &o->sharding_method,
         .env = "ARGOCD_CONTROLLER_SHARDING_ALGORITHM",
         .fallback = "legacy",
         .help = "With --shard: how clusters are divided: legacy, round-robin or consistent-hashing"},
        {.name = "dynamic-cluster-distribution-enabled",
         .type = FLAG_BOOL,
         .target = &o->dynamic_distribution,
         .env = "ARGOCD_ENABLE_DYNAMIC_CLUSTER_DISTRIBUTION",
         .fallback = "false",
         .help = "Accepted: clusters are always divided among the replicas that are there, unless --shard is "
                 "given"},
        {.name = "lease-duration",
         .type = FLAG_SECONDS,
         .target = &o->lease_ns,
         .env = "CARGOCD_CONTROLLER_LEASE_DURATION",
         .fallback = "8",
         .min = SECONDS(3),
         .max = SECONDS(300),
         .help = "After how long without a sign of life others take over a replica's work"},
        {.name = "split-cluster-above",
         .type = FLAG_INT,
         .target = &o->split_above,
         .env = "CARGOCD_CONTROLLER_SPLIT_CLUSTER_ABOVE",
         .fallback = "2000",
         .max = INT32_MAX,
         .help = "Divide a cluster of more applications than this among all replicas; 0: never"},
    };
    memcpy(out, flags, sizeof(flags));
}

/* ---- putting the controller together ---- */

static int connect_repo_server(struct controller *ctl, struct settings_of_process *p, err_t **err)
{
    AUTO(free_p) char *address = NULL;
    struct rpc_client_options options = {};
    if (daemon_address(&p->daemon, p->repo_server, &address, &options.tls, err) < 0)
        return err_again(err);
    options.address = address;
    if (rpc_replicas_new(&options, &ctl->repo, err) < 0)
        return err_wrap(err, "repo server %s", p->repo_server);
    return 0;
}

static int connect_kube(struct controller *ctl, struct settings_of_process *p, err_t **err)
{
    if (kube_config_auto(p->kubeconfig, p->context, &ctl->own, err) < 0)
        return err_wrap(err, "the control plane's cluster");
    ctl->options.ns = xstrdup(!str_empty(p->ns)                        ? p->ns
                              : !str_empty(ctl->own.default_namespace) ? ctl->own.default_namespace
                                                                       : "argocd");
    ctl->io = http_new("kube");
    ctl->kube_options = (struct kube_options){
        .io = ctl->io, .qps = (double)p->qps_whole, .burst = (unsigned)p->burst};
    kube_flags_apply(&ctl->options, &ctl->kube_options);
    http_keep_idle(ctl->io, (unsigned)ctl->options.idle_connections);
    metrics_kube_init(ctl);
    struct kube_options options = ctl->kube_options, leases = ctl->kube_options;
    options.gate = ctl->kube_options.gate = &ctl->gate;
    leases.qps = 1000;
    leases.burst = 0;
    if (kube_open(&ctl->own, &leases, &ctl->lease_kube, err) < 0)
        return err_again(err);
    ownership_init(ctl, ctl->lease_kube);
    return kube_open(&ctl->own, &options, &ctl->kube, err);
}

static int64_t resync_of(const struct controller_options *o)
{
    bool shorter = o->watch_resync_ns && (!o->cache_resync_ns || o->watch_resync_ns < o->cache_resync_ns);
    return shorter ? o->watch_resync_ns : o->cache_resync_ns;
}

static void start_work(struct controller *ctl)
{
    ctl->apps = apps_new();
    size_t appliers = ctl->options.appliers > 0 ? (size_t)ctl->options.appliers : MAX_APPLIERS;
    ctl->appliers = pool_new("apply", appliers, 1024);
    ctl->eval = eval_new(&(struct eval_options){.timeout_ns = ctl->options.eval_timeout_ns});
    ctl->checks = pool_new("checks", 2, MAX_CHECKS);
    ctl->refresh = workq_new("refresh", (size_t)ctl->options.status_processors, refresh_run, ctl);
    ctl->operations = workq_new("operation", (size_t)ctl->options.operation_processors, operation_run, ctl);
    ctl->projects = workq_new("project", 1, projects_run, ctl);
    controller_metrics_init(ctl);
    struct world_env env = {.kube = ctl->kube,
                            .ns = ctl->options.ns,
                            .cluster_env = {.io = ctl->io,
                                            .mask_key = ctl->mask_key,
                                            .on_change = watch_cluster_changed,
                                            .on_state = watch_cluster_state,
                                            .ctx = ctl,
                                            .own = &ctl->own,
                                            .kube = &ctl->kube_options,
                                            .on_event = metrics_cluster_event,
                                            .page_size = ctl->options.page_size,
                                            .resync_ns = resync_of(&ctl->options),
                                            .eval = ctl->eval,
                                            .checks = ctl->checks},
                            .on_change = watch_world_changed,
                            .ctx = ctl};
    ctl->world = world_new(&env);
}

/* Settings and projects are known before the first application is looked at. An API server that cannot be
 * reached is waited for; so are custom resource definitions that are not there yet. */
static bool start_watches(struct controller *ctl, watches_t **watches)
{
    for (;;) {
        AUTO_ERR err = NULL;
        mono_t deadline = mono_after(mono_now(), SECONDS(10));
        if (world_wait(ctl->world, deadline, &err) == 0 && watches_start(ctl, deadline, watches, &err) == 0)
            return true;
        watches_stop(*watches);
        *watches = NULL;
        log_warn(NULL, "%s", err_text(err));
        if (daemon_wait_for(MILLIS(1)))
            return false;
    }
}

static void stop(struct controller *ctl, watches_t *watches, query_t *query, http_status_t *status,
                 clusters_t *clusters)
{
    ctl->stopping = true;
    http_status_free(status);
    clusters_publish_stop(clusters);
    query_stop(query);
    watches_stop(watches);
    /* No decision is made on a cluster that is being let go of: the work ends first. */
    workq_stop(ctl->refresh);
    workq_stop(ctl->operations);
    workq_stop(ctl->projects);
    pool_free(ctl->appliers);
    pool_free(ctl->checks);
    ownership_stop(ctl);
    world_free(ctl->world);
    eval_free(ctl->eval);
    workq_free(ctl->refresh);
    workq_free(ctl->operations);
    workq_free(ctl->projects);
    apps_free(ctl->apps);
    rpc_replicas_free(ctl->repo);
    redis_free(ctl->redis);
    seal_free(ctl->seal);
    kube_close(ctl->kube);
    ownership_free(ctl);
    kube_close(ctl->lease_kube);
    http_free(ctl->io);
    metrics_free(ctl->metrics);
    kube_config_dispose(&ctl->own);
    free(ctl->options.ns);
}

static int serve(struct controller *ctl, struct settings_of_process *p, query_t **query,
                 http_status_t **status, err_t **err)
{
    AUTO(free_p) char *address = NULL;
    struct tls_files tls;
    if (daemon_address(&p->daemon, p->query_address, &address, &tls, err) < 0 ||
        query_start(ctl, address, &tls, query, err) < 0)
        return err_again(err);
    struct http_status_options options = {
        .address = p->metrics_address, .port = (unsigned)p->metrics_port, .metrics = ctl->metrics};
    return http_status_start(&options, status, err);
}

static int run(struct settings_of_process *p, struct controller *ctl, err_t **err)
{
    query_t *query = NULL;
    http_status_t *status = NULL;
    watches_t *watches = NULL;
    clusters_t *clusters = NULL;
    random_bytes(ctl->mask_key, sizeof(ctl->mask_key));
    random_uuid(ctl->epoch);
    ctl->options.gpg = strcasecmp(ctl->options.gpg_enabled, "false") != 0 &&
                       strcasecmp(ctl->options.gpg_enabled, "no") != 0;
    ctl->metrics = metrics_new();
    if (daemon_seal(&p->daemon, "controller", &ctl->seal, err) < 0 || connect_kube(ctl, p, err) < 0 ||
        connect_repo_server(ctl, p, err) < 0)
        return err_again(err);
    ctl->redis = daemon_redis(&p->daemon);
    start_work(ctl);
    int r = serve(ctl, p, &query, &status, err);
    if (r == 0 && start_watches(ctl, &watches)) {
        ownership_start(ctl);
        clusters = clusters_publish_start(ctl);
        log_info(NULL, "application controller %s in namespace %s started", CARGOCD_VERSION, ctl->options.ns);
        daemon_wait();
        log_info(NULL, "application controller stops");
    }
    stop(ctl, watches, query, status, clusters);
    return r;
}

int main(int argc, char **argv)
{
    daemon_setup();
    static struct controller ctl;
    struct settings_of_process p = {};
    struct unused_flags unused = {};
    struct flag flags[DAEMON_FLAGS + OWN_FLAGS + MORE_FLAGS + KUBE_FLAGS + UNUSED_FLAGS];
    daemon_flags(&p.daemon, ENV, flags);
    own_flags(&p, &ctl.options, flags + DAEMON_FLAGS);
    more_flags(&ctl.options, flags + DAEMON_FLAGS + OWN_FLAGS);
    kube_flags(&ctl.options, flags + DAEMON_FLAGS + OWN_FLAGS + MORE_FLAGS);
    unused_flags(&unused, flags + DAEMON_FLAGS + OWN_FLAGS + MORE_FLAGS + KUBE_FLAGS);
    AUTO_ERR err = NULL;
    int r = flags_parse(flags, ARRAY_LEN(flags), argc, argv, NULL, "cargocd-app-controller [flags]", &err);
    if (r == 0)
        r = daemon_log_setup(&p.daemon, &err);
    if (r == 0)
        r = run(&p, &ctl, &err);
    if (r < 0)
        log_error(NULL, "%s", err_text(err));
    flags_dispose(flags, ARRAY_LEN(flags));
    daemon_options_dispose(&p.daemon);
    return r < 0;
}
