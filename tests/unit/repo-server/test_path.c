#include "tests/unit/test.h"
#include "repo-server/tree.h"

static void cleans_as_go(void **state)
{
    static const struct {
        const char *path, *clean;
        bool escapes;
    } cases[] = {
        {"", ".", false},
        {"a", "a", false},
        {"a/b/", "a/b", false},
        {"./a//b/.", "a/b", false},
        {"a/../b", "b", false},
        {"a/..", ".", false},
        {"..", "..", true},
        {"../a", "../a", true},
        {"a/../../b", "../b", true},
        {"../../a", "../../a", true},
        {"../a/..", "..", true},
        {"/", "/", true},
        {"/a/../..", "/", true},
        {"/../a", "/a", true},
        {"..a/b", "..a/b", false},
        {"a/./../../..", "../..", true},
        {"...", "...", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *c = path_clean(cases[i].path);
        assert_string_equal(c, cases[i].clean);
        assert_int_equal(path_escapes(c), cases[i].escapes);
    }
}

static void joins(void **state)
{
    static const struct {
        const char *a, *b, *joined;
    } cases[] = {{"a", "b", "a/b"},      {"a", "../b", "b"}, {"", "b", "b"}, {"a", "", "a"},
                 {"a/b", "/c", "a/b/c"}, {"", "", "."},      {".", "x", "x"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *j = path_join(cases[i].a, cases[i].b);
        assert_string_equal(j, cases[i].joined);
    }
}

TESTS(T(cleans_as_go), T(joins))
