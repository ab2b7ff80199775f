#include "common/argo/repos.h"
#include "common/base/enc.h"
#include "tests/unit/golden.h"

static json_t *secret_of(const char *type, const char *texts)
{
    AUTO_JSON plain = json_of(texts);
    json_t *s = json_object();
    json_put_at(s, json_str_new(type), "metadata", "labels", LABEL_SECRET_TYPE);
    for (void *it = json_object_iter(plain); it; it = json_object_iter_next(plain, it)) {
        AUTO_STR b64 = STR_INIT;
        const char *text = json_string_value(json_object_iter_value(it));
        base64_encode(text, strlen(text), &b64);
        json_put_at(s, json_str_new(str_text(&b64)), "data", json_object_iter_key(it));
    }
    return s;
}

static repos_t *sample(void)
{
    static const char *const secrets[][2] = {
        {"repository", "{\"url\":\"https://git/own.git\",\"username\":\"own\"}"},
        {"repository", "{\"url\":\"https://git/own\",\"username\":\"scoped\",\"project\":\"p\"}"},
        {"repository", "{\"url\":\"https://git/org/plain\",\"insecure\":\"true\",\"proxy\":\"http://own\"}"},
        {"repository",
         "{\"url\":\"https://charts\",\"type\":\"helm\",\"name\":\"stable\",\"password\":\"x\"}"},
        {"repository", "{\"url\":\"https://charts-of-p\",\"type\":\"helm\",\"project\":\"p\"}"},
        {"repository", "{\"url\":\"oci://images/app\",\"type\":\"oci\"}"},
        {"repo-creds", "{\"url\":\"https://git/\",\"username\":\"short\"}"},
        {"repo-creds", "{\"url\":\"https://git/"
                       "org\",\"username\":\"long\",\"password\":\"pw\",\"proxy\":\"http://template\"}"},
        {"repo-creds", "{\"url\":\"git@git:org\",\"sshPrivateKey\":\"key\"}"},
        {"repo-creds", "{\"url\":\"https://charts\",\"type\":\"helm\",\"username\":\"chart\"}"},
        {"cluster", "{\"url\":\"https://git/never\",\"username\":\"never\"}"},
    };
    repos_t *r = repos_new();
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        AUTO_JSON s = secret_of(secrets[i][0], secrets[i][1]);
        AUTO(free_p) char *name = xasprintf("s%zu", i);
        AUTO_STR problem = STR_INIT;
        assert_int_equal(repos_put(r, name, s, &problem), i != 10);
        assert_int_equal(problem.len, 0);
    }
    return r;
}

static void finding(void **state)
{
    static const struct {
        const char *url, *project, *username, *password, *proxy, *inherited;
    } cases[] = {
        {"https://git/own", "", "own", NULL, NULL, NULL},
        {"https://GIT/own.git", "other", "own", NULL, NULL, NULL}, /* another project's own is none of ours */
        {"https://git/own", "p", "scoped", NULL, NULL, NULL},
        {"https://git/org/plain", "p", "long", "pw", "http://own",
         "true"}, /* the longest prefix; own values stay */
        {"https://git/org/unknown", "", "long", "pw", "http://template", "true"},
        {"https://git/elsewhere", "", "short", NULL, NULL, "true"},
        {"https://gitlab/x", "", NULL, NULL, NULL, NULL},
        {"git@git:org/x", "", NULL, NULL, NULL, "true"},
    };
    repos_t *r = sample();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON repo = repos_find(r, cases[i].url, cases[i].project);
        const char *keys[] = {"username", "password", "proxy", "inheritedCreds"};
        const char *wanted[] = {cases[i].username, cases[i].password, cases[i].proxy, cases[i].inherited};
        assert_string_equal(json_str_at(repo, "url"), cases[i].url);
        for (size_t k = 0; k < ARRAY_LEN(keys); k++)
            if (!str_eq(json_str_at(repo, keys[k]), wanted[k]))
                fail_msg("%s for %s: %s is %s", cases[i].url, cases[i].project, keys[k],
                         json_str_at(repo, keys[k]));
    }
    repos_free(r);
}

static size_t count(json_t *list_take)
{
    size_t n = json_array_size(list_take);
    json_decref(list_take);
    return n;
}

static void lists(void **state)
{
    repos_t *r = sample();
    assert_int_equal(count(repos_helm(r, "p", false)), 2);
    assert_int_equal(count(repos_helm(r, "q", false)), 1);
    assert_int_equal(count(repos_helm(r, "p", true)), 3);
    assert_int_equal(count(repos_helm_creds(r)), 1);
    AUTO_JSON urls = repos_scoped_urls(r, "p");
    AUTO_JSON wanted = json_of("[\"https://git/own\",\"https://charts-of-p\"]");
    assert_json_same(urls, wanted, "scoped URLs");
    repos_free(r);
}

static void changes(void **state)
{
    repos_t *r = repos_new();
    AUTO_STR problem = STR_INIT;
    AUTO_JSON a = secret_of("repository", "{\"url\":\"https://x\",\"username\":\"a\"}");
    AUTO_JSON b = secret_of("repository", "{\"url\":\"https://x\",\"username\":\"b\"}");
    AUTO_JSON odd = secret_of("repository", "{\"url\":\"https://x\",\"insecure\":\"maybe\"}");
    AUTO_JSON nameless = secret_of("repository", "{\"username\":\"b\"}");
    assert_true(repos_put(r, "s", a, &problem));
    assert_false(repos_put(r, "s", a, &problem)); /* nothing new */
    assert_true(repos_put(r, "s", b, &problem));
    assert_true(repos_put(r, "s", odd, &problem)); /* refused: what was there goes */
    assert_string_equal(str_text(&problem), "insecure: 'maybe' is no boolean");
    AUTO_JSON found = repos_find(r, "https://x", "");
    assert_null(json_str_at(found, "username"));
    str_reset(&problem);
    repos_put(r, "s", nameless, &problem);
    assert_string_equal(str_text(&problem), "no url");
    assert_true(repos_put(r, "s", b, NULL));
    assert_true(repos_put(r, "s", NULL, NULL));
    assert_false(repos_put(r, "s", NULL, NULL));
    repos_free(r);
}

static void put(repos_t *r, const char *name, const char *type, const char *texts)
{
    AUTO_STR problem = STR_INIT;
    AUTO(free_p)
    char *secret = xasprintf(
        "{\"metadata\":{\"labels\":{\"" LABEL_SECRET_TYPE "\":\"%s\"}},\"stringData\":%s}", type, texts);
    AUTO_JSON doc = json_of(secret);
    assert_true(repos_put(r, name, doc, &problem));
    assert_string_equal(str_text(&problem), "");
}

static repos_t *filled(void)
{
    repos_t *r = repos_new();
    put(r, "t1", "repo-creds", "{\"url\":\"https://h/\",\"username\":\"host\",\"password\":\"p1\"}");
    put(r, "t2", "repo-creds", "{\"url\":\"https://h/team\",\"username\":\"team\",\"password\":\"p2\"}");
    put(r, "t3", "repo-creds", "{\"url\":\"https://h/team/deep\",\"username\":\"deep\",\"password\":\"p3\"}");
    put(r, "t4", "repo-creds", "{\"url\":\"git@s:team\",\"sshPrivateKey\":\"key\"}");
    put(r, "t5", "repo-creds",
        "{\"url\":\"https://az/"
        "\",\"azureServicePrincipalClientID\":\"c\",\"azureServicePrincipalTenantID\":\"t\","
        "\"azureServicePrincipalClientSecret\":\"s\",\"forceHttpBasicAuth\":\"true\"}");
    put(r, "own", "repository", "{\"url\":\"https://h/team/own\",\"username\":\"me\",\"password\":\"p4\"}");
    put(r, "bare", "repository",
        "{\"url\":\"https://h/team/bare.git\",\"proxy\":\"http://proxy\",\"enableLfs\":\"true\"}");
    put(r, "scoped", "repository",
        "{\"url\":\"https://h/team/own\",\"project\":\"blue\",\"username\":\"blue\",\"password\":\"p5\"}");
    put(r, "cert", "repository", "{\"url\":\"https://h/team/cert\",\"tlsClientCertData\":\"pem\"}");
    return r;
}

static void templates_by_longest_prefix(void **state)
{
    static const struct {
        const char *url, *project, *key, *value;
    } cases[] = {
        {"https://h/x", "", "username", "host"},
        {"https://h/team/x", "", "username", "team"},
        {"https://h/teammate/x", "", "username", "team"}, /* a prefix of the text, as there */
        {"https://h/team/deep/x.git", "", "username", "deep"},
        {"HTTPS://H/Team/Deep/x", "", "username", "deep"},
        {"https://o/x", "", "username", NULL},
        {"git@s:team/x.git", "", "sshPrivateKey", "key"},
        {"ssh://git@s/team/x", "", "sshPrivateKey", "key"},
        {"git@s:other/x", "", "sshPrivateKey", NULL},
        /* A credential of its own is not mixed with a template's. */
        {"https://h/team/own", "", "username", "me"},
        {"https://h/team/own.git", "", "password", "p4"},
        {"https://h/team/own", "", "inheritedCreds", NULL},
        {"https://h/team/cert", "", "password", NULL},
        /* What has none keeps its other settings. */
        {"https://h/team/bare", "", "username", "team"},
        {"https://h/team/bare", "", "proxy", "http://proxy"},
        {"https://h/team/bare", "", "enableLfs", "true"},
        {"https://h/team/bare", "", "inheritedCreds", "true"},
        /* The project's own comes first. */
        {"https://h/team/own", "blue", "username", "blue"},
        {"https://h/team/own", "red", "username", "me"},
        {"https://az/x", "", "azureServicePrincipalClientId", "c"},
        {"https://az/x", "", "azureServicePrincipalTenantId", "t"},
        {"https://az/x", "", "forceHttpBasicAuth", "true"},
    };
    repos_t *r = filled();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON found = repos_find(r, cases[i].url, cases[i].project);
        if (!str_eq(json_str_at(found, cases[i].key), cases[i].value))
            fail_msg("%s in '%s': %s is %s", cases[i].url, cases[i].project, cases[i].key,
                     str_or_empty(json_str_at(found, cases[i].key)));
        assert_string_equal(json_str_at(found, "url"), cases[i].url);
    }
    repos_free(r);
}

static void secrets_come_and_go(void **state)
{
    repos_t *r = filled();
    AUTO_STR problem = STR_INIT;
    assert_true(repos_put(r, "t3", NULL, &problem));
    assert_false(repos_put(r, "t3", NULL, &problem));
    AUTO_JSON found = repos_find(r, "https://h/team/deep/x", "");
    assert_string_equal(json_str_at(found, "username"), "team");
    AUTO_JSON bad = json_of("{\"metadata\":{\"labels\":{\"" LABEL_SECRET_TYPE
                            "\":\"repository\"}},\"data\":{\"url\":"
                            "\"aHR0cHM6Ly9i\",\"insecure\":\"bWF5YmU=\"}}");
    assert_true(repos_put(r, "bad", bad, &problem));
    assert_string_equal(str_text(&problem), "insecure: 'maybe' is no boolean");
    repos_free(r);
}

TESTS(T(templates_by_longest_prefix), T(secrets_come_and_go), T(finding), T(lists), T(changes))
