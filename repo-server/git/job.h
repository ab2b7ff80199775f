/* What the daemon asks of its Git child: one job on standard input, one answer on standard output. */
#ifndef CARGOCD_REPO_GIT_JOB_H
#define CARGOCD_REPO_GIT_JOB_H

#include "repo-server/git/url.h"
#include "common/base/str.h"
#include "common/json/json.h"

/* argv[1] of the child. */
#define GIT_CHILD_ROLE "git-child"

enum git_op { GIT_OP_LIST, GIT_OP_FETCH, GIT_OP_PACK, GIT_OP_LFS };

enum { GIT_JOB_MAX = 16 << 20, GIT_ANSWER_MAX = 256 << 20 };

/* Texts are borrowed; those that do not apply are NULL. */
struct git_job {
    enum git_op op;
    const char *url;
    const char *username, *password, *bearer_token;
    const char *ssh_private_key, *known_hosts;
    const char *tls_client_cert, *tls_client_key, *ca_pem;
    const char *proxy, *no_proxy;
    const char *dir;     /* the bare repository; where the object of LFS goes, by its oid */
    const char *scratch; /* an empty directory for files that ssh wants */
    const char *want;    /* GIT_OP_LFS: "<oid> <size>" */
    const char *lfs_url; /* GIT_OP_LFS: where its server is; NULL: where the repository is */
    const char *tls_dir; /* GIT_OP_LFS: one file per host with the authorities to trust there */
    int64_t depth;       /* GIT_OP_FETCH: commits of history behind what is wanted; 0: all */
    bool insecure;
    bool force_basic;
};

void git_job_write(const struct git_job *job, str_t *out);
/* The texts belong to *doc, which is the caller's. */
int git_job_read(const char *p, size_t n, json_t **doc, struct git_job *out, err_t **err);

/* The answer: "ok\n" and what the operation gives, or "error <code>\n<text>". */
int git_answer_read(const char *p, size_t n, view_t *out, err_t **err);

#endif
