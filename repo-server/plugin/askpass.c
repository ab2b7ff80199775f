#include "repo-server/plugin/askpass.h"
#include "common/base/map.h"
#include "common/base/rand.h"
#include "common/base/thread.h"
#include "common/net/grpc.h"
#include "proto/cmp/askpass.pb-c.h"

enum { NONCE_MAX = 64 };

struct login {
    char *username, *password;
};

/* The lock guards the map and the making of the server. */
struct askpass {
    lock_t lock;
    map_t logins; /* struct login by nonce */
    char *socket;
    grpc_server_t *server;
};

static void wipe_text(char *s)
{
    wipe(s, strlen(s));
    free(s);
}

static void login_free(void *p)
{
    struct login *l = p;
    wipe_text(l->username);
    wipe_text(l->password);
    free(l);
}

/* ---- the service ---- */

static int on_message(const struct grpc_call_info *call, void **state, const char *p, size_t n, err_t **err)
{
    Askpass__CredentialsRequest *m = *state
                                         ? NULL
                                         : askpass__credentials_request__unpack(NULL, n, (const uint8_t *)p);
    if (!m || strlen(m->nonce) > NONCE_MAX) {
        if (m)
            askpass__credentials_request__free_unpacked(m, NULL);
        return err_set(err, ERR_INVALID_ARGUMENT, "the request is malformed");
    }
    *state = m;
    return 0;
}

static void state_free(void *state)
{
    if (state)
        askpass__credentials_request__free_unpacked(state, NULL);
}

static int run(const struct grpc_call_info *call, void *state, str_t *response, err_t **err)
{
    askpass_t *a = call->ctx;
    const Askpass__CredentialsRequest *q = state;
    if (!q || !*q->nonce)
        return err_set(err, ERR_INVALID_ARGUMENT, "missing nonce");
    LOCKED(&a->lock);
    const struct login *l = map_get(&a->logins, q->nonce);
    if (!l)
        return err_set(err, ERR_NOT_FOUND, "unknown nonce");
    Askpass__CredentialsResponse m = ASKPASS__CREDENTIALS_RESPONSE__INIT;
    m.username = l->username;
    m.password = l->password;
    size_t n = askpass__credentials_response__get_packed_size(&m);
    char *p = str_reserve(response, n + 1);
    if (!p)
        return err_set(err, ERR_INTERNAL, "the credential is too large");
    askpass__credentials_response__pack(&m, (uint8_t *)p);
    p[n] = '\0';
    response->len += n;
    return 0;
}

/* With the lock. */
static int serve(askpass_t *a, err_t **err)
{
    static const struct grpc_method methods[] = {
        {"/askpass.AskPassService/GetCredentials", on_message, run, state_free}};
    struct grpc_server_options options = {
        .socket_path = a->socket, .methods = methods, .nmethods = ARRAY_LEN(methods), .ctx = a};
    if (a->server)
        return 0;
    int r = grpc_server_start(&options, &a->server, err);
    return r < 0 ? err_wrap(err, "serve credentials to plugins") : 0;
}

/* ---- the credentials ---- */

askpass_t *askpass_new(const char *socket_path)
{
    askpass_t *a = xcalloc(1, sizeof(*a));
    pthread_mutex_init(&a->lock, NULL);
    a->logins.value_free = login_free;
    a->socket = xstrdup(socket_path);
    return a;
}

void askpass_free(askpass_t *a)
{
    if (!a)
        return;
    grpc_server_free(a->server);
    map_dispose(&a->logins);
    pthread_mutex_destroy(&a->lock);
    free(a->socket);
    free(a);
}

const char *askpass_socket(const askpass_t *a)
{
    return a->socket;
}

int askpass_add(askpass_t *a, const char *username, const char *password, char **nonce, err_t **err)
{
    LOCKED(&a->lock);
    int r = serve(a, err);
    if (r < 0)
        return r;
    char uuid[UUID_TEXT];
    random_uuid(uuid);
    struct login *l = xcalloc(1, sizeof(*l));
    l->username = xstrdup(str_or_empty(username));
    l->password = xstrdup(str_or_empty(password));
    map_put(&a->logins, uuid, l);
    *nonce = xstrdup(uuid);
    return 0;
}

void askpass_remove(askpass_t *a, char *nonce)
{
    if (!nonce)
        return;
    LOCKED(&a->lock);
    map_del(&a->logins, nonce);
    free(nonce);
}
