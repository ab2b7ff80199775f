/* The steps, as Argo CD takes them: both sides through the built-in type, normalised; then the patch that
 * kubectl would send is applied to the live object (for kinds that are built in: strategic; else: JSON
 * merge), API defaults are added to both, and what is left differs or does not. Live objects without a usable
 * last-applied annotation are compared two-way: with the target in its place. */
#include "common/engine/diff.h"
#include "common/engine/defaults.h"
#include "common/engine/strategic.h"
#include "common/engine/typed.h"
#include "common/json/patch.h"

void diff_result_dispose(struct diff_result *r)
{
    json_decref(r->normalized_live);
    json_decref(r->predicted_live);
    *r = (struct diff_result){};
}

static json_t *restrict_list(const json_t *wanted, const json_t *live)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(live); i++) {
        const json_t *w = json_array_get(wanted, i), *l = json_array_get(live, i);
        json_array_append_new(out, w ? json_restrict(w, l) : json_copy_deep(l));
    }
    return out;
}

json_t *json_restrict(const json_t *wanted, const json_t *live)
{
    if (json_is_array(wanted) && json_is_array(live))
        return restrict_list(wanted, live);
    if (!json_is_map(wanted) || !json_is_map(live))
        return json_copy_deep(live);
    json_t *out = json_object(), *it_of = (json_t *)(uintptr_t)wanted;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        const json_t *l = json_object_get(live, key);
        if (l && json_object_set_new_nocheck(out, key, json_restrict(json_object_iter_value(it), l)))
            oom();
    }
    return out;
}

static const struct schema *schema_of(const json_t *o)
{
    AUTO(free_p) char *group = object_group(o);
    AUTO(free_p) char *version = object_version(o);
    return kind_schema(group, version, object_kind(o));
}

/* The form in which an object takes part. */
static json_t *prepare(const json_t *o, const struct normalize_options *options)
{
    if (!o)
        return NULL;
    json_t *out = typed_reencode(o, schema_of(o));
    if (!out)
        out = json_copy_deep(o);
    normalize_object(&out, options);
    return out;
}

/* The namespace and empty annotations are no part of what was asked for. */
static json_t *for_patch(const json_t *o)
{
    json_t *out = json_copy_deep(o), *annotations = json_at(out, "metadata", "annotations");
    json_drop_at(out, "metadata", "namespace");
    if (annotations &&
        (json_is_null(annotations) || (json_is_object(annotations) && !json_object_size(annotations))))
        json_drop_at(out, "metadata", "annotations");
    return out;
}

static bool is_stateful_set(const json_t *o)
{
    return strcmp(object_kind(o), "StatefulSet") == 0 &&
           str_has_prefix(json_str_at(o, "apiVersion"), "apps/");
}

json_t *diff_without_claim_defaults(const json_t *original, const json_t *live)
{
    json_t *out = json_copy_deep(live);
    if (!is_stateful_set(original))
        return out;
    json_t *asked = json_at(original, "spec", "volumeClaimTemplates"),
           *have = json_at(out, "spec", "volumeClaimTemplates");
    if (json_is_array(asked) && json_is_array(have))
        json_put_at(out, restrict_list(asked, have), "spec", "volumeClaimTemplates");
    return out;
}

static int three_way(const json_t *original, const json_t *target, const json_t *live,
                     struct diff_result *out, err_t **err)
{
    AUTO_JSON asked = for_patch(original);
    AUTO_JSON wanted = for_patch(target);
    AUTO_JSON patch = NULL;
    AUTO_JSON predicted = NULL;
    AUTO_JSON normalized = json_copy_deep(live);
    const struct schema *schema = schema_of(original);
    if (schema) {
        AUTO_JSON reduced = diff_without_claim_defaults(asked, live);
        if (strategic_three_way(asked, wanted, reduced, schema, &patch, err) < 0 ||
            strategic_merge_apply(live, patch, schema, &predicted, err) < 0)
            return -(int)err_code(err ? *err : NULL);
        defaults_apply(predicted);
        defaults_apply(normalized);
    } else {
        AUTO_JSON reduced = json_restrict(asked, live);
        patch = json_merge_three_way(asked, wanted, reduced);
        predicted = json_merge_apply(live, patch);
    }
    bool same = json_same(predicted, normalized);
    *out = (struct diff_result){
        .modified = !same, .normalized_live = TAKE(normalized), .predicted_live = TAKE(predicted)};
    return 0;
}

int diff_objects_compare(const json_t *target, const json_t *live, const struct normalize_options *options,
                         struct diff_result *out, err_t **err)
{
    AUTO_JSON t = prepare(target, options);
    AUTO_JSON l = prepare(live, options);
    if (!t || !l) {
        if (!t && !l)
            return err_set(err, ERR_INVALID_ARGUMENT, "neither a target nor a live object to compare");
        *out = (struct diff_result){.modified = t != NULL,
                                    .normalized_live = l ? TAKE(l) : json_null(),
                                    .predicted_live = t ? TAKE(t) : json_null()};
        return 0;
    }
    AUTO_JSON original = object_last_applied(live);
    if (original) {
        normalize_object(&original, options);
        if (three_way(original, t, l, out, NULL) == 0)
            return 0;
    }
    if (three_way(t, t, l, out, err) < 0)
        return err_wrap(err, "compare %s %s", object_kind(target), object_name(target));
    return 0;
}
