/* "value NUL object": what a helper answers for a health script, a discovery, an action and a path
 * expression. */
#include "tests/fuzz/fuzz.h"
#include "common/engine/script.h"
#include "common/engine/script_actions.h"
#include "common/eval/eval.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *tv = take_text(&data, &size);
    AUTO(free_p) char *to = take_text(&data, &size);
    AUTO_JSON value = NULL;
    AUTO_JSON object = NULL;
    AUTO_JSON actions = json_array();
    AUTO_JSON changes = NULL;
    AUTO_JSON left = NULL;
    struct health h = {};
    if (json_read_str(tv, &value, NULL) < 0)
        return 0;
    if (json_read_str(to, &object, NULL) < 0)
        object = json_object();
    if (script_health_of(value, &h, NULL) == 0)
        REQUIRE(h.status < HEALTH_STATUS_MAX);
    health_dispose(&h);
    script_actions_add(actions, value, NULL);
    size_t i;
    json_t *a;
    json_array_foreach(actions, i, a)
        REQUIRE(json_str_at(a, "name"));
    if (script_action_changes(value, object, &changes, NULL) == 0)
        REQUIRE(json_is_array(changes));
    if (eval_delete_paths(object, value, &left, NULL) == 0)
        REQUIRE(left);
    return 0;
}
