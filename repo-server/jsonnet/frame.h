/* What the Jsonnet child and its parent say to each other: a type, a length of four bytes (the least
 * significant first), so many bytes. */
#ifndef CARGOCD_REPO_JSONNET_FRAME_H
#define CARGOCD_REPO_JSONNET_FRAME_H

#include "repo-server/jsonnet/jsonnet.h"

enum frame_type {
    FRAME_JOB = 'J',    /* to the child: {file, text, ext, tla} */
    FRAME_ASK = 'A',    /* to the parent: {base, rel} */
    FRAME_FOUND = 'F',  /* to the child: {found, text} */
    FRAME_REFUSE = 'N', /* to the child: an error's text */
    FRAME_RESULT = 'R', /* to the parent: JSON */
    FRAME_ERROR = 'E',  /* to the parent: an error's text */
};

enum { FRAME_MAX = 128 << 20 };

/* 0: done; negative: the other end is gone, the deadline has passed, the text is malformed. */
int frame_write(int fd, enum frame_type type, const char *p, size_t n, const struct jsonnet_options *o,
                err_t **err);
int frame_read(int fd, char *type, str_t *out, const struct jsonnet_options *o, err_t **err);

#endif
