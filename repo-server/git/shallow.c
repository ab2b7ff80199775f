#include "repo-server/git/shallow.h"
#include "common/base/file.h"

enum { TIPS_MAX = 64, FILE_LIMIT = 64 << 20 };

static char **read_lines(const char *dir, const char *name)
{
    AUTO(free_p) char *path = xasprintf("%s/%s", dir, name);
    AUTO_STR text = STR_MAX(FILE_LIMIT);
    file_read(path, &text, NULL);
    return strv_split(str_text(&text), "\n", true);
}

static int write_lines(const char *dir, const char *name, const str_t *text, err_t **err)
{
    AUTO(free_p) char *path = xasprintf("%s/%s", dir, name);
    return file_write(path, str_text(text), text->len, 0600, err);
}

void shallow_read(const char *dir, shallow_t *out)
{
    AUTO(strv_free_p) char **lines = read_lines(dir, "shallow");
    for (size_t i = 0; lines[i]; i++)
        if (git_is_commit(lines[i]))
            map_put(out, lines[i], out);
}

int shallow_write(const char *dir, const shallow_t *set, err_t **err)
{
    AUTO_STR text = STR_INIT;
    MAP_FOREACH(set, e)
        str_printf(&text, "%s\n", e->key);
    return write_lines(dir, "shallow", &text, err);
}

char **shallow_tips_read(const char *dir)
{
    return read_lines(dir, "cargocd-tips");
}

int shallow_tips_add(const char *dir, const char *oid, err_t **err)
{
    AUTO(strv_free_p) char **tips = shallow_tips_read(dir);
    AUTO_STR text = STR_INIT;
    size_t n = strv_len(tips);
    for (size_t i = n >= TIPS_MAX ? n - TIPS_MAX + 1 : 0; i < n; i++)
        if (git_is_commit(tips[i]) && strcmp(tips[i], oid) != 0)
            str_printf(&text, "%s\n", tips[i]);
    str_printf(&text, "%s\n", oid);
    return write_lines(dir, "cargocd-tips", &text, err);
}
