/* Kustomizations, through kustomize or kubectl, whichever is there.
 *
 * Only what the kustomization can reach is exported (closure.c), and each of these files is noted in the
 * trace as it is read. The source's fields are worked into the exported kustomization file (edit.c). */
#include "repo-server/kustomize/kustomize.h"
#include "common/base/file.h"
#include "common/base/semver.h"
#include "common/yaml/yaml.h"
#include "repo-server/kustomize/git_access.h"

#include <ctype.h>
#include <stdio.h>

enum { FILE_MAX = 16 << 20, ENV_NAMES = 16 };

struct run {
    const struct render_input *in;
    const struct render_plan *plan;
    const json_t *spec; /* source.kustomize; may be NULL */
    struct render_output *out;
    struct workdir work;
    struct export src;
    char *program, *helm, *version, *script;
    bool kubectl;
    char **options; /* build options, by words */
    bool env[ENV_NAMES];
    struct closure closure;
};

static int find_program(struct run *r, err_t **err)
{
    const struct render_input *in = r->in;
    const char *wanted = json_str_at(r->spec, "version"), *path = NULL;
    AUTO_ERR why = NULL;
    for (size_t i = 0; i < in->nkustomize_versions; i++)
        if (str_eq(in->kustomize_versions[i].name, wanted))
            path = in->kustomize_versions[i].path;
    if (!str_empty(wanted) && !path)
        return err_set(err, ERR_INVALID_ARGUMENT, "kustomize version %s is not registered", wanted);
    int e = tools_find(in->settings->tools, TOOL_KUSTOMIZE, path, &r->program, &r->version, &why);
    if (e == -ERR_FAILED_PRECONDITION && !path) {
        AUTO_ERR none = NULL;
        e = tools_find(in->settings->tools, TOOL_KUBECTL, NULL, &r->program, &r->version, &none);
        r->kubectl = e == 0;
    }
    if (e < 0)
        return path ? err_move(err, TAKE(why))
                    : err_set(err, ERR_FAILED_PRECONDITION, "%s, and neither is kubectl", err_text(why));
    if (in->trace)
        trace_fact(in->trace, FACT_TOOL, path ? path : "kustomize", r->version);
    return 0;
}

/* Whether the program's version ("v5.7.1", "{kustomize/v4.5.7 …}", kubectl's lines) is at least that. One
 * that tells none counts as new. */
static bool is_at_least(const char *said, const char *wanted)
{
    const char *own = strstr(str_or_empty(said), "Kustomize Version:");
    const char *p = own ? own : str_or_empty(said);
    semver_t have, want;
    while (*p && !(*p == 'v' && isdigit((unsigned char)p[1])))
        p++;
    AUTO(free_p) char *text = xstrndup(p, strcspn(p, " ,}\n"));
    return !*text || !semver_parse(text, &have) || !semver_parse(wanted, &want) ||
           semver_compare(&have, &want) >= 0;
}

static bool has_option(const struct run *r, const char *name)
{
    for (size_t i = 0; r->options[i]; i++) {
        const char *after = str_after(r->options[i], name);
        if (after && (!*after || *after == '='))
            return true;
    }
    return false;
}

/* The exported kustomization file with the source's fields. */
static int edit(struct run *r, err_t **err)
{
    AUTO(free_p) char *file = NULL;
    AUTO_STR text = STR_MAX(FILE_MAX);
    AUTO_STR edited = STR_INIT;
    AUTO_JSON doc = NULL;
    struct tree_place place = {};
    words_t commands = {};
    if (json_array_size(json_object_get(r->spec, "components")) && !is_at_least(r->version, "3.7.0"))
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "kustomize components require kustomize v3.7.0 and above");
    int e = kustomization_has_edits(r->spec) ? kustomization_file(r->in->tree, r->plan->path, &file, err) : 0;
    if (e < 0 || !file)
        return e;
    e = tree_read(r->in->tree, file, &text, err);
    if (e == 0)
        e = yaml_read(str_text(&text), text.len, NULL, &doc, err);
    if (e < 0)
        return err_wrap(err, "read %s", file);
    if (!json_is_map(doc))
        return 0; /* kustomize says what is wrong with it */
    e = kustomization_edit(doc, r->spec, r->in, r->plan->path, &commands, err);
    VEC_FOREACH(&commands, c)
        VEC_PUSH(&r->out->commands, *c);
    VEC_FREE(&commands);
    yaml_write(doc, &edited);
    if (e == 0)
        e = tree_look(r->in->tree, file, true, &place, err);
    if (e == 0)
        e = export_put(&r->src, place.path, edited.p, edited.len, err);
    tree_place_dispose(&place);
    return e;
}

/* What the source's own patches and components name is part of the closure too. */
static int reach_edits(struct run *r, err_t **err)
{
    const json_t *patches = json_object_get(r->spec, "patches");
    words_t components = {};
    int e = component_paths(r->in, r->spec, r->plan->path, &components, err);
    for (size_t i = 0; e == 0 && i < json_array_size(patches); i++)
        e = closure_add(&r->closure, r->plan->path,
                        str_or_empty(json_str_at(json_array_get(patches, i), "path")), err);
    VEC_FOREACH(&components, c)
        if (e == 0)
            e = closure_add(&r->closure, r->plan->path, *c, err);
    words_free(&components);
    return e;
}

/* Plugins, functions and charts read what no field names: then all of the commit counts. */
static int bring(struct run *r, err_t **err)
{
    r->closure = (struct closure){.in = r->in, .out = &r->src, .env = r->env};
    int e = closure_of(&r->closure, r->plan->path, err);
    if (e == 0)
        e = reach_edits(r, err);
    bool opaque = has_option(r, "--enable-alpha-plugins") || has_option(r, "--enable-exec") ||
                  has_option(r, "--network");
    if (e == 0 && opaque)
        e = export_path(&r->src, ".", err);
    for (size_t i = 0; opaque && build_env_names[i]; i++)
        r->env[i] = true;
    map_dispose(&r->closure.seen);
    return e;
}

static void add_capabilities(struct run *r, words_t *args)
{
    const json_t *own = json_object_get(r->spec, "apiVersions");
    const char *version = json_str_at(r->spec, "kubeVersion");
    version = str_or_empty(str_empty(version) ? r->in->kube_version : version);
    version += *version == 'v';
    size_t n = strspn(version, "0123456789.");
    AUTO(free_p) char *all = r->in->api_versions ? strv_join(r->in->api_versions, ",") : NULL;
    if (n) {
        words_add(args, "--helm-kube-version");
        words_addf(args, "%.*s", (int)n, version);
    }
    for (size_t i = 0; i < json_array_size(own); i++) {
        words_add(args, "--helm-api-versions");
        words_add(args, str_or_empty(json_string_value(json_array_get(own, i))));
    }
    for (size_t i = 0; !json_array_size(own) && r->in->api_versions && r->in->api_versions[i]; i++) {
        words_add(args, "--helm-api-versions");
        words_add(args, r->in->api_versions[i]);
    }
    if (r->in->trace) {
        trace_fact(r->in->trace, FACT_KUBE_VERSION, "", r->in->kube_version);
        trace_fact(r->in->trace, FACT_API_VERSIONS, "", all);
    }
}

/* Kustomize up to 5.7 asks for the version of helm with an option that helm 4 no longer has, and only to
 * refuse helm 2. */
static int write_helm_script(struct run *r, const char *helm_version, err_t **err)
{
    const char *v = str_or_empty(helm_version);
    AUTO_STR text = STR_INIT;
    if (!str_has_prefix(v, "v") || strtol(v + 1, NULL, 10) < 4 || is_at_least(r->version, "5.8.0"))
        return 0;
    if (strchr(r->helm, '\''))
        return err_set(err, ERR_INVALID_ARGUMENT, "the path of helm has a quote");
    r->script = xasprintf("%s/helm", r->work.home);
    str_printf(&text, "#!/bin/sh\n[ \"$1\" = version ] && echo v3.99.0 && exit\nexec '%s' \"$@\"\n", r->helm);
    return file_write(r->script, text.p, text.len, 0700, err);
}

/* kubectl puts a log line's head before what kustomize says; its time and process change with every run. */
static int without_log_head(int e, err_t **err)
{
    static const char mark[] = "\"command failed\" err=";
    if (!err || !*err || e != -ERR_UNKNOWN)
        return e;
    const char *all = err_text(*err), *at = strstr(all, mark), *head = at;
    while (head && head > all && head[-1] != '\n' && strncmp(head, " E", 2) != 0)
        head--;
    if (!at || strncmp(head, " E", 2) != 0)
        return e;
    /* The text follows in quotes, or indented between "<" and ">". */
    const char *said = at + sizeof(mark) - 1;
    bool quoted = *said == '"';
    AUTO_STR text = STR_INIT;
    str_printf(&text, "%.*s Error: ", (int)(head - all), all);
    said += quoted ? 1 : *said == '<' ? strspn(said + 1, "\n\t ") + 1 : 0;
    for (const char *p = said; *p && !(quoted && *p == '"'); p++) {
        p += quoted && *p == '\\' && p[1];
        str_putc(&text, *p);
    }
    if (!quoted && str_has_suffix(str_text(&text), "\n >"))
        str_truncate(&text, text.len - 3);
    while (text.len && isspace((unsigned char)text.p[text.len - 1]))
        str_truncate(&text, text.len - 1);
    return err_set(err, ERR_UNKNOWN, "%s", str_text(&text));
}

/* Charts are inflated by helm, for the cluster's capabilities. */
static int add_helm(struct run *r, words_t *args, err_t **err)
{
    AUTO(free_p) char *version = NULL;
    if (is_at_least(r->version, "5.3.0"))
        add_capabilities(r, args);
    if (!r->closure.helm)
        return 0;
    int e = tools_find(r->in->settings->tools, TOOL_HELM, NULL, &r->helm, &version, err);
    if (e == 0)
        e = write_helm_script(r, version, err);
    if (e < 0)
        return e;
    words_add(args, "--helm-command");
    words_add(args, r->script ? r->script : r->helm);
    if (r->in->trace)
        trace_fact(r->in->trace, FACT_TOOL, "helm", version);
    return 0;
}

static int build(struct run *r, str_t *text, err_t **err)
{
    words_t args = {}, env = {};
    AUTO(free_p) char *ca = NULL;
    bool inflate = has_option(r, "--enable-helm"),
         network = r->closure.remote || (inflate && r->closure.helm);
    int e = 0;
    words_add(&args, r->kubectl ? "kustomize" : "build");
    words_add(&args, *r->plan->path ? r->plan->path : ".");
    for (size_t i = 0; r->options[i]; i++)
        words_add(&args, r->options[i]);
    if (inflate)
        e = add_helm(r, &args, err);
    for (size_t i = 0; build_env_names[i]; i++) {
        AUTO(free_p) char *value = build_env_get(r->in->env, build_env_names[i]);
        words_addf(&env, "%s=%s", build_env_names[i], value);
        if (r->in->trace && r->env[i])
            trace_fact(r->in->trace, FACT_ENV, build_env_names[i], value);
    }
    if (e == 0 && r->closure.remote)
        e = git_access_write(r->in, &r->work, &r->closure.remotes, &env, &ca, err);
    if (network && !str_empty(r->in->proxy)) {
        words_addf(&env, "http_proxy=%s", r->in->proxy);
        words_addf(&env, "https_proxy=%s", r->in->proxy);
        words_addf(&env, "no_proxy=%s", str_or_empty(r->in->no_proxy));
    }
    struct tool_run run = {
        .ca_file = ca,
        .own_proxy = !str_empty(r->in->proxy),
        .work = &r->work,
        .program = r->program,
        .name = r->kubectl ? "kubectl" : "kustomize",
        .args = &args,
        .env = &env,
        .cwd = r->work.src,
        .also = r->helm,
        .script = r->script,
        .network = network,
        .deadline = r->in->deadline,
        .canceled = r->in->canceled,
    };
    VEC_PUSH(&r->out->commands, tools_describe(&run));
    if (e == 0)
        e = without_log_head(tools_run(r->in->settings->tools, &run, text, NULL, err), err);
    if (e == 0 && network && r->in->trace)
        trace_fact(r->in->trace, FACT_CREDENTIAL, "", r->in->access_key);
    if (e == 0 && network)
        e = render_note_remote(r->in, false, err);
    words_free(&args);
    words_free(&env);
    return e;
}

int kustomize_render(const struct render_input *in, const struct render_plan *plan,
                     rendered_objects_t *objects, struct render_output *out, err_t **err)
{
    struct run r = {.in = in,
                    .plan = plan,
                    .spec = json_object_get(plan->source, "kustomize"),
                    .out = out,
                    .src = {.fd = -1}};
    AUTO_STR text = STR_INIT;
    r.options = strv_split(str_or_empty(in->kustomize_build_options), " \t\n", true);
    render_note_option(in, "kustomize");
    int e = find_program(&r, err);
    if (e == 0)
        e = workdir_make(in->settings->tools, &r.work, err);
    if (e == 0)
        e = export_open(&r.src, in->tree, r.work.src, err);
    if (e == 0)
        e = bring(&r, err);
    if (e == 0)
        e = edit(&r, err);
    if (e == 0)
        e = build(&r, &text, err);
    if (e == 0)
        e = parse_stream(str_text(&text), text.len, "kustomize build", objects, err);
    export_close(&r.src);
    workdir_remove(in->settings->tools, &r.work);
    strv_free(r.options);
    free(r.program);
    free(r.helm);
    free(r.version);
    free(r.script);
    map_dispose(&r.closure.remotes);
    return e;
}
