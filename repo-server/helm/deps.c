/* Dependencies that Chart.yaml names and charts/ does not hold: `helm dependency build` after the
 * repositories were made known to helm, each with the credential that the caller found for it. Secrets go to
 * helm by standard input where it takes them so; `helm repo add` takes the password by standard input too. */
#include "common/argo/project.h"
#include "repo-server/artifact/registry.h"
#include "repo-server/helm/chart_yaml.h"
#include "repo-server/helm/helm.h"

enum { MAX_DEPENDENCIES = 200 };

bool helm_misses_dependencies(const char *standard_error)
{
    return strstr(standard_error, "found in Chart.yaml, but missing in charts/ directory") ||
           strstr(standard_error, "found in requirements.yaml, but missing in charts");
}

static int read_dependencies(struct helm *h, const char *chart, json_t **out, err_t **err)
{
    AUTO(free_p) char *path = path_join(chart, "Chart.yaml");
    AUTO_STR text = STR_MAX(CHART_YAML_MAX);
    int r = tree_read(h->in->tree, path, &text, err);
    if (r == 0)
        r = chart_yaml_dependencies(str_text(&text), text.len, out, err);
    return r < 0 ? err_wrap(err, "read %s", path) : 0;
}

static int credential_file(struct helm *h, words_t *args, const char *flag, const char *text, err_t **err)
{
    if (str_empty(text))
        return 0;
    AUTO(free_p) char *path = xasprintf("%s/pem-%u", h->work.home, h->credentials++);
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

static int azure_password(struct helm *h, const char *url, const struct render_repo *repo, char **out,
                          err_t **err)
{
    AUTO(remote_unref_p) remote_t *remote = NULL;
    struct remote_access access = {.url = url,
                                   .oci = true,
                                   .insecure = repo->insecure,
                                   .plain_http = repo->plain_http,
                                   .tls_client_cert = repo->tls_client_cert,
                                   .tls_client_key = repo->tls_client_key,
                                   .proxy = h->in->proxy,
                                   .no_proxy = h->in->no_proxy,
                                   .azure = true};
    if (!h->in->settings->remote)
        return err_set(err, ERR_FAILED_PRECONDITION, "%s: Azure is not asked here", url);
    int r = remote_new(&access, &remote, err);
    return r < 0 ? r : registry_azure_password(remote, h->in->settings->remote, h->in->canceled, out, err);
}

static int login_oci(struct helm *h, const char *url, const struct render_repo *repo, err_t **err)
{
    if (!repo || (!repo->azure && (str_empty(repo->username) || str_empty(repo->password))))
        return 0;
    struct render_repo with = *repo;
    AUTO(free_p) char *password = NULL;
    if (repo->azure && azure_password(h, url, repo, &password, err) < 0)
        return err_again(err);
    if (password) {
        with.username = AZURE_USER;
        with.password = password;
    }
    words_t args = {};
    words_add(&args, "registry");
    words_add(&args, "login");
    if (repo->insecure)
        words_add(&args, "--insecure");
    if (repo->plain_http)
        words_add(&args, "--plain-http");
    words_addf(&args, "%.*s", (int)strcspn(url, "/"), url);
    int r = run_with(h, &args, &with, err);
    words_free(&args);
    if (password)
        wipe(password, strlen(password));
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
    const struct render_repo *repo = helm_find_repo(h->in, name ? NULL : oci ? oci : url, name, oci != NULL);
    words_add(&h->asked, repo && name ? repo->url : oci ? oci : url);
    helm_note_credential(h->in, name ? NULL : oci ? oci : url, name, oci != NULL);
    h->insecure = h->insecure || (repo && repo->insecure);
    if (repo && repo->ca_pem)
        str_printf(&h->authorities, "%s\n", repo->ca_pem);
    h->plain_http = h->plain_http || (repo && repo->plain_http);
    if (oci || (name && repo && helm_repo_is_oci(repo)))
        return login_oci(h, oci ? oci : helm_without_oci(repo->url), repo, err);
    if (name)
        return repo ? add_http_repo(h, repo->url, name, repo, err) : 0;
    return str_has_prefix(url, "https://") ? add_http_repo(h, url, NULL, repo, err) : 0;
}

/* The error that says more: the project does not permit a repository that could not be read. */
static int explain(const struct helm *h, err_t **err)
{
    const char *said = err && *err ? err_text(*err) : "";
    AUTO_STR refused = STR_INIT;
    AUTO_JSON project = json_object();
    json_t *list = json_array();
    json_put_at(project, list, "spec", "sourceRepos");
    for (size_t i = 0; h->in->project_repos && h->in->project_repos[i]; i++)
        json_array_append_new(list, json_str_new(h->in->project_repos[i]));
    if (!strstr(said, "is not a valid chart repository or cannot be reached") &&
        !strstr(said, "could not download"))
        return err_again(err);
    VEC_FOREACH(&h->asked, url)
        if (h->in->project_repos && !project_permits_source(project, *url))
            str_printf(&refused, "%s%s", refused.len ? ", " : "", *url);
    return refused.len
               ? err_set(err, ERR_PERMISSION_DENIED, "helm repos %s are not permitted in project '%s'",
                         str_text(&refused), str_or_empty(h->in->project))
               : err_again(err);
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
        return explain(h, err);
    words_t args = {};
    AUTO_STR out = STR_INIT;
    words_add(&args, "dependency");
    words_add(&args, "build");
    if (h->insecure || h->in->insecure)
        words_add(&args, "--insecure-skip-tls-verify");
    if (h->plain_http)
        words_add(&args, "--plain-http");
    r = helm_run(h, &args, network, NULL, &out, NULL, err);
    words_free(&args);
    if (r < 0)
        return explain(h, err);
    if (!network)
        return 0;
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
