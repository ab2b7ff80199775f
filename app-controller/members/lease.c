#include "app-controller/members/lease.h"
#include "common/base/file.h"
#include "common/kinds/kinds.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { START_FIELD = 19, MAX_STAT = 4096, MAX_LEASE_SECONDS = 300, MAX_LEASE_NAME = 200 };

const struct kube_resource lease_resource = {.group = "coordination.k8s.io",
                                             .version = "v1",
                                             .kind = "Lease",
                                             .plural = "leases",
                                             .singular = "lease",
                                             .namespaced = true,
                                             .preferred = true,
                                             .subresources = ""};

void lease_dispose(struct lease *l)
{
    free(l->name);
    free(l->uid);
    free(l->rv);
    free(l->kind);
    free(l->member);
    free(l->holder);
    free(l->life);
    free(l->plan);
    free(l->asks);
    free(l->gives);
    *l = (struct lease){};
}

void lease_parse(const json_t *o, struct lease *out)
{
    const char *holder = str_or_empty(json_str_at(o, "spec", "holderIdentity")),
               *plan = object_annotation(o, ANNOTATION_PLAN), *end = strrchr(holder, '_');
    int64_t seconds = json_int_at(o, "spec", "leaseDurationSeconds");
    *out = (struct lease){.name = xstrdup(object_name(o)),
                          .uid = xstrdup(object_uid(o)),
                          .rv = xstrdup(object_resource_version(o)),
                          .kind = xstrdup(str_or_empty(object_label(o, LEASE_LABEL))),
                          .member = end ? xstrndup(holder, (size_t)(end - holder)) : xstrdup(holder),
                          .holder = xstrdup(holder),
                          .life = xstrdup(str_or_empty(object_annotation(o, ANNOTATION_LIFE))),
                          .transitions = json_int_at(o, "spec", "leaseTransitions"),
                          .asks = xstrdup(object_annotation(o, ANNOTATION_ASKS)),
                          .gives = xstrdup(object_annotation(o, ANNOTATION_GIVES)),
                          .plan = plan ? xstrdup(plan) : NULL};
    out->duration_ns = SECONDS(seconds < 1 ? 1 : seconds > MAX_LEASE_SECONDS ? MAX_LEASE_SECONDS : seconds);
    if (!str_to_u64(str_or_empty(object_annotation(o, ANNOTATION_ACKED)), &out->acked))
        out->acked = 0;
}

json_t *lease_object(const struct lease *l, const char *ns, wall_t now)
{
    json_t *o = json_object();
    char renewed[RFC3339_TEXT], acked[24];
    rfc3339_micro(now, renewed);
    snprintf(acked, sizeof(acked), "%llu", (unsigned long long)l->acked);
    json_set_str(o, "apiVersion", "coordination.k8s.io/v1");
    json_set_str(o, "kind", "Lease");
    json_put_at(o, json_str_new(l->name), "metadata", "name");
    json_put_at(o, json_str_new(ns), "metadata", "namespace");
    if (*l->rv)
        json_put_at(o, json_str_new(l->rv), "metadata", "resourceVersion");
    json_put_at(o, json_str_new(l->kind), "metadata", "labels", LEASE_LABEL);
    json_put_at(o, json_str_new("argocd"), "metadata", "labels", "app.kubernetes.io/part-of");
    if (l->plan) {
        json_put_at(o, json_str_new(l->plan), "metadata", "annotations", ANNOTATION_PLAN);
    } else {
        json_put_at(o, json_str_new(acked), "metadata", "annotations", ANNOTATION_ACKED);
        json_put_at(o, json_str_new(l->life), "metadata", "annotations", ANNOTATION_LIFE);
        if (!str_empty(l->asks))
            json_put_at(o, json_str_new(l->asks), "metadata", "annotations", ANNOTATION_ASKS);
        if (!str_empty(l->gives))
            json_put_at(o, json_str_new(l->gives), "metadata", "annotations", ANNOTATION_GIVES);
        json_put_at(o, json_integer(l->duration_ns / NS_PER_SEC), "spec", "leaseDurationSeconds");
        json_put_at(o, json_integer(l->transitions), "spec", "leaseTransitions");
        json_put_at(o, json_str_new(renewed), "spec", "renewTime");
    }
    json_put_at(o, json_str_new(l->holder), "spec", "holderIdentity");
    return o;
}

char *lease_name(const char *member)
{
    char *name = xasprintf("cargocd-%.*s", MAX_LEASE_NAME, member);
    for (char *p = name; *p; p++) {
        *p = (char)tolower((unsigned char)*p);
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') && (*p != '-' || !p[1]))
            *p = p[1] ? '-' : 'x';
    }
    return name;
}

/* ---- lives ---- */

/* When the process was started, in the kernel's ticks; false when there is none, or only its remains. */
static bool started(long long pid, char out[24])
{
    char path[48];
    AUTO_STR text = STR_MAX(MAX_STAT);
    snprintf(path, sizeof(path), "/proc/%lld/stat", pid);
    if (file_read(path, &text, NULL) < 0)
        return false;
    const char *p = strrchr(str_text(&text), ')'); /* the name before it may hold anything */
    if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
        return false;
    p += 2;
    for (int i = 0; i < START_FIELD && p; i++)
        p = (p = strchr(p, ' ')) ? p + 1 : NULL;
    if (!p)
        return false;
    snprintf(out, 24, "%.*s", (int)strcspn(p, " \n"), p);
    return true;
}

static char *place_text(void)
{
    AUTO_STR boot = STR_MAX(128);
    struct stat ns = {};
    if (file_read("/proc/sys/kernel/random/boot_id", &boot, NULL) < 0 || stat("/proc/self/ns/pid", &ns) < 0)
        return xstrdup("");
    view_t id = view_trim((view_t){str_text(&boot), boot.len});
    return xasprintf("process:%.*s:%llu:", (int)id.n, id.p, (unsigned long long)ns.st_ino);
}

char *life_text(const char *pod_uid)
{
    char start[24];
    if (!str_empty(pod_uid))
        return xasprintf("pod:%s", pod_uid);
    AUTO(free_p) char *place = place_text();
    if (!*place || !started(getpid(), start))
        return xstrdup("");
    return xasprintf("%s%lld:%s", place, (long long)getpid(), start);
}

bool life_is_over(const char *life, const char *own)
{
    char start[24];
    int64_t pid;
    if (str_has_prefix(life, "pod:"))
        return strcmp(life, own) == 0;
    AUTO(free_p) char *place = place_text();
    if (!*place || !str_has_prefix(life, place))
        return false;
    AUTO(free_p) char *rest = xstrdup(life + strlen(place));
    char *colon = strchr(rest, ':');
    if (!colon)
        return false;
    *colon = 0;
    return str_to_i64(rest, &pid) && (!started(pid, start) || strcmp(start, colon + 1) != 0);
}
