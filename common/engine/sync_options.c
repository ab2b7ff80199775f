#include "common/engine/sync_options.h"

bool sync_options_have(const json_t *options, const char *option)
{
    for (size_t i = 0; i < json_array_size(options); i++)
        if (str_eq(json_string_value(json_array_get(options, i)), option))
            return true;
    return false;
}

static bool says(const json_t *object, const char *option)
{
    return object && annotation_has(object, ANNOTATION_SYNC_OPTIONS, option);
}

struct sync_choice sync_choose(const json_t *options, bool force, const json_t *target, const json_t *live,
                               bool dry_run)
{
    static const char replace[] = "Replace=true", force_option[] = "Force=true",
                      server_side[] = "ServerSideApply=true";
    return (struct sync_choice){
        .replace = sync_options_have(options, replace) || says(target, replace) || says(live, replace),
        .force = force || says(target, force_option) || says(live, force_option),
        .server_side = !dry_run && !says(target, "ServerSideApply=false") &&
                       (sync_options_have(options, server_side) || says(target, server_side)),
    };
}

bool sync_may_miss_kind(const json_t *options, const json_t *target)
{
    static const char option[] = "SkipDryRunOnMissingResource=true";
    return target && (sync_options_have(options, option) || says(target, option));
}

const char *sync_propagation(const json_t *options)
{
    static const char *const policies[][2] = {{"PrunePropagationPolicy=background", "Background"},
                                              {"PrunePropagationPolicy=foreground", "Foreground"},
                                              {"PrunePropagationPolicy=orphan", "Orphan"}};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        if (sync_options_have(options, policies[i][0]))
            return policies[i][1];
    return "Foreground";
}
