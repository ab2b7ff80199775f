#include "common/engine/hooks.h"
#include "common/engine/annotations.h"

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

static const struct word argo_types[] = {{"PreSync", HOOK_PRE_SYNC},   {"Sync", HOOK_SYNC},
                                         {"PostSync", HOOK_POST_SYNC}, {"SyncFail", HOOK_SYNC_FAIL},
                                         {"Skip", HOOK_SKIP},          {NULL, 0}};
static const struct word helm_types[] = {{"pre-install", HOOK_PRE_SYNC},
                                         {"pre-upgrade", HOOK_PRE_SYNC},
                                         {"post-install", HOOK_POST_SYNC},
                                         {"post-upgrade", HOOK_POST_SYNC},
                                         {NULL, 0}};
/* Of deletions; Argo's and Helm's count side by side. */
static const struct word argo_deletions[] = {
    {"PreDelete", HOOK_PRE_DELETE}, {"PostDelete", HOOK_POST_DELETE}, {NULL, 0}};
static const struct word helm_deletions[] = {
    {"pre-delete", HOOK_PRE_DELETE}, {"post-delete", HOOK_POST_DELETE}, {NULL, 0}};
static const struct word argo_policies[] = {{"BeforeHookCreation", HOOK_DELETE_BEFORE},
                                            {"HookSucceeded", HOOK_DELETE_SUCCEEDED},
                                            {"HookFailed", HOOK_DELETE_FAILED},
                                            {NULL, 0}};
static const struct word helm_policies[] = {{"before-hook-creation", HOOK_DELETE_BEFORE},
                                            {"hook-succeeded", HOOK_DELETE_SUCCEEDED},
                                            {"hook-failed", HOOK_DELETE_FAILED},
                                            {NULL, 0}};

static unsigned bits_of(const char *list, const struct word *words)
{
    unsigned bits = 0;
    view_t rest = view_of(list), item;
    while (annotation_next(&rest, &item))
        for (const struct word *w = words; w->text; w++)
            if (view_eq(item, w->text))
                bits |= w->bit;
    return bits;
}

static unsigned sync_types(const json_t *object)
{
    unsigned bits = bits_of(object_annotation(object, HOOK), argo_types);
    return bits ? bits : bits_of(object_annotation(object, HELM_HOOK), helm_types);
}

static unsigned deletion_types(const json_t *object)
{
    return bits_of(object_annotation(object, HOOK), argo_deletions) |
           bits_of(object_annotation(object, HELM_HOOK), helm_deletions);
}

unsigned hook_types(const json_t *object)
{
    return sync_types(object) | deletion_types(object);
}

/* A hook to a sync: Argo's annotation, whatever it says but "Skip" alone, else Helm's, which also marks
 * custom resource definitions of charts: those are ordinary objects. */
static bool is_sync_hook(const json_t *object)
{
    const char *helm = object_annotation(object, HELM_HOOK);
    if (object_annotation(object, HOOK))
        return !object_is_skipped(object);
    return helm && strcmp(helm, "crd-install") != 0;
}

bool object_is_hook(const json_t *object)
{
    return is_sync_hook(object) || deletion_types(object);
}

bool object_is_skipped(const json_t *object)
{
    return sync_types(object) == HOOK_SKIP;
}

bool object_is_ignored_hook(const json_t *object)
{
    return is_sync_hook(object) && !sync_types(object);
}

unsigned hook_delete_policies(const json_t *object)
{
    unsigned bits = bits_of(object_annotation(object, HOOK_DELETION), argo_policies) |
                    bits_of(object_annotation(object, HELM_HOOK_DELETE), helm_policies);
    return bits ? bits : HOOK_DELETE_BEFORE;
}

int object_wave(const json_t *object)
{
    static const char *const keys[] = {WAVE, HELM_HOOK_WEIGHT};
    int64_t wave;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_to_i64(object_annotation(object, keys[i]), &wave))
            return wave > WAVE_MAX ? WAVE_MAX : wave < -WAVE_MAX ? -WAVE_MAX : (int)wave;
    return 0;
}
