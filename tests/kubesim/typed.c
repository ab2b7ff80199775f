#include "tests/kubesim/typed.h"

#include "common/engine/typed.h"

static void drop_unknown(json_t *v, const struct schema *s);

static void drop_in_value(json_t *v, const struct schema_field *f)
{
    json_t *element;
    const char *key;
    size_t i;
    if (f->type != FIELD_OBJECT)
        return;
    if (f->is_list) {
        json_array_foreach(v, i, element)
            drop_unknown(element, f->schema);
    } else if (f->is_map) {
        json_object_foreach(v, key, element)
            drop_unknown(element, f->schema);
    } else {
        drop_unknown(v, f->schema);
    }
}

static void drop_unknown(json_t *v, const struct schema *s)
{
    const char *key;
    json_t *value;
    void *tmp;
    if (!json_is_map(v))
        return;
    json_object_foreach_safe(v, tmp, key, value)
    {
        struct schema_field f;
        if (schema_field(s, key, &f))
            drop_in_value(value, &f);
        else
            json_object_del(v, key);
    }
}

static bool decode_metadata(json_t *object)
{
    const struct schema *s = schema_by_name("meta.v1.ObjectMeta");
    json_t *meta = json_object_get(object, "metadata");
    if (!meta || json_is_null(meta))
        return true;
    drop_unknown(meta, s);
    json_t *decoded = typed_reencode(meta, s);
    if (!decoded)
        return false;
    json_object_set_new(object, "metadata", decoded);
    return true;
}

bool typed_decode(json_t *object, const struct schema *schema)
{
    if (!schema)
        return decode_metadata(object);
    drop_unknown(object, schema);
    AUTO_JSON decoded = typed_reencode(object, schema);
    if (!decoded)
        return false;
    json_object_clear(object);
    json_object_update(object, decoded);
    return true;
}

static void null_timestamp(json_t *owner)
{
    json_t *meta = json_object_get(owner, "metadata");
    if (!json_is_map(owner))
        return;
    if (!json_is_map(meta))
        json_object_set_new(owner, "metadata", meta = json_object());
    if (!json_object_get(meta, "creationTimestamp"))
        json_object_set_new(meta, "creationTimestamp", json_null());
}

void typed_finish(const char *key, int minor, json_t *o)
{
    json_t *spec = json_object_get(o, "spec"), *claim;
    size_t i;
    if (str_has_suffix(key, "roles.rbac.authorization.k8s.io") &&
        !json_array_size(json_object_get(o, "rules")))
        json_object_set_new(o, "rules", json_null());
    if (minor >= 34)
        return;
    null_timestamp(json_object_get(spec, "template"));
    if (strcmp(key, "podtemplates") == 0)
        null_timestamp(json_object_get(o, "template"));
    null_timestamp(json_object_get(spec, "jobTemplate"));
    null_timestamp(json_at(spec, "jobTemplate", "spec", "template"));
    json_array_foreach(json_object_get(spec, "volumeClaimTemplates"), i, claim)
        null_timestamp(claim);
}
