/* Helm charts, through the helm program.
 *
 * The chart's directory is exported as a whole; what of it matters is noted apart: the members of a chart
 * that helm itself reads, and everything only when some template reads files (".Files"). The capabilities
 * that texts ask for become facts (capabilities.c). helm runs without a network unless values are remote or
 * dependencies are to be fetched. */
#include "common/base/file.h"
#include "repo-server/helm/helm.h"
#include "common/yaml/yaml.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

static void on_file(void *arg, const char *path, const char *p, size_t n)
{
    capabilities_scan(arg, path, p, n);
}

int helm_take_chart(struct helm *h, const char *path, err_t **err)
{
    bool before = tree_pause(h->in->tree, true);
    int r = export_path(&h->src, *path ? path : ".", err);
    tree_pause(h->in->tree, before);
    VEC_PUSH(&h->charts, xstrdup(path));
    return r;
}

static int note_chart(const struct helm *h, const char *path, err_t **err)
{
    static const char *const members[] = {
        "Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json", ".helmignore",
        "templates",  "crds",       "charts",      "requirements.yaml",  "requirements.lock"};
    if (h->caps.files)
        return tree_whole(h->in->tree, path, err);
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(members); i++) {
        AUTO(free_p) char *member = path_join(path, members[i]);
        r = tree_whole(h->in->tree, member, err);
    }
    return r;
}

/* ---- arguments ---- */

static int check_version(const json_t *spec, err_t **err)
{
    const char *version = str_or_empty(json_str_at(spec, "version"));
    if (*version && strcmp(version, "v3") != 0 && strcmp(version, "v4") != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "helm version '%s' is not supported", version);
    return 0;
}

/* The part after the namespace of an instance name, unless the source gives a name. */
static const char *release_name(const struct helm *h)
{
    const char *given = json_str_at(h->spec, "releaseName");
    if (!str_empty(given))
        return given;
    const char *name = str_or_empty(h->in->app_name), *underscore = strchr(name, '_');
    return underscore ? underscore + 1 : name;
}

/* "v1.30.2+k3s1" to "1.30.2". The caller's; "" when there is no version. */
static char *plain_version(const char *text)
{
    const char *p = *text == 'v' ? text + 1 : text;
    size_t n = strspn(p, "0123456789.");
    return xstrndup(p, n);
}

static void add_versions(struct helm *h, words_t *args)
{
    const char *own = json_str_at(h->spec, "kubeVersion");
    AUTO(free_p) char *version = plain_version(str_or_empty(str_empty(own) ? h->in->kube_version : own));
    if (*version) {
        words_add(args, "--kube-version");
        words_add(args, version);
    }
}

static void add_api_versions(struct helm *h, words_t *args)
{
    const json_t *own = json_object_get(h->spec, "apiVersions");
    for (size_t i = 0; i < json_array_size(own); i++) {
        words_add(args, "--api-versions");
        words_add(args, str_or_empty(json_string_value(json_array_get(own, i))));
    }
    for (size_t i = 0; !json_array_size(own) && h->in->api_versions && h->in->api_versions[i]; i++) {
        words_add(args, "--api-versions");
        words_add(args, h->in->api_versions[i]);
    }
}

/* Helm takes commas for separators, so they are escaped, unless they are already or the value is a list in
 * braces. */
static char *escape_commas(const char *value)
{
    size_t n = strlen(value);
    if (n >= 2 && value[0] == '{' && value[n - 1] == '}')
        return xstrdup(value);
    AUTO_STR s = STR_INIT;
    for (size_t i = 0; i < n; i++) {
        if (value[i] == ',' && (i == 0 || value[i - 1] != '\\'))
            str_putc(&s, '\\');
        str_putc(&s, value[i]);
    }
    return str_take(&s);
}

/* The last parameter of a name wins, in the place of the first. */
static void add_parameters(struct helm *h, bool strings, words_t *args)
{
    const json_t *list = json_object_get(h->spec, "parameters");
    map_t values = MAP_INIT(free);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *p = json_array_get(list, i);
        if (json_bool_at(p, "forceString") != strings)
            continue;
        AUTO(free_p)
        char *value = build_env_subst(h->in->env, str_or_empty(json_str_at(p, "value")), h->in->trace);
        map_put(&values, str_or_empty(json_str_at(p, "name")), escape_commas(value));
    }
    MAP_FOREACH(&values, e) {
        words_add(args, strings ? "--set-string" : "--set");
        words_addf(args, "%s=%s", e->key, (char *)e->value);
    }
    map_dispose(&values);
}

static int add_file_parameters(struct helm *h, words_t *args, err_t **err)
{
    const json_t *list = json_object_get(h->spec, "fileParameters");
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        const json_t *p = json_array_get(list, i);
        AUTO(free_p) char *path = NULL;
        r = helm_file_parameter(h, str_or_empty(json_str_at(p, "path")), &path, err);
        if (r == 0) {
            words_add(args, "--set-file");
            words_addf(args, "%s=%s", str_or_empty(json_str_at(p, "name")), path);
        }
    }
    return r;
}

/* valuesObject, else values, as a file of its own. */
static int add_inline_values(struct helm *h, words_t *args, err_t **err)
{
    const json_t *object = json_object_get(h->spec, "valuesObject");
    const char *text = json_str_at(h->spec, "values");
    AUTO_STR yaml = STR_INIT;
    if (json_is_map(object))
        yaml_write(object, &yaml);
    else
        str_puts(&yaml, str_or_empty(text));
    if (!yaml.len)
        return 0;
    AUTO(free_p) char *path = xasprintf("%s/values.yaml", h->work.home);
    capabilities_scan(&h->caps, "values.yaml", yaml.p, yaml.len);
    int r = file_write(path, yaml.p, yaml.len, 0600, err);
    words_add(args, "--values");
    words_add(args, path);
    return r;
}

static int add_values(struct helm *h, words_t *args, bool *remote, err_t **err)
{
    words_t files = {};
    int r = helm_value_files(h, &files, err);
    VEC_FOREACH(&files, f) {
        *remote = *remote || **f != '/';
        words_add(args, "--values");
        words_add(args, *f);
    }
    words_free(&files);
    return r == 0 ? add_inline_values(h, args, err) : r;
}

static int build_args(struct helm *h, words_t *args, bool *remote, err_t **err)
{
    const char *ns = json_str_at(h->spec, "namespace");
    ns = str_empty(ns) ? str_or_empty(h->in->namespace) : ns;
    words_add(args, "template");
    words_add(args, ".");
    words_add(args, "--name-template");
    words_add(args, release_name(h));
    if (*ns) {
        words_add(args, "--namespace");
        words_add(args, ns);
    }
    add_versions(h, args);
    add_parameters(h, false, args);
    add_parameters(h, true, args);
    int r = add_file_parameters(h, args, err);
    if (r == 0)
        r = add_values(h, args, remote, err);
    add_api_versions(h, args);
    if (!json_bool_at(h->spec, "skipCrds"))
        words_add(args, "--include-crds");
    if (json_bool_at(h->spec, "skipSchemaValidation"))
        words_add(args, "--skip-schema-validation");
    if (json_bool_at(h->spec, "skipTests"))
        words_add(args, "--skip-tests");
    return r;
}

/* ---- running ---- */

/* helm takes one file of authorities for all hosts. */
static int write_authorities(const struct helm *h, const char *path, err_t **err)
{
    const char *own = getenv("SSL_CERT_FILE");
    AUTO_STR all = STR_INIT;
    str_add(&all, h->authorities.p, h->authorities.len);
    if (own)
        file_read(own, &all, NULL);
    return file_write(path, str_text(&all), all.len, 0600, err);
}

int helm_run(struct helm *h, const words_t *args, bool network, const char *input, str_t *out, str_t *errs,
             err_t **err)
{
    static const char *const homes[] = {"XDG_CACHE_HOME",  "XDG_CONFIG_HOME",  "XDG_DATA_HOME",
                                        "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"};
    words_t env = {};
    bool private = network && h->authorities.len;
    AUTO(free_p) char *ca = xasprintf("%s/authorities.pem", h->work.home);
    int r = private ? write_authorities(h, ca, err) : 0;
    if (r < 0)
        return r;
    AUTO(free_p) char *cwd = xasprintf("%s/%s", h->work.src, h->plan->path);
    for (size_t i = 0; i < ARRAY_LEN(homes); i++)
        words_addf(&env, "%s=%s", homes[i], h->work.home);
    if (network && !str_empty(h->in->proxy)) {
        words_addf(&env, "http_proxy=%s", h->in->proxy);
        words_addf(&env, "https_proxy=%s", h->in->proxy);
        words_addf(&env, "no_proxy=%s", str_or_empty(h->in->no_proxy));
    }
    struct tool_run run = {
        .ca_file = private ? ca : NULL,
        .own_proxy = !str_empty(h->in->proxy),
        .work = &h->work,
        .program = h->program,
        .name = "helm",
        .args = args,
        .env = &env,
        .cwd = cwd,
        .network = network,
        .input = input,
        .deadline = h->in->deadline,
        .canceled = h->in->canceled,
    };
    VEC_PUSH(&h->out->commands, tools_describe(&run));
    r = tools_run(h->in->settings->tools, &run, out, errs, err);
    words_free(&env);
    return r;
}

static bool has_api(const struct render_input *in, const char *name)
{
    return in->api_versions && strv_contains(in->api_versions, name);
}

/* What the cluster's capabilities contributed, unless the source sets its own. */
static void note_capabilities(struct helm *h)
{
    trace_t *t = h->in->trace;
    if (!t)
        return;
    if (h->caps.kube_version && str_empty(json_str_at(h->spec, "kubeVersion")))
        trace_fact(t, FACT_KUBE_VERSION, "", h->in->kube_version);
    if (json_array_size(json_object_get(h->spec, "apiVersions")))
        return;
    if (h->caps.all_apis) {
        AUTO(free_p) char *all = h->in->api_versions ? strv_join(h->in->api_versions, ",") : NULL;
        trace_fact(t, FACT_API_VERSIONS, "", all);
    }
    MAP_FOREACH(&h->caps.apis, e)
        trace_fact(t, FACT_API_VERSION, e->key, has_api(h->in, e->key) ? "true" : "false");
}

static int template(struct helm *h, str_t *out, err_t **err)
{
    words_t args = {};
    bool remote = false;
    AUTO_STR errs = STR_INIT;
    int r = build_args(h, &args, &remote, err);
    if (r == 0)
        r = helm_run(h, &args, remote, NULL, out, &errs, err);
    if (r == -ERR_UNKNOWN && helm_misses_dependencies(str_text(&errs))) {
        if (err)
            err_clear(err);
        str_reset(out);
        r = helm_build_dependencies(h, err);
        if (r == 0)
            r = helm_run(h, &args, remote, NULL, out, NULL, err);
    }
    if (r == 0 && remote)
        r = render_note_remote(h->in, true, err);
    note_capabilities(h);
    for (size_t i = 0; r == 0 && i < h->charts.n; i++)
        r = note_chart(h, h->charts.v[i], err);
    words_free(&args);
    return r;
}

static int prepare(struct helm *h, err_t **err)
{
    AUTO(free_p) char *version = NULL;
    int r = check_version(h->spec, err);
    if (r == 0)
        r = tools_find(h->in->settings->tools, TOOL_HELM, NULL, &h->program, &version, err);
    if (r < 0)
        return r;
    if (h->in->trace)
        trace_fact(h->in->trace, FACT_TOOL, "helm", version);
    r = workdir_make(h->in->settings->tools, &h->work, err);
    if (r == 0)
        r = export_open(&h->src, h->in->tree, h->work.src, err);
    h->src.on_file = on_file;
    h->src.arg = &h->caps;
    for (size_t i = 0; r == 0 && i < h->in->nrefs; i++) {
        AUTO(free_p) char *dir = xasprintf("%s/ref-%zu", h->work.dir, i);
        struct export *e = VEC_ADD(&h->refs);
        *e = (struct export){.fd = -1};
        VEC_PUSH(&h->ref_of, &h->in->refs[i]);
        r = dir_make(dir, 0700, err);
        if (r == 0)
            r = export_open(e, h->in->refs[i].tree, dir, err);
        e->on_file = on_file;
        e->arg = &h->caps;
    }
    return r;
}

int helm_render(const struct render_input *in, const struct render_plan *plan, rendered_objects_t *objects,
                struct render_output *out, err_t **err)
{
    struct helm h = {
        .in = in, .plan = plan, .spec = json_object_get(plan->source, "helm"), .out = out, .src = {.fd = -1}};
    AUTO_STR text = STR_INIT;
    int r = prepare(&h, err);
    if (r == 0)
        r = helm_take_chart(&h, plan->path, err);
    if (r == 0)
        r = template(&h, &text, err);
    if (r == 0)
        r = parse_stream(str_text(&text), text.len, "helm template", objects, err);
    export_close(&h.src);
    VEC_FOREACH(&h.refs, e)
        export_close(e);
    VEC_FREE(&h.refs);
    VEC_FREE(&h.ref_of);
    VEC_FOREACH(&h.charts, c)
        free(*c);
    VEC_FREE(&h.charts);
    words_free(&h.asked);
    str_dispose(&h.authorities);
    capabilities_dispose(&h.caps);
    workdir_remove(in->settings->tools, &h.work);
    free(h.program);
    return r;
}
