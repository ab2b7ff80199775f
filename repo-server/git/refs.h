/* The list of references that a repository advertised, and which commit a revision names in it. */
#ifndef CARGOCD_REPO_GIT_REFS_H
#define CARGOCD_REPO_GIT_REFS_H

#include "common/base/err.h"
#include "common/base/str.h"

enum { GIT_OID_HEX = 41, GIT_REFS_MAX = 1000000 };

struct git_ref {
    const char *name;         /* "HEAD", "refs/heads/main" */
    const char *target;       /* of a symbolic reference; NULL: none */
    char commit[GIT_OID_HEX]; /* annotated tags are peeled */
    const char *object;       /* of an annotated tag: its own id; NULL */
};

/* Immutable once read; reference-counted, shared by all who asked. In the order of the advertisement. */
typedef struct git_refs git_refs_t;

/* Reads lines "<oid> <name>" or "<oid> <name> <symbolic target>"; "<name>^{}" lines peel the line before. */
int git_refs_read(const char *p, size_t n, git_refs_t **out, err_t **err);
git_refs_t *git_refs_ref(git_refs_t *r);
void git_refs_unref(git_refs_t *r);
size_t git_refs_count(const git_refs_t *r);
const struct git_ref *git_refs_at(const git_refs_t *r, size_t i);
/* Short names below a prefix ("refs/tags/"), sorted; the array (NULL-terminated) is the caller's, as its
 * strings. */
char **git_refs_names(const git_refs_t *r, const char *prefix) MUST_USE;

struct git_revision {
    char *text;   /* a commit in full, or an abbreviated one as it was given */
    char *ref;    /* the reference that it was found under; NULL: none */
    char *object; /* of an annotated tag: its own id; NULL: it is none */
};
void git_revision_dispose(struct git_revision *r);

/* Argo CD's order: a full commit is itself (r may be NULL then); semantic versions over tags, with
 * tag_prefix; references by short or full name, the first advertised wins; seven or more hex digits are
 * themselves. "" is HEAD. ERR_NOT_FOUND: "unable to resolve 'x' to a commit SHA: revision not found". */
int git_refs_resolve(const git_refs_t *r, const char *revision, const char *tag_prefix,
                     struct git_revision *out, err_t **err);

/* 40 lower-case hex digits / 7 to 40 hex digits. */
bool git_is_commit(const char *text);
bool git_is_short_commit(const char *text);

AUTO_DECL(git_refs_unref_p, git_refs_t, git_refs_unref)

#endif
