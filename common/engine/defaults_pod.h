/* Defaults of pods and of whatever contains a pod template, and the setters that all defaults are made of. */
#ifndef CARGOCD_ENGINE_DEFAULTS_POD_H
#define CARGOCD_ENGINE_DEFAULTS_POD_H

#include "common/kinds/kinds.h"

/* Set the field when it is missing or null; nothing when `o` is no object. */
void default_str(json_t *o, const char *key, const char *value);
void default_int(json_t *o, const char *key, int64_t value);
void default_bool(json_t *o, const char *key, bool value);
/* The object at key, made when it is missing; NULL when there is something else. */
json_t *default_object(json_t *o, const char *key);

void pod_spec_defaults(json_t *spec);
/* What only pods themselves get, not templates. */
void bare_pod_defaults(json_t *spec);
/* For an object with a `template`. */
void pod_template_defaults(json_t *spec);

#endif
