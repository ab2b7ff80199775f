/* What a plugin that asks for it (provideGitCreds) is told of the credential of the source's repository: Argo
 * CD's variables. User and password are not among them, only how to ask; headers of those who must not ask
 * are. Keys are files of ours and stay here: a plugin's sidecar does not see our disk. */
#include "common/base/enc.h"
#include "repo-server/git/origin.h"
#include "repo-server/plugin/askpass.h"
#include "repo-server/plugin/plugin.h"

static void put_header(plugin_env_t *env, const char *name, const char *scheme, const char *value)
{
    VEC_PUSH(env, xasprintf("%s=Authorization: %s %s", name, scheme, value));
}

static void put_basic(plugin_env_t *env, const struct token *login)
{
    AUTO(free_p) char *pair = xasprintf("%s:%s", login->username, login->secret);
    AUTO_STR encoded = STR_INIT;
    base64_encode(pair, strlen(pair), &encoded);
    put_header(env, "ARGOCD_GIT_AUTH_HEADER", "Basic", str_text(&encoded));
    wipe(pair, strlen(pair));
    wipe(encoded.p, encoded.len);
}

int plugin_creds_give(const struct render_input *in, plugin_env_t *env, char **nonce, err_t **err)
{
    struct token login = {};
    askpass_t *a = in->settings->plugins->askpass;
    if (!a || !in->origin)
        return 0;
    int r = origin_login(in->origin, in->git, &login, err);
    if (r < 0 || !login.secret)
        return r;
    if (in->trace)
        trace_fact(in->trace, FACT_CREDENTIAL, "", in->access_key);
    r = askpass_add(a, login.bearer ? "" : login.username, login.bearer ? "" : login.secret, nonce, err);
    if (r == 0) {
        if (in->origin->insecure)
            VEC_PUSH(env, xstrdup("GIT_SSL_NO_VERIFY=true"));
        if (login.bearer)
            put_header(env, "ARGOCD_GIT_BEARER_AUTH_HEADER", "Bearer", login.secret);
        else if (in->origin->force_basic)
            put_basic(env, &login);
        VEC_PUSH(env, xstrdup("GIT_ASKPASS=argocd"));
        VEC_PUSH(env, xasprintf("ARGOCD_GIT_ASKPASS_NONCE=%s", *nonce));
        VEC_PUSH(env, xstrdup("GIT_TERMINAL_PROMPT=0"));
        VEC_PUSH(env, xstrdup("ARGOCD_BINARY_NAME=argocd-git-ask-pass"));
        VEC_PUSH(env, xasprintf("ARGOCD_ASK_PASS_SOCK=%s", askpass_socket(a)));
    }
    token_dispose(&login);
    return r;
}
