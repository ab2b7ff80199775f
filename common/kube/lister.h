/* A paged list as a state machine on the I/O thread. */
#ifndef CARGOCD_KUBE_LISTER_H
#define CARGOCD_KUBE_LISTER_H

#include "common/kube/kube_internal.h"

struct kube_lister_ops {
    int (*on_item)(void *arg, const char *p, size_t n); /* negative ends the list */
    /* The pages so far no longer hold; the list starts over. False: it fails instead. */
    bool (*on_restart)(void *arg);
    /* Exactly once unless canceled, last. failure is NULL at success. */
    void (*on_done)(void *arg, const char *resource_version, const struct kube_failure *failure, err_t *err);
};
typedef struct kube_lister kube_lister_t;
/* resource and what are copied. All functions: I/O thread. */
kube_lister_t *kube_lister_start(struct kube_core *c, struct kube_who *who, const struct kube_resource *r,
                                 const struct kube_list *what, const struct kube_lister_ops *ops, void *arg)
    MUST_USE;
/* No callback comes any more. */
void kube_lister_cancel(kube_lister_t *l);
void kube_lister_release(kube_lister_t *l);

/* A resource of one's own. */
void kube_resource_copy(struct kube_resource *to, const struct kube_resource *from);
void kube_resource_dispose(struct kube_resource *r);
void kube_list_copy(struct kube_list *to, const struct kube_list *from);
void kube_list_dispose(struct kube_list *l);
/* Accept for whole objects or for metadata only. */
const char *kube_accept(bool metadata_only, bool list);

#endif
