/* Parameters that change little: limits, what is published for how long, which events; and those that Argo CD
 * has and that mean nothing here. */
#ifndef CARGOCD_APP_CONTROLLER_FLAGS_H
#define CARGOCD_APP_CONTROLLER_FLAGS_H

#include "app-controller/controller.h"
#include "common/base/flag.h"

enum { MORE_FLAGS = 4 };
void more_flags(struct controller_options *o, struct flag out[MORE_FLAGS]);

enum { UNUSED_SWITCHES = 4, UNUSED_FLAGS = 19 };
/* Where they end up. */
struct unused_flags {
    bool switches[UNUSED_SWITCHES];
    char *texts[UNUSED_FLAGS];
};
void unused_flags(struct unused_flags *u, struct flag out[UNUSED_FLAGS]);

#endif
