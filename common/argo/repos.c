#include "common/argo/repos.h"
#include "common/argo/giturl.h"
#include "common/base/enc.h"
#include "common/base/map.h"
#include "common/kinds/kinds.h"

struct entry {
    json_t *texts;
    char *normalized;
    bool is_template;
};

struct repos {
    map_t entries; /* k: Secret's name, v: struct entry * */
};

static void entry_free(void *p)
{
    struct entry *e = p;
    json_decref(e->texts);
    free(e->normalized);
    free(e);
}

repos_t *repos_new(void)
{
    repos_t *r = xcalloc(1, sizeof(*r));
    r->entries.value_free = entry_free;
    return r;
}

void repos_free(repos_t *r)
{
    if (!r)
        return;
    map_dispose(&r->entries);
    free(r);
}

json_t *secret_texts(const json_t *secret)
{
    json_t *out = json_object(), *data = json_object_get(secret, "data"),
           *plain = json_object_get(secret, "stringData");
    for (void *it = json_object_iter(data); it; it = json_object_iter_next(data, it)) {
        AUTO_STR text = STR_INIT;
        const json_t *v = json_object_iter_value(it);
        if (base64_decode(str_or_empty(json_string_value(v)), json_string_length(v), &text) &&
            utf8_valid(str_text(&text), text.len) && strlen(str_text(&text)) == text.len)
            json_set_str(out, json_object_iter_key(it), str_text(&text));
        wipe(text.p, text.len);
    }
    for (void *it = json_object_iter(plain); it; it = json_object_iter_next(plain, it))
        json_set_str(out, json_object_iter_key(it), json_string_value(json_object_iter_value(it)));
    return out;
}

static bool booleans_parse(const json_t *texts, str_t *problem)
{
    static const char *const keys[] = {
        "insecure",           "insecureIgnoreHostKey",   "enableLfs", "enableOCI", "insecureOCIForceHttp",
        "forceHttpBasicAuth", "useAzureWorkloadIdentity"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *v = json_str_at(texts, keys[i]);
        bool b;
        if (!str_empty(v) && !str_to_bool(v, &b)) {
            str_printf(problem, "%s: '%s' is no boolean", keys[i], v);
            return false;
        }
    }
    return true;
}

bool repos_put(repos_t *r, const char *name, const json_t *secret, str_t *problem)
{
    struct entry *old = map_get(&r->entries, name);
    const char *type = object_label(secret, LABEL_SECRET_TYPE);
    bool is_template = str_eq(type, "repo-creds");
    if (!secret || (!is_template && !str_eq(type, "repository")))
        return map_del(&r->entries, name);
    AUTO_JSON texts = secret_texts(secret);
    if (!booleans_parse(texts, problem) || str_empty(json_str_at(texts, "url"))) {
        if (problem && !problem->len)
            str_puts(problem, "no url");
        map_del(&r->entries, name);
        return true;
    }
    if (old && old->is_template == is_template && json_same(old->texts, texts))
        return false;
    struct entry *e = xcalloc(1, sizeof(*e));
    e->is_template = is_template;
    e->normalized = giturl_normalize(json_str_at(texts, "url"));
    e->texts = TAKE(texts);
    map_put(&r->entries, name, e);
    return true;
}

static const struct entry *find_repository(const repos_t *r, const char *normalized, const char *project)
{
    MAP_FOREACH(&r->entries, m) {
        const struct entry *e = m->value;
        if (!e->is_template && str_same(json_str_at(e->texts, "project"), project) &&
            strcmp(e->normalized, normalized) == 0)
            return e;
    }
    return NULL;
}

static const struct entry *find_template(const repos_t *r, const char *normalized)
{
    const struct entry *best = NULL;
    MAP_FOREACH(&r->entries, m) {
        const struct entry *e = m->value;
        if (e->is_template && str_has_prefix(normalized, e->normalized) &&
            (!best || strlen(e->normalized) > strlen(best->normalized)))
            best = e;
    }
    return best;
}

static bool has_credential(const json_t *texts)
{
    static const char *const keys[] = {"username",
                                       "password",
                                       "bearerToken",
                                       "sshPrivateKey",
                                       "githubAppPrivateKey",
                                       "tlsClientCertData",
                                       "azureServicePrincipalClientId"};
    bool workload = false;
    str_to_bool(json_str_at(texts, "useAzureWorkloadIdentity"), &workload);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (!str_empty(json_str_at(texts, keys[i])))
            return true;
    return workload;
}

/* Fills the empty texts of a repository from a template; the switches are the template's. */
static void inherit(json_t *repo, const json_t *from)
{
    static const char *const switches[] = {"enableOCI", "insecureOCIForceHttp", "forceHttpBasicAuth",
                                           "useAzureWorkloadIdentity"};
    static const char *const renamed[][2] = {
        {"azureServicePrincipalClientID", "azureServicePrincipalClientId"},
        {"azureServicePrincipalTenantID", "azureServicePrincipalTenantId"}};
    json_t *it_of = (json_t *)(uintptr_t)from;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it), *to = key;
        for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
            if (strcmp(key, renamed[i][0]) == 0)
                to = renamed[i][1];
        bool is_switch = false;
        for (size_t i = 0; i < ARRAY_LEN(switches); i++)
            is_switch = is_switch || strcmp(key, switches[i]) == 0;
        if (strcmp(key, "url") != 0 && (is_switch || str_empty(json_str_at(repo, to))))
            json_set_str(repo, to, json_string_value(json_object_iter_value(it)));
    }
    json_set_str(repo, "inheritedCreds", "true");
}

json_t *repos_find(const repos_t *r, const char *url, const char *project)
{
    AUTO(free_p) char *normalized = giturl_normalize(url);
    const struct entry *e = str_empty(project) ? NULL : find_repository(r, normalized, project);
    if (!e)
        e = find_repository(r, normalized, "");
    json_t *repo = e ? json_copy_deep(e->texts) : json_object();
    json_set_str(repo, "url", url);
    if (!has_credential(repo)) {
        const struct entry *t = find_template(r, normalized);
        if (t)
            inherit(repo, t->texts);
    }
    return repo;
}

static bool usable(const json_t *texts, const char *project)
{
    const char *scope = json_str_at(texts, "project");
    return str_empty(scope) || str_same(scope, project);
}

json_t *repos_helm(const repos_t *r, const char *project, bool oci)
{
    json_t *out = json_array();
    MAP_FOREACH(&r->entries, m) {
        const struct entry *e = m->value;
        const char *type = json_str_at(e->texts, "type");
        bool wanted = str_eq(type, "helm") || (oci && str_eq(type, "oci"));
        if (!e->is_template && wanted && usable(e->texts, project))
            json_array_append_new(out, repos_find(r, json_str_at(e->texts, "url"), project));
    }
    return out;
}

json_t *repos_helm_creds(const repos_t *r)
{
    json_t *out = json_array();
    MAP_FOREACH(&r->entries, m) {
        const struct entry *e = m->value;
        if (e->is_template && str_eq(json_str_at(e->texts, "type"), "helm"))
            json_array_append_new(out, json_copy_deep(e->texts));
    }
    return out;
}

json_t *repos_scoped_urls(const repos_t *r, const char *project)
{
    json_t *out = json_array();
    MAP_FOREACH(&r->entries, m) {
        const struct entry *e = m->value;
        if (!e->is_template && str_eq(json_str_at(e->texts, "project"), project))
            json_array_append_new(out, json_str_new(json_str_at(e->texts, "url")));
    }
    return out;
}
