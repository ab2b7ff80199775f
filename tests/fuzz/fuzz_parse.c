/* Files of manifests: streams of YAML and JSON, byte order marks included. Every object that comes out has a
 * kind. */
#include "repo-server/parse.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 16)
        return 0;
    AUTO_STR text = STR_MAX(1 << 20);
    rendered_objects_t objects = {};
    json_t *doc = NULL;
    str_add(&text, data, size);
    parse_decode(&text);
    struct parse p = {.name = "f", .objects = &objects};
    parse_run(&p, str_text(&text), text.len, NULL);
    for (size_t i = 0; i < objects.n; i++)
        REQUIRE(json_is_string(json_object_get(objects.v[i].doc, "kind")));
    rendered_objects_dispose(&objects);
    if (parse_json_object(str_text(&text), text.len, &doc, NULL) == 0)
        REQUIRE(json_is_map(doc));
    json_decref(doc);
    return 0;
}
