#include "repo-server/render.h"
#include "repo-server/plugin/plugin.h"

#include <stdio.h>

static const struct renderer renderers[] = {
    {"Directory", false, directory_render},
    {"Helm", true, helm_render},
    {"Kustomize", true, kustomize_render},
    {"Plugin", true, plugin_render},
};

void render_plan_dispose(struct render_plan *p)
{
    json_decref(p->source);
    free(p->path);
    *p = (struct render_plan){};
}

int render_plan(const struct render_input *in, struct render_plan *out, err_t **err)
{
    struct render_plan p = {};
    const char *type = NULL;
    int r = source_app_path(in->tree, in->source, &p.path, err);
    if (r == 0)
        r = source_overridden(in, p.path, &p.source, err);
    if (r == 0)
        r = source_type(in, p.source, p.path, &type, err);
    if (r < 0) {
        render_plan_dispose(&p);
        return r;
    }
    for (size_t i = 0; i < ARRAY_LEN(renderers); i++)
        if (str_eq(renderers[i].type, type))
            p.renderer = &renderers[i];
    *out = p;
    return 0;
}

const char *render_plan_type(const struct render_plan *p)
{
    return p->renderer->type;
}

bool render_plan_forks(const struct render_plan *p)
{
    return p->renderer->forks;
}

int render_note_remote(const struct render_input *in, bool pinned, err_t **err)
{
    int64_t ttl = in->settings->remote_ttl_ns ? in->settings->remote_ttl_ns : SECONDS(24 * 3600);
    char until[32];
    snprintf(until, sizeof(until), "%lld", (long long)((wall_now().ns + ttl) / NS_PER_SEC));
    if (in->trace)
        trace_fact(in->trace, FACT_EXPIRES, "", until);
    return pinned ? 0 : tree_whole(in->tree, "", err);
}

char *render_option(const struct render_input *in, const char *name)
{
    AUTO_STR text = STR_INIT;
    if (str_eq(name, "kustomize")) {
        str_printf(&text, "%s\n", str_or_empty(in->kustomize_build_options));
        for (size_t i = 0; i < in->nkustomize_versions; i++)
            str_printf(&text, "%s=%s\n", in->kustomize_versions[i].name, in->kustomize_versions[i].path);
    } else if (str_eq(name, "valueSchemes")) {
        for (size_t i = 0; in->value_schemes && in->value_schemes[i]; i++)
            str_printf(&text, "%s\n", in->value_schemes[i]);
    }
    return str_take(&text);
}

void render_note_option(const struct render_input *in, const char *name)
{
    AUTO(free_p) char *value = in->trace ? render_option(in, name) : NULL;
    if (in->trace)
        trace_fact(in->trace, FACT_OPTION, name, value);
}

int render_run(const struct render_input *in, const struct render_plan *plan, struct render_output *out,
               err_t **err)
{
    rendered_objects_t objects = {};
    out->type = plan->renderer->type;
    int r = plan->renderer->render(in, plan, &objects, out, err);
    if (r == 0)
        r = manifests_finish(in, &objects, out, err);
    rendered_objects_dispose(&objects);
    return r;
}
