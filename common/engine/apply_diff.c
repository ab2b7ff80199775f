/* Design. Both strategies need to know which lists are maps or sets. Built-in kinds say so in their schemas;
 * for others the owners of fields tell: where somebody owns "k:…" or "v:…", the API server took the list
 * apart, and a list that nobody owns by its items is one value. So no OpenAPI document is needed.
 *
 * Structured merge is the apply itself: target laid over live, then what the manager owned and the target has
 * no more is taken out, unless somebody else owns it too. */
#include "common/engine/apply_diff.h"
#include "common/engine/defaults.h"
#include "common/engine/ownership.h"
#include "common/engine/typed.h"

static const json_t *inside(const json_t *fields, const char *name)
{
    if (!fields)
        return NULL;
    AUTO(free_p) char *key = xasprintf("f:%s", name);
    return json_object_get(fields, key);
}

/* Owned, and nothing said of what is in it. */
static bool whole(const json_t *fields)
{
    return fields && json_object_size(fields) == 0;
}

/* ---- members of lists ---- */

/* How the items of a list are told apart: by the keys (comma-separated), as members of a set, or not at all.
 */
struct list_kind {
    enum list_merge merge;
    char *keys;
};

/* "k:{"a":1,"b":2}" -> "a,b". */
static char *key_names(const char *member)
{
    AUTO_JSON keys = NULL;
    str_t out = STR_INIT;
    if (json_read_str(member + 2, &keys, NULL) < 0 || !json_is_map(keys))
        return NULL;
    AUTO(free_p) const char **names = json_sorted_keys(keys);
    for (size_t i = 0; names[i]; i++)
        str_printf(&out, "%s%s", out.len ? "," : "", names[i]);
    return str_take(&out);
}

static struct list_kind kind_of(const struct schema_field *field, const json_t *all)
{
    if (field && field->apply_merge == LIST_MAP)
        return (struct list_kind){LIST_MAP, xstrdup(str_or_empty(field->apply_keys))};
    if (field && field->apply_merge == LIST_SET)
        return (struct list_kind){.merge = LIST_SET};
    json_t *it_of = (json_t *)(uintptr_t)all;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        char *keys = str_has_prefix(key, "k:") ? key_names(key) : NULL;
        if (keys)
            return (struct list_kind){LIST_MAP, keys};
        if (str_has_prefix(key, "v:"))
            return (struct list_kind){.merge = LIST_SET};
    }
    return (struct list_kind){.merge = LIST_ATOMIC};
}

static const char *default_of(const struct schema *schema, const char *key)
{
    struct schema_field f;
    return schema_field(schema, key, &f) && !str_empty(f.fallback) ? f.fallback : NULL;
}

static bool same_key(const json_t *a, const json_t *b, const char *key, const struct schema *schema)
{
    const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
    const char *fallback = default_of(schema, key);
    if (x && y)
        return json_same(x, y);
    if (!x && !y)
        return true;
    return fallback && str_eq(json_string_value(x ? x : y), fallback);
}

static bool same_item(const struct list_kind *k, const json_t *a, const json_t *b,
                      const struct schema *schema)
{
    if (k->merge == LIST_SET)
        return json_same(a, b);
    AUTO(free_p) char *keys = xstrdup(k->keys);
    char *rest = keys;
    for (const char *key = strsep(&rest, ","); key; key = strsep(&rest, ","))
        if (!same_key(a, b, key, schema))
            return false;
    return true;
}

static const json_t *find(const struct list_kind *k, const json_t *list, const json_t *item,
                          const struct schema *schema)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (same_item(k, json_array_get(list, i), item, schema))
            return json_array_get(list, i);
    return NULL;
}

/* What of the list's owners concerns this item. */
static const json_t *member_of(const json_t *fields, const json_t *item, const struct schema *schema)
{
    AUTO_JSON list = json_array();
    json_array_append(list, (json_t *)(uintptr_t)item);
    json_t *it_of = (json_t *)(uintptr_t)fields;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it))
        if (fields_find_item(list, json_object_iter_key(it), schema) == 0)
            return json_object_iter_value(it);
    return NULL;
}

/* ---- the overlay of a dry run ---- */

static json_t *overlay_list(const json_t *live, const json_t *predicted, const json_t *owned,
                            const json_t *all)
{
    struct list_kind k = kind_of(NULL, all);
    if (k.merge == LIST_ATOMIC)
        return json_copy_deep(owned ? predicted : live);
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(predicted); i++) {
        const json_t *p = json_array_get(predicted, i), *l = find(&k, live, p, NULL);
        const json_t *mine = member_of(owned, p, NULL);
        if (l || mine)
            json_array_append_new(out, apply_overlay(l, p, mine, member_of(all, p, NULL)));
    }
    free(k.keys);
    return out;
}

/* Without a live side, what is owned: all the overlay has. */
json_t *apply_overlay(const json_t *live, const json_t *predicted, const json_t *owned, const json_t *all)
{
    if (whole(owned) || (!live && !json_is_map(predicted) && !json_is_array(predicted)))
        return json_copy_deep(predicted);
    if (json_is_array(predicted) && (!live || json_is_array(live)))
        return overlay_list(live, predicted, owned, all);
    if (!json_is_map(predicted) || (live && !json_is_map(live)))
        return json_copy_deep(owned ? predicted : live);
    json_t *out = json_object(), *it_of = (json_t *)(uintptr_t)predicted;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        const json_t *l = live ? json_object_get(live, key) : NULL, *mine = inside(owned, key);
        if (l || mine)
            json_object_set_new_nocheck(out, key,
                                        apply_overlay(l, json_object_iter_value(it), mine, inside(all, key)));
    }
    return out;
}

/* ---- the apply on paper ---- */

static json_t *merge_field(const json_t *live, const json_t *target, const struct schema_field *field,
                           const json_t *all);

/* In the order of the target; what only the live list has stays behind what it was behind. */
static json_t *merge_list(const json_t *live, const json_t *target, const struct schema_field *field,
                          const json_t *all)
{
    const struct schema *schema = field ? field->schema : NULL;
    struct list_kind k = kind_of(field, all);
    if (k.merge == LIST_ATOMIC)
        return json_copy_deep(target);
    json_t *out = json_array();
    size_t l = 0, nl = json_array_size(live);
    for (size_t t = 0; t < json_array_size(target); t++) {
        const json_t *item = json_array_get(target, t), *is = find(&k, live, item, schema);
        while (is && l < nl && !find(&k, target, json_array_get(live, l), schema))
            json_array_append(out, json_array_get(live, l++));
        if (is && l < nl && json_array_get(live, l) == is)
            l++;
        json_array_append_new(out, is ? apply_merge(is, item, schema, member_of(all, item, schema))
                                      : json_copy_deep(item));
    }
    for (; l < nl; l++)
        if (!find(&k, target, json_array_get(live, l), schema))
            json_array_append(out, json_array_get(live, l));
    free(k.keys);
    AUTO_JSON shared = out;
    return json_copy_deep(shared);
}

static json_t *merge_field(const json_t *live, const json_t *target, const struct schema_field *field,
                           const json_t *all)
{
    if (!live || (field && field->atomic))
        return json_copy_deep(target);
    if (json_is_array(target) && json_is_array(live))
        return merge_list(live, target, field, all);
    if (json_is_map(target) && json_is_map(live))
        return apply_merge(live, target, field && !field->is_map ? field->schema : NULL, all);
    return json_copy_deep(target);
}

json_t *apply_merge(const json_t *live, const json_t *target, const struct schema *schema, const json_t *all)
{
    if (!json_is_map(live) || !json_is_map(target))
        return json_copy_deep(target);
    json_t *out = json_copy_deep(live), *it_of = (json_t *)(uintptr_t)target;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        const json_t *value = json_object_iter_value(it);
        struct schema_field f;
        bool known = schema_field(schema, key, &f);
        if (json_is_null(value))
            continue;
        json_object_set_new_nocheck(
            out, key, merge_field(json_object_get(live, key), value, known ? &f : NULL, inside(all, key)));
    }
    return out;
}

static bool is_void(const json_t *v)
{
    return (json_is_map(v) && !json_object_size(v)) || (json_is_array(v) && !json_array_size(v));
}

static void drop_disowned(json_t *merged, const json_t *target, const json_t *mine, const json_t *others,
                          const struct schema *schema);

static void drop_member(json_t *list, const char *member, const json_t *fields, const json_t *target,
                        const json_t *others, const struct schema *schema)
{
    size_t at = fields_find_item(list, member, schema), wanted = fields_find_item(target, member, schema);
    if (at == json_array_size(list))
        return;
    const json_t *theirs = json_object_get(others, member);
    if (wanted == json_array_size(target) && !theirs)
        json_array_remove(list, at);
    else
        drop_disowned(json_array_get(list, at), json_array_get(target, wanted), fields, theirs, schema);
}

/* Takes out of merged what is mine, not wanted any more, and nobody else's. */
static void drop_disowned(json_t *merged, const json_t *target, const json_t *mine, const json_t *others,
                          const struct schema *schema)
{
    json_t *it_of = (json_t *)(uintptr_t)mine;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it), *name = str_after(key, "f:");
        const json_t *fields = json_object_iter_value(it);
        json_t *have = name ? json_object_get(merged, name) : NULL;
        if (!name && json_is_array(merged))
            drop_member(merged, key, fields, target, others, schema);
        if (!have)
            continue;
        const json_t *wanted = json_object_get(target, name), *theirs = json_object_get(others, key);
        struct schema_field f;
        bool known = schema_field(schema, name, &f);
        if (json_is_null(wanted))
            wanted = NULL;
        if (!whole(fields))
            drop_disowned(have, wanted, fields, theirs, known && !f.is_map ? f.schema : NULL);
        bool empty = whole(fields) || is_void(have);
        if (!wanted && !theirs && empty && !json_is_null(have))
            json_object_del(merged, name);
    }
}

/* ---- the differences ---- */

static const struct schema *schema_of(const json_t *o)
{
    AUTO(free_p) char *group = object_group(o);
    AUTO(free_p) char *version = object_version(o);
    return kind_schema(group, version, object_kind(o));
}

static json_t *prepare(const json_t *o, const struct normalize_options *options)
{
    AUTO_JSON bare = json_copy_deep(o);
    json_drop_at(bare, "metadata", "managedFields");
    json_drop_at(bare, "metadata", "resourceVersion");
    json_drop_at(bare, "metadata", "generation");
    object_drop_annotation(bare, LAST_APPLIED);
    json_t *out = typed_reencode(bare, schema_of(bare));
    if (!out)
        out = json_copy_deep(bare);
    normalize_object(&out, options);
    return out;
}

static void judge(json_t *predicted_take, json_t *live_take, struct diff_result *out)
{
    *out = (struct diff_result){.modified = !json_same(predicted_take, live_take),
                                .normalized_live = live_take,
                                .predicted_live = predicted_take};
}

int diff_structured(const json_t *target, const json_t *live, const char *manager,
                    const struct normalize_options *options, struct diff_result *out, err_t **err)
{
    const json_t *managed = json_at(live, "metadata", "managedFields");
    if (!json_is_map(target) || !json_is_map(live))
        return err_set(err, ERR_INVALID_ARGUMENT, "a structured merge needs two objects");
    const struct schema *schema = schema_of(target);
    AUTO_JSON all = fields_owned(managed, NULL, NULL);
    AUTO_JSON mine = fields_owned(managed, manager, "Apply");
    AUTO_JSON others = fields_owned_by_others(managed, manager, "Apply");
    AUTO_JSON wanted = prepare(target, options);
    AUTO_JSON whole_live = prepare(live, options);
    json_t *is = diff_without_claim_defaults(wanted, whole_live),
           *merged = apply_merge(is, wanted, schema, all);
    drop_disowned(merged, wanted, mine, others, schema);
    if (schema) {
        defaults_apply(merged);
        defaults_apply(is);
    }
    judge(merged, is, out);
    return 0;
}

int diff_server_side(const json_t *predicted, const json_t *live, const char *manager, bool with_webhooks,
                     const struct normalize_options *options, struct diff_result *out, err_t **err)
{
    const json_t *managed = json_at(predicted, "metadata", "managedFields");
    if (!json_array_size(managed))
        return err_set(err, ERR_INTERNAL, "the dry run of %s %s tells no owners of fields", object_kind(live),
                       object_name(live));
    AUTO_JSON result = NULL;
    if (with_webhooks) {
        result = json_copy_deep(predicted);
    } else {
        AUTO_JSON before = fields_owned(json_at(live, "metadata", "managedFields"), NULL, NULL);
        AUTO_JSON after = fields_owned(managed, NULL, NULL);
        AUTO_JSON all = fields_union(before, after);
        AUTO_JSON owned = fields_owned(managed, manager, NULL);
        result = apply_overlay(live, predicted, owned, all);
    }
    json_t *is = prepare(live, options);
    judge(prepare(result, options), is, out);
    return 0;
}
