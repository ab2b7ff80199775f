#include "repo-server/tree.h"

char *path_clean(const char *path)
{
    bool absolute = *path == '/';
    AUTO_STR out = STR_INIT;
    size_t floor = absolute; /* what ".." cannot remove */
    if (absolute)
        str_putc(&out, '/');
    view_t rest = view_of(path), part;
    while (rest.p && view_split(&rest, '/', &part)) {
        if (!part.n || view_eq(part, "."))
            continue;
        if (view_eq(part, "..") && out.len > floor) {
            while (out.len > floor && out.p[out.len - 1] != '/')
                str_truncate(&out, out.len - 1);
            if (out.len > floor)
                str_truncate(&out, out.len - 1);
            continue;
        }
        if (view_eq(part, "..") && absolute)
            continue;
        if (out.len && out.p[out.len - 1] != '/')
            str_putc(&out, '/');
        str_add(&out, part.p, part.n);
        if (view_eq(part, ".."))
            floor = out.len;
    }
    if (!out.len)
        str_putc(&out, '.');
    return str_take(&out);
}

char *path_join(const char *a, const char *b)
{
    AUTO(free_p) char *joined = *a && *b ? xasprintf("%s/%s", a, b) : xstrdup(*a ? a : b);
    return path_clean(joined);
}

bool path_escapes(const char *cleaned)
{
    return *cleaned == '/' || strcmp(cleaned, "..") == 0 || str_has_prefix(cleaned, "../");
}
