#include "api-server/auth/config.h"

#include "common/base/enc.h"
#include "common/base/hash.h"
#include "common/base/thread.h"
#include "common/yaml/yaml.h"

struct config {
    _Atomic unsigned refs;
    json_t *cm;      /* data of argocd-cm */
    json_t *secret;  /* key -> decoded text (may hold NUL) */
    json_t *secrets; /* Secret name -> the same */
    VEC(struct account) accounts;
    rbac_t *rbac;
    uint64_t policy_hash;
    char **scopes;
    int64_t session_ns;
    bool anonymous;
};

/* ---- data of objects ---- */

static json_t *decode_secret(const json_t *secret)
{
    json_t *out = json_object();
    const char *key;
    json_t *v;
    json_object_foreach(json_at(secret, "data"), key, v) {
        AUTO_STR plain = STR_INIT;
        if (json_is_string(v) && base64_decode(json_string_value(v), json_string_length(v), &plain))
            json_object_set_new(out, key, json_stringn_nocheck(str_text(&plain), plain.len));
    }
    json_object_foreach(json_at(secret, "stringData"), key, v)
        if (json_is_string(v))
            json_object_set(out, key, v);
    return out;
}

static void load_data(config_t *s, const struct config_source *source)
{
    const char *name;
    json_t *v;
    s->cm = json_incref(json_at(source->cm, "data"));
    if (!json_is_map(s->cm)) {
        json_decref(s->cm);
        s->cm = json_object();
    }
    s->secret = decode_secret(source->secret);
    s->secrets = json_object();
    json_object_foreach((json_t *)source->secrets, name, v)
        json_object_set_new(s->secrets, name, decode_secret(v));
}

const char *config_get(const config_t *s, const char *key)
{
    return json_str_at(s->cm, key);
}

const char *config_text(const config_t *s, const char *key, const char *fallback)
{
    const char *v = config_get(s, key);
    return str_empty(v) ? fallback : v;
}

bool config_bool(const config_t *s, const char *key, bool fallback)
{
    bool b;
    const char *v = config_get(s, key);
    return v && str_to_bool(v, &b) ? b : fallback;
}

const json_t *config_all(const config_t *s)
{
    return s->cm;
}

const char *config_secret(const config_t *s, const char *key, size_t *n)
{
    const json_t *v = json_object_get(s->secret, key);
    if (n)
        *n = json_string_length(v);
    return json_string_value(v);
}

char *config_resolve(const config_t *s, const char *value)
{
    if (!value || value[0] != '$')
        return xstrdup(value);
    const char *colon = strchr(value, ':'), *found;
    if (colon) {
        AUTO(free_p) char *name = xstrndup(value + 1, (size_t)(colon - value - 1));
        found = json_str_at(s->secrets, name, colon + 1);
    } else
        found = config_secret(s, value + 1, NULL);
    return xstrdup(found ? found : value);
}

char **config_list(const config_t *s, const char *key)
{
    VEC(char *) list = {};
    AUTO_JSON doc = NULL;
    const char *text = config_get(s, key);
    size_t i;
    json_t *v;
    if (text && yaml_read(text, strlen(text), NULL, &doc, NULL) == 0)
        json_array_foreach(doc, i, v)
            if (json_is_string(v))
                VEC_PUSH(&list, xstrdup(json_string_value(v)));
    VEC_PUSH(&list, NULL);
    return list.v;
}

/* ---- accounts ---- */

static struct account *account_at(config_t *s, const char *name, size_t n)
{
    VEC_FOREACH(&s->accounts, it)
        if (strlen(it->name) == n && !memcmp(it->name, name, n))
            return it;
    struct account *a = VEC_ADD(&s->accounts);
    *a = (struct account){.name = xstrndup(name, n), .enabled = true};
    return a;
}

static void add_capabilities(struct account *a, const char *list, str_t *warnings)
{
    AUTO(strv_free_p) char **names = strv_split(list, ",", true);
    for (char **n = names; *n; n++) {
        if (!strcmp(*n, "login"))
            a->login = true;
        else if (!strcmp(*n, "apiKey"))
            a->api_key = true;
        else
            str_printf(warnings, "not supported account capability '%s' in argocd-cm\n", *n);
    }
}

/* accounts.<name>: login, apiKey; accounts.<name>.enabled: "false". */
static void load_account_key(config_t *s, const char *key, const char *value, str_t *warnings)
{
    static const char enabled[] = ".enabled";
    const char *name = str_after(key, "accounts.");
    if (!name || !*name)
        return;
    size_t n = strlen(name);
    if (str_has_suffix(name, enabled) && n > sizeof enabled - 1) {
        bool on;
        if (str_to_bool(value, &on))
            account_at(s, name, n - (sizeof enabled - 1))->enabled = on;
        else
            str_printf(warnings, "argocd-cm: %s is neither true nor false\n", key);
    } else if (!strchr(name, '.'))
        add_capabilities(account_at(s, name, n), value, warnings);
}

static void load_tokens(struct account *a, const char *text)
{
    AUTO_JSON list = NULL;
    size_t i;
    json_t *t;
    if (!text || json_read_str(text, &list, NULL) < 0)
        return;
    json_array_foreach(list, i, t)
        VEC_PUSH(&a->tokens, (struct account_token){xstrdup(str_or_empty(json_str_at(t, "id"))),
                                                    json_int_at(t, "iat"), json_int_at(t, "exp")});
}

static void load_secrets_of(const config_t *s, struct account *a)
{
    wall_t mtime;
    bool admin = !strcmp(a->name, "admin");
    AUTO(free_p) char *prefix = admin ? xstrdup("admin") : xasprintf("accounts.%s", a->name);
    AUTO(free_p)
    char *password = xasprintf("%s.password", prefix), *changed = xasprintf("%s.passwordMtime", prefix),
         *tokens = xasprintf("%s.tokens", prefix);
    a->password_hash = xstrdup(str_or_empty(config_secret(s, password, NULL)));
    if (rfc3339_parse(str_or_empty(config_secret(s, changed, NULL)), &mtime))
        a->password_mtime = mtime.ns / NS_PER_SEC;
    load_tokens(a, config_secret(s, tokens, NULL));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct account *)a)->name, ((const struct account *)b)->name);
}

static void load_accounts(config_t *s, str_t *warnings)
{
    const char *key;
    json_t *v;
    struct account *admin = account_at(s, "admin", 5);
    admin->login = true;
    admin->enabled = config_bool(s, "admin.enabled", true);
    json_object_foreach(s->cm, key, v)
        load_account_key(s, key, str_or_empty(json_string_value(v)), warnings);
    VEC_FOREACH(&s->accounts, it)
        load_secrets_of(s, it);
    VEC_SORT(&s->accounts, by_name);
}

const struct account *config_account(const config_t *s, const char *name)
{
    VEC_FOREACH(&s->accounts, it)
        if (!strcmp(it->name, name))
            return it;
    return NULL;
}

const struct account *config_accounts(const config_t *s, size_t *n)
{
    *n = s->accounts.n;
    return s->accounts.v;
}

/* ---- policy ---- */

/* policy.csv, then every policy.<x>.csv by key. */
static char *join_policy(const json_t *data)
{
    AUTO_STR csv = STR_INIT;
    str_puts(&csv, str_or_empty(json_str_at(data, "policy.csv")));
    AUTO(free_p) const char **keys = json_sorted_keys(data);
    for (const char **k = keys; *k; k++)
        if (str_has_prefix(*k, "policy.") && str_has_suffix(*k, ".csv") && strlen(*k) > strlen("policy..csv"))
            str_printf(&csv, "\n%s", str_or_empty(json_str_at(data, *k)));
    return str_take(&csv);
}

static void load_scopes(config_t *s, const json_t *data)
{
    AUTO_JSON list = NULL;
    VEC(char *) names = {};
    const char *text = json_str_at(data, "scopes");
    size_t i;
    json_t *v;
    if (text && yaml_read(text, strlen(text), NULL, &list, NULL) == 0)
        json_array_foreach(list, i, v)
            if (json_is_string(v))
                VEC_PUSH(&names, xstrdup(json_string_value(v)));
    if (!names.n)
        VEC_PUSH(&names, xstrdup("groups"));
    VEC_PUSH(&names, NULL);
    s->scopes = names.v;
}

static void load_policy(config_t *s, const json_t *rbac_cm, const config_t *previous, str_t *warnings)
{
    AUTO_JSON none = json_object();
    const json_t *data = json_at(rbac_cm, "data");
    AUTO_ERR err = NULL;
    if (!json_is_map(data))
        data = none;
    AUTO(free_p) char *csv = join_policy(data);
    struct rbac_config config = {.policy = csv,
                                 .default_role = json_str_at(data, "policy.default"),
                                 .regex = str_same(json_str_at(data, "policy.matchMode"), "regex")};
    load_scopes(s, data);
    if (rbac_new(&config, &s->rbac, &err) == 0) {
        s->policy_hash = json_hash(data, 1);
        return;
    }
    str_printf(warnings, "argocd-rbac-cm: %s; the policy before it holds\n", err_text(err));
    if (previous) {
        s->rbac = rbac_ref(previous->rbac);
        s->policy_hash = previous->policy_hash;
        return;
    }
    config.policy = NULL;
    if (rbac_new(&config, &s->rbac, NULL) < 0)
        oom();
}

rbac_t *config_rbac(const config_t *s)
{
    return s->rbac;
}

char *const *config_group_scopes(const config_t *s)
{
    return s->scopes;
}

uint64_t config_policy_hash(const config_t *s)
{
    return s->policy_hash;
}

/* ---- all of it ---- */

config_t *config_new(const struct config_source *source, const config_t *previous, str_t *warnings)
{
    config_t *s = xcalloc(1, sizeof *s);
    AUTO_STR dropped = STR_INIT;
    s->refs = 1;
    if (!warnings)
        warnings = &dropped;
    load_data(s, source);
    load_accounts(s, warnings);
    load_policy(s, source->rbac_cm, previous, warnings);
    s->session_ns = SECONDS(24 * 3600);
    const char *duration = config_get(s, "users.session.duration");
    if (!str_empty(duration) && (!duration_parse(duration, true, &s->session_ns) || s->session_ns < 0)) {
        s->session_ns = previous ? previous->session_ns : SECONDS(24 * 3600);
        str_printf(warnings, "argocd-cm: users.session.duration \"%s\" is no duration\n", duration);
    }
    s->anonymous = config_bool(s, "users.anonymous.enabled", false);
    return s;
}

config_t *config_ref(config_t *s)
{
    s->refs++;
    return s;
}

static void account_dispose(struct account *a)
{
    free(a->name);
    free(a->password_hash);
    VEC_FOREACH(&a->tokens, it)
        free(it->id);
    VEC_FREE(&a->tokens);
}

void config_unref(config_t *s)
{
    if (!s || --s->refs)
        return;
    json_decref(s->cm);
    json_decref(s->secret);
    json_decref(s->secrets);
    VEC_FOREACH(&s->accounts, it)
        account_dispose(it);
    VEC_FREE(&s->accounts);
    rbac_unref(s->rbac);
    strv_free(s->scopes);
    free(s);
}

const char *config_signing_key(const config_t *s)
{
    const char *key = config_secret(s, "server.secretkey", NULL);
    return str_empty(key) ? NULL : key;
}

int64_t config_session_ns(const config_t *s)
{
    return s->session_ns;
}

bool config_anonymous(const config_t *s)
{
    return s->anonymous;
}

/* ---- the current one ---- */

struct config_box {
    lock_t lock;
    config_t *current;
};

config_box_t *config_box_new(void)
{
    config_box_t *b = xcalloc(1, sizeof *b);
    pthread_mutex_init(&b->lock, NULL);
    b->current = config_new(&(struct config_source){}, NULL, NULL);
    return b;
}

void config_box_free(config_box_t *b)
{
    if (!b)
        return;
    config_unref(b->current);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void config_box_put(config_box_t *b, config_t *s)
{
    config_t *old;
    {
        LOCKED(&b->lock);
        old = b->current;
        b->current = s;
    }
    config_unref(old);
}

config_t *config_box_get(config_box_t *b)
{
    LOCKED(&b->lock);
    return config_ref(b->current);
}
