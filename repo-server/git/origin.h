/* A Git repository on the network, and what is asked of it: the list of its references, and its objects.
 *
 * Both are done by a short-lived child (the daemon's own binary again, see child.h), so that the memory of
 * indexing goes with it and a hostile server meets a confined process. Calls block for as long as that takes.
 */
#ifndef CARGOCD_REPO_GIT_ORIGIN_H
#define CARGOCD_REPO_GIT_ORIGIN_H

#include "repo-server/git/tokens.h"
#include "repo-server/git/url.h"
#include "repo-server/git/refs.h"

/* Settings of the daemon that concern all repositories. Texts are borrowed for the life of the process. */
struct git_settings {
    const char *tls_dir;      /* one file per host with the authorities to trust there */
    const char *ssh_dir;      /* holds ssh_known_hosts */
    bool allow_file;          /* file:// (tests) */
    int64_t list_timeout_ns;  /* ARGOCD_GIT_REQUEST_TIMEOUT */
    int64_t fetch_timeout_ns; /* ARGOCD_EXEC_TIMEOUT */
    int64_t fatal_timeout_ns; /* ARGOCD_EXEC_FATAL_TIMEOUT */
    unsigned attempts;        /* ARGOCD_GIT_ATTEMPTS_COUNT; 0 counts as 1 */
    int64_t retry_ns, retry_max_ns;
    unsigned retry_factor;
    tokens_t *tokens;  /* exchanges credentials; NULL: none is exchanged */
    atomic_bool *stop; /* becomes true when the daemon ends; NULL: never */
};

/* What a repository Secret says about reaching it. Borrowed by origin_new, which copies. */
struct git_access {
    const char *url;
    const char *username, *password, *bearer_token;
    const char *ssh_private_key;
    const char *tls_client_cert, *tls_client_key;
    const char *proxy, *no_proxy;
    struct token_source token; /* kind TOKEN_NONE: none */
    bool insecure;
    bool force_basic;
    int64_t depth; /* commits of history that are fetched; 0 or less: all */
};

/* Immutable, reference-counted; credentials are wiped with the last reference. */
typedef struct origin {
    _Atomic int refs;
    char *url;
    struct git_url parsed;
    char *storage_key; /* git_url_storage_key(url), and whether histories are cut there */
    char *shown;       /* git_url_for_message(url) */
    char *username, *password, *bearer_token, *ssh_private_key, *tls_client_cert, *tls_client_key, *proxy,
        *no_proxy;
    struct token_source token; /* its texts are owned */
    bool insecure, force_basic;
    int64_t depth;       /* 0: whole histories, as from where no part of one can be fetched */
    char access_key[65]; /* digest of the URL as it is spelled and of all of the credential: who asks */
} origin_t;

int origin_new(const struct git_access *access, const struct git_settings *settings, origin_t **out,
               err_t **err);
/* The same repository with whole histories: r itself when it is that. A reference for the caller. */
int origin_whole(origin_t *r, const struct git_settings *settings, origin_t **out, err_t **err);
origin_t *origin_ref(origin_t *r);
void origin_unref(origin_t *r);

/* Errors: ERR_UNAUTHENTICATED, ERR_PERMISSION_DENIED, ERR_NOT_FOUND as the server says; ERR_UNAVAILABLE when
 * it was not reached; ERR_DEADLINE_EXCEEDED. They name the URL, never a credential. Transient ones are tried
 * again as the settings say. */
int origin_list(const origin_t *r, const struct git_settings *s, git_refs_t **out, err_t **err);
/* Brings branches, tags and, if it is not among them, `want` (a commit in full, or the full name of a
 * reference; NULL: nothing more) into the bare repository at `dir`, which is made when it is not there. With
 * a depth: only `want`, a commit in full or the abbreviated tip of a branch or tag. */
int origin_fetch(const origin_t *r, const struct git_settings *s, const char *dir, const char *want,
                 err_t **err);
/* Brings an object of Git LFS to the file <dir>/<oid>; its content fits the oid. `url`: of the server that
 * has it; NULL: the repository's. */
struct lfs_pointer;
int origin_lfs(const origin_t *r, const struct git_settings *s, const char *dir, const char *url,
               const struct lfs_pointer *pointer, err_t **err);
/* What is presented over HTTP, exchanged for a token if need be; out->secret NULL: nothing. Without a user
 * name it is Argo CD's for tokens. */
int origin_login(const origin_t *r, const struct git_settings *s, struct token *out, err_t **err);
/* Joins the small packs of the bare repository into one, so that sizes fall geometrically. The packs that it
 * replaces stay; their paths without suffix are in *old (NULL-terminated, the caller's), to be removed when
 * nobody reads them. */
int git_pack_join(const char *dir, const struct git_settings *s, char ***old, err_t **err);

AUTO_DECL(origin_unref_p, origin_t, origin_unref)

#endif
