/* Resource trees as argocd draws them. All functions add rows to lay out. */
#ifndef CARGOCD_CLI_APP_TREE_H
#define CARGOCD_CLI_APP_TREE_H

#include "common/json/json.h"

/* `app get -o tree`: the nodes of a tree with the state of the application's resources. */
void tree_of_app(const json_t *tree, const json_t *app, bool detailed, str_t *rows);

enum tree_form { TREE_FLAT, TREE_TREE, TREE_DETAILED };
/* `app resources`: nodes, orphaned nodes or both. */
void tree_of_resources(const json_t *tree, enum tree_form form, bool nodes, bool orphans, str_t *rows);

#endif
