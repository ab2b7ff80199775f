/* Lua scripts over an object: health checks and actions as Argo CD's settings hold them
 * (docs/operator-manual/health.md and docs/operator-manual/custom_tools.md there). Lua 5.1 with goto, by
 * LuaJIT without its compiler, whose code no limit would stop.
 *
 * A script sees `obj` (the object; null is nil), `actionParams`, the libraries base, table and, from "os" by
 * require alone, time and date; with open_libs also string, math, coroutine and os.clock. No files, no
 * processes, no bytecode.
 *
 * Its memory and its instructions are bounded, the time within one call of a library function is not:
 * patterns can take for ever. So only our own scripts run in a daemon; those of settings run in a helper
 * process (common/eval). */
#ifndef CARGOCD_ENGINE_SCRIPT_H
#define CARGOCD_ENGINE_SCRIPT_H

#include "common/engine/health.h"

enum { SCRIPT_MAX = 256 << 10, SCRIPT_MEMORY = 64 << 20, SCRIPT_INSTRUCTIONS = 20000000 };

struct script {
    const char *source;
    bool open_libs;
};

/* What the script returns, as a document: *out is NULL for nothing or nil. params may be NULL.
 * ERR_INVALID_ARGUMENT when it cannot be read or fails, ERR_RESOURCE_EXHAUSTED when it goes over a limit. */
int script_run(const struct script *s, const json_t *object, const json_t *params, json_t **out, err_t **err);

/* What a health script's value means: {status, message}; nothing and {} are HEALTH_BLANK. An unknown status
 * is Unknown with a message that says so. */
int script_health_of(const json_t *value, struct health *out, err_t **err);

/* The bundled check for a kind, by group and kind, then by globs; NULL. Borrowed for ever. */
const struct script *script_bundled(const char *group, const char *kind);
/* Bundled checks read once and kept, for one thread at a time: what reads many objects has one. */
typedef struct script_host script_host_t;
script_host_t *script_host_new(void) MUST_USE;
void script_host_free(script_host_t *h);
/* Runs a bundled check. host may be NULL. */
int script_bundled_health(script_host_t *host, const struct script *s, const json_t *object,
                          struct health *out, err_t **err);
AUTO_DECL(script_host_free_p, script_host_t, script_host_free)

#endif
