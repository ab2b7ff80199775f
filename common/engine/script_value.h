/* Documents to Lua and back, and what the files of the scripts share. */
#ifndef CARGOCD_ENGINE_SCRIPT_VALUE_H
#define CARGOCD_ENGINE_SCRIPT_VALUE_H

#include "common/engine/script.h"

#include <luajit-2.1/lua.h>

/* Pushes the value. Raises a Lua error when memory runs out. */
void script_push(lua_State *l, const json_t *v);
/* The value at the top of the stack, left there; raises nothing. NULL, with *problem set, when it is no
 * document: a function, a cycle, keys that are neither texts nor 1..n. */
json_t *script_pull(lua_State *l, const char **problem) MUST_USE;

/* Runs a file of checks (kept in the host from then on) with `library` read before it. */
int script_host_run(script_host_t *host, const struct script *s, const char *library, const json_t *object,
                    json_t **out, err_t **err);

#endif
