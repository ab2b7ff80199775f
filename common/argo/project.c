#include "common/argo/project.h"
#include "common/argo/giturl.h"
#include "common/argo/selector.h"
#include "common/base/glob.h"

static bool source_matches(const char *pattern, const char *normalized_url)
{
    AUTO(free_p) char *p = giturl_normalize(pattern);
    return glob_match(p, normalized_url, "/");
}

bool project_permits_source(const json_t *project, const char *repo_url)
{
    json_t *repos = json_at(project, "spec", "sourceRepos");
    AUTO(free_p) char *url = giturl_normalize(repo_url);
    bool allowed = false;
    for (size_t i = 0; i < json_array_size(repos); i++) {
        const char *entry = str_or_empty(json_string_value(json_array_get(repos, i)));
        if (*entry == '!') {
            if (source_matches(entry + 1, url))
                return false;
            allowed = true; /* whatever is not denied is allowed by it, as with Argo CD */
        } else {
            allowed = allowed || strcmp(entry, "*") == 0 || source_matches(entry, url);
        }
    }
    return allowed;
}

/* A pattern of a destination, which "!" negates. An empty one matches only the empty text. */
static bool match(const char *pattern, const char *text)
{
    if (!*pattern)
        return str_empty(text);
    if (*pattern == '!')
        return !glob_match(pattern + 1, str_or_empty(text), NULL);
    return glob_match(pattern, str_or_empty(text), NULL);
}

bool project_permits_destination(const json_t *project, const struct destination *d)
{
    json_t *list = json_at(project, "spec", "destinations");
    bool allowed = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *server = str_or_empty(json_str_at(item, "server")),
                   *name = str_or_empty(json_str_at(item, "name"));
        const char *ns = str_or_empty(json_str_at(item, "namespace"));
        bool by_name = !str_empty(d->name) && match(name, d->name), by_server = match(server, d->server);
        bool by_ns = match(ns, d->ns);
        if ((by_server || by_name) && by_ns) {
            allowed = true;
            continue;
        }
        bool denied = (*name == '!' && !by_name) || (*server == '!' && !by_server && by_ns) ||
                      (*ns == '!' && !by_ns && by_server);
        if (denied)
            return false;
    }
    if (allowed && json_bool_at(project, "spec", "permitOnlyProjectScopedClusters"))
        return str_same(d->cluster_project, json_str_at(project, "metadata", "name"));
    return allowed;
}

static bool in_list(const json_t *list, const char *group, const char *kind, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *by_name = str_or_empty(json_str_at(item, "name"));
        if (shell_match(str_or_empty(json_str_at(item, "group")), str_or_empty(group)) &&
            shell_match(str_or_empty(json_str_at(item, "kind")), str_or_empty(kind)) &&
            (!*by_name || shell_match(by_name, str_or_empty(name))))
            return true;
    }
    return false;
}

bool project_permits_kind(const json_t *project, const char *group, const char *kind, const char *name,
                          bool namespaced)
{
    const json_t *spec = json_object_get(project, "spec");
    const json_t *allow = json_object_get(spec, namespaced ? "namespaceResourceWhitelist"
                                                           : "clusterResourceWhitelist");
    const json_t *deny = json_object_get(spec, namespaced ? "namespaceResourceBlacklist"
                                                          : "clusterResourceBlacklist");
    /* For namespaced kinds an absent list allows all, and an empty one nothing. */
    bool listed = namespaced && !json_is_array(allow) ? true
                                                      : in_list(allow, group, kind, namespaced ? NULL : name);
    return listed && !in_list(deny, group, kind, namespaced ? NULL : name);
}

bool project_permits_object(const json_t *project, const char *group, const char *kind, const char *name,
                            const char *ns, const struct destination *d)
{
    if (!project_permits_kind(project, group, kind, name, !str_empty(ns)))
        return false;
    if (str_empty(ns))
        return true;
    struct destination there = *d;
    there.ns = ns;
    return project_permits_destination(project, &there);
}

bool project_permits_app_namespace(const json_t *project, const char *app_ns, const char *control_ns)
{
    if (str_empty(app_ns) || str_eq(app_ns, control_ns))
        return true;
    json_t *list = json_at(project, "spec", "sourceNamespaces");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (glob_or_regex_match(str_or_empty(json_string_value(json_array_get(list, i))), app_ns))
            return true;
    return false;
}

bool project_monitors_orphans(const json_t *project)
{
    return json_is_map(json_at(project, "spec", "orphanedResources"));
}

bool project_warns_of_orphans(const json_t *project)
{
    return json_bool_at(project, "spec", "orphanedResources", "warn");
}

/* An empty pattern of these means any, but for the group. */
static bool match_or_any(const char *pattern, const char *text)
{
    return str_empty(pattern) || glob_match(pattern, text, NULL);
}

bool project_ignores_orphan(const json_t *project, const char *group, const char *kind, const char *name)
{
    json_t *list = json_at(project, "spec", "orphanedResources", "ignore");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (match(str_or_empty(json_str_at(item, "group")), group) &&
            match_or_any(json_str_at(item, "kind"), kind) && match_or_any(json_str_at(item, "name"), name))
            return true;
    }
    return false;
}

static void append_lists(json_t *spec, const json_t *from)
{
    static const char *const lists[] = {"clusterResourceWhitelist",
                                        "clusterResourceBlacklist",
                                        "namespaceResourceWhitelist",
                                        "namespaceResourceBlacklist",
                                        "syncWindows",
                                        "sourceRepos",
                                        "destinations",
                                        "destinationServiceAccounts"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const json_t *more = json_object_get(from, lists[i]);
        json_t *list = json_object_get(spec, lists[i]);
        if (!json_array_size(more))
            continue; /* a list that is not there means something else than an empty one */
        if (!json_is_array(list)) {
            list = json_array();
            json_object_set_new_nocheck(spec, lists[i], list);
        }
        for (size_t k = 0; k < json_array_size(more); k++)
            json_array_append_new(list, json_copy_deep(json_array_get(more, k)));
    }
}

void project_inherit(json_t *project, const json_t *global_projects, project_lookup_fn lookup, void *ctx)
{
    const char *own = str_or_empty(json_str_at(project, "metadata", "name"));
    for (size_t i = 0; i < json_array_size(global_projects); i++) {
        const json_t *entry = json_array_get(global_projects, i);
        const char *name = str_or_empty(json_str_at(entry, "projectName"));
        bool valid;
        if (strcmp(name, own) == 0)
            continue;
        bool matches = label_selector_matches(json_object_get(entry, "labelSelector"),
                                              json_at(project, "metadata", "labels"), &valid);
        if (!valid)
            return;
        if (!matches)
            continue;
        AUTO_JSON global = lookup(ctx, name);
        if (!global)
            return;
        if (!json_is_map(json_object_get(project, "spec")))
            json_object_set_new_nocheck(project, "spec", json_object());
        append_lists(json_object_get(project, "spec"), json_object_get(global, "spec"));
    }
}

json_t *project_source_integrity(const json_t *project)
{
    const json_t *own = json_at(project, "spec", "sourceIntegrity"),
                 *keys = json_at(project, "spec", "signatureKeys");
    bool stated = json_is_map(json_object_get(own, "git"));
    if (stated || !json_array_size(keys))
        return json_is_map(own) ? json_copy_deep(own) : NULL;
    json_t *out = json_is_map(own) ? json_copy_deep(own) : json_object();
    json_t *ids = json_array(), *repo = json_object(), *repos = json_array(), *policy = json_object();
    for (size_t i = 0; i < json_array_size(keys); i++)
        json_array_append_new(ids, json_str_new(str_or_empty(json_str_at(json_array_get(keys, i), "keyID"))));
    json_set_str(repo, "url", "*");
    json_array_append_new(repos, repo);
    json_object_set_new(policy, "repos", repos);
    json_put_at(policy, json_str_new("head"), "gpg", "mode");
    json_put_at(policy, ids, "gpg", "keys");
    json_t *policies = json_array();
    json_array_append_new(policies, policy);
    json_put_at(out, policies, "git", "policies");
    return out;
}

bool integrity_policy_applies(const json_t *policy, const char *repo_url)
{
    const json_t *repos = json_object_get(policy, "repos");
    bool included = false;
    for (size_t i = 0; i < json_array_size(repos); i++) {
        const char *glob = str_or_empty(json_str_at(json_array_get(repos, i), "url"));
        if (*glob == '!' && glob_match(glob + 1, repo_url, NULL))
            return false;
        included = included || (*glob != '!' && glob_match(glob, repo_url, NULL));
    }
    return included;
}

/* Of two policies none can be told to hold, so that nothing passes. */
static bool integrity_covers_url(const json_t *integrity, const char *url)
{
    const json_t *policies = json_at(integrity, "git", "policies"), *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(policies); i++) {
        if (integrity_policy_applies(json_array_get(policies, i), url)) {
            found = json_array_get(policies, i);
            n++;
        }
    }
    const json_t *gpg = json_object_get(found, "gpg");
    return n > 1 || (json_is_map(gpg) && !str_eq(json_str_at(gpg, "mode"), "none"));
}

bool source_integrity_covers(const json_t *integrity, const json_t *sources)
{
    for (size_t i = 0; i < json_array_size(sources); i++) {
        const json_t *source = json_array_get(sources, i);
        const char *url = str_or_empty(json_str_at(source, "repoURL"));
        bool git = !str_has_prefix(url, "oci://") && str_empty(json_str_at(source, "chart"));
        if (git && *url && integrity_covers_url(integrity, url))
            return true;
    }
    return false;
}
