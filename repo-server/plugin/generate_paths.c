/* The annotation argocd.argoproj.io/manifest-generate-paths: ";" separates; what begins with a slash is
 * relative to the repository's root, else to the application's directory. */
#include "common/base/glob.h"
#include "common/base/vec.h"
#include "repo-server/plugin/plugin.h"

char **generate_paths_of(const char *annotation, const char *source_path)
{
    VEC(char *) paths = {};
    AUTO(strv_free_p) char **parts = strv_split(str_or_empty(annotation), ";", true);
    for (size_t i = 0; parts[i]; i++) {
        const char *p = parts[i];
        VEC_PUSH(&paths, *p == '/' ? path_clean(p + 1) : path_join(str_or_empty(source_path), p));
    }
    VEC_PUSH(&paths, NULL);
    return paths.v;
}

/* How much of the two paths is common, in whole components. */
static size_t common_part(const char *a, const char *b)
{
    size_t last = 0, i = 0;
    for (; a[i] && a[i] == b[i]; i++)
        if (a[i] == '/')
            last = i;
    bool whole = (!a[i] || a[i] == '/') && (!b[i] || b[i] == '/');
    return whole ? i : last;
}

char *generate_paths_root(char *const *paths, const char *source_path)
{
    AUTO(free_p) char *root = path_clean(str_or_empty(source_path));
    for (size_t i = 0; paths[i]; i++) {
        if (strcmp(root, ".") == 0 || strcmp(paths[i], ".") == 0 || path_escapes(paths[i]))
            return xstrdup("");
        /* Of a glob only what stands before it is a directory. */
        size_t fixed = strcspn(paths[i], "*?[");
        while (paths[i][fixed] && fixed && paths[i][fixed - 1] != '/')
            fixed--;
        AUTO(free_p) char *path = xstrndup(paths[i], fixed && paths[i][fixed] ? fixed - 1 : fixed);
        root[common_part(root, path)] = '\0';
    }
    return strcmp(root, ".") == 0 ? xstrdup("") : TAKE(root);
}

bool generate_paths_match(char *const *paths, const char *file)
{
    for (size_t i = 0; paths[i]; i++) {
        size_t n = strlen(paths[i]);
        if (strcmp(paths[i], ".") == 0 || strcmp(paths[i], file) == 0)
            return true;
        if (strncmp(file, paths[i], n) == 0 && file[n] == '/')
            return true;
        if (shell_match(paths[i], file))
            return true;
    }
    return false;
}
