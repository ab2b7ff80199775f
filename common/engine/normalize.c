#include "common/engine/normalize.h"
#include "common/engine/known_types.h"
#include "common/base/enc.h"
#include "common/base/glob.h"
#include "common/json/patch.h"

bool ignore_rule_matches(const struct ignore_rule *r, const json_t *object)
{
    if (!str_empty(r->name) && strcmp(r->name, object_name(object)) != 0)
        return false;
    if (!str_empty(r->ns) && strcmp(r->ns, object_namespace(object)) != 0)
        return false;
    AUTO(free_p) char *group = object_group(object);
    return glob_match(str_or_empty(r->group), group, NULL) &&
           glob_match(str_or_empty(r->kind), object_kind(object), NULL);
}

bool object_is_secret(const json_t *object)
{
    view_t group, version;
    api_version_split(json_str_at(object, "apiVersion"), &group, &version);
    return group.n == 0 && strcmp(object_kind(object), "Secret") == 0;
}

json_t *object_last_applied(const json_t *live)
{
    const char *text = object_annotation(live, LAST_APPLIED);
    json_t *out = NULL;
    if (!text || json_read_str(text, &out, NULL) < 0)
        return NULL;
    if (!json_is_map(out)) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static json_t *base64_of(const json_t *text)
{
    AUTO_STR out = STR_INIT;
    base64_encode(json_string_value(text), json_string_length(text), &out);
    return json_str_new(str_text(&out));
}

void normalize_secret(json_t *object)
{
    json_t *plain = json_object_get(object, "stringData");
    if (json_is_map(plain)) {
        json_t *data = json_object_get(object, "data");
        if (!json_is_map(data)) {
            data = json_object();
            json_object_set_new_nocheck(object, "data", data);
        }
        for (void *it = json_object_iter(plain); it; it = json_object_iter_next(plain, it)) {
            json_t *v = json_object_iter_value(it);
            json_t *coded = json_is_string(v) ? base64_of(v) : json_incref(v);
            json_object_set_new_nocheck(data, json_object_iter_key(it), coded);
        }
        json_object_del(object, "stringData");
    }
    json_t *data = json_object_get(object, "data");
    for (void *it = json_object_iter(data); it; it = json_object_iter_next(data, it))
        if (json_is_null(json_object_iter_value(it)))
            json_object_iter_set_new(data, it, json_str_new(""));
}

static void normalize_role(json_t *o, bool ignore_aggregated)
{
    json_t *rules = json_object_get(o, "rules");
    bool aggregated = json_is_map(json_object_get(o, "aggregationRule"));
    if ((json_is_array(rules) && json_array_size(rules) == 0) || (ignore_aggregated && aggregated && rules))
        json_object_set_new_nocheck(o, "rules", json_null());
}

static int by_value(const void *a, const void *b)
{
    return json_compare(*(json_t *const *)a, *(json_t *const *)b);
}

static void sort_list(json_t *list)
{
    size_t n = json_array_size(list);
    if (n < 2)
        return;
    AUTO(free_p) json_t **items = xcalloc(n, sizeof(*items));
    for (size_t i = 0; i < n; i++)
        items[i] = json_incref(json_array_get(list, i));
    qsort(items, n, sizeof(*items), by_value);
    for (size_t i = 0; i < n; i++)
        json_array_set_new(list, i, items[i]);
}

static void normalize_endpoints(json_t *o)
{
    static const char *const lists[] = {"addresses", "notReadyAddresses", "ports"};
    json_t *subsets = json_object_get(o, "subsets");
    for (size_t i = 0; i < json_array_size(subsets); i++) {
        json_t *subset = json_array_get(subsets, i), *ports = json_object_get(subset, "ports");
        for (size_t p = 0; p < json_array_size(ports); p++)
            if (str_empty(json_str_at(json_array_get(ports, p), "protocol")))
                json_set_str(json_array_get(ports, p), "protocol", "TCP");
        for (size_t l = 0; l < ARRAY_LEN(lists); l++)
            sort_list(json_object_get(subset, lists[l]));
    }
    sort_list(subsets);
}

void normalize_by_rules(json_t **object, const struct normalize_options *options)
{
    for (size_t i = 0; i < options->nrules; i++) {
        const struct ignore_rule *r = &options->rules[i];
        if (!ignore_rule_matches(r, *object))
            continue;
        for (size_t p = 0; r->pointers && r->pointers[p]; p++)
            json_pointer_remove(*object, r->pointers[p], NULL);
        for (size_t q = 0; options->jq_delete && r->jq && r->jq[q]; q++) {
            json_t *reduced = options->jq_delete(options->jq_ctx, r->jq[q], *object);
            if (reduced) {
                json_decref(*object);
                *object = reduced;
            }
        }
    }
}

void normalize_object(json_t **object, const struct normalize_options *options)
{
    json_t *o = *object;
    json_drop_at(o, "metadata", "creationTimestamp");
    AUTO(free_p) char *group = object_group(o);
    const char *kind = object_kind(o);
    bool role = strcmp(kind, "Role") == 0 || strcmp(kind, "ClusterRole") == 0;
    if (object_is_secret(o))
        normalize_secret(o);
    else if (role && strcmp(group, "rbac.authorization.k8s.io") == 0)
        normalize_role(o, options->ignore_aggregated_roles);
    else if (strcmp(kind, "Endpoints") == 0 && !*group)
        normalize_endpoints(o);
    normalize_by_rules(object, options);
    known_types_apply(*object, options->types, options->ntypes);
}
