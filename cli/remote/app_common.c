/* What the commands about applications share. */
#include "cli/app/show.h"
#include "cli/print.h"
#include "cli/app/spec.h"
#include "cli/remote/commands.h"
#include "common/base/file.h"
#include "common/base/map.h"

#include <unistd.h>

enum { FILE_MAX = 64 << 20 };

void app_path(const char *name, const char *ns, const char *rest, str_t *out)
{
    str_puts(out, "/api/v1/applications");
    path_add(out, name);
    str_puts(out, rest);
    query_add(out, "appNamespace", ns);
}

int app_fetch(client_t *c, const char *name, const char *ns, const char *refresh, json_t **out, err_t **err)
{
    AUTO_STR path = STR_INIT;
    app_path(name, ns, "", &path);
    query_add(&path, "refresh", refresh);
    return client_get(c, str_text(&path), out, err);
}

static bool has_health(const json_t *resources)
{
    size_t i;
    json_t *r;
    json_array_foreach((json_t *)(uintptr_t)resources, i, r)
        if (json_object_get(r, "health"))
            return true;
    return false;
}

static char *resource_key(const json_t *r)
{
    return xasprintf("%s/%s/%s/%s", str_or_empty(json_str_at(r, "group")),
                     str_or_empty(json_str_at(r, "kind")), str_or_empty(json_str_at(r, "namespace")),
                     str_or_empty(json_str_at(r, "name")));
}

static void take_health(json_t *resources, const json_t *nodes)
{
    map_t healths = MAP_INIT(NULL); /* of the nodes, borrowed */
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)(uintptr_t)nodes, i, v) {
        AUTO(free_p) char *key = resource_key(v);
        map_put(&healths, key, json_object_get(v, "health"));
    }
    json_array_foreach(resources, i, v) {
        AUTO(free_p) char *key = resource_key(v);
        json_t *health = map_get(&healths, key);
        if (health)
            json_object_set(v, "health", health);
        else if (!map_has(&healths, key))
            json_put_at(v, json_string("Missing"), "health", "status");
    }
    map_dispose(&healths);
}

void app_fill_health(client_t *c, json_t *app)
{
    json_t *status = json_object_get(app, "status"), *resources = json_object_get(status, "resources");
    AUTO_STR path = STR_INIT;
    AUTO_JSON tree = NULL;
    if (!str_eq(json_str_at(status, "resourceHealthSource"), "appTree") || !json_array_size(resources) ||
        has_health(resources))
        return;
    app_path(str_or_empty(json_str_at(app, "metadata", "name")), json_str_at(app, "metadata", "namespace"),
             "/resource-tree", &path);
    if (client_get(c, str_text(&path), &tree, NULL) == 0)
        take_health(resources, json_object_get(tree, "nodes"));
}

int apps_select(client_t *c, const char *selector, const char *ns, char *const *projects, names_t *names,
                err_t **err)
{
    AUTO_STR path = STR_INIT;
    AUTO_JSON list = NULL;
    str_puts(&path, "/api/v1/applications");
    query_add(&path, "selector", selector);
    query_add(&path, "appNamespace", ns);
    for (; projects && *projects; projects++)
        query_add(&path, "projects", *projects);
    int rc = client_get(c, str_text(&path), &list, err);
    size_t i;
    json_t *app;
    json_array_foreach(json_object_get(list, "items"), i, app) {
        VEC_PUSH(names, app_qualified_name(app));
    }
    return rc;
}

void names_dispose(names_t *names)
{
    VEC_FOREACH(names, n)
        free(*n);
    VEC_FREE(names);
}

int app_url(client_t *c, const char *name, char **out, err_t **err)
{
    AUTO_JSON settings = NULL;
    int rc = client_get(c, "/api/v1/settings", &settings, err);
    if (rc < 0)
        return rc;
    const char *url = json_str_at(settings, "url");
    const char *server = client_server(c);
    size_t n = strlen(server);
    if (!str_empty(url))
        *out = xasprintf("%s/applications/%s", url, name);
    else if (client_plaintext(c))
        *out = xasprintf("http://%s/applications/%s", server, name);
    else
        *out = xasprintf("https://%.*s/applications/%s", (int)(str_has_suffix(server, ":443") ? n - 4 : n),
                         server, name);
    return 0;
}

/* ---- several sources ---- */

int source_position_of(const struct run *r, const json_t *app, int64_t *out, err_t **err)
{
    const char *name = args_text(r->args, "source-name");
    *out = args_int(r->args, "source-position");
    if (*name && *out != -1)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Only one of source-position and source-name can be specified.");
    return *name ? source_position(app, name, out, err) : 0;
}

int source_position_check(const json_t *app, int64_t position, err_t **err)
{
    if (position <= 0)
        return err_set(
            err, ERR_INVALID_ARGUMENT,
            "Source position should be specified and must be greater than 0 for applications with multiple "
            "sources");
    if ((int64_t)json_array_size(json_at(app, "spec", "sources")) < position)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Source position should be less than the number of sources in the application");
    return 0;
}

static int check_revisions(const struct run *r, err_t **err)
{
    size_t revisions = args_list_count(r->args, "revisions"),
           positions = args_list_count(r->args, "source-positions"),
           names = args_list_count(r->args, "source-names");
    if (positions && names)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Only one of source-positions and source-names can be specified.");
    if ((positions && positions != revisions) || (names && names != revisions))
        return err_set(
            err, ERR_INVALID_ARGUMENT,
            "While using --revisions and --source-%s, length of values for both flags should be same.",
            positions ? "positions" : "names");
    for (char *const *p = args_list(r->args, "source-positions"); *p; p++)
        if (**p == '-' || **p == '0')
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "source-position cannot be less than or equal to 0, Counting starts at 1");
    return 0;
}

int revisions_of_run(const struct run *r, const json_t *app, json_t *into, err_t **err)
{
    int rc = check_revisions(r, err);
    if (rc < 0 || !args_list_count(r->args, "revisions"))
        return rc;
    json_t *revisions = json_array(), *positions = json_array();
    json_object_set_new(into, "revisions", revisions);
    json_object_set_new(into, "sourcePositions", positions);
    for (char *const *t = args_list(r->args, "revisions"); *t; t++)
        json_array_append_new(revisions, json_str_new(*t));
    int64_t n = 0;
    for (char *const *t = args_list(r->args, "source-positions"); *t; t++)
        if (str_to_i64(*t, &n))
            json_array_append_new(positions, json_integer(n));
    for (char *const *t = args_list(r->args, "source-names"); rc == 0 && *t; t++) {
        rc = source_position(app, *t, &n, err);
        if (rc == 0)
            json_array_append_new(positions, json_integer(n));
    }
    return rc;
}

/* ---- files ---- */

/* From anywhere: the request carries nothing of ours. */
static int load_url(const char *url, str_t *out, err_t **err)
{
    http_t *h = http_new("http");
    struct http_response response = {};
    const struct http_request request = {
        .url = url, .max_body = FILE_MAX, .max_redirects = 10, .timeout_ns = SECONDS(60)};
    int rc = http_do(h, &request, &response, err);
    if (rc == 0 && response.status != 200)
        rc = err_set(err, err_code_from_http(response.status), "%s: status %d", url, response.status);
    if (rc == 0)
        str_add(out, response.body.p, response.body.len);
    http_response_dispose(&response);
    http_free(h);
    return rc;
}

int load_file(void *arg, const char *where, str_t *out, err_t **err)
{
    (void)arg;
    if (!strcmp(where, "-"))
        return fd_read_all(STDIN_FILENO, "standard input", out, err);
    if (str_has_prefix(where, "http://") || str_has_prefix(where, "https://"))
        return load_url(where, out, err);
    return file_read(where, out, err);
}
