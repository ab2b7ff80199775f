/* What every fuzz target includes. A target is tests/fuzz/fuzz_<name>.c with LLVMFuzzerTestOneInput; its
 * seeds and the inputs that once broke something are files in tests/fuzz/corpus/<name>. A target checks more
 * than not crashing: properties that must hold for any input, with REQUIRE. */
#ifndef CARGOCD_TESTS_FUZZ_H
#define CARGOCD_TESTS_FUZZ_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(what)                                                                                        \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);                        \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* Cuts the input up to a zero byte (or the end) off its front, as an owned C string. */
static inline UNUSED char *take_text(const uint8_t **data, size_t *size)
{
    const uint8_t *end = *size ? memchr(*data, 0, *size) : NULL;
    size_t n = end ? (size_t)(end - *data) : *size;
    char *text = xstrndup((const char *)*data, n);
    *data += end ? n + 1 : n;
    *size -= end ? n + 1 : n;
    return text;
}

#endif
