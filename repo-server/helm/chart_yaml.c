#include "repo-server/helm/chart_yaml.h"
#include "common/yaml/yaml.h"

static int read_map(const char *p, size_t n, json_t **out, err_t **err)
{
    AUTO_JSON doc = NULL;
    int r = yaml_read(p, n, NULL, &doc, err);
    if (r == 0 && !json_is_map(doc))
        r = err_set(err, ERR_INVALID_ARGUMENT, "Chart.yaml is no map");
    if (r == 0)
        *out = TAKE(doc);
    return r;
}

static char *maintainer(const json_t *m)
{
    const char *name = str_or_empty(json_str_at(m, "name")), *email = str_or_empty(json_str_at(m, "email"));
    if (!*email)
        return xstrdup(name);
    return *name ? xasprintf("%s <%s>", name, email) : xasprintf("<%s>", email);
}

int chart_yaml_details(const char *p, size_t n, json_t **out, err_t **err)
{
    AUTO_JSON chart = NULL;
    int r = read_map(p, n, &chart, err);
    if (r < 0)
        return r;
    const json_t *list = json_object_get(chart, "maintainers");
    *out = json_object();
    json_put_str(*out, "description", json_str_at(chart, "description"));
    json_put_str(*out, "home", json_str_at(chart, "home"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        AUTO(free_p) char *text = maintainer(json_array_get(list, i));
        if (i == 0)
            json_object_set_new(*out, "maintainers", json_array());
        json_array_append_new(json_object_get(*out, "maintainers"), json_str_new(text));
    }
    return 0;
}

int chart_yaml_dependencies(const char *p, size_t n, json_t **out, err_t **err)
{
    AUTO_JSON chart = NULL;
    int r = read_map(p, n, &chart, err);
    if (r < 0)
        return r;
    json_t *list = json_object_get(chart, "dependencies");
    *out = json_is_array(list) ? json_incref(list) : json_array();
    return 0;
}
