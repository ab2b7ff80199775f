#include "common/engine/ignored.h"
#include "tests/unit/golden.h"

static char **texts_of(const json_t *list)
{
    char **out = xcalloc(json_array_size(list) + 1, sizeof(*out));
    for (size_t i = 0; i < json_array_size(list); i++)
        out[i] = xstrdup(json_string_value(json_array_get(list, i)));
    return out;
}

/* The rules of a case, all for objects of any kind but where one is named. */
static struct ignore_rule rule_of(const json_t *c)
{
    const char *kind = json_str_at(c, "kind");
    return (struct ignore_rule){.group = "*",
                                .kind = kind ? kind : "*",
                                .pointers = texts_of(json_at(c, "pointers")),
                                .managers = texts_of(json_at(c, "managers"))};
}

static void free_rule(struct ignore_rule *r)
{
    strv_free((char **)(uintptr_t)r->pointers);
    strv_free((char **)(uintptr_t)r->managers);
}

static void run_managed(const json_t *c, const char *what)
{
    struct ignore_rule rule = rule_of(c);
    AUTO_JSON target = json_copy_deep(json_at(c, "target"));
    AUTO_JSON live = json_copy_deep(json_at(c, "live"));
    ignored_drop_managed(target, live, json_at(c, "managedFields"), &rule, 1);
    assert_json_same(target, json_at(c, "expect", "target"), what);
    assert_json_same(live, json_at(c, "expect", "live"), what);
    free_rule(&rule);
}

static void fields_of_managers(void **state)
{
    golden_each("ignored/managers.jsonl", 9, run_managed);
}

static void run_respect(const json_t *c, const char *what)
{
    struct ignore_rule rule = rule_of(c);
    struct normalize_options options = {.rules = &rule, .nrules = 1};
    AUTO_JSON out = ignored_respect(json_at(c, "target"), json_at(c, "live"), &options);
    assert_json_same(out, json_at(c, "expect"), what);
    free_rule(&rule);
}

static void respected(void **state)
{
    golden_each("ignored/respect.jsonl", 12, run_respect);
}

TESTS(T(fields_of_managers), T(respected))
