/* What depends on the version that a kustomize tells: scripts in its place. */
#include "tests/unit/repo-server/fixture/render.h"

static struct fx_clone repo;
static char *commit;

static int setup(void **state)
{
    fx_begin(state);
    fx_repo("app");
    fx_write("app/kustomization.yaml", "resources: [cm.yaml]\n");
    fx_write("app/comp/kustomization.yaml", "kind: Component\n");
    fx_write("app/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    commit = xstrdup(fx_commit("app", "one"));
    fx_clone_open(&repo, "app");
    return 0;
}

static int teardown(void **state)
{
    fx_clone_close(&repo);
    free(commit);
    return fx_end(state);
}

/* Prints its arguments as a ConfigMap's data. */
static void install(const char *version)
{
    AUTO(free_p)
    char *script = xasprintf(
        "#!/bin/sh\n[ \"$1\" = version ] && echo '%s' && exit\nprintf 'apiVersion: v1\\nkind: "
        "ConfigMap\\nmetadata: {name: args}\\ndata: {args: \"%%s\"}\\n' \"$*\"\n",
        version);
    AUTO(free_p) char *path = xasprintf("%s/kustomize", fx_dir());
    fx_write("kustomize", script);
    fx_sh("chmod 755 kustomize");
    setenv("KUSTOMIZE", path, 1);
}

static void versions_decide(void **state)
{
    static const struct {
        const char *version, *kustomize, *options, *expected;
    } cases[] = {
        {"v3.6.1", "{\"components\":[\"comp\"]}", "",
         "!kustomize components require kustomize v3.7.0 and above"},
        {"{kustomize/v3.5.4  2020-01-11}", "{\"components\":[\"comp\"]}", "",
         "!kustomize components require"},
        {"v3.7.0", "{\"components\":[\"comp\"]}", "", "\"args\":\"build .\""},
        {"unknown", "{\"components\":[\"comp\"]}", "", "\"args\":\"build .\""},
        {"v5.2.1", "{}", "--enable-helm  --x", "\"args\":\"build . --enable-helm --x\""},
        {"v5.3.0", "{}", "--enable-helm",
         "--helm-kube-version 1.31.2 --helm-api-versions a/v1 --helm-api-versions b/v1"},
        {"v5.3.0", "{\"kubeVersion\":\"v1.20.1-gke.3\",\"apiVersions\":[\"own/v1\"]}", "--enable-helm",
         "--helm-kube-version 1.20.1 --helm-api-versions own/v1\""},
        {"v5.3.0", "{}", "", "\"args\":\"build .\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON request = NULL;
        struct render_output out = {};
        AUTO(free_p)
        char *text = xasprintf(
            "{\"source\":{\"path\":\".\",\"kustomize\":%s},\"appName\":\"demo\",\"buildOptions\":\"%s\","
            "\"kubeVersion\":\"v1.31.2+k3s1\",\"apiVersions\":[\"a/v1\",\"b/v1\"]}",
            cases[i].kustomize, cases[i].options);
        ASSERT_OK(json_read_str(text, &request, &err));
        install(cases[i].version);
        int r = fx_render(&repo, commit, request, NULL, &out, &err);
        const char *got = r < 0 ? err_text(err) : out.manifests.v[0], *want = cases[i].expected;
        if ((*want == '!') != (r < 0) || !strstr(got, want + (*want == '!')))
            fail_msg("%s %s: %s", cases[i].version, cases[i].kustomize, got);
        render_output_dispose(&out);
    }
}

REPO_TESTS(setup, teardown, T(versions_decide))
