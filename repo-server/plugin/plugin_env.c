#include "repo-server/plugin/plugin.h"

#include <ctype.h>

static void put(plugin_env_t *env, const char *name, const char *value)
{
    VEC_PUSH(env, xasprintf("%s=%s", name, value));
}

void plugin_env_build(const struct render_input *in, plugin_env_t *env)
{
    for (size_t i = 0; build_env_names[i]; i++) {
        AUTO(free_p) char *value = build_env_get(in->env, build_env_names[i]);
        put(env, build_env_names[i], str_or_empty(value));
        if (in->trace)
            trace_fact(in->trace, FACT_ENV, build_env_names[i], value);
    }
}

static void put_capabilities(const struct render_input *in, plugin_env_t *env)
{
    static char *const none[] = {NULL};
    AUTO(free_p) char *versions = strv_join(in->api_versions ? in->api_versions : none, ",");
    put(env, "KUBE_VERSION", str_or_empty(in->kube_version));
    put(env, "KUBE_API_VERSIONS", versions);
    if (in->trace) {
        trace_fact(in->trace, FACT_KUBE_VERSION, "", in->kube_version);
        trace_fact(in->trace, FACT_API_VERSIONS, "", versions);
    }
}

/* Substitution knows the build environment and the two variables of the cluster, not what users add. */
static char *subst(const struct render_input *in, const char *text)
{
    static char *const none[] = {NULL};
    AUTO_STR s = STR_INIT;
    for (const char *p = text; *p;) {
        static const char *const names[] = {"KUBE_API_VERSIONS", "KUBE_VERSION"};
        bool done = false;
        for (size_t i = 0; *p == '$' && i < ARRAY_LEN(names) && !done; i++) {
            bool brace = p[1] == '{';
            const char *end = str_after(p + 1 + brace, names[i]);
            if (!end || (brace ? *end != '}' : *end == '_' || isalnum((unsigned char)*end)))
                continue;
            AUTO(free_p) char *versions = strv_join(in->api_versions ? in->api_versions : none, ",");
            const char *value = i == 0 ? versions : str_or_empty(in->kube_version);
            for (; *value; value++) /* a "$" of the value is no variable */
                str_puts(&s, *value == '$' ? "$$" : (char[2]){*value, '\0'});
            p = end + brace;
            done = true;
        }
        if (!done && p[0] == '$' && p[1] == '$') {
            str_puts(&s, "$$");
            p += 2;
        } else if (!done) {
            str_putc(&s, *p++);
        }
    }
    return build_env_subst(in->env, str_text(&s), NULL);
}

/* PARAM_<NAME>: upper case, other characters as underscores. */
static char *param_name(const char *name, const char *suffix)
{
    char *s = suffix ? xasprintf("PARAM_%s_%s", name, suffix) : xasprintf("PARAM_%s", name);
    for (char *p = s; *p; p++) {
        *p = (char)toupper((unsigned char)*p);
        if (!isalnum((unsigned char)*p))
            *p = '_';
    }
    return s;
}

static void put_param(plugin_env_t *env, const char *name, const char *suffix, const json_t *value)
{
    AUTO(free_p) char *key = param_name(name, suffix);
    put(env, key, str_or_empty(json_string_value(value)));
}

static void put_parameters(const json_t *parameters, plugin_env_t *env)
{
    AUTO(free_p) char *all = json_text(parameters, JSON_GO);
    put(env, "ARGOCD_APP_PARAMETERS", all);
    for (size_t i = 0; i < json_array_size(parameters); i++) {
        const json_t *p = json_array_get(parameters, i), *array = json_object_get(p, "array");
        const json_t *text = json_object_get(p, "string");
        const char *name = str_or_empty(json_str_at(p, "name"));
        if (json_is_string(text))
            put_param(env, name, NULL, text);
        for (size_t k = 0; k < json_array_size(array); k++) {
            char index[24];
            snprintf(index, sizeof(index), "%zu", k);
            put_param(env, name, index, json_array_get(array, k));
        }
        json_t *map = json_object_get(p, "map");
        AUTO(free_p) const char **keys = json_is_map(map) ? json_sorted_keys(map) : NULL;
        for (size_t k = 0; keys && keys[k]; k++)
            put_param(env, name, keys[k], json_object_get(map, keys[k]));
    }
}

int plugin_env_source(const struct render_input *in, const json_t *plugin, plugin_env_t *env, err_t **err)
{
    const json_t *list = json_object_get(plugin, "env"), *parameters = json_object_get(plugin, "parameters");
    put_capabilities(in, env);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        AUTO(free_p) char *name = xasprintf("ARGOCD_ENV_%s", str_or_empty(json_str_at(e, "name")));
        AUTO(free_p) char *value = subst(in, str_or_empty(json_str_at(e, "value")));
        if (strchr(name, '='))
            return err_set(err, ERR_INVALID_ARGUMENT, "the plugin's variable '%s' is no name", name);
        put(env, name, value);
    }
    if (json_array_size(parameters))
        put_parameters(parameters, env);
    return 0;
}

void plugin_env_free(plugin_env_t *env)
{
    VEC_FOREACH(env, e)
        free(*e);
    VEC_FREE(env);
}
