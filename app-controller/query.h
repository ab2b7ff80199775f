/* The query service: what the api-server asks about applications and clusters (proto/rpc/controller.proto).
 */
#ifndef CARGOCD_APP_CONTROLLER_QUERY_H
#define CARGOCD_APP_CONTROLLER_QUERY_H

#include "app-controller/controller.h"

typedef struct query query_t;
int query_start(struct controller *ctl, const char *address, const struct tls_files *tls, query_t **out,
                err_t **err);
void query_stop(query_t *q);
int query_port(const query_t *q);

#endif
