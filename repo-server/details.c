#include "common/base/map.h"
#include "common/yaml/yaml.h"
#include "repo-server/plugin/plugin.h"
#include "repo-server/details.h"
#include "repo-server/helm/helm.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

enum { MAX_DEPTH = 100, FILE_MAX = 16 << 20, MAX_FILES = 10000, MAX_PARAMETERS = 100000 };

/* ---- Helm ---- */

/* Go's %v of a float64: the shortest digits that read back, with an exponent below 1e-4 and from 1e+06 up
 * ('g'). */
static void put_float(double v, str_t *out)
{
    char digits[40] = "";
    int precision = 0;
    do {
        snprintf(digits, sizeof(digits), "%.*e", precision, v);
    } while (strtod(digits, NULL) != v && ++precision < 17); /* NaN ends at 17 */
    const char *e = strchr(digits, 'e');
    int exponent = e ? (int)strtol(e + 1, NULL, 10) : 0;
    if (exponent < -4 || exponent >= 6)
        str_puts(out, digits);
    else
        str_printf(out, "%.*f", precision > exponent ? precision - exponent : 0, v);
}

static char *leaf_text(const json_t *v)
{
    AUTO_STR s = STR_INIT;
    double d;
    if (json_is_string(v))
        str_puts(&s, json_string_value(v));
    else if (json_is_boolean(v))
        str_puts(&s, json_is_true(v) ? "true" : "false");
    else if (json_to_double(v, &d))
        put_float(d, &s);
    else
        str_puts(&s, "<nil>");
    return str_take(&s);
}

static void flatten(const json_t *v, const char *prefix, unsigned depth, map_t *out)
{
    if (depth > MAX_DEPTH || out->n > MAX_PARAMETERS)
        return;
    if (json_is_map(v)) {
        const char *key;
        json_t *child;
        json_object_foreach((json_t *)v, key, child) {
            AUTO(free_p) char *name = *prefix ? xasprintf("%s.%s", prefix, key) : xstrdup(key);
            flatten(child, name, depth + 1, out);
        }
    } else if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            AUTO(free_p) char *name = xasprintf("%s[%zu]", prefix, i);
            flatten(json_array_get(v, i), name, depth + 1, out);
        }
    } else if (*prefix) {
        map_put(out, prefix, leaf_text(v));
    }
}

void details_flatten(const json_t *values, map_t *out)
{
    flatten(values, "", 0, out);
}

static bool is_values_file(const char *name)
{
    AUTO_STR lower = STR_INIT;
    for (const char *p = name; *p; p++)
        str_putc(&lower, (char)tolower((unsigned char)*p));
    const char *s = str_text(&lower);
    return strstr(name, "values") && (str_has_suffix(s, ".yaml") || str_has_suffix(s, ".yml"));
}

static int find_values(const struct render_input *in, const char *root, const char *dir, unsigned depth,
                       json_t *out, err_t **err)
{
    struct tree_entries entries = {};
    AUTO(free_p) char *full = path_join(root, dir);
    int r = depth > MAX_DEPTH ? 0 : tree_list(in->tree, full, NULL, &entries, err);
    for (size_t i = 0; r == 0 && i < entries.n && json_array_size(out) < MAX_FILES; i++) {
        const struct tree_entry *e = &entries.v[i];
        AUTO(free_p) char *path = *dir ? xasprintf("%s/%s", dir, e->name) : xstrdup(e->name);
        if (e->node.kind == NODE_DIR)
            r = find_values(in, root, path, depth + 1, out, err);
        else if (is_values_file(e->name))
            json_array_append_new(out, json_str_new(path));
    }
    tree_entries_dispose(&entries);
    return r;
}

static int add_text(const char *name, const str_t *text, map_t *parameters, err_t **err)
{
    AUTO_JSON values = NULL;
    int r = yaml_read(str_text(text), text->len, NULL, &values, err);
    if (r == 0)
        details_flatten(values, parameters);
    return r < 0 ? err_wrap(err, "read %s", name) : 0;
}

/* Parameters of one values file, which need not be there. */
static int add_values(tree_t *tree, const char *path, str_t *text, map_t *parameters, err_t **err)
{
    AUTO_ERR why = NULL;
    int r = tree_read(tree, path, text, &why);
    if (r == -ERR_NOT_FOUND)
        return 0;
    return r < 0 ? err_move(err, TAKE(why)) : add_text(path, text, parameters, err);
}

static int add_remote_values(const struct render_input *in, const char *url, map_t *parameters, err_t **err)
{
    AUTO(remote_unref_p) remote_t *remote = NULL;
    struct remote_answer a;
    struct remote_get get = {
        .url = url, .identity = REMOTE_STRANGER, .max = FILE_MAX, .fd = -1, .canceled = in->canceled};
    if (!in->settings->remote)
        return 0;
    int r = remote_new(&(struct remote_access){.url = url}, &remote, err);
    if (r == 0)
        r = remote_get(remote, in->settings->remote, &get, &a, err);
    if (r < 0)
        return r;
    r = a.status == 200 ? add_text(remote->shown, &a.body, parameters, err)
                        : remote_refused(url, a.status, err);
    remote_answer_dispose(&a);
    return r;
}

struct selected {
    const struct render_input *in;
    map_t *parameters;
};

static int add_selected(void *arg, tree_t *tree, const char *path, err_t **err)
{
    struct selected *s = arg;
    AUTO_STR text = STR_MAX(FILE_MAX);
    return tree ? add_values(tree, path, &text, s->parameters, err)
                : add_remote_values(s->in, path, s->parameters, err);
}

static int cmp_names(const void *a, const void *b)
{
    return str_natural_cmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *parameter_list(const map_t *parameters)
{
    json_t *list = json_array();
    AUTO(free_p) const char **names = map_sorted_keys(parameters);
    qsort(names, parameters->n, sizeof(*names), cmp_names);
    for (size_t i = 0; names[i]; i++) {
        json_t *p = json_object();
        json_set_str(p, "name", names[i]);
        json_set_str(p, "value", map_get(parameters, names[i]));
        json_array_append_new(list, p);
    }
    return list;
}

static int helm_details(const struct render_input *in, const struct render_plan *plan, json_t *out,
                        err_t **err)
{
    const json_t *spec = json_object_get(plan->source, "helm");
    map_t parameters = MAP_INIT(free);
    AUTO_STR values = STR_MAX(FILE_MAX);
    AUTO(free_p) char *own = path_join(plan->path, "values.yaml");
    json_t *helm = json_object(), *files = json_array();
    json_object_set_new(out, "helm", helm);
    json_object_set_new(helm, "valueFiles", files);
    int r = find_values(in, plan->path, "", 0, files, err);
    if (r == 0)
        r = add_values(in->tree, own, &values, &parameters, err);
    static const struct build_env none = {}; /* as Argo CD: variables in paths stand for nothing here */
    struct render_input bare = *in;
    struct selected selected = {in, &parameters};
    bare.env = &none;
    if (r == 0)
        r = helm_each_value_file(&bare, plan, add_selected, &selected, err);
    json_set_str(helm, "values", str_text(&values));
    json_object_set_new(helm, "parameters", parameter_list(&parameters));
    if (json_is_array(json_object_get(spec, "fileParameters")))
        json_object_set(helm, "fileParameters", json_object_get(spec, "fileParameters"));
    map_dispose(&parameters);
    return r;
}

/* ---- Kustomize ---- */

static void images(const json_t *v, bool in_containers, unsigned depth, words_t *out)
{
    if (depth > MAX_DEPTH)
        return;
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            const json_t *entry = json_array_get(v, i);
            const char *image = in_containers ? json_str_at(entry, "image") : NULL;
            if (!str_empty(image))
                words_add(out, image);
            images(entry, false, depth + 1, out);
        }
        return;
    }
    const char *key;
    json_t *child;
    json_object_foreach((json_t *)v, key, child) {
        images(child, strcmp(key, "containers") == 0 || strcmp(key, "initContainers") == 0, depth + 1, out);
    }
}

void details_images(const json_t *object, words_t *out)
{
    images(object, false, 0, out);
}

static int cmp_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int kustomize_details(const struct render_input *in, const struct render_plan *plan, json_t *out,
                             err_t **err)
{
    rendered_objects_t objects = {};
    struct render_output rendered = {};
    words_t found = {};
    json_t *kustomize = json_object(), *list = json_array();
    json_object_set_new(out, "kustomize", kustomize);
    json_object_set_new(kustomize, "images", list);
    int r = kustomize_render(in, plan, &objects, &rendered, err);
    VEC_FOREACH(&objects, o)
        details_images(o->doc, &found);
    VEC_SORT(&found, cmp_texts);
    VEC_FOREACH(&found, image)
        json_array_append_new(list, json_str_new(*image));
    words_free(&found);
    rendered_objects_dispose(&objects);
    render_output_dispose(&rendered);
    return r;
}

static int plugin_details(const struct render_input *in, const struct render_plan *plan, json_t *out,
                          err_t **err)
{
    json_t *list = NULL;
    int r = plugin_announcements(in, plan, &list, err);
    if (r == 0)
        json_put_at(out, list, "plugin", "parametersAnnouncement");
    return r;
}

int details_of(const struct render_input *in, json_t **out, err_t **err)
{
    struct render_plan plan = {};
    AUTO_JSON doc = json_object();
    int r = render_plan(in, &plan, err);
    if (r == 0) {
        const char *type = render_plan_type(&plan);
        json_set_str(doc, "type", type);
        if (str_eq(type, "Helm"))
            r = helm_details(in, &plan, doc, err);
        else if (str_eq(type, "Kustomize"))
            r = kustomize_details(in, &plan, doc, err);
        else if (str_eq(type, "Directory"))
            json_object_set_new(doc, "directory", json_object());
        else
            r = plugin_details(in, &plan, doc, err);
    }
    render_plan_dispose(&plan);
    if (r == 0)
        *out = TAKE(doc);
    return r;
}
