/* The actions that come with us: the files in common/engine/actions, each for some kinds of some groups. They
 * do what Argo CD's do. */
#include "common/engine/script_actions.h"

#define EMBED(name)                                                                                          \
    __asm__(".section .rodata,\"a\"\n"                                                                       \
            "actions_file_" #name ":\n"                                                                      \
            ".incbin \"common/engine/actions/" #name ".lua\"\n"                                              \
            ".byte 0\n"                                                                                      \
            ".previous\n");                                                                                  \
    extern const char actions_file_##name[] __attribute__((visibility("hidden")))

EMBED(lib);
EMBED(kubernetes);
EMBED(argo);
EMBED(flux);
EMBED(numa);
EMBED(others);

/* kinds: separated by blanks. */
static const struct bundled {
    const char *group, *kinds, *source;
} bundled[] = {
    {"apps", "DaemonSet Deployment StatefulSet", actions_file_kubernetes},
    {"batch", "CronJob Job", actions_file_kubernetes},
    {"argoproj.io", "AnalysisRun Application CronWorkflow Rollout WorkflowTemplate", actions_file_argo},
    {"promoter.argoproj.io", "PullRequest", actions_file_argo},
    {"helm.toolkit.fluxcd.io", "HelmRelease", actions_file_flux},
    {"kustomize.toolkit.fluxcd.io", "Kustomization", actions_file_flux},
    {"image.toolkit.fluxcd.io", "ImageRepository ImageUpdateAutomation", actions_file_flux},
    {"notification.toolkit.fluxcd.io", "Alert Provider Receiver", actions_file_flux},
    {"source.toolkit.fluxcd.io", "Bucket GitRepository HelmChart HelmRepository OCIRepository",
     actions_file_flux},
    {"numaflow.numaproj.io", "InterStepBufferService MonoVertex Pipeline", actions_file_numa},
    {"numaplane.numaproj.io", "MonoVertexRollout PipelineRollout", actions_file_numa},
    {"external-secrets.io", "ExternalSecret PushSecret", actions_file_others},
    {"keda.sh", "ScaledJob ScaledObject", actions_file_others},
    {"core.strimzi.io", "StrimziPodSet", actions_file_others},
    {"postgresql.cnpg.io", "Cluster", actions_file_others},
    {"k8s.mariadb.com", "MariaDB", actions_file_others},
    {"psmdb.percona.com", "PerconaServerMongoDB", actions_file_others},
};

static bool lists(const char *kinds, const char *kind)
{
    view_t rest = view_of(kinds), word;
    while (view_split(&rest, ' ', &word))
        if (view_eq(word, kind))
            return true;
    return false;
}

char *script_actions_bundled(const char *group, const char *kind, const char *last_line)
{
    for (size_t i = 0; i < ARRAY_LEN(bundled); i++)
        if (str_eq(bundled[i].group, group) && lists(bundled[i].kinds, kind))
            return xasprintf("do\n%s\nend\ndo\n%s\nend\n%s", actions_file_lib, bundled[i].source, last_line);
    return NULL;
}
