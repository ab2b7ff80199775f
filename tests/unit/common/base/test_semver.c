#include "tests/unit/golden.h"
#include "common/base/semver.h"

static void parses_leniently(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t major, minor, patch;
        const char *pre;
    } cases[] = {
        {"1.2.3", true, 1, 2, 3, ""},
        {"v1.2.3", true, 1, 2, 3, ""},
        {"1", true, 1, 0, 0, ""},
        {"v1.2", true, 1, 2, 0, ""},
        {"1.2.3-rc.1+b5", true, 1, 2, 3, "rc.1"},
        {"1.2-beta", true, 1, 2, 0, "beta"},
        {"1.2.3+x", true, 1, 2, 3, ""},
        {"01.2.3", true, 1, 2, 3, ""},
        {.text = "1.2.3-01"},
        {.text = "1.2.3-"},
        {.text = "1.2.3.4"},
        {.text = "1."},
        {.text = ""},
        {.text = "V1"},
        {.text = "1.2.3 "},
        {.text = "18446744073709551616.0.0"},
        {.text = "main"},
        {.text = "x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        semver_t v;
        bool ok = semver_parse(cases[i].text, &v);
        if (ok != cases[i].ok)
            fail_msg("%s: %d", cases[i].text, ok);
        if (ok && (v.major != cases[i].major || v.minor != cases[i].minor || v.patch != cases[i].patch ||
                   !view_eq(v.pre, cases[i].pre)))
            fail_msg("%s parsed wrongly", cases[i].text);
    }
}

static void orders_by_precedence(void **state)
{
    static const char *const ascending[] = {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                            "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                                            "1.0.0-rc.1",  "1.0.0",         "1.0.1",
                                            "1.1.0",       "2.0.0",         "10.0.0"};
    for (size_t i = 0; i < ARRAY_LEN(ascending); i++) {
        for (size_t k = 0; k < ARRAY_LEN(ascending); k++) {
            semver_t a, b;
            assert_true(semver_parse(ascending[i], &a) && semver_parse(ascending[k], &b));
            int c = semver_compare(&a, &b);
            if ((c > 0) != (i > k) || (c < 0) != (i < k))
                fail_msg("%s against %s: %d", ascending[i], ascending[k], c);
        }
    }
    semver_t a, b;
    assert_true(semver_parse("1.0.0+a", &a) && semver_parse("1.0.0+b", &b) && semver_compare(&a, &b) == 0);
}

/* "yes" and "no" are versions separated by blanks. */
static void constraints_hold(void **state)
{
    static const struct {
        const char *constraint, *yes, *no;
    } cases[] = {
        {"1.2.3", "1.2.3 v1.2.3 1.2.3+x", "1.2.4 1.2.3-rc.1"},
        {"=1.2.3", "1.2.3", "1.2.4"},
        {"= 1.2", "1.2.0 1.2.9", "1.3.0 1.1.9"},
        {"1.2", "1.2.0 1.2.9", "1.3.0"},
        {"1", "1.0.0 1.9.9", "2.0.0 0.9.0"},
        {"1.x", "1.0.0 1.9.9", "2.0.0"},
        {"1.2.*", "1.2.0 1.2.9", "1.3.0"},
        {"1.X.3", "1.0.0 1.9.9", "2.0.0"},
        {"*", "0.0.1 9.9.9", "1.0.0-rc.1"},
        {"x", "0.0.1 9.9.9", "1.0.0-rc.1"},
        {"!=1.2.3", "1.2.4", "1.2.3"},
        {"!=1.x", "2.0.0 0.1.0", "1.0.0 1.9.9"},
        {"!=1.2.x", "1.3.0 2.2.0", "1.2.0 1.2.9"},
        {">1.2.3", "1.2.4 2.0.0", "1.2.3 1.2.2"},
        {">11", "12.0.0 12.1.0", "11.0.0 11.9.9 10.0.0"},
        {">11.1", "11.2.0 12.0.0", "11.1.0 11.1.9 11.0.0"},
        {">=11.1", "11.1.0 11.2.0", "11.0.9"},
        {"=>1.2", "1.2.0", "1.1.9"},
        {"<1.2.3", "1.2.2", "1.2.3"},
        {"<11", "10.9.9", "11.0.0 11.1.0"},
        {"<=11", "11.0.0 11.9.9 10.0.0", "12.0.0"},
        {"<=11.1", "11.1.0 11.1.9 11.0.0 10.5.0", "11.2.0"},
        {"=<2.0.0", "2.0.0", "2.0.1"},
        {"~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"},
        {"~>1.2.3", "1.2.3 1.2.9", "1.3.0"},
        {"~1", "1.0.0 1.9.9", "2.0.0"},
        {"~1.x", "1.0.0 1.9.9", "2.0.0"},
        {"~0.0.0", "0.0.0 5.1.0", "1.0.0-rc.1"},
        {"^1.2.3", "1.2.3 1.9.0", "2.0.0 1.2.2"},
        {"^1.2", "1.2.0 1.9.0", "2.0.0 1.1.0"},
        {"^0.2.3", "0.2.3 0.2.9", "0.3.0 1.0.0"},
        {"^0.0.3", "0.0.3", "0.0.4 0.1.0"},
        {"^0.0", "0.0.0 0.0.9", "0.1.0"},
        {"^0", "0.0.1 0.9.9", "1.0.0"},
        {">=1.2 <2", "1.2.0 1.9.9", "2.0.0 1.1.0"},
        {">=1.2, <2", "1.2.0 1.9.9", "2.0.0"},
        {">=1.2,<2.0.0 || 3.x", "1.2.0 3.4.5", "2.0.0 4.0.0"},
        {"1.2 - 1.4.5", "1.2.0 1.4.5", "1.4.6 1.1.9"},
        {"1.2 - 1.4", "1.2.0 1.4.9", "1.5.0"},
        {">=1.0.0-0", "1.0.0-rc.1 1.0.0 2.0.0-beta", "0.9.0"},
        {">=1.0.0-0 <2", "1.0.0-rc.1 1.9.0-x", "2.0.0"},
        {">=1", "1.0.0", "1.0.0-rc.1 1.1.0-rc.1"},
        {"^1.2.0-beta.2", "1.2.0-beta.3 1.2.0 1.4.0-alpha", "1.2.0-beta.1 2.0.0"},
        {">=v1.2", "1.2.0", "1.1.0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(semver_constraint_free_p) semver_constraint_t *c = NULL;
        ASSERT_OK(semver_constraint_parse(cases[i].constraint, &c, &err));
        for (int want = 0; want < 2; want++) {
            AUTO(strv_free_p) char **list = strv_split(want ? cases[i].yes : cases[i].no, " ", true);
            for (size_t k = 0; list[k]; k++) {
                semver_t v;
                assert_true(semver_parse(list[k], &v));
                if (semver_satisfies(c, &v) != want)
                    fail_msg("'%s' with %s: expected %d", cases[i].constraint, list[k], want);
            }
        }
    }
}

static void refuses_what_is_no_constraint(void **state)
{
    static const char *const bad[] = {"",       " ",    "main",     "feature/x", ">=", "1.2.3.4",
                                      "1.2 ||", "|| 1", ">= 1 foo", "1-",        "v",  "=!1",
                                      "1.2.3-", "1,,2", "1;2",      ">1<2"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_ERR err = NULL;
        semver_constraint_t *c = NULL;
        if (semver_constraint_parse(bad[i], &c, &err) == 0)
            fail_msg("'%s' was accepted", bad[i]);
        assert_int_equal(err_code(err), ERR_INVALID_ARGUMENT);
    }
    char big[8 * SEMVER_TEXT_MAX];
    memset(big, '1', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    AUTO_ERR err = NULL;
    semver_constraint_t *c = NULL;
    assert_true(semver_constraint_parse(big, &c, &err) < 0);
}

static void selects_from_tags(void **state)
{
    static char *const tags[] = {"v1.0.0",    "v1.1.0", "v1.2.0-rc.1", "app-2.0.0",
                                 "app-2.1.0", "app-x",  "stable",      "2.0.0"};
    static const struct {
        const char *wanted, *prefix, *out, *error;
    } cases[] = {
        {"v1.0.0", NULL, "v1.0.0", NULL},
        {"7.7", NULL, "7.7", NULL},
        {"7.7", "app-", "app-7.7", NULL},
        {"1.x", NULL, "v1.1.0", NULL},
        {">=1.0.0-0 <2", NULL, "v1.2.0-rc.1", NULL},
        {"*", NULL, "2.0.0", NULL},
        {"*", "app-", "app-2.1.0", NULL},
        {"stable", NULL, "stable", NULL},
        {"stable", "app-", NULL, "failed to determine semver constraint: improper constraint: stable"},
        {"unknown", NULL, NULL, "failed to determine semver constraint: improper constraint: unknown"},
        {"^9", NULL, NULL, "version matching constraint not found in 8 tags"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(free_p) char *out = NULL;
        int r = semver_select(tags, ARRAY_LEN(tags), cases[i].wanted, cases[i].prefix, &out, &err);
        if ((r == 0) != (cases[i].out != NULL) || !str_eq(out, cases[i].out))
            fail_msg("'%s': %s, %s", cases[i].wanted, str_or_empty(out), err_text(err));
        if (cases[i].error)
            assert_string_equal(err_text(err), cases[i].error);
    }
}

/* ---- what Masterminds/semver and Argo CD answer (tests/golden/semver) ---- */

static bool listed(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return true;
    return false;
}

static void check_constraint(const json_t *c, const char *what)
{
    static const char *const versions[] = {
        "0.0.0",         "0.0.1",      "0.0.3",       "0.0.4",       "0.1.0",         "0.2.2",
        "0.2.3",         "0.2.4",      "0.3.0",       "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2",
        "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0",       "1.0.1",       "1.1.0",         "1.2.0",
        "1.2.3-rc.1",    "1.2.3",      "1.2.3+build", "1.2.4",       "1.3.0",         "1.9.9",
        "2.0.0-0",       "2.0.0",      "2.1.0",       "3.0.0",       "10.0.0",        "11.0.0",
        "11.1.0",        "11.1.5",     "11.2.0",      "12.0.0",      "v1.2.3",        "v2"};
    AUTO(semver_constraint_free_p) semver_constraint_t *parsed = NULL;
    bool valid = semver_constraint_parse(str_or_empty(json_str_at(c, "name")), &parsed, NULL) == 0;
    if (valid != json_bool_at(c, "valid"))
        fail_msg("%s: %s", what, valid ? "is taken for a constraint" : "is refused");
    for (size_t i = 0; valid && i < ARRAY_LEN(versions); i++) {
        semver_t v;
        assert_true(semver_parse(versions[i], &v));
        bool want = listed(json_object_get(c, "match"), versions[i]);
        if (semver_satisfies(parsed, &v) != want)
            fail_msg("%s with %s: expected %d", what, versions[i], want);
    }
}

static void constraints_hold_as_recorded(void **state)
{
    golden_each("semver/constraints.jsonl", 280, check_constraint);
}

static void check_selection(const json_t *c, const char *what)
{
    const json_t *tags = json_object_get(c, "tags");
    const char *want = json_str_at(c, "out");
    AUTO(free_p) char *out = NULL;
    AUTO_ERR err = NULL;
    char *list[64] = {};
    for (size_t i = 0; i < json_array_size(tags); i++)
        list[i] = (char *)json_string_value(json_array_get(tags, i));
    int r = semver_select(list, json_array_size(tags), json_str_at(c, "wanted"), json_str_at(c, "prefix"),
                          &out, &err);
    if ((r == 0) != (want != NULL) || !str_eq(out, want))
        fail_msg("%s, prefix '%s': %s instead of %s (%s)", what, json_str_at(c, "prefix"), out ? out : "none",
                 want ? want : "none", err_text(err));
}

static void selections_are_as_recorded(void **state)
{
    golden_each("semver/selections.jsonl", 80, check_selection);
}

TESTS(T(parses_leniently), T(orders_by_precedence), T(constraints_hold), T(refuses_what_is_no_constraint),
      T(selects_from_tags), T(constraints_hold_as_recorded), T(selections_are_as_recorded))
