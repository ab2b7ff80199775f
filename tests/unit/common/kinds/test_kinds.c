#include "tests/unit/golden.h"
#include "common/kinds/kinds.h"

static void finds_kinds_and_schemas(void **state)
{
    const struct kind_info *k = kind_find("apps", "v1", "Deployment");
    assert_non_null(k);
    assert_string_equal(k->plural, "deployments");
    assert_true(k->namespaced);
    assert_null(kind_find("apps", "v9", "Deployment"));
    assert_null(kind_find("", NULL, "Deployment"));
    assert_false(kind_find("", NULL, "Namespace")->namespaced);
    assert_non_null(kind_find("apiextensions.k8s.io", "v1", "CustomResourceDefinition"));
    assert_null(kind_schema("apiextensions.k8s.io", "v1", "CustomResourceDefinition"));
    /* Versions of one kind have schemas of their own. */
    assert_string_equal(schema_name(kind_schema("autoscaling", "v1", "HorizontalPodAutoscaler")),
                        "autoscaling.v1.HorizontalPodAutoscaler");
    assert_string_equal(schema_name(kind_schema("autoscaling", NULL, "HorizontalPodAutoscaler")),
                        "autoscaling.v2.HorizontalPodAutoscaler");
    size_t n;
    kinds_all(&n);
    assert_true(n > 60);
}

static void knows_fields(void **state)
{
    struct schema_field f;
    const struct schema *pod = schema_by_name("core.v1.PodSpec");
    assert_true(schema_field(pod, "containers", &f));
    assert_true(f.is_list && f.patch_merge == LIST_MAP && f.apply_merge == LIST_MAP);
    assert_string_equal(f.patch_key, "name");
    assert_string_equal(schema_name(f.schema), "core.v1.Container");
    assert_true(schema_field(pod, "volumes", &f) && f.retain_keys);
    assert_true(schema_field(pod, "tolerations", &f) && f.patch_merge == LIST_ATOMIC);
    assert_true(schema_field(schema_by_name("core.v1.ServiceSpec"), "ports", &f));
    assert_string_equal(f.patch_key, "port");
    assert_string_equal(f.apply_keys, "port,protocol");
    assert_true(schema_field(schema_by_name("meta.v1.ObjectMeta"), "finalizers", &f) &&
                f.patch_merge == LIST_SET);
    assert_true(schema_field(schema_by_name("core.v1.ContainerPort"), "protocol", &f));
    assert_string_equal(f.fallback, "TCP");
    assert_true(schema_field(schema_by_name("core.v1.ResourceRequirements"), "limits", &f));
    assert_true(f.is_map && f.type == FIELD_QUANTITY);
    assert_true(schema_field(schema_by_name("core.v1.ServiceSpec"), "selector", &f) && f.atomic);
    assert_false(schema_field(pod, "nope", &f));
    assert_false(schema_field(NULL, "x", &f));
    /* Every schema's fields are sorted and found again. */
    for (size_t i = 0; schema_field_at(pod, i, &f); i++) {
        struct schema_field again;
        assert_true(schema_field(pod, f.name, &again));
        assert_ptr_equal(again.name, f.name);
    }
}

static void quantities(void **state)
{
    static const char *const cases[][2] = {
        {"1000m", "1"},         {"0.5", "500m"},  {"1.5Gi", "1536Mi"}, {"100Ki", "100Ki"}, {"1024", "1024"},
        {"1024Ki", "1Mi"},      {"0.5Ki", "512"}, {"1e3", "1e3"},      {"1000", "1k"},     {"1500", "1500"},
        {"2000000", "2M"},      {"0", "0"},       {"0.0", "0"},        {"-1", "-1"},       {"1E", "1E"},
        {"12E6", "12e6"},       {".5", "500m"},   {"1.", "1"},         {"+1", "1"},        {"100u", "100u"},
        {"0.0000000001", "1n"}, {"1Ti", "1Ti"},   {"250m", "250m"},    {"1.25", "1250m"},  {"512Mi", "512Mi"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR out = STR_INIT;
        if (!quantity_canonical(cases[i][0], &out) || strcmp(str_text(&out), cases[i][1]) != 0)
            fail_msg("%s: %s instead of %s", cases[i][0], str_text(&out), cases[i][1]);
        assert_true(quantity_equal(cases[i][0], cases[i][1]));
    }
    static const char *const bad[] = {"", "x", "1x", "m", "1 ", "1.2.3", "1e", "--1", "1ki", "0x10", "1e999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_STR out = STR_INIT;
        if (quantity_canonical(bad[i], &out))
            fail_msg("%s accepted as %s", bad[i], str_text(&out));
    }
    int64_t milli;
    assert_true(quantity_milli("1.5", &milli) && milli == 1500);
    assert_true(quantity_milli("1u", &milli) && milli == 1);
    assert_true(quantity_milli("1Gi", &milli) && milli == 1073741824000);
    assert_false(quantity_equal("1", "2"));
}

static void objects(void **state)
{
    AUTO_JSON o = json_of(
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"n\"}}");
    AUTO(free_p) char *group = object_group(o);
    AUTO(free_p) char *version = object_version(o);
    assert_string_equal(group, "apps");
    assert_string_equal(version, "v1");
    assert_string_equal(object_namespace(o), "");
    object_set_annotation(o, "a", "1");
    assert_string_equal(object_annotation(o, "a"), "1");
    object_drop_annotation(o, "a");
    assert_null(json_at(o, "metadata", "annotations"));
    assert_true(kind_apply_rank("Namespace") < kind_apply_rank("Service"));
    assert_true(kind_apply_rank("Whatever") > kind_apply_rank("APIService"));
}

TESTS(T(finds_kinds_and_schemas), T(knows_fields), T(quantities), T(objects))
