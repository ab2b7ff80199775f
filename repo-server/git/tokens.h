/* Credentials that are exchanged for a token before Git is asked: GitHub Apps, Google service accounts, Azure
 * service principals and workload identities. Tokens are kept until they expire, one for each credential. */
#ifndef CARGOCD_REPO_GIT_TOKENS_H
#define CARGOCD_REPO_GIT_TOKENS_H

#include "common/base/hash.h"
#include "common/net/http.h"

enum token_kind { TOKEN_NONE, TOKEN_GITHUB_APP, TOKEN_GOOGLE, TOKEN_AZURE, TOKEN_AZURE_WORKLOAD };

/* What a repository Secret says. Texts are borrowed where one is taken, NULL when not given. */
struct token_source {
    enum token_kind kind;
    const char *secret; /* the App's private key, the service account as JSON, the client's secret */
    int64_t app_id, installation_id; /* installation 0: found by the owner that the URL names */
    const char *base_url;            /* GitHub Enterprise's API, Azure's authority; NULL: the public one */
    const char *client_id, *tenant_id;
    const char *scope; /* of Azure, escaped for a form; NULL: that of Azure DevOps */
};

/* How the exchange's server is reached: as the repository's. */
struct token_route {
    const char *repo_url; /* its first path segment is the owner */
    const char *proxy, *no_proxy;
    const char *tls_dir; /* one file per host with the authorities to trust there; NULL: none */
    bool insecure;
    int64_t timeout_ns;
};

struct token {
    char *username; /* NULL: any */
    char *secret;
    bool bearer; /* not a password */
};
void token_dispose(struct token *t);

typedef struct tokens tokens_t;
struct tokens_options {
    http_t *http;
    int64_t max_age_ns;               /* ARGOCD_GITHUB_APP_CREDS_EXPIRATION_DURATION; 0: 60 min */
    const char *google_url;           /* NULL: what the service account says */
    const char *federated_token_file; /* AZURE_FEDERATED_TOKEN_FILE; NULL: from the environment */
};
tokens_t *tokens_new(const struct tokens_options *options) MUST_USE;
void tokens_free(tokens_t *t);

/* Blocks. Errors name the kind and the server, never what was sent: ERR_UNAUTHENTICATED when it refused,
 * ERR_UNAVAILABLE when it was not reached, ERR_INVALID_ARGUMENT when the credential cannot be used. */
int tokens_get(tokens_t *t, const struct token_source *source, const struct token_route *route,
               struct token *out, err_t **err);
/* The server did not take it: the next one is a new one. */
void tokens_forget(tokens_t *t, const struct token_source *source, const struct token_route *route);

/* The first user-defined part of the URL's path, in lower case; the caller's. */
char *token_owner(const char *repo_url) MUST_USE;

#endif
