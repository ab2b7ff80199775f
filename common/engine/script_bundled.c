/* The checks that come with us, for custom resources that many clusters have: the files in
 * common/engine/health, each for some kinds of some groups. Where Argo CD has a check for the kind, ours
 * gives the same answers. */
#include "common/base/glob.h"
#include "common/engine/script_value.h"

/* The file's text, as bytes of the program. */
#define EMBED(name)                                                                                          \
    __asm__(".section .rodata,\"a\"\n"                                                                       \
            "script_file_" #name ":\n"                                                                       \
            ".incbin \"common/engine/health/" #name ".lua\"\n"                                               \
            ".byte 0\n"                                                                                      \
            ".previous\n");                                                                                  \
    extern const char script_file_##name[] __attribute__((visibility("hidden")))

EMBED(lib);
EMBED(kubernetes);
EMBED(argo);
EMBED(ready);
EMBED(prometheus);
EMBED(istio);
EMBED(gateway);
EMBED(crossplane);
EMBED(crossplane_provider);
EMBED(flux);
EMBED(knative);
EMBED(keda);
EMBED(strimzi);
EMBED(cloudnative_pg);
EMBED(cluster_api);
EMBED(kyverno);
EMBED(traefik);
EMBED(velero);

/* kinds: separated by blanks; "*": all. Groups with globs come last. */
static const struct bundled {
    const char *group, *kinds;
    struct script script;
} bundled[] = {
    {"apiextensions.k8s.io", "CustomResourceDefinition", {script_file_kubernetes, true}},
    {"batch", "CronJob", {script_file_kubernetes, true}},
    {"policy", "PodDisruptionBudget", {script_file_kubernetes, true}},
    {"argoproj.io",
     "Rollout AnalysisRun Experiment ApplicationSet CronWorkflow EventBus EventSource Sensor",
     {script_file_argo, true}},
    {"cert-manager.io", "Certificate Issuer ClusterIssuer", {script_file_ready, true}},
    {"external-secrets.io",
     "ClusterExternalSecret ClusterSecretStore ExternalSecret PushSecret SecretStore",
     {script_file_ready, true}},
    {"bitnami.com", "SealedSecret", {script_file_ready, true}},
    {"monitoring.coreos.com",
     "Prometheus PrometheusAgent Alertmanager ThanosRuler",
     {script_file_prometheus, true}},
    {"install.istio.io", "IstioOperator", {script_file_istio, true}},
    {"sailoperator.io", "Istio IstioCNI IstioRevision ZTunnel", {script_file_istio, true}},
    {"gateway.networking.k8s.io",
     "Gateway GatewayClass HTTPRoute GRPCRoute BackendTLSPolicy",
     {script_file_gateway, true}},
    {"pkg.crossplane.io", "Provider", {script_file_crossplane_provider, true}},
    {"helm.toolkit.fluxcd.io", "HelmRelease", {script_file_flux, true}},
    {"kustomize.toolkit.fluxcd.io", "Kustomization", {script_file_flux, true}},
    {"source.toolkit.fluxcd.io",
     "Bucket GitRepository HelmChart HelmRepository OCIRepository",
     {script_file_flux, true}},
    {"image.toolkit.fluxcd.io",
     "ImagePolicy ImageRepository ImageUpdateAutomation",
     {script_file_flux, true}},
    {"notification.toolkit.fluxcd.io", "Receiver", {script_file_flux, true}},
    {"operator.knative.dev", "KnativeEventing KnativeServing", {script_file_knative, true}},
    {"serving.knative.dev", "Service", {script_file_knative, true}},
    {"keda.sh", "ScaledJob ScaledObject", {script_file_keda, true}},
    {"kafka.strimzi.io",
     "Kafka KafkaBridge KafkaConnect KafkaConnector KafkaTopic KafkaUser",
     {script_file_strimzi, true}},
    {"postgresql.cnpg.io", "Cluster", {script_file_cloudnative_pg, true}},
    {"cluster.x-k8s.io",
     "Cluster Machine MachineDeployment MachineHealthCheck MachinePool",
     {script_file_cluster_api, true}},
    {"addons.cluster.x-k8s.io", "ClusterResourceSet", {script_file_cluster_api, true}},
    {"kyverno.io", "Policy ClusterPolicy", {script_file_kyverno, true}},
    {"traefik.io", "IngressRoute IngressRouteTCP IngressRouteUDP", {script_file_traefik, true}},
    {"traefik.containo.us", "IngressRoute IngressRouteTCP IngressRouteUDP", {script_file_traefik, true}},
    {"velero.io",
     "Backup Restore Schedule BackupStorageLocation VolumeSnapshotLocation BackupRepository",
     {script_file_velero, true}},
    {"*.crossplane.io", "*", {script_file_crossplane, true}},
    {"*.upbound.io", "*", {script_file_crossplane, true}},
};

static bool names(const char *list, const char *kind)
{
    view_t rest = view_of(list), word;
    while (view_split(&rest, ' ', &word))
        if (view_eq(word, "*") || view_eq(word, kind))
            return true;
    return false;
}

const struct script *script_bundled(const char *group, const char *kind)
{
    if (!strchr(group, '.') && strcmp(group, "batch") != 0 && strcmp(group, "policy") != 0)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(bundled); i++)
        if (names(bundled[i].kinds, kind) && glob_match(bundled[i].group, group, NULL))
            return &bundled[i].script;
    return NULL;
}

int script_bundled_health(script_host_t *host, const struct script *s, const json_t *object,
                          struct health *out, err_t **err)
{
    AUTO(script_host_free_p) script_host_t *own = host ? NULL : script_host_new();
    AUTO_JSON value = NULL;
    if (script_host_run(host ? host : own, s, script_file_lib, object, &value, err) < 0)
        return err_again(err);
    return script_health_of(value, out, err);
}
