#include "tests/kubesim/schema.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static bool flag(const json_t *schema, const char *name)
{
    return json_is_true(json_object_get(schema, name));
}

static bool is_meta_key(const char *key)
{
    return strcmp(key, "apiVersion") == 0 || strcmp(key, "kind") == 0 || strcmp(key, "metadata") == 0;
}

/* ---- pruning ---- */

static void prune(const json_t *s, json_t *v, bool object_root)
{
    const char *key;
    json_t *member, *items = json_object_get(s, "items"), *more = json_object_get(s, "additionalProperties");
    void *tmp;
    size_t i;
    json_array_foreach(v, i, member)
        prune(items, member, false);
    if (!json_is_map(v))
        return;
    bool keep = flag(s, "x-kubernetes-preserve-unknown-fields"),
         root = object_root || flag(s, "x-kubernetes-embedded-resource");
    json_object_foreach_safe(v, tmp, key, member)
    {
        json_t *sub = json_at(s, "properties", key);
        if (root && is_meta_key(key))
            continue;
        if (sub)
            prune(sub, member, false);
        else if (json_is_map(more))
            prune(more, member, false);
        else if (!keep && !json_is_true(more))
            json_object_del(v, key);
    }
}

void schema_prune(const json_t *schema, json_t *object)
{
    if (schema)
        prune(schema, object, true);
}

/* ---- defaults ---- */

void schema_default(const json_t *s, json_t *v)
{
    const char *key;
    json_t *member, *sub, *items = json_object_get(s, "items"),
                          *more = json_object_get(s, "additionalProperties");
    size_t i;
    json_array_foreach(v, i, member)
        if (items)
            schema_default(items, member);
    if (!json_is_map(v) || !s)
        return;
    json_object_foreach(json_object_get(s, "properties"), key, sub) {
        json_t *fallback = json_object_get(sub, "default");
        member = json_object_get(v, key);
        if (fallback && (!member || (json_is_null(member) && !flag(sub, "nullable"))))
            json_object_set_new(v, key, json_copy_deep(fallback));
        else if (json_is_null(member) && !flag(sub, "nullable"))
            json_object_del(v, key);
        if ((member = json_object_get(v, key)))
            schema_default(sub, member);
    }
    if (!json_is_map(more))
        return;
    json_object_foreach(v, key, member)
        if (!json_at(s, "properties", key))
            schema_default(more, member);
}

/* ---- checks ---- */

static const char *type_of(const json_t *v)
{
    int64_t whole;
    if (json_is_any_number(v))
        return json_to_i64(v, &whole) ? "integer" : "number";
    return json_is_null(v)      ? "null"
           : json_is_string(v)  ? "string"
           : json_is_boolean(v) ? "boolean"
           : json_is_array(v)   ? "array"
                                : "object";
}

static bool type_fits(const json_t *s, const json_t *v)
{
    const char *want = json_str_at(s, "type"), *have = type_of(v);
    if (flag(s, "x-kubernetes-int-or-string"))
        return strcmp(have, "integer") == 0 || strcmp(have, "string") == 0;
    if (json_is_null(v))
        return flag(s, "nullable");
    return str_empty(want) || strcmp(want, have) == 0 ||
           (strcmp(want, "number") == 0 && strcmp(have, "integer") == 0);
}

static bool pattern_matches(const char *pattern, const char *text)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
    if (!re)
        return true;
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(re, NULL);
    int n = pcre2_match(re, (PCRE2_SPTR)text, strlen(text), 0, 0, match, NULL);
    pcre2_match_data_free(match);
    pcre2_code_free(re);
    return n >= 0;
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += (*text & 0xc0) != 0x80;
    return n;
}

static void check_string(json_t **causes, const json_t *s, const json_t *v, const char *path)
{
    const char *text = json_string_value(v), *pattern = json_str_at(s, "pattern");
    AUTO(free_p) char *shown = quoted(text);
    json_t *min = json_object_get(s, "minLength"), *max = json_object_get(s, "maxLength");
    if (max && (json_int_t)characters(text) > json_integer_value(max))
        problem_add(causes, P_INVALID, path, "%s: %s in body should be at most %lld chars long", shown, path,
                    (long long)json_integer_value(max));
    if (min && (json_int_t)characters(text) < json_integer_value(min))
        problem_add(causes, P_INVALID, path, "%s: %s in body should be at least %lld chars long", shown, path,
                    (long long)json_integer_value(min));
    if (pattern && !pattern_matches(pattern, text))
        problem_add(causes, P_INVALID, path, "%s: %s in body should match '%s'", shown, path, pattern);
}

static void check_number(json_t **causes, const json_t *s, const json_t *v, const char *path)
{
    static const struct {
        const char *bound, *exclusive, *text;
        int sign;
    } bounds[] = {{"maximum", "exclusiveMaximum", "less", 1}, {"minimum", "exclusiveMinimum", "greater", -1}};
    AUTO(free_p) char *shown = json_text(v, JSON_GO);
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
        json_t *bound = json_object_get(s, bounds[i].bound);
        bool strict = flag(s, bounds[i].exclusive);
        int cmp = bound ? json_compare(v, bound) * bounds[i].sign : -1;
        AUTO(free_p) char *limit = bound ? json_text(bound, JSON_GO) : NULL;
        if (cmp > 0 || (cmp == 0 && strict))
            problem_add(causes, P_INVALID, path, "%s: %s in body should be %s than %s%s", shown, path,
                        bounds[i].text, strict ? "" : "or equal to ", limit);
    }
}

static void check_enum(json_t **causes, const json_t *s, const json_t *v, const char *path)
{
    json_t *allowed = json_object_get(s, "enum"), *one;
    AUTO_STR list = STR_INIT;
    AUTO(free_p) char *shown = json_text(v, JSON_GO);
    size_t i;
    if (!allowed)
        return;
    json_array_foreach(allowed, i, one) {
        if (json_same(one, v))
            return;
        str_puts(&list, i ? ", " : "");
        json_write(one, JSON_GO, &list);
    }
    problem_add(causes, P_UNSUPPORTED, path, "%s: supported values: %s", shown, str_text(&list));
}

static void check(json_t **causes, const json_t *s, const json_t *v, const char *path);

static void check_object(json_t **causes, const json_t *s, const json_t *v, const char *path)
{
    json_t *name, *member, *more = json_object_get(s, "additionalProperties");
    const char *key;
    size_t i;
    static const char *const embedded[] = {"apiVersion", "kind"};
    for (i = 0; i < ARRAY_LEN(embedded) && flag(s, "x-kubernetes-embedded-resource"); i++) {
        AUTO(free_p) char *at = xasprintf("%s.%s", path, embedded[i]);
        if (str_empty(json_str_at(v, embedded[i])))
            problem_add(causes, P_REQUIRED, at, "must not be empty");
    }
    json_array_foreach(json_object_get(s, "required"), i, name) {
        AUTO(free_p)
        char *at = xasprintf("%s%s%s", path, *path ? "." : "", str_or_empty(json_string_value(name)));
        if (!json_object_get(v, str_or_empty(json_string_value(name))))
            problem_add(causes, P_REQUIRED, at, "%s", "");
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, member) {
        json_t *sub = json_at(s, "properties", key);
        AUTO(free_p) char *at = xasprintf("%s%s%s", path, *path ? "." : "", key);
        if (!sub && json_is_map(more))
            sub = more;
        if (sub)
            check(causes, sub, member, at);
    }
}

static void check_array(json_t **causes, const json_t *s, const json_t *v, const char *path)
{
    json_t *items = json_object_get(s, "items"), *element;
    json_t *min = json_object_get(s, "minItems"), *max = json_object_get(s, "maxItems");
    size_t i, n = json_array_size(v);
    if (max && (json_int_t)n > json_integer_value(max))
        problem_add(causes, P_INVALID, path, "%zu: %s in body should have at most %lld items", n, path,
                    (long long)json_integer_value(max));
    if (min && (json_int_t)n < json_integer_value(min))
        problem_add(causes, P_INVALID, path, "%zu: %s in body should have at least %lld items", n, path,
                    (long long)json_integer_value(min));
    json_array_foreach(v, i, element) {
        AUTO(free_p) char *at = xasprintf("%s[%zu]", path, i);
        if (items)
            check(causes, items, element, at);
    }
}

static void check(json_t **causes, const json_t *s, const json_t *v, const char *path)
{
    if (!type_fits(s, v)) {
        bool either = flag(s, "x-kubernetes-int-or-string");
        problem_add(causes, P_TYPE, path, "\"%s\": %s in body must be of type %s: \"%s\"", type_of(v), path,
                    either ? "integer,string" : str_or_empty(json_str_at(s, "type")), type_of(v));
        return;
    }
    if (json_is_string(v))
        check_string(causes, s, v, path);
    else if (json_is_any_number(v))
        check_number(causes, s, v, path);
    else if (json_is_array(v))
        check_array(causes, s, v, path);
    else if (json_is_map(v))
        check_object(causes, s, v, path);
    if (!json_is_null(v))
        check_enum(causes, s, v, path);
}

void schema_check(const json_t *schema, const json_t *object, json_t **causes)
{
    if (schema)
        check(causes, schema, object, "");
}
