#include "app-controller/apps.h"
#include "common/json/project.h"
#include "tests/unit/test.h"

static json_t *document(const char *uid, const char *rv, const char *more)
{
    json_t *o = NULL;
    AUTO(free_p)
    char *text = xasprintf("{\"metadata\":{\"namespace\":\"argocd\",\"name\":\"shop\",\"uid\":\"%s\","
                           "\"managedFields\":[{\"manager\":\"x\"}],\"resourceVersion\":\"%s\"},"
                           "\"spec\":{\"destination\":{\"server\":\"https://a\"}%s}}",
                           uid, rv, more);
    AUTO_ERR err = NULL;
    ASSERT_OK(json_read_str(text, &o, &err));
    return o;
}

static struct app *put_event(apps_t *a, const char *uid, const char *rv, const char *more, bool *is_new)
{
    AUTO_JSON o = document(uid, rv, more);
    AUTO_JSON brief = NULL;
    AUTO_ERR err = NULL;
    AUTO(free_p) char *text = json_text(o, JSON_KEEP_ORDER);
    AUTO(projection_free_p) projection_t *paths = projection_new(apps_event_paths, apps_event_npaths);
    ASSERT_OK(json_read_projected(text, strlen(text), paths, &brief, &err));
    return apps_put_event(a, "argocd/shop", "shop", brief, view_of(text), true, is_new);
}

static bool has_version(apps_t *a, const char *uid, const char *rv)
{
    struct app *app = apps_get_version(a, "argocd/shop", uid, rv);
    app_unref(a, app);
    return app != NULL;
}

static void versions_are_told_apart(void **state)
{
    (void)state;
    apps_t *a = apps_new();
    bool is_new;
    struct app *app = put_event(a, "u1", "7", "", &is_new);
    assert_true(is_new);
    assert_string_equal(app->server, "https://a");
    assert_true(has_version(a, "u1", "7"));
    assert_false(has_version(a, "u1", "8"));
    assert_false(has_version(a, "u2", "7"));
    app->settled = true;
    app_unref(a, put_event(a, "u1", "6", ",\"older\":1", &is_new));
    assert_false(is_new);
    assert_true(has_version(a, "u1", "7"));
    assert_true(app->settled);
    AUTO_JSON own = document("u1", "9", ",\"syncPolicy\":{\"automated\":{}}");
    app_unref(a, apps_put_own(a, "argocd/shop", "shop", own));
    assert_true(has_version(a, "u1", "9"));
    assert_false(app->settled);
    assert_true(app->auto_sync && app->turned_on);
    app_unref(a, app);
    apps_free(a);
}

/* What an event brought and what one of our own writes did is the same document, before and after its rest.
 */
static void documents_come_without_managed_fields(void **state)
{
    (void)state;
    apps_t *a = apps_new();
    bool is_new;
    struct app *app = put_event(a, "u1", "7", "", &is_new);
    AUTO_JSON event = app_doc(app);
    app_rest(app);
    AUTO_JSON rested = app_doc(app);
    AUTO_JSON doc = document("u1", "7", "");
    app_unref(a, apps_put_own(a, "argocd/shop", "shop", doc));
    AUTO_JSON own = app_doc(app);
    assert_true(json_same(event, rested));
    assert_true(json_same(event, own));
    assert_null(json_at(own, "metadata", "managedFields"));
    assert_non_null(json_at(doc, "metadata", "managedFields"));
    app_unref(a, app);
    apps_free(a);
}

static void another_of_the_same_name_is_another(void **state)
{
    (void)state;
    apps_t *a = apps_new();
    bool is_new;
    struct app *first = put_event(a, "u1", "7", "", &is_new);
    AUTO_JSON answer = document("u2", "9", "");
    assert_null(apps_put_own(a, "argocd/shop", "shop", answer));
    struct app *second = put_event(a, "u2", "8", "", &is_new);
    assert_true(is_new && first != second);
    assert_null(app_doc(first));
    app_unref(a, first);
    app_unref(a, second);
    apps_free(a);
}

TESTS(T(versions_are_told_apart), T(documents_come_without_managed_fields),
      T(another_of_the_same_name_is_another))
