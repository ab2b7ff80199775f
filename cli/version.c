#include "cli/version.h"

#include "cli/print.h"

#include <sys/utsname.h>

static json_t *own_version(bool is_short, const char *program)
{
    struct utsname u;
    json_t *v = json_object();
    if (is_short) {
        json_set_str(v, program, "v" CARGOCD_VERSION);
        return v;
    }
    json_set_str(v, "Version", "v" CARGOCD_VERSION);
    json_set_str(v, "Compiler", "gcc " __VERSION__);
    if (uname(&u) == 0) {
        const char *machine = !strcmp(u.machine, "x86_64")    ? "amd64"
                              : !strcmp(u.machine, "aarch64") ? "arm64"
                                                              : u.machine;
        AUTO(free_p) char *platform = xasprintf("linux/%s", machine);
        json_set_str(v, "Platform", platform);
    }
    return v;
}

/* What a version message may have, in the order that argocd prints it in. */
static const char *const version_fields[][2] = {
    {"BuildDate", "BuildDate"},
    {"GitCommit", "GitCommit"},
    {"GitTreeState", "GitTreeState"},
    {"GitTag", "GitTag"},
    {"GoVersion", "GoVersion"},
    {"Compiler", "Compiler"},
    {"Platform", "Platform"},
    {"ExtraBuildInfo", "ExtraBuildInfo"},
    {"KustomizeVersion", "Kustomize Version"},
    {"HelmVersion", "Helm Version"},
    {"KubectlVersion", "Kubectl Version"},
    {"JsonnetVersion", "Jsonnet Version"},
};

static void print_version(const char *name, const json_t *v, bool is_short)
{
    printf_out("%s: %s\n", name, str_or_empty(json_str_at(v, "Version")));
    for (size_t i = 0; i < ARRAY_LEN(version_fields) && !is_short; i++) {
        const char *value = json_str_at(v, version_fields[i][0]);
        if (!str_empty(value))
            printf_out("  %s: %s\n", version_fields[i][1], value);
    }
}

int version_print(const struct run *r, const json_t *server)
{
    const char *format = args_text(r->args, "output");
    bool is_short = args_bool(r->args, "short") || str_eq(format, "short");
    if (!*format || str_eq(format, "wide") || str_eq(format, "short")) {
        AUTO_JSON own = own_version(false, r->program);
        print_version(r->program, own, is_short);
        if (server)
            print_version("argocd-server", server, is_short);
        return 0;
    }
    AUTO_JSON v = json_object();
    json_object_set_new(v, "client", own_version(is_short, r->program));
    if (server && is_short)
        json_put_at(v, json_str_new(str_or_empty(json_str_at(server, "Version"))), "server", "argocd-server");
    else if (server)
        json_object_set_new(v, "server", json_copy_deep(server));
    return print_document(v, format) ? 0 : fail_with(1, "unknown output format: %s", format);
}
