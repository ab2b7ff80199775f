/* From the objects that a renderer found to the manifests that are answered. */
#include "common/base/map.h"
#include "repo-server/render.h"

void rendered_add(rendered_objects_t *objects, json_t *doc_take, const char *origin)
{
    VEC_PUSH(objects, (struct rendered_object){doc_take, xstrdup(origin)});
}

void rendered_objects_dispose(rendered_objects_t *objects)
{
    VEC_FOREACH(objects, o) {
        json_decref(o->doc);
        free(o->origin);
    }
    VEC_FREE(objects);
}

void render_output_dispose(struct render_output *out)
{
    VEC_FOREACH(&out->manifests, m)
        free(*m);
    VEC_FREE(&out->manifests);
    VEC_FOREACH(&out->commands, c)
        free(*c);
    VEC_FREE(&out->commands);
    VEC_FOREACH(&out->warnings, w)
        free(*w);
    VEC_FREE(&out->warnings);
    *out = (struct render_output){};
}

enum { MAX_WARNINGS = 100 };

void render_warn(struct render_output *out, const char *fmt, ...)
{
    if (out->warnings.n >= MAX_WARNINGS)
        return;
    va_list ap;
    va_start(ap, fmt);
    VEC_PUSH(&out->warnings, xvasprintf(fmt, ap));
    va_end(ap);
}

/* Which object of which origin has been seen, for a warning about the ones that come twice. */
static void note_identity(map_t *seen, const json_t *doc, const char *origin, struct render_output *out)
{
    const char *api = str_or_empty(json_str_at(doc, "apiVersion")),
               *kind = str_or_empty(json_str_at(doc, "kind"));
    const char *ns = str_or_empty(json_str_at(doc, "metadata", "namespace"));
    const char *name = str_or_empty(json_str_at(doc, "metadata", "name"));
    const char *slash = strchr(api, '/');
    AUTO(free_p) char *key = xasprintf("%.*s/%s/%s/%s", slash ? (int)(slash - api) : 0, api, kind, ns, name);
    const char *first = map_get(seen, key);
    if (!*name)
        return; /* generateName: every one is another */
    if (first)
        render_warn(out, "%s %s%s%s of %s is also in %s: the last one wins", kind, ns, *ns ? "/" : "", name,
                    first, origin);
    else
        map_put(seen, key, xstrdup(origin));
}

static int finish_one(const struct render_input *in, map_t *seen, json_t *doc, const char *origin,
                      struct render_output *out, err_t **err)
{
    if (json_object_size(doc) == 0)
        return 0;
    note_identity(seen, doc, origin, out);
    if (!str_empty(in->tracking.label_key) && !str_empty(in->app_name)) {
        int r = tracking_stamp(&in->tracking, in->app_name, str_or_empty(in->namespace), doc, err);
        if (r < 0)
            return err_wrap(err, "failed to set app instance tracking info on manifest: %s", origin);
    }
    VEC_PUSH(&out->manifests, json_text(doc, JSON_GO));
    return 0;
}

/* Any object with a list `items` is its elements, whatever its kind; one with a null there and nothing else
 * is nothing. */
static int expand(const struct render_input *in, map_t *seen, const struct rendered_object *o,
                  struct render_output *out, err_t **err)
{
    const json_t *items = json_object_get(o->doc, "items");
    if (json_is_null(items) && !json_object_get(o->doc, "spec") && !json_object_get(o->doc, "status"))
        return 0;
    if (!json_is_array(items))
        return finish_one(in, seen, o->doc, o->origin, out, err);
    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);
        AUTO(free_p) char *origin = xasprintf("%s, item %zu", o->origin, i + 1);
        if (!json_is_map(item))
            return err_set(err, ERR_FAILED_PRECONDITION, "%s: items member is not an object", origin);
        int r = finish_one(in, seen, item, origin, out, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int manifests_finish(const struct render_input *in, rendered_objects_t *objects, struct render_output *out,
                     err_t **err)
{
    map_t seen = MAP_INIT(free);
    int r = 0;
    VEC_FOREACH(objects, o) {
        r = expand(in, &seen, o, out, err);
        if (r < 0)
            break;
    }
    map_dispose(&seen);
    return r;
}
