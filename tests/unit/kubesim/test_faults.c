#include "tests/kubesim/faults.h"
#include "common/base/clock.h"
#include "tests/unit/test.h"

static struct faults *make(const char *text)
{
    AUTO_ERR err = NULL;
    AUTO_JSON o = NULL;
    struct faults *f = faults_new();
    ASSERT_OK(json_read_str(text, &o, &err));
    ASSERT_OK(faults_set(f, o, &err));
    return f;
}

static void test_match(void **state)
{
    struct faults *f = make(
        "{\"rules\":[{\"verb\":\"patch\",\"resource\":\"deployments*\",\"namespace\":\"a-*\",\"status\":500},"
        "{\"userAgent\":\"tool/*\",\"status\":429,\"retryAfter\":3},{\"name\":\"slow\",\"latencyMs\":1.5}]}");
    struct fault_query q = {
        .verb = "patch", .resource = "deployments.apps", .ns = "a-1", .name = "slow", .user_agent = "x"};
    assert_int_equal(faults_match(f, &q).status, 500);
    q.ns = "b";
    assert_int_equal(faults_match(f, &q).latency_ns, MILLIS(1) + MILLIS(1) / 2);
    q.user_agent = "tool/1";
    assert_int_equal(faults_match(f, &q).retry_after, 3);
    q.user_agent = NULL;
    q.name = "x";
    assert_int_equal(faults_match(f, &q).status, 0);
    faults_free(f);
}

static void test_times_and_probability(void **state)
{
    struct faults *f = make(
        "{\"rules\":[{\"status\":503,\"times\":2},{\"status\":500,\"probability\":0.5}]}");
    struct fault_query q = {.verb = "get", .resource = "pods"};
    assert_int_equal(faults_match(f, &q).status, 503);
    assert_int_equal(faults_match(f, &q).status, 503);
    unsigned hits = 0;
    for (int i = 0; i < 1000; i++)
        hits += faults_match(f, &q).status == 500;
    assert_in_range(hits, 350, 650);
    AUTO_JSON o = faults_get(f);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(o, "fired"), 0)), 2);
    faults_free(f);
}

/* An expired version is a matter of watches and of later pages. */
static void test_expired(void **state)
{
    struct faults *f = make("{\"rules\":[{\"status\":410}]}");
    struct fault_query q = {.verb = "list", .resource = "pods"};
    assert_int_equal(faults_match(f, &q).status, 0);
    q.has_token = true;
    assert_int_equal(faults_match(f, &q).status, 410);
    q = (struct fault_query){.verb = "watch", .resource = "pods"};
    assert_int_equal(faults_match(f, &q).status, 410);
    faults_free(f);
}

static void test_images(void **state)
{
    struct faults *f = make("{\"images\":[{\"image\":\"bad*\"},{\"image\":\"*:broken\",\"reason\":"
                            "\"ImagePullBackOff\",\"message\":\"m\"}]}");
    const char *message = NULL;
    assert_string_equal(faults_image(f, "bad/x:1", &message), "ErrImagePull");
    assert_null(message);
    assert_string_equal(faults_image(f, "good:broken", &message), "ImagePullBackOff");
    assert_string_equal(message, "m");
    assert_null(faults_image(f, "good:1", &message));
    faults_free(f);
}

/* A bad document changes nothing. */
static void test_bad_documents(void **state)
{
    static const char *const bad[] = {"[]",
                                      "{\"rules\":[1]}",
                                      "{\"rules\":[{\"nope\":1}]}",
                                      "{\"rules\":[{\"status\":\"x\"}]}",
                                      "{\"rules\":[{\"verb\":5}]}",
                                      "{\"rules\":[{\"verb\":\"[\"}]}",
                                      "{\"images\":[{}]}",
                                      "{\"rule\":[]}",
                                      "{\"rules\":5}"};
    struct faults *f = make("{\"rules\":[{\"status\":500}]}");
    struct fault_query q = {.verb = "get"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_JSON o = NULL;
        AUTO_ERR err = NULL;
        assert_int_equal(json_read_str(bad[i], &o, NULL), 0);
        if (faults_set(f, o, &err) >= 0)
            fail_msg("%s was accepted", bad[i]);
        assert_int_equal(faults_match(f, &q).status, 500);
    }
    faults_free(f);
}

TESTS(T(test_match), T(test_times_and_probability), T(test_expired), T(test_images), T(test_bad_documents))
