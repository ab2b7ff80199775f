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
EMBED(google);
EMBED(aws);
EMBED(crossplane_aws);
EMBED(three_scale);
EMBED(kruise);
EMBED(storage);
EMBED(databases);
EMBED(messaging);
EMBED(compute);
EMBED(numa);
EMBED(gloo);
EMBED(promoter);
EMBED(observability);
EMBED(operators);
EMBED(openshift);
EMBED(others);

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
    {"apps.3scale.net", "APIManager", {script_file_three_scale, true}},
    {"capabilities.3scale.net",
     "ActiveDoc Application ApplicationAuth Backend CustomPolicyDefinition DeveloperAccount DeveloperUser "
     "OpenAPI Product ProxyConfigPromote Tenant",
     {script_file_three_scale, true}},
    {"apps.kruise.io",
     "AdvancedCronJob BroadcastJob CloneSet DaemonSet StatefulSet",
     {script_file_kruise, true}},
    {"rollouts.kruise.io", "Rollout", {script_file_kruise, true}},
    {"game.kruise.io", "GameServer GameServerSet", {script_file_kruise, true}},
    {"astra.netapp.io",
     "AppVault Application Backup ExecHook ExecHooksRun ResourceBackup ResticVolumeBackup Schedule Snapshot",
     {script_file_storage, true}},
    {"trident.netapp.io", "TridentBackendConfig TridentOrchestrator", {script_file_storage, true}},
    {"ceph.rook.io", "CephCluster CephObjectStore", {script_file_storage, true}},
    {"cassandra.rook.io", "Cluster", {script_file_storage, true}},
    {"objectbucket.io", "ObjectBucketClaim", {script_file_storage, true}},
    {"snapshot.storage.k8s.io", "VolumeSnapshot VolumeSnapshotContent", {script_file_storage, true}},
    {"minio.min.io", "Tenant", {script_file_storage, true}},
    {"cdi.kubevirt.io", "DataVolume", {script_file_storage, true}},
    {"acid.zalan.do", "postgresql", {script_file_databases, true}},
    {"k8s.mariadb.com", "Backup Database Grant MariaDB SqlJob User", {script_file_databases, true}},
    {"mariadb.mmontes.io", "MariaDB", {script_file_databases, true}},
    {"psmdb.percona.com", "PerconaServerMongoDB", {script_file_databases, true}},
    {"pxc.percona.com", "PerconaXtraDBCluster", {script_file_databases, true}},
    {"clickhouse.altinity.com", "ClickHouseInstallation", {script_file_databases, true}},
    {"clickhouse-keeper.altinity.com", "ClickHouseKeeperInstallation", {script_file_databases, true}},
    {"db.atlasgo.io", "AtlasMigration AtlasSchema", {script_file_databases, true}},
    {"solr.apache.org", "SolrCloud", {script_file_databases, true}},
    {"zookeeper.pravega.io", "ZookeeperCluster", {script_file_databases, true}},
    {"beat.k8s.elastic.co", "Beat", {script_file_databases, true}},
    {"logstash.k8s.elastic.co", "Logstash", {script_file_databases, true}},
    {"elasticsearch.k8s.elastic.co", "Elasticsearch", {script_file_databases, true}},
    {"rabbitmq.com",
     "Binding Exchange Permission Policy Queue RabbitmqCluster Shovel User Vhost",
     {script_file_messaging, true}},
    {"platform.confluent.io",
     "Connect Connector ControlCenter Kafka KsqlDB SchemaRegistry Zookeeper",
     {script_file_messaging, true}},
    {"kafka.banzaicloud.io", "KafkaCluster", {script_file_messaging, true}},
    {"flink.apache.org", "FlinkDeployment", {script_file_compute, true}},
    {"sparkoperator.k8s.io", "SparkApplication", {script_file_compute, true}},
    {"tower.ansible.com", "AnsibleJob", {script_file_compute, true}},
    {"serving.kserve.io", "InferenceService", {script_file_compute, true}},
    {"core.spinkube.dev", "SpinApp", {script_file_compute, true}},
    {"openfaas.com", "Function", {script_file_compute, true}},
    {"camel.apache.org", "Integration", {script_file_compute, true}},
    {"kubevirt.io", "VirtualMachine VirtualMachineInstance", {script_file_compute, true}},
    {"work.karmada.io", "ClusterResourceBinding ResourceBinding", {script_file_compute, true}},
    {"numaflow.numaproj.io", "InterStepBufferService MonoVertex Pipeline Vertex", {script_file_numa, true}},
    {"numaplane.numaproj.io",
     "ISBServiceRollout MonoVertexRollout NumaflowControllerRollout PipelineRollout",
     {script_file_numa, true}},
    {"gateway.solo.io",
     "Gateway MatchableHttpGateway RouteOption RouteTable VirtualHostOption VirtualService",
     {script_file_gloo, true}},
    {"gloo.solo.io", "Proxy Settings Upstream UpstreamGroup", {script_file_gloo, true}},
    {"promoter.argoproj.io",
     "ArgoCDCommitStatus ChangeTransferPolicy ClusterScmProvider CommitStatus GitCommitStatus GitRepository "
     "PromotionStrategy PullRequest ScmProvider TimedCommitStatus WebRequestCommitStatus",
     {script_file_promoter, true}},
    {"grafana.integreatly.org",
     "Grafana GrafanaDashboard GrafanaDatasource GrafanaFolder",
     {script_file_observability, true}},
    {"jaegertracing.io", "Jaeger", {script_file_observability, true}},
    {"opentelemetry.io", "OpenTelemetryCollector", {script_file_observability, true}},
    {"datadoghq.com", "DatadogMetric", {script_file_observability, true}},
    {"core.humio.com",
     "HumioAction HumioAlert HumioCluster HumioIngestToken HumioParser HumioRepository HumioView",
     {script_file_observability, true}},
    {"coralogix.com", "Alert RecordingRuleGroupSet", {script_file_observability, true}},
    {"lifecycle.keptn.sh",
     "KeptnAppVersion KeptnEvaluation KeptnTask KeptnWorkloadInstance KeptnWorkloadVersion",
     {script_file_observability, true}},
    {"metrics.keptn.sh", "Analysis KeptnMetric", {script_file_observability, true}},
    {"kiali.io", "Kiali", {script_file_observability, true}},
    {"apps.openshift.io", "DeploymentConfig", {script_file_openshift, true}},
    {"route.openshift.io", "Route", {script_file_openshift, true}},
    {"operator.openshift.io", "IngressController", {script_file_openshift, true}},
    {"ocs.openshift.io", "StorageCluster", {script_file_openshift, true}},
    {"operators.coreos.com", "Subscription", {script_file_openshift, true}},
    {"policy.open-cluster-management.io",
     "CertificatePolicy ConfigurationPolicy OperatorPolicy Policy",
     {script_file_openshift, true}},
    {"certmanager.k8s.io", "Certificate Issuer", {script_file_others, true}},
    {"kubernetes-client.io", "ExternalSecret", {script_file_others, true}},
    {"onepassword.com", "OnePasswordItem", {script_file_others, true}},
    {"flagger.app", "Canary", {script_file_others, true}},
    {"core.gardener.cloud", "Shoot", {script_file_others, true}},
    {"k8s.keycloak.org", "Keycloak", {script_file_others, true}},
    {"nmstate.io", "NodeNetworkConfigurationPolicy", {script_file_others, true}},
    {"proclaim.dogmatiq.io", "DNSSDServiceInstance", {script_file_others, true}},
    {"projectcontour.io", "ExtensionService HTTPProxy", {script_file_others, true}},
    {"pulumi.com", "Stack", {script_file_others, true}},
    {"services.cloud.sap.com", "ServiceBinding ServiceInstance", {script_file_others, true}},
    {"controlplane.cluster.x-k8s.io", "AWSManagedControlPlane", {script_file_aws, true}},
    {"iammanager.keikoproj.io", "Iamrole", {script_file_aws, true}},
    {"karpenter.k8s.aws", "EC2NodeClass", {script_file_aws, true}},
    {"karpenter.sh", "NodeClaim NodePool", {script_file_aws, true}},
    {"spot.io", "SpotDeployment", {script_file_aws, true}},
    {"networking.gke.io", "ManagedCertificate", {script_file_google, true}},
    {"cloudfront.aws.crossplane.io", "Distribution", {script_file_crossplane_aws, true}},
    {"iam.aws.crossplane.io", "Policy Role RolePolicyAttachment", {script_file_crossplane_aws, true}},
    {"rds.aws.crossplane.io", "DBCluster DBInstance", {script_file_crossplane_aws, true}},
    {"route53.aws.crossplane.io", "ResourceRecordSet", {script_file_crossplane_aws, true}},
    {"s3.aws.crossplane.io", "Bucket", {script_file_crossplane_aws, true}},
    {"stacks.crossplane.io", "ClusterStackInstall", {script_file_crossplane_aws, true}},
    {"operator.victoriametrics.com", "*", {script_file_operators, true}},
    {"microgateway.airlock.com", "*", {script_file_operators, true}},
    {"grafana-org-operator.kubitus-project.gitlab.io", "*", {script_file_operators, true}},
    {"*.cnrm.cloud.google.com", "*", {script_file_google, true}},
    {"*.services.k8s.aws", "*", {script_file_aws, true}},
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
