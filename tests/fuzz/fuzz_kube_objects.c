/* Any object through what a cluster's objects go through. What is done to make objects comparable is done
 * once; nothing of a Secret's values is left by the masks. */
#include "tests/fuzz/fuzz.h"
#include "common/engine/defaults.h"
#include "common/engine/health.h"
#include "common/engine/hooks.h"
#include "common/engine/mask.h"
#include "common/engine/node_info.h"
#include "common/engine/node_network.h"
#include "common/engine/normalize.h"
#include "common/engine/script.h"
#include "common/engine/typed.h"
#include "common/kinds/kinds.h"

static void look(const json_t *o, const char *group, const char *kind)
{
    static script_host_t *host;
    if (!host)
        host = script_host_new();
    const struct health_overrides bundled = {.host = host};
    struct health h = {}, again = {};
    struct node_info info = {}, same = {};
    health_assess_by(&bundled, o, &h, NULL);
    health_assess_by(&bundled, o, &again, NULL);
    REQUIRE(h.status == again.status && str_eq(h.message, again.message));
    health_dispose(&h);
    health_dispose(&again);
    node_info_of(o, (char *[]){(char *)"team", NULL}, &info);
    node_info_of(o, (char *[]){(char *)"team", NULL}, &same);
    REQUIRE(node_info_same(&info, &same));
    AUTO_JSON read = NULL;
    REQUIRE(!info.info || json_read_str(info.info, &read, NULL) == 0);
    AUTO_JSON items = node_info_items(&info, read);
    AUTO_JSON network = node_networking(group, kind, o);
    free(pod_status_reason(o));
    REQUIRE(json_is_array(items) && json_is_map(network));
    node_info_release(&info);
    node_info_release(&same);
    int wave = object_wave(o);
    REQUIRE(wave >= -WAVE_MAX && wave <= WAVE_MAX);
    REQUIRE(!(hook_types(o) & ~HOOK_SKIP) || object_is_hook(o));
    hook_delete_policies(o);
    object_is_ignored_hook(o);
}

static void normalise(const json_t *o)
{
    const struct normalize_options options = {};
    AUTO_JSON once = json_copy_deep(o);
    defaults_apply(once);
    AUTO_JSON twice = json_copy_deep(once);
    defaults_apply(twice);
    REQUIRE(json_same(once, twice));
    normalize_object(&once, &options);
    json_decref(twice);
    twice = json_copy_deep(once);
    normalize_object(&twice, &options);
    REQUIRE(json_same(once, twice));
}

static void retype(const json_t *o, const char *group, const char *version, const char *kind)
{
    const struct schema *s = kind_schema(group, version, kind);
    AUTO_JSON once = s ? typed_reencode(o, s) : NULL;
    AUTO_JSON twice = once ? typed_reencode(once, s) : NULL;
    REQUIRE(!once || (twice && json_same(once, twice)));
}

static void mask(const json_t *o)
{
    static const unsigned char key[MASK_KEY_SIZE] = {1};
    AUTO_JSON masked = json_copy_deep(o);
    AUTO_JSON stored = json_copy_deep(o);
    mask_secrets(&masked, 1, NULL);
    mask_for_storage(stored, key);
    if (!object_is_secret(o))
        return;
    const char *name;
    json_t *value, *data = json_object_get(masked, "data");
    REQUIRE(!json_object_get(masked, "stringData") && (!data || json_is_map(data) || json_is_null(data)));
    json_object_foreach(data, name, value) {
        const char *text = json_string_value(value);
        REQUIRE(text && strspn(text, "+") == strlen(text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON o = NULL;
    if (json_read((const char *)data, size, &o, NULL) < 0 || !json_is_map(o))
        return 0;
    AUTO(free_p) char *group = object_group(o);
    AUTO(free_p) char *version = object_version(o);
    look(o, group, object_kind(o));
    normalise(o);
    retype(o, group, version, object_kind(o));
    mask(o);
    return 0;
}
