/* Lists of references as a hostile server sends them, and revisions looked up in them. */
#include "repo-server/git/refs.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *revision = take_text(&data, &size);
    AUTO(git_refs_unref_p) git_refs_t *refs = NULL;
    struct git_revision got = {};
    if (git_refs_read((const char *)data, size, &refs, NULL) < 0)
        return 0;
    for (size_t i = 0; i < git_refs_count(refs); i++)
        REQUIRE(strlen(git_refs_at(refs, i)->commit) == 40);
    AUTO(strv_free_p) char **tags = git_refs_names(refs, "refs/tags/");
    REQUIRE(strv_len(tags) <= git_refs_count(refs));
    if (git_refs_resolve(refs, revision, NULL, &got, NULL) == 0)
        REQUIRE(got.text && strlen(got.text) >= 7);
    git_revision_dispose(&got);
    return 0;
}
