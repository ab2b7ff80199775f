#include "cli/options.h"

const struct option app_namespace_option[] = {
    TEXT("app-namespace", "Namespace of the Application, when it is not the server's own", .shorthand = 'N'),
    OPTIONS_END,
};
const struct option source_position_option[] = {
    INT("source-position", "Which of several sources is meant; the first is 1", .fallback = "-1"),
    OPTIONS_END,
};
const struct option source_name_option[] = {
    TEXT("source-name", "Which of several sources is meant, by its name"),
    OPTIONS_END,
};
const struct option revisions_options[] = {
    LIST("revisions", "Revision of a source; one for each of --source-positions or --source-names"),
    INTS("source-positions", "Positions of the sources that --revisions are for; the first is 1"),
    LIST("source-names", "Names of the sources that --revisions are for"),
    OPTIONS_END,
};
const struct option server_diff_options[] = {
    INT("server-side-diff-concurrency", "Batches of a server-side diff at a time; -1: no limit",
        .fallback = "-1"),
    INT("server-side-diff-max-batch-kb", "Size of a batch of a server-side diff", .fallback = "250"),
    DURATION("ignore-normalizer-jq-execution-timeout", "Time limit of a jq expression", .fallback = "1s"),
    OPTIONS_END,
};

const struct option app_spec_options[] = {
    /* source */
    TEXT("repo", "Repository URL"),
    TEXT("path", "Folder in the repository"),
    TEXT("helm-chart", "Name of a Helm chart"),
    TEXT("env", "Accepted for old scripts; means nothing"),
    TEXT("revision", "Branch, tag, commit or chart version to follow"),
    TEXT("tag-prefix", "Only tags with this prefix count when --revision is a version constraint"),
    TEXT("ref", "Name by which other sources refer to this one"),
    TEXT("source-name", "Name of a source among several"),
    /* hydrator */
    TEXT("dry-source-repo", "Hydrator: repository of the dry source"),
    TEXT("dry-source-revision", "Hydrator: revision of the dry source"),
    TEXT("dry-source-path", "Hydrator: folder of the dry source"),
    TEXT("sync-source-branch", "Hydrator: branch that is synced from"),
    TEXT("sync-source-path", "Hydrator: folder that is synced from"),
    TEXT("hydrate-to-branch", "Hydrator: branch that is written to"),
    /* destination and the application itself */
    TEXT("dest-server", "URL of the destination cluster (https://kubernetes.default.svc: the server's own)"),
    TEXT("dest-name", "Name of the destination cluster"),
    TEXT("dest-namespace", "Destination namespace"),
    TEXT("project", "Project of the application"),
    INT("revision-history-limit", "How many deployments the history keeps", .fallback = "10"),
    BOOL("validate", "Have repository and cluster checked", .fallback = "true"),
    /* sync policy */
    TEXT("sync-policy", "Sync policy: manual (none) or automated (auto, automatic)",
         .values = "manual|automated"),
    LIST("sync-option", "Add a sync option, such as `Prune=false`; with ! in front, remove it"),
    BOOL("auto-prune", "Automated sync prunes"),
    BOOL("self-heal", "Automated sync also repairs what changed in the cluster"),
    BOOL("allow-empty", "Automated sync may leave no resource at all"),
    INT("sync-retry-limit", "How often a failed sync is tried again"),
    DURATION("sync-retry-backoff-duration", "First pause before trying again", .fallback = "5s"),
    DURATION("sync-retry-backoff-max-duration", "Longest pause before trying again", .fallback = "3m0s"),
    INT("sync-retry-backoff-factor", "How much longer each pause is than the one before", .fallback = "2"),
    BOOL("sync-retry-refresh", "Try again with the newest revision"),
    /* Helm */
    LIST("parameter", "Set a parameter, `name=value`", .shorthand = 'p'),
    LIST("values", "Values file in the repository"),
    BOOL("ignore-missing-value-files", "Values files may be absent"),
    TEXT("values-literal-file", "File or URL whose content becomes the values"),
    TEXT("release-name", "Release name"),
    TEXT("helm-version", "Helm version"),
    BOOL("helm-pass-credentials", "Pass credentials to all domains"),
    LIST("helm-set", "Set a value, `name=value`"),
    LIST("helm-set-string", "Set a value that stays text, `name=value`"),
    LIST("helm-set-file", "Set a value from a file, `name=path`"),
    BOOL("helm-skip-crds", "Leave the chart's CRDs out"),
    BOOL("helm-skip-schema-validation", "Do not check values against the chart's schema"),
    BOOL("helm-skip-tests", "Leave the chart's tests out"),
    TEXT("helm-namespace", "Namespace to render for instead of the destination's"),
    TEXT("helm-kube-version", "Kubernetes version to render for instead of the cluster's"),
    LIST("helm-api-versions", "API version ([group/]version/kind) to render for instead of the cluster's"),
    /* Kustomize */
    TEXT("nameprefix", "Kustomize: prefix of names"),
    TEXT("namesuffix", "Kustomize: suffix of names"),
    TEXT("kustomize-version", "Kustomize: version"),
    LIST("kustomize-image", "Kustomize: image override, [name=]image[:tag|@digest]"),
    LIST("kustomize-replica", "Kustomize: replica count, `name=count`"),
    BOOL("ignore-missing-components", "Kustomize: components may be absent"),
    LIST("kustomize-common-label", "Kustomize: common label, `name=value`"),
    LIST("kustomize-common-annotation", "Kustomize: common annotation, `name=value`"),
    BOOL("kustomize-label-without-selector", "Kustomize: common labels do not go into selectors"),
    BOOL("kustomize-label-include-templates", "Kustomize: common labels go into templates"),
    BOOL("kustomize-force-common-label", "Kustomize: common labels overwrite"),
    BOOL("kustomize-force-common-annotation", "Kustomize: common annotations overwrite"),
    TEXT("kustomize-namespace", "Kustomize: namespace"),
    TEXT("kustomize-kube-version", "Kustomize: Kubernetes version for charts"),
    LIST("kustomize-api-versions", "Kustomize: API version for charts"),
    /* directory, Jsonnet, plugins */
    BOOL("directory-recurse", "Read folders below the path too"),
    BOOL("directory-disable-extension-filter", "Files of any extension may be manifests"),
    TEXT("directory-exclude", "Glob of files to leave out"),
    TEXT("directory-include", "Glob of files to read"),
    LIST("jsonnet-tla-str", "Jsonnet: top-level argument, `name=text`"),
    LIST("jsonnet-tla-code", "Jsonnet: top-level argument, `name=code`"),
    LIST("jsonnet-ext-var-str", "Jsonnet: external variable, `name=text`"),
    LIST("jsonnet-ext-var-code", "Jsonnet: external variable, `name=code`"),
    LIST("jsonnet-libs", "Jsonnet: library folder in the repository"),
    TEXT("config-management-plugin", "Name of a config management plugin"),
    LIST("plugin-env", "Plugin: environment variable, `name=value`"),
    OPTIONS_END,
};
