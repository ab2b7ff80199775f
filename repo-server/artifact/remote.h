/* A Helm repository or OCI registry on the network, with the credential of who asks; and reading from it over
 * HTTP. Calls block for as long as that takes. */
#ifndef CARGOCD_REPO_ARTIFACT_REMOTE_H
#define CARGOCD_REPO_ARTIFACT_REMOTE_H

#include "common/base/hash.h"
#include "common/net/http.h"
#include "repo-server/git/tokens.h"

/* Settings of the daemon. Texts are borrowed for the life of the process. */
struct remote_settings {
    http_t *http;
    const char *tls_dir;    /* one file per host with the authorities to trust there */
    const char *user_agent; /* ARGOCD_HELM_USER_AGENT; NULL: ours */
    int64_t timeout_ns;     /* of one exchange; ARGOCD_EXEC_TIMEOUT */
    tokens_t *tokens;       /* exchanges credentials; NULL: none is exchanged */
};

/* What a repository Secret says. Borrowed by remote_new, which copies. */
struct remote_access {
    const char *url; /* https://…, oci://…, or for a registry host[:port]/path */
    const char *username, *password;
    const char *tls_client_cert, *tls_client_key;
    const char *proxy, *no_proxy;
    bool oci;        /* a registry, whatever the URL's scheme */
    bool insecure;   /* the server's certificate is not verified */
    bool plain_http; /* registries only */
    bool azure;      /* a registry that knows this workload's identity */
};

/* Immutable, reference-counted; credentials are wiped with the last reference. */
typedef struct remote {
    _Atomic int refs;
    char *base;   /* http or https URL without trailing slashes; of a registry, its scheme, host and port */
    char *path;   /* of a registry: the repository's name there; else "" */
    char *shown;  /* the URL for messages */
    char *origin; /* scheme, host and port of base */
    char *username, *password, *tls_client_cert, *tls_client_key, *proxy, *no_proxy;
    bool oci, insecure, azure;
    char access_key[SHA256_HEX]; /* digest of the URL and of all of the credential: who asks for what */
} remote_t;

/* ERR_INVALID_ARGUMENT: not a URL that can be served. */
int remote_new(const struct remote_access *access, remote_t **out, err_t **err);
remote_t *remote_ref(remote_t *r);
void remote_unref(remote_t *r);
AUTO_DECL(remote_unref_p, remote_t, remote_unref)

/* How a request is to present itself. */
enum remote_identity {
    REMOTE_SELF,     /* user name and password, and the client certificate */
    REMOTE_CERT,     /* the client certificate alone: the request brings its own authorization */
    REMOTE_STRANGER, /* nothing: another host */
};
/* The text of the authorities' file for a host in the settings' directory. NULL: none. The caller's. */
char *remote_authorities(const char *tls_dir, const char *host) MUST_USE;

struct remote_get {
    const char *url;
    enum remote_identity identity;
    const char *authorization; /* header line; NULL: none */
    const char *accept;        /* header line; NULL: none */
    const char *form;          /* sent as a POST; NULL: a GET */
    uint64_t max;              /* bytes of the body */
    int fd;                    /* where the body goes, if the status is 200; -1: into the answer */
    atomic_bool *canceled;
};
struct remote_answer {
    int status;
    str_t headers, body;
    unsigned char sha256[SHA256_SIZE]; /* of the body */
};
void remote_answer_dispose(struct remote_answer *a);
/* Any status is success. ERR_RESOURCE_EXHAUSTED: more bytes than max. */
int remote_get(const remote_t *r, const struct remote_settings *s, const struct remote_get *get,
               struct remote_answer *out, err_t **err);
/* An error for a status that is not 200: the code by its meaning, the text names the URL. */
int remote_refused(const char *url, int status, err_t **err);

#endif
