/* Whole files: read with a cap, replaced atomically. */
#ifndef CARGOCD_BASE_FILE_H
#define CARGOCD_BASE_FILE_H

#include "common/base/err.h"
#include "common/base/str.h"

/* Appends the file's bytes to *out; ERR_RESOURCE_EXHAUSTED when they do not fit its maximum. */
int file_read(const char *path, str_t *out, err_t **err);
int fd_read_all(int fd, const char *name, str_t *out, err_t **err);
/* Writes path.tmp-XXXXXX in the same folder, syncs, renames. */
int file_write(const char *path, const void *p, size_t n, mode_t mode, err_t **err);
/* mkdir -p. */
int dir_make(const char *path, mode_t mode, err_t **err);
/* rm -rf, without following links. A path that does not exist is fine. */
int dir_remove(const char *path, err_t **err);
/* A fresh directory under `parent` (NULL: $TMPDIR or /tmp); the path is the caller's. */
int dir_make_temp(const char *parent, const char *prefix, char **path, err_t **err);

/* A file whose changes matter (a token, a certificate): what to compare with the next look. */
struct file_stamp {
    int64_t mtime_ns;
    uint64_t ino, size;
};
bool file_stamp(const char *path, struct file_stamp *out);
bool file_stamp_eq(const struct file_stamp *a, const struct file_stamp *b);

#endif
