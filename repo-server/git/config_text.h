/* Files in git-config's syntax at the root of a commit (.gitmodules, .lfsconfig), as far as it occurs there.
 */
#ifndef CARGOCD_REPO_GIT_CONFIG_TEXT_H
#define CARGOCD_REPO_GIT_CONFIG_TEXT_H

#include "common/base/str.h"
#include "repo-server/git/store.h"

struct config_handler {
    void *arg;
    /* What stands behind the "[" of a section, up to the end of the line. */
    int (*section)(void *arg, view_t head, err_t **err);
    /* A value of the section at hand, without quotes and comments. */
    void (*value)(void *arg, const char *key, char *value_take);
};
int config_text_read(const char *p, size_t n, const struct config_handler *h, err_t **err);

/* Appends the file of a commit; a name that is no file there is empty. ERR_DATA_LOSS: the clone is damaged.
 */
int config_text_of(git_lease_t *lease, const char *commit, const char *name, str_t *out, err_t **err);

#endif
