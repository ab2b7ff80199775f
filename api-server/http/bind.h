/* From a request of REST to the message of its method, as a JSON object: path captures, body, query. */
#ifndef CARGOCD_API_HTTP_BIND_H
#define CARGOCD_API_HTTP_BIND_H

#include "api-server/http/router.h"
#include "common/base/err.h"
#include "common/base/vec.h"
#include "common/json/json.h"

/* A decoded query, in order. */
struct query_item {
    char *key, *value;
};
typedef VEC(struct query_item) query_t;
enum { QUERY_MAX_ITEMS = 2000 };
/* ERR_INVALID_ARGUMENT for bad escapes, as Go's url.ParseQuery. */
int query_parse(const char *raw, query_t *out, err_t **err);
void query_dispose(query_t *q);
/* The first value; NULL when absent. */
const char *query_get(const query_t *q, const char *key);

int bind_request(const struct route *route, const query_t *query, const char *body, size_t body_size,
                 json_t **out, err_t **err);
/* Form-decodes the fields that hold names which are URLs (also for gRPC). */
void bind_unescape(const struct api_method *method, json_t *in);

#endif
