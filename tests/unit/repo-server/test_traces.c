/* Stale-proof: after a rendering by each renderer, every input is changed in turn and its trace must no
 * longer hold, and every thing that is no input and it must. */
#include "tests/unit/repo-server/fixture/render.h"

struct change {
    const char *script; /* in the application's repository; NULL: the request changes */
    const char *request;
    bool holds;
};

struct subject {
    const char *name, *needs, *setup, *request;
    const struct change *changes;
    size_t n;
};

#define CM(name) "apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: " name "}\\n"

static const struct change directory_changes[] = {
    {"true", NULL, true},
    {"printf '" CM("other") "' > other.yaml", NULL, true},
    {"echo x > app/README.md", NULL, true},
    {"printf '" CM("x") "' > app/excluded.yaml", NULL, true},
    {"mkdir app/sub/empty && touch app/sub/empty/.keep", NULL, false}, /* a directory to look into */
    {"printf '" CM("a2") "' > app/a.yaml", NULL, false},
    {"printf '" CM("n") "' > app/new.yaml", NULL, false},
    {"printf '" CM("n") "' > app/sub/new.json", NULL, false},
    {"rm app/sub/b.yaml", NULL, false},
    {"printf '{}' > app/.argocd-source.yaml", NULL, false},
    {"printf '{}' > app/.argocd-source-demo.yaml", NULL, false},
    {"printf '{}' > app/.argocd-source-else.yaml", NULL, false}, /* a YAML file like any other */
    {"printf 'name: x' > app/Chart.yaml", NULL, false},
    {"touch app/Kustomization", NULL, true}, /* the type is explicit and the name no manifest's */
    {"printf '" CM("l2") "' > shared/l.yaml", NULL, false},
    {"ln -sfn ../shared/l2.yaml app/link.yaml", NULL, false},
    {"rm shared/l.yaml", NULL, false},
    {"echo x > shared/unrelated", NULL, true},
    {"rm -r app && echo x > app", NULL, false},
    {NULL,
     "{\"source\":{\"path\":\"app\",\"directory\":{\"recurse\":true}},\"appName\":\"demo\",\"kubeVersion\":"
     "\"1.99\"}",
     true},
};

static const struct change chart_changes[] = {
    {"true", NULL, true},
    {"echo x > elsewhere", NULL, true},
    {"echo x > chart/README.md", NULL, true},
    {"echo 'a: 9' > chart/values-unused.yaml", NULL, true},
    {"echo x > env/other.txt", NULL, true},
    {"echo 'a: 9' > chart/values.yaml", NULL, false},
    {"echo 'a: 9' > chart/v1.yaml", NULL, false},
    {"echo 'a: 9' > env/a.yaml", NULL, false},
    {"echo 'a: 9' > env/new.yaml", NULL, false},
    {"rm env/b.yaml", NULL, false},
    {"echo 'a: 9' > chart/optional.yaml", NULL, false},
    {"echo hello > chart/file.txt", NULL, false},
    {"printf '" CM("n") "' > chart/templates/new.yaml", NULL, false},
    {"echo x >> chart/templates/_helpers.tpl", NULL, false},
    {"rm chart/templates/cm.yaml", NULL, false},
    {"mkdir chart/crds && printf '" CM("c") "' > chart/crds/c.yaml", NULL, false},
    {"printf '{}' > chart/values.schema.json", NULL, false},
    {"echo templates/x > chart/.helmignore", NULL, false},
    {"echo '# x' >> chart/Chart.yaml", NULL, false},
    {"echo '# x' >> chart/charts/sub/templates/cm.yaml", NULL, false},
    {"printf 'helm: {}' > chart/.argocd-source.yaml", NULL, false},
    {"touch chart/kustomization.yaml", NULL, true}, /* the type is explicit */
    {NULL, "KUBE 1.30.0 example.org/v1", false},
    {NULL, "KUBE 1.29.0 example.org/v1 other.org/v1", true}, /* a new kind that no template asks for */
    {NULL, "KUBE 1.29.0 other.org/v1", false},
    {NULL, "KUBE 1.29.0 example.org/v1 wanted.org/v1/Kind", false},
    {NULL, "NAMESPACE", true}, /* not by the trace: it is part of the specification */
};

static const struct change plain_chart_changes[] = {
    {"echo x > chart/README.md", NULL, true},
    {NULL, "KUBE 1.30.0 other.org/v1", true},
    {"echo '{{ .Files.Get \"README.md\" }}' >> chart/templates/cm.yaml", NULL, false},
};

static const struct change files_chart_changes[] = {
    {"echo x > elsewhere", NULL, true},
    {"echo x > chart/conf/x.conf", NULL, false},
    {"echo x > chart/anything", NULL, false},
};

static const struct change kustomize_changes[] = {
    {"true", NULL, true},
    {"echo x > elsewhere", NULL, true},
    {"printf '" CM("x") "' > overlay/unlisted.yaml", NULL, true},
    {"echo x > base/README.md", NULL, true},
    {"echo '# x' >> overlay/kustomization.yaml", NULL, false},
    {"echo '# x' >> base/kustomization.yaml", NULL, false},
    {"printf '" CM("base2") "' > base/cm.yaml", NULL, false},
    {"echo y > overlay/conf.txt", NULL, false},
    {"echo B=2 > overlay/e.env", NULL, false},
    {"echo '# x' >> overlay/patch.yaml", NULL, false},
    {"echo '# x' >> comp/kustomization.yaml", NULL, false},
    {"echo '# x' >> overlay/own-patch.yaml", NULL, false},
    {"rm overlay/conf.txt", NULL, false},
    {"cp base/kustomization.yaml base/Kustomization", NULL, false}, /* two of them are an error */
    {"mkdir missing && touch missing/kustomization.yaml", NULL, false},
    {NULL, "KUBE 1.30.0 other.org/v1", true},
};

static const struct change jsonnet_changes[] = {
    {"true", NULL, true},
    {"echo x > app/README.md", NULL, true},
    {"echo '\"x\"' > lib/unused.libsonnet", NULL, true},
    {"echo '\"x\"' > app/unused.libsonnet", NULL,
     true}, /* not one of the extensions, and nobody imports it */
    {"echo '{a: 2}' > lib/util.libsonnet", NULL, false},
    {"echo '{a: 2}' > app/util.libsonnet", NULL, false},  /* found before the library's */
    {"echo '{a: 2}' > late/util.libsonnet", NULL, false}, /* so is a later library's */
    {"echo text > app/raw.txt", NULL, false},
    {"rm app/raw.txt", NULL, false},
    {"echo '# x' >> app/main.jsonnet", NULL, false},
    {"echo '[]' > app/new.jsonnet", NULL, false},
    {NULL, "KUBE 1.30.0 other.org/v1", true},
};

/* What uses the revision holds for no other commit. */
static const struct change revision_changes[] = {
    {"true", NULL, false},
    {"echo x > elsewhere", NULL, false},
};

static const struct change environment_changes[] = {
    {"echo x > elsewhere", NULL, true},
    {"echo ARGOCD_APP_REVISION > app/e.env", NULL, false},
};

static const struct subject subjects[] = {
    {"jsonnet", NULL,
     "mkdir -p app lib late && echo raw > app/raw.txt && echo '{a: 1}' > lib/util.libsonnet && "
     "echo '{apiVersion: \"v1\", kind: \"ConfigMap\", metadata: {name: \"x\"}, data: (import "
     "\"util.libsonnet\") + "
     "{raw: importstr \"raw.txt\", v: std.extVar(\"v\")}}' > app/main.jsonnet && touch late/.keep",
     "{\"source\":{\"path\":\"app\",\"directory\":{\"jsonnet\":{\"libs\":[\"lib\",\"late\"],\"extVars\":[{"
     "\"name\":\"v\","
     "\"value\":\"$ARGOCD_APP_NAME\"}]}}},\"appName\":\"demo\"}",
     jsonnet_changes, ARRAY_LEN(jsonnet_changes)},
    {"jsonnet-revision", NULL,
     "mkdir app && echo '{apiVersion: \"v1\", kind: \"ConfigMap\", metadata: {name: std.extVar(\"v\")}}' > "
     "app/x.jsonnet",
     "{\"source\":{\"path\":\"app\",\"directory\":{\"jsonnet\":{\"extVars\":[{\"name\":\"v\",\"value\":\"a$"
     "ARGOCD_APP_"
     "REVISION\"}]}}},\"appName\":\"demo\"}",
     revision_changes, ARRAY_LEN(revision_changes)},
    {"chart-revision", "helm",
     "mkdir -p app/templates && printf 'apiVersion: v2\\nname: c\\nversion: 1.0.0\\n' > app/Chart.yaml && "
     "printf '" CM("{{ .Values.r }}") "' > app/templates/x.yaml",
     "{\"source\":{\"path\":\"app\",\"helm\":{\"parameters\":[{\"name\":\"r\",\"value\":\"r${ARGOCD_APP_"
     "REVISION_SHORT}\"}]}},"
     "\"appName\":\"demo\"}",
     revision_changes, ARRAY_LEN(revision_changes)},
    {"kustomize-environment", "kustomize",
     "mkdir app && echo ARGOCD_APP_NAME > app/e.env && printf 'configMapGenerator: [{name: g, envs: "
     "[e.env]}]\\n' > "
     "app/kustomization.yaml",
     "{\"source\":{\"path\":\"app\"},\"appName\":\"demo\"}", environment_changes,
     ARRAY_LEN(environment_changes)},

    {"directory", NULL,
     "mkdir -p app/sub shared && printf '" CM("a") "' > app/a.yaml && printf '" CM(
         "b") "' > app/sub/b.yaml && printf '" CM("l") "' > shared/l.yaml && cp shared/l.yaml shared/l2.yaml "
                                                       "&& ln -s ../shared/l.yaml app/link.yaml",
     "{\"source\":{\"path\":\"app\",\"directory\":{\"recurse\":true,\"exclude\":\"excluded*\"}},\"appName\":"
     "\"demo\"}",
     directory_changes, ARRAY_LEN(directory_changes)},
    {"chart", "helm",
     "mkdir -p chart/templates chart/charts/sub/templates env && printf 'apiVersion: v2\\nname: c\\nversion: "
     "1.0.0\\n' > "
     "chart/Chart.yaml && printf 'apiVersion: v2\\nname: sub\\nversion: 1.0.0\\n' > "
     "chart/charts/sub/Chart.yaml && printf '" CM(
         "sub") "' > chart/charts/sub/templates/cm.yaml && echo 'a: 1' > chart/values.yaml && echo 'a: 2' > "
                "chart/v1.yaml && "
                "echo 'b: 1' > env/a.yaml && echo 'c: 1' > env/b.yaml && echo file > chart/file.txt && echo "
                "'{{/* x */}}' > "
                "chart/templates/_helpers.tpl && printf '" CM(
                    "m") "data:\\n  k: {{ .Capabilities.KubeVersion.Version }}\\n  h: {{ "
                         ".Capabilities.APIVersions.Has \"example.org/v1\" | quote }}\\n  w: {{ "
                         ".Capabilities.APIVersions.Has "
                         "\"wanted.org/v1/Kind\" | quote }}\\n' > chart/templates/cm.yaml",
     "{\"source\":{\"path\":\"chart\",\"helm\":{\"valueFiles\":[\"v1.yaml\",\"/env/"
     "*.yaml\",\"optional.yaml\"],"
     "\"ignoreMissingValueFiles\":true,\"fileParameters\":[{\"name\":\"f\",\"path\":\"file.txt\"}],"
     "\"parameters\":[{\"name\":"
     "\"p\",\"value\":\"$ARGOCD_APP_NAME\"}]}},\"appName\":\"demo\",\"kubeVersion\":\"1.29.0\","
     "\"apiVersions\":[\"example.org/v1\"]}",
     chart_changes, ARRAY_LEN(chart_changes)},
    {"plain-chart", "helm",
     "mkdir -p chart/templates && printf 'apiVersion: v2\\nname: c\\nversion: 1.0.0\\n' > chart/Chart.yaml "
     "&& printf '" CM("m") "' > chart/templates/cm.yaml",
     "{\"source\":{\"path\":\"chart\"},\"appName\":\"demo\",\"kubeVersion\":\"1.29.0\",\"apiVersions\":["
     "\"example.org/v1\"]}",
     plain_chart_changes, ARRAY_LEN(plain_chart_changes)},
    {"files-chart", "helm",
     "mkdir -p chart/templates chart/conf && printf 'apiVersion: v2\\nname: c\\nversion: 1.0.0\\n' > "
     "chart/Chart.yaml && echo y > "
     "chart/conf/x.conf && printf '" CM(
         "m") "data:\\n{{ (.Files.Glob \"conf/*\").AsConfig | indent 2 }}\\n' > chart/templates/cm.yaml",
     "{\"source\":{\"path\":\"chart\"},\"appName\":\"demo\"}", files_chart_changes,
     ARRAY_LEN(files_chart_changes)},
    {"kustomize", "kustomize",
     "mkdir -p base overlay comp && printf '" CM(
         "base") "' > base/cm.yaml && printf 'resources: [cm.yaml]\\n' > "
                 "base/kustomization.yaml && echo x > overlay/conf.txt && echo A=1 > overlay/e.env && printf "
                 "'" CM("base") "data: {p: q}\\n' > overlay/patch.yaml && printf '" CM(
                     "base") "data: {o: w}\\n' > overlay/own-patch.yaml && "
                             "printf 'apiVersion: kustomize.config.k8s.io/v1alpha1\\nkind: "
                             "Component\\nnamespace: c\\n' > comp/kustomization.yaml && "
                             "printf 'resources: [../base]\\npatches: [{path: "
                             "patch.yaml}]\\nconfigMapGenerator:\\n- {name: g, files: [conf.txt], envs: "
                             "[e.env]}\\n' > overlay/kustomization.yaml",
     "{\"source\":{\"path\":\"overlay\",\"kustomize\":{\"namePrefix\":\"p-\",\"components\":[\"../"
     "comp\",\"../missing\"],"
     "\"ignoreMissingComponents\":true,\"patches\":[{\"path\":\"own-patch.yaml\"}]}},\"appName\":\"demo\"}",
     kustomize_changes, ARRAY_LEN(kustomize_changes)},
};

static bool can_run(const struct subject *s)
{
    if (!s->needs || fx_can_run(s->needs))
        return true;
    print_message("%s: skipped: %s is not installed\n", s->name, s->needs);
    return false;
}

/* "KUBE version api api…" or "NAMESPACE" work on a copy of the request; anything else is the request. */
static json_t *changed_request(const json_t *request, const char *how)
{
    AUTO_ERR err = NULL;
    json_t *r = json_copy_deep(request);
    if (!how)
        return r;
    if (strcmp(how, "NAMESPACE") == 0) {
        json_set_str(r, "namespace", "another");
        return r;
    }
    const char *kube = str_after(how, "KUBE ");
    if (!kube) {
        json_decref(r);
        ASSERT_OK(json_read_str(how, &r, &err));
        return r;
    }
    AUTO(strv_free_p) char **v = strv_split(kube, " ", true);
    json_t *apis = json_array();
    json_set_str(r, "kubeVersion", v[0]);
    for (size_t i = 1; v[i]; i++)
        json_array_append_new(apis, json_str_new(v[i]));
    json_object_set_new(r, "apiVersions", apis);
    return r;
}

static size_t try_change(struct fx_clone *clone, const struct subject *s, const char *base,
                         const json_t *request, const str_t *trace, const struct change *c)
{
    fx_sh("cd %s && git checkout -q -f -B try %s && git clean -fdxq && %s", s->name, base,
          c->script ? c->script : "true");
    fx_sh("cd %s && git push -q -f origin %s:refs/heads/try", s->name, base);
    AUTO_JSON now = changed_request(request, c->request);
    if (fx_holds(clone, fx_commit(s->name, "try"), now, trace) == c->holds)
        return 0;
    print_error("%s: after '%s' the trace should %shold\n", s->name, c->script ? c->script : c->request,
                c->holds ? "" : "not ");
    return 1;
}

static size_t try_subject(const struct subject *s)
{
    struct fx_clone clone;
    struct render_output out = {};
    AUTO_ERR err = NULL;
    AUTO_JSON request = NULL;
    AUTO(trace_free_p) trace_t *trace = trace_new();
    AUTO_STR encoded = STR_INIT;
    size_t failed = 0;
    fx_repo(s->name);
    fx_sh("cd %s && %s", s->name, s->setup);
    AUTO(free_p) char *base = xstrdup(fx_commit(s->name, "base"));
    fx_clone_open(&clone, s->name);
    ASSERT_OK(json_read_str(s->request, &request, &err));
    ASSERT_OK(fx_render(&clone, base, request, trace, &out, &err));
    assert_true(out.manifests.n > 0);
    render_output_dispose(&out);
    trace_encode(trace, &encoded);
    for (size_t i = 0; i < s->n; i++)
        failed += try_change(&clone, s, base, request, &encoded, &s->changes[i]);
    fx_clone_close(&clone);
    return failed;
}

static void every_input_counts_and_nothing_else(void **state)
{
    size_t failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
        if (can_run(&subjects[i]))
            failed += try_subject(&subjects[i]);
    assert_int_equal(failed, 0);
}

REPO_TESTS(fx_begin, fx_end, T(every_input_counts_and_nothing_else))
