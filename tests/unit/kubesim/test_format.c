#include "tests/kubesim/format.h"
#include "tests/unit/test.h"

static void test_accept(void **state)
{
    static const struct {
        const char *header;
        enum accept want;
    } cases[] = {
        {NULL, ACCEPT_FULL},
        {"", ACCEPT_FULL},
        {"*/*", ACCEPT_FULL},
        {"application/json", ACCEPT_FULL},
        {"application/json;stream=watch", ACCEPT_FULL},
        {"application/vnd.kubernetes.protobuf, application/json", ACCEPT_FULL},
        {"application/vnd.kubernetes.protobuf", ACCEPT_NONE},
        {"application/xml", ACCEPT_NONE},
        {"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", ACCEPT_PARTIAL},
        {"application/json;g=meta.k8s.io;v=v1; as=PartialObjectMetadataList ,application/json",
         ACCEPT_PARTIAL_LIST},
        {"application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/"
         "json;as="
         "PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
         ACCEPT_PARTIAL_LIST},
        {"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", ACCEPT_FULL},
        {"application/json;as=Table;v=v1;g=meta.k8s.io", ACCEPT_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (accept_parse(cases[i].header) != cases[i].want)
            fail_msg("%s", cases[i].header);
}

static void test_shapes(void **state)
{
    struct resource r = {.kind = (char *)(uintptr_t) "Foo", .list_kind = (char *)(uintptr_t) "FooList"};
    struct endpoint e = {
        .group = (char *)(uintptr_t) "g", .version = (char *)(uintptr_t) "v1", .resource = &r};
    json_t *o = json_pack("{s:{s:s},s:i}", "metadata", "name", "x", "spec", 1);
    struct blob *b = blob_new(o, 5);
    static const struct {
        unsigned flags;
        bool partial, typed;
        const char *want;
    } cases[] = {
        {0, false, true,
         "{\"kind\":\"Foo\",\"apiVersion\":\"g/"
         "v1\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"5\"},\"spec\":1}"},
        {0, false, false, "{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"5\"},\"spec\":1}"},
        {R_CUSTOM, false, true,
         "{\"apiVersion\":\"g/"
         "v1\",\"kind\":\"Foo\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"5\"},\"spec\":1}"},
        {0, true, false,
         "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/"
         "v1\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"5\"}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR out = STR_INIT;
        r.flags = cases[i].flags;
        struct format f = format_new(&e, cases[i].partial);
        format_object(&f, b, cases[i].typed, &out);
        assert_string_equal(str_text(&out), cases[i].want);
        format_dispose(&f);
    }
    struct format f = format_new(&e, false);
    AUTO_STR out = STR_INIT;
    format_event(&f, "DELETED", b, 9, &out);
    assert_string_equal(str_text(&out),
                        "{\"type\":\"DELETED\",\"object\":{\"kind\":\"Foo\",\"apiVersion\":\"g/"
                        "v1\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"9\"},\"spec\":1}}\n");
    format_dispose(&f);
    blob_unref(b);
    json_decref(o);
}

static void test_lists(void **state)
{
    struct format builtin = {.api_version = xstrdup("v1"), .list_kind = xstrdup("AList")};
    struct format custom = {.api_version = xstrdup("g/v1"), .list_kind = xstrdup("AList"), .custom = true};
    AUTO(free_p) char *meta = format_list_meta(&builtin, 7, "t", 3);
    assert_string_equal(meta, "{\"resourceVersion\":\"7\",\"continue\":\"t\",\"remainingItemCount\":3}");
    AUTO(free_p) char *last = format_list_meta(&builtin, 7, NULL, -1);
    assert_string_equal(last, "{\"resourceVersion\":\"7\"}");
    AUTO(free_p) char *sorted = format_list_meta(&custom, 7, NULL, -1);
    assert_string_equal(sorted, "{\"continue\":\"\",\"resourceVersion\":\"7\"}");
    AUTO_STR out = STR_INIT;
    format_list_head(&custom, sorted, &out);
    format_list_tail(&custom, sorted, &out);
    assert_string_equal(
        str_text(&out),
        "{\"apiVersion\":\"g/"
        "v1\",\"items\":[],\"kind\":\"AList\",\"metadata\":{\"continue\":\"\",\"resourceVersion\":\"7\"}}\n");
    format_dispose(&builtin);
    format_dispose(&custom);
}

TESTS(T(test_accept), T(test_shapes), T(test_lists))
