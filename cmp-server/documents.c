/* As apimachinery's YAMLOrJSONDecoder reads: a piece between "---" lines that begins with "{" is JSON, of
 * which several values may follow one another; else it is YAML. Empty documents are dropped. */
#include "cmp-server/service.h"
#include "common/base/vec.h"
#include "common/json/scan.h"
#include "common/yaml/yaml.h"

enum { MAX_DOCUMENTS = 100000 };

typedef VEC(char *) texts_t;

static int add(texts_t *out, json_t *doc_take, err_t **err)
{
    AUTO_JSON doc = doc_take;
    if (json_is_null(doc))
        return 0;
    if (out->n >= MAX_DOCUMENTS)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "more than %d documents", MAX_DOCUMENTS);
    VEC_PUSH(out, json_text(doc, JSON_GO));
    return 0;
}

static bool json_values(texts_t *out, view_t piece, int *result, err_t **err)
{
    size_t before = out->n;
    *result = 0;
    for (view_t rest = view_trim(piece); rest.n && *result == 0;) {
        struct json_scan scan;
        view_t value;
        json_t *doc = NULL;
        json_scan_init(&scan, rest.p, rest.n);
        enum json_token t = json_scan_next(&scan);
        if (*rest.p != '{' || !json_scan_value(&scan, t, &value) ||
            json_read(value.p, value.n, &doc, NULL) < 0) {
            while (out->n > before)
                free(VEC_POP(out));
            return false;
        }
        *result = add(out, doc, err);
        const char *end = value.p + value.n;
        rest = view_trim((view_t){end, (size_t)(rest.p + rest.n - end)});
    }
    return true;
}

static int read_piece(texts_t *out, view_t text, err_t **err)
{
    static const struct yaml_options options = {.close_line = true};
    view_t body = view_trim(text);
    json_t *doc = NULL;
    int r;
    if (body.n && *body.p == '{' && json_values(out, body, &r, err))
        return r;
    r = yaml_read(text.p, text.n, &options, &doc, err);
    return r < 0 ? r : add(out, doc, err);
}

int documents_read(const char *p, size_t n, char ***out, err_t **err)
{
    struct yaml_splitter s;
    view_t piece;
    texts_t texts = {};
    int r = 0;
    yaml_split_init(&s, p, n);
    while (r == 0 && yaml_split_next(&s, &piece))
        r = read_piece(&texts, piece, err);
    if (r == 0)
        r = yaml_split_end(&s, err);
    VEC_PUSH(&texts, NULL);
    if (r < 0) {
        strv_free(texts.v);
        return err_wrap(err, "failed to unmarshal manifest");
    }
    *out = texts.v;
    return 0;
}
