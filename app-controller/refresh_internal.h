/* The parts of a refresh, for refresh*.c only. */
#ifndef CARGOCD_APP_CONTROLLER_REFRESH_INTERNAL_H
#define CARGOCD_APP_CONTROLLER_REFRESH_INTERNAL_H

#include "app-controller/refresh.h"
#include "app-controller/status.h"
#include "common/base/log.h"

enum { LEVEL_NONE = -1, LEVEL_TREE, LEVEL_LIVE, LEVEL_TARGET, LEVEL_RESOLVE };

struct refresh {
    struct controller *ctl;
    struct app *app;
    json_t *doc; /* as it was when the refresh began, then as our writes left it */
    int level;
    bool hard, requested; /* requested: by the annotation */
    struct refresh_request request;
    bool operated;  /* an operation ended */
    bool unwritten; /* the status is not what it should be: what was compared is to be compared again */
    char *why;
    json_t *project;
    cluster_t *cluster;
    settings_t *settings;
    json_t *sources;
    mono_t started, marked;
    /* How long its parts took, for the log; the first two are how long was spent on writing. */
    struct log_number times[16];
    size_t ntimes;
};

/* Indexes of `times`. */
enum { PATCH_TIME, SETOP_TIME, TIMES_OF_WRITING };

int64_t refresh_ms_since(mono_t t);
void refresh_journal(struct refresh *r, const char *decision, const char *verdict, json_t *reasons_take);

/* refresh_decide.c: level and why, whether it is hard, whether somebody asked. */
void refresh_decide(struct refresh *r, uint64_t bits);

/* refresh_memory.c: what the application remembers of its last comparison. */
void refresh_set_cluster(struct refresh *r);
void refresh_keep_findings(struct refresh *r, const struct comparison *c);
uint64_t refresh_finalizers_hash(const json_t *doc);
/* Of what a comparison says in the status: somebody else may have written there. */
uint64_t refresh_said_hash(const json_t *doc);
/* Of everything that the outcome of a comparison depends on. */
uint64_t refresh_fingerprint(struct refresh *r, const struct rendering *renderings, size_t n);

/* refresh_autosync.c: starts an operation if automation is to; puts SyncError into the status. */
void refresh_autosync(struct refresh *r, json_t *status);

#endif
