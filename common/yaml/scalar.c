#include "common/yaml/scalar.h"
#include "common/base/enc.h"

#include <math.h>
#include <stdio.h>

/* ---- tags ---- */

enum { TAG_STR, TAG_BOOL, TAG_INT, TAG_FLOAT, TAG_NULL, TAG_TIMESTAMP, TAG_BINARY, TAG_OTHER };

static const char *const tag_names[] = {"str", "bool", "int", "float", "null", "timestamp", "binary"};

static int tag_of(const char *tag)
{
    const char *name = str_after(tag, "tag:yaml.org,2002:");
    for (int i = 0; name && i < TAG_OTHER; i++)
        if (strcmp(name, tag_names[i]) == 0)
            return i;
    return TAG_OTHER;
}

static bool fits_tag(struct scalar *s, int tag)
{
    switch (s->type) {
    case SCALAR_NULL:
        return tag == TAG_NULL;
    case SCALAR_BOOL:
        return tag == TAG_BOOL;
    case SCALAR_INT:
        if (tag == TAG_FLOAT) {
            s->type = SCALAR_FLOAT;
            s->d = (double)s->i;
        }
        return tag == TAG_INT || tag == TAG_FLOAT;
    case SCALAR_UINT:
        return tag == TAG_INT;
    case SCALAR_FLOAT:
        return tag == TAG_FLOAT;
    case SCALAR_TIMESTAMP:
        return tag == TAG_TIMESTAMP;
    default:
        return false;
    }
}

int scalar_resolve_tagged(view_t text, const char *tag, struct scalar *out, err_t **err)
{
    int t = tag_of(tag);
    if (t == TAG_STR || t == TAG_BINARY || t == TAG_OTHER) {
        *out = (struct scalar){.type = t == TAG_BINARY ? SCALAR_BINARY : SCALAR_STRING, .text = text};
        return 0;
    }
    scalar_resolve(text, out);
    if (fits_tag(out, t))
        return 0;
    int shown = (int)min_size(text.n, 40);
    return err_set(err, ERR_INVALID_ARGUMENT, "\"%.*s\" is no !!%s", shown, text.p, tag_names[t]);
}

/* ---- values and keys ---- */

/* Decodes as Go's base64.StdEncoding: padded, standard alphabet, line breaks skipped. */
static bool decode_binary(view_t text, str_t *out)
{
    size_t symbols = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '-' || text.p[i] == '_')
            return false;
        symbols += text.p[i] != '\n' && text.p[i] != '\r';
    }
    return symbols % 4 == 0 && base64_decode(text.p, text.n, out);
}

void scalar_repair(view_t bytes, str_t *out)
{
    for (size_t i = 0; i < bytes.n;) {
        uint32_t cp;
        size_t len = utf8_decode(bytes.p + i, bytes.n - i, &cp);
        if (len)
            str_add(out, bytes.p + i, len);
        else
            str_puts(out, "\xef\xbf\xbd");
        i += len ? len : 1;
    }
}

static bool add_binary(view_t text, str_t *out)
{
    AUTO_STR bytes = STR_INIT;
    if (!decode_binary(text, &bytes))
        return false;
    scalar_repair((view_t){str_text(&bytes), bytes.len}, out);
    return true;
}

static json_t *number_value(double d)
{
    if (!isfinite(d))
        return NULL;
    if (fabs(d) < 9007199254740992.0 && d == (double)(int64_t)d && (d != 0 || !signbit(d)))
        return json_integer((json_int_t)d);
    AUTO_STR text = STR_INIT;
    json_write_double(d, &text);
    return json_number_of(text.p, text.len);
}

static json_t *binary_value(view_t text)
{
    AUTO_STR bytes = STR_INIT;
    return add_binary(text, &bytes) ? json_stringn_nocheck(str_text(&bytes), bytes.len) : NULL;
}

json_t *scalar_value(const struct scalar *s)
{
    char digits[32];
    switch (s->type) {
    case SCALAR_NULL:
        return json_null();
    case SCALAR_BOOL:
        return json_boolean(s->truth);
    case SCALAR_INT:
        return json_integer(s->i);
    case SCALAR_UINT:
        return json_number_of(digits,
                              (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)s->u));
    case SCALAR_FLOAT:
        return number_value(s->d);
    case SCALAR_BINARY:
        return binary_value(s->text);
    default:
        return json_stringn_nocheck(s->text.p, s->text.n);
    }
}

bool scalar_key(const struct scalar *s, str_t *out)
{
    switch (s->type) {
    case SCALAR_NULL:
    case SCALAR_UINT:
        return false;
    case SCALAR_BOOL:
        str_puts(out, s->truth ? "true" : "false");
        return true;
    case SCALAR_INT:
        str_printf(out, "%lld", (long long)s->i);
        return true;
    case SCALAR_FLOAT:
        scalar_format_float(s->d, true, out);
        return true;
    case SCALAR_BINARY:
        return add_binary(s->text, out);
    default:
        str_add(out, s->text.p, s->text.n);
        return true;
    }
}

/* "d.ddde±dd" with the fewest digits that read back. */
static void shortest_digits(double v, bool single_precision, char out[40])
{
    for (int precision = 0; precision < 18; precision++) {
        snprintf(out, 40, "%.*e", precision, v);
        if (single_precision ? strtof(out, NULL) == (float)v : strtod(out, NULL) == v)
            return;
    }
}

void scalar_format_float(double v, bool single_precision, str_t *out)
{
    if (single_precision)
        v = (float)v;
    if (isnan(v) || isinf(v)) {
        str_puts(out, isnan(v) ? ".nan" : v < 0 ? "-.inf" : ".inf");
        return;
    }
    char text[40];
    shortest_digits(v, single_precision, text);
    char *e = strchr(text, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    if (exponent < -4 || exponent >= 6) {
        str_puts(out, text);
        return;
    }
    char *point = strchr(text, '.');
    int decimals = (point ? (int)(e - point) - 1 : 0) - exponent;
    str_printf(out, "%.*f", decimals > 0 ? decimals : 0, v);
}
