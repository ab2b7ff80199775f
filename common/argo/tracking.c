#include "common/argo/tracking.h"
#include "common/kinds/kinds.h"

#include <ctype.h>

static const char *const method_names[] = {"annotation", "label", "annotation+label"};

enum tracking_method tracking_method_parse(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(method_names); i++)
        if (str_eq(name, method_names[i]))
            return (enum tracking_method)i;
    return TRACK_ANNOTATION;
}

const char *tracking_method_name(enum tracking_method m)
{
    return method_names[m];
}

static bool uses_annotation(const struct tracking *t)
{
    return t->method != TRACK_LABEL;
}

static const char *label_key(const struct tracking *t)
{
    return str_empty(t->label_key) ? LABEL_INSTANCE_DEFAULT : t->label_key;
}

/* "a/b" with exactly one slash. */
static bool split_pair(view_t v, char **first, char **second)
{
    const char *slash = memchr(v.p, '/', v.n);
    if (!slash || memchr(slash + 1, '/', v.n - (size_t)(slash - v.p) - 1))
        return false;
    *first = xstrndup(v.p, (size_t)(slash - v.p));
    *second = xstrndup(slash + 1, v.n - (size_t)(slash - v.p) - 1);
    return true;
}

bool tracking_id_parse(const char *text, struct tracking_id *out)
{
    *out = (struct tracking_id){};
    view_t rest = view_of(text), app, kind;
    if (!text || !view_split(&rest, ':', &app) || !view_split(&rest, ':', &kind) || !rest.p)
        return false;
    if (!split_pair(kind, &out->group, &out->kind) || !split_pair(rest, &out->ns, &out->name)) {
        tracking_id_dispose(out);
        return false;
    }
    out->app = xstrndup(app.p, app.n);
    return true;
}

void tracking_id_dispose(struct tracking_id *id)
{
    free(id->app);
    free(id->group);
    free(id->kind);
    free(id->ns);
    free(id->name);
    *id = (struct tracking_id){};
}

char *tracking_id_format(const char *app, const char *group, const char *kind, const char *ns,
                         const char *name)
{
    return xasprintf("%s:%s/%s:%s/%s", app, str_or_empty(group), kind, str_or_empty(ns), name);
}

char *tracking_owner(const struct tracking *t, const json_t *object)
{
    if (!uses_annotation(t)) {
        const char *app = object_label(object, label_key(t));
        return str_empty(app) ? NULL : xstrdup(app);
    }
    if (!str_empty(t->installation_id) &&
        !str_eq(object_annotation(object, ANNOTATION_INSTALLATION_ID), t->installation_id))
        return NULL;
    struct tracking_id id;
    if (!tracking_id_parse(object_annotation(object, ANNOTATION_TRACKING_ID), &id))
        return NULL;
    char *app = TAKE(id.app);
    tracking_id_dispose(&id);
    if (!*app)
        free(TAKE(app));
    return app;
}

bool tracking_self_reference(const struct tracking *t, const json_t *live, const json_t *target)
{
    if (!uses_annotation(t) || !live)
        return true;
    AUTO(free_p) char *group = object_group(live);
    if (target) {
        AUTO(free_p) char *target_group = object_group(target);
        return strcmp(group, target_group) == 0 && strcmp(object_kind(live), object_kind(target)) == 0 &&
               strcmp(object_name(live), object_name(target)) == 0 &&
               (!*object_namespace(live) || strcmp(object_namespace(live), object_namespace(target)) == 0);
    }
    struct tracking_id id;
    if (!tracking_id_parse(object_annotation(live, ANNOTATION_TRACKING_ID), &id))
        return true;
    bool same = strcmp(id.group, group) == 0 && strcmp(id.kind, object_kind(live)) == 0 &&
                strcmp(id.name, object_name(live)) == 0 &&
                (!*object_namespace(live) || strcmp(id.ns, object_namespace(live)) == 0);
    tracking_id_dispose(&id);
    return same;
}

/* metadata.<field>, made when missing; NULL when it is no map of texts. */
static json_t *text_map(json_t *object, const char *field)
{
    json_t *meta = json_object_get(object, "metadata");
    if (!json_is_map(meta)) {
        meta = json_object();
        json_object_set_new_nocheck(object, "metadata", meta);
    }
    json_t *map = json_object_get(meta, field);
    if (!map || json_is_null(map)) {
        map = json_object();
        json_object_set_new_nocheck(meta, field, map);
    }
    if (!json_is_map(map))
        return NULL;
    for (void *it = json_object_iter(map); it; it = json_object_iter_next(map, it))
        if (!json_is_string(json_object_iter_value(it)))
            return NULL;
    return map;
}

/* Label values end in a letter or digit within 63 characters. */
static void put_short_label(json_t *labels, const char *key, const char *app)
{
    AUTO(free_p) char *value = xstrndup(app, 63);
    size_t n = strlen(value);
    while (n && !isalnum((unsigned char)value[n - 1]))
        value[--n] = 0;
    json_set_str(labels, key, value);
}

static void stamp_annotation(const struct tracking *t, const char *app, const char *ns, json_t *target,
                             json_t *notes)
{
    AUTO(free_p) char *group = object_group(target);
    const char *own = object_namespace(target);
    AUTO(free_p)
    char *id = tracking_id_format(app, group, object_kind(target), *own ? own : ns, object_name(target));
    json_set_str(notes, ANNOTATION_TRACKING_ID, id);
    if (str_empty(t->installation_id))
        json_object_del(notes, ANNOTATION_INSTALLATION_ID);
    else
        json_set_str(notes, ANNOTATION_INSTALLATION_ID, t->installation_id);
}

int tracking_stamp(const struct tracking *t, const char *app, const char *ns, json_t *target, err_t **err)
{
    AUTO(free_p) char *group = object_group(target);
    if (strcmp(group, "apiextensions.k8s.io") == 0 &&
        strcmp(object_kind(target), "CustomResourceDefinition") == 0)
        return 0;
    if (uses_annotation(t)) {
        json_t *notes = text_map(target, "annotations");
        if (!notes)
            return err_set(err, ERR_INVALID_ARGUMENT, "%s %s: metadata.annotations is not a map of texts",
                           object_kind(target), object_name(target));
        stamp_annotation(t, app, ns, target, notes);
    }
    if (t->method == TRACK_ANNOTATION)
        return 0;
    json_t *labels = text_map(target, "labels");
    if (!labels)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s %s: metadata.labels is not a map of texts",
                       object_kind(target), object_name(target));
    if (t->method == TRACK_ANNOTATION_AND_LABEL) {
        put_short_label(labels, label_key(t), app);
        return 0;
    }
    json_set_str(labels, label_key(t), app);
    if (strcmp(label_key(t), LABEL_INSTANCE_LEGACY) == 0 && json_is_map(json_at(target, "spec", "template")))
        json_put_at(target, json_str_new(app), "spec", "template", "metadata", "labels",
                    LABEL_INSTANCE_LEGACY);
    return 0;
}

char *instance_name(const char *app_ns, const char *app_name, const char *control_ns)
{
    if (str_empty(app_ns) || str_eq(app_ns, control_ns))
        return xstrdup(app_name);
    return xasprintf("%s_%s", app_ns, app_name);
}

void tracking_bridge(const struct tracking *t, const json_t *target, json_t *live)
{
    AUTO(free_p) char *group = object_group(live);
    if (!uses_annotation(t) || str_empty(object_label(live, label_key(t))) ||
        (strcmp(group, "apiextensions.k8s.io") == 0 &&
         strcmp(object_kind(live), "CustomResourceDefinition") == 0))
        return;
    const char *wanted = object_annotation(target, ANNOTATION_TRACKING_ID);
    if (str_empty(object_annotation(live, ANNOTATION_TRACKING_ID)) && wanted)
        object_set_annotation(live, ANNOTATION_TRACKING_ID, wanted);
    if (str_empty(object_label(target, label_key(t))))
        json_drop_at(live, "metadata", "labels", label_key(t));
    if (json_object_size(json_at(live, "metadata", "labels")) == 0)
        json_drop_at(live, "metadata", "labels");
}
