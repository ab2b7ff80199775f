#include "tests/kubesim/query.h"
#include "common/base/enc.h"
#include "tests/unit/test.h"

static void test_tokens(void **state)
{
    static const struct {
        int64_t rv;
        const char *start;
    } cases[] = {{379, "c1"}, {-1, "ns/name"}, {1, "a\"b<"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *text = token_write(cases[i].rv, cases[i].start);
        struct token t = {};
        assert_null(token_read(text, &t));
        assert_int_equal(t.rv, cases[i].rv);
        assert_string_equal(t.start, cases[i].start);
        assert_true(t.behind);
        free(t.start);
    }
    /* As kube-apiserver writes it. */
    AUTO(free_p) char *text = token_write(379, "c1");
    assert_string_equal(text, "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6Mzc5LCJzdGFydCI6ImMxXHUwMDAwIn0");
}

static void test_bad_tokens(void **state)
{
    static const char *const texts[] = {"{}",
                                        "[]",
                                        "{\"v\":\"meta.k8s.io/v2\",\"rv\":1,\"start\":\"a\"}",
                                        "{\"v\":\"meta.k8s.io/v1\",\"rv\":0,\"start\":\"a\"}",
                                        "{\"v\":\"meta.k8s.io/v1\",\"rv\":1,\"start\":\"\"}",
                                        "{\"v\":\"meta.k8s.io/v1\",\"rv\":1}",
                                        "not json",
                                        ""};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO_STR token = STR_INIT;
        struct token t = {};
        base64url_encode(texts[i], strlen(texts[i]), &token);
        AUTO_JSON failure = token_read(str_text(&token), &t);
        assert_int_equal(status_code(failure), 400);
        assert_null(t.start);
    }
    struct token t = {};
    AUTO_JSON failure = token_read("?", &t);
    assert_int_equal(status_code(failure), 400);
}

static struct request make_request(const char *const *pairs)
{
    struct request r = {.query = MAP_INIT(free), .headers = MAP_INIT(free)};
    for (; *pairs; pairs += 2)
        map_put(&r.query, pairs[0], xstrdup(pairs[1]));
    return r;
}

static void test_parameters(void **state)
{
    struct registry g = {};
    registry_init(&g);
    static const struct {
        const char *plural;
        const char *pairs[7];
        int code; /* 0: fine */
    } cases[] = {
        {"pods", {"limit", "5", "watch", "true", NULL}, 0},
        {"pods", {"limit", "x", NULL}, 400},
        {"pods", {"fieldSelector", "spec.nodeName=x,status.phase!=y", NULL}, 0},
        {"pods", {"fieldSelector", "spec.hostNetwork=x", NULL}, 400},
        {"configmaps", {"fieldSelector", "spec.nodeName=x", NULL}, 400},
        {"configmaps", {"fieldSelector", "metadata.name=x", NULL}, 0},
        {"events", {"fieldSelector", "involvedObject.uid=x,type=Normal", NULL}, 0},
        {"pods", {"labelSelector", "a in", NULL}, 400},
        {"pods", {"resourceVersion", "abc", NULL}, 500},
        {"pods", {"resourceVersion", "0", "resourceVersionMatch", "NotOlderThan", NULL}, 0},
        {"pods", {"resourceVersion", "0", "resourceVersionMatch", "Exact", NULL}, 422},
        {"pods", {"resourceVersionMatch", "Exact", NULL}, 422},
        {"pods", {"resourceVersion", "1", "resourceVersionMatch", "Near", NULL}, 422},
        {"pods", {"resourceVersion", "1", "resourceVersionMatch", "Exact", "continue", "x", NULL}, 422},
        {"pods", {"watch", "1", "sendInitialEvents", "true", NULL}, 422},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct request r = make_request(cases[i].pairs);
        struct query q;
        AUTO_JSON failure = query_read(&r, registry_find(&g, "", "v1", cases[i].plural), false, &q);
        if (status_code(failure) != cases[i].code)
            fail_msg("%s=%s: %d", cases[i].pairs[0], cases[i].pairs[1], status_code(failure));
        query_dispose(&q);
        map_dispose(&r.query);
    }
    registry_dispose(&g);
}

static void test_matching(void **state)
{
    struct registry g = {};
    registry_init(&g);
    json_t *o = json_pack("{s:{s:s,s:s,s:{s:s}},s:{s:s},s:{s:s}}", "metadata", "name", "p", "namespace", "n",
                          "labels", "a", "b", "spec", "nodeName", "x", "status", "phase", "Running");
    struct blob *b = blob_new(o, 1);
    static const struct {
        const char *labels, *fields;
        bool matches;
    } cases[] = {{"", "", true},
                 {"a=b", "metadata.name=p,metadata.namespace=n", true},
                 {"a=c", "", false},
                 {"", "spec.nodeName=x,status.phase=Running", true},
                 {"", "spec.nodeName!=x", false},
                 {"", "status.podIP=", true},
                 {"a", "metadata.name=q", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *pairs[] = {"labelSelector", cases[i].labels, "fieldSelector", cases[i].fields, NULL};
        struct request r = make_request(pairs);
        struct query q;
        struct endpoint *e = registry_find(&g, "", "v1", "pods");
        assert_null(query_read(&r, e, false, &q));
        assert_int_equal(query_matches(&q, e, b), cases[i].matches);
        query_dispose(&q);
        map_dispose(&r.query);
    }
    blob_unref(b);
    json_decref(o);
    registry_dispose(&g);
}

TESTS(T(test_tokens), T(test_bad_tokens), T(test_parameters), T(test_matching))
