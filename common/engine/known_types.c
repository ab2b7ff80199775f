#include "common/engine/known_types.h"
#include "common/base/clock.h"
#include "common/engine/typed.h"

static const struct known_type built_in = {"argoproj.io", "Rollout", "spec.template.spec", "core/v1/PodSpec"};

/* "core/v1/PodSpec" -> core.v1.PodSpec. */
static const struct schema *schema_of(const char *type)
{
    AUTO(free_p) char *name = xstrdup(type);
    for (char *p = name; *p; p++)
        if (*p == '/')
            *p = '.';
    return schema_by_name(name);
}

static bool is_quantity(const char *type)
{
    return strcmp(type, "core/Quantity") == 0;
}

static bool is_duration(const char *type)
{
    return strcmp(type, "meta/v1/Duration") == 0;
}

bool known_type_exists(const char *type)
{
    return is_quantity(type) || is_duration(type) || schema_of(type);
}

static json_t *quantity(const json_t *v)
{
    AUTO_STR text = STR_INIT;
    AUTO_STR out = STR_INIT;
    if (json_is_string(v))
        str_puts(&text, json_string_value(v));
    else if (json_is_any_number(v))
        json_write(v, JSON_GO, &text);
    return text.len && quantity_canonical(str_text(&text), &out) ? json_str_new(str_text(&out)) : NULL;
}

static json_t *duration(const json_t *v)
{
    int64_t ns;
    char text[DURATION_TEXT];
    if (!json_is_string(v) || !duration_parse(json_string_value(v), false, &ns))
        return NULL;
    duration_format(ns, text);
    return json_str_new(text);
}

/* The value written the usual way; NULL when it is of another type. */
static json_t *rewrite(const json_t *v, const char *type)
{
    if (is_quantity(type))
        return quantity(v);
    return is_duration(type) ? duration(v) : typed_reencode(v, schema_of(type));
}

static void apply_at(json_t *object, view_t path, const char *type);

static void apply_to_items(json_t *list, view_t rest, const char *type)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        json_t *written = rest.p || !json_is_map(item) ? NULL : rewrite(item, type);
        if (rest.p)
            apply_at(item, rest, type);
        else if (written)
            json_array_set_new(list, i, written);
    }
}

static void apply_at(json_t *object, view_t path, const char *type)
{
    view_t name;
    if (!view_split(&path, '.', &name) || !json_is_map(object))
        return;
    json_t *v = json_object_getn(object, name.p, name.n);
    if (json_is_array(v)) {
        apply_to_items(v, path, type);
    } else if (path.p) {
        apply_at(v, path, type);
    } else if (v) {
        json_t *written = rewrite(v, type);
        if (written)
            json_object_setn_new_nocheck(object, name.p, name.n, written);
    }
}

static bool concerns(const struct known_type *t, const json_t *object, const char *group)
{
    return strcmp(t->kind, object_kind(object)) == 0 && strcmp(t->group, group) == 0;
}

void known_types_apply(json_t *object, const struct known_type *types, size_t n)
{
    AUTO(free_p) char *group = object_group(object);
    bool told = false;
    for (size_t i = 0; i < n; i++) {
        if (!concerns(&types[i], object, group))
            continue;
        told = true;
        apply_at(object, view_of(types[i].field), types[i].type);
    }
    if (!told && concerns(&built_in, object, group))
        apply_at(object, view_of(built_in.field), built_in.type);
}
