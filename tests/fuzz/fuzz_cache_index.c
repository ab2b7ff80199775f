/* The index of candidates that is kept in Redis: what is read is what was written. */
#include "repo-server/cache/remote.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cache_index index;
    if (!cache_index_decode(data, size, &index))
        return 0;
    AUTO_STR again = STR_INIT;
    cache_index_encode(&index, &again);
    REQUIRE(again.len <= size);
    struct cache_index back;
    REQUIRE(cache_index_decode(again.p, again.len, &back));
    REQUIRE(back.n == index.n);
    cache_index_dispose(&index);
    cache_index_dispose(&back);
    return 0;
}
