/* A compiled time zone: accepted or refused; then every time has an offset. */
#include "tests/fuzz/fuzz.h"

#include "common/base/timezone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    timezone_t *z = timezone_parse(data, size);
    if (!z)
        return 0;
    for (int64_t t = -((int64_t)1 << 35); t < (int64_t)1 << 35; t += (int64_t)1 << 28)
        timezone_offset(z, t);
    timezone_free(z);
    return 0;
}
