/* The table of commands. Their order is that of the help. */
#include "cli/command.h"
#include "cli/options.h"

#define TABLES(...)                                                                                          \
    (const struct option *const[])                                                                           \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }

const struct option help_option[] = {BOOL("help", "Show this help", .shorthand = 'h'), OPTIONS_END};

const struct option global_options[] = {
    TEXT("config", "The file with contexts and tokens", .in_opts = true),
    TEXT("server", "Address of the server, host[:port]", .in_opts = true, .env = "ARGOCD_SERVER"),
    BOOL("plaintext", "Without TLS", .in_opts = true),
    BOOL("insecure", "Do not verify the server's certificate", .in_opts = true),
    TEXT("server-crt", "File with the certificates to trust", .in_opts = true),
    TEXT("client-crt", "File with our certificate", .in_opts = true),
    TEXT("client-crt-key", "File with the key of our certificate", .in_opts = true),
    TEXT("auth-token", "Token to use instead of the context's; better given in ARGOCD_AUTH_TOKEN",
         .in_opts = true, .env = "ARGOCD_AUTH_TOKEN"),
    BOOL("grpc-web", "Remembered in the context for argocd; this program always speaks REST",
         .in_opts = true),
    TEXT("grpc-web-root-path", "Path that the server is found below, behind a proxy", .in_opts = true),
    TEXT("logformat", "Format of messages on standard error", .fallback = "json", .values = "json|text",
         .in_opts = true),
    TEXT("loglevel", "Which messages are shown", .fallback = "info", .values = "debug|info|warn|error",
         .in_opts = true),
    OPTION(OPT_CSV, "header", "Header to send with every request, `name:value`", .shorthand = 'H',
           .in_opts = true),
    BOOL("port-forward", "Not available: forward a port with kubectl and give --server", .in_opts = true),
    TEXT("port-forward-namespace", "Not available, see --port-forward", .in_opts = true),
    INT("http-retry-max", "How often a request is tried again when the server is not reached",
        .in_opts = true),
    BOOL("core", "Not available: work without the server", .in_opts = true),
    TEXT("argocd-context", "Context to use instead of the current one"),
    BOOL("prompts-enabled", "Ask before dangerous steps; by default what `configure` was told",
         .in_opts = true),
    TEXT("kube-context", "Accepted; only --port-forward and --core would use it"),
    TEXT("server-name", "Accepted; only --port-forward would use it", .fallback = "argocd-server",
         .env = "ARGOCD_SERVER_NAME"),
    TEXT("controller-name", "Accepted; only --core would use it", .fallback = "argocd-application-controller",
         .env = "ARGOCD_APPLICATION_CONTROLLER_NAME"),
    TEXT("redis-haproxy-name", "Accepted; only --core would use it", .fallback = "argocd-redis-ha-haproxy",
         .env = "ARGOCD_REDIS_HAPROXY_NAME"),
    TEXT("redis-name", "Accepted; only --core would use it", .fallback = "argocd-redis",
         .env = "ARGOCD_REDIS_NAME"),
    TEXT("repo-server-name", "Accepted; only --core would use it", .fallback = "argocd-repo-server",
         .env = "ARGOCD_REPO_SERVER_NAME"),
    TEXT("redis-compress", "Accepted; only --core would use it", .fallback = "gzip",
         .env = "REDIS_COMPRESSION"),
    OPTIONS_END,
};

#define OVERRIDES "admin settings resource-overrides"

/* ---- options ---- */

#define OUTPUT(def, kinds)                                                                                   \
    TEXT("output", "Output format: " kinds, .shorthand = 'o', .fallback = (def), .values = (kinds))
#define OUTPUT_TABLE(name, def, kinds) static const struct option name[] = {OUTPUT(def, kinds), OPTIONS_END}
OUTPUT_TABLE(output_resource, "wide", "json|yaml|wide");
OUTPUT_TABLE(output_names, "wide", "wide|name|json|yaml");
OUTPUT_TABLE(output_apps, "wide", "wide|name|json|yaml");
OUTPUT_TABLE(output_app, "wide", "json|yaml|wide|tree|tree=detailed");
OUTPUT_TABLE(output_tree, "", "tree|tree=detailed");
OUTPUT_TABLE(output_history, "wide", "wide|id");
OUTPUT_TABLE(output_user, "", "yaml|json");
OUTPUT_TABLE(output_clusters, "wide", "json|yaml|wide|server");
OUTPUT_TABLE(output_cluster, "yaml", "json|yaml|wide|server");
OUTPUT_TABLE(output_repos, "wide", "yaml|json|url|wide");
OUTPUT_TABLE(output_version, "wide", "json|yaml|wide|short");

/* As cargocd-render has them. */
static const struct option render_options[] = {
    TEXT("file", "File with the Application; - for standard input", .shorthand = 'f'),
    TEXT("local", "Directory that stands for the repository of the sources, as it is"),
    TEXT("revision", "Revision of the first source; with --local a commit there"),
    TEXT("kube-version", "Kubernetes version to render for"),
    OPTION(OPT_CSV, "api-versions", "API versions of the cluster to render for"),
    TEXT("helm-binary", "The helm program", .fallback = "helm", .env = "CARGOCD_HELM"),
    TEXT("kustomize-binary", "The kustomize program", .fallback = "kustomize", .env = "CARGOCD_KUSTOMIZE"),
    TEXT("kubectl-binary", "The kubectl program, used where there is no kustomize", .fallback = "kubectl",
         .env = "CARGOCD_KUBECTL"),
    TEXT("tls-certs-path", "Directory with one file of trusted certificates per host",
         .env = "ARGOCD_TLS_DATA_PATH"),
    TEXT("ssh-path", "Directory with ssh_known_hosts", .env = "ARGOCD_SSH_DATA_PATH"),
    OUTPUT("yaml", "yaml|json"),
    OPTIONS_END,
};
/* Where argocd-cm is, for all commands below `admin settings`, and what they have of their own. */
static const struct option settings_options[] = {
    TEXT("argocd-cm-path", "File with the ConfigMap argocd-cm"),
    TEXT("argocd-secret-path", "File with the Secret argocd-secret; only has to be readable"),
    BOOL("load-cluster-settings", "Not available: write the ConfigMap to a file with kubectl"),
    OPTIONS_END,
};
static const struct option validate_options[] = {
    LIST("group", "Only this group of settings: accounts, general, kustomize or resource-overrides"),
    OPTIONS_END,
};
static const struct option updates_options[] = {
    DURATION("ignore-normalizer-jq-execution-timeout", "How long a jq expression may take", .fallback = "1s"),
    OPTIONS_END,
};
static const struct option action_options[] = {
    LIST("param", "Parameter of the action, `name=value`"),
    OPTIONS_END,
};
static const struct option compare_options[] = {
    TEXT("target", "File with the manifests as they should be; - for standard input"),
    TEXT("live", "File with the objects as they are, as `kubectl get -o yaml` prints them; - likewise"),
    TEXT("app", "File with the Application: its destination, ignoreDifferences, and what is tracked by it"),
    OUTPUT("wide", "wide|json|yaml"),
    OPTIONS_END,
};
/* Which resources an action is for. */
static const struct option choice_options[] = {
    TEXT("kind", "Kind of the resource"),
    TEXT("group", "Group of the resource"),
    TEXT("namespace", "Namespace of the resource"),
    TEXT("resource-name", "Name of the resource"),
    OPTIONS_END,
};
static const struct option all_option[] = {BOOL("all", "On all that match, when they are several"),
                                           OPTIONS_END};
static const struct option actions_output[] = {
    TEXT("out", "Output format: yaml|json", .shorthand = 'o', .values = "yaml|json"), OPTIONS_END};
static const struct option version_options[] = {
    BOOL("short", "Only the version numbers"),
    BOOL("client", "Only this program; no server is asked"),
    OPTIONS_END,
};
static const struct option login_options[] = {
    TEXT("name", "Name of the context; by default the server's address"),
    TEXT("username", "Account to log in as"),
    TEXT("password", "Its password"),
    BOOL("sso", "Log in with single sign-on"),
    INT("sso-port", "Port of the local page that single sign-on returns to", .fallback = "8085"),
    TEXT("callback", "Address of the page that single sign-on returns to"),
    BOOL("sso-launch-browser", "Start the browser for single sign-on", .fallback = "true"),
    BOOL("skip-test-tls", "Do not find out first whether the server has TLS and a valid certificate"),
    OPTIONS_END,
};
static const struct option relogin_options[] = {
    TEXT("password", "The account's password"),
    INT("sso-port", "Port of the local page that single sign-on returns to", .fallback = "8085"),
    TEXT("callback", "Address of the page that single sign-on returns to"),
    BOOL("sso-launch-browser", "Start the browser for single sign-on", .fallback = "true"),
    OPTIONS_END,
};
static const struct option context_options[] = {BOOL("delete", "Forget the context"), OPTIONS_END};
static const struct option create_options[] = {
    TEXT("name", "Name of the application (the argument does the same)"),
    BOOL("upsert", "Overwrite an application of that name that is different"),
    TEXT("file", "File or URL with Applications in YAML or JSON; - is standard input", .shorthand = 'f'),
    LIST("label", "Label, `name=value`", .shorthand = 'l'),
    LIST("annotations", "Annotation, `name=value`"),
    BOOL("set-finalizer", "Deleting the application deletes its resources"),
    OPTIONS_END,
};
static const struct option list_options[] = {
    TEXT("selector", "Only applications whose labels match", .shorthand = 'l'),
    LIST("project", "Only applications of this project", .shorthand = 'p'),
    TEXT("repo", "Only applications with this source repository", .shorthand = 'r'),
    TEXT("cluster", "Only applications for this cluster (name or URL)", .shorthand = 'c'),
    TEXT("path", "Only applications with this source path", .shorthand = 'P'),
    OPTIONS_END,
};
static const struct option refresh_options[] = {
    BOOL("refresh", "Compare anew first"),
    BOOL("hard-refresh", "Render and compare anew first"),
    OPTIONS_END,
};
static const struct option timeout_option[] = {
    UINT("timeout", "Give up after this many seconds; 0: never", .fallback = "0"),
    OPTIONS_END,
};
static const struct option get_options[] = {
    BOOL("show-operation", "Show the last or current operation"),
    BOOL("show-params", "Show parameters"),
    OPTIONS_END,
};
static const struct option resource_option[] = {
    LIST("resource",
         "Only this resource, [!]GROUP:KIND:[NAMESPACE/]NAME; parts may be * or empty, ! leaves it out"),
    OPTIONS_END,
};
static const struct option sync_options[] = {
    BOOL("dry-run", "Only show what would be done"),
    BOOL("prune", "Delete what is not in the source any more"),
    TEXT("revision", "Sync to this revision"),
    TEXT("selector", "Sync the applications whose labels match", .shorthand = 'l'),
    LIST("label", "Only resources with this label, `name=value`"),
    INT("retry-limit", "How often a failed sync is tried again"),
    BOOL("retry-refresh", "Try again with the newest revision"),
    DURATION("retry-backoff-duration", "First pause before trying again", .fallback = "5s"),
    DURATION("retry-backoff-max-duration", "Longest pause before trying again", .fallback = "3m0s"),
    INT("retry-backoff-factor", "How much longer each pause is than the one before", .fallback = "2"),
    TEXT("strategy", "Sync strategy: apply or hook", .values = "apply|hook"),
    BOOL("force", "Replace what cannot be patched"),
    BOOL("replace", "Create or replace instead of applying"),
    BOOL("server-side", "Server-side apply"),
    BOOL("apply-out-of-sync-only", "Leave alone what is in sync"),
    BOOL("async", "Do not wait for the end"),
    TEXT("local", "Folder whose manifests are synced instead of the repository's"),
    TEXT("local-repo-root", "Root of the repository that --local is in", .fallback = "/"),
    LIST("info", "Note to keep with the operation, `name=value`"),
    BOOL("assumeYes", "With --preview-changes: do not ask"),
    BOOL("preview-changes", "Show the differences first and ask"),
    LIST("project", "Sync the applications of this project"),
    OPTIONS_END,
};
static const struct option wait_options[] = {
    BOOL("sync", "Until it is synced"),
    BOOL("health", "Until it is healthy"),
    BOOL("suspended", "Until it is suspended"),
    BOOL("degraded", "Until it is degraded"),
    BOOL("delete", "Until it is gone"),
    BOOL("hydrated", "Until it is hydrated"),
    BOOL("operation", "Until no operation is pending"),
    TEXT("selector", "Wait for the applications whose labels match", .shorthand = 'l'),
    OPTIONS_END,
};
static const struct option rollback_options[] = {
    BOOL("prune", "Delete what is not in that deployment"),
    OPTIONS_END,
};
static const struct option delete_options[] = {
    BOOL("cascade", "Delete the resources too", .fallback = "true"),
    TEXT("propagation-policy", "How the resources are deleted: foreground or background", .shorthand = 'p',
         .fallback = "foreground", .values = "foreground|background"),
    BOOL("yes", "Do not ask", .shorthand = 'y'),
    TEXT("selector", "Delete the applications whose labels match", .shorthand = 'l'),
    BOOL("wait", "Wait until they are gone"),
    OPTIONS_END,
};
static const struct option unset_options[] = {
    LIST("parameter", "Helm parameter", .shorthand = 'p'),
    LIST("values", "Helm values file"),
    BOOL("values-literal", "Helm values"),
    BOOL("ignore-missing-value-files", "Helm: values files may be absent"),
    BOOL("nameprefix", "Kustomize: prefix of names"),
    BOOL("namesuffix", "Kustomize: suffix of names"),
    BOOL("kustomize-version", "Kustomize: version"),
    BOOL("kustomize-namespace", "Kustomize: namespace"),
    LIST("kustomize-image", "Kustomize: image override"),
    LIST("kustomize-replica", "Kustomize: replica count"),
    BOOL("ignore-missing-components", "Kustomize: components may be absent"),
    LIST("plugin-env", "Plugin: environment variable"),
    BOOL("pass-credentials", "Helm: pass credentials to all domains"),
    BOOL("ref", "Name by which other sources refer to this one"),
    OPTIONS_END,
};
static const struct option patch_options[] = {
    TEXT("patch", "The patch"),
    TEXT("type", "Kind of patch: json (RFC 6902) or merge (RFC 7386)", .fallback = "json",
         .values = "json|merge"),
    OPTIONS_END,
};
static const struct option manifests_options[] = {
    TEXT("source", "Which manifests: git or live", .fallback = "git", .values = "git|live"),
    TEXT("revision", "Of this revision"),
    TEXT("local", "Not available: render a local folder"),
    TEXT("local-repo-root", "Root of the repository that --local is in", .fallback = "."),
    OPTIONS_END,
};
static const struct option resources_options[] = {
    BOOL("orphaned", "Only orphans; with =false, none"),
    TEXT("project", "Project of the application: then an absent one is reported as not found"),
    OPTIONS_END,
};
static const struct option diff_options[] = {
    BOOL("exit-code", "Tell by the exit status whether there are differences", .fallback = "true"),
    INT("diff-exit-code", "Exit status for differences", .fallback = "1"),
    TEXT("local", "Compare with a local folder"),
    TEXT("revision", "Compare with this revision"),
    TEXT("local-repo-root", "Root of the repository that --local is in", .fallback = "/"),
    BOOL("server-side-generate", "With --local: have the server render"),
    BOOL("server-side-diff", "Have Kubernetes work out the differences by a dry run"),
    LIST("local-include", "With --server-side-generate: which files are sent", .fallback = "*.yaml"),
    OPTIONS_END,
};
static const struct option logs_options[] = {
    TEXT("group", "Only resources of this group"),
    TEXT("kind", "Only resources of this kind"),
    TEXT("namespace", "Only resources in this namespace"),
    TEXT("name", "Only the resource of this name"),
    BOOL("follow", "Go on as lines come", .shorthand = 'f'),
    INT("tail", "Only the last lines, this many"),
    INT("since-seconds", "Only lines of the last seconds, this many"),
    TEXT("until-time", "Only lines before this time"),
    TEXT("filter", "Only lines with this text"),
    TEXT("container", "Of this container", .shorthand = 'c'),
    BOOL("previous", "Of the container that ended before", .shorthand = 'p'),
    BOOL("match-case", "--filter minds case", .shorthand = 'm'),
    OPTIONS_END,
};
static const struct option account_get_options[] = {
    TEXT("account", "Name of the account; by default your own", .shorthand = 'a'), OPTIONS_END};
static const struct option password_options[] = {
    TEXT("account", "Name of the account; by default your own"),
    TEXT("current-password", "Your password"),
    TEXT("new-password", "The account's new password"),
    OPTIONS_END,
};
static const struct option repo_get_options[] = {TEXT("project", "Project of the repository"), OPTIONS_END};
static const struct option repo_list_options[] = {
    TEXT("refresh", "hard: test the connections anew", .values = "hard"),
    OPTIONS_END,
};

/* ---- commands ---- */

#define APP_NS app_namespace_option

const struct command commands[] = {
    {.path = "", .summary = "Controls a cargocd or Argo CD server"},

    {.path = "account", .summary = "Accounts and what they may do"},
    {.path = "account can-i",
     .operands = "ACTION RESOURCE SUBRESOURCE",
     .summary = "Ask whether you may do something",
     .examples = "account can-i sync applications '*'\naccount can-i update projects default"},
    {.path = "account get",
     .summary = "Show an account",
     .tables = TABLES(account_get_options, output_names),
     .examples = "account get --account alice"},
    {.path = "account get-user-info",
     .alias = "whoami",
     .summary = "Show who you are",
     .tables = TABLES(output_user)},
    {.path = "account list", .summary = "List accounts", .tables = TABLES(output_names)},
    {.path = "account update-password",
     .summary = "Change your password, or that of another account",
     .examples = "account update-password\naccount update-password --account alice",
     .tables = TABLES(password_options)},

    {.path = "admin", .summary = "Tools for those who run the server; they need no server"},
    {.path = "admin settings",
     .summary = "Check settings, and try out what they do",
     .tables = TABLES(settings_options)},
    {.path = OVERRIDES,
     .summary = "Try out resource.customizations on one object",
     .tables = TABLES(settings_options)},
    {.path = OVERRIDES " health",
     .operands = "RESOURCE_YAML_PATH",
     .summary = "Assess the health of a resource",
     .examples = OVERRIDES " health ./deploy.yaml --argocd-cm-path ./argocd-cm.yaml",
     .tables = TABLES(settings_options)},
    {.path = OVERRIDES " ignore-differences",
     .operands = "RESOURCE_YAML_PATH",
     .summary = "Show which fields are not compared",
     .examples = OVERRIDES " ignore-differences ./deploy.yaml --argocd-cm-path ./argocd-cm.yaml",
     .tables = TABLES(settings_options)},
    {.path = OVERRIDES " ignore-resource-updates",
     .operands = "RESOURCE_YAML_PATH",
     .summary = "Show whose changes do not refresh the application",
     .examples = OVERRIDES " ignore-resource-updates ./deploy.yaml --argocd-cm-path ./argocd-cm.yaml",
     .tables = TABLES(updates_options, settings_options)},
    {.path = OVERRIDES " list-actions",
     .operands = "RESOURCE_YAML_PATH",
     .summary = "List the actions of a resource",
     .examples = OVERRIDES " list-actions ./deploy.yaml --argocd-cm-path ./argocd-cm.yaml",
     .tables = TABLES(settings_options)},
    {.path = OVERRIDES " run-action",
     .operands = "RESOURCE_YAML_PATH ACTION",
     .alias = "action",
     .summary = "Show what an action changes",
     .examples = OVERRIDES " run-action ./deploy.yaml restart --argocd-cm-path ./argocd-cm.yaml",
     .tables = TABLES(action_options, settings_options)},
    {.path = "admin settings validate",
     .summary = "Check settings",
     .examples = "admin settings validate --argocd-cm-path ./argocd-cm.yaml --group accounts",
     .tables = TABLES(validate_options, settings_options)},

    {.path = "app", .summary = "Applications"},
    {.path = "app actions", .summary = "Actions on an application's resources"},
    {.path = "app actions list",
     .operands = "APPNAME",
     .summary = "List what can be done to an application's resources",
     .examples = "app actions list guestbook --kind Deployment",
     .tables = TABLES(choice_options, actions_output, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app actions run",
     .operands = "APPNAME ACTION",
     .summary = "Run an action on the resources that match",
     .examples = "app actions run guestbook restart --kind Deployment --resource-name guestbook-ui",
     .tables = TABLES(choice_options, all_option, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app add-source",
     .operands = "APPNAME",
     .summary = "Add a source to an application with several",
     .tables = TABLES(app_spec_options, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app confirm-deletion",
     .operands = "APPNAME",
     .summary = "Confirm that resources may be pruned or deleted",
     .tables = TABLES(APP_NS),
     .operand = OPERAND_APP},
    {.path = "app create",
     .operands = "APPNAME",
     .summary = "Create an application",
     .examples = "app create guestbook --repo https://git.example/apps.git --path guestbook \\\n"
                 "    --dest-server https://kubernetes.default.svc --dest-namespace guestbook\n"
                 "app create -f applications.yaml --upsert",
     .tables = TABLES(create_options, app_spec_options, APP_NS)},
    {.path = "app delete",
     .operands = "APPNAME...",
     .summary = "Delete applications",
     .examples = "app delete guestbook --yes --wait\napp delete -l team=old",
     .tables = TABLES(delete_options, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app diff",
     .operands = "APPNAME",
     .summary = "Show how live resources differ from the source",
     .details =
         "Shows how live resources differ from the source, with diff or the program that\n"
         "KUBECTL_EXTERNAL_DIFF names. Exits with 1 when there are differences and with 20 on errors.\n"
         "Values of Secrets are masked.",
     .examples = "app diff guestbook\napp diff guestbook --revision v2",
     .tables = TABLES(refresh_options, diff_options, revisions_options, server_diff_options, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app get",
     .operands = "APPNAME",
     .summary = "Show an application",
     .examples = "app get guestbook --refresh\napp get guestbook -o tree",
     .tables = TABLES(refresh_options, get_options, source_position_option, source_name_option,
                      timeout_option, output_app, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app history",
     .operands = "APPNAME",
     .summary = "Show the deployments of an application",
     .tables = TABLES(output_history, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app list",
     .summary = "List applications",
     .examples = "app list -l team=blue -o name\napp list -p default -o wide",
     .tables = TABLES(list_options, output_apps, APP_NS)},
    {.path = "app logs",
     .operands = "APPNAME",
     .summary = "Show the logs of an application's pods",
     .tables = TABLES(logs_options, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app manifests",
     .operands = "APPNAME",
     .summary = "Print an application's manifests",
     .tables = TABLES(manifests_options, revisions_options, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app patch",
     .operands = "APPNAME",
     .summary = "Patch an application",
     .examples =
         "app patch guestbook --type merge --patch '{\"spec\":{\"source\":{\"targetRevision\":\"v2\"}}}'",
     .tables = TABLES(patch_options, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app remove-source",
     .operands = "APPNAME",
     .summary = "Remove a source from an application with several",
     .tables = TABLES(source_position_option, source_name_option, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app resources",
     .operands = "APPNAME",
     .summary = "List an application's resources",
     .tables = TABLES(resources_options, output_tree, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app rollback",
     .operands = "APPNAME [ID]",
     .summary = "Deploy a previous deployment again, by default the last but one",
     .tables = TABLES(rollback_options, timeout_option, output_app, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app set",
     .operands = "APPNAME",
     .summary = "Change an application's spec",
     .examples = "app set guestbook --revision v2 --sync-policy automated",
     .tables = TABLES(app_spec_options, source_position_option, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app sync",
     .operands = "[APPNAME... | -l selector | --project project]",
     .summary = "Sync applications",
     .examples = "app sync guestbook --prune\napp sync guestbook --resource apps:Deployment:guestbook-ui",
     .tables = TABLES(sync_options, resource_option, revisions_options, server_diff_options, timeout_option,
                      output_app, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app terminate-op",
     .operands = "APPNAME",
     .summary = "End a running operation",
     .tables = TABLES(APP_NS),
     .operand = OPERAND_APP},
    {.path = "app unset",
     .operands = "APPNAME parameters",
     .summary = "Take settings out of an application's source",
     .tables = TABLES(unset_options, source_position_option, source_name_option, APP_NS),
     .operand = OPERAND_APP},
    {.path = "app wait",
     .operands = "[APPNAME... | -l selector]",
     .summary = "Wait for applications",
     .examples = "app wait guestbook --health --timeout 60",
     .tables = TABLES(wait_options, resource_option, timeout_option, output_app, APP_NS),
     .operand = OPERAND_APP},

    {.path = "app why",
     .operands = "APPNAME",
     .summary = "Show what the controller decided about an application lately, and why",
     .examples = "app why guestbook\napp why guestbook -o json",
     .tables = TABLES(output_resource, APP_NS),
     .operand = OPERAND_APP},

    {.path = "cluster", .summary = "Clusters"},
    {.path = "cluster get",
     .operands = "SERVER/NAME",
     .summary = "Show a cluster",
     .examples = "cluster get in-cluster\ncluster get https://10.0.0.1:6443 -o wide",
     .tables = TABLES(output_cluster),
     .operand = OPERAND_CLUSTER},
    {.path = "cluster list", .summary = "List clusters", .tables = TABLES(output_clusters)},

    {.path = "compare",
     .summary = "Compare manifests with live objects as the controller does, without any server",
     .details = "Exit status: 0 the same, 1 different, 2 an error. Secrets are masked.",
     .examples = "compare --target target.yaml --live live.yaml\n"
                 "compare --target target.yaml --live live.yaml --app application.yaml "
                 "--argocd-cm-path argocd-cm.yaml -o json",
     .tables = TABLES(compare_options, settings_options)},
    {.path = "completion",
     .operands = "SHELL",
     .summary = "Print a script that completes commands in bash, zsh or fish",
     .examples = "completion bash > /etc/bash_completion.d/cargocd",
     .operand = OPERAND_SHELL},
    {.path = "configure", .summary = "Change local settings", .examples = "configure --prompts-enabled=true"},
    {.path = "context",
     .operands = "[CONTEXT]",
     .alias = "ctx",
     .summary = "List contexts, or switch to one",
     .examples = "context\ncontext cd.example.com\ncontext cd.example.com --delete",
     .tables = TABLES(context_options),
     .operand = OPERAND_CONTEXT},
    {.path = "login",
     .operands = "SERVER",
     .summary = "Log in to a server",
     .examples = "login cd.example.com\nlogin localhost:8080 --plaintext --username admin",
     .tables = TABLES(login_options)},
    {.path = "logout",
     .operands = "CONTEXT",
     .summary = "Log out, here and on the server",
     .operand = OPERAND_CONTEXT},

    {.path = "proj", .summary = "Projects"},
    {.path = "proj get",
     .operands = "PROJECT",
     .summary = "Show a project",
     .tables = TABLES(output_resource),
     .operand = OPERAND_PROJECT},
    {.path = "proj list", .summary = "List projects", .tables = TABLES(output_names)},

    {.path = "relogin",
     .summary = "Log in again with what the context knows",
     .tables = TABLES(relogin_options)},
    {.path = "render",
     .summary = "Print what the repository server would render for an Application, without any server",
     .examples =
         "render -f application.yaml\nrender -f application.yaml --local . --kube-version 1.31 -o json",
     .tables = TABLES(render_options)},
    {.path = "repo", .summary = "Repositories"},
    {.path = "repo get",
     .operands = "REPO",
     .summary = "Show a repository",
     .tables = TABLES(repo_list_options, repo_get_options, output_repos)},
    {.path = "repo list", .summary = "List repositories", .tables = TABLES(repo_list_options, output_repos)},
    {.path = "version",
     .summary = "Show the versions of this program and of the server",
     .tables = TABLES(version_options, output_version)},
};
const size_t ncommands = ARRAY_LEN(commands);

#define SERVICE(name) "the server's " name
const struct missing_command missing_commands[] = {
    {"account delete-token", SERVICE("account.AccountService/DeleteToken")},
    {"account generate-token", SERVICE("account.AccountService/CreateToken")},
    {"account session-token", "token exchange with an identity provider"},
    {"admin app", "the controller's parts in the program"},
    {"admin cluster", "a client of the clusters in the program"},
    {"admin dashboard", "the server in the program"},
    {"admin export", "a client of the cluster in the program"},
    {"admin import", "a client of the cluster in the program"},
    {"admin initial-password", "a client of the cluster in the program"},
    {"admin notifications", "notifications"},
    {"admin proj", "changes of projects in files"},
    {"admin redis-initial-password", "a client of the cluster in the program"},
    {"admin repo", "manifests of repositories"},
    {"admin settings rbac", "the authoriser in the program"},
    {"app delete-resource", SERVICE("application.ApplicationService/DeleteResource")},
    {"app edit", "an editor's loop; \"app set\" and \"app patch\" change specs"},
    {"app get-resource", "filters of fields; \"app manifests --source live\" prints live manifests"},
    {"app patch-resource", SERVICE("application.ApplicationService/PatchResource")},
    {"appset", SERVICE("applicationset.ApplicationSetService")},
    {"cert", SERVICE("certificate.CertificateService")},
    {"cluster add", SERVICE("cluster.ClusterService/Create")},
    {"cluster rm", SERVICE("cluster.ClusterService/Delete")},
    {"cluster rotate-auth", SERVICE("cluster.ClusterService/RotateAuth")},
    {"cluster set", SERVICE("cluster.ClusterService/Update")},
    {"gpg", SERVICE("gpgkey.GPGKeyService")},
    {"proj add-destination", SERVICE("project.ProjectService/Update")},
    {"proj add-destination-service-account", SERVICE("project.ProjectService/Update")},
    {"proj add-orphaned-ignore", SERVICE("project.ProjectService/Update")},
    {"proj add-signature-key", SERVICE("project.ProjectService/Update")},
    {"proj add-source", SERVICE("project.ProjectService/Update")},
    {"proj add-source-namespace", SERVICE("project.ProjectService/Update")},
    {"proj allow-cluster-resource", SERVICE("project.ProjectService/Update")},
    {"proj allow-namespace-resource", SERVICE("project.ProjectService/Update")},
    {"proj create", SERVICE("project.ProjectService/Create")},
    {"proj delete", SERVICE("project.ProjectService/Delete")},
    {"proj deny-cluster-resource", SERVICE("project.ProjectService/Update")},
    {"proj deny-namespace-resource", SERVICE("project.ProjectService/Update")},
    {"proj edit", SERVICE("project.ProjectService/Update")},
    {"proj remove-destination", SERVICE("project.ProjectService/Update")},
    {"proj remove-destination-service-account", SERVICE("project.ProjectService/Update")},
    {"proj remove-orphaned-ignore", SERVICE("project.ProjectService/Update")},
    {"proj remove-signature-key", SERVICE("project.ProjectService/Update")},
    {"proj remove-source", SERVICE("project.ProjectService/Update")},
    {"proj remove-source-namespace", SERVICE("project.ProjectService/Update")},
    {"proj role", SERVICE("project.ProjectService/Update and CreateToken")},
    {"proj set", SERVICE("project.ProjectService/Update")},
    {"proj source-integrity", SERVICE("project.ProjectService/Update")},
    {"proj windows", SERVICE("project.ProjectService/Update")},
    {"repo add", SERVICE("repository.RepositoryService/ValidateAccess and CreateRepository")},
    {"repo rm", SERVICE("repository.RepositoryService/DeleteRepository")},
    {"repocreds", SERVICE("repocreds.RepoCredsService")},
};
const size_t nmissing_commands = ARRAY_LEN(missing_commands);
