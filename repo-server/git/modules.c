#include "repo-server/git/modules.h"
#include "common/base/vec.h"
#include "repo-server/git/config_text.h"

enum { TEXT_MAX = 1 << 20 };

void git_modules_dispose(git_modules_t *m)
{
    VEC_FOREACH(m, e) {
        free(e->path);
        free(e->url);
    }
    VEC_FREE(m);
}

/* ---- the file ---- */

static void set_field(struct git_module *m, const char *key, char *value_take)
{
    char **to = strcasecmp(key, "path") == 0 ? &m->path : strcasecmp(key, "url") == 0 ? &m->url : NULL;
    if (!to) {
        free(value_take);
        return;
    }
    free(*to);
    *to = value_take;
}

/* Sections of other kinds, and those without path or url, do not stay. */
static void drop_incomplete(git_modules_t *m)
{
    for (size_t i = m->n; i > 0; i--) {
        struct git_module *e = &m->v[i - 1];
        if (e->path && e->url)
            continue;
        free(e->path);
        free(e->url);
        VEC_REMOVE(m, i - 1);
    }
}

struct parse {
    git_modules_t *out;
    bool inside;
};

static int on_section(void *arg, view_t head, err_t **err)
{
    static const char start[] = "submodule \"";
    struct parse *p = arg;
    p->inside = head.n > sizeof(start) - 2 && strncasecmp(head.p, start, sizeof(start) - 1) == 0;
    if (p->inside && p->out->n >= GIT_MODULES_MAX)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "more than %d submodules", GIT_MODULES_MAX);
    if (p->inside)
        VEC_PUSH(p->out, (struct git_module){});
    return 0;
}

static void on_value(void *arg, const char *key, char *value_take)
{
    struct parse *p = arg;
    if (p->inside)
        set_field(&p->out->v[p->out->n - 1], key, value_take);
    else
        free(value_take);
}

int git_modules_parse(const char *p, size_t n, git_modules_t *out, err_t **err)
{
    struct parse parse = {.out = out};
    const struct config_handler handler = {&parse, on_section, on_value};
    int r = config_text_read(p, n, &handler, err);
    if (r < 0)
        return r;
    drop_incomplete(out);
    return 0;
}

/* ---- the tree ---- */

/* Those that the tree does not hold (any more) are left out. */
static void find_commits(git_tree *tree, git_modules_t *m)
{
    for (size_t i = m->n; i > 0; i--) {
        struct git_module *e = &m->v[i - 1];
        git_tree_entry *entry = NULL;
        bool found = git_tree_entry_bypath(&entry, tree, e->path) == 0 &&
                     git_tree_entry_filemode(entry) == GIT_FILEMODE_COMMIT;
        if (found)
            git_oid_tostr(e->commit, sizeof(e->commit), git_tree_entry_id(entry));
        git_tree_entry_free(entry);
        if (!found) {
            free(e->path);
            free(e->url);
            VEC_REMOVE(m, i - 1);
        }
    }
}

static int keep_existing(git_lease_t *lease, const char *commit, git_modules_t *out, err_t **err)
{
    git_oid oid;
    git_commit *c = NULL;
    git_tree *tree = NULL;
    int r = 0;
    if (git_oid_fromstr(&oid, commit) < 0 || git_commit_lookup(&c, git_lease_repo(lease), &oid) < 0 ||
        git_commit_tree(&tree, c) < 0)
        r = err_set(err, ERR_DATA_LOSS, "commit %s of the clone cannot be read", commit);
    else
        find_commits(tree, out);
    git_tree_free(tree);
    git_commit_free(c);
    return r;
}

int git_modules_of(git_lease_t *lease, const char *commit, git_modules_t *out, err_t **err)
{
    AUTO_STR text = STR_MAX(TEXT_MAX);
    int r = config_text_of(lease, commit, ".gitmodules", &text, err);
    if (r == 0)
        r = git_modules_parse(str_text(&text), text.len, out, err);
    return r < 0 || !out->n ? r : keep_existing(lease, commit, out, err);
}

/* ---- where they are ---- */

char *git_modules_resolve(const char *parent, const char *url)
{
    if (strncmp(url, "./", 2) != 0 && strncmp(url, "../", 3) != 0)
        return xstrdup(url);
    AUTO_STR base = STR_INIT;
    str_puts(&base, parent);
    while (base.len && base.p[base.len - 1] == '/')
        str_truncate(&base, base.len - 1);
    const char *scheme = strstr(str_text(&base), "://");
    size_t least = scheme ? (size_t)(scheme - base.p) + 3 : 1;
    bool colon = false;
    while (strncmp(url, "./", 2) == 0 || strncmp(url, "../", 3) == 0) {
        if (url[1] == '/') {
            url += 2;
            continue;
        }
        url += 3;
        const char *slash = base.len ? memrchr(base.p, '/', base.len) : NULL;
        const char *scp = scheme || !base.len ? NULL : memrchr(base.p, ':', base.len);
        const char *cut = slash ? slash : scp;
        if (!cut || (size_t)(cut - base.p) < least)
            return NULL;
        colon = cut == scp;
        str_truncate(&base, (size_t)(cut - base.p));
    }
    return xasprintf("%s%s%s", str_text(&base), colon ? ":" : "/", url);
}

int git_modules_origin(const origin_t *parent, const char *url, const struct git_settings *settings,
                       origin_t **out, err_t **err)
{
    AUTO(free_p) char *full = git_modules_resolve(parent->url, url);
    struct git_url u;
    if (!full)
        return err_set(err, ERR_INVALID_ARGUMENT, "the submodule's URL '%s' leads above its host", url);
    int r = git_url_parse(full, &u, err);
    if (r < 0)
        return err_wrap(err, "submodule");
    bool same = u.scheme == parent->parsed.scheme && u.port == parent->parsed.port &&
                strcmp(u.host, parent->parsed.host) == 0;
    bool ssh = u.scheme == GIT_SCHEME_SSH;
    git_url_dispose(&u);
    struct git_access access = {.url = full, .proxy = parent->proxy, .no_proxy = parent->no_proxy};
    if (same || ssh)
        access.ssh_private_key = parent->ssh_private_key;
    if (same) {
        access.username = parent->username;
        access.password = parent->password;
        access.bearer_token = parent->bearer_token;
        access.tls_client_cert = parent->tls_client_cert;
        access.tls_client_key = parent->tls_client_key;
        access.insecure = parent->insecure;
        access.force_basic = parent->force_basic;
        access.token = parent->token;
    }
    r = origin_new(&access, settings, out, err);
    return r < 0 ? err_wrap(err, "submodule") : 0;
}
