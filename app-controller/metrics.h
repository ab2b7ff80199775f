/* The controller's metrics: names and labels of Argo CD (docs/operator-manual/metrics.md there). */
#ifndef CARGOCD_APP_CONTROLLER_METRICS_H
#define CARGOCD_APP_CONTROLLER_METRICS_H

#include "app-controller/controller.h"
#include "common/base/map.h"

/* Registers the families; those about applications and clusters are written from their state at each scrape.
 */
void controller_metrics_init(struct controller *ctl);

void metrics_reconciled(struct controller *ctl, const json_t *doc, mono_t started);
/* As cluster_env.on_event. */
void metrics_cluster_event(void *ctl, const char *server, const char *group, const char *kind, mono_t began);
/* ---- metrics_kube.c ---- */

/* Registers the families, and has the connections opened from now on (ctl->kube_options) tell of themselves.
 */
void metrics_kube_init(struct controller *ctl);
/* metrics-cache-expiration. */
void metrics_kube_reset(struct controller *ctl, bool (*keep)(void *arg, const char *const *values));
/* What kubectl would be run for: "apply", "create", "replace", "auth". As applier.ran. */
void metrics_applied(void *ctl, const char *command);
/* Drops the series of hosts that are no server's any more; servers: a set of URLs. */
void metrics_kube_retain(struct controller *ctl, const map_t *servers);
/* Counts this thread's requests as an application's, from metrics_requests_begin to its end. Those to the
 * Application itself are not counted. */
struct app_requests {
    struct controller *ctl;
    char *ns, *name, *project;
    bool dry_run;
    struct kube_tap tap;
};
void metrics_requests_begin(struct app_requests *r, struct controller *ctl, const json_t *doc, bool dry_run);
void metrics_requests_end(struct app_requests *r);
/* The same on another thread meanwhile; NULL ends it. */
void metrics_requests_also(const struct app_requests *r);
/* Work that waits for an applier (+1), and no longer (-1). */
void metrics_pending(struct controller *ctl, const char *command, int change);

/* A completed operation. */
void metrics_synced(struct controller *ctl, const json_t *doc, const json_t *state);

#endif
