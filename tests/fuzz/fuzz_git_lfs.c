/* "pointer or .lfsconfig NUL gpg's lines": what commits say of their large files, what gpg says of theirs. */
#include "repo-server/git/job.h"
#include "repo-server/git/lfs_config.h"
#include "repo-server/integrity/gpg.h"
#include "repo-server/integrity/policy.h"
#include "repo-server/tree.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *file = take_text(&data, &size);
    AUTO(free_p) char *lines = take_text(&data, &size);
    struct lfs_pointer p;
    if (lfs_pointer_read(file, strlen(file), &p))
        REQUIRE(strlen(p.oid) == 64);
    free(lfs_config_url(file, strlen(file)));
    enum signature_status status;
    char key[17];
    if (gpg_status_read(lines, &status, key))
        REQUIRE(strlen(key) <= 16);
    view_t answer;
    git_answer_read(lines, strlen(lines), &answer, NULL);
    return 0;
}
