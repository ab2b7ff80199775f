/* Open addressing over an insertion-ordered entry array. Hashing is keyed per process, so that keys from
 * outside cannot be chosen to collide. */
#include "common/base/map.h"
#include "common/base/hash.h"
#include "common/base/slab.h"

static const uint32_t DELETED = UINT32_MAX;

static void release(map_t *m, void *value)
{
    if (m->value_free && value)
        m->value_free(value);
}

void map_clear(map_t *m)
{
    for (size_t i = 0; i < m->used; i++) {
        if (!m->entries[i].key)
            continue;
        slab_strfree(m->entries[i].key);
        release(m, m->entries[i].value);
    }
    free(m->entries);
    free(m->slots);
    *m = (map_t){.value_free = m->value_free};
}

void map_dispose(map_t *m)
{
    map_clear(m);
}

/* The slot that holds key, or the first one free for it. */
static size_t find_slot(const map_t *m, const char *key, uint64_t hash, bool *found)
{
    size_t mask = m->nslots - 1, free_slot = SIZE_MAX;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t at = m->slots[i];
        if (at == 0) {
            *found = false;
            return free_slot != SIZE_MAX ? free_slot : i;
        }
        if (at == DELETED) {
            if (free_slot == SIZE_MAX)
                free_slot = i;
            continue;
        }
        const map_entry_t *e = &m->entries[at - 1];
        if (e->hash == hash && strcmp(e->key, key) == 0) {
            *found = true;
            return i;
        }
    }
}

static void rebuild(map_t *m)
{
    size_t nslots = 8;
    while (nslots < (m->n + 1) * 2)
        nslots *= 2;
    free(m->slots);
    m->slots = xcalloc(nslots, sizeof(*m->slots));
    m->nslots = nslots;
    size_t to = 0;
    for (size_t i = 0; i < m->used; i++) {
        if (!m->entries[i].key)
            continue;
        m->entries[to] = m->entries[i];
        size_t s = m->entries[to].hash & (nslots - 1);
        while (m->slots[s])
            s = (s + 1) & (nslots - 1);
        m->slots[s] = (uint32_t)++to;
    }
    m->used = to;
}

static map_entry_t *lookup(const map_t *m, const char *key)
{
    if (!m->n)
        return NULL;
    bool found;
    size_t s = find_slot(m, key, hash_keyed(key, strlen(key)), &found);
    return found ? &m->entries[m->slots[s] - 1] : NULL;
}

void *map_get(const map_t *m, const char *key)
{
    map_entry_t *e = lookup(m, key);
    return e ? e->value : NULL;
}

bool map_has(const map_t *m, const char *key)
{
    return lookup(m, key) != NULL;
}

bool map_put(map_t *m, const char *key, void *value_take)
{
    map_entry_t *e = lookup(m, key);
    if (e) {
        if (e->value != value_take)
            release(m, e->value);
        e->value = value_take;
        return false;
    }
    if ((m->used + 1) * 4 > m->nslots * 3)
        rebuild(m);
    if (m->used == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 8;
        m->entries = xrealloc(m->entries, m->cap * sizeof(*m->entries));
    }
    uint64_t hash = hash_keyed(key, strlen(key));
    bool found;
    size_t s = find_slot(m, key, hash, &found);
    m->entries[m->used] = (map_entry_t){.key = slab_strdup(key), .value = value_take, .hash = hash};
    m->slots[s] = (uint32_t)++m->used;
    m->n++;
    return true;
}

void *map_take(map_t *m, const char *key)
{
    if (!m->n)
        return NULL;
    bool found;
    size_t s = find_slot(m, key, hash_keyed(key, strlen(key)), &found);
    if (!found)
        return NULL;
    map_entry_t *e = &m->entries[m->slots[s] - 1];
    m->slots[s] = DELETED;
    void *value = e->value;
    slab_strfree(e->key);
    *e = (map_entry_t){};
    m->n--;
    return value;
}

bool map_del(map_t *m, const char *key)
{
    if (!map_has(m, key))
        return false;
    release(m, map_take(m, key));
    return true;
}

map_entry_t *map_next(const map_t *m, size_t *pos)
{
    while (*pos < m->used) {
        map_entry_t *e = &m->entries[(*pos)++];
        if (e->key)
            return e;
    }
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **map_sorted_keys(const map_t *m)
{
    const char **keys = xmalloc((m->n + 1) * sizeof(*keys));
    size_t n = 0;
    MAP_FOREACH(m, e)
        keys[n++] = e->key;
    keys[n] = NULL;
    if (n > 1)
        qsort(keys, n, sizeof(*keys), by_text);
    return keys;
}
