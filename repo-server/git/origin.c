#include "repo-server/git/origin.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/proc.h"
#include "common/base/vec.h"
#include "repo-server/git/job.h"
#include "repo-server/tree.h"

#include <stdio.h>
#include <unistd.h>

enum { CHILD_MAX_FILE_GIB = 64, TLS_FILE_MAX = 4 << 20, KNOWN_HOSTS_MAX = 1 << 20 };

/* ---- who is asked, and by whom ---- */

static void wipe_text(char *s)
{
    if (s)
        wipe(s, strlen(s));
    free(s);
}

static void compute_access_key(origin_t *r)
{
    sha256_ctx_t *c = sha256_begin();
    const char *parts[] = {r->url,
                           r->username,
                           r->password,
                           r->bearer_token,
                           r->ssh_private_key,
                           r->tls_client_cert,
                           r->tls_client_key,
                           r->proxy,
                           r->no_proxy};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        sha256_field_str(c, str_or_empty(parts[i]));
    char numbers[64];
    snprintf(numbers, sizeof(numbers), "%d %lld %lld", (int)r->token.kind, (long long)r->token.app_id,
             (long long)r->token.installation_id);
    const char *exchanged[] = {numbers, r->token.secret, r->token.base_url, r->token.client_id,
                               r->token.tenant_id};
    for (size_t i = 0; i < ARRAY_LEN(exchanged); i++)
        sha256_field_str(c, str_or_empty(exchanged[i]));
    unsigned char flags = (unsigned char)(r->insecure | r->force_basic << 1);
    sha256_field(c, &flags, 1);
    sha256_end_hex(c, r->access_key);
}

/* "" counts as not given. */
static char *given(const char *s)
{
    return str_empty(s) ? NULL : xstrdup(s);
}

/* Clones with cut histories are apart: in those of whole ones, a parent that is missing is damage. */
static char *storage_key(const origin_t *r)
{
    AUTO(free_p) char *key = git_url_storage_key(r->url);
    return r->depth ? xasprintf("%s#shallow", key) : TAKE(key);
}

int origin_new(const struct git_access *access, const struct git_settings *settings, origin_t **out,
               err_t **err)
{
    AUTO(origin_unref_p) origin_t *r = xcalloc(1, sizeof(*r));
    r->refs = 1;
    view_t url = view_trim(view_of(access->url));
    r->url = xstrndup(url.p ? url.p : "", url.n);
    int e = git_url_parse(r->url, &r->parsed, err);
    if (e < 0)
        return e;
    r->shown = git_url_for_message(r->url);
    if (r->parsed.scheme == GIT_SCHEME_FILE && !settings->allow_file)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "repository '%s': local paths are not allowed as repositories", r->shown);
    r->depth = access->depth > 0 && r->parsed.scheme != GIT_SCHEME_FILE ? access->depth : 0;
    r->storage_key = storage_key(r);
    r->username = given(access->username);
    r->password = given(access->password);
    r->bearer_token = given(access->bearer_token);
    r->ssh_private_key = given(access->ssh_private_key);
    r->tls_client_cert = given(access->tls_client_cert);
    r->tls_client_key = given(access->tls_client_key);
    r->proxy = given(access->proxy);
    r->no_proxy = given(access->no_proxy);
    r->insecure = access->insecure;
    r->force_basic = access->force_basic;
    r->token = access->token;
    r->token.secret = given(access->token.secret);
    r->token.base_url = given(access->token.base_url);
    r->token.client_id = given(access->token.client_id);
    r->token.tenant_id = given(access->token.tenant_id);
    compute_access_key(r);
    *out = TAKE(r);
    return 0;
}

int origin_whole(origin_t *r, const struct git_settings *settings, origin_t **out, err_t **err)
{
    if (!r->depth) {
        *out = origin_ref(r);
        return 0;
    }
    struct git_access access = {
        .url = r->url,
        .username = r->username,
        .password = r->password,
        .bearer_token = r->bearer_token,
        .ssh_private_key = r->ssh_private_key,
        .tls_client_cert = r->tls_client_cert,
        .tls_client_key = r->tls_client_key,
        .proxy = r->proxy,
        .no_proxy = r->no_proxy,
        .token = r->token,
        .insecure = r->insecure,
        .force_basic = r->force_basic,
    };
    return origin_new(&access, settings, out, err);
}

origin_t *origin_ref(origin_t *r)
{
    r->refs++;
    return r;
}

void origin_unref(origin_t *r)
{
    if (!r || --r->refs > 0)
        return;
    git_url_dispose(&r->parsed);
    wipe_text(r->url);
    free(r->storage_key);
    free(r->shown);
    char *secrets[] = {r->username,
                       r->password,
                       r->bearer_token,
                       r->ssh_private_key,
                       r->tls_client_cert,
                       r->tls_client_key,
                       r->proxy,
                       r->no_proxy,
                       (char *)r->token.secret,
                       (char *)r->token.base_url,
                       (char *)r->token.client_id,
                       (char *)r->token.tenant_id};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        wipe_text(secrets[i]);
    free(r);
}

/* ---- running the child ---- */

typedef VEC(char *) env_t;

/* The child knows nothing of our environment but how to find programs, proxies and authorities. */
static void child_env(env_t *env)
{
    static const char *const names[] = {
        "PATH",         "http_proxy",    "https_proxy",  "HTTPS_PROXY",   "all_proxy",
        "ALL_PROXY",    "no_proxy",      "NO_PROXY",     "SSL_CERT_FILE", "SSL_CERT_DIR",
#ifdef CARGOCD_SANITIZE
        "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
#endif
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);
        if (value)
            VEC_PUSH(env, xasprintf("%s=%s", names[i], value));
    }
    VEC_PUSH(env, NULL);
}

static void child_env_free(env_t *env)
{
    VEC_FOREACH(env, e)
        free(*e);
    VEC_FREE(env);
}

static int child_ended(int r, const struct proc_result *result, const str_t *errs,
                       const struct proc_spec *spec, err_t **err)
{
    if (r == -ERR_DEADLINE_EXCEEDED) {
        char limit[DURATION_TEXT];
        duration_format(spec->timeout_ns, limit);
        return err_set(err, ERR_DEADLINE_EXCEEDED, "no answer within %s", limit);
    }
    if (r < 0)
        return err_wrap(err, "git child");
    if (result->exit_status != 0)
        return err_set(err, ERR_INTERNAL, "the git child ended with status %d: %.*s", result->exit_status,
                       (int)min_size(errs->len, 2000), str_text(errs));
    return 0;
}

static int run_child(const struct git_job *job, const struct git_settings *s, int64_t timeout_ns,
                     str_t *answer, err_t **err)
{
    AUTO_STR input = STR_MAX(GIT_JOB_MAX);
    AUTO_STR errs = STR_MAX(64 << 10);
    env_t env = {};
    char *argv[] = {"/proc/self/exe", GIT_CHILD_ROLE, NULL};
    git_job_write(job, &input);
    child_env(&env);
    struct proc_spec spec = {
        .argv = argv,
        .env = env.v,
        .cwd = "/",
        .input = input.p,
        .input_size = input.len,
        .timeout_ns = timeout_ns,
        .grace_ns = s->fatal_timeout_ns,
        .max_file = (uint64_t)CHILD_MAX_FILE_GIB << 30,
        .canceled = s->stop,
    };
    struct proc_result result = {};
    int r = proc_run(&spec, answer, &errs, &result, err);
    r = child_ended(r, &result, &errs, &spec, err);
    wipe(input.p, input.len);
    child_env_free(&env);
    return r;
}

/* The file named after the host, as the ConfigMap of trusted certificates is mounted. */
static void read_authorities(const origin_t *r, const struct git_settings *s, str_t *out)
{
    if (r->parsed.scheme != GIT_SCHEME_HTTPS || str_empty(s->tls_dir) || strchr(r->parsed.host, '/') ||
        r->parsed.host[0] == '.')
        return;
    AUTO(free_p) char *path = xasprintf("%s/%s", s->tls_dir, r->parsed.host);
    if (file_read(path, out, NULL) < 0)
        str_reset(out);
}

static void read_known_hosts(const origin_t *r, const struct git_settings *s, str_t *out)
{
    if (r->parsed.scheme != GIT_SCHEME_SSH || str_empty(s->ssh_dir))
        return;
    AUTO(free_p) char *path = xasprintf("%s/ssh_known_hosts", s->ssh_dir);
    if (file_read(path, out, NULL) < 0)
        str_reset(out);
}

/* A directory for the key file, preferably in memory. */
static int make_scratch(const origin_t *r, char **out, err_t **err)
{
    if (r->parsed.scheme != GIT_SCHEME_SSH)
        return 0;
    if (access("/dev/shm", W_OK) == 0 && dir_make_temp("/dev/shm", "cargocd-ssh-", out, NULL) == 0)
        return 0;
    return dir_make_temp(NULL, "cargocd-ssh-", out, err);
}

static int ask_once(const origin_t *r, const struct git_settings *s, struct git_job *job, int64_t timeout_ns,
                    str_t *answer, view_t *out, err_t **err)
{
    AUTO_STR ca = STR_MAX(TLS_FILE_MAX);
    AUTO_STR known_hosts = STR_MAX(KNOWN_HOSTS_MAX);
    AUTO(free_p) char *scratch = NULL;
    int e = make_scratch(r, &scratch, err);
    if (e < 0)
        return e;
    read_authorities(r, s, &ca);
    read_known_hosts(r, s, &known_hosts);
    job->ca_pem = ca.len ? str_text(&ca) : NULL;
    job->known_hosts = str_text(&known_hosts);
    job->scratch = scratch;
    str_reset(answer);
    e = run_child(job, s, timeout_ns, answer, err);
    if (e == 0)
        e = git_answer_read(answer->p, answer->len, out, err);
    if (scratch)
        dir_remove(scratch, NULL);
    return e;
}

/* ---- tokens ---- */

static struct token_route token_route(const origin_t *r, const struct git_settings *s)
{
    return (struct token_route){r->url, r->proxy, r->no_proxy, s->tls_dir, r->insecure, s->list_timeout_ns};
}

int origin_login(const origin_t *r, const struct git_settings *s, struct token *out, err_t **err)
{
    struct token_route route = token_route(r, s);
    *out = (struct token){};
    if (r->parsed.scheme != GIT_SCHEME_HTTP && r->parsed.scheme != GIT_SCHEME_HTTPS)
        return 0;
    if (r->token.kind) {
        int e = tokens_get(s->tokens, &r->token, &route, out, err);
        if (e < 0)
            return e;
    } else if (r->bearer_token && !(r->force_basic && r->password)) {
        *out = (struct token){.secret = xstrdup(r->bearer_token), .bearer = true};
    } else if (r->password) {
        *out = (struct token){given(r->username), xstrdup(r->password), false};
    }
    if (out->secret && !out->username)
        out->username = xstrdup("x-access-token");
    return 0;
}

/* Puts the token in the place of the credential. */
static int present_token(const origin_t *r, const struct git_settings *s, struct git_job *job,
                         struct token *token, err_t **err)
{
    struct token_route route = token_route(r, s);
    int e = tokens_get(s->tokens, &r->token, &route, token, err);
    if (e < 0)
        return e;
    if (token->bearer) {
        job->bearer_token = token->secret;
    } else {
        job->username = token->username;
        job->password = token->secret;
    }
    return 0;
}

/* A token that is not taken may have been revoked: a new one is tried once. */
static int ask_with_token(const origin_t *r, const struct git_settings *s, struct git_job *job,
                          int64_t timeout_ns, str_t *answer, view_t *out, err_t **err)
{
    for (bool again = false;; again = true) {
        struct token token = {};
        AUTO_ERR why = NULL;
        int e = present_token(r, s, job, &token, &why);
        bool had = e == 0;
        if (e == 0)
            e = ask_once(r, s, job, timeout_ns, answer, out, &why);
        token_dispose(&token);
        if (e == 0)
            return 0;
        if (!had || again || e != -ERR_UNAUTHENTICATED)
            return err_move(err, TAKE(why));
        struct token_route route = token_route(r, s);
        tokens_forget(s->tokens, &r->token, &route);
    }
}

static bool transient(int r)
{
    return r == -ERR_UNAVAILABLE || r == -ERR_DEADLINE_EXCEEDED;
}

/* The job names what is to be done; who asks, and where, is added. */
static int ask(const origin_t *r, const struct git_settings *s, struct git_job *job, str_t *answer,
               view_t *out, err_t **err)
{
    job->url = r->url;
    job->username = r->username;
    job->password = r->password;
    job->bearer_token = r->bearer_token;
    job->ssh_private_key = r->ssh_private_key;
    job->tls_client_cert = r->tls_client_cert;
    job->tls_client_key = r->tls_client_key;
    job->proxy = r->proxy;
    job->no_proxy = r->no_proxy;
    job->insecure = r->insecure;
    job->force_basic = r->force_basic;
    job->depth = r->depth;
    int64_t timeout = job->op == GIT_OP_LIST ? s->list_timeout_ns : s->fetch_timeout_ns, pause = s->retry_ns;
    for (unsigned attempt = 1;; attempt++) {
        int e = r->token.kind ? ask_with_token(r, s, job, timeout, answer, out, err)
                              : ask_once(r, s, job, timeout, answer, out, err);
        if (!transient(e) || attempt >= s->attempts || (s->stop && *s->stop))
            return e;
        if (err)
            err_clear(err);
        sleep_ns(pause);
        pause = pause * (s->retry_factor ? s->retry_factor : 1);
        pause = s->retry_max_ns && pause > s->retry_max_ns ? s->retry_max_ns : pause;
    }
}

int origin_list(const origin_t *r, const struct git_settings *s, git_refs_t **out, err_t **err)
{
    AUTO_STR answer = STR_MAX(GIT_ANSWER_MAX + 16);
    struct git_job job = {.op = GIT_OP_LIST};
    view_t lines;
    int e = ask(r, s, &job, &answer, &lines, err);
    if (e == 0)
        e = git_refs_read(lines.p, lines.n, out, err);
    return e < 0 ? err_wrap(err, "failed to list refs of %s", r->shown) : 0;
}

int origin_fetch(const origin_t *r, const struct git_settings *s, const char *dir, const char *want,
                 err_t **err)
{
    AUTO_STR answer = STR_MAX(1 << 20);
    struct git_job job = {.op = GIT_OP_FETCH, .dir = dir, .want = want};
    view_t nothing;
    int e = dir_make(dir, 0700, err); /* the child may only work inside of it */
    if (e == 0)
        e = ask(r, s, &job, &answer, &nothing, err);
    return e < 0 ? err_wrap(err, "failed to fetch %s", r->shown) : 0;
}

int origin_lfs(const origin_t *r, const struct git_settings *s, const char *dir, const char *url,
               const struct lfs_pointer *pointer, err_t **err)
{
    AUTO_STR answer = STR_MAX(1 << 20);
    AUTO(free_p) char *want = xasprintf("%s %llu", pointer->oid, (unsigned long long)pointer->size);
    struct git_job job = {.op = GIT_OP_LFS, .dir = dir, .want = want, .lfs_url = url, .tls_dir = s->tls_dir};
    view_t nothing;
    int e = dir_make(dir, 0700, err);
    if (e == 0)
        e = ask(r, s, &job, &answer, &nothing, err);
    return e < 0 ? err_wrap(err, "failed to fetch the LFS object %s of %s", pointer->oid, r->shown) : 0;
}

int git_pack_join(const char *dir, const struct git_settings *s, char ***old, err_t **err)
{
    AUTO_STR answer = STR_MAX(1 << 20);
    struct git_job job = {.op = GIT_OP_PACK, .dir = dir};
    view_t lines;
    int e = run_child(&job, s, SECONDS(600), &answer, err);
    if (e == 0)
        e = git_answer_read(answer.p, answer.len, &lines, err);
    if (e < 0)
        return err_wrap(err, "join the packs of a clone");
    AUTO(free_p) char *text = xstrndup(lines.p, lines.n);
    *old = strv_split(text, "\n", true);
    return 0;
}
