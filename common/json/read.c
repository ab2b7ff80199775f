/* Builds jansson documents from our tokens, without recursion. */
#include "common/json/scan.h"
#include "common/json/number.h"

struct reader {
    struct json_scan scan;
    json_t *stack[JSON_MAX_DEPTH]; /* containers being filled, borrowed from root */
    unsigned depth;
    json_t *root;
    str_t key, text;
};

static json_t *make_string(struct reader *r)
{
    view_t v = r->scan.text;
    if (!r->scan.escaped)
        return utf8_valid(v.p, v.n) ? json_stringn_nocheck(v.p, v.n) : NULL;
    str_reset(&r->text);
    return json_unescape(v, &r->text) ? json_stringn_nocheck(str_text(&r->text), r->text.len) : NULL;
}

static bool take_key(struct reader *r)
{
    str_reset(&r->key);
    return json_unescape(r->scan.text, &r->key);
}

static void attach(struct reader *r, json_t *v)
{
    if (!v)
        oom();
    if (r->depth == 0) {
        r->root = v;
        return;
    }
    json_t *to = r->stack[r->depth - 1];
    int bad = json_is_array(to) ? json_array_append_new(to, v)
                                : json_object_setn_new_nocheck(to, str_text(&r->key), r->key.len, v);
    if (bad)
        oom();
}

/* Handles one token; false when a string is not UTF-8. */
static bool take_token(struct reader *r, enum json_token t)
{
    json_t *v = NULL;
    switch (t) {
    case JT_KEY:
        return take_key(r);
    case JT_OBJECT_BEGIN:
    case JT_ARRAY_BEGIN:
        v = t == JT_OBJECT_BEGIN ? json_object() : json_array();
        attach(r, v);
        r->stack[r->depth++] = v;
        return true;
    case JT_OBJECT_END:
    case JT_ARRAY_END:
        r->depth--;
        return true;
    case JT_STRING:
        v = make_string(r);
        if (!v)
            return false;
        break;
    case JT_NUMBER:
        v = json_number_of(r->scan.text.p, r->scan.text.n);
        break;
    case JT_TRUE:
        v = json_true();
        break;
    case JT_FALSE:
        v = json_false();
        break;
    default:
        v = json_null();
    }
    attach(r, v);
    return true;
}

int json_read(const char *p, size_t n, json_t **out, err_t **err)
{
    struct reader r = {};
    json_scan_init(&r.scan, p, n);
    enum json_token t;
    while ((t = json_scan_next(&r.scan)) != JT_ERROR && t != JT_END) {
        if (!take_token(&r, t)) {
            r.scan.error = "a string is not valid UTF-8 or has a bad escape";
            t = JT_ERROR;
            break;
        }
    }
    str_dispose(&r.key);
    str_dispose(&r.text);
    if (t == JT_ERROR || r.scan.p != r.scan.end) {
        json_decref(r.root);
        return json_scan_error(&r.scan, err);
    }
    *out = r.root;
    return 0;
}

bool json_valid(const char *p, size_t n)
{
    struct json_scan s;
    enum json_token t;
    AUTO_STR text = STR_INIT;
    bool good = utf8_valid(p, n);
    json_scan_init(&s, p, n);
    while (good && (t = json_scan_next(&s)) != JT_END) {
        bool is_text = t == JT_KEY || t == JT_STRING;
        good = t != JT_ERROR;
        if (is_text && memchr(s.text.p, '\\', s.text.n)) {
            str_reset(&text);
            good = json_unescape(s.text, &text);
        }
    }
    return good && s.p == s.end;
}

int json_read_str(const char *text, json_t **out, err_t **err)
{
    return json_read(text, strlen(text), out, err);
}
