/* ListPlugins. */
#include "repo-server/repo.h"

static void listed(struct request *q)
{
    AUTO(strv_free_p) char **names = plugin_names(q->repo->render_settings.plugins);
    Cargocd__Repo__ListPluginsResponse out = CARGOCD__REPO__LIST_PLUGINS_RESPONSE__INIT;
    out.names = names;
    out.n_names = strv_len(names);
    request_reply(q, &out.base);
}

void serve_list_plugins(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    request_go(request_new(ctx, call, in, "ListPlugins", listed));
}
