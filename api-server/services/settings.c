/* cluster.SettingsService (Argo CD declares it in that package). Nothing secret is ever in its answer: of the
 * SSO configurations only what a login page and a client need, field by field. */
#include "api-server/services/server.h"

#include "common/yaml/yaml.h"

static void put_bool(json_t *o, const char *key, bool v)
{
    if (v)
        json_object_set_new(o, key, json_true());
}

static void put_text(json_t *o, const char *key, const config_t *c, const char *setting)
{
    json_put_str(o, key, config_get(c, setting));
}

static json_t *read_yaml(const config_t *c, const char *setting)
{
    const char *text = config_get(c, setting);
    json_t *doc = NULL;
    if (!str_empty(text) && yaml_read(text, strlen(text), NULL, &doc, NULL) < 0)
        return NULL;
    return doc;
}

static void put_help(json_t *o, const config_t *c)
{
    static const char prefix[] = "help.download.";
    AUTO_JSON help = json_object();
    AUTO_JSON urls = json_object();
    const char *key;
    json_t *v;
    const char *chat = config_get(c, "help.chatUrl");
    if (chat) {
        json_put_str(help, "chatUrl", chat);
        json_put_str(help, "chatText", config_text(c, "help.chatText", "Chat now!"));
    }
    json_object_foreach((json_t *)config_all(c), key, v)
        if (str_has_prefix(key, prefix))
            json_object_set(urls, key + sizeof prefix - 1, v);
    if (json_object_size(urls))
        json_object_set(help, "binaryUrls", urls);
    json_object_set(o, "help", help);
}

static void put_dex(json_t *o, const config_t *c)
{
    static const char *const shown[] = {"name", "type", "id"};
    AUTO_JSON dex = read_yaml(c, "dex.config");
    size_t i;
    json_t *connector;
    if (!json_is_map(dex))
        return;
    json_t *config = json_object(), *connectors = json_array();
    json_array_foreach(json_object_get(dex, "connectors"), i, connector) {
        json_t *k = json_object();
        for (size_t f = 0; f < ARRAY_LEN(shown); f++)
            json_put_str(k, shown[f], json_str_at(connector, shown[f]));
        json_array_append_new(connectors, k);
    }
    if (json_array_size(connectors))
        json_object_set(config, "connectors", connectors);
    json_decref(connectors);
    put_text(config, "dexAuthConnectorID", c, "dex.auth.connectorId");
    json_object_set_new(o, "dexConfig", config);
}

static void put_oidc(json_t *o, const config_t *c)
{
    static const char *const shown[] = {"name", "issuer", "clientID", "cliClientID"};
    AUTO_JSON oidc = read_yaml(c, "oidc.config");
    if (!json_is_map(oidc))
        return;
    json_t *config = json_object();
    for (size_t f = 0; f < ARRAY_LEN(shown); f++) {
        AUTO(free_p) char *v = config_resolve(c, json_str_at(oidc, shown[f]));
        json_put_str(config, shown[f], v);
    }
    json_t *scopes = json_object_get(oidc, "requestedScopes"),
           *claims = json_object_get(oidc, "requestedIDTokenClaims");
    if (json_is_array(scopes))
        json_object_set(config, "scopes", scopes);
    if (json_is_map(claims))
        json_object_set(config, "idTokenClaims", claims);
    put_bool(config, "enablePKCEAuthentication", json_bool_at(oidc, "enablePKCEAuthentication"));
    json_object_set_new(o, "oidcConfig", config);
}

/* kustomize.path.<version>, kustomize.version.<version> */
static void put_kustomize(json_t *o, const config_t *c)
{
    AUTO_JSON versions = json_array();
    const char *options = config_get(c, "kustomize.buildOptions");
    AUTO(free_p) const char **keys = json_sorted_keys(config_all(c));
    for (const char **k = keys; *k; k++) {
        const char *name = str_after(*k, "kustomize.path.");
        if (!name)
            name = str_after(*k, "kustomize.version.");
        if (name)
            json_array_append_new(versions, json_str_new(name));
    }
    if (!str_empty(options)) {
        json_t *k = json_object();
        json_set_str(k, "BuildOptions", options);
        json_set_str(k, "BinaryPath", "");
        json_object_set_new(k, "Versions", json_null());
        json_object_set_new(o, "kustomizeOptions", k);
    }
    if (json_array_size(versions))
        json_object_set(o, "kustomizeVersions", versions);
}

static void put_analytics(json_t *o, const config_t *c)
{
    json_t *ga = json_object();
    put_text(ga, "trackingID", c, "ga.trackingid");
    put_bool(ga, "anonymizeUsers", !str_same(config_get(c, "ga.anonymizeusers"), "false"));
    json_object_set_new(o, "googleAnalytics", ga);
}

static bool logins_disabled(const config_t *c)
{
    size_t n;
    const struct account *a = config_accounts(c, &n);
    for (size_t i = 0; i < n; i++)
        if (a[i].enabled && a[i].login)
            return false;
    return true;
}

static void put_public(json_t *o, const server_t *s, const config_t *c)
{
    AUTO(strv_free_p) char **urls = config_list(c, "additionalUrls");
    put_text(o, "url", c, "url");
    put_dex(o, c);
    put_oidc(o, c);
    json_put_str(o, "appLabelKey",
                 config_text(c, "application.instanceLabelKey", "app.kubernetes.io/instance"));
    put_bool(o, "statusBadgeEnabled", config_bool(c, "statusbadge.enabled", false));
    put_analytics(o, c);
    put_kustomize(o, c);
    put_help(o, c);
    put_bool(o, "userLoginsDisabled", logins_disabled(c));
    put_text(o, "uiCssURL", c, "ui.cssurl");
    json_put_str(o, "trackingMethod", config_text(c, "application.resourceTrackingMethod", "annotation"));
    put_text(o, "statusBadgeRootUrl", c, "statusbadge.url");
    put_bool(o, "execEnabled", config_bool(c, "exec.enabled", false));
    put_bool(o, "appsInAnyNamespaceEnabled", s->flags->app_namespaces && *s->flags->app_namespaces);
    put_bool(o, "impersonationEnabled", config_bool(c, "application.sync.impersonation.enabled", false));
    put_text(o, "installationID", c, "installationID");
    if (*urls) {
        json_t *list = json_array();
        for (char **u = urls; *u; u++)
            json_array_append_new(list, json_str_new(*u));
        json_object_set_new(o, "additionalUrls", list);
    }
    put_bool(o, "syncWithReplaceAllowed", s->flags->sync_replace_allowed);
    put_text(o, "uiLoginButtonText", c, "ui.loginButtonText");
    put_bool(o, "resourceViewEnabled", !config_bool(c, "ui.view.resources.disabled", false));
}

/* ---- overrides ---- */

static json_t *override_at(json_t *all, const char *key)
{
    json_t *o = json_object_get(all, key);
    if (!json_is_map(o))
        json_object_set_new(all, key, o = json_object());
    return o;
}

/* resource.customizations.<what>.<group_Kind>: the key is "group/Kind", "Kind" or "*" slash "*". */
static void put_split_override(json_t *all, const char *rest, const char *value)
{
    static const struct {
        const char *what, *field;
    } parts[] = {{"health.", "health.lua"},
                 {"useOpenLibs.", "health.lua.useOpenLibs"},
                 {"actions.", "actions"},
                 {"ignoreDifferences.", "ignoreDifferences"},
                 {"ignoreResourceUpdates.", "ignoreResourceUpdates"},
                 {"knownTypeFields.", "knownTypeFields"}};
    bool on;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *name = str_after(rest, parts[i].what);
        if (!name)
            continue;
        AUTO(free_p) char *key = !strcmp(name, "all") ? xstrdup("*/*") : xstrdup(name);
        char *underscore = strchr(key, '_');
        if (underscore)
            *underscore = '/';
        json_t *o = override_at(all, key);
        if (i == 1)
            json_object_set_new(o, parts[i].field, json_boolean(str_to_bool(value, &on) && on));
        else if (i == 5) {
            json_t *list = NULL;
            if (yaml_read(value, strlen(value), NULL, &list, NULL) == 0)
                json_object_set_new(o, parts[i].field, list);
        } else
            json_set_str(o, parts[i].field, value);
    }
}

static void put_overrides(json_t *o, const config_t *c)
{
    AUTO_JSON all = read_yaml(c, "resource.customizations");
    if (!json_is_map(all)) {
        json_decref(all);
        all = json_object();
    }
    AUTO(free_p) const char **keys = json_sorted_keys(config_all(c));
    for (const char **k = keys; *k; k++) {
        const char *rest = str_after(*k, "resource.customizations.");
        if (rest)
            put_split_override(all, rest, str_or_empty(config_get(c, *k)));
    }
    if (json_object_size(all))
        json_object_set(o, "resourceOverrides", all);
}

static void put_for_users(json_t *o, const server_t *s, const config_t *c)
{
    put_text(o, "uiBannerContent", c, "ui.bannercontent");
    put_text(o, "uiBannerURL", c, "ui.bannerurl");
    put_bool(o, "uiBannerPermanent", config_bool(c, "ui.bannerpermanent", false));
    put_text(o, "uiBannerPosition", c, "ui.bannerposition");
    json_put_str(o, "controllerNamespace", s->flags->ns);
    put_overrides(o, c);
}

static int get(call_t *c, json_t **out, err_t **err)
{
    AUTO(config_unref_p) config_t *config = config_box_get(c->s->config);
    json_t *o = *out = json_object();
    put_public(o, c->s, config);
    if (c->id->authenticated || c->id->all_powers)
        put_for_users(o, c->s, config);
    if (c->id->authenticated)
        json_put_str(o, "passwordPattern", config_text(config, "passwordPattern", "^.{8,32}$"));
    return 0;
}

const struct handler settings_handlers[] = {
    {"cluster.SettingsService", "Get", get},
    {NULL, NULL, NULL},
};
