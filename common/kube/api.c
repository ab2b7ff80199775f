/* What a cluster serves: an array of resources and an index by group and kind. */
#include "common/kube/kube_internal.h"
#include "common/base/intern.h"
#include "common/base/map.h"
#include "common/kinds/kinds.h"
#include "common/kube/lister.h"

#include <ctype.h>

struct kube_api {
    atomic_uint refs;
    struct kube_resource *resources;
    size_t n;
    map_t by_kind; /* "group/Kind" -> index + 1 of the first; the others of that name follow by `next` */
    size_t *next;  /* index + 1 of the next resource with that group and kind; 0: none */
    map_t groups;
    char **versions; /* many refreshes ask for them */
};

static void index_key(str_t *key, const char *group, const char *kind)
{
    str_reset(key);
    str_printf(key, "%s/%s", str_or_empty(group), kind);
}

/* Puts resource i behind those of its name that come before it. */
static void index_resource(kube_api_t *a, str_t *key, size_t i)
{
    const struct kube_resource *r = &a->resources[i];
    index_key(key, r->group, r->kind);
    size_t first = (size_t)(uintptr_t)map_get(&a->by_kind, str_text(key));
    if (!map_has(&a->groups, r->group))
        map_put(&a->groups, r->group, (void *)1);
    if (!first) {
        map_put(&a->by_kind, str_text(key), (void *)(uintptr_t)(i + 1));
        return;
    }
    size_t last = first - 1;
    while (a->next[last])
        last = a->next[last] - 1;
    a->next[last] = i + 1;
}

/* A kind that the group's preferred version does not have is preferred in the first version that has it. */
static void prefer_somewhere(kube_api_t *a, size_t first)
{
    for (size_t i = first; i; i = a->next[i - 1])
        if (a->resources[i - 1].preferred)
            return;
    a->resources[first - 1].preferred = true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **versions_of(const struct kube_resource *all, size_t n)
{
    VEC(char *) list = {};
    for (size_t i = 0; i < n; i++) {
        if ((all[i].verbs & (KUBE_LIST | KUBE_WATCH)) != (KUBE_LIST | KUBE_WATCH))
            continue;
        char *gv = *all[i].group ? xasprintf("%s/%s", all[i].group, all[i].version) : xstrdup(all[i].version);
        VEC_PUSH(&list, xasprintf("%s/%s", gv, all[i].kind));
        VEC_PUSH(&list, gv);
    }
    VEC_SORT(&list, by_text);
    size_t m = 0;
    for (size_t i = 0; i < list.n; i++) {
        if (m && strcmp(list.v[m - 1], list.v[i]) == 0)
            free(list.v[i]);
        else
            list.v[m++] = list.v[i];
    }
    list.n = m;
    VEC_PUSH(&list, NULL);
    return list.v;
}

kube_api_t *kube_api_make(struct kube_resource *resources_take, size_t n)
{
    kube_api_t *a = xcalloc(1, sizeof(*a));
    a->refs = 1;
    a->resources = resources_take;
    a->n = n;
    a->next = xcalloc(n + 1, sizeof(*a->next));
    AUTO_STR key = STR_INIT;
    for (size_t i = 0; i < n; i++)
        index_resource(a, &key, i);
    MAP_FOREACH(&a->by_kind, e)
        prefer_somewhere(a, (size_t)(uintptr_t)e->value);
    a->versions = versions_of(a->resources, n);
    return a;
}

kube_api_t *kube_api_ref(kube_api_t *a)
{
    if (a)
        atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
    return a;
}

void kube_api_unref(kube_api_t *a)
{
    if (!a || atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < a->n; i++)
        kube_resource_dispose(&a->resources[i]);
    free(a->resources);
    free(a->next);
    strv_free(a->versions);
    map_dispose(&a->by_kind);
    map_dispose(&a->groups);
    free(a);
}

const struct kube_resource *kube_api_all(const kube_api_t *a, size_t *n)
{
    *n = a->n;
    return a->resources;
}

char *const *kube_api_versions(const kube_api_t *a)
{
    static char *const none[] = {NULL};
    return a ? a->versions : none;
}

/* Without a version: that of the group's preferred one, or the first that serves the kind. */
const struct kube_resource *kube_api_find(const kube_api_t *a, const char *group, const char *version,
                                          const char *kind)
{
    AUTO_STR key = STR_INIT;
    index_key(&key, group, kind);
    size_t first = (size_t)(uintptr_t)map_get(&a->by_kind, str_text(&key));
    for (size_t i = first; i; i = a->next[i - 1]) {
        const struct kube_resource *r = &a->resources[i - 1];
        if (str_empty(version) ? r->preferred : strcmp(r->version, version) == 0)
            return r;
    }
    return first && str_empty(version) ? &a->resources[first - 1] : NULL;
}

bool kube_api_serves_group(const kube_api_t *a, const char *group)
{
    return map_has(&a->groups, str_or_empty(group));
}

/* ---- without a cluster ---- */

enum {
    ALL_VERBS = KUBE_GET | KUBE_LIST | KUBE_WATCH | KUBE_CREATE | KUBE_UPDATE | KUBE_PATCH | KUBE_DELETE |
                KUBE_DELETE_COLLECTION
};

/* Kubernetes' own kinds are called in the singular as they are spelled. */
static char *singular_of(const char *kind)
{
    char *name = xstrdup(kind);
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return name;
}

kube_api_t *kube_api_builtin(void)
{
    VEC(struct kube_resource) all = {};
    size_t n;
    const struct kind_info *kinds = kinds_all(&n);
    for (const struct kind_info *kind = kinds; kind < kinds + n; kind++) {
        AUTO(free_p) char *singular = singular_of(kind->kind);
        for (const struct kind_version *v = kind->versions; v->version; v++) {
            const struct kube_resource r = {
                .group = kind->group,
                .version = v->version,
                .kind = kind->kind,
                .plural = kind->plural,
                .singular = singular,
                .namespaced = kind->namespaced,
                .preferred = v == kind->versions,
                .verbs = ALL_VERBS,
            };
            kube_resource_copy(VEC_ADD(&all), &r);
        }
    }
    return kube_api_make(all.v, all.n);
}
