/* A label selector: accepted or refused; "!" before a key that is there never matches together with the key.
 */
#include "tests/fuzz/fuzz.h"

#include "common/argo/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p)
    char *text = take_text(&data, &size), *key = take_text(&data, &size), *value = take_text(&data, &size);
    AUTO(selector_free_p) selector_t *s = NULL;
    AUTO_JSON labels = json_object();
    if (strlen(text) > 2000 || !utf8_valid(key, strlen(key)) || !utf8_valid(value, strlen(value)))
        return 0;
    json_object_set_new(labels, key, json_string(value));
    if (selector_parse(text, &s, NULL) < 0)
        return 0;
    selector_matches(s, labels);
    selector_matches(s, NULL);
    return 0;
}
