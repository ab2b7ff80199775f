/* URLs of Git repositories: which two name the same repository, how to reach one, and what may be shown of
 * one. */
#ifndef CARGOCD_REPO_GIT_URL_H
#define CARGOCD_REPO_GIT_URL_H

#include "common/base/err.h"

enum git_scheme { GIT_SCHEME_HTTP, GIT_SCHEME_HTTPS, GIT_SCHEME_SSH, GIT_SCHEME_GIT, GIT_SCHEME_FILE };

enum { GIT_URL_MAX = 8192 };

struct git_url {
    enum git_scheme scheme;
    char *user, *password; /* NULL: none; percent-decoded */
    char *host;            /* lower case, without brackets; "" for file */
    unsigned port;         /* 0: the scheme's */
    char *path;            /* with its leading slash, as spelled; scp style without one unless spelled so */
};

/* Understands scheme://… and git's scp style (user@host:path), and bare absolute paths as file. Refuses
 * control characters, and hosts and users that a program could take for an option. */
int git_url_parse(const char *text, struct git_url *out, err_t **err);
void git_url_dispose(struct git_url *u);

/* The name under which objects of a repository are kept: like the normal form, but the path keeps its case
 * (hosts do tell /Team/x from /team/x, and then these are two repositories with different readers) and there
 * is no user information. */
char *git_url_storage_key(const char *text) MUST_USE;

/* Without password and query, for messages and labels. */
char *git_url_for_message(const char *text) MUST_USE;

#endif
