#include "tests/kubesim/sim.h"

#include "tests/kubesim/audit.h"
#include "tests/kubesim/ctl.h"
#include "tests/kubesim/faults.h"
#include "tests/kubesim/service.h"

#include <stdio.h>

int sim_minor(const struct sim *s)
{
    const char *dot = strchr(s->options.git_version, '.');
    return dot ? (int)strtol(dot + 1, NULL, 10) : 0;
}

json_t *sim_now(void)
{
    char text[RFC3339_TEXT];
    rfc3339(wall_now(), text);
    return json_string(text);
}

static void on_change(void *ctx, const struct change *c)
{
    struct sim *s = ctx;
    allocator_on_change(s->allocator, c);
    controllers_on_change(s, c);
}

static void add_node(struct sim *s, int64_t i)
{
    char name[32], ip[32];
    snprintf(name, sizeof(name), "node-%lld", (long long)i);
    snprintf(ip, sizeof(ip), "192.0.2.%lld", (long long)(i % 250) + 1);
    json_t *o = json_pack(
        "{s:{s:s,s:{s:s,s:s,s:s}},s:{},s:{s:{s:s,s:s,s:s},s:{s:s,s:s,s:s},s:[{s:s,s:s,s:o,s:o,s:s,s:s}],"
        "s:[{s:s,s:s},{s:s,s:s}],s:{s:s,s:s,s:s,s:s,s:s}}}",
        "metadata", "name", name, "labels", "kubernetes.io/hostname", name, "kubernetes.io/os", "linux",
        "kubernetes.io/arch", "amd64", "spec", "status", "capacity", "cpu", "64", "memory", "256Gi", "pods",
        "10000", "allocatable", "cpu", "64", "memory", "256Gi", "pods", "10000", "conditions", "type",
        "Ready", "status", "True", "lastHeartbeatTime", sim_now(), "lastTransitionTime", sim_now(), "reason",
        "KubeletReady", "message", "kubelet is posting ready status", "addresses", "type", "InternalIP",
        "address", ip, "type", "Hostname", "address", name, "nodeInfo", "kubeletVersion",
        s->options.git_version, "operatingSystem", "linux", "architecture", "amd64", "osImage", "kubesim",
        "containerRuntimeVersion", "kubesim://1");
    json_decref(ctl_create(s, "nodes", "", o));
}

static void furnish(struct sim *s)
{
    static const char *const spaces[] = {"default", "kube-node-lease", "kube-public", "kube-system"};
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
        json_decref(ctl_create(s, "namespaces", "", json_pack("{s:{s:s}}", "metadata", "name", spaces[i])));
    json_decref(ctl_create(s, "services", "default",
                           json_pack("{s:{s:s,s:{s:s,s:s}},s:{s:s,s:[{s:s,s:i,s:i}]}}", "metadata", "name",
                                     "kubernetes", "labels", "component", "apiserver", "provider",
                                     "kubernetes", "spec", "clusterIP", "10.0.0.1", "ports", "name", "https",
                                     "port", 443, "targetPort", 6443)));
    json_decref(ctl_create(s, "storageclasses.storage.k8s.io", "",
                           json_pack("{s:{s:s,s:{s:s}},s:s}", "metadata", "name", "standard", "annotations",
                                     "storageclass.kubernetes.io/is-default-class", "true", "provisioner",
                                     "kubesim.example/none")));
    for (int64_t i = 0; i < s->options.nodes; i++)
        add_node(s, i);
}

struct sim *sim_new(loop_t *loop, const struct sim_options *options)
{
    struct sim *s = xcalloc(1, sizeof(*s));
    s->options = *options;
    s->options.git_version = xstrdup(options->git_version);
    s->definitions = s->pod_stages = s->job_retries = (map_t)MAP_INIT(free);
    s->loop = loop;
    registry_init(&s->registry);
    s->faults = faults_new();
    s->audit = audit_new((size_t)options->max_writes);
    s->controllers = controllers_new(s);
    s->allocator = allocator_new();
    s->store = store_new(&(struct store_config){.max_changes = (size_t)options->max_changes,
                                                .max_bytes = (size_t)options->max_history_bytes,
                                                .on_change = on_change,
                                                .ctx = s});
    furnish(s);
    return s;
}

void sim_free(struct sim *s)
{
    if (!s)
        return;
    controllers_free(s->controllers);
    store_free(s->store);
    allocator_free(s->allocator);
    audit_free(s->audit);
    faults_free(s->faults);
    registry_dispose(&s->registry);
    map_dispose(&s->definitions);
    map_dispose(&s->pod_stages);
    map_dispose(&s->job_retries);
    free(s->options.git_version);
    free(s);
}
