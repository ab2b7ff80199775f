/* The right to work on an application, as this replica has it at the moment, and the fence that holds whoever
 * has lost it.
 *
 * A tenure is wanted when the plan gives the application to this replica, and owned from when nobody else may
 * still work on it. Work runs between tenure_begin and tenure_end; each request that writes is let through
 * (and logged) by the gate, which looks once more, just before it is sent: the tenure is still owned, and the
 * replica's lease has not run out on the clock that goes on while the machine sleeps. So also a process that
 * was stopped in the middle of its work writes nothing when it comes back. An application that was lost and
 * came back is owned again only after the work from before has ended. */
#ifndef CARGOCD_APP_CONTROLLER_MEMBERS_TENURE_H
#define CARGOCD_APP_CONTROLLER_MEMBERS_TENURE_H

#include "common/base/thread.h"
#include "common/kube/kube.h"

struct tenure {
    const char *key;    /* "namespace/name"; borrowed, lives as long as the tenure */
    bool wanted, owned; /* guarded by the tenures' lock, like the rest */
    unsigned working, writing, refusals;
};
enum tenure_change { TENURE_SAME, TENURE_GAINED, TENURE_LOST };

typedef struct tenures tenures_t;
tenures_t *tenures_new(const char *replica) MUST_USE;
void tenures_free(tenures_t *ts);
/* Writes may begin until `stop` and go on until `end`, both on boot_now's clock; MONO_NEVER: always. */
void tenures_lease(tenures_t *ts, mono_t stop, mono_t end);
bool tenures_valid(tenures_t *ts);
/* Whether what is wanted may be owned. */
void tenures_settle(tenures_t *ts, bool settled);
/* Whether nothing is being done for it, nor may be. */
bool tenure_idle(tenures_t *ts, struct tenure *t);
/* How many writes of tenures that were lost are under way. */
size_t tenures_draining(tenures_t *ts);

/* Makes it wanted or not. */
enum tenure_change tenure_want(tenures_t *ts, struct tenure *t, bool wanted);
bool tenure_owned(tenures_t *ts, struct tenure *t);
/* The calling thread works for it until tenure_end; false when it may not. */
bool tenure_begin(tenures_t *ts, struct tenure *t);
/* True when it was gained with the end of this work. */
bool tenure_end(tenures_t *ts, struct tenure *t);
/* A further thread that writes for work that has begun; NULL ends it. Returns what it was for before. */
struct tenure *tenure_assist(struct tenure *t);
/* How many writes were refused so far: when that has grown, a failure says nothing about the application. */
unsigned tenure_refusals(tenures_t *ts, struct tenure *t);

/* For the connections over which applications are worked. */
void tenures_gate(tenures_t *ts, struct kube_gate *out);

#endif
