/* "project NUL application": what a project permits, and its windows. A project without rules permits
 * nothing, and a window that cannot be read lets nothing be synced. */
#include "tests/fuzz/fuzz.h"
#include "common/argo/app.h"
#include "common/argo/project.h"
#include "common/argo/windows.h"

static const wall_t now = {1700000000 * NS_PER_SEC};

static void windows(const json_t *project, const json_t *app)
{
    AUTO_JSON matching = windows_matching(project, app);
    AUTO_JSON active = NULL;
    struct window_answer a = {};
    for (int manual = 0; manual < 2; manual++) {
        struct window_question q = {.manual = manual, .now = now};
        if (windows_ask(matching, &q, &a, NULL) < 0)
            REQUIRE(!a.can_sync);
        else
            REQUIRE(a.next_change.ns == 0 || a.next_change.ns > now.ns);
    }
    windows_active(matching, now, &active, NULL);
    size_t i;
    json_t *w;
    json_array_foreach(matching, i, w)
        window_check(w, NULL);
}

static json_t *lookup(void *ctx, const char *name)
{
    (void)name;
    return json_incref(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *tp = take_text(&data, &size);
    AUTO(free_p) char *ta = take_text(&data, &size);
    AUTO_JSON project = NULL;
    AUTO_JSON app = NULL;
    if (json_read_str(tp, &project, NULL) < 0)
        return 0;
    if (json_read_str(ta, &app, NULL) < 0)
        app = json_object();
    const struct destination d = {.server = "https://a", .name = "in-cluster", .ns = "team"};
    bool source = project_permits_source(project, "https://github.com/o/r.git");
    bool destination = project_permits_destination(project, &d);
    const json_t *spec = json_object_get(project, "spec");
    REQUIRE(!source || json_array_size(json_object_get(spec, "sourceRepos")) > 0);
    REQUIRE(!destination || json_array_size(json_object_get(spec, "destinations")) > 0);
    project_permits_kind(project, "apps", "Deployment", "n", true);
    project_permits_kind(project, "", "Namespace", "n", false);
    project_permits_object(project, "", "Secret", "n", "team", &d);
    project_permits_app_namespace(project, "team", "argocd");
    project_monitors_orphans(project);
    project_warns_of_orphans(project);
    project_ignores_orphan(project, "apps", "Deployment", "n");
    json_decref(project_source_integrity(project));
    windows(project, app);
    AUTO_JSON heir = json_copy_deep(project);
    AUTO_JSON globals = json_copy_deep(json_object_get(app, "globalProjects"));
    project_inherit(heir, globals, lookup, project);
    return 0;
}
