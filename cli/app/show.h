/* Applications as argocd shows them. Everything is added to a text. */
#ifndef CARGOCD_CLI_APP_SHOW_H
#define CARGOCD_CLI_APP_SHOW_H

#include "common/json/json.h"

/* "namespace/name", or the name alone when there is no namespace. The caller's. */
char *app_qualified_name(const json_t *app) MUST_USE;
/* "ns/name" -> ns and name, `ns` being the default; both the caller's. */
void app_name_split(const char *text, const char *default_ns, char **name, char **ns);

/* Rows of `app list -o wide`, its header included: cells end with tabs. */
void show_app_table(const json_t *apps, str_t *out);

/* The summary: one line each. `windows` is an answer of the sync windows method, NULL when there are none, {}
 * when it is not known. */
void show_summary(const json_t *app, const char *url, const json_t *windows, str_t *out);
/* Tables: rows to lay out. */
void show_conditions(const json_t *app, str_t *rows);
void show_resources(const json_t *app, str_t *rows);
void show_operation(const json_t *state, str_t *out);
/* Helm parameters of a source. */
void show_parameters(const json_t *source, str_t *rows);
/* Deployments, newest last. */
void show_history(const json_t *app, str_t *rows);
void show_history_ids(const json_t *app, str_t *out);

/* The source at a position (from 1; others: the first) of several, or the only one; borrowed, NULL. */
json_t *app_source_at(const json_t *app, int64_t position);

#endif
