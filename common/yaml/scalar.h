/* What a YAML scalar means: goyaml v2's resolution of plain text and tags. */
#ifndef CARGOCD_YAML_SCALAR_H
#define CARGOCD_YAML_SCALAR_H

#include "common/json/json.h"

enum scalar_type {
    SCALAR_STRING,
    SCALAR_TIMESTAMP, /* read as its text, but written quoted */
    SCALAR_NULL,
    SCALAR_BOOL,
    SCALAR_INT,
    SCALAR_UINT, /* beyond int64 */
    SCALAR_FLOAT,
    SCALAR_BINARY, /* text is base64 */
};

struct scalar {
    enum scalar_type type;
    view_t text; /* as written, borrowed */
    union {
        bool truth;
        int64_t i;
        uint64_t u;
        double d;
    };
};

/* The meaning of an untagged plain scalar. */
void scalar_resolve(view_t text, struct scalar *out);
/* The same under a tag in its long form ("tag:yaml.org,2002:int"); unknown tags make strings. When the text
 * is no value of that type: ERR_INVALID_ARGUMENT, without a position. */
int scalar_resolve_tagged(view_t text, const char *tag, struct scalar *out, err_t **err);

/* The JSON value; NULL for what JSON cannot say (infinities, NaN) and for malformed base64. */
json_t *scalar_value(const struct scalar *s) MUST_USE;
/* The text that a mapping key of this value becomes; false for keys that sigs.k8s.io/yaml refuses (null,
 * integers beyond int64, malformed base64). */
bool scalar_key(const struct scalar *s, str_t *out);

/* Adds the bytes, those that are no UTF-8 as U+FFFD one by one, as Go's json.Marshal does. */
void scalar_repair(view_t bytes, str_t *out);
/* A double as strconv.FormatFloat(v, 'g', -1, 64 or 32) writes it: "1e+06", "0.1"; infinities as YAML's
 * ".inf". */
void scalar_format_float(double v, bool single_precision, str_t *out);

#endif
