#include "common/engine/mask.h"
#include "common/base/enc.h"
#include "common/base/hash.h"
#include "common/base/map.h"
#include "common/base/vec.h"
#include "common/engine/normalize.h"

/* An object to mask: one given, or one inside a last-applied annotation. */
struct part {
    json_t *object;
    json_t *annotated; /* whose last-applied annotation `object` was read from; NULL for the given ones */
};
typedef VEC(struct part) parts_t;

static char *mask_text(size_t nth)
{
    size_t n = 8 + 4 * nth;
    char *s = xmalloc(n + 1);
    memset(s, '+', n);
    s[n] = 0;
    return s;
}

/* Masks what `field` of every part holds at key, value by value. */
static void mask_key(parts_t *parts, json_t *(*field)(const json_t *), const char *key)
{
    VEC(json_t *) seen = {};
    VEC_FOREACH(parts, p) {
        json_t *map = field(p->object), *v = json_object_get(map, key);
        if (!v)
            continue;
        size_t i = 0;
        while (i < seen.n && !json_same(seen.v[i], v))
            i++;
        if (i == seen.n)
            VEC_PUSH(&seen, json_incref(v));
        AUTO(free_p) char *mask = mask_text(i);
        json_object_set_new_nocheck(map, key, json_str_new(mask));
    }
    VEC_FOREACH(&seen, v)
        json_decref(*v);
    VEC_FREE(&seen);
}

static json_t *data_of(const json_t *o)
{
    return json_object_get(o, "data");
}

static json_t *annotations_of(const json_t *o)
{
    return json_at(o, "metadata", "annotations");
}

static void add_part(parts_t *parts, json_t *object)
{
    if (!object || !object_is_secret(object))
        return;
    normalize_secret(object);
    VEC_PUSH(parts, (struct part){json_incref(object), NULL});
    json_t *applied = object_last_applied(object);
    if (applied) {
        normalize_secret(applied);
        VEC_PUSH(parts, (struct part){applied, object});
    } else if (object_annotation(object, LAST_APPLIED)) {
        object_set_annotation(object, LAST_APPLIED, "++++++++");
    }
}

static void write_back(parts_t *parts)
{
    VEC_FOREACH(parts, p) {
        if (p->annotated && !str_has_prefix(object_annotation(p->annotated, LAST_APPLIED), "++++")) {
            AUTO(free_p) char *text = json_text(p->object, JSON_GO);
            object_set_annotation(p->annotated, LAST_APPLIED, text);
        }
        json_decref(p->object);
    }
    VEC_FREE(parts);
}

void mask_secrets(json_t *const *objects, size_t n, char *const *annotations)
{
    parts_t parts = {};
    for (size_t i = 0; i < n; i++)
        add_part(&parts, objects[i]);
    map_t keys = MAP_INIT(NULL);
    VEC_FOREACH(&parts, p) {
        json_t *data = data_of(p->object);
        for (void *it = json_object_iter(data); it; it = json_object_iter_next(data, it))
            map_put(&keys, json_object_iter_key(it), NULL);
    }
    MAP_FOREACH(&keys, e)
        mask_key(&parts, data_of, e->key);
    map_dispose(&keys);
    for (size_t i = 0; annotations && annotations[i]; i++)
        mask_key(&parts, annotations_of, annotations[i]);
    write_back(&parts);
}

static void store_placeholders(json_t *secret, const unsigned char key[MASK_KEY_SIZE])
{
    json_t *data = data_of(secret);
    for (void *it = json_object_iter(data); it; it = json_object_iter_next(data, it)) {
        json_t *v = json_object_iter_value(it);
        AUTO_STR raw = STR_INIT;
        const char *text = str_or_empty(json_string_value(v));
        /* Two spellings of the same bytes are the same value. */
        if (!base64_decode(text, json_string_length(v), &raw))
            str_add(&raw, text, json_string_length(v));
        if (raw.len == 0)
            continue;
        unsigned char digest[SHA256_SIZE];
        sha256_ctx_t *c = sha256_begin();
        sha256_add(c, key, MASK_KEY_SIZE);
        sha256_field_str(c, json_object_iter_key(it));
        sha256_field(c, str_text(&raw), raw.len);
        sha256_add(c, key, MASK_KEY_SIZE);
        sha256_end(c, digest);
        AUTO_STR coded = STR_INIT;
        base64_encode(digest, sizeof(digest), &coded);
        json_object_iter_set_new(data, it, json_str_new(str_text(&coded)));
        wipe(raw.p, raw.len);
    }
}

void mask_for_storage(json_t *object, const unsigned char key[MASK_KEY_SIZE])
{
    if (!object_is_secret(object))
        return;
    normalize_secret(object);
    store_placeholders(object, key);
    AUTO_JSON applied = object_last_applied(object);
    if (applied) {
        normalize_secret(applied);
        store_placeholders(applied, key);
        AUTO(free_p) char *text = json_text(applied, JSON_GO);
        object_set_annotation(object, LAST_APPLIED, text);
    } else if (object_annotation(object, LAST_APPLIED)) {
        object_set_annotation(object, LAST_APPLIED, "++++++++");
    }
}
