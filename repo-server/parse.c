/* Streams of documents, by the rules of apimachinery's YAMLOrJSONDecoder. */
#include "common/json/scan.h"
#include "common/yaml/yaml.h"
#include "repo-server/parse.h"
#include "repo-server/render.h"

enum { MAX_DOCUMENTS = 100000 };

/* Go's numbers: integers of 64 bits, or doubles. A spelling (1.0, 1e3) does not survive there. NULL: as it
 * is. */
static json_t *go_number(json_t *v)
{
    double d;
    if (!json_is_number_text(v) || !json_to_double(v, &d))
        return NULL;
    return str_eq(json_number_text(v), "-0") ? json_integer(0) : json_real(d);
}

static void numbers_as_go(json_t *v)
{
    if (json_is_map(v)) {
        const char *key;
        json_t *child;
        json_object_foreach(v, key, child) {
            json_t *n = go_number(child);
            if (n)
                json_object_set_new(v, key, n);
            else
                numbers_as_go(child);
        }
    } else if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            json_t *n = go_number(json_array_get(v, i));
            if (n)
                json_array_set_new(v, i, n);
            else
                numbers_as_go(json_array_get(v, i));
        }
    }
}

int parse_check_object(const json_t *doc, err_t **err)
{
    static const char *const names[] = {"object", "array", "string", "number",
                                        "number", "bool",  "bool",   "null"};
    if (!json_is_map(doc))
        return err_set(err, ERR_FAILED_PRECONDITION, "the document is no object but a value of type %s",
                       json_is_any_number(doc) ? "number" : names[json_typeof(doc)]);
    const json_t *kind = json_object_get(doc, "kind");
    if (!json_is_string(kind) || !*json_string_value(kind)) {
        AUTO(free_p) char *text = json_text(doc, JSON_GO);
        return err_set(err, ERR_FAILED_PRECONDITION, "Object 'Kind' is missing in '%.200s%s'", text,
                       strlen(text) > 200 ? "…" : "");
    }
    return 0;
}

/* Adds a document, unless it is null. */
static int add(struct parse *p, json_t *doc_take, err_t **err)
{
    AUTO_JSON doc = doc_take;
    p->document++;
    if (json_is_null(doc))
        return 0;
    int r = parse_check_object(doc, err);
    if (r < 0)
        return err_wrap(err, "document %zu", p->document);
    if (p->document > MAX_DOCUMENTS)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "more than %d documents", MAX_DOCUMENTS);
    numbers_as_go(doc);
    AUTO(free_p) char *origin = xasprintf("%s, document %zu", p->name, p->document);
    rendered_add(p->objects, TAKE(doc), origin);
    return 0;
}

/* JSON values one after the other. False when the text is not that: then it may be YAML's flow style. */
static bool json_values(struct parse *p, view_t piece, int *result, err_t **err)
{
    size_t objects = p->objects->n, document = p->document;
    *result = 0;
    for (view_t rest = view_trim(piece); rest.n && *result == 0;) {
        struct json_scan scan;
        view_t value;
        json_scan_init(&scan, rest.p, rest.n);
        enum json_token t = json_scan_next(&scan);
        json_t *doc = NULL;
        if (*rest.p != '{' || !json_scan_value(&scan, t, &value) ||
            json_read(value.p, value.n, &doc, NULL) < 0) {
            while (p->objects->n > objects) {
                struct rendered_object o = VEC_POP(p->objects);
                json_decref(o.doc);
                free(o.origin);
            }
            p->document = document;
            return false;
        }
        *result = add(p, doc, err);
        const char *end = value.p + value.n;
        rest = view_trim((view_t){end, (size_t)(rest.p + rest.n - end)});
    }
    return true;
}

static int piece(struct parse *p, view_t text, size_t line, err_t **err)
{
    static const struct yaml_options options = {.close_line = true};
    view_t body = view_trim(text);
    int r;
    if (body.n && *body.p == '{' && json_values(p, body, &r, err))
        return r;
    json_t *doc = NULL;
    r = yaml_read(text.p, text.n, &options, &doc, err);
    if (r < 0)
        return err_wrap(err, "document %zu, which begins in line %zu", p->document + 1, line);
    return add(p, doc, err);
}

static uint32_t utf16_unit(const unsigned char *p, bool big)
{
    return big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

static void utf16_to_utf8(str_t *text, bool big)
{
    AUTO_STR out = {.max = text->max};
    const unsigned char *p = (const unsigned char *)text->p;
    for (size_t i = 2; i + 1 < text->len; i += 2) {
        uint32_t cp = utf16_unit(p + i, big);
        char bytes[4];
        if (cp >= 0xd800 && cp < 0xdc00 && i + 3 < text->len) {
            uint32_t low = utf16_unit(p + i + 2, big);
            bool pair = low >= 0xdc00 && low < 0xe000;
            cp = pair ? 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
            i += pair ? 2 : 0;
        }
        size_t n = utf8_encode(cp, bytes);
        str_add(&out, n ? bytes : "\xef\xbf\xbd", n ? n : 3);
    }
    str_dispose(text);
    *text = out;
    out = (str_t)STR_INIT;
}

void parse_decode(str_t *text)
{
    const unsigned char *p = (const unsigned char *)text->p;
    if (text->len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        str_consume(text, 3);
    else if (text->len >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
        utf16_to_utf8(text, p[0] == 0xfe);
}

int parse_run(struct parse *p, const char *text, size_t n, err_t **err)
{
    struct yaml_splitter s;
    view_t one;
    yaml_split_init(&s, text, n);
    while (yaml_split_next(&s, &one)) {
        int r = piece(p, one, s.line, err);
        if (r < 0)
            return err_wrap(err, "failed to unmarshal manifest");
    }
    int r = yaml_split_end(&s, err);
    return r < 0 ? err_wrap(err, "failed to unmarshal manifest") : 0;
}

int parse_stream(const char *text, size_t n, const char *name, rendered_objects_t *objects, err_t **err)
{
    struct parse p = {.name = name, .objects = objects};
    return parse_run(&p, text, n, err);
}

int parse_json_object(const char *text, size_t n, json_t **out, err_t **err)
{
    struct json_scan scan;
    view_t value;
    json_scan_init(&scan, text, n);
    enum json_token t = json_scan_next(&scan);
    if (!json_scan_value(&scan, t, &value))
        return json_scan_error(&scan, err);
    const char *end = value.p + value.n;
    view_t rest = view_trim((view_t){end, (size_t)(text + n - end)});
    if (rest.n && *rest.p != ']' && *rest.p != '}')
        return err_set(err, ERR_OUT_OF_RANGE, "more than one value");
    AUTO_JSON doc = NULL;
    int r = json_read(value.p, value.n, &doc, err);
    if (r < 0)
        return r;
    if (!json_is_map(doc))
        return parse_check_object(doc, err);
    numbers_as_go(doc);
    *out = TAKE(doc);
    return 0;
}

int parse_generated(const char *text, size_t n, const char *name, rendered_objects_t *objects, err_t **err)
{
    struct parse p = {.name = name, .objects = objects};
    AUTO_JSON doc = NULL;
    int r = json_read(text, n, &doc, err);
    if (r < 0 || !json_is_array(doc))
        return r < 0 ? r : json_is_null(doc) ? parse_check_object(doc, err) : add(&p, TAKE(doc), err);
    for (size_t i = 0; r == 0 && i < json_array_size(doc); i++)
        r = add(&p, json_incref(json_array_get(doc, i)), err);
    return r;
}
