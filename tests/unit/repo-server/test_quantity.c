#include "tests/unit/test.h"
#include "repo-server/quantity.h"

static void parses_sizes(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t v;
    } cases[] = {{"0", true, 0},
                 {"10M", true, 10000000},
                 {"1Ki", true, 1024},
                 {"3Gi", true, 3ull << 30},
                 {"7", true, 7},
                 {"", false, 0},
                 {"M", false, 0},
                 {"1m", false, 0},
                 {"1.5G", false, 0},
                 {"-1", false, 0},
                 {"1 M", false, 0},
                 {"99999999999999999999", false, 0},
                 {"99999999999T", false, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t v = 0;
        if (quantity_parse(cases[i].text, &v) != cases[i].ok || (cases[i].ok && v != cases[i].v))
            fail_msg("'%s'", cases[i].text);
    }
}

TESTS(T(parses_sizes))
