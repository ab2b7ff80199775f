#include "repo-server/git/refs.h"
#include "common/base/arena.h"
#include "common/base/map.h"
#include "common/base/semver.h"
#include "common/base/vec.h"

#include <ctype.h>

struct git_refs {
    _Atomic int refs;
    arena_t *arena;
    VEC(struct git_ref) list;
};

bool git_is_commit(const char *text)
{
    return strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

bool git_is_short_commit(const char *text)
{
    size_t n = strlen(text);
    return n >= 7 && n <= 40 && strspn(text, "0123456789abcdefABCDEF") == n;
}

static int bad_line(view_t line, err_t **err)
{
    return err_set(err, ERR_DATA_LOSS, "the list of references has a malformed line: %.*s",
                   (int)min_size(line.n, 80), line.p);
}

static int read_line(git_refs_t *r, view_t line, err_t **err)
{
    view_t rest = line, oid, name;
    view_split(&rest, ' ', &oid);
    if (oid.n != 40 || !rest.p || !view_split(&rest, ' ', &name) || !name.n)
        return bad_line(line, err);
    for (size_t i = 0; i < oid.n; i++)
        if (!isxdigit((unsigned char)oid.p[i]))
            return bad_line(line, err);
    if (name.n > 3 && memcmp(name.p + name.n - 3, "^{}", 3) == 0) {
        struct git_ref *last = r->list.n ? &r->list.v[r->list.n - 1] : NULL;
        if (last && view_eq((view_t){name.p, name.n - 3}, last->name)) {
            last->object = arena_strndup(r->arena, last->commit, 40);
            memcpy(last->commit, oid.p, 40);
        }
        return 0;
    }
    if (r->list.n >= GIT_REFS_MAX)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the repository has more than %d references",
                       GIT_REFS_MAX);
    struct git_ref *ref = VEC_ADD(&r->list);
    *ref = (struct git_ref){.name = arena_strndup(r->arena, name.p, name.n)};
    memcpy(ref->commit, oid.p, 40);
    if (rest.p && rest.n)
        ref->target = arena_strndup(r->arena, rest.p, rest.n);
    return 0;
}

int git_refs_read(const char *p, size_t n, git_refs_t **out, err_t **err)
{
    AUTO(git_refs_unref_p) git_refs_t *r = xcalloc(1, sizeof(*r));
    r->refs = 1;
    r->arena = arena_new();
    view_t rest = {p, n}, line;
    while (n && view_split(&rest, '\n', &line)) {
        if (!line.n)
            continue;
        int e = read_line(r, line, err);
        if (e < 0)
            return e;
    }
    *out = TAKE(r);
    return 0;
}

git_refs_t *git_refs_ref(git_refs_t *r)
{
    if (r)
        r->refs++;
    return r;
}

void git_refs_unref(git_refs_t *r)
{
    if (!r || --r->refs > 0)
        return;
    VEC_FREE(&r->list);
    arena_free(r->arena);
    free(r);
}

size_t git_refs_count(const git_refs_t *r)
{
    return r->list.n;
}

const struct git_ref *git_refs_at(const git_refs_t *r, size_t i)
{
    return &r->list.v[i];
}

static int cmp_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **git_refs_names(const git_refs_t *r, const char *prefix)
{
    VEC(char *) names = {};
    VEC_FOREACH(&r->list, ref) {
        const char *shorter = str_after(ref->name, prefix);
        if (shorter)
            VEC_PUSH(&names, xstrdup(shorter));
    }
    VEC_SORT(&names, cmp_texts);
    VEC_PUSH(&names, NULL);
    return names.v;
}

void git_revision_dispose(struct git_revision *r)
{
    free(r->text);
    free(r->ref);
    free(r->object);
    *r = (struct git_revision){};
}

static const char *short_name(const char *name)
{
    static const char *const prefixes[] = {"refs/heads/", "refs/tags/", "refs/remotes/", "refs/notes/"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        const char *shorter = str_after(name, prefixes[i]);
        if (shorter)
            return shorter;
    }
    return name;
}

static const struct git_ref *find_full(const git_refs_t *r, const char *name)
{
    VEC_FOREACH(&r->list, ref)
        if (strcmp(ref->name, name) == 0)
            return ref;
    return NULL;
}

/* A symbolic reference whose target is not advertised still has the commit that came with it. */
static void found(const git_refs_t *r, const struct git_ref *ref, struct git_revision *out)
{
    const struct git_ref *target = ref->target ? find_full(r, ref->target) : NULL;
    ref = target ? target : ref;
    *out = (struct git_revision){.text = xstrdup(ref->commit),
                                 .ref = xstrdup(ref->name),
                                 .object = ref->object ? xstrdup(ref->object) : NULL};
}

/* The tag that a version or constraint selects, else the revision itself. Most revisions are neither, and
 * then the tags are not gathered. */
static char *select_tag(const git_refs_t *r, const char *revision, const char *tag_prefix)
{
    AUTO(semver_constraint_free_p) semver_constraint_t *c = NULL;
    semver_t v;
    char *tag = NULL;
    if (!semver_parse(revision, &v) && semver_constraint_parse(revision, &c, NULL) < 0)
        return xstrdup(revision);
    AUTO(strv_free_p) char **tags = c ? git_refs_names(r, "refs/tags/") : NULL;
    if (semver_select(tags, c ? strv_len(tags) : 0, revision, tag_prefix, &tag, NULL) < 0)
        return xstrdup(revision);
    return tag;
}

int git_refs_resolve(const git_refs_t *r, const char *revision, const char *tag_prefix,
                     struct git_revision *out, err_t **err)
{
    if (git_is_commit(revision)) {
        *out = (struct git_revision){.text = xstrdup(revision)};
        return 0;
    }
    AUTO(free_p) char *name = select_tag(r, *revision ? revision : "HEAD", tag_prefix);
    bool full = str_has_prefix(name, "refs/");
    VEC_FOREACH(&r->list, ref) {
        if (strcmp(full ? ref->name : short_name(ref->name), name) == 0) {
            found(r, ref, out);
            return 0;
        }
    }
    if (git_is_short_commit(name)) {
        *out = (struct git_revision){.text = xstrdup(name)};
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND, "unable to resolve '%s' to a commit SHA: revision not found",
                   *revision ? revision : "HEAD");
}
