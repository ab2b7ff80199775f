#include "repo-server/git/lfs_config.h"
#include "repo-server/git/config_text.h"

enum { TEXT_MAX = 1 << 20 };

enum section { OTHER, LFS, ORIGIN };

struct parse {
    enum section section;
    char *own, *of_remote;
};

/* A name before the closing bracket, without regard to case. */
static bool is_section(view_t head, const char *name)
{
    const char *end = memchr(head.p, ']', head.n);
    view_t v = view_trim((view_t){head.p, end ? (size_t)(end - head.p) : 0});
    return v.n == strlen(name) && strncasecmp(v.p, name, v.n) == 0;
}

static int on_section(void *arg, view_t head, err_t **err)
{
    struct parse *p = arg;
    p->section = is_section(head, "lfs") ? LFS : is_section(head, "remote \"origin\"") ? ORIGIN : OTHER;
    return 0;
}

static void on_value(void *arg, const char *key, char *value_take)
{
    struct parse *p = arg;
    char **to = p->section == LFS && strcasecmp(key, "url") == 0         ? &p->own
                : p->section == ORIGIN && strcasecmp(key, "lfsurl") == 0 ? &p->of_remote
                                                                         : NULL;
    if (!to) {
        free(value_take);
        return;
    }
    free(*to);
    *to = value_take;
}

char *lfs_config_url(const char *p, size_t n)
{
    struct parse parse = {};
    const struct config_handler handler = {&parse, on_section, on_value};
    config_text_read(p, n, &handler, NULL);
    char *url = str_empty(parse.own) ? TAKE(parse.of_remote) : TAKE(parse.own);
    free(parse.own);
    free(parse.of_remote);
    if (str_empty(url))
        free(TAKE(url));
    return url;
}

int lfs_config_of(git_lease_t *lease, const char *commit, char **url, err_t **err)
{
    AUTO_STR text = STR_MAX(TEXT_MAX);
    int r = config_text_of(lease, commit, ".lfsconfig", &text, err);
    if (r == 0)
        *url = lfs_config_url(str_text(&text), text.len);
    return r;
}
