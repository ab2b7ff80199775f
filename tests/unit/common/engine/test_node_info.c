#include "common/engine/node_info.h"
#include "tests/unit/golden.h"

static json_t *open(const char *text)
{
    return text ? json_of(text) : NULL;
}

static int by_text(const void *a, const void *b)
{
    return json_compare(*(json_t *const *)a, *(json_t *const *)b);
}

/* Lists whose order means nothing, sorted; without what is empty. */
static json_t *sorted(const json_t *v)
{
    json_t *out = json_object(), *it_of = (json_t *)(uintptr_t)v;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        json_t *value = json_object_iter_value(it);
        if (json_is_zero(value))
            continue;
        size_t n = json_array_size(value);
        AUTO(free_p) json_t **items = xcalloc(n, sizeof(*items));
        for (size_t i = 0; i < n; i++)
            items[i] = json_array_get(value, i);
        qsort(items, n, sizeof(*items), by_text);
        json_t *copy = n ? json_array() : json_copy_deep(value);
        for (size_t i = 0; i < n; i++)
            json_array_append(copy, items[i]);
        json_object_set_new(out, json_object_iter_key(it), copy);
    }
    return out;
}

static void run_case(const json_t *c, const char *what)
{
    const json_t *labels = json_at(c, "labels");
    char *names[4] = {};
    for (size_t i = 0; i < json_array_size(labels); i++)
        names[i] = (char *)(uintptr_t)json_string_value(json_array_get(labels, i));
    struct node_info info = {};
    node_info_of(json_at(c, "object"), labels ? names : NULL, &info);
    AUTO_JSON read = open(info.info);
    json_t *items = node_info_items(&info, read), *images = open(info.images),
           *network = open(info.networking);
    AUTO_JSON have = json_object();
    AUTO_JSON lists = json_pack("{s:o,s:o}", "images", images ? images : json_null(), "info", json_null());
    json_object_set_new(have, "info", items);
    json_object_set_new(have, "lists", sorted(lists));
    json_object_set_new(have, "networking", sorted(network));
    json_decref(network);
    AUTO_JSON wanted = json_object();
    const json_t *shown = json_at(c, "expect", "info");
    AUTO_JSON wanted_lists = json_pack("{s:O}", "images", json_at(c, "expect", "images"));
    json_object_set_new(wanted, "info", json_is_array(shown) ? json_copy_deep(shown) : json_array());
    json_object_set_new(wanted, "lists", sorted(wanted_lists));
    json_object_set_new(wanted, "networking", sorted(json_at(c, "expect", "networking")));
    AUTO(free_p) char *object = json_text(json_at(c, "object"), JSON_GO);
    AUTO(free_p) char *where = xasprintf("%s %s", what, object);
    assert_json_same(have, wanted, where);
    node_info_release(&info);
}

static void as_argo_cd(void **state)
{
    golden_each("node-info/cases.jsonl", 500, run_case);
}

static void nodes_tell_what_they_have(void **state)
{
    AUTO_JSON node = json_of("{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n\","
                             "\"labels\":{\"zone\":\"a\"}},\"status\":{"
                             "\"capacity\":{\"cpu\":\"2\",\"memory\":\"1Ki\",\"pods\":\"110\",\"storage\":"
                             "\"0\"},\"nodeInfo\":{\"architecture\":\"amd64\"}}}");
    struct node_info info = {}, other = {};
    node_info_of(node, NULL, &info);
    assert_true(info.is_host);
    AUTO_JSON host = json_of(info.node);
    AUTO_JSON wanted = json_of(
        "{\"capacity\":{\"cpu\":2000,\"memory\":1024000},\"systemInfo\":{\"architecture\":\"amd64\"},"
        "\"labels\":{\"zone\":\"a\"}}");
    assert_json_same(host, wanted, "host");
    json_set_str(json_at(node, "metadata", "labels"), "zone", "b");
    node_info_of(node, NULL, &other);
    assert_false(node_info_same(&info, &other));
    node_info_release(&info);
    node_info_release(&other);
}

TESTS(T(as_argo_cd), T(nodes_tell_what_they_have))
