#include "cmp-server/service.h"
#include "common/base/vec.h"

#include <protobuf-c/protobuf-c.h>

static void pack(const ProtobufCMessage *m, str_t *out)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    char *p = str_reserve(out, n + 1);
    if (p) {
        protobuf_c_message_pack(m, (uint8_t *)p);
        p[n] = '\0';
        out->len += n;
    }
}

/* ---- GenerateManifest ---- */

static int generate(const struct grpc_call_info *call, const struct source *src, str_t *response, err_t **err)
{
    const struct service *s = call->ctx;
    AUTO_STR out = STR_INIT;
    AUTO(strv_free_p) char **texts = NULL;
    int r = s->config->init ? command_run(call, src, s->config->init, &out, err) : 0;
    str_reset(&out);
    if (r == 0)
        r = command_run(call, src, s->config->generate, &out, err);
    if (r == 0)
        r = documents_read(str_text(&out), out.len, &texts, err);
    if (r < 0)
        return r;
    Plugin__ManifestResponse m = PLUGIN__MANIFEST_RESPONSE__INIT;
    m.manifests = texts;
    m.n_manifests = strv_len(texts);
    pack(&m.base, response);
    return 0;
}

static int run_generate(const struct grpc_call_info *call, void *state, str_t *response, err_t **err)
{
    struct source src = {};
    int r = receive_unpack(call->ctx, state, &src, err);
    if (r < 0)
        return err_wrap(err, "generate manifest");
    r = generate(call, &src, response, err);
    source_dispose(&src);
    return r < 0 ? err_wrap(err, "error generating manifests") : 0;
}

/* ---- MatchRepository ---- */

/* The first rule that is configured decides. */
static int match(const struct grpc_call_info *call, const struct source *src, bool *found, err_t **err)
{
    const struct plugin_config *c = ((const struct service *)call->ctx)->config;
    AUTO_STR out = STR_INIT;
    *found = false;
    if (*c->file_name)
        return discover_glob(src->app, c->file_name, false, found, err);
    if (*c->find_glob)
        return discover_glob(src->app, c->find_glob, true, found, err);
    if (!c->find_command)
        return 0;
    int r = command_run(call, src, c->find_command, &out, err);
    *found = out.len > 0;
    return r < 0 ? err_wrap(err, "error running find command") : 0;
}

static int run_match(const struct grpc_call_info *call, void *state, str_t *response, err_t **err)
{
    const struct service *s = call->ctx;
    struct source src = {};
    bool found = false;
    int r = receive_unpack(s, state, &src, err);
    if (r == 0)
        r = match(call, &src, &found, err);
    source_dispose(&src);
    if (r < 0)
        return err_wrap(err, "match repository error");
    Plugin__RepositoryResponse m = PLUGIN__REPOSITORY_RESPONSE__INIT;
    m.is_supported = found;
    m.is_discovery_enabled = plugin_config_discovers(s->config);
    pack(&m.base, response);
    return 0;
}

/* ---- GetParametersAnnouncement ---- */

typedef VEC(Plugin__ParameterAnnouncement *) announcements_t;

static char *text_of(const json_t *v)
{
    return xstrdup(str_or_empty(json_string_value(v)));
}

static void fill_lists(const json_t *v, Plugin__ParameterAnnouncement *a)
{
    const json_t *array = json_object_get(v, "array"), *map = json_object_get(v, "map"), *item;
    const char *key;
    a->array = xcalloc(json_array_size(array) + 1, sizeof(*a->array));
    for (size_t i = 0; i < json_array_size(array); i++)
        a->array[a->n_array++] = text_of(json_array_get(array, i));
    a->map = xcalloc(json_object_size(map) + 1, sizeof(*a->map));
    json_object_foreach((json_t *)map, key, item) {
        Plugin__ParameterAnnouncement__MapEntry *e = xmalloc(sizeof(*e));
        plugin__parameter_announcement__map_entry__init(e);
        e->key = xstrdup(key);
        e->value = text_of(item);
        a->map[a->n_map++] = e;
    }
}

static int add_announcements(const json_t *list, announcements_t *out, err_t **err)
{
    if (list && !json_is_null(list) && !json_is_array(list))
        return err_set(err, ERR_UNKNOWN, "the parameters are no list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        Plugin__ParameterAnnouncement *a = xmalloc(sizeof(*a));
        plugin__parameter_announcement__init(a);
        a->name = text_of(json_object_get(v, "name"));
        a->title = text_of(json_object_get(v, "title"));
        a->tooltip = text_of(json_object_get(v, "tooltip"));
        a->required = json_bool_at(v, "required");
        a->item_type = text_of(json_object_get(v, "itemType"));
        a->collection_type = text_of(json_object_get(v, "collectionType"));
        a->string = text_of(json_object_get(v, "string"));
        fill_lists(v, a);
        VEC_PUSH(out, a);
    }
    return 0;
}

/* What the command tells comes first. */
static int announce(const struct grpc_call_info *call, const struct source *src, announcements_t *out,
                    err_t **err)
{
    const struct plugin_config *c = ((const struct service *)call->ctx)->config;
    AUTO_STR text = STR_INIT;
    AUTO_JSON dynamic = NULL;
    int r = 0;
    if (c->dynamic_parameters) {
        r = command_run(call, src, c->dynamic_parameters, &text, err);
        if (r < 0)
            return err_wrap(err, "error executing dynamic parameter output command");
        r = json_read(str_text(&text), text.len, &dynamic, err);
        if (r == 0)
            r = add_announcements(dynamic, out, err);
        if (r < 0)
            return err_wrap(err, "error unmarshaling dynamic parameter output into "
                                 "ParametersAnnouncementResponse");
    }
    return add_announcements(c->static_parameters, out, err);
}

static int run_announce(const struct grpc_call_info *call, void *state, str_t *response, err_t **err)
{
    struct source src = {};
    announcements_t list = {};
    int r = receive_unpack(call->ctx, state, &src, err);
    if (r == 0)
        r = announce(call, &src, &list, err);
    source_dispose(&src);
    if (r == 0) {
        Plugin__ParametersAnnouncementResponse m = PLUGIN__PARAMETERS_ANNOUNCEMENT_RESPONSE__INIT;
        m.parameter_announcements = list.v;
        m.n_parameter_announcements = list.n;
        pack(&m.base, response);
    }
    VEC_FOREACH(&list, a)
        plugin__parameter_announcement__free_unpacked(*a, NULL);
    VEC_FREE(&list);
    return r < 0 ? err_wrap(err, "get parameters announcement error") : 0;
}

/* ---- CheckPluginConfiguration ---- */

static int run_check(const struct grpc_call_info *call, void *state, str_t *response, err_t **err)
{
    const struct plugin_config *c = ((const struct service *)call->ctx)->config;
    Plugin__CheckPluginConfigurationResponse m = PLUGIN__CHECK_PLUGIN_CONFIGURATION_RESPONSE__INIT;
    m.is_discovery_configured = plugin_config_discovers(c);
    m.provide_git_creds = c->git_credentials;
    pack(&m.base, response);
    return 0;
}

#define SERVICE "/plugin.ConfigManagementPluginService/"
const struct grpc_method service_methods[] = {
    {SERVICE "GenerateManifest", receive_message, run_generate, receive_free},
    {SERVICE "MatchRepository", receive_message, run_match, receive_free},
    {SERVICE "GetParametersAnnouncement", receive_message, run_announce, receive_free},
    {SERVICE "CheckPluginConfiguration", NULL, run_check, NULL},
};
const size_t service_method_count = ARRAY_LEN(service_methods);
