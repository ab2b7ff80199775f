#include "tests/kubesim/scale.h"

#include "tests/kubesim/status.h"

/* "{.spec.replicas}" and ".spec.replicas" are the same path. Borrowed. */
static json_t *at_path(const json_t *o, const char *path)
{
    AUTO(free_p) char **parts = strv_split(str_or_empty(path), ".", true);
    for (char **p = parts; *p; p++) {
        o = json_object_get(o, *p);
        free(*p);
    }
    return (json_t *)(uintptr_t)o;
}

static void put_path(json_t *o, const char *path, json_t *value_take)
{
    AUTO(free_p) char **parts = strv_split(str_or_empty(path), ".", true);
    for (char **p = parts; *p; p++) {
        json_t *next = json_object_get(o, *p);
        if (!p[1])
            json_object_set_new(o, *p, value_take);
        else if (!json_is_map(next))
            json_object_set_new(o, *p, next = json_object());
        o = next;
        free(*p);
    }
}

static const char *spec_path(const struct endpoint *e)
{
    return e->spec_replicas ? e->spec_replicas : ".spec.replicas";
}

/* The selector as text: "a=b,c in (d,e)". */
static char *selector_text(const json_t *selector)
{
    json_t *labels = json_object_get(selector, "matchLabels"), *v;
    AUTO(free_p) const char **keys = json_sorted_keys(json_is_map(labels) ? labels : selector);
    AUTO_STR out = STR_INIT;
    size_t i;
    for (const char **k = keys; *k; k++)
        if ((v = json_object_get(json_is_map(labels) ? labels : selector, *k)) && json_is_string(v))
            str_printf(&out, "%s%s=%s", out.len ? "," : "", *k, json_string_value(v));
    json_array_foreach(json_object_get(selector, "matchExpressions"), i, v) {
        const char *op = str_or_empty(json_str_at(v, "operator")), *key = str_or_empty(json_str_at(v, "key"));
        json_t *value;
        size_t k;
        str_puts(&out, out.len ? "," : "");
        if (strcmp(op, "In") != 0 && strcmp(op, "NotIn") != 0) {
            str_printf(&out, "%s%s", strcmp(op, "Exists") == 0 ? "" : "!", key);
            continue;
        }
        str_printf(&out, "%s %s (", key, strcmp(op, "In") == 0 ? "in" : "notin");
        json_array_foreach(json_object_get(v, "values"), k, value)
            str_printf(&out, "%s%s", k ? "," : "", str_or_empty(json_string_value(value)));
        str_putc(&out, ')');
    }
    return str_take(&out);
}

json_t *scale_read(const struct endpoint *e, const struct blob *b, bool for_patch, json_t **failure)
{
    static const char *const copied[] = {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"};
    AUTO_JSON o = read_blob(e, b);
    if (!at_path(o, spec_path(e))) {
        *failure = status_failure(500, "InternalError",
                                  "Internal error occurred: the spec replicas field \"%s\" does not exist",
                                  spec_path(e));
        if (!for_patch)
            return NULL;
        json_decref(TAKE(*failure));
    }
    json_t *scale = json_pack("{s:s,s:s,s:{},s:{},s:{}}", "kind", "Scale", "apiVersion", "autoscaling/v1",
                              "metadata", "spec", "status");
    for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
        json_t *v = json_at(o, "metadata", copied[i]);
        if (v)
            json_put_at(scale, json_incref(v), "metadata", copied[i]);
    }
    json_t *want = at_path(o, spec_path(e)),
           *have = at_path(o, e->status_replicas ? e->status_replicas : ".status.replicas");
    if (want)
        json_put_at(scale, json_incref(want), "spec", "replicas");
    json_put_at(scale, have ? json_incref(have) : json_integer(0), "status", "replicas");
    json_t *custom = e->label_selector ? at_path(o, e->label_selector) : NULL;
    AUTO(free_p)
    char *text = e->resource->flags & R_CUSTOM ? xstrdup(json_string_value(custom))
                                               : selector_text(json_at(o, "spec", "selector"));
    if (!str_empty(text))
        json_put_at(scale, json_string(text), "status", "selector");
    return scale;
}

json_t *scale_update(struct sim *s, const struct write *w, json_t *scale, json_t **failure)
{
    struct blob *b = store_get(w->endpoint->resource, w->ns, w->name);
    int64_t n = 0;
    json_t *causes = NULL, *replicas = json_at(scale, "spec", "replicas");
    if (!b) {
        *failure = status_not_found(w->endpoint->resource, w->name);
        return NULL;
    }
    if (replicas && (!json_to_i64(replicas, &n) || n < 0)) {
        problem_add(&causes, P_INVALID, "spec.replicas", "%lld: must be greater than or equal to 0",
                    (long long)n);
        *failure = status_invalid("autoscaling", "Scale", w->name, causes);
        return NULL;
    }
    json_t *o = read_blob(w->endpoint, b);
    const char *rv = json_str_at(scale, "metadata", "resourceVersion");
    if (!str_empty(rv))
        json_put_at(o, json_string(rv), "metadata", "resourceVersion");
    put_path(o, spec_path(w->endpoint), json_integer(n));
    AUTO_JSON stored = write_scaled(s, w, o, failure);
    b = stored ? store_get(w->endpoint->resource, w->ns, w->name) : NULL;
    if (!b)
        return NULL;
    json_t *result = scale_read(w->endpoint, b, true, failure);
    if (w->dry_run)
        json_put_at(result, json_integer(n), "spec", "replicas");
    return result;
}
