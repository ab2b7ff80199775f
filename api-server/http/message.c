#include "api-server/http/message.h"

#include "common/base/clock.h"
#include "common/base/enc.h"

#include <strings.h>

#define META "k8s.io.apimachinery.pkg.apis.meta.v1."
#define V1   "github.com.argoproj.argo_cd.v3.pkg.apis.application.v1alpha1."

/* Messages whose JSON form is not an object of their fields. */
enum special { SPECIAL_NONE, SPECIAL_TIME, SPECIAL_ANY, SPECIAL_TEXT, SPECIAL_INT_OR_STRING };
static const struct {
    const char *name;
    enum special special;
} specials[] = {
    {META "Time", SPECIAL_TIME},
    {META "MicroTime", SPECIAL_TIME},
    {META "Duration", SPECIAL_TEXT},
    {META "RawExtension", SPECIAL_ANY},
    {META "FieldsV1", SPECIAL_ANY},
    {META "IntOrString", SPECIAL_INT_OR_STRING},
    {V1 "OverrideIgnoreDiff", SPECIAL_TEXT},
    {V1 "OptionalMap", SPECIAL_ANY},
    {V1 "OptionalArray", SPECIAL_ANY},
};

static enum special special_of(const ProtobufCMessageDescriptor *m)
{
    for (size_t i = 0; i < ARRAY_LEN(specials); i++)
        if (!strcmp(m->name, specials[i].name))
            return specials[i].special;
    return SPECIAL_NONE;
}

const char *message_json_name(const ProtobufCMessageDescriptor *m, const ProtobufCFieldDescriptor *f)
{
    for (size_t i = 0; i < api_njson_names; i++)
        if (api_json_names[i].message == m && !strcmp(api_json_names[i].field, f->name))
            return api_json_names[i].json;
    return f->name;
}

static bool is_inlined(const ProtobufCMessageDescriptor *m, const ProtobufCFieldDescriptor *f)
{
    for (size_t i = 0; i < api_ninlined; i++)
        if (api_inlined[i].message == m && !strcmp(api_inlined[i].field, f->name))
            return true;
    return false;
}

static bool same(const char *a, const char *b, size_t n, bool exact)
{
    return strlen(a) == n && !(exact ? strncmp(a, b, n) : strncasecmp(a, b, n));
}

static const ProtobufCFieldDescriptor *lookup(const ProtobufCMessageDescriptor *m, const char *key, size_t n,
                                              bool exact)
{
    for (unsigned i = 0; i < m->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->fields[i];
        if (same(f->name, key, n, exact) || same(message_json_name(m, f), key, n, exact))
            return f;
    }
    return NULL;
}

const ProtobufCFieldDescriptor *message_field(const ProtobufCMessageDescriptor *m, const char *key, size_t n)
{
    return lookup(m, key, n, true);
}

/* protoc makes "labels" a repeated message "LabelsEntry" of key and value. */
bool message_is_map(const ProtobufCFieldDescriptor *f)
{
    if (f->label != PROTOBUF_C_LABEL_REPEATED || f->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    const ProtobufCMessageDescriptor *e = f->descriptor;
    return str_has_suffix(e->short_name, "Entry") && e->n_fields == 2 && !strcmp(e->fields[0].name, "key") &&
           !strcmp(e->fields[1].name, "value");
}

bool message_is_kubernetes(const ProtobufCMessageDescriptor *m)
{
    return str_has_prefix(m->name, V1) || str_has_prefix(m->name, META);
}

/* ---- values ---- */

static const char *type_name(const json_t *v)
{
    return json_is_string(v)       ? "string"
           : json_is_boolean(v)    ? "bool"
           : json_is_any_number(v) ? "number"
           : json_is_array(v)      ? "array"
           : json_is_null(v)       ? "null"
                                   : "object";
}

static const char *go_type(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        return "string";
    case PROTOBUF_C_TYPE_BOOL:
        return "bool";
    case PROTOBUF_C_TYPE_INT32:
        return "int32";
    case PROTOBUF_C_TYPE_INT64:
        return "int64";
    case PROTOBUF_C_TYPE_BYTES:
        return "[]uint8";
    default:
        return ((const ProtobufCMessageDescriptor *)f->descriptor)->short_name;
    }
}

static int mismatch(const ProtobufCMessageDescriptor *m, const ProtobufCFieldDescriptor *f, const json_t *v,
                    err_t **err)
{
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "json: cannot unmarshal %s into Go struct field %s.%s of type %s", type_name(v),
                   m->short_name, message_json_name(m, f), go_type(f));
}

static bool fits_int32(int64_t v)
{
    return v >= INT32_MIN && v <= INT32_MAX;
}

static bool scalar_ok(const ProtobufCFieldDescriptor *f, const json_t *v)
{
    int64_t i;
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        return json_is_string(v);
    case PROTOBUF_C_TYPE_BOOL:
        return json_is_boolean(v);
    case PROTOBUF_C_TYPE_INT64:
        return json_to_i64(v, &i);
    case PROTOBUF_C_TYPE_INT32:
        return json_to_i64(v, &i) && fits_int32(i);
    case PROTOBUF_C_TYPE_BYTES: {
        AUTO_STR bytes = STR_INIT;
        return json_is_string(v) && base64_decode(json_string_value(v), json_string_length(v), &bytes);
    }
    default:
        return false;
    }
}

static int accept_message(const ProtobufCMessageDescriptor *owner, const ProtobufCFieldDescriptor *f,
                          json_t *v, json_t **out, err_t **err)
{
    const ProtobufCMessageDescriptor *m = f->descriptor;
    wall_t t;
    int64_t i;
    bool ok = true;
    switch (special_of(m)) {
    case SPECIAL_NONE:
        if (!json_is_map(v))
            return mismatch(owner, f, v, err);
        return message_accept(m, v, out, err);
    case SPECIAL_TIME:
        ok = json_is_string(v);
        if (ok && !rfc3339_parse(json_string_value(v), &t))
            return err_set(err, ERR_INVALID_ARGUMENT, "parsing time \"%s\" as \"2006-01-02T15:04:05Z07:00\"",
                           json_string_value(v));
        break;
    case SPECIAL_TEXT:
        ok = json_is_string(v);
        break;
    case SPECIAL_INT_OR_STRING:
        ok = json_is_string(v) || (json_to_i64(v, &i) && fits_int32(i));
        break;
    case SPECIAL_ANY:
        break;
    }
    if (!ok)
        return mismatch(owner, f, v, err);
    *out = json_incref(v);
    return 0;
}

static int accept_one(const ProtobufCMessageDescriptor *m, const ProtobufCFieldDescriptor *f, json_t *v,
                      json_t **out, err_t **err)
{
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return accept_message(m, f, v, out, err);
    if (!scalar_ok(f, v))
        return mismatch(m, f, v, err);
    *out = json_incref(v);
    return 0;
}

static int accept_list(const ProtobufCMessageDescriptor *m, const ProtobufCFieldDescriptor *f, json_t *v,
                       json_t **out, err_t **err)
{
    if (!json_is_array(v))
        return mismatch(m, f, v, err);
    AUTO_JSON list = json_array();
    size_t i;
    json_t *e;
    json_array_foreach(v, i, e) {
        json_t *item = NULL;
        int rc = accept_one(m, f, e, &item, err);
        if (rc < 0)
            return rc;
        json_array_append_new(list, item);
    }
    *out = TAKE(list);
    return 0;
}

static int accept_map(const ProtobufCMessageDescriptor *m, const ProtobufCFieldDescriptor *f, json_t *v,
                      json_t **out, err_t **err)
{
    const ProtobufCMessageDescriptor *entry = f->descriptor;
    if (!json_is_map(v))
        return mismatch(m, f, v, err);
    AUTO_JSON object = json_object();
    const char *key;
    json_t *e;
    json_object_foreach(v, key, e) {
        json_t *item = NULL;
        int rc = json_is_null(e) ? 0 : accept_one(m, &entry->fields[1], e, &item, err);
        if (rc < 0)
            return rc;
        if (item)
            json_object_set_new(object, key, item);
    }
    *out = TAKE(object);
    return 0;
}

int message_accept_field(const ProtobufCMessageDescriptor *m, const ProtobufCFieldDescriptor *f,
                         json_t *value, json_t **out, err_t **err)
{
    if (message_is_map(f))
        return accept_map(m, f, value, out, err);
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return accept_list(m, f, value, out, err);
    return accept_one(m, f, value, out, err);
}

/* The field that a key of m's object belongs to: of m, or of a message inlined into it. */
static const ProtobufCFieldDescriptor *resolve(const ProtobufCMessageDescriptor **m, const char *key,
                                               bool exact)
{
    const ProtobufCMessageDescriptor *at = *m;
    const ProtobufCFieldDescriptor *f = lookup(at, key, strlen(key), exact);
    if (f && !is_inlined(at, f))
        return f;
    if (f && special_of(f->descriptor) != SPECIAL_NONE)
        return f; /* written beside its siblings already */
    for (unsigned i = 0; i < at->n_fields; i++)
        if (is_inlined(at, &at->fields[i])) {
            const ProtobufCMessageDescriptor *inner = at->fields[i].descriptor;
            if ((f = resolve(&inner, key, exact))) {
                *m = inner;
                return f;
            }
        }
    return NULL;
}

int message_accept(const ProtobufCMessageDescriptor *m, json_t *value, json_t **out, err_t **err)
{
    if (!json_is_map(value))
        return err_set(err, ERR_INVALID_ARGUMENT, "json: cannot unmarshal %s into Go value of type %s",
                       type_name(value), m->short_name);
    AUTO_JSON object = json_object();
    const char *key;
    json_t *v;
    json_object_foreach(value, key, v) {
        const ProtobufCMessageDescriptor *owner = m;
        const ProtobufCFieldDescriptor *f = resolve(&owner, key, true);
        if (!f)
            f = resolve(&owner, key, false);
        if (!f && message_is_kubernetes(m))
            json_object_set(object, key, v);
        if (!f || json_is_null(v))
            continue;
        json_t *accepted = NULL;
        int rc = message_accept_field(owner, f, v, &accepted, err);
        if (rc < 0)
            return rc;
        json_object_set_new(object, message_json_name(owner, f), accepted);
    }
    *out = TAKE(object);
    return 0;
}

/* ---- texts ---- */

/* Go's strconv with base 0: 0x, 0o, 0b and a leading 0 choose the base. */
static bool parse_int(const char *text, int64_t *out)
{
    const char *p = text + (*text == '-' || *text == '+');
    int base = 10;
    if (p[0] == '0' && p[1]) {
        char c = p[1] | 0x20;
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        p += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
    }
    uint64_t v = 0;
    if (!*p)
        return false;
    for (; *p; p++) {
        int d = *p >= '0' && *p <= '9'                     ? *p - '0'
                : (*p | 0x20) >= 'a' && (*p | 0x20) <= 'f' ? (*p | 0x20) - 'a' + 10
                                                           : 99;
        if (d >= base || v > (UINT64_MAX - (unsigned)d) / (unsigned)base)
            return false;
        v = v * (unsigned)base + (unsigned)d;
    }
    bool negative = *text == '-';
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

int message_parse_scalar(const ProtobufCFieldDescriptor *f, const char *text, json_t **out, err_t **err)
{
    bool b;
    int64_t i;
    AUTO_STR bytes = STR_INIT;
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (!utf8_valid(text, strlen(text)))
            return err_set(err, ERR_INVALID_ARGUMENT, "invalid UTF-8 in %s", f->name);
        *out = json_string(text);
        return 0;
    case PROTOBUF_C_TYPE_BOOL:
        if (!str_to_bool(text, &b))
            return err_set(err, ERR_INVALID_ARGUMENT, "strconv.ParseBool: parsing \"%s\": invalid syntax",
                           text);
        *out = json_boolean(b);
        return 0;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_INT64:
        if (!parse_int(text, &i) || (f->type == PROTOBUF_C_TYPE_INT32 && !fits_int32(i)))
            return err_set(err, ERR_INVALID_ARGUMENT, "strconv.ParseInt: parsing \"%s\": invalid syntax",
                           text);
        *out = json_integer(i);
        return 0;
    case PROTOBUF_C_TYPE_BYTES:
        if (!base64_decode(text, strlen(text), &bytes))
            return err_set(err, ERR_INVALID_ARGUMENT, "illegal base64 data in %s", f->name);
        *out = json_string(text);
        return 0;
    default:
        return err_set(err, ERR_INVALID_ARGUMENT, "field %s cannot be given as a text", f->name);
    }
}

static int put_leaf(const ProtobufCMessageDescriptor *m, const ProtobufCFieldDescriptor *f, json_t *object,
                    const char *text, err_t **err)
{
    json_t *v = NULL;
    const char *key = message_json_name(m, f);
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return 0; /* repeated messages cannot come from a query */
    int rc = message_parse_scalar(f, text, &v, err);
    if (rc < 0)
        return rc;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        json_t *list = json_object_get(object, key);
        if (!json_is_array(list))
            json_object_set_new(object, key, list = json_array());
        json_array_append_new(list, v);
    } else
        json_object_set_new(object, key, v);
    return 0;
}

static json_t *child_object(json_t *object, const char *key)
{
    json_t *child = json_object_get(object, key);
    if (!json_is_map(child))
        json_object_set_new(object, key, child = json_object());
    return child;
}

/* labels[x]=y */
static int put_entry(const ProtobufCMessageDescriptor *m, const ProtobufCFieldDescriptor *f, json_t *object,
                     view_t key, const char *text, err_t **err)
{
    const ProtobufCMessageDescriptor *entry = f->descriptor;
    json_t *v = NULL;
    if (entry->fields[1].type == PROTOBUF_C_TYPE_MESSAGE || !utf8_valid(key.p, key.n))
        return 0;
    int rc = message_parse_scalar(&entry->fields[1], text, &v, err);
    if (rc < 0)
        return rc;
    AUTO(free_p) char *name = xstrndup(key.p, key.n);
    json_object_set_new(child_object(object, message_json_name(m, f)), name, v);
    return 0;
}

int message_put_path(const ProtobufCMessageDescriptor *m, json_t *object, const char *path, const char *text,
                     err_t **err)
{
    for (int depth = 0; depth < 16; depth++) {
        size_t n = strcspn(path, ".[");
        const ProtobufCFieldDescriptor *f = message_field(m, path, n);
        if (!f)
            return 0;
        const char *rest = path + n;
        if (!*rest)
            return put_leaf(m, f, object, text, err);
        if (*rest == '[') {
            size_t len = strlen(rest);
            if (!message_is_map(f) || rest[len - 1] != ']' || len < 2)
                return 0;
            return put_entry(m, f, object, (view_t){rest + 1, len - 2}, text, err);
        }
        if (f->type != PROTOBUF_C_TYPE_MESSAGE || f->label == PROTOBUF_C_LABEL_REPEATED)
            return 0;
        object = child_object(object, message_json_name(m, f));
        m = f->descriptor;
        path = rest + 1;
    }
    return 0;
}

int message_check_required(const ProtobufCMessageDescriptor *m, const json_t *object, err_t **err)
{
    for (unsigned i = 0; i < m->n_fields; i++)
        if (m->fields[i].label == PROTOBUF_C_LABEL_REQUIRED &&
            !json_object_get(object, message_json_name(m, &m->fields[i])))
            return err_set(err, ERR_INTERNAL,
                           "grpc: error while marshaling: proto: required field \"%s\" not set",
                           m->fields[i].name);
    return 0;
}
