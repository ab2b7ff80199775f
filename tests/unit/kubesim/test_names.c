#include "tests/kubesim/names.h"
#include "tests/unit/test.h"

static const char a63[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void test_names(void **state)
{
    static const struct {
        enum name_rule rule;
        const char *name;
        bool prefix, good;
    } cases[] = {
        {NAME_SUBDOMAIN, "a", false, true},       {NAME_SUBDOMAIN, "a.b-c.9", false, true},
        {NAME_SUBDOMAIN, "", false, false},       {NAME_SUBDOMAIN, "A", false, false},
        {NAME_SUBDOMAIN, "a_b", false, false},    {NAME_SUBDOMAIN, "a..b", false, false},
        {NAME_SUBDOMAIN, "a.", false, false},     {NAME_SUBDOMAIN, "-a", false, false},
        {NAME_SUBDOMAIN, "a-", false, false},     {NAME_SUBDOMAIN, "a-", true, true},
        {NAME_SUBDOMAIN, "-", true, false},       {NAME_LABEL, "a.b", false, false},
        {NAME_LABEL, "9a", false, true},          {NAME_LABEL, a63, false, true},
        {NAME_RFC1035, "9a", false, false},       {NAME_RFC1035, "a9", false, true},
        {NAME_PATH, "system:x:Y z", false, true}, {NAME_PATH, "a/b", false, false},
        {NAME_PATH, "..", false, false},          {NAME_PATH, "a%b", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!name_check(cases[i].rule, cases[i].name, cases[i].prefix) != cases[i].good)
            fail_msg("'%s' under rule %d", cases[i].name, cases[i].rule);
}

static void test_lengths(void **state)
{
    char text[300];
    memset(text, 'a', sizeof(text));
    static const struct {
        enum name_rule rule;
        size_t max;
    } cases[] = {{NAME_SUBDOMAIN, 253}, {NAME_LABEL, 63}, {NAME_RFC1035, 63}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        text[cases[i].max] = 0;
        assert_null(name_check(cases[i].rule, text, false));
        text[cases[i].max] = 'a';
        text[cases[i].max + 1] = 0;
        assert_non_null(name_check(cases[i].rule, text, false));
        text[cases[i].max + 1] = 'a';
    }
}

static void test_keys_and_values(void **state)
{
    static const struct {
        const char *key;
        size_t problems;
    } keys[] = {{"a", 0},  {"a.b/C_d", 0}, {"A/b", 1}, {"a/b/c", 1}, {"a/", 2},
                {"/a", 1}, {"/", 3},       {"a b", 1}, {"-a", 1},    {a63, 0}};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *problems[NAME_PROBLEMS];
        if (qualified_name_check(keys[i].key, problems) != keys[i].problems)
            fail_msg("key '%s'", keys[i].key);
    }
    assert_null(label_value_check(""));
    assert_null(label_value_check("A-b_c.9"));
    assert_non_null(label_value_check("a b"));
    assert_non_null(label_value_check("-a"));
    assert_null(config_key_check("..data"));
    assert_non_null(config_key_check("a/b"));
    assert_non_null(config_key_check(""));
}

TESTS(T(test_names), T(test_lengths), T(test_keys_and_values))
