/* Command lines: arguments separated by line breaks. Values stay within their ranges and everything is freed.
 */
#include "tests/fuzz/fuzz.h"
#include "common/base/flag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct {
        char *name, **list;
        bool on;
        int64_t port, timeout, period;
    } o = {};
    struct flag flags[] = {
        {.name = "name", .type = FLAG_STRING, .target = &o.name, .fallback = "x", .shorthand = 'n'},
        {.name = "on", .type = FLAG_BOOL, .target = &o.on, .shorthand = 'o'},
        {.name = "port", .type = FLAG_INT, .target = &o.port, .fallback = "80", .min = 1, .max = 65535},
        {.name = "timeout", .type = FLAG_DURATION, .target = &o.timeout, .fallback = "1s"},
        {.name = "period", .type = FLAG_SECONDS, .target = &o.period, .fallback = "10", .shorthand = 'p'},
        {.name = "list", .type = FLAG_STRINGS, .target = &o.list, .shorthand = 'l'},
    };
    AUTO(free_p) char *text = take_text(&data, &size);
    AUTO(strv_free_p) char **v = strv_split(text, "\n", false);
    size_t n = strv_len(v);
    char **argv = xcalloc(n + 2, sizeof(*argv)), **args = NULL;
    argv[0] = (char *)(uintptr_t) "program";
    for (size_t i = 0; i < n; i++)
        argv[i + 1] = v[i];
    bool help = strv_contains(v, "--help") || strv_contains(v, "-h");
    int r = help ? 1 : flags_parse(flags, ARRAY_LEN(flags), (int)n + 1, argv, &args, "usage", NULL);
    if (r == 0) {
        REQUIRE(o.port >= 1 && o.port <= 65535 && o.name);
        REQUIRE(strv_len(args) <= n);
    }
    flags_dispose(flags, ARRAY_LEN(flags));
    free(args);
    free(argv);
    return 0;
}
