/* Both ends of a config management plugin: the repository server over its wire, and the sidecar's service on
 * a socket of its own. */
#include "cmp-server/service.h"
#include "common/base/file.h"
#include "repo-server/plugin/plugin.h"
#include "tests/unit/repo-server/fixture/server.h"

#include <nng/nng.h>
#include <unistd.h>

static struct fx_server server;

/* A sidecar with this plugin.yaml. */
struct sidecar {
    struct plugin_config config;
    struct service service;
    grpc_server_t *server;
    char *work;
};

static void sidecar_start(struct sidecar *s, const char *yaml)
{
    AUTO_ERR err = NULL;
    static int n;
    AUTO(free_p) char *file = xasprintf("cfg-%d/plugin.yaml", ++n);
    AUTO(free_p) char *dir = xasprintf("%s/cfg-%d", fx_dir(), n);
    AUTO(free_p) char *sockets = xasprintf("%s/plugins", fx_dir());
    fx_write(file, yaml);
    fx_sh("mkdir -p plugins cmp-work-%d", n);
    s->work = xasprintf("%s/cmp-work-%d", fx_dir(), n);
    ASSERT_OK(plugin_config_read(dir, &s->config, &err));
    s->service = (struct service){.config = &s->config, .work = s->work};
    AUTO(free_p) char *socket = plugin_config_socket(&s->config, sockets);
    struct grpc_server_options options = {.socket_path = socket,
                                          .methods = service_methods,
                                          .nmethods = service_method_count,
                                          .ctx = &s->service};
    ASSERT_OK(grpc_server_start(&options, &s->server, &err));
}

static void sidecar_stop(struct sidecar *s)
{
    grpc_server_free(s->server);
    plugin_config_dispose(&s->config);
    free(s->work);
}

static char *exclusions[] = {(char *)"big/*", (char *)"app/*.skip", NULL};

static int setup(void **state)
{
    static char plugins[512];
    fx_begin(state);
    rpc_setup();
    fx_sh("mkdir -p plugins");
    snprintf(plugins, sizeof(plugins), "%s/plugins", fx_dir());
    server.options = fx_server_options();
    server.options.plugin_dir = plugins;
    server.options.plugin_exclusions = exclusions;
    fx_server_start(&server, "server");
    return 0;
}

static int teardown(void **state)
{
    fx_server_stop(&server);
    nng_fini();
    return fx_end(state);
}

#define HEAD   "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\n"
#define OBJECT "apiVersion: v1, kind: ConfigMap, metadata: {name: made}"

static char *make_repo(const char *name)
{
    fx_repo(name);
    AUTO(free_p) char *file = xasprintf("%s/app/input.txt", name);
    AUTO(free_p) char *other = xasprintf("%s/shared/lib.txt", name);
    fx_write(file, "in");
    fx_write(other, "lib");
    fx_sh("cd %s && mkdir -p big && head -c 200000 /dev/urandom > big/blob && echo x > app/no.skip && "
          "printf '#!/bin/sh\\n' > app/run && chmod 755 app/run && ln -s ../shared/lib.txt app/link",
          name);
    fx_commit(name, "one");
    return fx_file_url(name);
}

/* ---- cases ---- */

static void a_named_plugin_renders(void **state)
{
    struct sidecar s;
    sidecar_start(
        &s,
        HEAD "metadata: {name: demo}\nspec:\n  version: v1.0\n  init: {command: [sh, -c, 'echo made > "
             "init.out']}\n"
             "  generate: {command: [sh, -c], args: ['echo \"{" OBJECT
             ", data: {init: $(cat init.out), link: $(cat link), env: "
             "\\\"$ARGOCD_ENV_WHO\\\", app: $ARGOCD_APP_NAME, p: $PARAM_IMAGE_TAG, l: $PARAM_LIST_1, m: "
             "$PARAM_MAP_A_B, "
             "k: $KUBE_VERSION, big: \\\"$(ls ../big)\\\", skip: \\\"$(ls *.skip 2>/dev/null)\\\"}}\"; echo "
             "---; echo null']}\n");
    AUTO(free_p) char *url = make_repo("named");
    struct fx_ask a;
    fx_request_t *q = fx_ask(&a, url,
                             "{\"path\":\"app\",\"plugin\":{\"name\":\"demo-v1.0\","
                             "\"env\":[{\"name\":\"WHO\",\"value\":\"$ARGOCD_APP_NAME on ${KUBE_VERSION} "
                             "$ARGOCD_ENV_WHO$$\"}],"
                             "\"parameters\":[{\"name\":\"image.tag\",\"string\":\"v7\"},"
                             "{\"name\":\"list\",\"array\":[\"x\",\"z\"]},{\"name\":\"map\",\"map\":{\"a-b\":"
                             "\"mm\"}}]}}");
    q->kube_version = (char *)"1.33.0";
    fx_expect(&server, q,
              "\"data\":{\"app\":\"demo\",\"big\":\"\",\"env\":\"demo on 1.33.0 $\",\"init\":\"made\",\"k\":"
              "\"1.33.0\",\"l\":\"z\",\"link\":\"lib\",\"m\":\"mm\",\"p\":\"v7\",\"skip\":\"\"}");
    AUTO(free_p) char *left = fx_out("ls -A %s | wc -l", s.work);
    assert_string_equal(left, "0");
    sidecar_stop(&s);
    fx_sh("cd named && echo more > app/input.txt");
    fx_commit("named", "two");
    struct fx_ask b;
    q = fx_ask(&b, url, "{\"path\":\"app\",\"plugin\":{\"name\":\"demo-v1.0\"}}");
    q->no_revision_cache = true;
    fx_refused(&server, q, ERR_FAILED_PRECONDITION,
               "could not find cmp-server plugin with name \"demo-v1.0\" supporting the given repository");
}

/* Modes of files are kept on demand; the cluster's interfaces and all parameters are variables. */
static void modes_and_variables(void **state)
{
    AUTO(free_p) char *url = make_repo("modes");
    for (int keep = 0; keep < 2; keep++) {
        struct sidecar s;
        struct fx_ask a;
        AUTO(free_p)
        char *yaml = xasprintf(
            HEAD "metadata: {name: modes%d}\nspec:\n  preserveFileMode: %s\n  generate: {command: [sh, -c], "
                 "args: ['echo \"{" OBJECT ", data: {run: \\\"$(test -x run && echo yes)\\\", apis: "
                 "\\\"$KUBE_API_VERSIONS\\\", sum: \\\"$(echo \"$ARGOCD_APP_PARAMETERS\" | sha256sum | cut "
                 "-c1-6)\\\"}}\"']}\n",
            keep, keep ? "true" : "false");
        sidecar_start(&s, yaml);
        AUTO(free_p)
        char *source = xasprintf(
            "{\"path\":\"app\",\"plugin\":{\"name\":\"modes%d\",\"parameters\":[{\"name\":\"a\","
            "\"string\":\"b\"}]}}",
            keep);
        fx_request_t *q = fx_ask(&a, url, source);
        char *apis[] = {(char *)"apps/v1", (char *)"v1"};
        q->api_versions = apis;
        q->n_api_versions = 2;
        AUTO(free_p) char *sum = fx_out("echo '[{\"name\":\"a\",\"string\":\"b\"}]' | sha256sum | cut -c1-6");
        AUTO(free_p)
        char *expected = xasprintf("\"data\":{\"apis\":\"apps/v1,v1\",\"run\":\"%s\",\"sum\":\"%s\"}",
                                   keep ? "yes" : "", sum);
        fx_expect(&server, q, expected);
        sidecar_stop(&s);
    }
}

/* All files are left out of the archive. */
static void nothing_to_send(void **state)
{
    struct sidecar s;
    struct fx_ask a;
    sidecar_start(&s,
                  HEAD "metadata: {name: nothing}\nspec:\n  generate: {command: [echo, '{" OBJECT "}']}\n");
    fx_repo("empty");
    fx_sh("mkdir -p empty/big && echo x > empty/big/x && mkdir empty/app && echo x > empty/app/y.skip");
    fx_commit("empty", "one");
    AUTO(free_p) char *url = fx_file_url("empty");
    fx_refused(&server, fx_ask(&a, url, "{\"path\":\"app\",\"plugin\":{\"name\":\"nothing\"}}"),
               ERR_FAILED_PRECONDITION, "no files to send");
    sidecar_stop(&s);
}

static void discovery_decides(void **state)
{
    AUTO(free_p) char *url = make_repo("found");
    static const struct {
        const char *discover, *type;
    } cases[] = {
        {"fileName: input.txt", "Plugin"},
        {"fileName: '*.txt'", "Plugin"},
        {"fileName: nothing.txt", "Directory"},
        {"fileName: 'sub/*.txt'", "Directory"},
        {"find: {glob: '**/input.txt'}", "Plugin"},
        {"find: {glob: '**/{a,input}.txt'}", "Plugin"},
        {"find: {glob: 'x/**/input.txt'}", "Directory"},
        {"find: {command: [sh, -c, 'ls input.txt']}", "Plugin"},
        {"find: {command: [sh, -c, 'true']}", "Directory"},
        {"find: {command: [sh, -c, 'echo found; exit 3']}", "Directory"},
        {"find: {command: [sh, -c, 'test \"$ARGOCD_APP_NAME\" = demo && echo yes']}", "Plugin"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sidecar s;
        AUTO(free_p)
        char *yaml = xasprintf(HEAD
                               "metadata: {name: finder%zu}\nspec:\n  discover: {%s}\n  generate: {command: "
                               "[echo, '{" OBJECT "}']}\n",
                               i, cases[i].discover);
        sidecar_start(&s, yaml);
        struct fx_ask a;
        fx_response_t *r = NULL;
        AUTO_ERR err = NULL;
        ASSERT_OK(fx_generate(&server, fx_ask(&a, url, "{\"path\":\"app\"}"), &r, &err));
        if (strcmp(r->source_type, cases[i].type) != 0)
            fail_msg("%s: %s instead of %s", cases[i].discover, r->source_type, cases[i].type);
        FX_FREE(r);
        /* By its name only where discovery says yes. */
        AUTO(free_p) char *source = xasprintf("{\"path\":\"app\",\"plugin\":{\"name\":\"finder%zu\"}}", i);
        int e = fx_generate(&server, fx_ask(&a, url, source), &r, &err);
        assert_int_equal(e == 0, strcmp(cases[i].type, "Plugin") == 0);
        if (e == 0)
            FX_FREE(r);
        sidecar_stop(&s);
    }
    struct fx_ask a;
    fx_refused(&server, fx_ask(&a, url, "{\"path\":\"app\",\"plugin\":{}}"), ERR_FAILED_PRECONDITION,
               "could not find plugin supporting the given repository");
    fx_refused(&server, fx_ask(&a, url, "{\"path\":\"app\",\"plugin\":{\"name\":\"../x\"}}"),
               ERR_FAILED_PRECONDITION, "could not find cmp-server plugin with name \"../x\"");
}

/* A plugin that finds the repository its own is the only application there. */
static void applications_are_listed(void **state)
{
    static const struct {
        const char *file, *expected;
    } cases[] = {{"app.txt", ".=Plugin "}, {"other.txt", ".=Helm sub=Kustomize "}};
    struct sidecar s;
    sidecar_start(&s, HEAD
                  "metadata: {name: lister}\nspec:\n  discover: {fileName: app.txt}\n  generate: {command: "
                  "[echo, '{" OBJECT "}']}\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_STR apps = STR_INIT;
        AUTO(free_p) char *name = xasprintf("listed%zu", i);
        fx_repo(name);
        /* The last name of a directory decides; one of a directory does not count. */
        fx_sh("cd %s && mkdir -p sub sub/Chart.yaml && touch %s Kustomization MyChart.yaml sub/Chart.yaml/x "
              "sub/kustomization.yml",
              name, cases[i].file);
        fx_commit(name, "one");
        AUTO(free_p) char *url = fx_file_url(name);
        Cargocd__Repo__Repository repo = CARGOCD__REPO__REPOSITORY__INIT;
        Cargocd__Repo__ListAppsRequest q = CARGOCD__REPO__LIST_APPS_REQUEST__INIT;
        Cargocd__Repo__ListAppsResponse *r = NULL;
        repo.url = url;
        q.repo = &repo;
        ASSERT_OK(FX_CALL(&server, "repo.ListApps", q, list_apps_response, &r, &err));
        for (size_t k = 0; k < r->n_apps; k++)
            str_printf(&apps, "%s=%s ", r->apps[k]->key, r->apps[k]->value);
        assert_string_equal(str_text(&apps), cases[i].expected);
        FX_FREE(r);
    }
    sidecar_stop(&s);
}

static void failures_are_told(void **state)
{
    AUTO(free_p) char *url = make_repo("failing");
    static const struct {
        const char *command;
        enum err_code code;
        const char *text;
    } cases[] = {
        {"[sh, -c, 'echo out; echo broken >&2; exit 7']", ERR_UNKNOWN, "failed exit status 7: broken"},
        {"[sh, -c, 'kill -9 $$']", ERR_UNKNOWN, "failed"},
        {"[no-such-program]", ERR_UNKNOWN, "no-such-program"},
        {"[echo, 'kind: [']", ERR_FAILED_PRECONDITION, "failed to unmarshal manifest"},
        {"[sh, -c, 'yes \"{a: b}\" | head -c 200000000']", ERR_RESOURCE_EXHAUSTED, "output"},
        {"[echo, 'a: b']", ERR_FAILED_PRECONDITION, "Object 'Kind' is missing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sidecar s;
        struct fx_ask a;
        AUTO_ERR err = NULL;
        fx_response_t *r = NULL;
        AUTO(free_p)
        char *yaml = xasprintf(HEAD "metadata: {name: bad%zu}\nspec:\n  generate: {command: %s}\n", i,
                               cases[i].command);
        AUTO(free_p) char *source = xasprintf("{\"path\":\"app\",\"plugin\":{\"name\":\"bad%zu\"}}", i);
        sidecar_start(&s, yaml);
        int e = fx_generate(&server, fx_ask(&a, url, source), &r, &err);
        if (e >= 0 || !strstr(err_text(err), cases[i].text))
            fail_msg("%s: '%s' instead of '%s'", cases[i].command, err_text(err), cases[i].text);
        if (strstr(err_text(err), s.work))
            fail_msg("%s", err_text(err));
        sidecar_stop(&s);
    }
}

static void what_is_excluded_is_not_sent(void **state)
{
    struct sidecar s;
    struct fx_ask a;
    sidecar_start(&s, HEAD "metadata: {name: none}\nspec:\n  generate: {command: [echo, '{" OBJECT "}']}\n");
    AUTO(free_p) char *url = make_repo("excluded");
    char *kept = exclusions[0];
    exclusions[0] = (char *)"*";
    fx_refused(&server, fx_ask(&a, url, "{\"path\":\"app\",\"plugin\":{\"name\":\"none\"}}"),
               ERR_FAILED_PRECONDITION, "no files to send");
    exclusions[0] = kept;
    sidecar_stop(&s);
}

/* The caller's deadline reaches the command, and what it has started ends with it. */
static void hanging_commands_end(void **state)
{
    AUTO(free_p) char *url = make_repo("hanging");
    struct sidecar s;
    AUTO(free_p)
    char *yaml = xasprintf(HEAD
                           "metadata: {name: hang}\nspec:\n  generate: {command: [sh, -c, 'sleep 61 & echo "
                           "$! > %s/child; sleep 62']}\n",
                           fx_dir());
    sidecar_start(&s, yaml);
    struct fx_ask a;
    AUTO_ERR err = NULL;
    fx_response_t *r = NULL;
    const fx_request_t *q = fx_ask(&a, url, "{\"path\":\"app\",\"plugin\":{\"name\":\"hang\"}}");
    mono_t begun = mono_now();
    int e = rpc_do(server.client, "repo.GenerateManifest", &q->base,
                   &cargocd__repo__generate_manifest_response__descriptor, SECONDS(2), NULL,
                   (ProtobufCMessage **)&r, &err);
    assert_int_equal(e, -ERR_DEADLINE_EXCEEDED);
    assert_true(mono_now().ns - begun.ns < SECONDS(10));
    for (int i = 0; i < 100; i++) {
        AUTO(free_p) char *alive = fx_out("kill -0 $(cat child) 2>/dev/null && echo yes || echo no");
        if (strcmp(alive, "no") == 0)
            break;
        sleep_ns(MILLIS(100));
        assert_true(i < 99);
    }
    sidecar_stop(&s);
}

static void parameters_are_announced(void **state)
{
    AUTO(free_p) char *url = make_repo("announcing");
    struct sidecar s;
    sidecar_start(&s, HEAD
                  "metadata: {name: tell}\nspec:\n  generate: {command: [echo]}\n  parameters:\n    static:\n"
                  "    - {name: one, title: One, tooltip: tip, required: true, itemType: number, "
                  "collectionType: map, map: {k: v}}\n"
                  "    dynamic: {command: [sh, -c, 'echo \"[{\\\"name\\\":\\\"two\\\",\\\"array\\\":"
                  "[\\\"$ARGOCD_APP_NAME\\\"]}]\"']}\n");
    const char *source = "{\"path\":\"app\",\"plugin\":{\"name\":\"tell\"}}";
    struct fx_ask a;
    fx_ask(&a, url, source);
    Cargocd__Repo__AppDetailsRequest q = CARGOCD__REPO__APP_DETAILS_REQUEST__INIT;
    Cargocd__Repo__AppDetailsResponse *r = NULL;
    AUTO_ERR err = NULL;
    q.repo = &a.repo;
    q.app_name = (char *)"demo";
    q.source = a.q.source;
    ASSERT_OK(FX_CALL(&server, "repo.AppDetails", q, app_details_response, &r, &err));
    AUTO(free_p) char *text = xstrndup((const char *)r->details.data, r->details.len);
    FX_FREE(r);
    assert_string_equal(text,
                        "{\"plugin\":{\"parametersAnnouncement\":[{\"array\":[\"demo\"],\"name\":\"two\"},"
                        "{\"collectionType\":\"map\",\"itemType\":\"number\",\"map\":{\"k\":\"v\"},"
                        "\"name\":\"one\",\"required\":true,\"title\":\"One\",\"tooltip\":\"tip\"}]},"
                        "\"type\":\"Plugin\"}");
    Cargocd__Repo__ListPluginsRequest lq = CARGOCD__REPO__LIST_PLUGINS_REQUEST__INIT;
    Cargocd__Repo__ListPluginsResponse *lr = NULL;
    ASSERT_OK(FX_CALL(&server, "repo.ListPlugins", lq, list_plugins_response, &lr, &err));
    assert_int_equal(lr->n_names, 1);
    assert_string_equal(lr->names[0], "tell");
    FX_FREE(lr);
    sidecar_stop(&s);
}

/* Nothing of a credential, and nothing of our own environment, is to be seen by a plugin. */
static void plugins_see_no_credentials(void **state)
{
    const char *base = fx_http(FX_BASIC);
    if (!base)
        skip();
    free(make_repo("private"));
    AUTO(free_p) char *url = xasprintf("%s/private.git", base);
    struct sidecar s;
    sidecar_start(&s,
                  HEAD "metadata: {name: env}\nspec:\n  generate: {command: [sh, -c, 'echo \"{" OBJECT
                       ", data: {found: \\\"$(env | grep -c s[3]cret; cat /proc/*/cmdline 2>/dev/null | tr "
                       "\"\\0\" \" \" | grep -c s[3]cret; grep -rc s[3]cret ../ | grep -v \":0\" | "
                       "wc -l)\\\"}}\"']}\n");
    struct fx_ask a;
    fx_request_t *q = fx_ask(&a, url, "{\"path\":\"app\",\"plugin\":{\"name\":\"env\"}}");
    a.repo.username = (char *)"user";
    a.repo.password = (char *)"s3cret";
    fx_expect(&server, q, "\"data\":{\"found\":\"0 0 0\"}");
    sidecar_stop(&s);
}

/* The other way round: Argo CD's own sidecar, when ARGOCD_CMP_SERVER says where it is. */
static void a_foreign_sidecar_renders(void **state)
{
    const char *program = getenv("ARGOCD_CMP_SERVER");
    if (str_empty(program))
        skip();
    AUTO(free_p) char *url = make_repo("foreign");
    fx_write("foreign-cfg/plugin.yaml",
             HEAD "metadata: {name: theirs}\nspec:\n  discover: {find: {glob: '**/input.txt'}}\n"
                  "  parameters: {static: [{name: one, array: [a]}]}\n"
                  "  generate: {command: [sh, -c, 'echo \"{" OBJECT
                  ", data: {app: $ARGOCD_APP_NAME, link: $(cat link)}}\"']}\n");
    AUTO(free_p)
    char *pid = fx_out(
        "ARGOCD_PLUGINSOCKFILEPATH=$PWD/plugins ARGOCD_CMP_WORKDIR=$PWD setsid %s --config-dir-path "
        "foreign-cfg >foreign.log 2>&1 & echo $!; i=0; until [ -S plugins/theirs.sock ] || [ $i = "
        "100 ]; do sleep 0.1; i=$((i+1)); done",
        program);
    struct fx_ask a;
    fx_expect(&server, fx_ask(&a, url, "{\"path\":\"app\"}"), "\"data\":{\"app\":\"demo\",\"link\":\"lib\"}");
    fx_expect(&server, fx_ask(&a, url, "{\"path\":\"app\",\"plugin\":{\"name\":\"theirs\"}}"), "made");
    Cargocd__Repo__AppDetailsRequest q = CARGOCD__REPO__APP_DETAILS_REQUEST__INIT;
    Cargocd__Repo__AppDetailsResponse *r = NULL;
    AUTO_ERR err = NULL;
    q.repo = &a.repo;
    q.source = a.q.source;
    ASSERT_OK(FX_CALL(&server, "repo.AppDetails", q, app_details_response, &r, &err));
    AUTO(free_p) char *text = xstrndup((const char *)r->details.data, r->details.len);
    FX_FREE(r);
    assert_non_null(strstr(text, "{\"array\":[\"a\"],\"name\":\"one\"}"));
    fx_sh("kill %s; rm -f plugins/theirs.sock", pid);
}

static void annotated_paths(void **state)
{
    static const struct {
        const char *annotation, *path, *root, *file;
        bool match;
    } cases[] = {
        {".", "apps/a", "apps/a", "apps/a/x.yaml", true},
        {".", "apps/a", "apps/a", "apps/ab/x.yaml", false},
        {".;../shared", "apps/a", "apps", "apps/shared/y", true},
        {"/shared", "apps/a", "", "shared/y", true},
        {"/apps/shared", "apps/a", "apps", "shared/y", false},
        {"/apps/b/*.yaml", "apps/a", "apps", "apps/b/x.yaml", true},
        {"/apps/b/*.yaml", "apps/a", "apps", "apps/b/c/x.yaml", false},
        {" ; . ;", "apps/a", "apps/a", "apps/a", true},
        {"/", "apps/a", "", "anything", true},
        {"../../..", "apps/a", "", "anything", false},
        {".", "", "", "anything", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(strv_free_p) char **paths = generate_paths_of(cases[i].annotation, cases[i].path);
        AUTO(free_p) char *root = generate_paths_root(paths, cases[i].path);
        if (strcmp(root, cases[i].root) != 0 || generate_paths_match(paths, cases[i].file) != cases[i].match)
            fail_msg("%s of %s: root '%s', %s", cases[i].annotation, cases[i].path, root, cases[i].file);
    }
}

REPO_TESTS(setup, teardown, T(a_named_plugin_renders), T(modes_and_variables), T(nothing_to_send),
           T(discovery_decides), T(applications_are_listed), T(failures_are_told),
           T(what_is_excluded_is_not_sent), T(hanging_commands_end), T(parameters_are_announced),
           T(plugins_see_no_credentials), T(a_foreign_sidecar_renders), T(annotated_paths))
