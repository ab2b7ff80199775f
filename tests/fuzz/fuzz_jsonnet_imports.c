/* Jsonnet programs: marking imports changes nothing but marks that come and blanks that go for them. */
#include "repo-server/jsonnet/imports.h"
#include "tests/fuzz/fuzz.h"

static size_t without(const char *p, size_t n, char *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != JSONNET_AS_IS)
            out[k++] = p[i];
    return k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    AUTO_STR out = STR_INIT;
    jsonnet_mark_imports(text, size, &out);
    AUTO(free_p) char *before = xmalloc(size + 1);
    AUTO(free_p) char *after = xmalloc(out.len + 1);
    size_t n = without(text, size, before);
    REQUIRE(n == without(str_text(&out), out.len, after));
    REQUIRE(memcmp(before, after, n) == 0);
    return 0;
}
