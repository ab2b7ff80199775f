/* Whether an API is available: local ones are, those behind a Service are not, as nothing runs here. */
#include "tests/kubesim/ctl.h"

void apiservice_sync(struct sim *s, const char *ns, const char *name)
{
    static const char key[] = "apiservices.apiregistration.k8s.io";
    AUTO_JSON o = ctl_get(s, key, "", name);
    json_t *service = json_at(o, "spec", "service");
    if (!o || json_at(o, "metadata", "deletionTimestamp"))
        return;
    AUTO(free_p)
    char *missing = xasprintf("service/%s in \"%s\" is not present",
                              str_or_empty(json_str_at(service, "name")),
                              str_or_empty(json_str_at(service, "namespace")));
    if (condition_set(o, "Available", !service, service ? "ServiceNotFound" : "Local",
                      service ? missing : "Local APIServices are always available"))
        ctl_update(s, key, o, "status");
}
