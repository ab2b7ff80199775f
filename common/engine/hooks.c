#include "common/engine/hooks.h"

#define HOOK             "argocd.argoproj.io/hook"
#define HOOK_DELETION    "argocd.argoproj.io/hook-delete-policy"
#define WAVE             "argocd.argoproj.io/sync-wave"
#define HELM_HOOK        "helm.sh/hook"
#define HELM_HOOK_DELETE "helm.sh/hook-delete-policy"
#define HELM_HOOK_WEIGHT "helm.sh/hook-weight"

struct word {
    const char *text;
    unsigned bit;
};

static const struct word argo_types[] = {{"PreSync", HOOK_PRE_SYNC},
                                         {"Sync", HOOK_SYNC},
                                         {"PostSync", HOOK_POST_SYNC},
                                         {"SyncFail", HOOK_SYNC_FAIL},
                                         {"Skip", HOOK_SKIP},
                                         {"PreDelete", HOOK_PRE_DELETE},
                                         {"PostDelete", HOOK_POST_DELETE},
                                         {NULL, 0}};
static const struct word helm_types[] = {{"pre-install", HOOK_PRE_SYNC},
                                         {"pre-upgrade", HOOK_PRE_SYNC},
                                         {"post-install", HOOK_POST_SYNC},
                                         {"post-upgrade", HOOK_POST_SYNC},
                                         {"pre-delete", HOOK_PRE_DELETE},
                                         {"post-delete", HOOK_POST_DELETE},
                                         {NULL, 0}};
static const struct word argo_deletes[] = {{"BeforeHookCreation", HOOK_DELETE_BEFORE},
                                           {"HookSucceeded", HOOK_DELETE_SUCCEEDED},
                                           {"HookFailed", HOOK_DELETE_FAILED},
                                           {NULL, 0}};
static const struct word helm_deletes[] = {{"before-hook-creation", HOOK_DELETE_BEFORE},
                                           {"hook-succeeded", HOOK_DELETE_SUCCEEDED},
                                           {"hook-failed", HOOK_DELETE_FAILED},
                                           {NULL, 0}};

static unsigned bits_of(const char *list, const struct word *words)
{
    unsigned bits = 0;
    view_t rest = view_of(list), part;
    while (view_split(&rest, ',', &part))
        for (const struct word *w = words; w->text; w++)
            if (view_eq(view_trim(part), w->text))
                bits |= w->bit;
    return bits;
}

/* "crd-install" among Helm's events: an ordinary object. */
static bool is_crd_install(const char *list)
{
    view_t rest = view_of(list), part;
    while (view_split(&rest, ',', &part))
        if (view_eq(view_trim(part), "crd-install"))
            return true;
    return false;
}

unsigned hook_types(const json_t *object)
{
    const char *argo = object_annotation(object, HOOK), *helm = object_annotation(object, HELM_HOOK);
    unsigned bits = argo ? bits_of(argo, argo_types) : 0;
    if (!bits && helm && !is_crd_install(helm))
        bits = bits_of(helm, helm_types);
    return bits;
}

bool object_is_hook(const json_t *object)
{
    const char *argo = object_annotation(object, HOOK), *helm = object_annotation(object, HELM_HOOK);
    if (argo)
        return !object_is_skipped(object);
    return helm && !is_crd_install(helm);
}

bool object_is_skipped(const json_t *object)
{
    const char *argo = object_annotation(object, HOOK);
    return argo && bits_of(argo, argo_types) == HOOK_SKIP;
}

bool object_is_ignored_hook(const json_t *object)
{
    return object_is_hook(object) && hook_types(object) == 0;
}

unsigned hook_delete_policies(const json_t *object)
{
    const char *argo = object_annotation(object, HOOK_DELETION),
               *helm = object_annotation(object, HELM_HOOK_DELETE);
    unsigned bits = (argo ? bits_of(argo, argo_deletes) : 0) | (helm ? bits_of(helm, helm_deletes) : 0);
    return bits ? bits : HOOK_DELETE_BEFORE;
}

int object_wave(const json_t *object)
{
    static const char *const keys[] = {WAVE, HELM_HOOK_WEIGHT};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        int64_t wave;
        if (str_to_i64(object_annotation(object, keys[i]), &wave) && wave >= INT32_MIN && wave <= INT32_MAX)
            return (int)wave;
    }
    return 0;
}
