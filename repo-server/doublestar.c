#include "repo-server/doublestar.h"
#include "common/base/glob.h"
#include "common/base/str.h"

enum { MAX_STEPS = 100000 };

/* Matches the components from i and k on. */
static bool match(char **pattern, char **path, size_t *steps)
{
    if (++*steps > MAX_STEPS)
        return false;
    if (!*pattern)
        return !*path;
    if (strcmp(*pattern, "**") == 0) {
        while (pattern[1] && strcmp(pattern[1], "**") == 0)
            pattern++;
        for (char **p = path;; p++) {
            if (match(pattern + 1, p, steps))
                return true;
            if (!*p)
                return false;
        }
    }
    return *path && glob_match(*pattern, *path, "/") && match(pattern + 1, path + 1, steps);
}

bool doublestar_match(const char *pattern, const char *path)
{
    AUTO(strv_free_p) char **p = strv_split(pattern, "/", true);
    AUTO(strv_free_p) char **t = strv_split(path, "/", true);
    size_t steps = 0;
    return match(p, t, &steps);
}

bool pathspec_match(const char *spec, const char *path)
{
    size_t n = strlen(spec);
    while (n && spec[n - 1] == '/')
        n--;
    if (n == 0 || (n == 1 && *spec == '.'))
        return true;
    if (strncmp(path, spec, n) == 0 && (!path[n] || path[n] == '/'))
        return true;
    if (!strpbrk(spec, "*?["))
        return false;
    AUTO(free_p) char *below = xasprintf("%.*s/*", (int)n, spec);
    return glob_match(spec, path, NULL) || glob_match(below, path, NULL);
}
