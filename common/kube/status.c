#include "common/kube/status.h"
#include "common/base/clock.h"

enum { SHOWN = 300 };

/* https://github.com/kubernetes/apimachinery/blob/master/pkg/apis/meta/v1/types.go, StatusReason */
static const struct {
    const char *reason;
    enum err_code code;
} reasons[] = {
    {"AlreadyExists", ERR_ALREADY_EXISTS},
    {"BadRequest", ERR_INVALID_ARGUMENT},
    {"Conflict", ERR_ABORTED},
    {"Expired", ERR_OUT_OF_RANGE},
    {"Forbidden", ERR_PERMISSION_DENIED},
    {"Gone", ERR_OUT_OF_RANGE},
    {"InternalError", ERR_INTERNAL},
    {"Invalid", ERR_INVALID_ARGUMENT},
    {"MethodNotAllowed", ERR_UNIMPLEMENTED},
    {"NotAcceptable", ERR_UNIMPLEMENTED},
    {"NotFound", ERR_NOT_FOUND},
    {"RequestEntityTooLarge", ERR_RESOURCE_EXHAUSTED},
    {"ServerTimeout", ERR_UNAVAILABLE},
    {"ServiceUnavailable", ERR_UNAVAILABLE},
    {"StoreReadError", ERR_INTERNAL},
    {"Timeout", ERR_DEADLINE_EXCEEDED},
    {"TooManyRequests", ERR_RESOURCE_EXHAUSTED},
    {"Unauthorized", ERR_UNAUTHENTICATED},
    {"UnsupportedMediaType", ERR_INVALID_ARGUMENT},
};

enum err_code kube_status_code(int http_status, const char *reason)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (str_eq(reason, reasons[i].reason))
            return reasons[i].code;
    enum err_code code = err_code_from_http(http_status);
    return code == ERR_OK ? ERR_INTERNAL : code;
}

int64_t kube_retry_after(const str_t *headers)
{
    enum { LONGEST = 3600 };
    AUTO(free_p) char *text = headers ? http_header(headers, "retry-after") : NULL;
    uint64_t seconds;
    if (!text || !str_to_u64(text, &seconds))
        return 0;
    return SECONDS(seconds < LONGEST ? seconds : LONGEST);
}

/* The beginning of a body that is no Status, on one line: a proxy's page, a panic. */
static char *excerpt(const char *body, size_t n)
{
    str_t s = STR_MAX(SHOWN + 8);
    view_t v = view_trim((view_t){body, min_size(n, SHOWN)});
    for (size_t i = 0; i < v.n; i++)
        str_putc(&s, (unsigned char)v.p[i] < 0x20 ? ' ' : v.p[i]);
    if (n > SHOWN)
        str_puts(&s, "...");
    return str_take(&s);
}

static void fill_failure(struct kube_failure *f, int http_status, const json_t *status, const char *message,
                         const str_t *headers)
{
    if (!f)
        return;
    kube_failure_dispose(f);
    int64_t after = kube_retry_after(headers);
    *f = (struct kube_failure){
        .http_status = http_status,
        .reason = xstrdup(str_or_empty(json_str_at(status, "reason"))),
        .message = xstrdup(message),
        .retry_after_ns = after ? after : SECONDS(json_int_at(status, "details", "retryAfterSeconds")),
    };
}

int kube_status_error(int http_status, const str_t *headers, const char *body, size_t n, const char *what,
                      struct kube_failure *failure, err_t **err)
{
    AUTO_JSON status = NULL;
    json_read(body, n, &status, NULL);
    bool is_status = str_eq(json_str_at(status, "kind"), "Status");
    const char *message = is_status ? json_str_at(status, "message") : NULL;
    AUTO(free_p) char *own = NULL;
    if (str_empty(message)) {
        AUTO(free_p) char *shown = excerpt(body, is_status ? 0 : n);
        own = xasprintf("%s: the server answered %d%s%s", what, http_status, *shown ? ": " : "", shown);
        message = own;
    }
    fill_failure(failure, http_status, is_status ? status : NULL, message, headers);
    enum err_code code = kube_status_code(http_status, is_status ? json_str_at(status, "reason") : NULL);
    return err_set(err, code, "%s", message);
}

void kube_failure_dispose(struct kube_failure *f)
{
    free(f->reason);
    free(f->message);
    *f = (struct kube_failure){};
}

/* Reads `299 agent "text"` at p; returns where it ends, NULL when malformed. */
static const char *read_warning(const char *p, str_t *text)
{
    p += strspn(p, " ,");
    p += strspn(p, "0123456789");
    if (*p++ != ' ')
        return NULL;
    p += strcspn(p, " ");
    if (*p++ != ' ' || *p++ != '"')
        return NULL;
    for (; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1])
            p++;
        str_putc(text, *p == '\n' ? ' ' : *p);
    }
    if (*p++ != '"')
        return NULL;
    const char *date_end = p[0] == ' ' && p[1] == '"' ? strchr(p + 2, '"') : NULL;
    return date_end ? date_end + 1 : p;
}

static bool has_line(const str_t *out, const char *line)
{
    view_t rest = {str_text(out), out->len}, one;
    while (view_split(&rest, '\n', &one))
        if (view_eq(one, line))
            return true;
    return false;
}

void kube_warnings(const str_t *headers, str_t *out)
{
    view_t rest = {str_text(headers), headers->len}, line;
    while (view_split(&rest, '\n', &line)) {
        if (line.n < 9 || memcmp(line.p, "warning: ", 9) != 0)
            continue;
        AUTO(free_p) char *value = xstrndup(line.p + 9, line.n - 9);
        for (const char *p = value; p && *p;) {
            AUTO_STR text = STR_MAX(4096);
            p = read_warning(p, &text);
            if (p && text.len && !has_line(out, str_text(&text)))
                str_printf(out, "%s\n", str_text(&text));
        }
    }
}
