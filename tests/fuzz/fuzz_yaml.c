/* What is read as YAML is written and read back the same, byte for byte the second time; strict reading only
 * refuses more. */
#include "tests/fuzz/fuzz.h"
#include "common/yaml/yaml.h"

static void reads_back(const json_t *v)
{
    AUTO_STR text = STR_INIT, again = STR_INIT;
    AUTO_JSON back = NULL;
    AUTO_ERR err = NULL;
    yaml_write(v, &text);
    REQUIRE(utf8_valid(text.p, text.len));
    REQUIRE(yaml_read(text.p, text.len, NULL, &back, &err) == 0);
    REQUIRE(json_same(v, back));
    yaml_write(back, &again);
    REQUIRE(strcmp(str_text(&text), str_text(&again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    const struct yaml_options options = {.max_nodes = 20000},
                              strict = {.strict_keys = true, .max_nodes = 20000};
    AUTO_ERR err = NULL;
    AUTO_JSON v = NULL;
    AUTO_JSON s = NULL;
    AUTO_JSON j = NULL;
    int r = yaml_read(p, size, &options, &v, &err);
    REQUIRE((r == 0) == (v != NULL) && (r == 0) == (err == NULL));
    if (yaml_read(p, size, &strict, &s, NULL) == 0)
        REQUIRE(r == 0 && json_same(v, s));
    if (r < 0)
        return 0;
    AUTO_STR json = STR_INIT;
    json_write(v, JSON_GO, &json);
    REQUIRE(json_read(json.p, json.len, &j, NULL) == 0 && json_same(v, j));
    reads_back(v);
    return 0;
}
