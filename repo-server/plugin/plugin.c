#include "repo-server/plugin/plugin.h"
#include "common/base/vec.h"
#include "proto/cmp/plugin.pb-c.h"
#include "repo-server/plugin/askpass.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <protobuf-c/protobuf-c.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICE "/plugin.ConfigManagementPluginService/"

enum { DEFAULT_CHUNK = 32 << 10, MAX_PLUGINS = 1000 };

static int cmp_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **plugin_names(const struct plugin_settings *s)
{
    VEC(char *) names = {};
    DIR *d = s && !str_empty(s->dir) ? opendir(s->dir) : NULL;
    for (struct dirent *e; d && names.n < MAX_PLUGINS && (e = readdir(d));) {
        struct stat st;
        size_t n = strlen(e->d_name), suffix = strlen(".sock");
        if (n <= suffix || !str_has_suffix(e->d_name, ".sock"))
            continue;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
            VEC_PUSH(&names, xstrndup(e->d_name, n - suffix));
    }
    if (d)
        closedir(d);
    VEC_SORT(&names, cmp_texts);
    VEC_PUSH(&names, NULL);
    return names.v;
}

/* ---- one plugin ---- */

/* A plugin that was chosen, and what is sent to it: the archive is made once, when the first asks for it. */
struct session {
    const struct render_input *in;
    const char *path; /* of the application */
    plugin_env_t env;
    struct plugin_archive archive;
    bool packed;
    grpc_client_t *client;
    bool wants_creds;
    char *nonce; /* of the credential that it was given */
};

static void session_dispose(struct session *s)
{
    grpc_client_close(s->client);
    if (s->packed)
        plugin_archive_dispose(&s->archive);
    plugin_env_free(&s->env);
    if (s->nonce)
        askpass_remove(s->in->settings->plugins->askpass, s->nonce);
}

static struct grpc_exchange exchange(const struct session *s, const char *method)
{
    return (struct grpc_exchange){method, s->in->deadline, s->in->canceled};
}

static int send_message(struct session *s, Plugin__AppStreamRequest *m, err_t **err)
{
    AUTO_STR bytes = STR_INIT;
    size_t n = plugin__app_stream_request__get_packed_size(m);
    char *p = str_reserve(&bytes, n + 1);
    if (!p)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the message to the plugin is too large");
    plugin__app_stream_request__pack(m, (uint8_t *)p);
    return grpc_send(s->client, p, n, err);
}

static int send_metadata(struct session *s, err_t **err)
{
    const char *slash = strrchr(s->path, '/');
    Plugin__ManifestRequestMetadata meta = PLUGIN__MANIFEST_REQUEST_METADATA__INIT;
    meta.app_name = (char *)(slash ? slash + 1 : *s->path ? s->path : str_or_empty(s->in->app_name));
    meta.app_rel_path = s->archive.app;
    meta.checksum = s->archive.checksum;
    meta.size = (int64_t)s->archive.size;
    Plugin__EnvEntry *entries = xcalloc(s->env.n + 1, sizeof(*entries));
    meta.env = xcalloc(s->env.n + 1, sizeof(*meta.env));
    for (size_t i = 0; i < s->env.n; i++) {
        size_t n = strcspn(s->env.v[i], "=");
        plugin__env_entry__init(&entries[i]);
        entries[i].name = xstrndup(s->env.v[i], n);
        entries[i].value = s->env.v[i] + n + 1;
        meta.env[meta.n_env++] = &entries[i];
    }
    Plugin__AppStreamRequest m = PLUGIN__APP_STREAM_REQUEST__INIT;
    m.request_case = PLUGIN__APP_STREAM_REQUEST__REQUEST_METADATA;
    m.metadata = &meta;
    int r = send_message(s, &m, err);
    for (size_t i = 0; i < meta.n_env; i++)
        free(entries[i].name);
    free(entries);
    free(meta.env);
    return r;
}

static int send_archive(struct session *s, err_t **err)
{
    size_t size = s->in->settings->plugins->chunk ? s->in->settings->plugins->chunk : DEFAULT_CHUNK;
    AUTO(free_p) uint8_t *buf = xmalloc(size);
    Plugin__File file = PLUGIN__FILE__INIT;
    Plugin__AppStreamRequest m = PLUGIN__APP_STREAM_REQUEST__INIT;
    m.request_case = PLUGIN__APP_STREAM_REQUEST__REQUEST_FILE;
    m.file = &file;
    for (off_t at = 0;;) {
        ssize_t n = pread(s->archive.fd, buf, size, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, errno, "read the archive");
        if (n == 0)
            return 0;
        file.chunk = (ProtobufCBinaryData){(size_t)n, buf};
        int r = send_message(s, &m, err);
        if (r < 0)
            return r;
        at += n;
    }
}

/* A call with the source; *out is the unpacked answer. */
static int call(struct session *s, const char *method, const ProtobufCMessageDescriptor *type,
                ProtobufCMessage **out, err_t **err)
{
    struct grpc_exchange x = exchange(s, method);
    AUTO_STR answer = STR_MAX(GRPC_MESSAGE_MAX);
    int r = s->packed ? 0 : plugin_archive_make(s->in, s->path, &s->archive, err);
    s->packed = s->packed || r == 0;
    if (r == 0)
        r = grpc_begin(s->client, &x, err);
    if (r == 0)
        r = send_metadata(s, err);
    if (r == 0)
        r = send_archive(s, err);
    if (r == 0)
        r = grpc_finish(s->client, &answer, err);
    if (r < 0)
        return r;
    *out = protobuf_c_message_unpack(type, NULL, answer.len, (const uint8_t *)str_text(&answer));
    return *out ? 0 : err_set(err, ERR_INTERNAL, "the plugin's answer is malformed");
}

static int check_configuration(struct session *s, bool *discovers, err_t **err)
{
    struct grpc_exchange x = exchange(s, SERVICE "CheckPluginConfiguration");
    AUTO_STR answer = STR_MAX(1 << 20);
    int r = grpc_unary(s->client, &x, "", 0, &answer, err);
    if (r < 0)
        return r;
    Plugin__CheckPluginConfigurationResponse *m = plugin__check_plugin_configuration_response__unpack(
        NULL, answer.len, (const uint8_t *)str_text(&answer));
    if (!m)
        return err_set(err, ERR_INTERNAL, "the plugin's answer is malformed");
    *discovers = m->is_discovery_configured;
    s->wants_creds = m->provide_git_creds;
    plugin__check_plugin_configuration_response__free_unpacked(m, NULL);
    return 0;
}

static int match(struct session *s, bool *supported, bool *discovers, err_t **err)
{
    ProtobufCMessage *m = NULL;
    int r = call(s, SERVICE "MatchRepository", &plugin__repository_response__descriptor, &m, err);
    if (r < 0)
        return r;
    const Plugin__RepositoryResponse *answer = (const Plugin__RepositoryResponse *)m;
    *supported = answer->is_supported;
    *discovers = answer->is_discovery_enabled;
    protobuf_c_message_free_unpacked(m, NULL);
    return 0;
}

/* Whether the plugin takes the application: one that is named and has no discovery takes everything, one that
 * is not named must have discovery. *asked: its answer depends on the application's files. */
static int supports(struct session *s, const char *name, bool named, bool *yes, bool *asked, err_t **err)
{
    AUTO(free_p) char *socket = xasprintf("%s/%s.sock", s->in->settings->plugins->dir, name);
    bool discovers = false, supported = false;
    *yes = false;
    grpc_client_close(TAKE(s->client));
    int r = grpc_client_open(socket, &s->client, err);
    if (r < 0)
        return err_wrap(err, "error dialing to cmp-server for plugin %s.sock", name);
    r = check_configuration(s, &discovers, err);
    if (r < 0)
        return err_wrap(err, "error checking plugin configuration %s.sock", name);
    if (!discovers) {
        *yes = named;
        return 0;
    }
    *asked = true;
    r = match(s, &supported, &discovers, err);
    if (r < 0)
        return err_wrap(err, "error checking repository support for plugin %s.sock", name);
    *yes = supported || (named && !discovers);
    return 0;
}

/* The plugin's version counts, and where a discovery rule was asked, what it could have looked at. */
static int note_discovery(const struct render_input *in, const char *path, char *const *names, bool asked,
                          err_t **err)
{
    AUTO(free_p) char *list = strv_join(names, ",");
    if (in->trace)
        trace_fact(in->trace, FACT_TOOL, "plugins", list);
    if (!asked)
        return 0;
    int r = render_note_remote(in, true, err);
    return r < 0 ? r : tree_whole(in->tree, path, err);
}

static int find_unnamed(struct session *s, bool *found, err_t **err)
{
    AUTO(strv_free_p) char **names = plugin_names(s->in->settings->plugins);
    AUTO_ERR last = NULL;
    bool asked = false;
    *found = false;
    for (size_t i = 0; names[i] && !*found; i++) {
        err_clear(&last);
        supports(s, names[i], false, found, &asked, &last);
    }
    int r = note_discovery(s->in, s->path, names, asked, err);
    if (r < 0 || *found)
        return r;
    return last ? err_move(err, TAKE(last)) : 0;
}

static int choose(struct session *s, const char *name, err_t **err)
{
    bool found = false, asked = false;
    AUTO_ERR why = NULL;
    if (str_empty(name)) {
        find_unnamed(s, &found, &why);
        return found ? 0
                     : err_set(err, ERR_FAILED_PRECONDITION,
                               "could not find plugin supporting the given repository%s%s", why ? ": " : "",
                               err_text(why));
    }
    if (!strchr(name, '/') && strcmp(name, "..") != 0)
        supports(s, name, true, &found, &asked, &why);
    return found ? 0
                 : err_set(err, ERR_FAILED_PRECONDITION,
                           "could not find cmp-server plugin with name \"%s\" supporting the given "
                           "repository%s%s",
                           name, why ? ": " : "", err_text(why));
}

int plugin_detect(const struct render_input *in, const char *path, bool *found, err_t **err)
{
    *found = false;
    if (!in->settings || !in->settings->plugins)
        return 0;
    AUTO(strv_free_p) char **names = plugin_names(in->settings->plugins);
    if (!names[0]) {
        if (in->trace)
            trace_fact(in->trace, FACT_TOOL, "plugins", "");
        return 0;
    }
    struct session s = {.in = in, .path = path};
    AUTO_ERR ignored = NULL; /* a plugin that fails is one that does not match, as in Argo CD */
    plugin_env_build(in, &s.env);
    int r = find_unnamed(&s, found, &ignored);
    session_dispose(&s);
    return r < 0 && (r == -ERR_DATA_LOSS || r == -ERR_CANCELED) ? err_move(err, TAKE(ignored)) : 0;
}

/* ---- rendering ---- */

static int open_session(struct session *s, const struct render_input *in, const struct render_plan *plan,
                        err_t **err)
{
    const json_t *plugin = json_object_get(plan->source, "plugin");
    *s = (struct session){.in = in, .path = plan->path};
    if (!in->settings->plugins)
        return err_set(err, ERR_UNIMPLEMENTED,
                       "config management plugin '%s': plugins are not served by this repository server",
                       str_or_empty(json_str_at(plugin, "name")));
    plugin_env_build(in, &s->env);
    int r = plugin_env_source(in, plugin, &s->env, err);
    return r < 0 ? r : choose(s, json_str_at(plugin, "name"), err);
}

static int take_manifests(const Plugin__ManifestResponse *m, rendered_objects_t *objects, err_t **err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < m->n_manifests; i++) {
        AUTO(free_p) char *name = xasprintf("manifest %zu of the plugin", i + 1);
        r = parse_stream(m->manifests[i], strlen(m->manifests[i]), name, objects, err);
    }
    return r < 0 ? err_wrap(err, "failed to convert CMP manifests to unstructured objects") : 0;
}

int plugin_render(const struct render_input *in, const struct render_plan *plan, rendered_objects_t *objects,
                  struct render_output *out, err_t **err)
{
    struct session s;
    ProtobufCMessage *m = NULL;
    int r = open_session(&s, in, plan, err);
    if (r == 0 && s.wants_creds && (r = plugin_creds_give(in, &s.env, &s.nonce, err)) < 0)
        err_wrap(err, "failed to retrieve git creds environment variables");
    if (r == 0 &&
        (r = call(&s, SERVICE "GenerateManifest", &plugin__manifest_response__descriptor, &m, err)) < 0)
        err_wrap(err, "error generating manifests in cmp");
    if (r == 0)
        r = take_manifests((const Plugin__ManifestResponse *)m, objects, err);
    if (m)
        protobuf_c_message_free_unpacked(m, NULL);
    session_dispose(&s);
    return r < 0 ? r : render_note_remote(in, false, err);
}

/* ---- announcements ---- */

static json_t *to_json(const Plugin__ParameterAnnouncement *a)
{
    json_t *v = json_object();
    json_put_str(v, "name", a->name);
    json_put_str(v, "title", a->title);
    json_put_str(v, "tooltip", a->tooltip);
    if (a->required)
        json_object_set_new(v, "required", json_true());
    json_put_str(v, "itemType", a->item_type);
    json_put_str(v, "collectionType", a->collection_type);
    json_put_str(v, "string", a->string);
    json_t *array = json_array(), *map = json_object();
    for (size_t i = 0; i < a->n_array; i++)
        json_array_append_new(array, json_str_new(a->array[i]));
    for (size_t i = 0; i < a->n_map; i++)
        json_set_str(map, a->map[i]->key, a->map[i]->value);
    if (a->n_array)
        json_object_set(v, "array", array);
    if (a->n_map)
        json_object_set(v, "map", map);
    json_decref(array);
    json_decref(map);
    return v;
}

int plugin_announcements(const struct render_input *in, const struct render_plan *plan, json_t **out,
                         err_t **err)
{
    struct session s;
    ProtobufCMessage *m = NULL;
    int r = open_session(&s, in, plan, err);
    if (r == 0)
        r = call(&s, SERVICE "GetParametersAnnouncement",
                 &plugin__parameters_announcement_response__descriptor, &m, err);
    session_dispose(&s);
    if (r < 0)
        return r;
    const Plugin__ParametersAnnouncementResponse *p = (const void *)m;
    *out = json_array();
    for (size_t i = 0; i < p->n_parameter_announcements; i++)
        json_array_append_new(*out, to_json(p->parameter_announcements[i]));
    protobuf_c_message_free_unpacked(m, NULL);
    return 0;
}
