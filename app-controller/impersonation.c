#include "app-controller/impersonation.h"
#include "common/argo/app.h"
#include "common/base/glob.h"

static bool matches(const json_t *entry, const char *server, const char *ns)
{
    return glob_match(str_or_empty(json_str_at(entry, "server")), server, "") &&
           glob_match(str_or_empty(json_str_at(entry, "namespace")), ns, "");
}

static int name_user(const json_t *entry, const char *ns, char **user, err_t **err)
{
    const char *account = str_or_empty(json_str_at(entry, "defaultServiceAccount"));
    if (!account[strspn(account, " ")] || strpbrk(account, "!*[]{}\\/"))
        return err_set(err, ERR_INVALID_ARGUMENT, "default service account contains invalid chars '%s'",
                       account);
    *user = strchr(account, ':') ? xasprintf("system:serviceaccount:%s", account)
                                 : xasprintf("system:serviceaccount:%s:%s", ns, account);
    return 0;
}

int impersonation_user(const json_t *project, const json_t *application, const char *server, char **user,
                       err_t **err)
{
    const char *ns = str_or_empty(json_str_at(application, "spec", "destination", "namespace"));
    const json_t *list = json_at(project, "spec", "destinationServiceAccounts");
    *user = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *patterns[] = {json_str_at(entry, "server"), json_str_at(entry, "namespace")};
        static const char *const names[] = {"server", "namespace"};
        for (size_t p = 0; p < ARRAY_LEN(patterns); p++)
            if (!glob_valid(str_or_empty(patterns[p])))
                return err_set(err, ERR_INVALID_ARGUMENT, "invalid glob pattern for destination %s: %s",
                               names[p], patterns[p]);
        if (matches(entry, server, ns))
            return name_user(entry, *ns ? ns : object_namespace(application), user, err);
    }
    return 0;
}

int impersonation_open(const settings_t *settings, const json_t *project, const json_t *application,
                       cluster_t *cluster, bool enforced, kube_t **out, err_t **err)
{
    AUTO(free_p) char *user = NULL;
    *out = NULL;
    if (!settings_bool(settings, "application.sync.impersonation.enabled", false))
        return 0;
    if (impersonation_user(project, application, cluster_server(cluster), &user, err) < 0)
        return err_wrap(err, "failed to derive service account to impersonate");
    if (!user && enforced &&
        !str_eq(settings_value(settings, "application.sync.impersonation.enforced"), "false"))
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "no matching service account found for destination server %s and namespace %s",
                       cluster_server(cluster),
                       str_or_empty(json_str_at(application, "spec", "destination", "namespace")));
    if (user)
        *out = kube_impersonate(cluster_kube(cluster), user);
    return 0;
}

void impersonation_close(kube_t *kube)
{
    if (kube)
        kube_close(kube);
}
