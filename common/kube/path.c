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
