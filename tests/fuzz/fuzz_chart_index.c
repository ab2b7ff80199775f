/* index.yaml of Helm repositories: whatever comes out is lines that read back, each with a name and a
 * version. */
#include "repo-server/artifact/index.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *lines = NULL;
    size_t n = 0, count = 0;
    index_entries_t all = {}, one = {};
    if (!size || size > 1 << 16)
        return 0;
    FILE *in = fmemopen((void *)data, size, "r"), *out = open_memstream(&lines, &n);
    int r = index_reduce(in, out, NULL);
    fclose(in);
    fclose(out);
    if (r == 0 && n) {
        for (size_t i = 0; i < n; i++)
            count += lines[i] == '\n';
        in = fmemopen(lines, n, "r");
        REQUIRE(index_read(in, NULL, &all, NULL) == 0);
        REQUIRE(all.n == count);
        VEC_FOREACH(&all, e)
            REQUIRE(*e->name && *e->version);
        rewind(in);
        REQUIRE(index_read(in, all.v[0].name, &one, NULL) == 0);
        REQUIRE(one.n >= 1 && strcmp(one.v[0].version, all.v[0].version) == 0);
        fclose(in);
    }
    index_entries_free(&all);
    index_entries_free(&one);
    free(lines);
    return 0;
}
