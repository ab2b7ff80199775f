/* Methods about charts and artifacts: HelmCharts, ListOciTags, ChartDetails, OciMetadata. */
#include "repo-server/helm/chart_yaml.h"
#include "repo-server/repo.h"

static ProtobufCBinaryData bytes_of(char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
}

/* ---- HelmCharts ---- */

/* [{name, versions}], in the order of the index. */
static json_t *charts_json(const index_entries_t *entries)
{
    json_t *list = json_array(), *versions = NULL;
    const char *name = NULL;
    VEC_FOREACH(entries, e) {
        if (!str_eq(name, e->name)) {
            json_t *chart = json_object();
            versions = json_array();
            json_set_str(chart, "name", e->name);
            json_object_set_new(chart, "versions", versions);
            json_array_append_new(list, chart);
        }
        name = e->name;
        json_array_append_new(versions, json_str_new(e->version));
    }
    return list;
}

static void helm_charts(void *arg)
{
    struct request *q = arg;
    const Cargocd__Repo__HelmChartsRequest *m = (const void *)q->in;
    AUTO(remote_unref_p) remote_t *remote = NULL;
    index_entries_t entries = {};
    AUTO_ERR err = NULL;
    int r = message_remote(m->repo, &remote, &err);
    if (r == 0 && remote->oci)
        r = err_set(&err, ERR_INVALID_ARGUMENT, "%s: a registry has no index of its charts", remote->shown);
    if (r == 0)
        r = artifacts_charts(q->repo->artifacts, remote, &entries, rpc_call_canceled(q->call), &err);
    if (r < 0) {
        request_fail(q, err);
    } else {
        AUTO_JSON list = charts_json(&entries);
        AUTO(free_p) char *text = json_text(list, JSON_GO);
        Cargocd__Repo__HelmChartsResponse out = CARGOCD__REPO__HELM_CHARTS_RESPONSE__INIT;
        out.charts = bytes_of(text);
        request_reply(q, &out.base);
    }
    index_entries_free(&entries);
}

void serve_helm_charts(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    request_network(request_new(ctx, call, in, "HelmCharts", NULL), helm_charts);
}

/* ---- ListOciTags ---- */

static int cmp_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_oci_tags(void *arg)
{
    struct request *q = arg;
    const Cargocd__Repo__ListRefsRequest *m = (const void *)q->in;
    AUTO(remote_unref_p) remote_t *remote = NULL;
    AUTO(strv_free_p) char **tags = NULL;
    AUTO_ERR err = NULL;
    int r = message_remote(m->repo, &remote, &err);
    if (r == 0 && !remote->oci)
        r = err_set(&err, ERR_INVALID_ARGUMENT, "%s: not a registry", remote->shown);
    if (r == 0)
        r = artifacts_tags(q->repo->artifacts, remote, &tags, rpc_call_canceled(q->call), &err);
    if (r < 0) {
        request_fail(q, err);
        return;
    }
    Cargocd__Repo__ListOciTagsResponse out = CARGOCD__REPO__LIST_OCI_TAGS_RESPONSE__INIT;
    out.tags = tags;
    out.n_tags = strv_len(tags);
    if (out.n_tags > 1)
        qsort(tags, out.n_tags, sizeof(*tags), cmp_texts);
    request_reply(q, &out.base);
}

void serve_list_oci_tags(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    request_network(request_new(ctx, call, in, "ListOciTags", NULL), list_oci_tags);
}

/* ---- ChartDetails ---- */

static int read_chart(struct request *q, json_t **out, err_t **err)
{
    struct opened o;
    AUTO_STR text = STR_MAX(CHART_YAML_MAX);
    int r = target_open(q->repo, &q->targets.v[0], &o, err);
    if (r < 0)
        return r;
    tree_t *tree = tree_new(TAKE(o.backend), NULL);
    r = tree_read(tree, "Chart.yaml", &text, err);
    if (r == 0)
        r = chart_yaml_details(str_text(&text), text.len, out, err);
    tree_free(tree);
    opened_close(&o);
    return r < 0 ? err_wrap(err, "error inspecting chart") : 0;
}

static void chart_details(void *arg)
{
    struct request *q = arg;
    AUTO_JSON details = NULL;
    AUTO_ERR err = NULL;
    int r = read_chart(q, &details, &err);
    if (r == -ERR_DATA_LOSS && request_again(q))
        return;
    if (r < 0) {
        request_fail(q, err);
        return;
    }
    AUTO(free_p) char *text = json_text(details, JSON_GO);
    Cargocd__Repo__ChartDetailsResponse out = CARGOCD__REPO__CHART_DETAILS_RESPONSE__INIT;
    out.details = bytes_of(text);
    request_reply(q, &out.base);
}

static void chart_details_ready(struct request *q)
{
    request_work(q, chart_details);
}

void serve_chart_details(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const Cargocd__Repo__ChartDetailsRequest *m = (const void *)in;
    struct request *q = request_new(ctx, call, in, "ChartDetails", chart_details_ready);
    struct artifact_want want = {.chart = m->name, .revision = m->revision};
    AUTO_ERR err = NULL;
    int r = str_empty(m->name) ? err_set(&err, ERR_INVALID_ARGUMENT, "the request names no chart") : 0;
    if (r == 0)
        r = request_artifact(q, m->repo, &want, &err);
    if (r < 0)
        request_fail(q, err);
    else
        request_go(q);
}

/* ---- OciMetadata ---- */

static json_t *metadata_json(const json_t *manifest)
{
    static const struct {
        const char *field, *annotation;
    } rows[] = {
        {"createdAt", "org.opencontainers.image.created"},
        {"authors", "org.opencontainers.image.authors"},
        {"docsUrl", "org.opencontainers.image.documentation"},
        {"sourceUrl", "org.opencontainers.image.source"},
        {"version", "org.opencontainers.image.version"},
        {"description", "org.opencontainers.image.description"},
    };
    json_t *out = json_object();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        json_put_str(out, rows[i].field, json_str_at(manifest, "annotations", rows[i].annotation));
    return out;
}

static void oci_metadata(void *arg)
{
    struct request *q = arg;
    const Cargocd__Repo__ChartDetailsRequest *m = (const void *)q->in;
    AUTO(remote_unref_p) remote_t *remote = NULL;
    AUTO_JSON manifest = NULL;
    AUTO_ERR err = NULL;
    int r = message_remote(m->repo, &remote, &err);
    if (r == 0 && !remote->oci)
        r = err_set(&err, ERR_INVALID_ARGUMENT, "%s: not a registry", remote->shown);
    if (r == 0)
        r = artifacts_manifest(q->repo->artifacts, remote, m->revision, &manifest, rpc_call_canceled(q->call),
                               &err);
    if (r < 0) {
        err_wrap(&err, "failed to extract digest metadata for revision \"%s\"", m->revision);
        request_fail(q, err);
        return;
    }
    AUTO_JSON details = metadata_json(manifest);
    AUTO(free_p) char *text = json_text(details, JSON_GO);
    Cargocd__Repo__ChartDetailsResponse out = CARGOCD__REPO__CHART_DETAILS_RESPONSE__INIT;
    out.details = bytes_of(text);
    request_reply(q, &out.base);
}

void serve_oci_metadata(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    request_network(request_new(ctx, call, in, "OciMetadata", NULL), oci_metadata);
}
