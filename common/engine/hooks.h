/* Hooks: objects that run at a moment of a sync instead of being part of the application
 * (docs/user-guide/sync-waves.md of Argo CD). */
#ifndef CARGOCD_ENGINE_HOOKS_H
#define CARGOCD_ENGINE_HOOKS_H

#include "common/kinds/kinds.h"

enum hook_type {
    HOOK_PRE_SYNC = 1,
    HOOK_SYNC = 2,
    HOOK_POST_SYNC = 4,
    HOOK_SYNC_FAIL = 8,
    HOOK_SKIP = 16,
    HOOK_PRE_DELETE = 32,
    HOOK_POST_DELETE = 64
};
enum hook_delete { HOOK_DELETE_BEFORE = 1, HOOK_DELETE_SUCCEEDED = 2, HOOK_DELETE_FAILED = 4 };

/* Types that the object is a hook of. Those of a sync are of Argo's annotation, or of Helm's when that names
 * none; those of a deletion are of both. 0: none recognised. */
unsigned hook_types(const json_t *object);
/* Whether it is a hook at all: also one of no recognised type, which is then neither applied nor compared. */
bool object_is_hook(const json_t *object);
/* Of all types of a sync only "Skip": left alone. */
bool object_is_skipped(const json_t *object);
/* A hook annotation without a type that means anything to a sync; a hook of only deletions is one. */
bool object_is_ignored_hook(const json_t *object);
/* HOOK_DELETE_BEFORE when nothing is said. */
unsigned hook_delete_policies(const json_t *object);
/* Sync wave: Argo's annotation, else Helm's hook weight, else 0; what is no 64-bit integer counts as absent.
 * At most WAVE_MAX, at least -WAVE_MAX: waves further out run together with those. */
enum { WAVE_MAX = INT32_MAX - 1 }; /* one more is still an int: prunes may follow the last wave */
int object_wave(const json_t *object);

#endif
