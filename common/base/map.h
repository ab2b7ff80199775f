/* A hash map from strings to pointers. Keys are copied; values are freed by `value_free` if it is set.
 * Iteration order is that of insertion (deleting keeps the order of the rest). Not thread-safe. */
#ifndef CARGOCD_BASE_MAP_H
#define CARGOCD_BASE_MAP_H

#include "common/base/base.h"

typedef struct map_entry {
    char *key; /* NULL: deleted */
    void *value;
    uint64_t hash;
} map_entry_t;

typedef struct map {
    map_entry_t *entries; /* in insertion order, with holes */
    size_t used, cap;     /* entries in use including holes, allocated */
    size_t n;             /* live entries */
    uint32_t *slots;      /* index + 1 into entries; a power of two many */
    size_t nslots;
    void (*value_free)(void *);
} map_t;

#define MAP_INIT(fn)                                                                                         \
    {                                                                                                        \
        .value_free = (fn)                                                                                   \
    }

void map_dispose(map_t *m);
void map_clear(map_t *m);
void *map_get(const map_t *m, const char *key);
bool map_has(const map_t *m, const char *key);
/* Takes the value; frees the one it replaces. Returns true when the key is new. */
bool map_put(map_t *m, const char *key, void *value_take);
/* Removes and hands the value to the caller; NULL when absent. */
void *map_take(map_t *m, const char *key) MUST_USE;
/* Removes and frees; false when absent. */
bool map_del(map_t *m, const char *key);
/* The next live entry at or after *pos, or NULL; advances *pos. Deleting the entry at hand is allowed. */
map_entry_t *map_next(const map_t *m, size_t *pos);
/* Keys in byte order, borrowed from the map; the array (NULL-terminated) is the caller's. */
const char **map_sorted_keys(const map_t *m) MUST_USE;

#define MAP_FOREACH(m, e)                                                                                    \
    for (size_t pos_##e = 0, once_##e = 1; once_##e; once_##e = 0)                                           \
        for (map_entry_t * e; (e = map_next((m), &pos_##e));)

#endif
