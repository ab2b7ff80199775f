/* What is known of a revision of an application: the commit, the chart, the artifact. */
#include "api-server/services/apps.h"
#include "api-server/services/repo_query.h"
#include "common/argo/app.h"

/* ---- which source ---- */

static int history_sources(const json_t *app, int64_t id, json_t **out, err_t **err)
{
    const json_t *history = json_at(app, "status", "history");
    size_t i;
    json_t *h;
    if (!json_array_size(history))
        return err_set(
            err, ERR_UNKNOWN,
            "error getting app source by source index and version ID: error getting source by version ID: "
            "version ID %lld not found because the app has no history",
            (long long)id);
    json_array_foreach((json_t *)history, i, h) {
        if (json_int_at(h, "id") != id)
            continue;
        json_t *sources = json_object_get(h, "sources"), *source = json_object_get(h, "source");
        *out = json_array_size(sources) ? json_incref(sources) : json_array();
        if (!json_array_size(sources) && source)
            json_array_append(*out, source);
        return 0;
    }
    return err_set(
        err, ERR_UNKNOWN,
        "error getting app source by source index and version ID: error getting source by version ID: "
        "revision history not found for version ID %lld",
        (long long)id);
}

/* By its position, of the application now or of a deployment of the past. *out is new. */
static int asked_source(const call_t *c, const json_t *app, json_t **out, err_t **err)
{
    AUTO_JSON sources = NULL;
    int64_t index = json_int_at(c->in, "sourceIndex");
    if (json_object_get(c->in, "versionId")) {
        int rc = history_sources(app, json_int_at(c->in, "versionId"), &sources, err);
        if (rc < 0)
            return rc;
    } else {
        sources = app_sources(app);
    }
    size_t n = json_array_size(sources);
    if (index >= 0 && (size_t)index < n) {
        *out = json_incref(json_array_get(sources, (size_t)index));
        return 0;
    }
    if (n == 1)
        return err_set(
            err, ERR_UNKNOWN,
            "error getting app source by source index and version ID: source index %lld not found because "
            "there is only 1 source",
            (long long)index);
    return err_set(
        err, ERR_UNKNOWN,
        "error getting app source by source index and version ID: source index %lld not found because there "
        "are only %zu sources",
        (long long)index, n);
}

static int lookup(call_t *c, enum app_source from, json_t **app, json_t **source, err_t **err)
{
    int rc = app_lookup(c, from, "get", arg(c, "project"), arg(c, "appNamespace"), arg(c, "name"), app, err);
    return rc < 0 ? rc : asked_source(c, *app, source, err);
}

static int document(const ProtobufCBinaryData *bytes, json_t **out, err_t **err)
{
    return json_read((const char *)bytes->data, bytes->len, out, err);
}

/* ---- the methods ---- */

int app_revision_metadata(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    AUTO_JSON source = NULL;
    AUTO_JSON project = NULL;
    AUTO(arena_free_p) arena_t *a = arena_new();
    Cargocd__Repo__RevisionMetadataRequest m = CARGOCD__REPO__REVISION_METADATA_REQUEST__INIT;
    Cargocd__Repo__RevisionMetadataResponse *reply = NULL;
    int rc = lookup(c, APP_LIVE, &app, &source, err);
    if (rc == 0)
        rc = app_project_of(c, app, &project, err);
    if (rc < 0)
        return rc;
    const json_t *integrity = json_at(project, "spec", "sourceIntegrity");
    m.repo = repo_message(c->s, a, str_or_empty(json_str_at(source, "repoURL")), app_project(app));
    m.revision = arena_strdup(a, arg(c, "revision"));
    if (integrity)
        repo_bytes(a, integrity, &m.source_integrity);
    rc = repo_ask(c->s, m.repo->url, "repo.RevisionMetadata", &m.base,
                  &cargocd__repo__revision_metadata_response__descriptor, &reply, err);
    if (rc == 0)
        rc = document(&reply->metadata, out, err);
    cargocd__repo__revision_metadata_response__free_unpacked(reply, NULL);
    return rc;
}

static int ask_details(call_t *c, const json_t *app, const json_t *source, const char *method, json_t **out,
                       err_t **err)
{
    AUTO(arena_free_p) arena_t *a = arena_new();
    Cargocd__Repo__ChartDetailsRequest m = CARGOCD__REPO__CHART_DETAILS_REQUEST__INIT;
    Cargocd__Repo__ChartDetailsResponse *reply = NULL;
    m.repo = repo_message(c->s, a, str_or_empty(json_str_at(source, "repoURL")), app_project(app));
    m.name = arena_strdup(a, str_or_empty(json_str_at(source, "chart")));
    m.revision = arena_strdup(a, arg(c, "revision"));
    int rc = repo_ask(c->s, m.repo->url, method, &m.base, &cargocd__repo__chart_details_response__descriptor,
                      &reply, err);
    if (rc == 0)
        rc = document(&reply->details, out, err);
    cargocd__repo__chart_details_response__free_unpacked(reply, NULL);
    return rc;
}

int app_chart_details(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    AUTO_JSON source = NULL;
    int rc = lookup(c, APP_CACHED, &app, &source, err);
    if (rc == 0 && str_empty(json_str_at(source, "chart")))
        rc = err_set(err, ERR_UNKNOWN, "no chart found for application: %s", arg(c, "name"));
    return rc < 0 ? rc : ask_details(c, app, source, "repo.ChartDetails", out, err);
}

int app_oci_metadata(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    AUTO_JSON source = NULL;
    int rc = lookup(c, APP_CACHED, &app, &source, err);
    return rc < 0 ? rc : ask_details(c, app, source, "repo.OciMetadata", out, err);
}
