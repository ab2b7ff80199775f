#include "common/base/err.h"

#include <errno.h>
#include <stdio.h>

static const struct {
    const char *name;
    int http;
} codes[ERR_CODE_MAX] = {
    [ERR_OK] = {"OK", 200},
    [ERR_CANCELED] = {"Canceled", 408},
    [ERR_UNKNOWN] = {"Unknown", 500},
    [ERR_INVALID_ARGUMENT] = {"InvalidArgument", 400},
    [ERR_DEADLINE_EXCEEDED] = {"DeadlineExceeded", 504},
    [ERR_NOT_FOUND] = {"NotFound", 404},
    [ERR_ALREADY_EXISTS] = {"AlreadyExists", 409},
    [ERR_PERMISSION_DENIED] = {"PermissionDenied", 403},
    [ERR_RESOURCE_EXHAUSTED] = {"ResourceExhausted", 429},
    [ERR_FAILED_PRECONDITION] = {"FailedPrecondition", 400},
    [ERR_ABORTED] = {"Aborted", 409},
    [ERR_OUT_OF_RANGE] = {"OutOfRange", 400},
    [ERR_UNIMPLEMENTED] = {"Unimplemented", 501},
    [ERR_INTERNAL] = {"Internal", 500},
    [ERR_UNAVAILABLE] = {"Unavailable", 503},
    [ERR_DATA_LOSS] = {"DataLoss", 500},
    [ERR_UNAUTHENTICATED] = {"Unauthenticated", 401},
};

static const struct {
    int status;
    enum err_code code;
} from_http[] = {
    {400, ERR_INVALID_ARGUMENT}, {401, ERR_UNAUTHENTICATED},   {403, ERR_PERMISSION_DENIED},
    {404, ERR_NOT_FOUND},        {405, ERR_UNIMPLEMENTED},     {408, ERR_DEADLINE_EXCEEDED},
    {409, ERR_ABORTED},          {410, ERR_OUT_OF_RANGE},      {413, ERR_RESOURCE_EXHAUSTED},
    {415, ERR_INVALID_ARGUMENT}, {422, ERR_INVALID_ARGUMENT},  {429, ERR_RESOURCE_EXHAUSTED},
    {500, ERR_INTERNAL},         {501, ERR_UNIMPLEMENTED},     {502, ERR_UNAVAILABLE},
    {503, ERR_UNAVAILABLE},      {504, ERR_DEADLINE_EXCEEDED},
};

static const struct {
    int errnum;
    enum err_code code;
} from_errno[] = {
    {ENOENT, ERR_NOT_FOUND},          {EEXIST, ERR_ALREADY_EXISTS},       {EACCES, ERR_PERMISSION_DENIED},
    {EPERM, ERR_PERMISSION_DENIED},   {ETIMEDOUT, ERR_DEADLINE_EXCEEDED}, {ECANCELED, ERR_CANCELED},
    {ECONNREFUSED, ERR_UNAVAILABLE},  {ECONNRESET, ERR_UNAVAILABLE},      {EPIPE, ERR_UNAVAILABLE},
    {EHOSTUNREACH, ERR_UNAVAILABLE},  {ENETUNREACH, ERR_UNAVAILABLE},     {EMFILE, ERR_RESOURCE_EXHAUSTED},
    {ENOSPC, ERR_RESOURCE_EXHAUSTED}, {EINVAL, ERR_INVALID_ARGUMENT},     {EFBIG, ERR_RESOURCE_EXHAUSTED},
};

static err_t *err_make(enum err_code code, char *text_take, err_t *cause_take)
{
    err_t *e = xcalloc(1, sizeof(*e));
    e->code = code;
    e->text = text_take;
    e->cause = cause_take;
    return e;
}

int err_set(err_t **err, enum err_code code, const char *fmt, ...)
{
    if (!err)
        return -(int)code;
    va_list ap;
    va_start(ap, fmt);
    /* The text is made first: an argument may point into the error being replaced. */
    err_t *e = err_make(code, xvasprintf(fmt, ap), NULL);
    va_end(ap);
    err_free(*err);
    *err = e;
    return -(int)code;
}

int err_set_errno(err_t **err, int errnum, const char *fmt, ...)
{
    enum err_code code = ERR_INTERNAL;
    for (size_t i = 0; i < ARRAY_LEN(from_errno); i++)
        if (from_errno[i].errnum == errnum)
            code = from_errno[i].code;
    if (!err)
        return -(int)code;
    char buf[128];
    const char *reason = strerror_r(errnum, buf, sizeof(buf));
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *what = xvasprintf(fmt, ap);
    va_end(ap);
    err_free(*err);
    *err = err_make(code, xasprintf("%s: %s", what, reason), NULL);
    return -(int)code;
}

int err_wrap(err_t **err, const char *fmt, ...)
{
    if (!err)
        return -(int)ERR_INTERNAL;
    enum err_code code = *err ? (*err)->code : ERR_INTERNAL;
    va_list ap;
    va_start(ap, fmt);
    *err = err_make(code, xvasprintf(fmt, ap), *err);
    va_end(ap);
    return -(int)code;
}

int err_again(err_t *const *err)
{
    return err && *err ? -(int)(*err)->code : -ERR_UNKNOWN;
}

int err_recode(err_t **err, enum err_code code)
{
    if (err && *err)
        (*err)->code = code;
    return -(int)code;
}

const char *err_text(err_t *err)
{
    if (!err)
        return "";
    if (!err->cause)
        return err->text;
    if (!err->full)
        err->full = xasprintf("%s: %s", err->text, err_text(err->cause));
    return err->full;
}

enum err_code err_code(const err_t *err)
{
    return err ? err->code : ERR_OK;
}

err_t *err_copy(const err_t *err)
{
    return err ? err_make(err->code, xstrdup(err->text), err_copy(err->cause)) : NULL;
}

void err_free(err_t *err)
{
    while (err) {
        err_t *next = err->cause;
        free(err->text);
        free(err->full);
        free(err);
        err = next;
    }
}

void err_clear(err_t **err)
{
    if (err) {
        err_free(*err);
        *err = NULL;
    }
}

int err_move(err_t **to, err_t *from)
{
    int r = -(int)err_code(from);
    if (to) {
        err_free(*to);
        *to = from;
    } else {
        err_free(from);
    }
    return r;
}

const char *err_code_name(enum err_code code)
{
    return (unsigned)code < ERR_CODE_MAX ? codes[code].name : "Unknown";
}

int err_code_to_http(enum err_code code)
{
    return (unsigned)code < ERR_CODE_MAX ? codes[code].http : 500;
}

enum err_code err_code_from_http(int status)
{
    if (status >= 200 && status < 400)
        return ERR_OK;
    for (size_t i = 0; i < ARRAY_LEN(from_http); i++)
        if (from_http[i].status == status)
            return from_http[i].code;
    return status >= 500 ? ERR_INTERNAL : ERR_INVALID_ARGUMENT;
}
