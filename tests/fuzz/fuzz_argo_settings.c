/* "key NUL value NUL key NUL value …": the data of argocd-cm. Equal data have equal epochs, and what was read
 * answers. */
#include "tests/fuzz/fuzz.h"
#include "common/argo/settings.h"

#include "common/engine/script.h"

static void ask(const settings_t *s)
{
    size_t n;
    bool open;
    REQUIRE(settings_tracking(s) && settings_masked_annotations(s) != (char *const *)-1);
    settings_excludes(s, "apps", "Deployment", "https://kubernetes.default.svc");
    settings_health_script(s, "argoproj.io", "Rollout");
    settings_actions(s, "apps", "Deployment", &open);
    settings_customizes(s, "apps", "Deployment");
    settings_global_projects(s);
    settings_ignore_update_rules(s, &n);
    settings_known_types(s, &n);
    const struct ignore_rule *rules = settings_ignore_rules(s, &n);
    for (size_t i = 0; i < n; i++)
        REQUIRE(rules[i].group && rules[i].kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON object = json_object();
    json_t *values = json_object();
    json_object_set_new(object, "data", values);
    while (size > 0) {
        AUTO(free_p) char *key = take_text(&data, &size);
        AUTO(free_p) char *value = take_text(&data, &size);
        AUTO_JSON text = json_string(value); /* NULL when it is not UTF-8: no API server has such */
        if (text)
            json_object_set(values, key, text);
    }
    AUTO(settings_unref_p) settings_t *s = NULL;
    AUTO(settings_unref_p) settings_t *again = NULL;
    AUTO_STR warnings = STR_MAX(1 << 16);
    if (settings_parse(object, &s, &warnings, NULL) < 0)
        return 0;
    ask(s);
    REQUIRE(settings_parse(object, &again, NULL, NULL) == 0 && settings_epoch(s) == settings_epoch(again));
    return 0;
}
