/* The replicas' Leases (coordination.k8s.io/v1) as values: what one says, how ours is written, and whether
 * the process behind one is certainly dead. */
#ifndef CARGOCD_APP_CONTROLLER_MEMBERS_LEASE_H
#define CARGOCD_APP_CONTROLLER_MEMBERS_LEASE_H

#include "app-controller/members/plan.h"
#include "common/base/clock.h"
#include "common/kube/kube.h"

#define LEASE_LABEL      "cargocd.io/lease" /* "member", "shard" or "plan" */
#define LEASE_PLAN_NAME  "cargocd-application-controller-plan"
#define ANNOTATION_ACKED "cargocd.io/acked" /* the generation the member works by; 0: it works nothing */
#define ANNOTATION_PLAN  "cargocd.io/plan"  /* plan_text */
#define ANNOTATION_ASKS  "cargocd.io/asks"  /* moves.h */
#define ANNOTATION_GIVES "cargocd.io/gives"
#define ANNOTATION_LIFE  "cargocd.io/instance" /* of the process */

struct lease {
    char *name, *uid, *rv;
    char *kind;   /* the label's */
    char *member; /* the holder's name: what stands before the "_" of holderIdentity */
    char *holder; /* "<member>_<id of the process's life>"; "": given back */
    char *life;   /* of ANNOTATION_LIFE; "" */
    uint64_t acked;
    int64_t duration_ns;
    int64_t transitions;
    char *plan;         /* of ANNOTATION_PLAN; NULL */
    char *asks, *gives; /* of ANNOTATION_ASKS, ANNOTATION_GIVES; NULL */
};
extern const struct kube_resource lease_resource;

void lease_dispose(struct lease *l);
/* What the object says; never fails: what is odd reads as nothing, and a duration is kept within 1 s … 5 min.
 */
void lease_parse(const json_t *object, struct lease *out);
/* The object that says it, renewed now; rv "" for creating. */
json_t *lease_object(const struct lease *l, const char *ns, wall_t now) MUST_USE;
/* The name of a member's Lease: lower case, what a name may not have replaced. */
char *lease_name(const char *member) MUST_USE;

/* Names this process so that another on this machine, or the next one in this pod, can tell that it is dead:
 * "pod:<uid>" where the pod is known, else "process:<boot>:<pid namespace>:<pid>:<start>". */
char *life_text(const char *pod_uid) MUST_USE;
/* Whether the process that `life` names is certainly dead, as seen by one that is named `own`. A pod runs its
 * container once at a time, so that its predecessor in the same pod is. */
bool life_is_over(const char *life, const char *own);

#endif
