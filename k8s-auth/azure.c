#include "common/base/enc.h"
#include "common/base/rand.h"
#include "k8s-auth/clouds.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

/* The application of all AKS clusters with Entra ID. */
#define AKS_SERVER "6dae42f8-4368-4678-94ff-3960e28e3630"
#define ASSERTION  "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

enum { ASSERTION_SECONDS = 600 };

/* The first of two variables that is set. */
static const char *either(const char *a, const char *b)
{
    const char *v = env_of(a);
    return v ? v : env_of(b);
}

static const char *server_id(void)
{
    const char *v = env_of("AAD_SERVER_APPLICATION_ID");
    return v ? v : AKS_SERVER;
}

/* Where tokens are given, without a slash at the end. */
static int authority(char **out, err_t **err)
{
    static const struct {
        const char *name, *url;
    } clouds[] = {{"AzurePublicCloud", "https://login.microsoftonline.com"},
                  {"AzureCloud", "https://login.microsoftonline.com"},
                  {"AzureUSGovernmentCloud", "https://login.microsoftonline.us"},
                  {"AzureUSGovernment", "https://login.microsoftonline.us"},
                  {"AzureChinaCloud", "https://login.chinacloudapi.cn"}};
    const char *given = env_of("AZURE_AUTHORITY_HOST"), *name = env_of("AAD_ENVIRONMENT_NAME");
    for (size_t i = 0; !given && i < ARRAY_LEN(clouds); i++)
        if (strcasecmp(name ? name : clouds[0].name, clouds[i].name) == 0)
            given = clouds[i].url;
    if (!given)
        return err_set(err, ERR_INVALID_ARGUMENT, "AAD_ENVIRONMENT_NAME %s is not known", name);
    *out = xstrdup(given);
    while (str_has_suffix(*out, "/"))
        (*out)[strlen(*out) - 1] = 0;
    return 0;
}

static int token_url(char **out, err_t **err)
{
    const char *tenant = env_of("AZURE_TENANT_ID");
    AUTO(free_p) char *host = NULL;
    if (!tenant)
        return err_set(err, ERR_INVALID_ARGUMENT, "AZURE_TENANT_ID is not set");
    if (authority(&host, err) < 0)
        return err_again(err);
    *out = xasprintf("%s/%s/oauth2/v2.0/token", host, tenant);
    return 0;
}

static int ask(http_t *io, const char *url, str_t *form, struct token *out, err_t **err)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    AUTO_JSON answer = NULL;
    AUTO(free_p) char *scope = xasprintf("%s/.default", server_id());
    form_add(form, "grant_type", "client_credentials");
    form_add(form, "scope", scope);
    struct fetch f = {.method = "POST", .url = url, .headers = headers, .body = str_text(form)};
    int r = fetch_json(io, &f, &answer, err);
    return r < 0 ? r : token_of_oauth(answer, out, err);
}

static int workload_identity(http_t *io, struct token *out, err_t **err)
{
    const char *client = env_of("AZURE_CLIENT_ID"), *file = env_of("AZURE_FEDERATED_TOKEN_FILE");
    AUTO(free_p) char *url = NULL;
    AUTO(free_p) char *token = NULL;
    AUTO_STR form = STR_INIT;
    if (!client || !file)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s is not set",
                       client ? "AZURE_FEDERATED_TOKEN_FILE" : "AZURE_CLIENT_ID");
    if (token_url(&url, err) < 0)
        return err_again(err);
    if (read_text(file, &token, err) < 0)
        return err_wrap(err, "federated token");
    form_add(&form, "client_id", client);
    form_add(&form, "client_assertion_type", ASSERTION);
    form_add(&form, "client_assertion", token);
    return ask(io, url, &form, out, err);
}

/* The SHA-1 of the certificate names it to Entra ID. */
static bool thumbprint(const char *pem, str_t *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool good = cert && X509_digest(cert, EVP_sha1(), digest, &n) == 1;
    if (good)
        base64url_encode(digest, n, out);
    X509_free(cert);
    BIO_free(bio);
    return good;
}

static int assertion(const char *url, const char *client, const char *path, char **out, err_t **err)
{
    char id[40];
    AUTO(free_p) char *pem = NULL;
    AUTO_STR x5t = STR_INIT;
    int64_t now = wall_now().ns / NS_PER_SEC;
    if (read_text(path, &pem, err) < 0)
        return err_wrap(err, "client certificate");
    if (!thumbprint(pem, &x5t))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "client certificate %s: it is not PEM (of a certificate and its key)", path);
    random_uuid(id);
    json_t *claims = json_object();
    json_set_str(claims, "aud", url);
    json_set_str(claims, "iss", client);
    json_set_str(claims, "sub", client);
    json_set_str(claims, "jti", id);
    json_object_set_new_nocheck(claims, "nbf", json_integer(now));
    json_object_set_new_nocheck(claims, "exp", json_integer(now + ASSERTION_SECONDS));
    int r = jwt_rs256(claims, pem, str_text(&x5t), out, err);
    wipe(pem, strlen(pem));
    return r;
}

static int service_principal(http_t *io, struct token *out, err_t **err)
{
    const char *client = either("AAD_SERVICE_PRINCIPAL_CLIENT_ID", "AZURE_CLIENT_ID"),
               *secret = either("AAD_SERVICE_PRINCIPAL_CLIENT_SECRET", "AZURE_CLIENT_SECRET"),
               *cert = either("AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE", "AZURE_CLIENT_CERTIFICATE_PATH");
    bool pop = false;
    AUTO(free_p) char *url = NULL;
    AUTO(free_p) char *jwt = NULL;
    AUTO_STR form = STR_INIT;
    if (env_of("AAD_IS_POP_TOKEN_ENABLED") && str_to_bool(env_of("AAD_IS_POP_TOKEN_ENABLED"), &pop) && pop)
        return err_set(err, ERR_UNIMPLEMENTED, "proof-of-possession tokens are not served");
    if (!client || (!secret && !cert))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "spn: a client id, and a secret or a certificate, are to be set");
    if (token_url(&url, err) < 0)
        return err_again(err);
    form_add(&form, "client_id", client);
    if (secret) {
        form_add(&form, "client_secret", secret);
    } else {
        if (assertion(url, client, cert, &jwt, err) < 0)
            return err_again(err);
        form_add(&form, "client_assertion_type", ASSERTION);
        form_add(&form, "client_assertion", jwt);
    }
    return ask(io, url, &form, out, err);
}

static int managed_identity(http_t *io, struct token *out, err_t **err)
{
    static const char *const headers[] = {"Metadata: true", NULL};
    const char *base = env_of("AZURE_POD_IDENTITY_AUTHORITY_HOST"),
               *client = either("AAD_SERVICE_PRINCIPAL_CLIENT_ID", "AZURE_CLIENT_ID");
    AUTO_STR query = STR_INIT;
    AUTO_JSON answer = NULL;
    form_add(&query, "api-version", "2018-02-01");
    form_add(&query, "resource", server_id());
    if (client)
        form_add(&query, "client_id", client);
    AUTO(free_p)
    char *url = xasprintf("%s/metadata/identity/oauth2/token?%s", base ? base : "http://169.254.169.254",
                          str_text(&query));
    struct fetch f = {.method = "GET", .url = url, .headers = headers, .direct = true};
    int r = fetch_json(io, &f, &answer, err);
    return r < 0 ? err_wrap(err, "managed identity") : token_of_oauth(answer, out, err);
}

int azure_token(http_t *io, struct token *out, err_t **err)
{
    static const struct {
        const char *name;
        int (*get)(http_t *, struct token *, err_t **);
    } methods[] = {
        {"workloadidentity", workload_identity}, {"spn", service_principal}, {"msi", managed_identity}};
    const char *method = env_of("AAD_LOGIN_METHOD");
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(method ? method : methods[0].name, methods[i].name) == 0)
            return methods[i].get(io, out, err);
    return err_set(err, ERR_UNIMPLEMENTED,
                   "AAD_LOGIN_METHOD %s: only workloadidentity, spn and msi work without a person", method);
}
