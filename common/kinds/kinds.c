#include "common/kinds/kinds.h"
#include "common/kinds/tables.h"

const struct kind_info *kinds_all(size_t *n)
{
    *n = builtin_kinds_n;
    return builtin_kinds;
}

static const struct kind_version *find_version(const struct kind_info *k, const char *version)
{
    for (const struct kind_version *v = k->versions; v->version; v++)
        if (!version || strcmp(v->version, version) == 0)
            return v;
    return NULL;
}

static const struct kind_info *lookup(const char *group, const char *version, const char *kind,
                                      const struct kind_version **found)
{
    for (size_t i = 0; i < builtin_kinds_n; i++) {
        const struct kind_info *k = &builtin_kinds[i];
        if (strcmp(k->kind, str_or_empty(kind)) != 0 || strcmp(k->group, str_or_empty(group)) != 0)
            continue;
        *found = find_version(k, version);
        return *found ? k : NULL;
    }
    return NULL;
}

const struct kind_info *kind_find(const char *group, const char *version, const char *kind)
{
    const struct kind_version *v;
    return lookup(group, version, kind, &v);
}

const struct schema *kind_schema(const char *group, const char *version, const char *kind)
{
    const struct kind_version *v;
    return lookup(group, version, kind, &v) ? v->schema : NULL;
}

static void resolve(const struct field_row *r, struct schema_field *out)
{
    *out = (struct schema_field){
        .name = builtin_strings + r->name,
        .type = (enum field_type)r->type,
        .schema = r->schema ? &builtin_schemas[r->schema - 1] : NULL,
        .is_list = r->flags & FR_LIST,
        .is_map = r->flags & FR_MAP,
        .omit_empty = r->flags & FR_OMIT_EMPTY,
        .pointer = r->flags & FR_POINTER,
        .patch_key = builtin_strings + r->patch_key,
        .retain_keys = r->flags & FR_RETAIN,
        .apply_keys = builtin_strings + r->apply_keys,
        .atomic = r->flags & FR_ATOMIC,
        .fallback = builtin_strings + r->fallback,
    };
    if (r->flags & FR_MERGE)
        out->patch_merge = *out->patch_key ? LIST_MAP : LIST_SET;
    if (r->flags & (FR_APPLY_MAP | FR_APPLY_SET))
        out->apply_merge = r->flags & FR_APPLY_MAP ? LIST_MAP : LIST_SET;
}

bool schema_field_at(const struct schema *s, size_t i, struct schema_field *out)
{
    if (!s || i >= s->n)
        return false;
    resolve(&builtin_fields[s->first + i], out);
    return true;
}

bool schema_field(const struct schema *s, const char *name, struct schema_field *out)
{
    if (!s)
        return false;
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const struct field_row *r = &builtin_fields[s->first + mid];
        int d = strcmp(name, builtin_strings + r->name);
        if (d == 0) {
            resolve(r, out);
            return true;
        }
        if (d < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return false;
}

const char *schema_name(const struct schema *s)
{
    return s ? builtin_strings + s->name : "";
}

const struct schema *schema_by_name(const char *name)
{
    for (size_t i = 0; i < builtin_schemas_n; i++)
        if (strcmp(builtin_strings + builtin_schemas[i].name, name) == 0)
            return &builtin_schemas[i];
    return NULL;
}

int kind_apply_rank(const char *kind)
{
    static const char *const order[] = {
        "Namespace",
        "NetworkPolicy",
        "ResourceQuota",
        "LimitRange",
        "PodSecurityPolicy",
        "PodDisruptionBudget",
        "ServiceAccount",
        "Secret",
        "SecretList",
        "ConfigMap",
        "StorageClass",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "CustomResourceDefinition",
        "ClusterRole",
        "ClusterRoleList",
        "ClusterRoleBinding",
        "ClusterRoleBindingList",
        "Role",
        "RoleList",
        "RoleBinding",
        "RoleBindingList",
        "Service",
        "DaemonSet",
        "Pod",
        "ReplicationController",
        "ReplicaSet",
        "Deployment",
        "HorizontalPodAutoscaler",
        "StatefulSet",
        "Job",
        "CronJob",
        "IngressClass",
        "Ingress",
        "APIService",
    };
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (strcmp(order[i], kind) == 0)
            return (int)i;
    return (int)ARRAY_LEN(order);
}
