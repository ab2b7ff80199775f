#include "tests/kubesim/strategic.h"

#include "common/engine/strategic.h"

int patch_strategic(const json_t *original, const json_t *patch, const char *group, const char *version,
                    const char *kind, json_t **out, err_t **err)
{
    return strategic_merge_apply(original, patch, kind_schema(group, version, kind), out, err);
}
