#include "common/engine/typed.h"
#include "common/base/clock.h"
#include "common/base/enc.h"

static bool encode_object(const json_t *v, const struct schema *s, json_t **out);

static json_t *text_value(str_t *s)
{
    json_t *v = json_stringn_nocheck(str_text(s), s->len);
    if (!v)
        oom();
    return v;
}

static json_t *quantity_value(const json_t *v)
{
    AUTO_STR text = STR_INIT;
    AUTO_STR out = STR_INIT;
    if (json_is_any_number(v))
        json_write(v, JSON_GO, &text);
    else if (json_is_string(v))
        str_puts(&text, json_string_value(v));
    return quantity_canonical(str_text(&text), &out) ? text_value(&out) : NULL;
}

static json_t *time_value(const json_t *v, bool micro)
{
    wall_t t;
    char text[RFC3339_TEXT];
    if (!rfc3339_parse(json_string_value(v), &t))
        return NULL;
    if (micro)
        rfc3339_micro(t, text);
    else
        rfc3339(t, text);
    return json_str_new(text);
}

static json_t *duration_value(const json_t *v)
{
    int64_t ns;
    char text[DURATION_TEXT];
    if (!duration_parse(json_string_value(v), false, &ns))
        return NULL;
    duration_format(ns, text);
    return json_str_new(text);
}

static json_t *bytes_value(const json_t *v)
{
    AUTO_STR raw = STR_INIT;
    AUTO_STR out = STR_INIT;
    if (!json_is_string(v) || !base64_decode(json_string_value(v), json_string_length(v), &raw))
        return NULL;
    base64_encode(str_text(&raw), raw.len, &out);
    return text_value(&out);
}

static json_t *same_if(bool right_type, const json_t *v)
{
    return right_type ? json_incref((json_t *)(uintptr_t)v) : NULL;
}

/* One value of the field's type (the element, for lists and maps); NULL when it is of another type. */
static json_t *encode_scalar(const json_t *v, const struct schema_field *f)
{
    int64_t n;
    json_t *object = NULL;
    switch (f->type) {
    case FIELD_STRING:
        return same_if(json_is_string(v), v);
    case FIELD_INT:
        return same_if(json_is_integer(v), v);
    case FIELD_BOOL:
        return same_if(json_is_boolean(v), v);
    case FIELD_FLOAT:
        return same_if(json_is_any_number(v), v);
    case FIELD_QUANTITY:
        return quantity_value(v);
    case FIELD_TIME:
    case FIELD_MICRO_TIME:
        return time_value(v, f->type == FIELD_MICRO_TIME);
    case FIELD_DURATION:
        return duration_value(v);
    case FIELD_INT_OR_STRING:
        return same_if(json_is_string(v) || (json_to_i64(v, &n) && json_is_integer(v)), v);
    case FIELD_BYTES:
        return bytes_value(v);
    case FIELD_OBJECT:
        return encode_object(v, f->schema, &object) ? object : NULL;
    default:
        return json_incref((json_t *)(uintptr_t)v);
    }
}

/* What Go makes of a null inside a list or map: the type's zero value. */
static json_t *zero_of(const struct schema_field *f)
{
    switch (f->type) {
    case FIELD_STRING:
        return json_str_new("");
    case FIELD_INT:
    case FIELD_INT_OR_STRING:
    case FIELD_FLOAT:
        return json_integer(0);
    case FIELD_BOOL:
        return json_false();
    case FIELD_OBJECT:
        return json_object();
    case FIELD_QUANTITY:
        return json_str_new("0");
    default:
        return json_null();
    }
}

static json_t *encode_element(const json_t *v, const struct schema_field *f)
{
    return json_is_null(v) ? zero_of(f) : encode_scalar(v, f);
}

static json_t *encode_list(const json_t *v, const struct schema_field *f)
{
    if (!json_is_array(v))
        return NULL;
    AUTO_JSON out = json_array();
    for (size_t i = 0; i < json_array_size(v); i++) {
        json_t *e = encode_element(json_array_get(v, i), f);
        if (!e)
            return NULL;
        json_array_append_new(out, e);
    }
    return TAKE(out);
}

static json_t *encode_map(const json_t *v, const struct schema_field *f)
{
    if (!json_is_map(v))
        return NULL;
    AUTO_JSON out = json_object();
    json_t *it_of = (json_t *)(uintptr_t)v;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        json_t *e = encode_element(json_object_iter_value(it), f);
        if (!e ||
            json_object_setn_new_nocheck(out, json_object_iter_key(it), json_object_iter_key_len(it), e))
            return NULL;
    }
    return TAKE(out);
}

/* Whether Go leaves the (encoded) value out. */
static bool left_out(const json_t *v, const struct schema_field *f)
{
    if (!f->omit_empty)
        return false;
    if (json_is_null(v))
        return true;
    if (f->pointer)
        return false;
    if (f->is_list || f->is_map)
        return json_array_size(v) == 0 && json_object_size(v) == 0;
    switch (f->type) {
    case FIELD_STRING:
    case FIELD_INT:
    case FIELD_BOOL:
    case FIELD_FLOAT:
    case FIELD_BYTES:
        return json_is_zero(v);
    default:
        return false; /* structs are never empty */
    }
}

static json_t *encode_field(const json_t *v, const struct schema_field *f)
{
    if (json_is_null(v))
        return f->pointer || f->is_list || f->is_map ? json_null() : zero_of(f);
    if (f->is_list)
        return encode_list(v, f);
    return f->is_map ? encode_map(v, f) : encode_scalar(v, f);
}

static bool encode_object(const json_t *v, const struct schema *s, json_t **out)
{
    if (!json_is_map(v))
        return false;
    AUTO_JSON object = json_object();
    json_t *it_of = (json_t *)(uintptr_t)v;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        struct schema_field f;
        if (!schema_field(s, key, &f))
            return false;
        json_t *e = encode_field(json_object_iter_value(it), &f);
        if (!e)
            return false;
        if (left_out(e, &f))
            json_decref(e);
        else if (json_object_set_new_nocheck(object, key, e))
            oom();
    }
    *out = TAKE(object);
    return true;
}

json_t *typed_reencode(const json_t *object, const struct schema *schema)
{
    json_t *out = NULL;
    return schema && encode_object(object, schema, &out) ? out : NULL;
}
