/* The checks of health.c, one per kind. Each sets status and message. */
#ifndef CARGOCD_ENGINE_HEALTH_CHECKS_H
#define CARGOCD_ENGINE_HEALTH_CHECKS_H

#include "common/engine/health.h"

typedef void (*health_check_fn)(const json_t *o, struct health *out);
/* Of a kind whose state has to be parsed first, which can fail; *out is then left alone. */
typedef int (*health_parse_fn)(const json_t *o, struct health *out, err_t **err);

void health_deployment(const json_t *o, struct health *out);
void health_stateful_set(const json_t *o, struct health *out);
void health_replica_set(const json_t *o, struct health *out);
void health_daemon_set(const json_t *o, struct health *out);
void health_ingress(const json_t *o, struct health *out);
void health_workflow(const json_t *o, struct health *out);
void health_api_service(const json_t *o, struct health *out);
void health_service(const json_t *o, struct health *out);
void health_volume_claim(const json_t *o, struct health *out);
void health_pod(const json_t *o, struct health *out);
void health_job(const json_t *o, struct health *out);
int health_autoscaler(const json_t *o, struct health *out, err_t **err);

/* Sets status and a formatted message. */
void health_set(struct health *out, enum health_status status, const char *fmt, ...) PRINTF(3, 4);
/* The first condition of the type in status.conditions; NULL. */
const json_t *health_condition(const json_t *o, const char *type);

#endif
