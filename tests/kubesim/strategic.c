#include "tests/kubesim/strategic.h"

#include "common/engine/strategic.h"

int patch_strategic(const json_t *original, const json_t *patch, const char *group, const char *kind,
                    json_t **out, err_t **err)
{
    const struct kind_info *info = kind_find(group, NULL, kind);
    return strategic_merge_apply(original, patch, info ? info->schema : NULL, out, err);
}
