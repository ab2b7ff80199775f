/* The parts of an Application's status that come of a comparison. They change or make documents, and ask
 * nobody. */
#ifndef CARGOCD_APP_CONTROLLER_STATUS_PARTS_H
#define CARGOCD_APP_CONTROLLER_STATUS_PARTS_H

#include "app-controller/comparison.h"

/* An entry of status.resources. A new document. */
json_t *status_of_resource(const struct controller *ctl, const struct pair *p) MUST_USE;
/* status.sync.comparedTo. A new document. */
json_t *status_compared_to(const json_t *doc) MUST_USE;
/* status.summary: links and images of the tree. A new document. */
json_t *status_summary(const json_t *doc, const json_t *tree) MUST_USE;
/* status.health; its time moves when the health does. message may be NULL. */
void status_put_health(const struct controller *ctl, json_t *status, enum health_status health,
                       const char *message);
/* status.sync, as compared. */
void status_put_sync(json_t *status, const json_t *doc, const struct comparison *c);
/* sourceType or sourceTypes. */
void status_put_source_types(json_t *status, const json_t *doc, const struct comparison *c);

#endif
