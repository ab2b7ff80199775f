#include "common/argo/repos.h"
#include "tests/unit/golden.h"

static void put(repos_t *r, const char *name, const char *type, const char *texts)
{
    AUTO_STR problem = STR_INIT;
    AUTO(free_p)
    char *secret = xasprintf("{\"metadata\":{\"labels\":{\"" LABEL_SECRET_TYPE "\":\"%s\"}},\"stringData\":%s}", type,
                             texts);
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
        "{\"url\":\"https://az/\",\"azureServicePrincipalClientID\":\"c\",\"azureServicePrincipalTenantID\":\"t\","
        "\"azureServicePrincipalClientSecret\":\"s\",\"forceHttpBasicAuth\":\"true\"}");
    put(r, "own", "repository", "{\"url\":\"https://h/team/own\",\"username\":\"me\",\"password\":\"p4\"}");
    put(r, "bare", "repository", "{\"url\":\"https://h/team/bare.git\",\"proxy\":\"http://proxy\",\"enableLfs\":\"true\"}");
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
    AUTO_JSON bad = json_of("{\"metadata\":{\"labels\":{\"" LABEL_SECRET_TYPE "\":\"repository\"}},\"data\":{\"url\":"
                            "\"aHR0cHM6Ly9i\",\"insecure\":\"bWF5YmU=\"}}");
    assert_true(repos_put(r, "bad", bad, &problem));
    assert_string_equal(str_text(&problem), "insecure: 'maybe' is no boolean");
    repos_free(r);
}

TESTS(T(templates_by_longest_prefix), T(secrets_come_and_go))
