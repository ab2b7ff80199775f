/* Design. /api and /apis are asked for the aggregated form (Kubernetes 1.26 and later), in which case that
 * was all. An older server answers with the names of groups and versions; each of these is then fetched,
 * several at a time. A group whose answer is an error (an aggregated API that is away) is left out and named.
 */
#include "common/kube/discovery.h"
#include "common/base/intern.h"
#include "common/kube/lister.h"

enum { AT_ONCE = 8 };

static const char accept_aggregated[] =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
    "application/json";

/* One group version to be fetched. */
struct fetch {
    kube_t *k;
    char *path, *group, *version;
    bool preferred;
    json_t *document;
    err_t *error;
};
typedef VEC(struct fetch) fetches_t;

static int get_json(kube_t *k, const char *path, const char *accept, json_t **out, err_t **err)
{
    struct http_response response;
    struct kube_call call = {.method = "GET", .path = path, .accept = accept, .idempotent = true};
    int r = kube_call(k, &call, &response, err);
    if (r < 0)
        return r;
    r = json_read(str_text(&response.body), response.body.len, out, err);
    http_response_dispose(&response);
    return r < 0 ? err_wrap(err, "GET %s", path) : 0;
}

static void fetch_one(void *arg)
{
    struct fetch *f = arg;
    get_json(f->k, f->path, NULL, &f->document, &f->error);
}

static void fetch_all(fetches_t *fetches)
{
    pool_t *pool = pool_new("kube-discovery", AT_ONCE, max_size(fetches->n, 1));
    VEC_FOREACH(fetches, f)
        pool_submit(pool, fetch_one, f, NULL);
    pool_free(pool);
}

static void want(fetches_t *fetches, kube_t *k, const char *group, const char *version, bool preferred)
{
    const struct kube_resource names = {.group = group, .version = version, .plural = ""};
    AUTO(free_p) char *path = kube_path(&names, NULL, NULL, NULL);
    path[strlen(path) - 1] = '\0'; /* the slash before the plural */
    struct fetch f = {.k = k,
                      .path = TAKE(path),
                      .group = xstrdup(group),
                      .version = xstrdup(version),
                      .preferred = preferred};
    VEC_PUSH(fetches, f);
}

/* /api: {"kind":"APIVersions","versions":["v1"]}. */
static void want_core(fetches_t *fetches, kube_t *k, const json_t *document)
{
    size_t i;
    json_t *version;
    json_array_foreach(json_object_get(document, "versions"), i, version)
        if (!str_empty(json_string_value(version)))
            want(fetches, k, "", json_string_value(version), i == 0);
}

/* /apis: an APIGroupList. */
static void want_groups(fetches_t *fetches, kube_t *k, const json_t *document)
{
    size_t i, j;
    json_t *group, *version;
    json_array_foreach(json_object_get(document, "groups"), i, group) {
        const char *name = json_str_at(group, "name"),
                   *preferred = json_str_at(group, "preferredVersion", "version");
        json_array_foreach(json_object_get(group, "versions"), j, version) {
            const char *v = json_str_at(version, "version");
            if (!str_empty(name) && !str_empty(v))
                want(fetches, k, name, v, str_eq(v, preferred));
        }
    }
}

static void name_failure(err_t **failures, const char *what, err_t *why)
{
    if (*failures)
        err_set(failures, err_code(*failures), "%s; %s: %s", err_text(*failures), what, err_text(why));
    else
        err_set(failures, err_code(why), "%s: %s", what, err_text(why));
}

static void take_fetched(struct kube_found *found, fetches_t *fetches, err_t **failures)
{
    VEC_FOREACH(fetches, f) {
        if (f->document)
            kube_found_list(found, f->document, f->group, f->version, f->preferred);
        else
            name_failure(failures, f->path, f->error);
        free(f->path);
        free(f->group);
        free(f->version);
        json_decref(f->document);
        err_free(f->error);
    }
    VEC_FREE(fetches);
}

/* One of the two roots; what it only names goes into fetches. */
static void read_root(kube_t *k, const char *path, struct kube_found *found, fetches_t *fetches,
                      err_t **failures)
{
    AUTO_JSON document = NULL;
    AUTO_ERR why = NULL;
    if (get_json(k, path, accept_aggregated, &document, &why) < 0) {
        name_failure(failures, path, why);
    } else if (kube_is_aggregated(document)) {
        AUTO_STR stale = STR_MAX(64 << 10);
        kube_found_aggregated(found, document, &stale);
        if (stale.len) {
            err_set(&why, ERR_UNAVAILABLE, "not up to date");
            name_failure(failures, str_text(&stale), why);
        }
    } else if (strcmp(path, "/api") == 0) {
        want_core(fetches, k, document);
    } else {
        want_groups(fetches, k, document);
    }
}

int kube_discover(kube_t *k, kube_api_t **out, err_t **partial, err_t **err)
{
    struct kube_found found = {};
    fetches_t fetches = {};
    AUTO_ERR failures = NULL;
    read_root(k, "/api", &found, &fetches, &failures);
    read_root(k, "/apis", &found, &fetches, &failures);
    if (fetches.n)
        fetch_all(&fetches);
    take_fetched(&found, &fetches, &failures);
    if (!found.resources.n) {
        kube_found_dispose(&found);
        if (!failures)
            err_set(&failures, ERR_UNAVAILABLE, "%s serves no resources", kube_server(k));
        err_wrap(&failures, "discovery");
        return err_move(err, TAKE(failures));
    }
    *out = kube_api_make(found.resources.v, found.resources.n);
    if (failures)
        err_move(partial, TAKE(failures));
    return 0;
}
