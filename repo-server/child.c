#include "repo-server/child.h"
#include "common/base/str.h"
#include "repo-server/git/child.h"
#include "repo-server/git/job.h"
#include "repo-server/jsonnet/jsonnet.h"

int repo_child_main(int argc, char **argv)
{
    static const struct {
        const char *role;
        int (*main)(void);
    } roles[] = {{GIT_CHILD_ROLE, git_child_main}, {JSONNET_CHILD_ROLE, jsonnet_child_main}};
    for (size_t i = 0; argc == 2 && i < ARRAY_LEN(roles); i++)
        if (str_eq(argv[1], roles[i].role))
            return roles[i].main();
    return -1;
}
