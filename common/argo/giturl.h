/* Repository URLs: two spellings of one repository compare equal (Argo CD's git.NormalizeGitURL). */
#ifndef CARGOCD_ARGO_GITURL_H
#define CARGOCD_ARGO_GITURL_H

#include "common/base/str.h"

/* Lower case, without ".git", "ssh://" and the scp form's colon; "" when it is no URL. The caller's. */
char *giturl_normalize(const char *url) MUST_USE;
bool giturl_same(const char *a, const char *b);
/* user@host:path or ssh://. */
bool giturl_is_ssh(const char *url);

#endif
