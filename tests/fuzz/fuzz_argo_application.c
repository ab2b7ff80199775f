/* "application NUL status": an Application as anybody may have written it, its status and operation included.
 * Normalising is done once, the patch of a status brings it about, and automation decides something. */
#include "app-controller/autosync.h"
#include "app-controller/status.h"
#include "tests/fuzz/fuzz.h"

#include "common/argo/app.h"
#include "common/argo/tracking.h"
#include "common/json/patch.h"

static const wall_t now = {1700000000 * NS_PER_SEC};

static void views(const json_t *app)
{
    AUTO_JSON sources = app_sources(app);
    AUTO_JSON revisions = revisions_of(json_at(app, "status", "sync"));
    struct tracking t = {.method = TRACK_ANNOTATION_AND_LABEL, .label_key = "", .installation_id = ""};
    tracking_self_reference(&t, app, app);
    REQUIRE(json_is_array(sources) && json_is_array(revisions) && app_project(app));
    REQUIRE(sources_same(sources, sources));
    json_decref(app_single_source(app));
    free(revisions_text(revisions));
    free(revisions_joined(revisions));
    strv_free(annotation_list(app, "argocd.argoproj.io/sync-options"));
    free(resource_option(app, "Prune"));
    free(tracking_owner(&t, app));
    app_auto_sync(app);
    app_auto_prune(app);
    app_self_heal(app);
    app_deleting(app);
    app_has_finalizer(app, "resources-finalizer.argocd.argoproj.io");
}

static void decide(const json_t *app)
{
    for (int changed = 0; changed < 2; changed++) {
        struct autosync_options o = {SECONDS(5), changed ? SECONDS(2) : 0, 3, SECONDS(300)};
        struct autosync_decision d;
        autosync_decide(app, changed, &o, now, &d);
        REQUIRE((d.verdict == AUTOSYNC_GO) == (d.operation != NULL));
        REQUIRE(d.verdict != AUTOSYNC_REFUSED || d.condition);
        REQUIRE(d.verdict != AUTOSYNC_LATER || d.wait_ns > 0);
        autosync_dispose(&d);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *ta = take_text(&data, &size);
    AUTO(free_p) char *ts = take_text(&data, &size);
    AUTO_JSON app = NULL;
    AUTO_JSON status = NULL;
    if (json_read_str(ta, &app, NULL) < 0 || !json_is_map(app))
        return 0;
    struct refresh_request r = {};
    refresh_request_read(&r, app);
    refresh_request_dispose(&r);
    views(app);
    decide(app);
    app_normalize_spec(app);
    REQUIRE(!app_normalize_spec(app));
    views(app);
    static const char *const evaluated[] = {"SyncError", NULL};
    const json_t *old = json_object_get(app, "status");
    AUTO_JSON conditions = conditions_set(json_object_get(old, "conditions"), evaluated, NULL, now);
    REQUIRE(!conditions_have(conditions, "SyncError"));
    if (json_read_str(ts, &status, NULL) == 0)
        json_decref(status_patch(old, status));
    return 0;
}
