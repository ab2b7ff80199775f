#include "tests/unit/test.h"

#include "api-server/auth/jwt.h"
#include "common/base/enc.h"

#include <openssl/hmac.h>

static const char key[] = "c2VjcmV0LWtleS1vZi10aGUtaW5zdGFsbGF0aW9u";
static const wall_t now = {1700000000 * NS_PER_SEC};

static int check(const char *token, const char *k, wall_t at, err_t **err)
{
    struct jwt j;
    int rc = jwt_parse(token, &j, err);
    if (rc < 0)
        return rc;
    rc = jwt_check(token, &j, k, strlen(k), at, err);
    jwt_dispose(&j);
    return rc;
}

/* Signs any header and claims, with any hash. */
static char *forge(const char *header, const char *claims, const char *k, const EVP_MD *md)
{
    AUTO_STR t = STR_INIT;
    unsigned char mac[64];
    unsigned n = 0;
    base64url_encode(header, strlen(header), &t);
    str_putc(&t, '.');
    base64url_encode(claims, strlen(claims), &t);
    if (md)
        HMAC(md, k, (int)strlen(k), (unsigned char *)t.p, t.len, mac, &n);
    str_putc(&t, '.');
    base64url_encode(mac, n, &t);
    return str_take(&t);
}

static void round_trip(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_JSON claims = NULL;
    ASSERT_OK(
        json_read_str("{\"iss\":\"argocd\",\"sub\":\"admin:login\",\"iat\":1699999000,\"nbf\":1699999000,"
                      "\"exp\":1700000100,\"jti\":\"x\"}",
                      &claims, &err));
    AUTO(free_p) char *token = jwt_sign(claims, key, strlen(key));
    struct jwt j;
    ASSERT_OK(jwt_parse(token, &j, &err));
    ASSERT_OK(jwt_check(token, &j, key, strlen(key), now, &err));
    assert_string_equal(j.sub, "admin:login");
    assert_int_equal(j.exp, 1700000100);
    jwt_dispose(&j);
    assert_true(jwt_shaped(token));
    assert_true(check(token, "other", now, &err) < 0);
    assert_true(check(token, "", now, &err) < 0);
    for (size_t i = 0; i < strlen(token);
         i++) { /* every changed character matters, but the last one's spare bits */
        AUTO(free_p) char *changed = xstrdup(token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        if (check(changed, key, now, &err) == 0 && i + 1 < strlen(token))
            fail_msg("character %zu does not matter", i);
    }
}

/* Made by another implementation (RFC 7515, appendix A.1, whose header is spelled with blanks and line
 * breaks). */
static void known_vector(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_STR k = STR_INIT;
    const char *b64 =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const char *token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
                        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_true(base64_decode(b64, strlen(b64), &k));
    struct jwt j;
    ASSERT_OK(jwt_parse(token, &j, &err));
    ASSERT_OK(jwt_check(token, &j, k.p, k.len, (wall_t){1300819379 * NS_PER_SEC}, &err));
    assert_true(jwt_check(token, &j, k.p, k.len, (wall_t){1300819380 * NS_PER_SEC}, &err) < 0);
    assert_string_equal(err_text(err), "token has invalid claims: token is expired");
    jwt_dispose(&j);
}

static void confusion_and_nonsense(void **state)
{
    static const char good[] = "{\"iss\":\"argocd\",\"sub\":\"admin:login\",\"jti\":\"x\"}";
    const struct {
        const char *header, *claims;
        const EVP_MD *md;
    } cases[] = {
        {"{\"alg\":\"none\"}", good, NULL},
        {"{\"alg\":\"None\"}", good, NULL},
        {"{\"alg\":\"\"}", good, NULL},
        {"{}", good, EVP_sha256()},
        {"{\"alg\":\"HS512\"}", good, EVP_sha512()},
        {"{\"alg\":\"HS384\"}", good, EVP_sha384()},
        {"{\"alg\":\"RS256\"}", good, EVP_sha256()},
        {"{\"alg\":\"hs256\"}", good, EVP_sha256()},
        {"{\"alg\":\"HS256\"}", good, EVP_sha512()},
        {"{\"alg\":\"HS256\"}", good, NULL},
        {"[]", good, EVP_sha256()},
        {"{\"alg\":\"HS256\"}", "[]", EVP_sha256()},
        {"{\"alg\":\"HS256\"}", "null", EVP_sha256()},
        {"{\"alg\":\"HS256\"}", "{\"exp\":\"tomorrow\"}", EVP_sha256()},
        {"{\"alg\":\"HS256\"}", "{\"exp\":1e300}", EVP_sha256()},
        {"{\"alg\":\"HS256\"}", "{\"exp\":0}", EVP_sha256()},
        {"{\"alg\":\"HS256\"}", "{\"nbf\":1700000001}", EVP_sha256()},
        {"{\"alg\":\"HS256\"}", "{\"exp\":1699999999.5}", EVP_sha256()},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(free_p) char *token = forge(cases[i].header, cases[i].claims, key, cases[i].md);
        if (check(token, key, now, &err) == 0)
            fail_msg("case %zu is accepted: %s", i, cases[i].header);
        assert_int_equal(err_code(err), ERR_UNAUTHENTICATED);
    }
    static const char *const texts[] = {"",        ".",      "..",    "...",           "a.b",
                                        "a.b.c.d", "a.b.c ", "a.!.c", "\xff.\xff.\xff"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO_ERR err = NULL;
        assert_true(check(texts[i], key, now, &err) < 0);
    }
    AUTO(free_p) char *large = xmalloc(JWT_MAX + 10);
    memset(large, 'a', JWT_MAX + 9);
    large[JWT_MAX + 9] = 0;
    large[3] = large[5] = '.';
    assert_false(jwt_shaped(large));
}

TESTS(T(round_trip), T(known_vector), T(confusion_and_nonsense))
