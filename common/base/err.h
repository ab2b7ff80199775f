/* Errors: a code for the program, a text for the person, and the chain of causes.
 *
 * Every function that can fail returns an int (0, or the negative of an err_code) and takes `err_t **err`
 * last. On failure *err holds an object that the caller releases, wraps or returns; on success it is
 * untouched. A NULL `err` is allowed and drops the text. The codes are gRPC's, because errors travel between
 * daemons and out of the public API (https://grpc.io/docs/guides/status-codes/). A text says what was being
 * done to what, lower case, no full stop: "clone https://git.example/x.git: authentication failed". */
#ifndef CARGOCD_BASE_ERR_H
#define CARGOCD_BASE_ERR_H

#include "common/base/base.h"

enum err_code {
    ERR_OK = 0,
    ERR_CANCELED = 1,
    ERR_UNKNOWN = 2,
    ERR_INVALID_ARGUMENT = 3,
    ERR_DEADLINE_EXCEEDED = 4,
    ERR_NOT_FOUND = 5,
    ERR_ALREADY_EXISTS = 6,
    ERR_PERMISSION_DENIED = 7,
    ERR_RESOURCE_EXHAUSTED = 8, /* over a limit, or busy: try later */
    ERR_FAILED_PRECONDITION = 9,
    ERR_ABORTED = 10,      /* lost a race (a conflict): read again and retry */
    ERR_OUT_OF_RANGE = 11, /* a position that no longer exists (HTTP 410) */
    ERR_UNIMPLEMENTED = 12,
    ERR_INTERNAL = 13,
    ERR_UNAVAILABLE = 14, /* the peer was not reached */
    ERR_DATA_LOSS = 15,
    ERR_UNAUTHENTICATED = 16,
    ERR_CODE_MAX
};

typedef struct err {
    enum err_code code;
    char *text;        /* this level's text */
    struct err *cause; /* owned; NULL at the bottom */
    char *full;        /* all levels joined, made on demand by err_text */
} err_t;

/* Makes *err (replacing what it held) and returns -code. */
int err_set(err_t **err, enum err_code code, const char *fmt, ...) PRINTF(3, 4);
/* The same with ": <strerror(errnum)>" appended; the code is chosen from errnum. */
int err_set_errno(err_t **err, int errnum, const char *fmt, ...) PRINTF(3, 4);
/* Puts a text in front of *err, keeping its code; returns -code. With an empty *err it makes an internal
 * error. */
int err_wrap(err_t **err, const char *fmt, ...) PRINTF(2, 3);
/* The negative of *err's code, to pass on a failure that is told already. */
int err_again(err_t *const *err);
/* Changes the code of the outermost level; returns -code. */
int err_recode(err_t **err, enum err_code code);

/* "outer: inner: innermost"; borrowed from err. "" for NULL. */
const char *err_text(err_t *err);
/* ERR_OK for NULL. */
enum err_code err_code(const err_t *err);
err_t *err_copy(const err_t *err);
void err_free(err_t *err);
/* Frees *err and makes it NULL: for going on after a failure. */
void err_clear(err_t **err);
/* Moves `from` into *to if `to` wants it, else frees it; returns -code. */
int err_move(err_t **to, err_t *from);

/* "NotFound", as gRPC spells it. */
const char *err_code_name(enum err_code code);
/* The HTTP status of the public API (grpc-gateway's table) and back (Kubernetes' status codes). */
int err_code_to_http(enum err_code code);
enum err_code err_code_from_http(int status);

AUTO_DECL(err_free_p, err_t, err_free)
#define AUTO_ERR AUTO(err_free_p) err_t *

#endif
