/* Parameters that change little: limits, what is published for how long, which events; and those that Argo CD
 * has and that mean nothing here. */
#ifndef CARGOCD_APP_CONTROLLER_FLAGS_H
#define CARGOCD_APP_CONTROLLER_FLAGS_H

#include "app-controller/controller.h"
#include "common/base/flag.h"

enum { MORE_FLAGS = 4 };
void more_flags(struct controller_options *o, struct flag out[MORE_FLAGS]);

/* Of the connections to API servers, and of the clusters' caches. */
enum { KUBE_FLAGS = 16 };
void kube_flags(struct controller_options *o, struct flag out[KUBE_FLAGS]);
/* Into the options of the connections. */
void kube_flags_apply(const struct controller_options *o, struct kube_options *kube);

enum { UNUSED_SWITCHES = 4, UNUSED_FLAGS = 22 };
/* Where they end up. */
struct unused_flags {
    bool switches[UNUSED_SWITCHES];
    char *texts[UNUSED_FLAGS];
};
void unused_flags(struct unused_flags *u, struct flag out[UNUSED_FLAGS]);

#endif
