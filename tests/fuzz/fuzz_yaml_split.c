/* The pieces of a stream stand in it in order, with nothing but separators between them, and know their line.
 */
#include "tests/fuzz/fuzz.h"
#include "common/yaml/yaml.h"

static size_t count_lines(const char *p, const char *end)
{
    size_t n = 0;
    for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        n++;
    return n;
}

/* A separator can only be the first line of a piece. */
static bool has_separator_inside(view_t piece)
{
    const char *end = piece.p + piece.n;
    for (const char *p = piece.p; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        if (end - p > 4 && memcmp(p, "\n---", 4) == 0)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *at = p;
    struct yaml_splitter s;
    view_t piece;
    yaml_split_init(&s, p, size);
    while (yaml_split_next(&s, &piece)) {
        REQUIRE(piece.n && piece.p >= at && piece.p + piece.n <= p + size);
        REQUIRE(piece.p == at || (piece.p - at >= 3 && memcmp(at, "---", 3) == 0));
        REQUIRE(piece.p == at || !memchr(at, '\n', (size_t)(piece.p - at) - 1));
        REQUIRE(s.line == 1 + count_lines(p, piece.p));
        REQUIRE(!has_separator_inside(piece));
        at = piece.p + piece.n;
    }
    REQUIRE(!yaml_split_next(&s, &piece) && piece.n == 0);
    REQUIRE((yaml_split_end(&s, NULL) < 0) == (s.bad.p != NULL));
    REQUIRE(s.bad.p || (size_t)(p + size - at) <= 3 || memcmp(at, "---", 3) == 0);
    return 0;
}
