/* "label selector NUL field selector NUL object": any text ends in a selector or in an error that says why;
 * and a selector matches the bytes of an object exactly when it matches the document. */
#include "tests/fuzz/fuzz.h"
#include "tests/kubesim/selector.h"

static const char *get_field(void *arg, const char *key)
{
    return json_str_at(arg, "metadata", key);
}

static bool all_strings(const json_t *labels)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)labels, key, value)
        if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
            return false;
    return true;
}

/* Objects are stored as our writer writes them. */
static void same_over_bytes(const selector_t *s, const json_t *object)
{
    json_t *meta = json_object_get(object, "metadata"), *labels = json_object_get(meta, "labels");
    if (!json_is_map(meta) || !all_strings(labels))
        return;
    AUTO(free_p) char *text = json_text(meta, JSON_GO);
    REQUIRE(selector_matches_meta(s, view_of(text)) ==
            selector_matches_labels(s, json_is_map(labels) ? labels : NULL));
    AUTO_STR name = STR_INIT;
    AUTO(free_p) char *whole = json_text(object, JSON_GO);
    const char *want = json_str_at(object, "metadata", "name");
    REQUIRE(scan_field(view_of(whole), "metadata.name", &name));
    if (want && strlen(want) == json_string_length(json_object_get(meta, "name")))
        REQUIRE(strcmp(str_text(&name), want) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *labels = take_text(&data, &size);
    AUTO(free_p) char *fields = take_text(&data, &size);
    AUTO_SELECTOR by_label = {};
    AUTO_SELECTOR by_field = {};
    AUTO_ERR err = NULL;
    json_t *object = NULL;
    if (json_read((const char *)data, size, &object, NULL) < 0)
        object = json_object();
    REQUIRE(label_selector_parse(labels, &by_label, &err) == 0 ? !err : *err_text(err) != 0);
    err_clear(&err);
    REQUIRE(field_selector_parse(fields, &by_field, &err) == 0 ? !err : *err_text(err) != 0);
    same_over_bytes(&by_label, object);
    selector_matches(&by_field, get_field, object);
    AUTO_STR out = STR_INIT;
    scan_field((view_t){(const char *)data, size}, fields, &out);
    json_decref(object);
    return 0;
}
