/* cargocd-render: what `cargocd render` becomes. Prints what the repository server would render. */
#include "common/base/file.h"
#include "common/base/flag.h"
#include "common/base/log.h"
#include "common/base/thread.h"
#include "common/yaml/yaml.h"
#include "repo-server/child.h"
#include "repo-server/offline.h"

#include <stdio.h>

enum { APP_MAX = 16 << 20, OWN_FLAGS = 11, FAILED = 20 }; /* Argo CD's exit status of a failed command */

struct settings {
    char *file, *local, *revision, *kube_version, *output, *helm, *kustomize, *kubectl, *tls_dir, *ssh_dir;
    char **api_versions;
};

#define TEXT(n, field, fall, text)                                                                           \
    {                                                                                                        \
        .name = (n), .type = FLAG_STRING, .target = &s->field, .fallback = (fall), .help = (text)            \
    }

static const char usage[] = "cargocd render -f application.yaml [flags]";

/* Other objects may be in the file, but not a second Application: which is meant would be a guess. */
static int take_app(view_t text, json_t **app, err_t **err)
{
    AUTO_JSON doc = NULL;
    int r = yaml_read(text.p, text.n, &(struct yaml_options){.close_line = true}, &doc, err);
    if (r < 0 || !str_eq(json_str_at(doc, "kind"), "Application"))
        return r;
    if (*app)
        return err_set(err, ERR_INVALID_ARGUMENT, "there is more than one Application");
    *app = TAKE(doc);
    return 0;
}

static int read_app(const char *path, json_t **out, err_t **err)
{
    AUTO_STR text = STR_MAX(APP_MAX);
    bool input = strcmp(path, "-") == 0;
    int r = input ? fd_read_all(0, "standard input", &text, err) : file_read(path, &text, err);
    struct yaml_splitter split;
    view_t piece;
    yaml_split_init(&split, str_text(&text), text.len);
    while (r == 0 && yaml_split_next(&split, &piece))
        r = take_app(piece, out, err);
    if (r == 0)
        r = yaml_split_end(&split, err);
    if (r == 0 && !*out)
        r = err_set(err, ERR_INVALID_ARGUMENT, "there is no Application with a name");
    return r < 0 ? err_wrap(err, "read %s", input ? "standard input" : path) : 0;
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

static void own_flags(struct settings *s, struct flag out[OWN_FLAGS])
{
    const struct flag flags[OWN_FLAGS] = {
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
    memcpy(out, flags, sizeof(flags));
}

int main(int argc, char **argv)
{
    int role = repo_child_main(argc, argv);
    if (role >= 0)
        return role;
    process_setup();
    struct settings settings = {}, *s = &settings;
    struct flag flags[OWN_FLAGS];
    own_flags(s, flags);
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
