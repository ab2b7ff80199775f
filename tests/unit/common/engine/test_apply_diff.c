#include "common/engine/apply_diff.h"
#include "common/engine/ownership.h"
#include "tests/unit/test.h"

static json_t *parse(const char *text)
{
    json_t *v = NULL;
    AUTO_ERR err = NULL;
    if (json_read_str(text, &v, &err) < 0)
        fail_msg("%s: %s", text, err_text(err));
    return v;
}

#define LIVE(data, owners)                                                                                   \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\",\"namespace\":\"n\","        \
    "\"uid\":\"u\","                                                                                         \
    "\"resourceVersion\":\"7\",\"creationTimestamp\":\"2020-01-01T00:00:00Z\",\"annotations\":{\"t\":\"x\"}" \
    ","                                                                                                      \
    "\"managedFields\":[{\"manager\":\"argocd-controller\",\"operation\":\"Apply\",\"apiVersion\":\"v1\","   \
    "\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":{" owners                                          \
    "},\"f:metadata\":{\"f:annotations\":{\"f:t\":{}}}}}]},\"data\":" data "}"
#define TARGET(data)                                                                                         \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\",\"namespace\":\"n\","        \
    "\"annotations\":{\"t\":\"x\"}},\"data\":" data "}"

/* What the API server adds to a StatefulSet's claim templates, and a Role whose rules are an empty list. */
#define OWNED(fields)                                                                                        \
    "\"managedFields\":[{\"manager\":\"argocd-controller\",\"operation\":\"Apply\","                         \
    "\"fieldsType\":\"FieldsV1\",\"fieldsV1\":" fields "}]"
#define STATEFUL_SET(managed, claim)                                                                         \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"metadata\":{\"name\":\"s\"" managed              \
    "},\"spec\":{\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"d\"}" claim "}]}}"
#define ROLE(managed, rules)                                                                                 \
    "{\"apiVersion\":\"rbac.authorization.k8s.io/"                                                           \
    "v1\",\"kind\":\"Role\",\"metadata\":{\"name\":\"r\"" managed "},\"rules\":" rules "}"

static void structured(void **state)
{
    static const struct {
        const char *target, *live;
        bool modified;
    } cases[] = {
        {TARGET("{\"a\":\"1\"}"), LIVE("{\"a\":\"1\"}", "\"f:a\":{}"), false},
        {TARGET("{\"a\":\"2\"}"), LIVE("{\"a\":\"1\"}", "\"f:a\":{}"), true},
        {TARGET("{\"a\":\"1\"}"), LIVE("{\"a\":\"1\",\"b\":\"2\"}", "\"f:a\":{},\"f:b\":{}"), true},
        {TARGET("{\"a\":\"1\"}"), LIVE("{\"a\":\"1\",\"b\":\"2\"}", "\"f:a\":{}"), false},
        {STATEFUL_SET("", ",\"spec\":{}"),
         STATEFUL_SET("," OWNED("{\"f:spec\":{\"f:volumeClaimTemplates\":{}}}"),
                      ",\"spec\":{\"volumeMode\":\"Filesystem\"},\"status\":{\"phase\":\"Pending\"}"),
         false},
        {STATEFUL_SET("", ",\"spec\":{\"volumeMode\":\"Block\"}"),
         STATEFUL_SET("," OWNED("{\"f:spec\":{\"f:volumeClaimTemplates\":{}}}"),
                      ",\"spec\":{\"volumeMode\":\"Filesystem\"}"),
         true},
        {ROLE("", "[]"), ROLE("," OWNED("{\"f:rules\":{}}"), "null"), false},
        {ROLE("", "[]"), ROLE("," OWNED("{\"f:rules\":{}}"), "[{\"verbs\":[\"get\"]}]"), true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON target = parse(cases[i].target);
        AUTO_JSON live = parse(cases[i].live);
        struct normalize_options options = {};
        struct diff_result r = {};
        AUTO_ERR err = NULL;
        assert_int_equal(diff_structured(target, live, "argocd-controller", &options, &r, &err), 0);
        if (r.modified != cases[i].modified) {
            AUTO(free_p) char *p = json_text(r.predicted_live, JSON_GO);
            AUTO(free_p) char *l = json_text(r.normalized_live, JSON_GO);
            fail_msg("case %zu:\npredicted %s\nlive      %s", i, p, l);
        }
        diff_result_dispose(&r);
    }
}

static void overlays(void **state)
{
    static const struct {
        const char *live, *predicted, *owned, *all, *expected;
    } cases[] = {
        {"{\"a\":1,\"b\":2}", "{\"a\":3,\"b\":4}", "{\"f:a\":{}}", "{\"f:a\":{},\"f:b\":{}}",
         "{\"a\":3,\"b\":2}"},
        {"{\"a\":1,\"b\":2}", "{\"a\":1}", "{\"f:a\":{}}", "{\"f:a\":{}}", "{\"a\":1}"},
        {"{\"l\":[{\"name\":\"x\",\"v\":1}]}", "{\"l\":[{\"name\":\"x\",\"v\":2},{\"name\":\"hook\"}]}",
         "{\"f:l\":{\"k:{\\\"name\\\":\\\"x\\\"}\":{\".\":{},\"f:name\":{},\"f:v\":{}}}}",
         "{\"f:l\":{\"k:{\\\"name\\\":\\\"x\\\"}\":{\".\":{},\"f:name\":{},\"f:v\":{}}}}",
         "{\"l\":[{\"name\":\"x\",\"v\":2}]}"},
        {"{\"l\":[1]}", "{\"l\":[2]}", "{}", "{}", "{\"l\":[2]}"},
        {"{\"l\":[1],\"m\":1}", "{\"l\":[2],\"m\":2}", "{\"f:m\":{}}", "{\"f:m\":{}}", "{\"l\":[1],\"m\":2}"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON live = parse(cases[i].live);
        AUTO_JSON predicted = parse(cases[i].predicted);
        AUTO_JSON owned = parse(cases[i].owned);
        AUTO_JSON all = parse(cases[i].all);
        AUTO_JSON got = apply_overlay(live, predicted, owned, all);
        AUTO(free_p) char *text = json_text(got, JSON_GO);
        assert_string_equal(text, cases[i].expected);
    }
}

static void migration(void **state)
{
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"[{\"manager\":\"old\",\"operation\":\"Update\",\"fieldsV1\":{\"f:a\":{}}}]",
         "[{\"fieldsV1\":{\"f:a\":{}},\"manager\":\"new\",\"operation\":\"Apply\"}]"},
        {"[{\"manager\":\"new\",\"operation\":\"Apply\",\"fieldsV1\":{\"f:a\":{}}},"
         "{\"manager\":\"old\",\"operation\":\"Update\",\"fieldsV1\":{\"f:b\":{}}},"
         "{\"manager\":\"kubelet\",\"operation\":\"Update\",\"fieldsV1\":{\"f:c\":{}}}]",
         "[{\"fieldsV1\":{\"f:a\":{},\"f:b\":{}},\"manager\":\"new\",\"operation\":\"Apply\"},"
         "{\"fieldsV1\":{\"f:c\":{}},\"manager\":\"kubelet\",\"operation\":\"Update\"}]"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON before = parse(cases[i].before);
        AUTO_JSON after = ownership_migrate(before, "old", "new");
        AUTO(free_p) char *text = json_text(after, JSON_GO);
        assert_string_equal(text, cases[i].after);
        assert_false(ownership_has_updates(after, "old"));
    }
}

TESTS(T(structured), T(overlays), T(migration))
