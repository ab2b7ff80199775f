/* The Git child: reads a job (job.h) from standard input, confines itself, does it, writes the answer. */
#ifndef CARGOCD_REPO_GIT_CHILD_H
#define CARGOCD_REPO_GIT_CHILD_H

#include "common/base/err.h"
#include "repo-server/git/job.h"

#include <git2.h>

int git_child_main(void);

/* child_pack.c: GIT_OP_PACK. Lines with the paths (without suffix) of the packs that were replaced. */
int git_child_pack(const struct git_job *job, str_t *out, err_t **err);
struct git_session;
/* child_shallow.c: GIT_OP_FETCH with a depth. */
int git_child_shallow(struct git_session *s, err_t **err);
/* child_lfs.c: GIT_OP_LFS. The object is at <dir>/<oid> then. */
int git_child_lfs(struct git_session *s, err_t **err);
/* The bare repository of the job, made when it is not there. */
int git_child_open(const char *dir, git_repository **out, err_t **err);
bool git_child_has(git_repository *repo, const char *oid);
/* The session's error when it has one: it has a code, libgit2's is only a text. */
int git_child_session_failed(struct git_session *s, const char *what, err_t **err);
/* libgit2's last error behind a text of ours. */
int git_child_failed(enum err_code code, const char *what, err_t **err);

#endif
