#include "tests/kubesim/status.h"

static json_t *status_with(const char *status, const char *reason, int code, const char *message)
{
    json_t *s = json_object();
    json_set_str(s, "kind", "Status");
    json_set_str(s, "apiVersion", "v1");
    json_object_set_new(s, "metadata", json_object());
    json_set_str(s, "status", status);
    json_put_str(s, "message", message);
    json_put_str(s, "reason", reason);
    if (code)
        json_object_set_new(s, "code", json_integer(code));
    return s;
}

json_t *status_failure(int code, const char *reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *message = xvasprintf(fmt, ap);
    va_end(ap);
    return status_with("Failure", reason, code, message);
}

static void add_details(json_t *status, const struct resource *r, const char *name)
{
    json_t *details = json_object();
    json_put_str(details, "name", name);
    if (r) {
        json_put_str(details, "group", r->group);
        json_put_str(details, "kind", r->plural);
    }
    json_object_set_new(status, "details", details);
}

json_t *status_about(const struct resource *r, const char *name, int code, const char *reason,
                     const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *message = xvasprintf(fmt, ap);
    va_end(ap);
    json_t *s = status_with("Failure", reason, code, message);
    add_details(s, r, name);
    return s;
}

json_t *status_not_found(const struct resource *r, const char *name)
{
    return status_about(r, name, 404, "NotFound", "%s \"%s\" not found", r->key, name);
}

json_t *status_exists(const struct resource *r, const char *name)
{
    return status_about(r, name, 409, "AlreadyExists", "%s \"%s\" already exists", r->key, name);
}

json_t *status_conflict(const struct resource *r, const char *name)
{
    return status_about(
        r, name, 409, "Conflict",
        "Operation cannot be fulfilled on %s \"%s\": the object has been modified; please apply your "
        "changes to the latest version and try again",
        r->key, name);
}

json_t *status_bad_request(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *message = xvasprintf(fmt, ap);
    va_end(ap);
    return status_with("Failure", "BadRequest", 400, message);
}

json_t *status_unknown_path(void)
{
    return status_about(NULL, NULL, 404, "NotFound", "the server could not find the requested resource");
}

json_t *status_method(void)
{
    return status_about(NULL, NULL, 405, "MethodNotAllowed",
                        "the server does not allow this method on the requested resource");
}

json_t *status_media_type(void)
{
    return status_about(NULL, NULL, 415, "UnsupportedMediaType", "415: Unsupported Media Type");
}

json_t *status_deleted(const struct resource *r, const json_t *object)
{
    json_t *s = status_with("Success", NULL, 0, NULL);
    add_details(s, r, json_str_at(object, "metadata", "name"));
    json_put_str(json_object_get(s, "details"), "uid", json_str_at(object, "metadata", "uid"));
    return s;
}

int status_code(const json_t *status)
{
    return (int)json_int_at(status, "code");
}

/* ---- invalid objects ---- */

static const struct {
    const char *reason, *text;
} problems[] = {
    [P_REQUIRED] = {"FieldValueRequired", "Required value"},
    [P_INVALID] = {"FieldValueInvalid", "Invalid value"},
    [P_FORBIDDEN] = {"FieldValueForbidden", "Forbidden"},
    [P_UNSUPPORTED] = {"FieldValueNotSupported", "Unsupported value"},
    [P_DUPLICATE] = {"FieldValueDuplicate", "Duplicate value"},
    [P_NOT_FOUND] = {"FieldValueNotFound", "Not found"},
    [P_TYPE] = {"FieldValueTypeInvalid", "Invalid value"},
};

void problem_add(json_t **causes, enum problem what, const char *field, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *detail = xvasprintf(fmt, ap);
    va_end(ap);
    AUTO(free_p) char *message = xasprintf("%s%s%s", problems[what].text, *detail ? ": " : "", detail);
    json_t *cause = json_object();
    json_set_str(cause, "reason", problems[what].reason);
    json_object_set_new(cause, "message", json_str_new(message));
    json_set_str(cause, "field", field);
    if (!*causes)
        *causes = json_array();
    json_array_append_new(*causes, cause);
}

/* "a: b", or "[a: b, c: d]" for several; what was said before is not said again. */
static char *join_causes(const json_t *causes)
{
    AUTO_STR text = STR_INIT;
    size_t i, n = 0;
    json_t *cause;
    json_array_foreach(causes, i, cause) {
        size_t k = 0;
        while (k < i && !json_same(json_array_get(causes, k), cause))
            k++;
        if (k < i)
            continue;
        str_printf(&text, "%s%s: %s", n ? ", " : "", json_str_at(cause, "field"),
                   json_str_at(cause, "message"));
        n++;
    }
    return n > 1 ? xasprintf("[%s]", str_text(&text)) : str_take(&text);
}

json_t *status_invalid(const char *group, const char *kind, const char *name, json_t *causes_take)
{
    AUTO(free_p) char *all = join_causes(causes_take);
    AUTO(free_p)
    char *message = xasprintf("%s%s%s \"%s\" is invalid: %s", kind, *group ? "." : "", group, name, all);
    json_t *s = status_with("Failure", "Invalid", 422, message), *details = json_object();
    json_put_str(details, "name", name);
    json_put_str(details, "group", group);
    json_put_str(details, "kind", kind);
    json_object_set_new(details, "causes", causes_take);
    json_object_set_new(s, "details", details);
    return s;
}

char *quoted(const char *text)
{
    AUTO_STR out = STR_INIT;
    json_write_string(text, strlen(text), JSON_NO_HTML, &out);
    return str_take(&out);
}
