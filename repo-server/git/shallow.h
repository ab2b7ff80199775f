/* The files of a clone of which only a part of the history was fetched: where it is cut, in Git's own file
 * "shallow", and what was asked for lately, which tells a server what it need not send. */
#ifndef CARGOCD_REPO_GIT_SHALLOW_H
#define CARGOCD_REPO_GIT_SHALLOW_H

#include "repo-server/git/pktline.h"

/* Files that are not there or damaged give less: what a server sends then is more than it had to. */
void shallow_read(const char *dir, shallow_t *out);
int shallow_write(const char *dir, const shallow_t *set, err_t **err);

/* The latest last; strv_free. */
char **shallow_tips_read(const char *dir) MUST_USE;
/* Appends one, and drops the oldest over a maximum. */
int shallow_tips_add(const char *dir, const char *oid, err_t **err);

#endif
