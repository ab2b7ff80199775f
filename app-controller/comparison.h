/* Comparing an application with its cluster: what should be, what is, and what that amounts to. One
 * comparison serves one refresh or one pass of a sync. */
#ifndef CARGOCD_APP_CONTROLLER_COMPARISON_H
#define CARGOCD_APP_CONTROLLER_COMPARISON_H

#include "app-controller/controller.h"
#include "common/argo/project.h"
#include "common/base/vec.h"
#include "common/engine/diff.h"

/* What is compared, decided beforehand. */
struct compare_input {
    const json_t *doc;     /* the Application */
    const json_t *project; /* effective */
    cluster_t *cluster;
    const settings_t *settings;
    const json_t *sources;   /* array */
    const json_t *manifests; /* texts that take the place of the sources' manifests; NULL: none */
    const json_t
        *revisions;    /* array of the same length; "" or missing: the source's target revision; NULL: all */
    unsigned hooks_of; /* HOOK_PRE_DELETE or HOOK_POST_DELETE: only these hooks; 0: what a sync is about */
    bool no_cache, no_revision_cache;
    bool try_anew; /* what the API server tried for an earlier comparison does not serve this one */
    atomic_bool *canceled;
};

struct pair {
    json_t *target, *live; /* owned; one may be NULL */
    struct live record;    /* of live; all NULL without one */
    const char *status;    /* "Synced", "OutOfSync", "Unknown", "" */
    bool asks_server;      /* the API server has a say in the difference */
    bool modified, hook, requires_pruning, requires_confirmation, self_referenced;
    int wave;
    struct health health;
    bool health_counts; /* in the application's; else it is not told with the resource, either */
    char *where;        /* where both sides differ, as pointers; NULL: they do not, or one is missing */
    struct diff_result *difference; /* owned; where finding it took requests: for who shows it; else NULL */
    uint64_t verdict;               /* what `modified` holds for; 0: it was not a comparison */
};

struct comparison {
    VEC(struct rendering) renderings; /* one per source */
    VEC(struct pair) pairs;
    VEC(json_t *) hooks;     /* targets; owned */
    unsigned deletion_hooks; /* bits of enum hook_type: hooks of a deletion that the source has */
    json_t *conditions;      /* [{type, message}] */
    const char *sync_status; /* of the application */
    struct health health;
    bool failed;              /* targets or live objects could not be had: everything is Unknown */
    bool render_failed;       /* … because manifests could not be generated */
    char *failure;            /* the reason */
    char *server, *name, *ns; /* destination */
};

/* The manifests that a request to sync brought along; NULL: none. Borrowed. */
const json_t *given_manifests(const json_t *sync);
/* Renders all sources, or takes the manifests that are given. A failure sets c->failed and a ComparisonError,
 * one of the repository server c->render_failed, too. */
void comparison_render(struct controller *ctl, struct app *app, const struct compare_input *in,
                       struct comparison *c);
/* Targets, live objects, pairs. Needs renderings. */
void comparison_pair(struct controller *ctl, struct app *app, const struct compare_input *in,
                     struct comparison *c);
/* Whether the namespace's metadata that is wanted is not what the last sync was about. */
bool comparison_metadata_changed(const json_t *doc);
/* Differences, statuses, health. Needs pairs. */
void comparison_judge(struct controller *ctl, struct app *app, const struct compare_input *in,
                      struct comparison *c);
void comparison_dispose(struct comparison *c);

/* Revisions that were rendered, as an array of texts. */
json_t *comparison_revisions(const struct comparison *c) MUST_USE;
void comparison_condition(struct comparison *c, const char *type, const char *fmt, ...) PRINTF(3, 4);
bool comparison_has_error(const struct comparison *c, const char *type);

/* The destination as project rules want it. */
struct destination comparison_destination(const struct comparison *c, const struct compare_input *in);
/* Takes fields that managers of the rules own, and that differ, out of both sides. */
int comparison_drop_managed(const struct compare_input *in, const struct normalize_options *options,
                            json_t *target, json_t *live, err_t **err);
/* The rules that differences are ignored by: the system's and the application's. */
struct ignore_rule *comparison_rules(const struct compare_input *in, size_t *n) MUST_USE;
void comparison_rules_free(const struct compare_input *in, struct ignore_rule *rules, size_t n);

#endif
