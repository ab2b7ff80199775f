#include "common/json/project.h"
#include "common/json/scan.h"
#include "common/base/vec.h"

struct projection {
    char *key; /* "*": any */
    bool all;  /* everything below is wanted */
    VEC(struct projection *) children;
};

static struct projection *child_of(struct projection *p, const char *key, size_t n)
{
    VEC_FOREACH(&p->children, c)
        if (strlen((*c)->key) == n && memcmp((*c)->key, key, n) == 0)
            return *c;
    struct projection *made = xcalloc(1, sizeof(*made));
    made->key = xstrndup(key, n);
    VEC_PUSH(&p->children, made); /* NOLINT(clang-analyzer-core.NullDereference): room implies memory */
    return made;
}

/* One key of a path: up to the next dot that has no backslash before it. */
static void next_key(const char **p, str_t *key)
{
    str_reset(key);
    for (; **p && **p != '.'; (*p)++) {
        if (**p == '\\' && (*p)[1])
            (*p)++;
        str_putc(key, **p);
    }
}

projection_t *projection_new(const char *const *paths, size_t n)
{
    struct projection *root = xcalloc(1, sizeof(*root));
    AUTO_STR key = STR_INIT;
    for (size_t i = 0; i < n; i++) {
        struct projection *at = root;
        for (const char *p = paths[i]; *p; p += *p == '.') {
            next_key(&p, &key);
            at = child_of(at, str_text(&key), key.len);
        }
        at->all = true;
    }
    return root;
}

void projection_free(projection_t *p)
{
    if (!p)
        return;
    VEC_FOREACH(&p->children, c)
        projection_free(*c);
    VEC_FREE(&p->children);
    free(p->key);
    free(p);
}

static const struct projection *match(const struct projection *p, const struct json_scan *s)
{
    const struct projection *any = NULL;
    for (size_t i = 0; i < p->children.n; i++) {
        const struct projection *c = p->children.v[i];
        if (json_scan_is(s, c->key))
            return c;
        if (strcmp(c->key, "*") == 0)
            any = c;
    }
    return any;
}

static bool read_value(struct json_scan *s, enum json_token t, const struct projection *p, json_t **out);

static bool read_object(struct json_scan *s, const struct projection *p, json_t *object)
{
    AUTO_STR key = STR_INIT;
    for (enum json_token t; (t = json_scan_next(s)) != JT_OBJECT_END;) {
        if (t != JT_KEY)
            return false;
        const struct projection *c = match(p, s);
        if (!c) {
            if (!json_scan_skip(s, t))
                return false;
            continue;
        }
        str_reset(&key);
        json_t *v = NULL;
        if (!json_unescape(s->text, &key) || !read_value(s, json_scan_next(s), c, &v))
            return false;
        if (v && json_object_setn_new_nocheck(object, str_text(&key), key.len, v))
            oom();
    }
    return true;
}

static bool read_array(struct json_scan *s, const struct projection *p, json_t *array)
{
    for (enum json_token t; (t = json_scan_next(s)) != JT_ARRAY_END;) {
        json_t *v = NULL;
        if (t == JT_ERROR || !read_value(s, t, p, &v))
            return false;
        if (v && json_array_append_new(array, v))
            oom();
    }
    return true;
}

/* *out stays NULL when nothing of the value is wanted: a scalar where the path goes deeper. */
static bool read_value(struct json_scan *s, enum json_token t, const struct projection *p, json_t **out)
{
    if (t == JT_ERROR)
        return false;
    if (p->all) {
        view_t bytes;
        if (!json_scan_value(s, t, &bytes))
            return false;
        if (json_read(bytes.p, bytes.n, out, NULL) == 0)
            return true;
        s->error = "a string is not valid UTF-8 or has a bad escape";
        return false;
    }
    if (t != JT_OBJECT_BEGIN && t != JT_ARRAY_BEGIN)
        return true;
    AUTO_JSON v = t == JT_OBJECT_BEGIN ? json_object() : json_array();
    if (t == JT_OBJECT_BEGIN ? !read_object(s, p, v) : !read_array(s, p, v))
        return false;
    *out = TAKE(v);
    return true;
}

int json_read_projected(const char *p, size_t n, const projection_t *projection, json_t **out, err_t **err)
{
    struct json_scan s;
    json_scan_init(&s, p, n);
    AUTO_JSON v = NULL;
    if (!read_value(&s, json_scan_next(&s), projection, &v) || json_scan_next(&s) != JT_END || s.p != s.end)
        return json_scan_error(&s, err);
    *out = v ? TAKE(v) : json_null();
    return 0;
}

/* ---- texts ---- */

/* What a map that was just opened is copied without: the member `key`, at the end of the path. */
static bool copy_members(struct json_scan *s, const char *const *path, str_t *out)
{
    enum json_token t;
    const char *separator = "";
    str_putc(out, '{');
    while ((t = json_scan_next(s)) == JT_KEY) {
        bool on_path = path && json_scan_is(s, path[0]), drop = on_path && !path[1];
        view_t name = s->text, value;
        t = json_scan_next(s);
        if (!drop) {
            str_puts(out, separator);
            str_putc(out, '"');
            str_add(out, name.p, name.n);
            str_puts(out, "\":");
            separator = ",";
        }
        if (on_path && !drop && t == JT_OBJECT_BEGIN) {
            if (!copy_members(s, path + 1, out))
                return false;
            continue;
        }
        if (t == JT_ERROR || !json_scan_value(s, t, &value))
            return false;
        if (!drop)
            str_add(out, value.p, value.n);
    }
    str_putc(out, '}');
    return t == JT_OBJECT_END;
}

bool json_text_without(const char *p, size_t n, const char *parent, const char *key, str_t *out)
{
    const char *const path[] = {parent, key, NULL};
    struct json_scan s;
    json_scan_init(&s, p, n);
    return json_scan_next(&s) == JT_OBJECT_BEGIN && copy_members(&s, path, out) &&
           json_scan_next(&s) == JT_END && s.p == s.end;
}
