#include "k8s-auth/aws.h"
#include "tests/unit/golden.h"

/* Vectors that AWS publishes. tests/golden/sigv4/published.jsonl has the signing test suite for version 4 as
 * kept by github.com/awslabs/aws-c-auth (tests/aws-signing-test-suite/v4): the requests as a client would
 * hand them over (path and query encoded, lines of equal names joined), signed in the header and in the
 * query. Here are the worked examples of the IAM guide and of S3's "Authenticating Requests: Using Query
 * Parameters". */
static struct sigv4_key suite = {(char *)"AKIDEXAMPLE", (char *)"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                 NULL};
static struct sigv4_key s3 = {(char *)"AKIAIOSFODNN7EXAMPLE",
                              (char *)"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL};

static const struct sigv4_header date[] = {{"x-amz-date", "20150830T123600Z"}};
static const struct sigv4_header form[] = {{"x-amz-date", "20150830T123600Z"},
                                           {"content-type", "application/x-www-form-urlencoded"}};
static const struct sigv4_header iam[] = {
    {"x-amz-date", "20150830T123600Z"}, {"content-type", "application/x-www-form-urlencoded; charset=utf-8"}};
static const struct sigv4_header blanks[] = {
    {"my-header2", "\"a   b   c\""}, {"x-amz-date", "20150830T123600Z"}, {"my-header1", " value1"}};

static void as_published(void **state)
{
    (void)state;
    static const struct {
        const char *method, *host, *query, *service;
        const struct sigv4_header *headers;
        size_t n;
        const char *body, *signature;
    } cases[] = {
        {"GET", "example.amazonaws.com", NULL, "service", date, 1, NULL,
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"GET", "example.amazonaws.com", "Param2=value2&Param1=value1", "service", date, 1, NULL,
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        {"POST", "example.amazonaws.com", NULL, "service", date, 1, NULL,
         "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        {"POST", "example.amazonaws.com", NULL, "service", form, 2, "Param1=value1",
         "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
        {"GET", "example.amazonaws.com", NULL, "service", blanks, 3, NULL,
         "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
        {"GET", "iam.amazonaws.com", "Action=ListUsers&Version=2010-05-08", "iam", iam, 2, NULL,
         "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sigv4_request r = {.method = cases[i].method,
                                  .host = cases[i].host,
                                  .path = "/",
                                  .query = cases[i].query,
                                  .headers = cases[i].headers,
                                  .nheaders = cases[i].n,
                                  .body = cases[i].body,
                                  .n = cases[i].body ? strlen(cases[i].body) : 0,
                                  .region = "us-east-1",
                                  .service = cases[i].service,
                                  .at = {1440938160 * NS_PER_SEC}};
        AUTO(free_p) char *have = sigv4_authorization(&r, &suite);
        if (!str_has_suffix(have, cases[i].signature))
            fail_msg("case %zu: %s", i, have);
    }
}

static void presigned_as_published(void **state)
{
    (void)state;
    struct sigv4_request r = {.method = "GET",
                              .host = "examplebucket.s3.amazonaws.com",
                              .path = "/test.txt",
                              .region = "us-east-1",
                              .service = "s3",
                              .at = {1369353600 * NS_PER_SEC}};
    AUTO(free_p) char *have = sigv4_presign(&r, &s3, 86400, "UNSIGNED-PAYLOAD");
    assert_string_equal(
        have, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-"
              "east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-"
              "SignedHeaders=host&X-Amz-Signature="
              "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

static void files(void **state)
{
    (void)state;
    struct aws_files f = {};
    aws_files_parse(
        &f,
        "# comment\n[default]\nregion = eu-west-1\n\n[profile  dev ]\nROLE_ARN=arn:aws:iam::1:role/x\n"
        "s3 =\n  endpoint_url = http://nested\nsource_profile=base\n[sso-session "
        "y]\nregion=no\n[dev]\nregion=no\n",
        true);
    aws_files_parse(
        &f, "[base]\naws_access_key_id = A=B \n; x\n[profile z]\nk=v\nno equal sign\n[unclosed\nq=1", false);
    static const struct {
        const char *profile, *key, *value;
    } cases[] = {{"default", "region", "eu-west-1"},
                 {"dev", "role_arn", "arn:aws:iam::1:role/x"},
                 {"dev", "source_profile", "base"},
                 {"dev", "endpoint_url", NULL},
                 {"y", "region", NULL},
                 {"dev", "region", NULL},
                 {"base", "aws_access_key_id", "A=B"},
                 {"profile z", "k", "v"},
                 {"profile z", "q", "1"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *have = aws_value(&f, cases[i].profile, cases[i].key);
        if (!str_eq(have, cases[i].value))
            fail_msg("%s of %s: %s", cases[i].key, cases[i].profile, have ? have : "none");
    }
    assert_true(map_has(&f.profiles, "dev"));
    aws_files_dispose(&f);
}

static void answers_of_the_token_service(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</"
         "AccessKeyId><SecretAccessKey> s/+= "
         "</SecretAccessKey><SessionToken>t</SessionToken></Credentials></AssumeRoleResult></"
         "AssumeRoleResponse>",
         true},
        {"<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey></Credentials>",
         false},
        {"<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>",
         false},
        {"<Credentials><AccessKeyId>A<b/></AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</"
         "SessionToken>",
         false},
        {"", false},
        {"<Credentials><AccessKeyId>", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sigv4_key k;
        int r = aws_credentials_of_xml(cases[i].text, &k, NULL);
        if ((r == 0) != cases[i].good)
            fail_msg("case %zu: %d", i, r);
        if (r == 0) {
            assert_string_equal(k.secret, "s/+=");
            sigv4_key_dispose(&k);
        }
    }
}

/* A case of the file: signs as its form says. */
static char *sign(const json_t *c, const struct sigv4_request *r, const struct sigv4_key *k)
{
    if (strcmp(json_str_at(c, "form"), "header") == 0)
        return sigv4_authorization(r, k);
    return sigv4_presign(r, k, (unsigned)json_integer_value(json_object_get(c, "seconds")), NULL);
}

static void check_published(const json_t *c, const char *what)
{
    struct sigv4_header headers[16];
    size_t n = 0, i;
    json_t *h;
    json_array_foreach(json_object_get(c, "headers"), i, h) {
        assert_true(n < ARRAY_LEN(headers));
        headers[n++] = (struct sigv4_header){json_string_value(json_array_get(h, 0)),
                                             json_string_value(json_array_get(h, 1))};
    }
    const char *body = json_str_at(c, "body");
    struct sigv4_key k = {suite.id, suite.secret, (char *)(uintptr_t)json_str_at(c, "token")};
    struct sigv4_request r = {.method = json_str_at(c, "method"),
                              .host = "example.amazonaws.com",
                              .path = json_str_at(c, "path"),
                              .query = json_str_at(c, "query"),
                              .headers = headers,
                              .nheaders = n,
                              .body = body,
                              .n = body ? strlen(body) : 0,
                              .region = "us-east-1",
                              .service = "service",
                              .at = {1440938160 * NS_PER_SEC}};
    AUTO(free_p) char *have = sign(c, &r, &k);
    if (!str_has_suffix(have, json_str_at(c, "signature")))
        fail_msg("%s (%s): %s instead of %s", what, json_str_at(c, "form"), have,
                 json_str_at(c, "signature"));
}

static void the_published_suite(void **state)
{
    (void)state;
    golden_each("sigv4/published.jsonl", 70, check_published);
}

TESTS(T(the_published_suite), T(as_published), T(presigned_as_published), T(files),
      T(answers_of_the_token_service))
