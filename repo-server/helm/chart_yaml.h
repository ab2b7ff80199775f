/* What is read of a Chart.yaml (https://helm.sh/docs/topics/charts/#the-chartyaml-file) outside of helm. */
#ifndef CARGOCD_REPO_HELM_CHART_YAML_H
#define CARGOCD_REPO_HELM_CHART_YAML_H

#include "common/json/json.h"

enum { CHART_YAML_MAX = 4 << 20 };

/* ChartDetails: {description, home, maintainers: ["name <email>"]}. *out is new. */
int chart_yaml_details(const char *p, size_t n, json_t **out, err_t **err);
/* The list of dependencies; an empty one when there is none. *out is new. */
int chart_yaml_dependencies(const char *p, size_t n, json_t **out, err_t **err);

#endif
