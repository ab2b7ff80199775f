/* A cron schedule: accepted or refused; the next time is the first one. */
#include "tests/fuzz/fuzz.h"

#include "common/base/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *text = take_text(&data, &size);
    struct cron c;
    int64_t t = 1790000000, next, again;
    if (cron_parse(text, &c, NULL) < 0)
        return 0;
    if (size >= 4)
        t += (int32_t)(data[0] | data[1] << 8 | data[2] << 16 | (uint32_t)data[3] << 24);
    if (!cron_next(&c, t, &next))
        return 0;
    REQUIRE(next > t && next % 60 == 0);
    REQUIRE(cron_next(&c, next - 60, &again) && again == next);
    return 0;
}
