/* Design. Fixed credentials live in the endpoint. A token from a file or from a plugin goes into a header
 * line of each request, so that its change costs no new connections; a client certificate from a plugin makes
 * a new endpoint. One caller at a time runs the plugin while the others wait for its result; after a failure
 * nobody runs it again for a while, however many ask. */
#include "common/base/file.h"
#include "common/base/thread.h"
#include "common/kube/auth.h"
#include "common/net/tls.h"

enum { MAX_TOKEN = 64 << 10, EARLY_SECONDS = 5, FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 10000 };

struct kube_auth {
    struct kube_config config; /* immutable */
    lock_t lock;               /* guards everything below */
    cond_t ran;
    http_endpoint_t *endpoint;
    char *token;
    uint64_t generation;
    /* Token files. */
    struct file_stamp stamp;
    bool reread;
    /* Plugins. */
    struct kube_credential credential;
    bool have, running;
    atomic_bool canceled; /* atomic accesses only */
    err_t *failure;
    mono_t pause_until;
    int64_t pause_ns;
    void (*ran_fn)(void *arg, const struct kube_plugin_run *run); /* immutable once in use */
    void *ran_arg;
};

static http_endpoint_t *make_endpoint(const struct kube_config *c, const char *cert_pem, const char *key_pem)
{
    return http_endpoint_new(&(struct http_endpoint_config){
        .ca_pem = c->ca_pem,
        .client_cert_pem = cert_pem,
        .client_key_pem = key_pem,
        .server_name = c->tls_server_name,
        .insecure = c->insecure,
        .proxy = c->proxy_url,
        .username = c->username,
        .password = c->password,
        .bearer_token = c->token_file ? NULL : c->token,
        .compression = !c->disable_compression,
        .connect_timeout_ns = c->connect_timeout_ns,
        .keepalive_ns = c->keepalive_ns,
        .idle_ns = c->idle_ns,
    });
}

/* A plugin is for those who have nothing else. */
static bool uses_plugin(const struct kube_auth *a)
{
    const struct kube_config *c = &a->config;
    return c->exec && !c->token && !c->token_file && !c->username && !c->password;
}

int kube_auth_new(const struct kube_config *config, kube_auth_t **out, err_t **err)
{
    if (config->token && strpbrk(config->token, "\r\n"))
        return err_set(err, ERR_INVALID_ARGUMENT, "the token has more than one line");
    kube_auth_t *a = xcalloc(1, sizeof(*a));
    kube_config_copy(&a->config, config);
    pthread_mutex_init(&a->lock, NULL);
    cond_init(&a->ran);
    a->endpoint = make_endpoint(config, config->client_cert_pem, config->client_key_pem);
    a->reread = true;
    *out = a;
    return 0;
}

void kube_auth_observe(kube_auth_t *a, void (*fn)(void *arg, const struct kube_plugin_run *run), void *arg)
{
    a->ran_fn = fn;
    a->ran_arg = arg;
}

static void free_secret(char *s)
{
    if (s)
        wipe(s, strlen(s));
    free(s);
}

void kube_auth_free(kube_auth_t *a)
{
    if (!a)
        return;
    http_endpoint_unref(a->endpoint);
    free_secret(a->token);
    kube_credential_dispose(&a->credential);
    kube_config_dispose(&a->config);
    err_free(a->failure);
    pthread_cond_destroy(&a->ran);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void kube_identity_dispose(struct kube_identity *i)
{
    http_endpoint_unref(i->endpoint);
    free_secret(i->authorization);
    *i = (struct kube_identity){};
}

static void set_token(kube_auth_t *a, const char *token)
{
    if (!str_eq(a->token, token)) {
        free_secret(a->token);
        a->token = xstrdup(token);
    }
    a->generation++;
}

/* ---- token files ---- */

static int read_token(const char *path, char **out, err_t **err)
{
    AUTO_STR text = STR_MAX(MAX_TOKEN);
    int r = file_read(path, &text, err);
    if (r < 0)
        return err_wrap(err, "token file");
    view_t token = view_trim((view_t){str_text(&text), text.len});
    if (token.n && !memchr(token.p, '\n', token.n) && !memchr(token.p, '\0', token.n))
        *out = xstrndup(token.p, token.n);
    else
        r = err_set(err, ERR_UNAUTHENTICATED, "token file %s: it does not hold one token", path);
    wipe(text.p, text.len);
    return r;
}

/* Reads the file again when it has changed. A file that cannot be read leaves the token as it is, for it may
 * be in the middle of being replaced. */
static int refresh_file(kube_auth_t *a, err_t **err)
{
    struct file_stamp now = {};
    bool there = file_stamp(a->config.token_file, &now);
    if (a->token && !a->reread && (!there || file_stamp_eq(&now, &a->stamp)))
        return 0;
    char *token = NULL;
    int r = read_token(a->config.token_file, &token, a->token ? NULL : err);
    if (r < 0)
        return a->token ? 0 : r;
    a->stamp = now;
    a->reread = false;
    set_token(a, token);
    free_secret(token);
    return 0;
}

/* ---- plugins ---- */

static bool plugin_result_valid(const kube_auth_t *a)
{
    return a->have &&
           (!a->credential.expires || wall_now().ns < a->credential.expiry.ns - SECONDS(EARLY_SECONDS));
}

static void take_credential(kube_auth_t *a, struct kube_credential *fresh)
{
    bool same = a->have && str_eq(a->credential.cert_pem, fresh->cert_pem) &&
                str_eq(a->credential.key_pem, fresh->key_pem);
    kube_credential_dispose(&a->credential);
    a->credential = *fresh;
    a->have = true;
    a->pause_ns = 0;
    set_token(a, fresh->token);
    if (same || !fresh->cert_pem)
        return;
    http_endpoint_unref(a->endpoint);
    a->endpoint = make_endpoint(&a->config, fresh->cert_pem, fresh->key_pem);
}

/* How old the certificate is that `fresh` takes the place of; -1: it does not. */
static int64_t age_of_replaced(const kube_auth_t *a, const struct kube_credential *fresh)
{
    int64_t since;
    if (!a->credential.cert_pem || str_eq(a->credential.cert_pem, fresh->cert_pem) ||
        tls_not_before(a->credential.cert_pem, &since, NULL) < 0)
        return -1;
    return wall_now().ns - since * NS_PER_SEC;
}

static void note_failure(kube_auth_t *a, err_t *err_take)
{
    err_free(a->failure);
    a->failure = err_take;
    a->pause_ns = a->pause_ns ? a->pause_ns * 2 : MILLIS(FIRST_PAUSE_MS);
    if (a->pause_ns > MILLIS(LONGEST_PAUSE_MS))
        a->pause_ns = MILLIS(LONGEST_PAUSE_MS);
    a->pause_until = mono_after(mono_now(), a->pause_ns);
}

static int refresh_plugin(kube_auth_t *a, err_t **err)
{
    while (a->running)
        pthread_cond_wait(&a->ran, &a->lock);
    if (plugin_result_valid(a))
        return 0;
    if (mono_left(a->pause_until))
        return err_move(err, err_copy(a->failure));
    a->running = true;
    pthread_mutex_unlock(&a->lock);
    struct kube_credential fresh = {};
    struct kube_plugin_run how;
    err_t *why = NULL;
    int r = kube_exec_run(&a->config, &a->canceled, &fresh, &how, &why);
    pthread_mutex_lock(&a->lock);
    how.cert_age_ns = r == 0 ? age_of_replaced(a, &fresh) : -1;
    if (a->ran_fn)
        a->ran_fn(a->ran_arg, &how);
    a->running = false;
    pthread_cond_broadcast(&a->ran);
    if (r == 0) {
        take_credential(a, &fresh);
        return 0;
    }
    note_failure(a, why);
    return err_move(err, err_copy(why));
}

/* ---- for requests ---- */

int kube_auth_get(kube_auth_t *a, struct kube_identity *out, err_t **err)
{
    LOCKED(&a->lock);
    int r = 0;
    if (a->config.token_file)
        r = refresh_file(a, err);
    else if (uses_plugin(a) && !plugin_result_valid(a))
        r = refresh_plugin(a, err);
    if (r < 0)
        return r;
    *out = (struct kube_identity){
        .endpoint = http_endpoint_ref(a->endpoint),
        .authorization = a->token ? xasprintf("Authorization: Bearer %s", a->token) : NULL,
        .generation = a->generation,
    };
    return 0;
}

void kube_auth_cancel(kube_auth_t *a)
{
    a->canceled = true;
}

http_endpoint_t *kube_auth_endpoint(kube_auth_t *a)
{
    LOCKED(&a->lock);
    return http_endpoint_ref(a->endpoint);
}

bool kube_auth_ready(kube_auth_t *a)
{
    LOCKED(&a->lock);
    return !uses_plugin(a) || plugin_result_valid(a) || (!a->running && mono_left(a->pause_until));
}

bool kube_auth_rejected(kube_auth_t *a, uint64_t generation)
{
    LOCKED(&a->lock);
    if (!a->config.token_file && !uses_plugin(a))
        return false;
    if (a->generation != generation)
        return true; /* it is fresh already */
    a->reread = true;
    if (uses_plugin(a))
        a->have = false;
    return true;
}
