/* Projects, clusters, repositories. */
#include "cli/print.h"
#include "cli/remote/commands.h"

static const char *text(const json_t *v, const char *key)
{
    return str_or_empty(json_str_at(v, key));
}

/* The answer to a GET, by a client that is used once. */
static int fetch(const struct run *r, const char *path, json_t **out, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    int rc = client_of_run(r, &c, err);
    return rc == 0 ? client_get(c, path, out, err) : rc;
}

static bool is_wide(const char *format)
{
    return !*format || str_eq(format, "wide");
}

/* One member of each of a list, a line each. */
static void print_members(const json_t *list, const char *a, const char *b)
{
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)(uintptr_t)list, i, v) {
        printf_out("%s\n", str_or_empty(b ? json_str_at(v, a, b) : json_str_at(v, a)));
    }
}

static json_t *items_of(const json_t *answer)
{
    json_t *items = json_object_get(answer, "items");
    return json_is_array(items) ? json_incref(items) : json_array();
}

/* ---- projects ---- */

static void put_destination(const json_t *d, str_t *out)
{
    str_printf(out, "%s,%s", text(d, "server"), text(d, "namespace"));
}

static void put_account(const json_t *a, str_t *out)
{
    put_destination(a, out);
    str_printf(out, ",%s", text(a, "defaultServiceAccount"));
}

static void put_kind(const json_t *k, str_t *out)
{
    str_printf(out, "%s/%s", text(k, "group"), text(k, "kind"));
}

static void put_text(const json_t *v, str_t *out)
{
    str_puts(out, str_or_empty(json_string_value(v)));
}

static void put_repo(const json_t *v, str_t *out)
{
    str_puts(out, text(v, "repo"));
}

static void put_server(const json_t *v, str_t *out)
{
    str_puts(out, text(v, "server"));
}

/* "<none>", the only one (if it can be put), or how many. */
static void put_count(const json_t *list, void (*put)(const json_t *, str_t *), const char *noun, str_t *out)
{
    size_t n = json_array_size(list);
    if (!n)
        str_puts(out, "<none>");
    else if (n == 1 && put)
        put(json_array_get(list, 0), out);
    else
        str_printf(out, "%zu %s", n, noun);
}

static void put_orphans(const json_t *project, str_t *out)
{
    const json_t *o = json_at(project, "spec", "orphanedResources");
    size_t ignored = json_array_size(json_object_get(o, "ignore"));
    if (!o) {
        str_puts(out, "disabled");
        return;
    }
    str_printf(out, "enabled (warn=%s", bool_text(!json_is_false(json_object_get(o, "warn"))));
    if (ignored)
        str_printf(out, ", ignored %zu", ignored);
    str_putc(out, ')');
}

static void put_project_row(const json_t *p, str_t *out)
{
    static const struct {
        const char *list, *noun;
        void (*put)(const json_t *, str_t *);
    } columns[] = {{"destinations", "destinations", put_destination},
                   {"sourceRepos", "repos", put_text},
                   {"clusterResourceWhitelist", "resources", put_kind},
                   {"namespaceResourceBlacklist", "resources", NULL},
                   {"signatureKeys", "key(s)", NULL}};
    str_printf(out, "%s\t%s", str_or_empty(json_str_at(p, "metadata", "name")),
               str_or_empty(json_str_at(p, "spec", "description")));
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        str_putc(out, '\t');
        put_count(json_at(p, "spec", columns[i].list), columns[i].put, columns[i].noun, out);
    }
    str_putc(out, '\t');
    put_orphans(p, out);
    str_putc(out, '\t');
    put_count(json_at(p, "spec", "destinationServiceAccounts"), put_account, "destinationServiceAccounts",
              out);
    str_putc(out, '\n');
}

int project_list(struct run *r, err_t **err)
{
    AUTO_JSON answer = NULL;
    AUTO_STR rows = STR_INIT;
    const char *format = args_text(r->args, "output");
    int rc = fetch(r, "/api/v1/projects", &answer, err);
    if (rc < 0)
        return rc;
    AUTO_JSON items = items_of(answer);
    if (str_eq(format, "name")) {
        print_members(items, "metadata", "name");
    } else if (is_wide(format)) {
        str_puts(&rows, "NAME\tDESCRIPTION\tDESTINATIONS\tSOURCES\tCLUSTER-RESOURCE-WHITELIST\t"
                        "NAMESPACE-RESOURCE-BLACKLIST\tSIGNATURE-KEYS\tORPHANED-RESOURCES\t"
                        "DESTINATION-SERVICE-ACCOUNTS\n");
        for (size_t i = 0; i < json_array_size(items); i++)
            put_project_row(json_array_get(items, i), &rows);
        print_table(&rows);
    } else if (!print_object(items, format)) {
        return print_unknown_format(format, err);
    }
    return 0;
}

#define PROJECT_LINE "%-29s%s\n"

static void print_list(const char *name, const json_t *list, void (*put)(const json_t *, str_t *))
{
    size_t n = json_array_size(list);
    if (!n)
        printf_out(PROJECT_LINE, name, "<none>");
    for (size_t i = 0; i < n; i++) {
        AUTO_STR value = STR_INIT;
        put(json_array_get(list, i), &value);
        printf_out(PROJECT_LINE, i ? "" : name, str_text(&value));
    }
}

static void print_keys(const json_t *keys)
{
    AUTO_STR value = STR_INIT;
    for (size_t i = 0; i < json_array_size(keys); i++)
        str_printf(&value, "%s%s", i ? ", " : "", text(json_array_get(keys, i), "keyID"));
    printf_out(PROJECT_LINE, "Signature keys:", value.len ? str_text(&value) : "<none>");
}

static void print_project(const json_t *detailed)
{
    const json_t *p = json_object_get(detailed, "project"), *spec = json_object_get(p, "spec");
    AUTO_STR orphans = STR_INIT;
    put_orphans(p, &orphans);
    printf_out(PROJECT_LINE, "Name:", str_or_empty(json_str_at(p, "metadata", "name")));
    printf_out(PROJECT_LINE, "Description:", text(spec, "description"));
    print_list("Destinations:", json_object_get(spec, "destinations"), put_destination);
    print_list("Repositories:", json_object_get(spec, "sourceRepos"), put_text);
    print_list("Source Namespaces:", json_object_get(spec, "sourceNamespaces"), put_text);
    print_list("Scoped Repositories:", json_object_get(detailed, "repositories"), put_repo);
    print_list("Allowed Cluster Resources:", json_object_get(spec, "clusterResourceWhitelist"), put_kind);
    print_list("Scoped Clusters:", json_object_get(detailed, "clusters"), put_server);
    print_list("Denied Namespaced Resources:", json_object_get(spec, "namespaceResourceBlacklist"), put_kind);
    print_keys(json_object_get(spec, "signatureKeys"));
    printf_out(PROJECT_LINE, "Orphaned Resources:", str_text(&orphans));
}

int project_get(struct run *r, err_t **err)
{
    AUTO_JSON answer = NULL;
    AUTO_STR path = STR_INIT;
    const char *format = args_text(r->args, "output");
    if (args_count(r->args) != 1)
        return run_usage(r);
    str_puts(&path, "/api/v1/projects");
    path_add(&path, args_rest(r->args)[0]);
    str_puts(&path, "/detailed");
    int rc = fetch(r, str_text(&path), &answer, err);
    if (rc < 0)
        return rc;
    if (is_wide(format))
        print_project(answer);
    else if (!print_object(json_object_get(answer, "project"), format))
        return print_unknown_format(format, err);
    return 0;
}

/* ---- clusters ---- */

static void put_cluster_row(const json_t *c, str_t *out)
{
    size_t namespaces = json_array_size(json_object_get(c, "namespaces"));
    str_puts(out, text(c, "server"));
    if (namespaces)
        str_printf(out, " (%zu namespaces)", namespaces);
    str_printf(out, "\t%s\t%s\t%s\t%s\t%s\n", text(c, "name"),
               str_or_empty(json_str_at(c, "info", "serverVersion")),
               str_or_empty(json_str_at(c, "info", "connectionState", "status")),
               str_or_empty(json_str_at(c, "info", "connectionState", "message")), text(c, "project"));
}

int cluster_list(struct run *r, err_t **err)
{
    AUTO_JSON answer = NULL;
    AUTO_STR rows = STR_INIT;
    const char *format = args_text(r->args, "output");
    int rc = fetch(r, "/api/v1/clusters", &answer, err);
    if (rc < 0)
        return rc;
    AUTO_JSON items = items_of(answer);
    if (str_eq(format, "server")) {
        print_members(items, "server", NULL);
    } else if (is_wide(format)) {
        str_puts(&rows, "SERVER\tNAME\tVERSION\tSTATUS\tMESSAGE\tPROJECT\n");
        for (size_t i = 0; i < json_array_size(items); i++)
            put_cluster_row(json_array_get(items, i), &rows);
        print_table(&rows);
    } else if (!print_document(items, format)) {
        return print_unknown_format(format, err);
    }
    return 0;
}

static void print_cluster(const json_t *c)
{
    const json_t *config = json_object_get(c, "config"), *tls = json_object_get(config, "tlsClientConfig");
    const json_t *namespaces = json_object_get(c, "namespaces");
    AUTO_STR list = STR_INIT;
    put_joined(namespaces, ", ", &list);
    printf_out("Cluster information\n\n");
    printf_out("  Server URL:            %s\n", text(c, "server"));
    printf_out("  Server Name:           %s\n", *text(c, "name") ? text(c, "name") : "-");
    printf_out("  Server Version:        %s\n", str_or_empty(json_str_at(c, "info", "serverVersion")));
    printf_out("  Namespaces:        \t %s\n",
               json_array_size(namespaces) ? str_text(&list) : "all namespaces");
    printf_out("\nTLS configuration\n\n");
    printf_out("  Client cert:           %s\n", bool_text(*text(tls, "certData") != 0));
    printf_out("  Cert validation:       %s\n", bool_text(!json_bool_at(tls, "insecure")));
    printf_out("\nAuthentication\n\n");
    printf_out("  Basic authentication:  %s\n", bool_text(*text(config, "username") != 0));
    printf_out("  oAuth authentication:  %s\n", bool_text(*text(config, "bearerToken") != 0));
    printf_out("  AWS authentication:    %s\n",
               bool_text(json_is_map(json_object_get(config, "awsAuthConfig"))));
    printf_out("\nDisable compression: %s\n", bool_text(json_bool_at(config, "disableCompression")));
    printf_out("\nUse proxy: %s\n\n", bool_text(*text(config, "proxyUrl") != 0));
}

static int fetch_clusters(const struct run *r, json_t *out, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    int rc = client_of_run(r, &c, err);
    for (char *const *a = args_rest(r->args); rc == 0 && *a; a++) {
        AUTO_STR path = STR_INIT;
        AUTO_JSON one = NULL;
        bool url = str_has_prefix(*a, "http://") || str_has_prefix(*a, "https://");
        str_puts(&path, "/api/v1/clusters");
        path_add(&path, *a);
        query_add(&path, "id.type", url ? "" : "name");
        rc = client_get(c, str_text(&path), &one, err);
        if (rc == 0)
            json_array_append(out, one);
    }
    return rc;
}

int cluster_get(struct run *r, err_t **err)
{
    AUTO_JSON clusters = json_array();
    const char *format = args_text(r->args, "output");
    if (!args_count(r->args))
        return run_usage(r);
    int rc = fetch_clusters(r, clusters, err);
    if (rc < 0)
        return rc;
    size_t n = json_array_size(clusters);
    if (str_eq(format, "server"))
        print_members(clusters, "server", NULL);
    for (size_t i = 0; i < n && is_wide(format); i++)
        print_cluster(json_array_get(clusters, i));
    if (str_eq(format, "server") || is_wide(format) ||
        print_document(n == 1 ? json_array_get(clusters, 0) : clusters, format))
        return 0;
    return print_unknown_format(format, err);
}

/* ---- repositories ---- */

static bool has_credentials(const json_t *repo)
{
    static const char *const keys[] = {
        "username",          "password",         "bearerToken",         "sshPrivateKey",
        "tlsClientCertData", "tlsClientCertKey", "githubAppPrivateKey", "gcpServiceAccountKey"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (*text(repo, keys[i]))
            return true;
    return json_bool_at(repo, "useAzureWorkloadIdentity");
}

static void put_repo_row(const json_t *r, str_t *out)
{
    str_printf(out, "%s\t%s\t%s\t", text(r, "type"), text(r, "name"), text(r, "repo"));
    str_printf(out, "%s\t%s\t%s\t%s\t",
               bool_text(json_bool_at(r, "insecure") || json_bool_at(r, "insecureIgnoreHostKey")),
               bool_text(json_bool_at(r, "enableOCI")), bool_text(json_bool_at(r, "enableLfs")),
               json_bool_at(r, "inheritedCreds") ? "inherited" : bool_text(has_credentials(r)));
    str_printf(out, "%s\t%s\t%s\n", str_or_empty(json_str_at(r, "connectionState", "status")),
               str_or_empty(json_str_at(r, "connectionState", "message")), text(r, "project"));
}

static int print_repos(const json_t *repos, const char *format, bool single, err_t **err)
{
    AUTO_STR rows = STR_INIT;
    if (str_eq(format, "url")) {
        print_members(repos, "repo", NULL);
    } else if (is_wide(format)) {
        str_puts(&rows, "TYPE\tNAME\tREPO\tINSECURE\tOCI\tLFS\tCREDS\tSTATUS\tMESSAGE\tPROJECT\n");
        for (size_t i = 0; i < json_array_size(repos); i++)
            put_repo_row(json_array_get(repos, i), &rows);
        print_table(&rows);
    } else if (!print_document(single ? json_array_get(repos, 0) : repos, format)) {
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "unknown output format: %s. Supported formats: yaml|json|url|wide", format);
    }
    return 0;
}

static int check_refresh(const struct run *r, err_t **err)
{
    const char *refresh = args_text(r->args, "refresh");
    if (!*refresh || str_eq(refresh, "hard"))
        return 0;
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown refresh value: %s. Supported values: hard", refresh);
}

int repo_list(struct run *r, err_t **err)
{
    AUTO_JSON answer = NULL;
    AUTO_STR path = STR_INIT;
    int rc = check_refresh(r, err);
    str_puts(&path, "/api/v1/repositories");
    if (*args_text(r->args, "refresh"))
        query_add_bool(&path, "forceRefresh", true);
    if (rc == 0)
        rc = fetch(r, str_text(&path), &answer, err);
    if (rc < 0)
        return rc;
    AUTO_JSON items = items_of(answer);
    return print_repos(items, args_text(r->args, "output"), false, err);
}

int repo_get(struct run *r, err_t **err)
{
    AUTO_JSON repo = NULL, *one = json_array();
    AUTO_STR path = STR_INIT;
    if (args_count(r->args) != 1)
        return run_usage(r);
    int rc = check_refresh(r, err);
    str_puts(&path, "/api/v1/repositories");
    path_add(&path, args_rest(r->args)[0]);
    query_add(&path, "appProject", args_text(r->args, "project"));
    if (*args_text(r->args, "refresh"))
        query_add_bool(&path, "forceRefresh", true);
    if (rc == 0)
        rc = fetch(r, str_text(&path), &repo, err);
    if (rc < 0)
        return rc;
    json_array_append(one, repo);
    return print_repos(one, args_text(r->args, "output"), true, err);
}
