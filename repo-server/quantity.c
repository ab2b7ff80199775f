#include "repo-server/quantity.h"
#include "common/base/str.h"

bool quantity_parse(const char *text, uint64_t *out)
{
    static const struct {
        const char *suffix;
        uint64_t factor;
    } units[] = {{"", 1},
                 {"k", 1000},
                 {"M", 1000000},
                 {"G", 1000000000},
                 {"T", 1000000000000},
                 {"Ki", 1ull << 10},
                 {"Mi", 1ull << 20},
                 {"Gi", 1ull << 30},
                 {"Ti", 1ull << 40}};
    size_t n = strspn(text, "0123456789");
    AUTO(free_p) char *digits = xstrndup(text, n);
    uint64_t v;
    if (!str_to_u64(digits, &v))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (strcmp(text + n, units[i].suffix) == 0)
            return !__builtin_mul_overflow(v, units[i].factor, out);
    return false;
}
