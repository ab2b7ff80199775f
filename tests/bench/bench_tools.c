/* Helm and Kustomize, cold: the program alone on a checkout against the repository server, which reads the
 * same commit from its object database, runs the same program confined, and answers over the wire. Both by
 * turns, medians of the times and of the differences of neighbours. Where the programs are not in PATH
 * nothing is measured. Usage: bench_tools DIRECTORY-OF-PROGRAMS */
#include "tests/bench/bench.h"
#include "tests/bench/repo.h"

#include <unistd.h>

enum { ROUNDS = 25, PARTS = 12, WARM = 2, MAX_ARGS = 16 };

/* A chart of PARTS templates that use values and named templates, with two charts in it. */
static void make_chart(void)
{
    fx_sh(
        "mkdir -p tools/chart/templates && cd tools/chart && printf 'apiVersion: v2\\nname: web\\nversion: "
        "1.0.0\\n' > Chart.yaml && printf 'image: nginx\\nreplicas: 2\\nenv: {A: b, C: d}\\n' > values.yaml "
        "&& "
        "printf '{{ define \"web.labels\" }}\\napp: {{ .Release.Name }}\\nchart: {{ .Chart.Name }}\\n{{ end "
        "}}' "
        "> templates/_helpers.tpl && i=0; while [ $i -lt %d ]; do printf 'apiVersion: apps/v1\\nkind: "
        "Deployment\\nmetadata:\\n  name: {{ .Release.Name }}-%%d\\n  labels: {{- include \"web.labels\" . | "
        "nindent 4 }}\\nspec:\\n  replicas: {{ .Values.replicas }}\\n  selector: {matchLabels: {app: w}}\\n  "
        "template:\\n    metadata: {labels: {app: w}}\\n    spec:\\n      containers:\\n      - name: c\\n   "
        "     "
        "image: {{ .Values.image }}\\n        env:\\n{{ range $k, $v := .Values.env }}        - {name: {{ $k "
        "}}, "
        "value: {{ $v }}}\\n{{ end }}' $i > templates/d-$i.yaml; i=$((i+1)); done; for c in a b; do mkdir -p "
        "charts/$c/templates; printf 'apiVersion: v2\\nname: %%s\\nversion: 1.0.0\\n' $c > "
        "charts/$c/Chart.yaml; "
        "printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: %%s}\\n' $c > "
        "charts/$c/templates/cm.yaml; "
        "done",
        PARTS);
}

/* An overlay with patches over a base of PARTS deployments. */
static void make_kustomization(void)
{
    fx_sh("mkdir -p tools/base tools/overlay && cd tools && printf 'resources:\\n' > "
          "base/kustomization.yaml; i=0; "
          "while [ $i -lt %d ]; do printf -- '- d-%%d.yaml\\n' $i >> base/kustomization.yaml; printf "
          "'apiVersion: "
          "apps/v1\\nkind: Deployment\\nmetadata: {name: d-%%d}\\nspec:\\n  selector: {matchLabels: {app: "
          "w}}\\n  "
          "template:\\n    metadata: {labels: {app: w}}\\n    spec: {containers: [{name: c, image: "
          "nginx}]}\\n' $i > "
          "base/d-$i.yaml; i=$((i+1)); done; printf 'resources: [../base]\\nnamePrefix: prod-\\nimages:\\n- "
          "{name: "
          "nginx, newTag: \"1.25\"}\\npatches:\\n- {path: patch.yaml}\\nconfigMapGenerator:\\n- {name: cm, "
          "literals: "
          "[a=b]}\\n' > overlay/kustomization.yaml; printf 'apiVersion: apps/v1\\nkind: "
          "Deployment\\nmetadata: {name: "
          "d-0}\\nspec: {replicas: 3}\\n' > overlay/patch.yaml",
          PARTS);
}

struct subject {
    const char *name, *path, *tool;
    const char *args[MAX_ARGS]; /* of the program alone */
    size_t manifests;
};

/* As Argo CD starts it: in the checkout, with a home of its own. */
static double alone(const struct subject *s)
{
    AUTO_ERR err = NULL;
    AUTO_STR out = STR_MAX(64 << 20);
    AUTO(free_p) char *cwd = xasprintf("%s/tools/%s", fx_dir(), s->path);
    AUTO(free_p) char *path = xasprintf("PATH=%s", getenv("PATH"));
    AUTO(free_p) char *home = xasprintf("HOME=%s/home", fx_dir());
    char *env[] = {path, home, NULL}, *argv[MAX_ARGS + 1] = {};
    for (size_t i = 0; i < MAX_ARGS && s->args[i]; i++)
        argv[i] = (char *)s->args[i];
    struct proc_result result;
    fx_sh("rm -rf home && mkdir home");
    mono_t begun = mono_now();
    check(proc_run(&(struct proc_spec){.argv = argv, .env = env, .cwd = cwd, .timeout_ns = SECONDS(60)}, &out,
                   NULL, &result, &err),
          err);
    double ms = (double)(mono_now().ns - begun.ns) / 1e6;
    if (result.exit_status != 0 || !out.len)
        check(err_set(&err, ERR_INTERNAL, "%s ended with %d", s->name, result.exit_status), err);
    return ms;
}

static double served(struct daemon *d, const struct subject *s)
{
    static unsigned round;
    struct ask a;
    size_t n = 0;
    AUTO_ERR err = NULL;
    AUTO(free_p) char *name = xasprintf("%s-%u", s->tool, round++); /* not known to the cache */
    ask_init(&a, "tools", s->path, name);
    a.q.no_cache = true;
    double ms = ask_once(d, &a, &n);
    if (n != s->manifests)
        check(err_set(&err, ERR_INTERNAL, "%s: %zu manifests", s->name, n), err);
    return ms;
}

static void measure(struct daemon *d, const struct subject *s)
{
    double own[ROUNDS], ours[ROUNDS], more[ROUNDS];
    if (!fx_can_run(s->tool)) {
        fprintf(stderr, "%s: skipped, %s is not in PATH\n", s->name, s->tool);
        return;
    }
    for (int i = -WARM; i < ROUNDS; i++) {
        size_t at = i < 0 ? 0 : (size_t)i;
        own[at] = alone(s);
        ours[at] = served(d, s);
        more[at] = ours[at] - own[at];
    }
    AUTO(free_p) char *by_itself = xasprintf("%s-alone", s->name);
    AUTO(free_p) char *cold = xasprintf("%s-cold", s->name);
    AUTO(free_p) char *overhead = xasprintf("%s-cold-more-than-alone", s->name);
    bench_print(by_itself, bench_median(own, ROUNDS), "ms", 0);
    bench_print(cold, bench_median(ours, ROUNDS), "ms", 0);
    bench_print(overhead, bench_median(more, ROUNDS), "ms", 10);
}

static bool has_kustomize(void)
{
    AUTO(free_p) char *found = fx_out("PATH=%s; command -v kustomize || true", getenv("PATH"));
    return *found;
}

int main(int argc, char **argv)
{
    int role = repo_child_main(argc, argv);
    if (role >= 0)
        return role;
    const struct subject helm = {
        "render-helm",
        "chart",
        "helm",
        {"helm", "template", ".", "--name-template", "helm", "--namespace", "prod", "--include-crds"},
        PARTS + 2};
    struct subject kustomize = {
        "render-kustomize", "overlay", "kustomize", {"kubectl", "kustomize", "."}, PARTS + 1};
    struct daemon d = {};
    process_setup();
    rpc_setup();
    fx_begin(NULL);
    fx_repo("tools");
    make_chart();
    make_kustomization();
    fx_commit("tools", "one");
    if (has_kustomize())
        memcpy(kustomize.args, (const char *[]){"kustomize", "build"}, 2 * sizeof(char *));
    daemon_start(&d, argc > 1 ? argv[1] : "build/bin");
    measure(&d, &helm);
    measure(&d, &kustomize);
    daemon_stop(&d);
    fx_end(NULL);
    return 0;
}
