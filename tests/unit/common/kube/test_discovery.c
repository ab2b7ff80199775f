#include "tests/unit/test.h"
#include "tests/unit/common/kube/fake_kube.h"

/* Bodies by path; a path that is not there answers 503. */
struct doc {
    const char *path, *body;
};

static bool serve(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    for (const struct doc *d = arg; d->path; d++) {
        if (strcmp(r->target + strlen("/prefix"), d->path) == 0) {
            fake_reply(c, "200 OK", NULL, d->body);
            return true;
        }
    }
    fake_status(c, "503 Service Unavailable", NULL, "ServiceUnavailable");
    return true;
}

static int discover(const struct doc *docs, kube_api_t **api, err_t **partial, err_t **err)
{
    struct fake_kube f;
    fake_kube_open(&f, serve, (void *)(uintptr_t)docs, (struct kube_config){}, (struct kube_options){});
    int r = kube_discover(f.k, api, partial, err);
    fake_kube_close(&f);
    return r;
}

#define V1                                                                                                   \
    "{\"kind\":\"APIResourceList\",\"groupVersion\":\"v1\",\"resources\":[{\"name\":\"pods\","               \
    "\"singularName\":\"pod\","                                                                              \
    "\"namespaced\":true,\"kind\":\"Pod\",\"verbs\":[\"get\",\"list\",\"watch\",\"dance\"]},{\"name\":"      \
    "\"pods/log\","                                                                                          \
    "\"namespaced\":true,\"kind\":\"Pod\",\"verbs\":[\"get\"]},{\"name\":\"pods/status\",\"kind\":\"Pod\"}," \
    "{\"name\":\"nodes\",\"kind\":\"Node\",\"verbs\":[\"get\",\"deletecollection\"]},{\"name\":\"\"},7]}"

static void old_servers_are_read_group_by_group(void **state)
{
    static const struct doc docs[] = {
        {"/api", "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}"},
        {"/apis",
         "{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":\"apps\",\"versions\":[{\"version\":\"v1beta1\"},"
         "{\"version\":\"v1\"}],\"preferredVersion\":{\"version\":\"v1\"}},{\"name\":\"metrics.k8s.io\","
         "\"versions\":"
         "[{\"version\":\"v1\"}]},{\"name\":\"old\",\"versions\":[{\"version\":\"v1\"},{\"version\":\"v0\"}],"
         "\"preferredVersion\":{\"version\":\"v1\"}}]}"},
        {"/api/v1", V1},
        {"/apis/apps/v1",
         "{\"resources\":[{\"name\":\"deployments\",\"kind\":\"Deployment\",\"namespaced\":true}]}"},
        {"/apis/apps/v1beta1",
         "{\"resources\":[{\"name\":\"deployments\",\"kind\":\"Deployment\",\"namespaced\":true}]}"},
        {"/apis/old/v1", "{\"resources\":[]}"},
        {"/apis/old/v0", "{\"resources\":[{\"name\":\"relics\",\"kind\":\"Relic\"}]}"},
        {NULL, NULL},
    };
    AUTO_ERR err = NULL;
    AUTO_ERR partial = NULL;
    kube_api_t *api;
    ASSERT_OK(discover(docs, &api, &partial, &err));
    assert_non_null(strstr(err_text(partial), "/apis/metrics.k8s.io/v1: ServiceUnavailable!"));
    size_t n;
    kube_api_all(api, &n);
    assert_int_equal(n, 5);
    const struct kube_resource *pod = kube_api_find(api, "", NULL, "Pod");
    assert_string_equal(pod->plural, "pods");
    assert_string_equal(pod->singular, "pod");
    assert_string_equal(pod->subresources, "log,status");
    assert_true(pod->namespaced && pod->preferred);
    assert_int_equal(pod->verbs, KUBE_GET | KUBE_LIST | KUBE_WATCH);
    assert_int_equal(kube_api_find(api, NULL, "v1", "Node")->verbs, KUBE_GET | KUBE_DELETE_COLLECTION);
    assert_false(kube_api_find(api, "", "v1", "Node")->namespaced);
    assert_string_equal(kube_api_find(api, "apps", NULL, "Deployment")->version, "v1");
    assert_string_equal(kube_api_find(api, "apps", "v1beta1", "Deployment")->version, "v1beta1");
    assert_false(kube_api_find(api, "apps", "v1beta1", "Deployment")->preferred);
    assert_null(kube_api_find(api, "apps", "v2", "Deployment"));
    assert_string_equal(kube_api_find(api, "old", NULL, "Relic")->version, "v0"); /* only there */
    assert_true(kube_api_serves_group(api, "apps"));
    assert_false(kube_api_serves_group(api, "metrics.k8s.io"));
    kube_api_unref(kube_api_ref(api));
    kube_api_unref(api);
}

static void new_servers_answer_at_once(void **state)
{
    static const struct doc docs[] = {
        {"/api",
         "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/"
         "v2\",\"items\":[{\"metadata\":{},"
         "\"versions\":[{\"version\":\"v1\",\"freshness\":\"Current\",\"resources\":[{\"resource\":\"pods\","
         "\"responseKind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},\"scope\":\"Namespaced\","
         "\"singularResource\":\"pod\",\"verbs\":[\"list\"],\"subresources\":[{\"subresource\":\"log\"},"
         "{\"subresource\":\"status\"}]}]}]}]}"},
        {"/apis",
         "{\"kind\":\"APIGroupDiscoveryList\",\"items\":[{\"metadata\":{\"name\":\"apps\"},\"versions\":["
         "{\"version\":\"v1\",\"resources\":[{\"resource\":\"deployments\",\"responseKind\":{\"kind\":"
         "\"Deployment\"},\"scope\":\"Namespaced\",\"verbs\":[]}]},{\"version\":\"v1beta1\",\"resources\":["
         "{\"resource\":\"deployments\",\"responseKind\":{\"kind\":\"Deployment\"},\"scope\":\"Namespaced\"}]"
         "}]},"
         "{\"metadata\":{\"name\":\"metrics.k8s.io\"},\"versions\":[{\"version\":\"v1\",\"freshness\":"
         "\"Stale\"}]}]}"},
        {NULL, NULL},
    };
    AUTO_ERR err = NULL;
    AUTO_ERR partial = NULL;
    kube_api_t *api;
    ASSERT_OK(discover(docs, &api, &partial, &err));
    assert_non_null(strstr(err_text(partial), "metrics.k8s.io/v1: not up to date"));
    const struct kube_resource *pod = kube_api_find(api, "", NULL, "Pod");
    assert_string_equal(pod->subresources, "log,status");
    assert_true(pod->namespaced && pod->preferred);
    assert_int_equal(pod->verbs, KUBE_LIST);
    assert_true(kube_api_find(api, "apps", "v1", "Deployment")->preferred);
    assert_false(kube_api_find(api, "apps", "v1beta1", "Deployment")->preferred);
    kube_api_unref(api);
}

static void kinds_that_the_preferred_version_lacks_are_preferred_elsewhere(void **state)
{
    static const struct doc docs[] = {
        {"/api", "{\"versions\":[]}"},
        {"/apis", "{\"groups\":[{\"name\":\"batch\",\"preferredVersion\":{\"version\":\"v1\"},\"versions\":[{"
                  "\"version\":\"v1\"},"
                  "{\"version\":\"v1beta1\"},{\"version\":\"v2alpha1\"}]}]}"},
        {"/apis/batch/v1", "{\"resources\":[{\"name\":\"jobs\",\"kind\":\"Job\"}]}"},
        {"/apis/batch/v1beta1", "{\"resources\":[{\"name\":\"jobs\",\"kind\":\"Job\"},{\"name\":\"cronjobs\","
                                "\"kind\":\"CronJob\"}]}"},
        {"/apis/batch/v2alpha1", "{\"resources\":[{\"name\":\"cronjobs\",\"kind\":\"CronJob\"}]}"},
        {NULL, NULL},
    };
    AUTO_ERR err = NULL;
    kube_api_t *api;
    ASSERT_OK(discover(docs, &api, NULL, &err));
    assert_string_equal(kube_api_find(api, "batch", NULL, "Job")->version, "v1");
    assert_string_equal(kube_api_find(api, "batch", NULL, "CronJob")->version, "v1beta1");
    assert_true(kube_api_find(api, "batch", "v1beta1", "CronJob")->preferred);
    assert_false(kube_api_find(api, "batch", "v2alpha1", "CronJob")->preferred);
    assert_false(kube_api_find(api, "batch", "v1beta1", "Job")->preferred);
    kube_api_unref(api);
}

static void nothing_at_all_is_an_error(void **state)
{
    static const struct doc none[] = {{NULL, NULL}};
    static const struct doc empty[] = {{"/api", "{}"}, {"/apis", "[]"}, {NULL, NULL}};
    static const struct doc odd[] = {
        {"/api", "{\"versions\":[3,\"\",{}]}"},
        {"/apis", "{\"groups\":[3,{\"name\":1,\"versions\":3},{\"versions\":[{}]}]}"},
        {NULL, NULL}};
    static const struct doc *const cases[] = {none, empty, odd};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        kube_api_t *api;
        assert_int_equal(discover(cases[i], &api, NULL, &err), -ERR_UNAVAILABLE);
        assert_ptr_equal(strstr(err_text(err), "discovery: "), err_text(err));
    }
}

static void built_in_kinds_need_no_cluster(void **state)
{
    kube_api_t *api = kube_api_builtin();
    const struct kube_resource *d = kube_api_find(api, "apps", NULL, "Deployment");
    assert_string_equal(d->version, "v1");
    assert_string_equal(d->plural, "deployments");
    assert_string_equal(d->singular, "deployment");
    assert_true(d->namespaced && (d->verbs & KUBE_PATCH));
    assert_non_null(kube_api_find(api, "", "v1", "Pod"));
    assert_false(kube_api_find(api, "", NULL, "Namespace")->namespaced);
    assert_string_equal(kube_api_find(api, "", NULL, "NetworkPolicy") ? "found" : "", "");
    kube_api_unref(api);
}

static void versions_are_sorted_and_told_once(void **state)
{
    (void)state;
    kube_api_t *api = kube_api_builtin();
    char *const *v = kube_api_versions(api);
    size_t found = 0;
    for (size_t i = 0; v[i]; i++) {
        assert_true(i == 0 || strcmp(v[i - 1], v[i]) < 0);
        found += strcmp(v[i], "apps/v1") == 0 || strcmp(v[i], "apps/v1/Deployment") == 0 ||
                 strcmp(v[i], "v1") == 0 || strcmp(v[i], "v1/Pod") == 0;
    }
    assert_int_equal(found, 4);
    assert_null(kube_api_versions(NULL)[0]);
    kube_api_unref(api);
}

TESTS(T(versions_are_sorted_and_told_once), T(old_servers_are_read_group_by_group),
      T(new_servers_answer_at_once), T(kinds_that_the_preferred_version_lacks_are_preferred_elsewhere),
      T(nothing_at_all_is_an_error), T(built_in_kinds_need_no_cluster))
