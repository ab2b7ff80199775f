#include "repo-server/git/meta.h"
#include "common/base/clock.h"
#include "common/base/vec.h"

#include <ctype.h>

#define TRAILER "Argocd-reference-commit-"

/* The last paragraph, of which every line must be "Key: value" or the continuation of one, as git
 * interpret-trailers has it. */
static view_t trailer_block(const char *message)
{
    view_t v = view_trim(view_of(message));
    const char *block = NULL;
    for (size_t i = 0; i + 1 < v.n; i++)
        if (v.p[i] == '\n' && v.p[i + 1] == '\n')
            block = v.p + i + 2;
    return block ? (view_t){block, (size_t)(v.p + v.n - block)} : (view_t){};
}

static bool is_sha(const char *s)
{
    size_t n = strlen(s);
    return n >= 5 && n <= 40 && strspn(s, "0123456789abcdef") == n;
}

/* One trailer into the reference; a value that is not of its form is left out. */
static void take_trailer(json_t *commit, const char *name, const char *value)
{
    wall_t date;
    AUTO_JSON text = NULL;
    if (strcasecmp(name, "date") == 0) {
        char normal[RFC3339_TEXT];
        if (!rfc3339_parse(value, &date))
            return;
        rfc3339(date, normal);
        json_set_str(commit, "date", normal);
    } else if (strcasecmp(name, "body") == 0) {
        if (json_read_str(value, &text, NULL) == 0 && json_is_string(text))
            json_set_str(commit, "body", json_string_value(text));
    } else if (strcasecmp(name, "sha") == 0) {
        if (is_sha(value))
            json_set_str(commit, "sha", value);
    } else if (strcasecmp(name, "repourl") == 0) {
        json_set_str(commit, "repoURL", value);
    } else if (strcasecmp(name, "author") == 0 || strcasecmp(name, "subject") == 0) {
        json_set_str(commit, strcasecmp(name, "author") == 0 ? "author" : "subject", value);
    }
}

json_t *git_trailer_reference(const char *message)
{
    AUTO_JSON commit = json_object();
    view_t rest = trailer_block(message), line;
    while (rest.p && view_split(&rest, '\n', &line)) {
        AUTO(free_p) char *text = xstrndup(line.p, line.n);
        char *colon = strchr(text, ':');
        if (!colon || strncasecmp(text, TRAILER, strlen(TRAILER)) != 0)
            continue;
        *colon = '\0';
        view_t value = view_trim(view_of(colon + 1));
        AUTO(free_p) char *v = xstrndup(value.p, value.n);
        take_trailer(commit, text + strlen(TRAILER), v);
    }
    if (!json_object_size(commit))
        return NULL;
    json_t *list = json_array(), *entry = json_object();
    json_object_set_new(entry, "commit", TAKE(commit));
    json_array_append_new(list, entry);
    return list;
}

/* Git does not say that names are UTF-8; JSON does. */
static char *as_utf8(const char *s)
{
    size_t n = strlen(s);
    if (utf8_valid(s, n))
        return xstrdup(s);
    AUTO_STR out = STR_INIT;
    for (const char *p = s; *p;) {
        uint32_t cp;
        size_t k = utf8_decode(p, n - (size_t)(p - s), &cp);
        str_add(&out, k ? p : "\xef\xbf\xbd", k ? k : 3);
        p += k ? k : 1;
    }
    return str_take(&out);
}

static void add_tags(json_t *meta, const git_refs_t *refs, const char *commit)
{
    json_t *tags = json_array();
    for (size_t i = 0; i < git_refs_count(refs); i++) {
        const struct git_ref *ref = git_refs_at(refs, i);
        const char *tag = str_after(ref->name, "refs/tags/");
        if (tag && strcmp(ref->commit, commit) == 0)
            json_array_append_new(tags, json_str_new(tag));
    }
    if (json_array_size(tags))
        json_object_set(meta, "tags", tags);
    json_decref(tags);
}

int git_commit_metadata(git_lease_t *lease, const char *commit, const git_refs_t *refs, json_t **out,
                        err_t **err)
{
    git_oid oid;
    git_commit *c = NULL;
    if (git_oid_fromstr(&oid, commit) < 0 || git_commit_lookup(&c, git_lease_repo(lease), &oid) < 0)
        return err_set(err, ERR_DATA_LOSS, "commit %s of the clone cannot be read", commit);
    const git_signature *author = git_commit_author(c);
    AUTO(free_p) char *name = as_utf8(author ? author->name : "");
    AUTO(free_p) char *email = as_utf8(author ? author->email : "");
    AUTO(free_p) char *message = as_utf8(git_commit_message(c));
    AUTO(free_p) char *shown = xasprintf("%s <%s>", name, email);
    view_t trimmed = view_trim(view_of(message));
    char date[RFC3339_TEXT];
    rfc3339((wall_t){(author ? author->when.time : 0) * NS_PER_SEC}, date);
    json_t *meta = json_object();
    json_set_str(meta, "author", shown);
    json_set_str(meta, "date", date);
    add_tags(meta, refs, commit);
    json_object_set_new(meta, "message", json_stringn(trimmed.n ? trimmed.p : "", trimmed.n));
    json_t *references = git_trailer_reference(message);
    if (references)
        json_object_set_new(meta, "references", references);
    git_commit_free(c);
    *out = meta;
    return 0;
}
