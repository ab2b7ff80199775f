/* git's helper for credentials (GIT_ASKPASS, gitcredentials(7)): this program again, under Argo CD's name in
 * ARGOCD_BINARY_NAME. It asks the repository server with the nonce that the plugin was given. */
#include "cmp-server/service.h"
#include "proto/cmp/askpass.pb-c.h"

#include <stdio.h>

#define DEFAULT_SOCKET "/tmp/reposerver-ask-pass.sock"

enum { TIMEOUT_S = 30, ANSWER_MAX = 1 << 20 };

bool askpass_is_wanted(void)
{
    const char *name = getenv(ASKPASS_NAME_ENV);
    return name && strcmp(name, ASKPASS_NAME) == 0;
}

static int ask(Askpass__CredentialsResponse **out, err_t **err)
{
    const char *nonce = getenv("ARGOCD_GIT_ASKPASS_NONCE"), *path = getenv("ARGOCD_ASK_PASS_SOCK");
    AUTO(grpc_client_close_p) grpc_client_t *client = NULL;
    if (str_empty(nonce))
        return err_set(err, ERR_INVALID_ARGUMENT, "ARGOCD_GIT_ASKPASS_NONCE is not set");
    Askpass__CredentialsRequest q = ASKPASS__CREDENTIALS_REQUEST__INIT;
    q.nonce = (char *)nonce;
    AUTO_STR request = STR_INIT;
    AUTO_STR answer = STR_MAX(ANSWER_MAX);
    size_t n = askpass__credentials_request__get_packed_size(&q);
    askpass__credentials_request__pack(&q, (uint8_t *)str_reserve(&request, n + 1));
    struct grpc_exchange x = {"/askpass.AskPassService/GetCredentials",
                              mono_after(mono_now(), SECONDS(TIMEOUT_S)), NULL};
    int r = grpc_client_open(str_empty(path) ? DEFAULT_SOCKET : path, &client, err);
    if (r == 0)
        r = grpc_unary(client, &x, request.p, n, &answer, err);
    if (r < 0)
        return r;
    *out = askpass__credentials_response__unpack(NULL, answer.len, (const uint8_t *)str_text(&answer));
    return *out ? 0 : err_set(err, ERR_INTERNAL, "the repository server's answer is malformed");
}

int askpass_main(int argc, char **argv)
{
    AUTO_ERR err = NULL;
    Askpass__CredentialsResponse *login = NULL;
    const char *prompt = argc == 2 ? argv[1] : "";
    bool user = str_has_prefix(prompt, "Username"), password = str_has_prefix(prompt, "Password");
    int r = user || password ? ask(&login, &err)
                             : err_set(&err, ERR_INVALID_ARGUMENT, "unknown credential type '%s'", prompt);
    if (r < 0) {
        fprintf(stderr, "%s\n", err_text(err));
        return 1;
    }
    puts(user ? login->username : login->password);
    wipe(login->password, strlen(login->password));
    askpass__credentials_response__free_unpacked(login, NULL);
    return 0;
}
