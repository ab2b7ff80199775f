#include "proto/repo_message.h"

#include "common/base/str.h"

typedef Cargocd__Repo__Repository repository_t;

char *message_text(arena_t *a, const json_t *o, const char *key)
{
    return arena_strdup(a, str_or_empty(json_str_at(o, key)));
}

static bool flag(const json_t *o, const char *key)
{
    bool b = false;
    str_to_bool(json_str_at(o, key), &b);
    return b;
}

static int64_t number(const json_t *o, const char *key)
{
    int64_t n = 0;
    str_to_i64(str_or_empty(json_str_at(o, key)), &n);
    return n;
}

/* Texts of a repository Secret, by the message's fields. */
static const struct {
    const char *key;
    size_t offset;
} repo_texts[] = {
#define FIELD(key, name)                                                                                     \
    {                                                                                                        \
        key, offsetof(repository_t, name)                                                                    \
    }
    FIELD("url", url),
    FIELD("type", type),
    FIELD("name", name),
    FIELD("project", project),
    FIELD("username", username),
    FIELD("password", password),
    FIELD("bearerToken", bearer_token),
    FIELD("sshPrivateKey", ssh_private_key),
    FIELD("tlsClientCertData", tls_client_cert),
    FIELD("tlsClientCertKey", tls_client_key),
    FIELD("githubAppPrivateKey", github_app_private_key),
    FIELD("githubAppEnterpriseBaseUrl", github_app_enterprise_base_url),
    FIELD("proxy", proxy),
    FIELD("noProxy", no_proxy),
    FIELD("gcpServiceAccountKey", gcp_service_account_key),
    FIELD("azureServicePrincipalClientId", azure_client_id),
    FIELD("azureServicePrincipalClientSecret", azure_client_secret),
    FIELD("azureServicePrincipalTenantId", azure_tenant_id),
    FIELD("azureActiveDirectoryEndpoint", azure_endpoint),
#undef FIELD
};

repository_t *message_of_repo(arena_t *a, const json_t *o)
{
    repository_t *r = arena_alloc(a, sizeof *r);
    cargocd__repo__repository__init(r);
    for (size_t i = 0; i < ARRAY_LEN(repo_texts); i++)
        *(char **)((char *)r + repo_texts[i].offset) = message_text(a, o, repo_texts[i].key);
    r->insecure = flag(o, "insecure") || flag(o, "insecureIgnoreHostKey") || flag(o, "insecureOCIForceHttp");
    r->enable_lfs = flag(o, "enableLfs");
    r->enable_oci = flag(o, "enableOCI");
    r->insecure_oci_force_http = flag(o, "insecureOCIForceHttp");
    r->force_http_basic_auth = flag(o, "forceHttpBasicAuth");
    r->use_azure_workload_identity = flag(o, "useAzureWorkloadIdentity");
    r->github_app_id = number(o, "githubAppID");
    r->github_app_installation_id = number(o, "githubAppInstallationID");
    r->depth = number(o, "depth");
    return r;
}

repository_t **messages_of_repos(arena_t *a, const json_t *list, size_t *n)
{
    *n = json_array_size(list);
    repository_t **out = arena_alloc(a, (*n + 1) * sizeof *out);
    for (size_t i = 0; i < *n; i++)
        out[i] = message_of_repo(a, json_array_get(list, i));
    return out;
}
