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

TESTS(T(finding), T(lists), T(changes))
