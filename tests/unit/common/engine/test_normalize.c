#include "common/argo/settings.h"
#include "common/engine/normalize.h"
#include "tests/unit/golden.h"

static void run_case(const json_t *c, const char *what)
{
    AUTO_JSON rules_of = json_pack("[{s:s,s:s,s:O?}]", "group", "*", "kind", "*", "jsonPointers",
                                   json_at(c, "pointers"));
    size_t nrules, ntypes = json_array_size(json_at(c, "types"));
    struct ignore_rule *rules = ignore_rules_of(rules_of, &nrules);
    AUTO(free_p) struct known_type *types = xcalloc(ntypes, sizeof(*types));
    for (size_t i = 0; i < ntypes; i++) {
        const json_t *t = json_array_get(json_at(c, "types"), i);
        types[i] = (struct known_type){json_str_at(t, "group"), json_str_at(t, "kind"),
                                       json_str_at(t, "field"), json_str_at(t, "type")};
    }
    struct normalize_options options = {.rules = rules,
                                        .nrules = nrules,
                                        .types = types,
                                        .ntypes = ntypes,
                                        .ignore_aggregated_roles = json_bool_at(c, "aggregated")};
    AUTO_JSON object = json_copy_deep(json_at(c, "object"));
    normalize_object(&object, &options);
    assert_json_same(object, json_at(c, "expect"), what);
    normalize_object(&object, &options); /* the form stays as it is */
    if (!json_at(c, "pointers"))
        assert_json_same(object, json_at(c, "expect"), what);
    ignore_rules_free(rules, nrules);
}

static void forms(void **state)
{
    golden_each("normalize/cases.jsonl", 33, run_case);
}

static void matching(void **state)
{
    static const struct {
        struct ignore_rule rule;
        bool matches;
    } cases[] = {
        {{.group = "apps", .kind = "Deployment"}, true},
        {{.group = "*", .kind = "*"}, true},
        {{.group = "a*", .kind = "Deploy*"}, true},
        {{.group = "", .kind = "Deployment"}, false},
        {{.kind = "Deployment"}, false},
        {{.group = "apps", .kind = "Deployment", .name = "d"}, true},
        {{.group = "apps", .kind = "Deployment", .name = "d*"}, false}, /* names are no globs */
        {{.group = "apps", .kind = "Deployment", .ns = "web"}, true},
        {{.group = "apps", .kind = "Deployment", .ns = "other"}, false},
    };
    AUTO_JSON o = json_of(
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\",\"namespace\":\"web\"}}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (ignore_rule_matches(&cases[i].rule, o) != cases[i].matches)
            fail_msg("case %zu", i);
}

static json_t *without_a(void *ctx, const char *expression, const json_t *object)
{
    if (strcmp(expression, "fails") == 0)
        return NULL;
    json_t *out = json_copy_deep(object);
    json_object_del(out, "a");
    return out;
}

static void expressions_are_asked_for(void **state)
{
    static char *jq[] = {"fails", "works", NULL};
    struct ignore_rule rule = {.group = "*", .kind = "*", .jq = jq};
    struct normalize_options options = {.rules = &rule, .nrules = 1};
    AUTO_JSON object = json_of("{\"kind\":\"K\",\"a\":1,\"b\":2}");
    AUTO_JSON same = json_copy_deep(object);
    normalize_object(&object, &options);
    assert_json_same(object, same, "nobody evaluates");
    options.jq_delete = without_a;
    normalize_object(&object, &options);
    assert_null(json_at(object, "a"));
    assert_non_null(json_at(object, "b"));
}

TESTS(T(forms), T(matching), T(expressions_are_asked_for))
