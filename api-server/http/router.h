/* Paths to methods, over the table of proto/api: grpc-gateway v1's rules
 * (https://grpc-ecosystem.github.io/grpc-gateway/docs/mapping/customizing_your_gateway/) and Argo CD's quirk
 * for names that are URLs. */
#ifndef CARGOCD_API_HTTP_ROUTER_H
#define CARGOCD_API_HTTP_ROUTER_H

#include "common/base/str.h"
#include "proto/api/table.h"

enum { ROUTE_MAX_CAPTURES = 4 };

struct route {
    const struct api_method *method;
    const struct api_binding *binding;
    struct {
        char field[64]; /* "id.value" */
        char *value;
    } captures[ROUTE_MAX_CAPTURES];
    size_t ncaptures;
};
enum route_result { ROUTE_FOUND, ROUTE_NOT_FOUND, ROUTE_WRONG_VERB };

/* raw_path as it was sent. Of several routes the first of the table wins. */
enum route_result route_find(const char *verb, const char *raw_path, struct route *out);
void route_dispose(struct route *r);
/* "application.ApplicationService/List" */
const struct api_method *method_find(const char *service, const char *name);

#endif
