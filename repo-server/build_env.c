#include "repo-server/build_env.h"

#include <ctype.h>

const char *const build_env_names[] = {
    "ARGOCD_APP_NAME",
    "ARGOCD_APP_NAMESPACE",
    "ARGOCD_APP_PROJECT_NAME",
    "ARGOCD_APP_REVISION",
    "ARGOCD_APP_REVISION_SHORT",
    "ARGOCD_APP_REVISION_SHORT_8",
    "ARGOCD_APP_SOURCE_REPO_URL",
    "ARGOCD_APP_SOURCE_PATH",
    "ARGOCD_APP_SOURCE_TARGET_REVISION",
    NULL,
};

static const struct {
    size_t offset, max;
} fields[] = {
    {offsetof(struct build_env, app_name), 0},        {offsetof(struct build_env, namespace), 0},
    {offsetof(struct build_env, project), 0},         {offsetof(struct build_env, revision), 0},
    {offsetof(struct build_env, revision), 7},        {offsetof(struct build_env, revision), 8},
    {offsetof(struct build_env, repo_url), 0},        {offsetof(struct build_env, path), 0},
    {offsetof(struct build_env, target_revision), 0},
};

char *build_env_get(const struct build_env *env, const char *name)
{
    for (size_t i = 0; build_env_names[i]; i++) {
        if (strcmp(build_env_names[i], name) != 0)
            continue;
        const char *value = str_or_empty(*(const char *const *)((const char *)env + fields[i].offset));
        return xstrndup(value, fields[i].max ? min_size(fields[i].max, strlen(value)) : strlen(value));
    }
    return NULL;
}

static bool is_special(char c)
{
    return c && (strchr("*#$@!?-", c) || isdigit((unsigned char)c));
}

static bool is_name(char c)
{
    return c == '_' || isalnum((unsigned char)c);
}

/* The name behind a "$", and how many characters it takes. An empty name that takes some is bad syntax, which
 * vanishes; one that takes none leaves the dollar alone. */
static view_t shell_name(const char *s, size_t *width)
{
    if (*s == '{') {
        size_t n = strcspn(s + 1, "}");
        if (!s[1 + n])
            *width = 1;
        else
            *width = n + 2;
        return (view_t){s + 1, s[1 + n] ? n : 0};
    }
    size_t n = is_special(*s) ? 1 : 0;
    while (!is_special(*s) && is_name(s[n]))
        n++;
    *width = n;
    return (view_t){s, n};
}

static void put_value(const struct build_env *env, view_t name, trace_t *trace, str_t *out)
{
    if (view_eq(name, "$")) {
        str_putc(out, '$');
        return;
    }
    AUTO(free_p) char *key = xstrndup(name.p, name.n);
    AUTO(free_p) char *value = build_env_get(env, key);
    if (value && trace)
        trace_fact(trace, FACT_ENV, key, value);
    str_puts(out, str_or_empty(value));
}

char *build_env_subst(const struct build_env *env, const char *text, trace_t *trace)
{
    AUTO_STR out = STR_INIT;
    for (const char *p = text; *p; p++) {
        size_t width = 0;
        if (*p != '$' || !p[1]) {
            str_putc(&out, *p);
            continue;
        }
        view_t name = shell_name(p + 1, &width);
        if (name.n)
            put_value(env, name, trace, &out);
        else if (!width)
            str_putc(&out, '$');
        p += width;
    }
    return str_take(&out);
}
