/* cargocd-render: what `cargocd render` becomes. Prints what the repository server would render. */
#include "common/base/file.h"
#include "common/base/flag.h"
#include "common/base/log.h"
#include "common/base/thread.h"
#include "common/yaml/yaml.h"
#include "repo-server/child.h"
#include "repo-server/offline.h"

#include <stdio.h>

enum { APP_MAX = 16 << 20, FAILED = 20 }; /* Argo CD's exit status of a failed command */

struct settings {
    char *file, *local, *revision, *kube_version, *output, *helm, *kustomize, *kubectl, *tls_dir, *ssh_dir;
    char **api_versions;
};

#define TEXT(n, field, fall, text)                                                                           \
    {                                                                                                        \
        .name = (n), .type = FLAG_STRING, .target = &s->field, .fallback = (fall), .help = (text)            \
    }

static const char usage[] = "cargocd render -f application.yaml [flags]";

static int read_app(const char *path, json_t **out, err_t **err)
{
    AUTO_STR text = STR_MAX(APP_MAX);
    int r = strcmp(path, "-") == 0 ? fd_read_all(0, "standard input", &text, err)
                                   : file_read(path, &text, err);
    return r < 0 ? r : yaml_read(str_text(&text), text.len, NULL, out, err);
}

static void print_yaml(const struct offline_result *r)
{
    VEC_FOREACH(&r->manifests, m) {
        AUTO_JSON doc = NULL;
        AUTO_STR text = STR_INIT;
        json_read_str(*m, &doc, NULL);
        yaml_write(doc, &text);
        printf("---\n%s", str_text(&text));
    }
}

static void print_json(const struct offline_result *r)
{
    fputs("[", stdout);
    VEC_FOREACH(&r->manifests, m)
        printf("%s%s", m == r->manifests.v ? "" : ",\n", *m);
    fputs("]\n", stdout);
}

static int run(const struct settings *s, err_t **err)
{
    AUTO_JSON app = NULL;
    struct offline_result result = {};
    bool json = str_eq(s->output, "json");
    if (str_empty(s->file))
        return err_set(err, ERR_INVALID_ARGUMENT, "no application is given; usage: %s", usage);
    if (!json && !str_eq(s->output, "yaml"))
        return err_set(err, ERR_INVALID_ARGUMENT, "unknown output format '%s': yaml or json", s->output);
    int r = read_app(s->file, &app, err);
    if (r < 0)
        return r;
    struct offline_options options = {
        .app = app,
        .local = str_empty(s->local) ? NULL : s->local,
        .revision = str_empty(s->revision) ? NULL : s->revision,
        .kube_version = s->kube_version,
        .api_versions = s->api_versions,
        .helm = s->helm,
        .kustomize = s->kustomize,
        .kubectl = s->kubectl,
        .tls_dir = s->tls_dir,
        .ssh_dir = s->ssh_dir,
    };
    r = offline_render(&options, &result, err);
    VEC_FOREACH(&result.warnings, w)
        fprintf(stderr, "warning: %s\n", *w);
    if (r == 0 && json)
        print_json(&result);
    else if (r == 0)
        print_yaml(&result);
    offline_result_dispose(&result);
    return r;
}

/* The error of the call is the server's, behind the name of the call, which is nobody's concern here. */
static void print_error(const err_t *err)
{
    const err_t *inner = err;
    while (inner->cause && str_has_prefix(inner->text, "call repo."))
        inner = inner->cause;
    AUTO_ERR copy = err_copy(inner);
    fprintf(stderr, "rpc error: code = %s desc = %s\n", err_code_name(err_code(err)), err_text(copy));
}

int main(int argc, char **argv)
{
    int role = repo_child_main(argc, argv);
    if (role >= 0)
        return role;
    process_setup();
    struct settings settings = {}, *s = &settings;
    struct flag flags[] = {
        {.name = "file",
         .type = FLAG_STRING,
         .target = &s->file,
         .shorthand = 'f',
         .fallback = "",
         .help = "File with the Application; - for standard input"},
        TEXT("local", local, "", "Directory that stands for the repository of the sources, as it is"),
        TEXT("revision", revision, "", "Revision of the first source; with --local a commit there"),
        TEXT("kube-version", kube_version, "", "Kubernetes version to render for"),
        {.name = "api-versions",
         .type = FLAG_STRINGS,
         .target = &s->api_versions,
         .help = "API versions of the cluster to render for"},
        {.name = "output",
         .type = FLAG_STRING,
         .target = &s->output,
         .shorthand = 'o',
         .fallback = "yaml",
         .help = "Output format: yaml|json"},
        {.name = "helm-binary",
         .type = FLAG_STRING,
         .target = &s->helm,
         .env = "CARGOCD_HELM",
         .fallback = "helm",
         .help = "The helm program"},
        {.name = "kustomize-binary",
         .type = FLAG_STRING,
         .target = &s->kustomize,
         .env = "CARGOCD_KUSTOMIZE",
         .fallback = "kustomize",
         .help = "The kustomize program"},
        {.name = "kubectl-binary",
         .type = FLAG_STRING,
         .target = &s->kubectl,
         .env = "CARGOCD_KUBECTL",
         .fallback = "kubectl",
         .help = "The kubectl program, used where there is no kustomize"},
        {.name = "tls-certs-path",
         .type = FLAG_STRING,
         .target = &s->tls_dir,
         .env = "ARGOCD_TLS_DATA_PATH",
         .fallback = "",
         .help = "Directory with one file of trusted certificates per host"},
        {.name = "ssh-path",
         .type = FLAG_STRING,
         .target = &s->ssh_dir,
         .env = "ARGOCD_SSH_DATA_PATH",
         .fallback = "",
         .help = "Directory with ssh_known_hosts"},
    };
    AUTO_ERR err = NULL;
    log_setup("text", "error", NULL);
    int r = flags_parse(flags, ARRAY_LEN(flags), argc, argv, NULL, usage, &err);
    if (r == 0)
        r = run(s, &err);
    if (r < 0)
        print_error(err);
    flags_dispose(flags, ARRAY_LEN(flags));
    return r < 0 || fflush(stdout) != 0 ? FAILED : 0;
}
