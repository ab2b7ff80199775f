/* GenerateManifest.
 *
 * A request first gets its commits (request.c). Then the cache is asked, on the step pool, for a rendering
 * whose trace holds for them. If there is none, equal questions join one flight, which runs on the pool of
 * its kind: in the process, or through a program. What it makes goes into the cache and to all who joined. */
#include "common/base/file.h"
#include "repo-server/repo.h"

#include <protobuf-c/protobuf-c.h>

typedef Cargocd__Repo__GenerateManifestRequest message_t;
typedef Cargocd__Repo__GenerateManifestResponse response_t;

static void generate_free(void *p)
{
    struct generate *g = p;
    json_decref(g->source);
    json_decref(g->integrity);
    json_decref(g->verified);
    free(g->verified_text);
    if (g->streamed)
        dir_remove(g->streamed, NULL);
    free(g->streamed);
    free(g->failure);
    free(g->question);
    free(g);
}

/* ---- what is asked ---- */

static void add_bool(sha256_ctx_t *c, bool v)
{
    sha256_add(c, v ? "1" : "0", 1);
}

static void add_options(sha256_ctx_t *c, const struct request *q, const message_t *m)
{
    const Cargocd__Repo__SourceTypes *t = m->source_types;
    add_bool(c, !t || t->helm);
    add_bool(c, !t || t->kustomize);
    add_bool(c, !t || t->jsonnet);
    add_bool(c, m->repo->enable_lfs);
    sha256_field_str(c, q->repo->plugins.use_generate_paths ? m->manifest_generate_paths : "");
}

/* Without where the source is and at which revision: those are in the trace, as far as they are used. */
static void compute_spec(struct request *q)
{
    const message_t *m = (const message_t *)q->in;
    struct generate *g = q->data;
    AUTO_JSON bare = json_copy(g->source);
    json_object_del(bare, "repoURL");
    json_object_del(bare, "targetRevision");
    AUTO(free_p) char *source = json_text(bare, JSON_GO);
    AUTO(free_p)
    char *limits = xasprintf("%d %lld", RENDERER_VERSION,
                             (long long)q->repo->render_settings.max_directory_bytes);
    const char *texts[] = {
        limits, source, m->app_name, m->namespace_, m->app_label_key, m->tracking_method, m->installation_id};
    sha256_ctx_t *c = sha256_begin();
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        sha256_field_str(c, texts[i]);
    add_options(c, q, m);
    add_bool(c, m->has_multiple_sources);
    for (size_t i = 1; i < q->targets.n; i++)
        sha256_field_str(c, q->targets.v[i].name);
    sha256_end_hex(c, g->spec);
}

/* Settings that become facts where they are used. */
static void add_settings(sha256_ctx_t *c, const message_t *m)
{
    const Cargocd__Repo__KustomizeOptions *k = m->kustomize_options;
    sha256_field_str(c, k ? k->build_options : "");
    for (size_t i = 0; k && i < k->n_versions; i++) {
        sha256_field_str(c, k->versions[i]->name);
        sha256_field_str(c, k->versions[i]->path);
    }
    sha256_field_str(c, "");
    for (size_t i = 0; i < m->n_values_file_schemes; i++)
        sha256_field_str(c, m->values_file_schemes[i]);
    sha256_field_str(c, "");
}

/* What is fetched with one credential is not for those who have another. */
static void add_credentials(sha256_ctx_t *c, Cargocd__Repo__Repository *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const Cargocd__Repo__Repository *r = list[i];
        const char *texts[] = {r->url,           r->name, r->username, r->password, r->tls_client_cert,
                               r->tls_client_key};
        for (size_t k = 0; k < ARRAY_LEN(texts); k++)
            sha256_field_str(c, str_or_empty(texts[k]));
        add_bool(c, r->enable_oci);
        add_bool(c, r->use_azure_workload_identity);
    }
    sha256_field_str(c, "");
}

/* Equal questions have equal answers: the specification, the commits, and the facts that may be used. */
static void compute_question(struct request *q)
{
    const message_t *m = (const message_t *)q->in;
    struct generate *g = q->data;
    char digest[SHA256_HEX];
    sha256_ctx_t *c = sha256_begin();
    sha256_field_str(c, g->spec);
    VEC_FOREACH(&q->targets, t) {
        sha256_field_str(c, target_key(t));
        sha256_field_str(c, target_access(t));
        sha256_field_str(c, t->commit);
    }
    const char *texts[] = {m->kube_version, m->project_name, json_str_at(g->source, "repoURL"),
                           json_str_at(g->source, "targetRevision")};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        sha256_field_str(c, str_or_empty(texts[i]));
    for (size_t i = 0; i < m->n_api_versions; i++)
        sha256_field_str(c, m->api_versions[i]);
    add_settings(c, m);
    add_credentials(c, m->helm_repos, m->n_helm_repos);
    add_credentials(c, m->helm_repo_creds, m->n_helm_repo_creds);
    sha256_end_hex(c, digest);
    g->failure = xstrdup(digest);
    g->question = xasprintf("%s%s", m->no_cache ? "!" : "", digest);
}

/* ---- answering ---- */

static char *strip_type(const char *key)
{
    const char *colon = strchr(key, ':');
    return xstrdup(colon ? colon + 1 : key);
}

/* The text is the caller's. */
static char *put_verified(const struct request *q, response_t *out)
{
    const struct generate *g = q->data;
    char *text = g->verified ? json_text(g->verified, JSON_GO) : NULL;
    if (g->verified_text)
        out->verify_result = g->verified_text;
    if (text)
        out->source_integrity_result = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    return text;
}

static void answer(struct request *q, const struct cached *cached)
{
    const message_t *m = (const message_t *)q->in;
    response_t empty = CARGOCD__REPO__GENERATE_MANIFEST_RESPONSE__INIT;
    ProtobufCMessage *unpacked = NULL;
    AUTO(free_p) char *key = xasprintf("%s:%s", cached->note, cached->key);
    bool same = *m->have_key && strcmp(m->have_key, key) == 0;
    if (!same)
        unpacked = protobuf_c_message_unpack(&cargocd__repo__generate_manifest_response__descriptor, NULL,
                                             cached->body.len, (const uint8_t *)str_text(&cached->body));
    response_t out = unpacked ? *(response_t *)unpacked : empty;
    out.key = key;
    out.same = same;
    out.namespace_ = m->namespace_;
    out.revision = q->targets.v[0].commit;
    out.source_type = (char *)cached->note;
    AUTO(free_p) UNUSED char *verified = put_verified(q, &out);
    if (!same && !unpacked) {
        AUTO_ERR err = NULL;
        err_set(&err, ERR_DATA_LOSS, "a kept rendering could not be read");
        request_fail(q, err);
        return;
    }
    request_reply(q, &out.base);
    if (unpacked)
        protobuf_c_message_free_unpacked(unpacked, NULL);
}

static bool probe(struct scope *s, const char *have_key, struct cached *out)
{
    const struct generate *g = s->q->data;
    struct trace_world world = scope_world(s);
    AUTO(free_p) char *key = strip_type(have_key);
    return cache_find(s->q->repo->cache, g->spec, &world, key, out);
}

/* ---- the flight ---- */

static void pack(const struct render_output *o, str_t *body)
{
    response_t m = CARGOCD__REPO__GENERATE_MANIFEST_RESPONSE__INIT;
    m.n_manifests = o->manifests.n;
    m.manifests = xcalloc(o->manifests.n + 1, sizeof(*m.manifests));
    for (size_t i = 0; i < o->manifests.n; i++)
        m.manifests[i] = (ProtobufCBinaryData){strlen(o->manifests.v[i]), (uint8_t *)o->manifests.v[i]};
    m.n_commands = o->commands.n;
    m.commands = o->commands.v;
    m.n_warnings = o->warnings.n;
    m.warnings = o->warnings.v;
    size_t n = protobuf_c_message_get_packed_size(&m.base);
    char *p = str_reserve(body, n + 1);
    if (p) {
        protobuf_c_message_pack(&m.base, (uint8_t *)p);
        p[n] = '\0';
        body->len += n;
    }
    free(m.manifests);
}

static int render_in(struct scope *s, struct made *made, err_t **err)
{
    struct render_plan plan = {};
    struct render_output out = {};
    const struct generate *g = s->q->data;
    int r = render_plan(&s->in, &plan, err);
    if (r == 0)
        r = render_run(&s->in, &plan, &out, err);
    if (r == 0) {
        AUTO_STR trace = STR_INIT;
        made->cached.body.max = CACHE_BODY_MAX;
        pack(&out, &made->cached.body);
        trace_encode(s->trace, &trace);
        strncpy(made->cached.note, render_plan_type(&plan), CACHE_NOTE - 1);
        cache_key(str_text(&made->cached.body), made->cached.body.len, made->cached.key);
        if (str_overflowed(&made->cached.body))
            r = err_set(err, ERR_RESOURCE_EXHAUSTED, "the manifests are too large");
        else
            cache_put(s->q->repo->cache, g->spec, &trace, made->cached.key, made->cached.note,
                      str_text(&made->cached.body), made->cached.body.len);
    }
    render_output_dispose(&out);
    render_plan_dispose(&plan);
    return r;
}

static int render_fresh(struct request *q, atomic_bool *canceled, struct made *made, err_t **err)
{
    AUTO(trace_free_p) trace_t *trace = trace_new();
    struct scope s;
    int r = scope_open(&s, q, trace, err);
    s.in.canceled = canceled;
    s.in.deadline = mono_after(mono_now(), 2 * q->repo->options.exec_timeout_ns);
    if (r == 0)
        r = render_in(&s, made, err);
    if (r == -ERR_DATA_LOSS)
        scope_corrupt(&s);
    scope_close(&s);
    return r;
}

/* Another replica, or a request just before, may have made it meanwhile. */
static bool found_meanwhile(struct request *q, struct made *made)
{
    struct scope s;
    bool found = false;
    if (((const message_t *)q->in)->no_cache)
        return false;
    if (scope_open(&s, q, NULL, NULL) == 0)
        found = probe(&s, "", &made->cached);
    scope_close(&s);
    return found;
}

static int run_render(void *ctx, const char *key, void *job, atomic_bool *canceled, void **result,
                      err_t **err)
{
    struct request *q = job;
    repo_t *r = ctx;
    const struct generate *g = q->data;
    struct made *made = xcalloc(1, sizeof(*made));
    metric_observe_since(r->metrics.parallelism_wait, q->started, NULL);
    AUTO_ERR why = NULL;
    int e = found_meanwhile(q, made) ? 0 : render_fresh(q, canceled, made, &why);
    if (e == 0)
        failures_clear(r->failures, g->failure);
    else
        failures_note(r->failures, g->failure, wall_now(), why);
    if (e < 0) {
        free(made);
        return err_move(err, TAKE(why));
    }
    *result = made;
    return 0;
}

static void made_free(void *p)
{
    struct made *m = p;
    cached_dispose(&m->cached);
    free(m);
}

const struct flight_ops render_flight_ops = {run_render, NULL, made_free};

static void landed(void *arg, void *result, err_t *err)
{
    struct request *q = arg;
    const struct made *made = result;
    metric_add(q->repo->metrics.pending, -1, LABELS(target_shown(&q->targets.v[0])));
    if (made)
        answer(q, &made->cached);
    else if (err->code != ERR_DATA_LOSS || !request_again(q))
        request_fail(q, err);
}

static void on_cancel(void *arg)
{
    struct request *q = arg;
    const struct generate *g = q->data;
    flight_leave(g->flights, g->question, q);
}

static bool plugins_may_match(const struct request *q, const json_t *source)
{
    static const char *const types[] = {"kustomize", "helm", "directory", "plugin"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (json_is_map(json_object_get(source, types[i])))
            return false;
    AUTO(strv_free_p) char **names = plugin_names(q->repo->render_settings.plugins);
    return names[0] != NULL;
}

/* Which pool: looks at the overrides and names of the directory, but renders nothing. */
static int choose_flights(struct request *q, err_t **err)
{
    AUTO(trace_free_p) trace_t *trace = trace_new();
    struct generate *g = q->data;
    struct render_plan plan = {};
    struct scope s;
    if (plugins_may_match(q, g->source)) { /* asking them takes a while: not here */
        g->flights = q->repo->tool_runs;
        return 0;
    }
    int r = scope_open(&s, q, trace, err);
    if (r == 0)
        r = render_plan(&s.in, &plan, err);
    if (r == 0 && !g->flights)
        g->flights = render_plan_forks(&plan) ? q->repo->tool_runs : q->repo->renders;
    if (r == -ERR_DATA_LOSS)
        scope_corrupt(&s);
    render_plan_dispose(&plan);
    scope_close(&s);
    return r;
}

static void fly(struct request *q)
{
    struct generate *g = q->data;
    const message_t *m = (const message_t *)q->in;
    bool first = !g->flights;
    AUTO_ERR err = NULL;
    if (choose_flights(q, &err) < 0) {
        if (err->code == ERR_DATA_LOSS && request_again(q))
            return;
        failures_note(q->repo->failures, g->failure, wall_now(), err);
        request_fail(q, err);
        return;
    }
    metric_add(q->repo->metrics.pending, 1, LABELS(target_shown(&q->targets.v[0])));
    if (first)
        rpc_call_on_cancel(q->call, on_cancel, q);
    flight_join(g->flights, g->question, m->no_cache, q, landed, q, NULL);
}

/* ---- the request ---- */

/* An entry of several sources that only lends its files to others. */
static bool renders_nothing(const message_t *m, const json_t *source)
{
    return m->has_multiple_sources && str_empty(json_str_at(source, "path")) &&
           str_empty(json_str_at(source, "chart"));
}

static void verify(void *arg)
{
    struct request *q = arg;
    struct generate *g = q->data;
    AUTO_ERR err = NULL;
    g->verify_done = true;
    int r = request_verify(q, g->integrity, &g->verified, &g->verified_text, &err);
    if (r == -ERR_DATA_LOSS && request_again(q)) {
        g->verify_done = false;
        return;
    }
    if (r < 0)
        request_fail(q, err);
    else
        generate_ready(q);
}

void generate_ready(struct request *q)
{
    const message_t *m = (const message_t *)q->in;
    struct generate *g = q->data;
    if (g->integrity && !g->verify_done) {
        AUTO_ERR busy = NULL;
        if (pool_submit(q->repo->tool_pool, verify, q, &busy) < 0)
            request_fail(q, busy);
        return;
    }
    if (renders_nothing(m, g->source)) {
        response_t out = CARGOCD__REPO__GENERATE_MANIFEST_RESPONSE__INIT;
        AUTO(free_p) UNUSED char *verified = put_verified(q, &out);
        out.revision = q->targets.v[0].commit;
        request_reply(q, &out.base);
        return;
    }
    if (!g->question) { /* the second time, after a clone was replaced, nothing has changed */
        compute_spec(q);
        compute_question(q);
    }
    struct cached cached;
    struct scope s;
    AUTO_ERR err = NULL;
    bool found = false;
    if (!m->no_cache && scope_open(&s, q, NULL, NULL) == 0)
        found = probe(&s, m->have_key, &cached);
    if (!m->no_cache)
        scope_close(&s);
    if (found) {
        answer(q, &cached);
        cached_dispose(&cached);
    } else if (!m->no_cache && failures_check(q->repo->failures, g->failure, wall_now(), true, &err) < 0) {
        request_fail(q, err);
    } else {
        fly(q);
    }
}

/* Adds the sources that values are taken from. */
static int add_refs(struct request *q, const message_t *m, const json_t *paths, const char *field,
                    err_t **err)
{
    for (size_t i = 0; i < json_array_size(paths); i++) {
        const json_t *entry = json_array_get(paths, i);
        const char *text = str_or_empty(field ? json_str_at(entry, field) : json_string_value(entry));
        if (*text != '$')
            continue;
        size_t n = strcspn(text, "/");
        for (size_t k = 0; k < m->n_ref_sources; k++) {
            const char *name = m->ref_sources[k]->key;
            const Cargocd__Repo__RefTarget *t = m->ref_sources[k]->value;
            bool known = false;
            if (!t || strlen(name) != n || strncmp(name, text, n) != 0)
                continue;
            VEC_FOREACH(&q->targets, have)
                known = known || str_eq(have->name, name);
            if (!str_empty(t->chart))
                return err_set(err, ERR_INVALID_ARGUMENT,
                               "source has a 'chart' field defined, but Helm charts are not yet not "
                               "supported for 'ref' sources");
            int r = known ? 0
                          : request_target(q, name, t->repo, t->target_revision, NULL, m->no_revision_cache,
                                           err);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int check_refs(const message_t *m, err_t **err)
{
    AUTO(free_p) char **names = xcalloc(m->n_ref_sources + 1, sizeof(*names));
    for (size_t i = 0; i < m->n_ref_sources; i++)
        names[i] = m->ref_sources[i]->key;
    return source_check_refs(names, m->n_ref_sources, err);
}

int generate_refs(struct request *q, err_t **err)
{
    struct generate *g = q->data;
    const message_t *m = (const message_t *)q->in;
    const json_t *helm = json_object_get(g->source, "helm");
    int r = check_refs(m, err);
    if (r == 0 && m->has_multiple_sources)
        r = add_refs(q, m, json_object_get(helm, "valueFiles"), NULL, err);
    if (r == 0 && m->has_multiple_sources)
        r = add_refs(q, m, json_object_get(helm, "fileParameters"), "path", err);
    return r < 0 ? r : request_integrity(q, &m->source_integrity, &g->integrity, err);
}

void generate_init(struct request *q)
{
    q->data = xcalloc(1, sizeof(struct generate));
    q->data_free = generate_free;
}

static int prepare(struct request *q, const message_t *m, err_t **err)
{
    struct generate *g = q->data;
    int r = message_source(&m->source, &g->source, err);
    if (r < 0)
        return r;
    const char *revision = *m->revision ? m->revision
                                        : str_or_empty(json_str_at(g->source, "targetRevision"));
    r = request_source(q, m->repo, g->source, revision, m->no_revision_cache, m->no_cache, err);
    return r < 0 ? r : generate_refs(q, err);
}

void serve_generate_manifest(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    struct request *q = request_new(ctx, call, in, "GenerateManifest", generate_ready);
    AUTO_ERR err = NULL;
    generate_init(q);
    if (prepare(q, (const message_t *)in, &err) < 0)
        request_fail(q, err);
    else
        request_go(q);
}
