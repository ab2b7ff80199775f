#include "common/base/enc.h"
#include "common/kube/kube.h"

static void add_part(str_t *s, const char *part)
{
    str_putc(s, '/');
    /* "." and ".." would be taken for steps on the way. */
    if (str_eq(part, ".") || str_eq(part, ".."))
        str_puts(s, part[1] ? "%2E%2E" : "%2E");
    else
        url_escape(part, false, s);
}

/* The segments behind the version ("/v1/…"); none when there is no version. */
static size_t segments_of(const char *path)
{
    const char *end = path + strcspn(path, "?"), *p = path;
    for (; p < end; p++)
        if (p[0] == '/' && p[1] == 'v' && p[2] >= '0' && p[2] <= '9')
            break;
    size_t n = 0;
    for (p = p < end ? p + 1 : end; p < end; p++)
        n += *p == '/';
    return n;
}

const char *kube_verb_name(const char *method, const char *path)
{
    static const char *const verbs[][2] = {
        {"POST", "Create"}, {"PUT", "Update"}, {"PATCH", "Patch"}, {"DELETE", "Delete"}};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(method, verbs[i][0]) == 0)
            return verbs[i][1];
    if (strcmp(method, "GET") != 0)
        return "Unknown";
    if (segments_of(path) % 2 == 0)
        return "Get";
    return strstr(path, "watch=true") ? "Watch" : "List";
}

char *kube_path(const struct kube_resource *r, const char *ns, const char *name, const char *subresource)
{
    str_t s = STR_MAX(16 << 10);
    str_puts(&s, str_empty(r->group) ? "/api" : "/apis");
    if (!str_empty(r->group))
        add_part(&s, r->group);
    add_part(&s, r->version);
    if (!str_empty(ns) && r->namespaced) {
        str_puts(&s, "/namespaces");
        add_part(&s, ns);
    }
    add_part(&s, r->plural);
    if (!str_empty(name))
        add_part(&s, name);
    if (!str_empty(subresource)) {
        /* A subresource may be a path of its own ("proxy/metrics"). */
        str_putc(&s, '/');
        url_escape(subresource, true, &s);
    }
    return str_take(&s);
}
