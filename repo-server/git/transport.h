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

/* The same without libgit2's smart protocol above it, where there is one for the URL's scheme. */
int git_session_subtransport(git_smart_subtransport **out, struct git_session *s);

int git_http_subtransport(git_smart_subtransport **out, git_transport *owner, void *session);
int git_ssh_subtransport(git_smart_subtransport **out, git_transport *owner, void *session);

/* An http or https URL without user information and trailing slashes; the caller's. */
char *git_http_base(const struct git_url *u) MUST_USE;
/* How any request of the session is to be made: TLS, proxy, time limits, protocols. `arg` is a CURL *. */
void git_http_setup(struct git_session *s, void *curl);
/* The same for a server that is not the session's: no client certificate, verified in any case, with these
 * authorities (NULL: the system's). */
void git_http_setup_elsewhere(struct git_session *s, void *curl, const char *ca_pem);
/* The credential; a header of it is appended to *headers (struct curl_slist **), which is the caller's. */
void git_http_credentials(struct git_session *s, void *curl, void *headers);
/* What curl could not do, as an error of the session; returns -1. `reason` is its error buffer. */
int git_http_failed(struct git_session *s, int code, const char *reason);
/* Runs a command of an ssh server: "<command> '<path>' <argument>". */
int git_ssh_run(struct git_session *s, const struct git_url *where, const char *command, const char *argument,
                str_t *out);

/* Records an error for the session and for libgit2; returns -1. */
int git_session_fail(struct git_session *s, enum err_code code, const char *fmt, ...) PRINTF(3, 4);

#endif
