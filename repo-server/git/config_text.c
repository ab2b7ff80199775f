#include "repo-server/git/config_text.h"

#include <ctype.h>

/* A value up to a comment: quotes and backslashes as git-config has them. */
static char *read_value(view_t v)
{
    AUTO_STR s = STR_INIT;
    bool quoted = false;
    size_t keep = 0; /* trailing blanks outside of quotes do not count */
    v = view_trim(v);
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        if (c == '"') {
            quoted = !quoted;
            keep = s.len;
        } else if (c == '\\' && i + 1 < v.n) {
            char e = v.p[++i];
            str_putc(&s, e == 'n' ? '\n' : e == 't' ? '\t' : e);
            keep = s.len;
        } else if (!quoted && (c == '#' || c == ';')) {
            break;
        } else {
            str_putc(&s, c);
            keep = quoted || !isspace((unsigned char)c) ? s.len : keep;
        }
    }
    str_truncate(&s, keep);
    return str_take(&s);
}

int config_text_read(const char *p, size_t n, const struct config_handler *h, err_t **err)
{
    view_t rest = {p, n}, line;
    while (n && view_split(&rest, '\n', &line)) {
        line = view_trim(line);
        if (!line.n || *line.p == '#' || *line.p == ';')
            continue;
        if (*line.p == '[') {
            int r = h->section(h->arg, (view_t){line.p + 1, line.n - 1}, err);
            if (r < 0)
                return r;
            continue;
        }
        view_t value = line, key;
        if (!view_split(&value, '=', &key) || !value.p)
            continue;
        key = view_trim(key);
        AUTO(free_p) char *name = xstrndup(key.p, key.n);
        h->value(h->arg, name, read_value(value));
    }
    return 0;
}

static int read_blob(git_repository *repo, git_tree *tree, const char *name, str_t *out, err_t **err)
{
    const git_tree_entry *e = git_tree_entry_byname(tree, name);
    git_blob *blob = NULL;
    if (!e || git_tree_entry_type(e) != GIT_OBJECT_BLOB || git_tree_entry_filemode(e) == GIT_FILEMODE_LINK)
        return 0;
    if (git_blob_lookup(&blob, repo, git_tree_entry_id(e)) < 0)
        return err_set(err, ERR_DATA_LOSS, "%s of the clone cannot be read", name);
    str_add(out, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
    git_blob_free(blob);
    return str_overflowed(out) ? err_set(err, ERR_RESOURCE_EXHAUSTED, "%s is too large", name) : 0;
}

int config_text_of(git_lease_t *lease, const char *commit, const char *name, str_t *out, err_t **err)
{
    git_oid oid;
    git_commit *c = NULL;
    git_tree *tree = NULL;
    int r;
    if (git_oid_fromstr(&oid, commit) < 0 || git_commit_lookup(&c, git_lease_repo(lease), &oid) < 0 ||
        git_commit_tree(&tree, c) < 0)
        r = err_set(err, ERR_DATA_LOSS, "commit %s of the clone cannot be read", commit);
    else
        r = read_blob(git_lease_repo(lease), tree, name, out, err);
    git_tree_free(tree);
    git_commit_free(c);
    return r;
}
