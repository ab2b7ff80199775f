/* Dependencies that Chart.yaml names and charts/ does not hold: `helm dependency build` after the
 * repositories were made known to helm, each with the credential that the caller found for it. Secrets go to
 * helm by standard input where it takes them so; `helm repo add` takes the password by standard input too. */
#include "common/yaml/yaml.h"
#include "repo-server/helm/helm.h"

enum { CHART_MAX = 4 << 20, MAX_DEPENDENCIES = 200 };

bool helm_misses_dependencies(const char *standard_error)
{
    return strstr(standard_error, "found in Chart.yaml, but missing in charts/ directory") ||
           strstr(standard_error, "found in requirements.yaml, but missing in charts");
}

static int read_dependencies(struct helm *h, const char *chart, json_t **out, err_t **err)
{
    AUTO(free_p) char *path = path_join(chart, "Chart.yaml");
    AUTO_STR text = STR_MAX(CHART_MAX);
    AUTO_JSON doc = NULL;
    int r = tree_read(h->in->tree, path, &text, err);
    if (r == 0)
        r = yaml_read(str_text(&text), text.len, NULL, &doc, err);
    if (r < 0)
        return err_wrap(err, "read %s", path);
    json_t *list = json_object_get(doc, "dependencies");
    *out = json_is_array(list) ? json_incref(list) : json_array();
    return 0;
}

/* The repository of that URL or name, else the template with the longest prefix. */
static const struct render_repo *find_repo(const struct helm *h, const char *url, const char *name)
{
    const struct render_input *in = h->in;
    const struct render_repo *best = NULL;
    for (size_t i = 0; i < in->nhelm_repos; i++)
        if ((url && str_eq(in->helm_repos[i].url, url)) || (name && str_eq(in->helm_repos[i].name, name)))
            return &in->helm_repos[i];
    for (size_t i = 0; url && i < in->nhelm_repo_creds; i++) {
        const struct render_repo *c = &in->helm_repo_creds[i];
        if (c->url && str_has_prefix(url, c->url) && (!best || strlen(c->url) > strlen(best->url)))
            best = c;
    }
    return best;
}

static int credential_file(struct helm *h, words_t *args, const char *flag, const char *text, err_t **err)
{
    if (str_empty(text))
        return 0;
    AUTO(free_p) char *path = xasprintf("%s/pem-%zu", h->work.home, args->n);
    words_add(args, flag);
    words_add(args, path);
    return file_write(path, text, strlen(text), 0600, err);
}

static int add_credential(struct helm *h, const struct render_repo *repo, words_t *args, err_t **err)
{
    if (!repo)
        return 0;
    int r = credential_file(h, args, "--ca-file", repo->ca_pem, err);
    if (r == 0)
        r = credential_file(h, args, "--cert-file", repo->tls_client_cert, err);
    if (r == 0)
        r = credential_file(h, args, "--key-file", repo->tls_client_key, err);
    if (!str_empty(repo->username) && !str_empty(repo->password)) {
        words_add(args, "--username");
        words_add(args, repo->username);
        words_add(args, "--password-stdin");
    }
    return r;
}

static int run_with(struct helm *h, words_t *args, const struct render_repo *repo, err_t **err)
{
    AUTO_STR out = STR_INIT;
    bool password = repo && !str_empty(repo->username) && !str_empty(repo->password);
    int r = add_credential(h, repo, args, err);
    if (r == 0)
        r = helm_run(h, args, true, password ? repo->password : NULL, &out, NULL, err);
    return r;
}

static int add_http_repo(struct helm *h, const char *url, const char *name, const struct render_repo *repo,
                         err_t **err)
{
    words_t args = {};
    AUTO_STR generated = STR_INIT;
    for (const char *p = str_or_empty(url); *p; p++)
        str_putc(&generated, *p == '/' ? '-' : *p);
    words_add(&args, "repo");
    words_add(&args, "add");
    words_add(&args, "--force-update");
    if (repo && repo->insecure)
        words_add(&args, "--insecure-skip-tls-verify");
    if (json_bool_at(h->spec, "passCredentials"))
        words_add(&args, "--pass-credentials");
    words_add(&args, name ? name : str_text(&generated));
    words_add(&args, url);
    int r = run_with(h, &args, repo, err);
    words_free(&args);
    return r;
}

static int login_oci(struct helm *h, const char *url, const struct render_repo *repo, err_t **err)
{
    if (!repo || str_empty(repo->username) || str_empty(repo->password))
        return 0;
    words_t args = {};
    words_add(&args, "registry");
    words_add(&args, "login");
    if (repo->insecure)
        words_add(&args, "--insecure");
    if (repo->plain_http)
        words_add(&args, "--plain-http");
    words_addf(&args, "%.*s", (int)strcspn(url, "/"), url);
    int r = run_with(h, &args, repo, err);
    words_free(&args);
    return r;
}

/* One dependency: a directory of this tree comes along, a repository is made known. */
static int prepare_one(struct helm *h, const char *chart, const json_t *dependency, bool *network,
                       err_t **err)
{
    const char *url = str_or_empty(json_str_at(dependency, "repository"));
    const char *local = str_after(url, "file://"), *oci = str_after(url, "oci://"),
               *name = str_after(url, "@");
    name = name ? name : str_after(url, "alias:");
    if (local) {
        AUTO(free_p) char *path = path_join(chart, local);
        if (path_escapes(path))
            return err_set(err, ERR_INVALID_ARGUMENT, "dependency '%s' resolved to outside repository root",
                           url);
        return helm_take_chart(h, path, err);
    }
    if (!*url)
        return 0;
    *network = true;
    if (oci)
        return login_oci(h, oci, find_repo(h, oci, NULL), err);
    if (name) {
        const struct render_repo *repo = find_repo(h, NULL, name);
        return repo ? add_http_repo(h, repo->url, name, repo, err) : 0;
    }
    return str_has_prefix(url, "https://") ? add_http_repo(h, url, NULL, find_repo(h, url, NULL), err) : 0;
}

int helm_build_dependencies(struct helm *h, err_t **err)
{
    AUTO_JSON list = NULL;
    bool network = false;
    int r = read_dependencies(h, h->plan->path, &list, err);
    if (r == 0 && json_array_size(list) > MAX_DEPENDENCIES)
        r = err_set(err, ERR_RESOURCE_EXHAUSTED, "the chart has more than %d dependencies", MAX_DEPENDENCIES);
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
        r = prepare_one(h, h->plan->path, json_array_get(list, i), &network, err);
    if (r < 0)
        return r;
    words_t args = {};
    AUTO_STR out = STR_INIT;
    words_add(&args, "dependency");
    words_add(&args, "build");
    r = helm_run(h, &args, network, NULL, &out, NULL, err);
    words_free(&args);
    if (r < 0 || !network)
        return r;
    /* Their texts have not been seen. Without a lock the same names may bring others tomorrow. */
    h->caps.all_apis = h->caps.kube_version = true;
    struct tree_place lock = {};
    AUTO(free_p) char *lock_path = path_join(h->plan->path, "Chart.lock");
    r = tree_look(h->in->tree, lock_path, true, &lock, err);
    if (r == 0)
        r = render_note_remote(h->in, lock.node.kind == NODE_FILE, err);
    tree_place_dispose(&lock);
    return r;
}
