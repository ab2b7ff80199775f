/* Messages of a WebSocket client, one a line, with output taken between them: the connection is closed or
 * answers with valid JSON, and never names what its user may not see. */
#include "tests/fuzz/fuzz.h"

#include "api-server/live/conn.h"

static void want_tree(void *ctx, const char *ns, const char *name) {}

static rbac_project_t *no_project(void *ctx, const char *name)
{
    return NULL;
}

static void woke(void *arg) {}

static void put(live_t *l, const char *name, const char *project)
{
    AUTO(free_p)
    char *t = xasprintf("{\"metadata\":{\"name\":\"%s\",\"namespace\":\"argocd\",\"resourceVersion\":\"1\"},"
                        "\"spec\":{\"project\":\"%s\"}}",
                        name, project);
    live_app_put(l, t, strlen(t));
}

static void hear(live_conn_t *c, mono_t now)
{
    for (int i = 0; i < 100; i++) {
        AUTO_STR out = STR_INIT;
        AUTO_JSON m = NULL;
        if (!live_conn_output(c, &out, now))
            return;
        REQUIRE(json_read(str_text(&out), out.len, &m, NULL) == 0);
        REQUIRE(!strstr(str_text(&out), "hidden-app"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON rbac = json_object();
    json_put_at(rbac, json_string("p, u, applications, get, open/*, allow"), "data", "policy.csv");
    struct config_source source = {.rbac_cm = rbac};
    config_box_t *box = config_box_new();
    config_box_put(box, config_new(&source, NULL, NULL));
    live_t *l = live_new(&(struct live_options){
        .control_ns = "argocd", .config = box, .project = no_project, .want_tree = want_tree});
    put(l, "seen", "open");
    put(l, "hidden-app", "closed");
    live_apps_begin(l);
    put(l, "seen", "open");
    put(l, "hidden-app", "closed");
    live_apps_synced(l, "2");
    identity_t id = {.refs = 1, .subject = (char *)"u", .groups = (char *[]){NULL}};
    live_conn_t *c = live_conn_new(l, &id, woke, NULL);
    mono_t now = {SECONDS(1)};
    for (int i = 0; size && i < 200; i++) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size;
        if (live_conn_input(c, (const char *)data, n, now) != CLOSE_NONE)
            break;
        hear(c, now);
        put(l, i % 2 ? "seen" : "hidden-app", i % 3 ? "closed" : "open");
        put(l, "hidden-app", "closed");
        now.ns += MILLIS(50);
        data += end ? n + 1 : n;
        size -= end ? n + 1 : n;
    }
    live_conn_free(c);
    live_free(l);
    config_box_free(box);
    return 0;
}
