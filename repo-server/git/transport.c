#include "repo-server/git/transport.h"

int git_session_fail(struct git_session *s, enum err_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *text = xvasprintf(fmt, ap);
    va_end(ap);
    if (!s->err) /* the first is the cause */
        err_set(&s->err, code, "%s", text);
    git_error_set_str(GIT_ERROR_NET, text);
    return -1;
}

int git_session_transport(git_transport **out, git_remote *owner, void *payload)
{
    struct git_session *s = payload;
    git_smart_subtransport_definition http = {git_http_subtransport, 1, s},
                                      ssh = {git_ssh_subtransport, 0, s};
    git_smart_subtransport_definition git = {git_smart_subtransport_git, 0, NULL};
    switch (s->url.scheme) {
    case GIT_SCHEME_HTTP:
    case GIT_SCHEME_HTTPS:
        return git_transport_smart(out, owner, &http);
    case GIT_SCHEME_SSH:
        return git_transport_smart(out, owner, &ssh);
    case GIT_SCHEME_GIT:
        return git_transport_smart(out, owner, &git);
    case GIT_SCHEME_FILE:
        return git_transport_local(out, owner, NULL);
    }
    return git_session_fail(s, ERR_INTERNAL, "no transport for this URL");
}

int git_session_subtransport(git_smart_subtransport **out, struct git_session *s)
{
    switch (s->url.scheme) {
    case GIT_SCHEME_HTTP:
    case GIT_SCHEME_HTTPS:
        return git_http_subtransport(out, NULL, s);
    case GIT_SCHEME_SSH:
        return git_ssh_subtransport(out, NULL, s);
    case GIT_SCHEME_GIT:
        return git_smart_subtransport_git(out, NULL, NULL);
    case GIT_SCHEME_FILE:
        break;
    }
    return git_session_fail(s, ERR_FAILED_PRECONDITION, "no part of a history can be fetched from this URL");
}
