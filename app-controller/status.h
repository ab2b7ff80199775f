/* Writing to Applications: one merge patch of what changed, the refresh annotation, finalizers. Every answer
 * goes back into the store before anything else is decided. */
#ifndef CARGOCD_APP_CONTROLLER_STATUS_H
#define CARGOCD_APP_CONTROLLER_STATUS_H

#include "app-controller/controller.h"

/* Sends a merge patch of the Application; ERR_ABORTED when `rv` (NULL: any) is no longer its version. *doc
 * (owned) becomes the answer. */
int application_patch(struct controller *ctl, struct app *app, const json_t *patch, const char *rv,
                      json_t **doc, err_t **err);
/* A refresh that somebody asked for by annotation, as it was when it was taken up. */
struct refresh_request {
    char *type, *at; /* "normal" or "hard"; the request's time, NULL without one; both NULL: nobody asked */
};
/* Replaces doc.status by new_status: sends what differs, nothing when nothing does; with it goes the
 * annotation of the request (NULL: none) if it is still the one that was acted upon. *doc becomes the answer.
 * Tells of changes of sync and health by an Event. STATUS_TOO_LARGE: the API server does not take so much;
 * the old status stands, with a condition that says so. */
enum { STATUS_TOO_LARGE = 1 };
int status_write(struct controller *ctl, struct app *app, json_t **doc, const json_t *new_status,
                 const struct refresh_request *request, err_t **err);
void refresh_request_read(struct refresh_request *r, const json_t *doc);
void refresh_request_dispose(struct refresh_request *r);
/* Removes the annotation of the request that was acted upon, unless another one has come meanwhile. */
int refresh_annotation_remove(struct controller *ctl, struct app *app, const struct refresh_request *request,
                              json_t **doc, err_t **err);
/* Reads the Application from the API server into the store. ERR_NOT_FOUND. */
int application_get(struct controller *ctl, struct app *app, json_t **doc, err_t **err);
/* Puts an answer of the API server into the store. */
void application_store(struct controller *ctl, const json_t *doc);

/* A Kubernetes Event about the Application. */
void application_event(struct controller *ctl, const json_t *doc, const char *type, const char *reason,
                       const char *message);

#endif
