#include "tests/unit/test.h"

#include "api-server/http/bind.h"
#include "api-server/http/message.h"

static void routes(void **state)
{
    static const struct {
        const char *verb, *path;
        int result;
        const char *method, *field, *value;
    } cases[] = {
        {"GET", "/api/v1/applications", ROUTE_FOUND, "List", NULL, NULL},
        {"POST", "/api/v1/applications", ROUTE_FOUND, "Create", NULL, NULL},
        {"GET", "/api/v1/applications/shop", ROUTE_FOUND, "Get", "name", "shop"},
        {"GET", "/api/v1/applications/sh%6fp", ROUTE_FOUND, "Get", "name", "shop"},
        {"GET", "/api/v1/applications/", ROUTE_NOT_FOUND, NULL, NULL, NULL},
        {"GET", "/api/v1/applications/a/b", ROUTE_NOT_FOUND, NULL, NULL, NULL},
        {"GET", "/api/v1/applications/a%2Fb", ROUTE_NOT_FOUND, NULL, NULL, NULL},
        {"GET", "/api/v1/applications/a:b", ROUTE_NOT_FOUND, NULL, NULL, NULL},
        {"GET", "/api/v1/applications/a%3Ab", ROUTE_NOT_FOUND, NULL, NULL, NULL},
        {"PUT", "/api/v1/applications", ROUTE_WRONG_VERB, NULL, NULL, NULL},
        {"PATCH", "/api/v1/applications/x/sync", ROUTE_WRONG_VERB, NULL, NULL, NULL},
        {"POST", "/api/v1/applications/x/sync", ROUTE_FOUND, "Sync", "name", "x"},
        {"PUT", "/api/v1/applications/x", ROUTE_FOUND, "Update", "application.metadata.name", "x"},
        {"DELETE", "/api/v1/applications/x/operation", ROUTE_FOUND, "TerminateOperation", "name", "x"},
        {"GET", "/api/v1/applications/x/logs", ROUTE_FOUND, "PodLogs", "name", "x"},
        {"GET", "/api/v1/applications/x/pods/p/logs", ROUTE_FOUND, "PodLogs", "podName", "p"},
        {"GET", "/api/v1/clusters/https%3A%2F%2Fh%2Fx", ROUTE_FOUND, "Get", "id.value",
         "https%3A%2F%2Fh%2Fx"},
        {"GET", "/api/v1/clusters/in-cluster", ROUTE_FOUND, "Get", "id.value", "in-cluster"},
        {"GET", "/api/v1/repositories/https%3A%2F%2Fh/apps", ROUTE_FOUND, "ListApps", "repo",
         "https%3A%2F%2Fh"},
        {"GET", "/api/v1/repositories", ROUTE_FOUND, "List", NULL, NULL},
        {"GET", "/api/v1/write-repositories/https%3A%2F%2Fh", ROUTE_NOT_FOUND, NULL, NULL, NULL},
        {"GET", "/api/v1/account/can-i/applications/get/*/*", ROUTE_FOUND, "CanI", "subresource", "*/*"},
        {"GET", "/api/v1/account/can-i/clusters/get/", ROUTE_FOUND, "CanI", "subresource", ""},
        {"GET", "/api/v1/account/can-i/clusters/get", ROUTE_FOUND, "CanI", "subresource", ""},
        {"GET", "/api/v1/account/can-i/clusters", ROUTE_NOT_FOUND, NULL, NULL, NULL},
        {"DELETE", "/api/v1/projects/p/roles/r/token/12", ROUTE_FOUND, "DeleteToken", "iat", "12"},
        {"GET", "/api/version", ROUTE_FOUND, "Version", NULL, NULL},
        {"GET", "/api/v1", ROUTE_NOT_FOUND, NULL, NULL, NULL},
        {"GET", "/api/v1/applications/a%00b", ROUTE_NOT_FOUND, NULL, NULL, NULL},
        {"GET", "/api/v1/applications/a%zz", ROUTE_NOT_FOUND, NULL, NULL, NULL},
        {"GET", "", ROUTE_NOT_FOUND, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct route r = {};
        enum route_result got = route_find(cases[i].verb, cases[i].path, &r);
        if ((int)got != cases[i].result)
            fail_msg("%s %s: result %d", cases[i].verb, cases[i].path, got);
        if (cases[i].method)
            assert_string_equal(r.method->name, cases[i].method);
        bool seen = !cases[i].field;
        for (size_t j = 0; j < r.ncaptures; j++)
            if (cases[i].field && !strcmp(r.captures[j].field, cases[i].field)) {
                assert_string_equal(r.captures[j].value, cases[i].value);
                seen = true;
            }
        assert_true(seen);
        route_dispose(&r);
    }
}

static const struct {
    const char *verb, *path, *query, *body;
    const char *expect; /* the message, or the error's text */
    enum err_code code;
} requests[] = {
    {"GET", "/api/v1/applications", "projects=a&projects=b%20c&name=x+y&refresh=hard&unknown=1&name=z", "",
     "{\"name\":\"x y\",\"projects\":[\"a\",\"b c\"],\"refresh\":\"hard\"}", 0},
    {"GET", "/api/v1/clusters/x", "id.type=name", "", "{\"id\":{\"type\":\"name\",\"value\":\"x\"}}", 0},
    {"GET", "/api/v1/clusters/x", "id.value=y", "", "{\"id\":{\"value\":\"x\"}}", 0},
    {"GET", "/api/v1/applications/a/logs", "sinceTime.seconds=0x10&follow=T&tailLines=010", "",
     "{\"follow\":true,\"name\":\"a\",\"sinceTime\":{\"seconds\":16},\"tailLines\":8}", 0},
    {"GET", "/api/v1/applications/a/logs", "follow=maybe", "",
     "parsing field \"follow\": strconv.ParseBool: parsing \"maybe\": invalid syntax", ERR_INVALID_ARGUMENT},
    {"GET", "/api/v1/applications/a/server-side-diff", "liveResources=x&targetManifests=m", "",
     "{\"appName\":\"a\",\"targetManifests\":[\"m\"]}", 0},
    {"DELETE", "/api/v1/projects/p/roles/r/token/x", "", "",
     "type mismatch, parameter: iat, error: strconv.ParseInt: parsing \"x\": invalid syntax",
     ERR_INVALID_ARGUMENT},
    {"PATCH", "/api/v1/applications/a", "", "{\"patch\":\"{}\"}",
     "grpc: error while marshaling: proto: required field \"patchType\" not set", ERR_INTERNAL},
    {"PATCH", "/api/v1/applications/a", "patchType=merge",
     "{\"PATCH\":\"{}\",\"patchtype\":\"json\",\"x\":1}",
     "{\"name\":\"a\",\"patch\":\"{}\",\"patchType\":\"json\"}", 0},
    {"POST", "/api/v1/applications/a/resource", "resourceName=r&version=v1&kind=K&patchType=p",
     "\"{\\\"a\\\":1}\"",
     "{\"kind\":\"K\",\"name\":\"a\",\"patch\":\"{\\\"a\\\":1}\",\"patchType\":\"p\",\"resourceName\":"
     "\"r\",\"version\":\"v1\"}",
     0},
    {"POST", "/api/v1/applications", "upsert=true&application.metadata.name=evil",
     "{\"metadata\":{\"Name\":\"a\",\"labels\":{\"x\":\"y\"}},\"spec\":{\"new\":{\"field\":[1]},"
     "\"syncPolicy\":null}}",
     "{\"application\":{\"metadata\":{\"labels\":{\"x\":\"y\"},\"name\":\"a\"},\"spec\":{\"new\":{"
     "\"field\":[1]}}},"
     "\"upsert\":true}",
     0},
    {"POST", "/api/v1/applications", "", "",
     "grpc: error while marshaling: proto: required field \"application\" not set", ERR_INTERNAL},
    {"POST", "/api/v1/applications", "", "[1]",
     "json: cannot unmarshal array into Go struct field ApplicationCreateRequest.application of type "
     "Application",
     ERR_INVALID_ARGUMENT},
    {"POST", "/api/v1/applications", "", "{\"metadata\":{\"name\":1}}",
     "json: cannot unmarshal number into Go struct field ObjectMeta.name of type string",
     ERR_INVALID_ARGUMENT},
    {"POST", "/api/v1/applications/a/sync", "prune=true", "{\"dryRun\":\"yes\"}",
     "json: cannot unmarshal string into Go struct field ApplicationSyncRequest.dryRun of type bool",
     ERR_INVALID_ARGUMENT},
    {"POST", "/api/v1/applications/a/sync", "prune=true",
     " {\"name\":\"other\",\"syncOptions\":{\"items\":[\"A=b\"]}}",
     "{\"name\":\"a\",\"syncOptions\":{\"items\":[\"A=b\"]}}", 0},
    {"PUT", "/api/v1/applications/a/spec", "validate=false",
     "{\"source\":{\"kustomize\":{\"replicas\":[{\"name\":\"d\",\"count\":3},{\"name\":\"e\",\"count\":"
     "\"4\"}],"
     "\"patches\":[{\"target\":{\"kind\":\"Deployment\",\"group\":\"apps\"}}]},\"plugin\":{"
     "\"parameters\":[{\"name\":\"p\",\"map\":{\"a\":\"b\"}}]}}}",
     "{\"name\":\"a\",\"spec\":{\"source\":{\"kustomize\":{\"patches\":[{\"target\":{\"group\":\"apps\","
     "\"kind\":\"Deployment\"}}],\"replicas\":[{\"count\":3,\"name\":\"d\"},{\"count\":\"4\",\"name\":"
     "\"e\"}]},"
     "\"plugin\":{\"parameters\":[{\"map\":{\"a\":\"b\"},\"name\":\"p\"}]}}},\"validate\":false}",
     0},
    {"POST", "/api/v1/applications/a/rollback", "", "{\"id\":\"7\"}",
     "json: cannot unmarshal string into Go struct field ApplicationRollbackRequest.id of type int64",
     ERR_INVALID_ARGUMENT},
    {"POST", "/api/v1/applications/a/rollback", "", "{\"id\":7}", "{\"id\":7,\"name\":\"a\"}", 0},
};

static void bindings(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        AUTO_ERR err = NULL;
        struct route r = {};
        query_t q = {};
        AUTO_JSON out = NULL;
        assert_int_equal(route_find(requests[i].verb, requests[i].path, &r), ROUTE_FOUND);
        ASSERT_OK(query_parse(requests[i].query, &q, &err));
        int rc = bind_request(&r, &q, requests[i].body, strlen(requests[i].body), &out, &err);
        AUTO(free_p) char *got = rc < 0 ? xstrdup(err_text(err)) : json_text(out, JSON_NO_HTML);
        if (strcmp(got, requests[i].expect) != 0)
            fail_msg("case %zu:\n%s\nnot\n%s", i, got, requests[i].expect);
        assert_int_equal(err_code(err), requests[i].code);
        query_dispose(&q);
        route_dispose(&r);
    }
}

static void queries(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        const char *key, *value;
    } cases[] = {
        {"", true, "a", NULL},       {"a", true, "a", ""},           {"a=%26b%3D&c=", true, "a", "&b="},
        {"a=b=c", true, "a", "b=c"}, {"a=%zz", false, NULL, NULL},   {"a=%0", false, NULL, NULL},
        {"a;b", false, NULL, NULL},  {"a=x%00y", false, NULL, NULL}, {"&&a=1&&", true, "a", "1"},
        {"%61=2", true, "a", "2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        query_t q = {};
        int rc = query_parse(cases[i].in, &q, &err);
        if ((rc == 0) != cases[i].ok)
            fail_msg("%s", cases[i].in);
        if (cases[i].ok && !str_eq(query_get(&q, cases[i].key), cases[i].value))
            fail_msg("%s: %s", cases[i].in, query_get(&q, cases[i].key));
        query_dispose(&q);
    }
}

static void names_that_are_urls(void **state)
{
    AUTO_ERR err = NULL;
    struct route r = {};
    query_t q = {};
    AUTO_JSON in = NULL;
    assert_int_equal(route_find("GET", "/api/v1/clusters/https%3A%2F%2Fa%2Bb+c", &r), ROUTE_FOUND);
    ASSERT_OK(bind_request(&r, &q, "", 0, &in, &err));
    bind_unescape(r.method, in);
    assert_string_equal(json_str_at(in, "id", "value"), "https://a+b c");
    route_dispose(&r);
}

/* Every route of the table leads to its own method, unless an earlier one has the same. */
static void the_table_is_reachable(void **state)
{
    size_t n = 0;
    for (size_t i = 0; i < api_nmethods; i++)
        for (size_t j = 0; j < api_methods[i].nbindings; j++, n++) {
            const struct api_binding *b = &api_methods[i].bindings[j];
            AUTO_STR path = STR_INIT;
            for (const char *p = b->path; *p; p++) {
                if (*p == '{') {
                    str_puts(&path, "x1");
                    p = strchr(p, '}');
                } else
                    str_putc(&path, *p);
            }
            struct route r = {};
            if (route_find(b->verb, str_text(&path), &r) != ROUTE_FOUND)
                fail_msg("%s %s leads nowhere", b->verb, str_text(&path));
            bool shadowed = strcmp(r.binding->path, b->path) != 0 ? false : r.method != &api_methods[i];
            if (r.method != &api_methods[i] && !shadowed)
                fail_msg("%s %s leads to %s", b->verb, str_text(&path), r.method->name);
            if (b->body && strcmp(b->body, "*") != 0)
                assert_non_null(message_field(api_methods[i].in, b->body, strlen(b->body)));
            route_dispose(&r);
        }
    assert_true(n > 100);
}

TESTS(T(routes), T(bindings), T(queries), T(names_that_are_urls), T(the_table_is_reachable))
