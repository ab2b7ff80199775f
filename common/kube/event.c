#include "common/kube/event.h"
#include "common/json/scan.h"

void kube_stream_init(struct kube_stream *s, size_t max)
{
    *s = (struct kube_stream){.max = max, .buf = STR_MAX(max)};
}

void kube_stream_dispose(struct kube_stream *s)
{
    str_dispose(&s->buf);
}

/* Goes on from the state at hand to the end of the value or of the bytes; returns how many were taken. */
static size_t run_through(struct kube_stream *s, const char *p, size_t n, bool *whole)
{
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (s->in_string) {
            if (s->escape)
                s->escape = false;
            else if (c == '\\')
                s->escape = true;
            else if (c == '"')
                s->in_string = false;
        } else if (c == '"') {
            s->in_string = true;
        } else if (c == '{' || c == '[') {
            s->depth++;
        } else if ((c == '}' || c == ']') && --s->depth == 0) {
            *whole = true;
            return i + 1;
        }
    }
    return n;
}

static void keep(struct kube_stream *s, const char *p, size_t n)
{
    if (s->skipping)
        return;
    if (s->buf.len + n > s->max) {
        s->skipping = true;
        str_dispose(&s->buf);
        s->buf = (str_t)STR_MAX(s->max);
        return;
    }
    str_add(&s->buf, p, n);
}

/* A value that lies whole in one piece is handed on without a copy. */
static int deliver(struct kube_stream *s, const char *p, size_t n)
{
    if (s->buf.len == 0 && !s->skipping && n <= s->max)
        return s->on_value(s->arg, p, n);
    keep(s, p, n);
    int r = 0;
    if (s->skipping)
        s->skipped++;
    else
        r = s->on_value(s->arg, str_text(&s->buf), s->buf.len);
    s->skipping = false;
    if (s->buf.cap > 64 << 10) { /* a rare giant must not keep its room in every idle watch */
        str_dispose(&s->buf);
        s->buf = (str_t)STR_MAX(s->max);
    }
    str_reset(&s->buf);
    return r;
}

int kube_stream_feed(struct kube_stream *s, const char *p, size_t n)
{
    while (n) {
        if (s->depth == 0) {
            const char *open = memchr(p, '{', n);
            if (!open)
                return 0;
            n -= (size_t)(open - p);
            p = open;
        }
        bool whole = false;
        size_t took = run_through(s, p, n, &whole);
        if (!whole) {
            keep(s, p, took);
            return 0;
        }
        int r = deliver(s, p, took);
        if (r)
            return r;
        p += took;
        n -= took;
    }
    return 0;
}

/* ---- events ---- */

static enum kube_event_type type_of(view_t v)
{
    static const struct {
        const char *name;
        enum kube_event_type type;
    } types[] = {{"ADDED", KUBE_EV_ADDED},
                 {"MODIFIED", KUBE_EV_MODIFIED},
                 {"DELETED", KUBE_EV_DELETED},
                 {"BOOKMARK", KUBE_EV_BOOKMARK},
                 {"ERROR", KUBE_EV_ERROR}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (view_eq(v, types[i].name))
            return types[i].type;
    return KUBE_EV_OTHER;
}

/* Stops at the value of `key` in the object that was just opened, its first token read into *t. */
static bool find_key(struct json_scan *s, const char *key, enum json_token *t)
{
    while ((*t = json_scan_next(s)) == JT_KEY) {
        if (json_scan_is(s, key)) {
            *t = json_scan_next(s);
            return *t != JT_ERROR;
        }
        if (!json_scan_skip(s, JT_KEY))
            return false;
    }
    return false;
}

static void read_resource_version(view_t object, char *out, size_t size)
{
    struct json_scan s;
    enum json_token t;
    json_scan_init(&s, object.p, object.n);
    if (json_scan_next(&s) != JT_OBJECT_BEGIN || !find_key(&s, "metadata", &t) || t != JT_OBJECT_BEGIN ||
        !find_key(&s, "resourceVersion", &t) || t != JT_STRING)
        return;
    AUTO_STR text = STR_MAX(size - 1);
    if (json_unescape(s.text, &text) && !str_overflowed(&text))
        memcpy(out, str_text(&text), strlen(str_text(&text)) + 1);
}

bool kube_event_read(const char *p, size_t n, struct kube_event_view *out)
{
    struct json_scan s;
    enum json_token t;
    *out = (struct kube_event_view){.type = KUBE_EV_OTHER};
    json_scan_init(&s, p, n);
    if (json_scan_next(&s) != JT_OBJECT_BEGIN)
        return false;
    while ((t = json_scan_next(&s)) == JT_KEY) {
        bool is_type = json_scan_is(&s, "type"), is_object = json_scan_is(&s, "object");
        t = json_scan_next(&s);
        if (is_type && t == JT_STRING)
            out->type = type_of(s.text);
        else if (is_object && t == JT_OBJECT_BEGIN) {
            if (!json_scan_value(&s, t, &out->object))
                return false;
        } else if (!json_scan_skip(&s, t)) {
            return false;
        }
    }
    if (t != JT_OBJECT_END || !out->object.p)
        return false;
    read_resource_version(out->object, out->resource_version, sizeof(out->resource_version));
    return true;
}

bool kube_object_is_bare(const char *p, size_t n)
{
    struct json_scan s;
    json_scan_init(&s, p, n);
    if (json_scan_next(&s) != JT_OBJECT_BEGIN)
        return false;
    return json_scan_next(&s) == JT_KEY && !json_scan_is(&s, "kind") && !json_scan_is(&s, "apiVersion");
}
