/* What a tree shows of an object besides its name: states of pods, images, network. Compact, because every
 * object of a cluster has one: texts are interned and shared. Facts: Argo CD's controller/cache/info.go,
 * kubectl's pod printer. */
#ifndef CARGOCD_ENGINE_NODE_INFO_H
#define CARGOCD_ENGINE_NODE_INFO_H

#include "common/kinds/kinds.h"

struct node_info {
    /* Interned; NULL when there is nothing. */
    const char *info;                /* JSON array text: [{"name":…,"value":…}] */
    const char *images;              /* JSON array text */
    const char *networking;          /* JSON object text */
    const char *node;                /* a pod's node; of a Node (is_host) what it has, as JSON object text:
                                        {"capacity":{name: milli-units},"systemInfo":{},"labels":{}} */
    int64_t cpu_milli, memory_milli; /* a pod's requests */
    bool has_requests;               /* false once it has ended */
    bool is_host;
};
void node_info_of(const json_t *object, char *const *custom_labels, struct node_info *out);
void node_info_release(struct node_info *i);
bool node_info_same(const struct node_info *a, const struct node_info *b);
/* The items as a tree shows them: info, and a pod's requests. `read` is what i->info says, read already
 * (NULL: nothing), for reading only, which may become part of the answer. */
json_t *node_info_items(const struct node_info *i, json_t *read) MUST_USE;
/* Whether the pod has a condition of the type with this status and reason (NULL: any). */
bool pod_condition_is(const json_t *pod, const char *type, const char *status, const char *reason);
/* What kubectl would show as a pod's status. */
char *pod_status_reason(const json_t *pod) MUST_USE;
/* Paths that node_info_of and health_assess read of this kind; for json/project.h. */
const char *const *node_info_paths(const char *group, const char *kind, size_t *n);

#endif
