/* What an application must be before it is stored (Argo CD's order and texts). */
#include "api-server/services/apps.h"
#include "common/argo/app.h"
#include "common/argo/project.h"
#include "common/kinds/kinds.h"

#include <ctype.h>

struct problems {
    str_t text;
};

static void problem(struct problems *p, const char *fmt, ...) PRINTF(2, 3);
static void problem(struct problems *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    str_printf(&p->text, "%sInvalidSpecError: ", p->text.len ? ";" : "");
    str_vprintf(&p->text, fmt, ap);
    va_end(ap);
}

/* ---- sources ---- */

static void required_fields(const json_t *source, struct problems *p)
{
    const char *url = str_or_empty(json_str_at(source, "repoURL"));
    bool has_path = !str_empty(json_str_at(source, "path")),
         has_chart = !str_empty(json_str_at(source, "chart")),
         has_ref = !str_empty(json_str_at(source, "ref")), oci = str_has_prefix(url, "oci://");
    if (!*url || (!has_path && !has_chart && !has_ref && !oci))
        problem(p, "spec.source.repoURL and either spec.source.path or spec.source.chart are required");
    if (has_chart && str_empty(json_str_at(source, "targetRevision")))
        problem(p, "spec.source.targetRevision is required if the manifest source is a helm chart");
}

static void one_type_only(const json_t *source, struct problems *p)
{
    static const char *const types[] = {"helm", "kustomize", "directory", "plugin"};
    AUTO_STR found = STR_INIT;
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (json_is_map(json_object_get(source, types[i]))) {
            str_printf(&found, "%s%s", n++ ? "," : "", types[i]);
        }
    if (n > 1)
        problem(p, "multiple application sources defined: %s", str_text(&found));
}

static int unique_names(const json_t *sources, err_t **err)
{
    size_t i;
    json_t *s;
    AUTO_JSON seen = json_object();
    json_array_foreach((json_t *)sources, i, s) {
        const char *name = json_str_at(s, "name");
        if (str_empty(name))
            continue;
        if (json_object_get(seen, name))
            return err_set(err, ERR_INVALID_ARGUMENT, "application source name %s is not unique", name);
        json_object_set_new(seen, name, json_true());
    }
    return 0;
}

static void permitted_sources(const json_t *sources, const json_t *project, struct problems *p)
{
    size_t i;
    json_t *s;
    json_array_foreach((json_t *)sources, i, s) {
        const char *url = str_or_empty(json_str_at(s, "repoURL"));
        required_fields(s, p);
        if (*url && !project_permits_source(project, url))
            problem(p, "application repo %s is not permitted in project '%s'", url, object_name(project));
    }
}

/* ---- the deep part: can it be had, can it be rendered ---- */

static void reachable_sources(call_t *c, const json_t *app, const json_t *sources, struct problems *p)
{
    size_t i;
    json_t *s;
    json_array_foreach((json_t *)sources, i, s) {
        AUTO_ERR err = NULL;
        const char *url = str_or_empty(json_str_at(s, "repoURL"));
        one_type_only(s, p);
        if (*url && backend_test_repo(c->s, url, app_project(app), &err) < 0)
            problem(p, "repository not accessible: %s", err_text(err));
    }
}

static void renders(call_t *c, const json_t *app, const json_t *project, const json_t *sources,
                    struct problems *p)
{
    size_t i;
    json_t *s;
    json_array_foreach((json_t *)sources, i, s) {
        AUTO_ERR err = NULL;
        AUTO_JSON answer = NULL;
        bool only_ref = !str_empty(json_str_at(s, "ref")) && str_empty(json_str_at(s, "path")) &&
                        str_empty(json_str_at(s, "chart"));
        struct manifest_query q = {.app = app, .project = project, .source = s};
        if (!only_ref && backend_manifests(c->s, &q, &answer, &err) < 0)
            problem(p, "Unable to generate manifests in %s: %s", str_or_empty(json_str_at(s, "path")),
                    err_text(err));
    }
}

static int reachable_cluster(call_t *c, const char *server, const char *app, err_t **err)
{
    AUTO(free_p) char *version = NULL;
    AUTO_JSON info = NULL;
    if (!strcmp(server, IN_CLUSTER_SERVER)) {
        if (kube_version(c->s->kube, &version, err) < 0)
            return err_wrap(err, "cluster %s is not reachable", server);
        return 0;
    }
    if (backend_cluster_info(c->s, server, &info, NULL) == 0 &&
        str_eq(json_str_at(info, "connectionState", "status"), "Failed"))
        return err_set(err, ERR_INVALID_ARGUMENT, "cluster %s is not reachable: %s", server,
                       str_or_empty(json_str_at(info, "connectionState", "message")));
    return 0;
}

/* ---- all of it ---- */

static int managed_by_url(const json_t *app, err_t **err)
{
    const char *url = json_str_at(app, "metadata", "annotations", "argocd.argoproj.io/managed-by-url");
    if (str_empty(url))
        return 0;
    const char *rest = str_after(url, "https://");
    if (!rest)
        rest = str_after(url, "http://");
    if (!rest || !*rest || *rest == '/' || strpbrk(url, " \t\r\n\"<>"))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "invalid managed-by URL: URL must be an absolute http or https URL");
    return 0;
}

static int check_name(const json_t *app, err_t **err)
{
    const char *name = object_name(app);
    if (str_empty(name))
        return err_set(err, ERR_INVALID_ARGUMENT, "resource name may not be empty");
    return 0;
}

int app_validate(call_t *c, json_t *app, const json_t *project, bool deep, err_t **err)
{
    struct problems p = {};
    AUTO(free_p) char *server = NULL, *name = NULL, *cluster_project = NULL;
    json_t *destination = json_at(app, "spec", "destination");
    app_normalize_spec(app);
    AUTO_JSON sources = app_sources(app);
    int rc = check_name(app, err);
    if (rc == 0)
        rc = unique_names(sources, err);
    if (rc == 0)
        rc = managed_by_url(app, err);
    if (rc < 0)
        return rc;
    rc = state_resolve_destination(c->s->state, destination, &server, &name, &cluster_project, err);
    if (rc < 0) {
        err_recode(err, ERR_INVALID_ARGUMENT);
        return err_wrap(err, "application destination spec for %s is invalid", object_name(app));
    }
    if (deep) {
        rc = reachable_cluster(c, server, object_name(app), err);
        if (rc < 0)
            return rc;
        reachable_sources(c, app, sources, &p);
    }
    struct destination d = {server, name, json_str_at(destination, "namespace"), cluster_project};
    permitted_sources(sources, project, &p);
    if (!project_permits_destination(project, &d))
        problem(&p,
                "application destination server '%s' and namespace '%s' do not match any of the allowed "
                "destinations "
                "in project '%s'",
                server, str_or_empty(d.ns), object_name(project));
    if (deep && !p.text.len)
        renders(c, app, project, sources, &p);
    if (p.text.len)
        rc = err_set(err, ERR_INVALID_ARGUMENT, "application spec for %s is invalid: %s", object_name(app),
                     str_text(&p.text));
    str_dispose(&p.text);
    return rc;
}
