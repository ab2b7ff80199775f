/* "document NUL patch": a JSON patch applies wholly or not at all, and what a pointer names can be removed.
 */
#include "tests/fuzz/fuzz.h"
#include "common/json/patch.h"

static void pointers(const json_t *doc, const json_t *patch)
{
    for (size_t i = 0; i < json_array_size(patch); i++) {
        const char *pointer = json_str_at(json_array_get(patch, i), "path");
        if (!pointer)
            continue;
        AUTO_JSON copy = json_copy_deep(doc);
        bool there = json_pointer_get(copy, pointer) != NULL;
        int r = json_pointer_remove(copy, pointer, NULL);
        REQUIRE((r == 0) == (there && *pointer));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *text = take_text(&data, &size);
    AUTO_JSON doc = NULL;
    AUTO_JSON patch = NULL;
    if (json_read_str(text, &doc, NULL) < 0 || json_read((const char *)data, size, &patch, NULL) < 0)
        return 0;
    AUTO_JSON before = json_copy_deep(doc);
    AUTO_JSON patch_before = json_copy_deep(patch);
    AUTO_JSON result = json_copy_deep(doc);
    AUTO_ERR err = NULL;
    int r = json_patch_apply(&result, patch, &err);
    REQUIRE(r == 0 || (err && json_same(result, before)));
    REQUIRE(json_same(patch, patch_before));
    AUTO_STR out = STR_INIT;
    json_write(result, JSON_GO, &out);
    pointers(doc, patch);
    return 0;
}
