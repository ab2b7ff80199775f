/* Failed logins by name. After `max_failures` a name is locked until `window` has passed since its last
 * failure; a success clears it. Names of accounts are kept always; others share a bounded table in which a
 * random one makes room, so that guessing with many names cannot push out what protects an account
 * (CVE-2024-21662). Pure but for its lock: time is passed in. */
#ifndef CARGOCD_API_AUTH_THROTTLE_H
#define CARGOCD_API_AUTH_THROTTLE_H

#include "common/base/clock.h"

typedef struct throttle throttle_t;
/* window_ns 0: locked for ever. */
throttle_t *throttle_new(unsigned max_failures, int64_t window_ns, size_t max_names) MUST_USE;
void throttle_free(throttle_t *t);
bool throttle_locked(throttle_t *t, const char *name, mono_t now);
void throttle_failed(throttle_t *t, const char *name, bool is_account, mono_t now);
void throttle_succeeded(throttle_t *t, const char *name);
size_t throttle_names(throttle_t *t);

#endif
