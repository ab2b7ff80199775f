/* Bounded disk: what is kept below the server's root can all be fetched again, so that what nobody has used
 * for long goes, and what was used longest ago when there is too much. */
#ifndef CARGOCD_REPO_DISK_H
#define CARGOCD_REPO_DISK_H

#include "common/base/metrics.h"
#include "common/base/vec.h"

struct disk_owner;
struct disk_item {
    char *path; /* of a file, or of a directory that goes as a whole */
    uint64_t bytes;
    int64_t used_s;                 /* seconds since 1970 of its last use */
    const struct disk_owner *owner; /* filled in by the one who asks */
};
typedef VEC(struct disk_item) disk_items_t;
void disk_items_dispose(disk_items_t *items);
/* Appends the regular files below a directory, `depth` levels down: their modification is their use. */
void disk_add_files(const char *dir, unsigned depth, disk_items_t *out);
/* The bytes of all files below a directory. */
uint64_t disk_bytes_of(const char *dir);

struct disk_options {
    uint64_t max_bytes;  /* 0: half of the file system */
    int64_t max_idle_ns; /* what was not used for so long goes; 0: nothing does */
    int64_t grace_ns;    /* what was used within stays, whatever there is; 0: 5 min */
    int64_t period_ns;   /* between rounds; 0: 1 min */
};
struct disk_owner {
    void *arg;
    void (*list)(void *arg, disk_items_t *out);
    /* Removes it. False: it is in use, or cannot be removed. */
    bool (*evict)(void *arg, const struct disk_item *item);
};
/* Goes through the items from the one that was used longest ago, and lets their owners remove them as long as
 * the options (with their defaults filled in) say so. *left: the bytes of what stays. Returns how many went.
 */
size_t disk_evict(disk_items_t *items, const struct disk_options *options, int64_t now_s, uint64_t *left);
/* A thread that looks every period. `root` and the options' owners outlive it. metrics may be NULL. */
typedef struct disk disk_t;
disk_t *disk_new(const struct disk_options *options, const char *root, const struct disk_owner *owners,
                 size_t nowners, metrics_t *metrics) MUST_USE;
/* A round at once, on this thread. */
void disk_tidy(disk_t *d);
void disk_free(disk_t *d);

#endif
