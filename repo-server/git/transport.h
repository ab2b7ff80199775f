/* libgit2's smart protocol over our own transports: HTTP(S) on libcurl, ssh as a child OpenSSH. Used in the
 * Git child. */
#ifndef CARGOCD_REPO_GIT_TRANSPORT_H
#define CARGOCD_REPO_GIT_TRANSPORT_H

#include "common/base/err.h"
#include "repo-server/git/job.h"

#include <git2.h>
#include <git2/sys/transport.h>

/* One conversation with a server. libgit2 carries only a text of an error, so the whole one is kept here. */
struct git_session {
    const struct git_job *job;
    struct git_url url;
    err_t *err;
};

/* For git_remote_callbacks.transport; payload: struct git_session *. */
int git_session_transport(git_transport **out, git_remote *owner, void *payload);

int git_http_subtransport(git_smart_subtransport **out, git_transport *owner, void *session);
int git_ssh_subtransport(git_smart_subtransport **out, git_transport *owner, void *session);

/* Records an error for the session and for libgit2; returns -1. */
int git_session_fail(struct git_session *s, enum err_code code, const char *fmt, ...) PRINTF(3, 4);

#endif
