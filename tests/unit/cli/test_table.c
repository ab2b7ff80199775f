#include "tests/unit/test.h"
#include "cli/table.h"

/* What Go's text/tabwriter makes of the same text. */
static void layout(void **state)
{
    static const struct {
        const char *text;
        size_t min;
        const char *expected;
    } cases[] = {
        {"", 0, ""},
        {"a\tb\n", 0, "a  b\n"},
        {"a\tb", 0, "a  b"},
        {"NAME\tX\nlonger\ty\n", 0, "NAME    X\nlonger  y\n"},
        {"a\t\tc\n", 0, "a    c\n"}, /* an empty column still has its padding */
        {"a\tb\t\n", 0, "a  b  \n"}, /* a last cell that is ended is in a column */
        {"a\tb\t\naa\tbbb\t\n", 0, "a   b    \naa  bbb  \n"},
        {"x\n\na\tb\n", 0, "x\n\na  b\n"}, /* lines without cells end columns */
        {"aaaa\tb\n\na\tb\n", 0, "aaaa  b\n\na  b\n"},
        {"a\tbbbb\tc\nd\te\n", 0, "a  bbbb  c\nd  e\n"}, /* a line's last cell is in no column */
        {"\xe2\x94\x94\xe2\x94\x80x\ty\nabc\tz\n", 0, "\xe2\x94\x94\xe2\x94\x80x  y\nabc  z\n"},
        {"a\tb\n", 5, "a    b\n"},
        {"abcd\tb\n", 5, "abcd  b\n"},
        {"\t1\ntt\t2\n", 0, "    1\ntt  2\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR out = STR_INIT;
        table_layout(cases[i].text, strlen(cases[i].text), cases[i].min, &out);
        assert_string_equal(str_text(&out), cases[i].expected);
    }
}

TESTS(T(layout))
