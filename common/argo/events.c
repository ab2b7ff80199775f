#include "common/argo/events.h"
#include "common/base/glob.h"

bool event_enabled(char *const *setting, const char *reason)
{
    bool any = setting && *setting;
    return !any || strv_contains((char **)(uintptr_t)setting, "all") ||
           strv_contains((char **)(uintptr_t)setting, reason);
}

static bool matches(char *const *globs, const char *key)
{
    for (char *const *g = globs; *g; g++)
        if (glob_match(*g, key, NULL))
            return true;
    return false;
}

static char **globs_of(const settings_t *s, const char *key)
{
    return strv_split(settings_value(s, key), ",", true);
}

json_t *event_labels(const json_t *app, const json_t *project, const settings_t *settings)
{
    AUTO(strv_free_p) char **included = globs_of(settings, "resource.includeEventLabelKeys");
    AUTO(strv_free_p) char **excluded = globs_of(settings, "resource.excludeEventLabelKeys");
    const json_t *const owners[] = {project, app}; /* the later one's labels hold */
    json_t *labels = json_object();
    for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
        const char *key;
        json_t *value;
        json_object_foreach(json_at(owners[i], "metadata", "labels"), key, value) {
            if (matches(included, key) && !matches(excluded, key))
                json_object_set(labels, key, value);
        }
    }
    return labels;
}
