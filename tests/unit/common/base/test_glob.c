#include "tests/unit/test.h"
#include "common/base/glob.h"

static void gobwas(void **state)
{
    static const struct {
        const char *pattern, *text, *separators;
        bool match;
    } cases[] = {
        {"*", "a/b", "", true},
        {"*", "a/b", "/", false},
        {"**", "a/b", "/", true},
        {"a*c", "abbc", NULL, true},
        {"a?c", "abc", NULL, true},
        {"a?c", "a/c", "/", false},
        {"[a-c]x", "bx", NULL, true},
        {"[!a-c]x", "bx", NULL, false},
        {"[!a-c]x", "dx", NULL, true},
        {"{a,b*}c", "bxxc", NULL, true},
        {"{a,b}c", "cc", NULL, false},
        {"{a,{b,c}d}", "cd", NULL, true},
        {"\\*", "*", NULL, true},
        {"\\*", "a", NULL, false},
        {"", "", NULL, true},
        {"", "a", NULL, false},
        {"a", "", NULL, false},
        {"https://github.com/*", "https://github.com/o/r", "/", false},
        {"https://github.com/**", "https://github.com/o/r", "/", true},
        {"*.example.com", "x.example.com", NULL, true},
        {"[", "[", NULL, false},
        {"{a", "{a", NULL, false},
        {"{,x}y", "y", NULL, true},
        {"*\xc3\xa9?", "x\xc3\xa9\xe2\x82\xac", NULL, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (glob_match(cases[i].pattern, cases[i].text, cases[i].separators) != cases[i].match)
            fail_msg("%s against %s", cases[i].pattern, cases[i].text);
}

static void hostile_patterns_end(void **state)
{
    AUTO_STR text = STR_INIT;
    AUTO_STR pattern = STR_INIT;
    for (int i = 0; i < 2000; i++)
        str_putc(&text, 'a');
    for (int i = 0; i < 60; i++)
        str_puts(&pattern, "*a");
    str_putc(&pattern, 'b');
    assert_false(glob_match(str_text(&pattern), str_text(&text), NULL));
    str_reset(&pattern);
    for (int i = 0; i < 30; i++)
        str_puts(&pattern, "*{a,b}");
    assert_true(glob_match(str_text(&pattern), str_text(&text), NULL));
    str_puts(&pattern, "*b");
    assert_false(glob_match(str_text(&pattern), str_text(&text), NULL));
    str_puts(&text, "b");
    assert_true(glob_match(str_text(&pattern), str_text(&text), NULL));
    AUTO_STR deep = STR_INIT;
    for (int i = 0; i < 100000; i++)
        str_putc(&deep, '{');
    for (int i = 0; i < 100000; i++)
        str_putc(&deep, '}');
    glob_match(str_text(&deep), "", NULL);
}

static void regex_and_shell(void **state)
{
    assert_true(glob_or_regex_match("/^app-[0-9]+$/", "app-12"));
    assert_false(glob_or_regex_match("/^app-[0-9]+$/", "app-x"));
    assert_false(glob_or_regex_match("/(/", "("));
    assert_true(glob_or_regex_match("app-*", "app-x"));
    assert_true(shell_match("a/*.yaml", "a/b.yaml"));
    assert_false(shell_match("*.yaml", "a/b.yaml"));
    assert_true(shell_match("{a}", "{a}"));
}

TESTS(T(gobwas), T(hostile_patterns_end), T(regex_and_shell))
