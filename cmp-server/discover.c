#include "cmp-server/service.h"
#include "common/base/glob.h"

#include <dirent.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 100, MAX_FILES = 1000000 };

struct search {
    const char *pattern;
    bool deep, found;
    size_t files;
};

static bool matches(const struct search *s, const char *pattern, const char *path)
{
    size_t n = strcspn(pattern, "/"), m = strcspn(path, "/");
    AUTO(free_p) char *part = xstrndup(pattern, n);
    AUTO(free_p) char *name = xstrndup(path, m);
    const char *more = pattern[n] ? pattern + n + 1 : NULL, *below = path[m] ? path + m + 1 : NULL;
    if (s->deep && strcmp(part, "**") == 0) /* none, or this directory and perhaps more */
        return more ? matches(s, more, path) || (below && matches(s, pattern, below)) : true;
    if (!(s->deep ? glob_match(part, name, "/") : shell_match(part, name)))
        return false;
    return more && below ? matches(s, more, below) : !more && !below;
}

static int walk(struct search *s, const char *dir, const char *rel, unsigned depth, err_t **err)
{
    AUTO(free_p) char *path = xasprintf("%s/%s", dir, rel);
    DIR *d = opendir(path);
    int r = 0;
    if (!d || depth > MAX_DEPTH) {
        if (d)
            closedir(d);
        return 0;
    }
    for (struct dirent *e; r == 0 && !s->found && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        struct stat st;
        AUTO(free_p) char *child = *rel ? xasprintf("%s/%s", rel, e->d_name) : xstrdup(e->d_name);
        AUTO(free_p) char *full = xasprintf("%s/%s", dir, child);
        if (++s->files > MAX_FILES)
            r = err_set(err, ERR_RESOURCE_EXHAUSTED, "more than %d files to search", MAX_FILES);
        else if (matches(s, s->pattern, child))
            s->found = true;
        else if (lstat(full, &st) == 0 && S_ISDIR(st.st_mode))
            r = walk(s, dir, child, depth + 1, err);
    }
    closedir(d);
    return r;
}

int discover_glob(const char *dir, const char *pattern, bool deep, bool *found, err_t **err)
{
    while (strncmp(pattern, "./", 2) == 0 || *pattern == '/')
        pattern += *pattern == '/' ? 1 : 2;
    struct search s = {.pattern = pattern, .deep = deep};
    int r = walk(&s, dir, "", 0, err);
    *found = s.found;
    return r;
}
