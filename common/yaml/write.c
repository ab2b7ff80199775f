#include "common/yaml/emit.h"
#include "common/yaml/order.h"
#include "common/yaml/scalar.h"
#include "common/yaml/yaml.h"

#include <stdio.h>

struct member {
    view_t key;
    json_t *value;
};

static void write_node(struct emitter *e, const json_t *v, bool in_mapping);

/* [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?: a number in base 60 for other YAML 1.1 readers. */
static bool is_base60(view_t v)
{
    static const char digits[] = "0123456789_";
    size_t i = v.n && (v.p[0] == '-' || v.p[0] == '+');
    size_t groups = 0;
    if (i >= v.n || v.p[i] < '0' || v.p[i] > '9')
        return false;
    while (i < v.n && memchr(digits, v.p[i], 11))
        i++;
    for (; i < v.n && v.p[i] == ':'; groups++) {
        size_t n = 0;
        while (n < 2 && i + 1 + n < v.n && memchr(digits, v.p[i + 1 + n], 10))
            n++;
        if (n == 0 || (n == 2 && v.p[i + 1] > '5'))
            return false;
        i += 1 + n;
    }
    if (i < v.n && v.p[i] == '.')
        for (i++; i < v.n && memchr(digits, v.p[i], 11);)
            i++;
    return groups && i == v.n;
}

static enum emit_style style_of(view_t text)
{
    struct scalar s;
    if (memchr(text.p, '\n', text.n))
        return EMIT_LITERAL;
    scalar_resolve(text, &s);
    return s.type == SCALAR_STRING && !is_base60(text) ? EMIT_PLAIN : EMIT_QUOTED;
}

/* The text, with what is no UTF-8 replaced by U+FFFD in scratch. */
static view_t repaired(view_t text, str_t *scratch)
{
    if (utf8_valid(text.p, text.n))
        return text;
    scalar_repair(text, scratch);
    return (view_t){str_text(scratch), scratch->len};
}

static void write_string(struct emitter *e, const json_t *v)
{
    AUTO_STR scratch = STR_INIT;
    view_t text = repaired((view_t){json_string_value(v), json_string_length(v)}, &scratch);
    emit_scalar(e, text, style_of(text), false);
}

/* Numbers are written as goyaml holds them: an integer within 64 bits, or else a double. */
static void write_number(struct emitter *e, const json_t *v)
{
    AUTO_STR text = STR_INIT, number = STR_INIT;
    struct scalar s;
    json_write(v, JSON_GO, &text);
    scalar_resolve((view_t){str_text(&text), text.len}, &s);
    if (s.type == SCALAR_INT)
        str_printf(&number, "%lld", (long long)s.i);
    else if (s.type == SCALAR_UINT)
        str_printf(&number, "%llu", (unsigned long long)s.u);
    else if (s.type == SCALAR_FLOAT)
        scalar_format_float(s.d, false, &number);
    else
        str_puts(&number, str_text(&text));
    emit_scalar(e, (view_t){number.p, number.len}, EMIT_PLAIN, false);
}

static int by_bytes(const void *pa, const void *pb)
{
    const struct member *a = pa, *b = pb;
    int d = memcmp(a->key.p, b->key.p, min_size(a->key.n, b->key.n));
    return d ? d : (a->key.n > b->key.n) - (a->key.n < b->key.n);
}

static int by_key(const void *a, const void *b)
{
    return yaml_key_cmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

/* The natural order is not transitive for some sets of keys (numbers that overflow, zeros within digits).
 * Sorting by bytes first makes the outcome independent of the order of insertion. */
static void sort_members(struct member *members, size_t n)
{
    if (n < 2)
        return;
    qsort(members, n, sizeof(*members), by_bytes);
    qsort(members, n, sizeof(*members), by_key);
}

/* goyaml leaves "<<" plain as a key too, where it would be read as a merge. */
static enum emit_style key_style(view_t key)
{
    return view_eq(key, "<<") ? EMIT_QUOTED : style_of(key);
}

static void write_member(struct emitter *e, const struct member *m)
{
    AUTO_STR scratch = STR_INIT;
    view_t key = repaired(m->key, &scratch);
    emit_indent(e);
    if (emit_is_simple_key(key)) {
        emit_scalar(e, key, key_style(key), true);
        emit_indicator(e, ":", false, false);
    } else {
        emit_indicator(e, "?", true, true);
        emit_scalar(e, key, style_of(key), false);
        emit_indent(e);
        emit_indicator(e, ":", true, true);
    }
    write_node(e, m->value, true);
}

static void write_mapping(struct emitter *e, const json_t *v)
{
    size_t n = json_object_size(v), i = 0;
    AUTO(free_p) struct member *members = xcalloc(n, sizeof(*members));
    json_t *object = (json_t *)(uintptr_t)v; /* jansson's iterators are not const */
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it))
        members[i++] = (struct member){{json_object_iter_key(it), json_object_iter_key_len(it)},
                                       json_object_iter_value(it)};
    sort_members(members, n);
    int indent = e->indent;
    e->indent = indent < 0 ? 0 : indent + 2;
    for (i = 0; i < n; i++)
        write_member(e, &members[i]);
    e->indent = indent;
}

/* Within a mapping the dashes stand below the key. */
static void write_sequence(struct emitter *e, const json_t *v, bool in_mapping)
{
    int indent = e->indent;
    if (indent < 0)
        e->indent = 0;
    else if (!in_mapping || e->indention)
        e->indent += 2;
    for (size_t i = 0; i < json_array_size(v); i++) {
        emit_indent(e);
        emit_indicator(e, "-", true, true);
        write_node(e, json_array_get(v, i), false);
    }
    e->indent = indent;
}

static void write_node(struct emitter *e, const json_t *v, bool in_mapping)
{
    if (json_is_any_number(v))
        write_number(e, v);
    else if (json_is_object(v) && json_object_size(v))
        write_mapping(e, v);
    else if (json_is_array(v) && json_array_size(v))
        write_sequence(e, v, in_mapping);
    else if (json_is_object(v) || json_is_array(v))
        emit_indicator(e, json_is_object(v) ? "{}" : "[]", true, false);
    else if (json_is_string(v))
        write_string(e, v);
    else
        emit_scalar(e,
                    view_of(json_is_true(v)    ? "true"
                            : json_is_false(v) ? "false"
                                               : "null"),
                    EMIT_PLAIN, false);
}

void yaml_write(const json_t *v, str_t *out)
{
    struct emitter e;
    emit_init(&e, out);
    write_node(&e, v, false);
    emit_indent(&e);
}
