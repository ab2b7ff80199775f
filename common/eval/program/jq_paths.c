/* Compiling takes a thousand times what running does, so that compiled expressions are kept, the ones used
 * last. */
#include "common/eval/program/jq_paths.h"

#include <jq.h>

enum { KEPT = 64, EXPRESSION_MAX = 64 << 10 };

static struct kept {
    char *expression;
    jq_state *jq;
    uint64_t used;
} kept[KEPT];
static uint64_t now;

static void drop(struct kept *k)
{
    if (k->jq)
        jq_teardown(&k->jq);
    free(k->expression);
    *k = (struct kept){};
}

void jq_paths_dispose(void)
{
    for (size_t i = 0; i < KEPT; i++)
        drop(&kept[i]);
}

/* jq's complaints; the first one is told. */
static void on_error(void *ctx, jv message)
{
    char **first = ctx;
    const char *text = jv_get_kind(message) == JV_KIND_STRING ? jv_string_value(message) : NULL;
    if (!*first && text)
        *first = xstrdup(str_has_prefix(text, "jq: ") ? text + 4 : text);
    jv_free(message);
}

/* There is no further input; jq 1.6 calls this without looking whether it is there. */
static jv no_input(jq_state *jq, void *ctx)
{
    return jv_invalid();
}

static int compile(const char *expression, jq_state **out, err_t **err)
{
    AUTO(free_p) char *problem = NULL;
    AUTO(free_p) char *program = xasprintf("[path(%s\n)]", expression);
    jq_state *jq = jq_init();
    if (!jq)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "no memory for jq");
    jq_set_error_cb(jq, on_error, &problem);
    jq_set_input_cb(jq, no_input, NULL);
    bool good = jq_compile(jq, program);
    jq_set_error_cb(jq, NULL, NULL);
    if (!good) {
        jq_teardown(&jq);
        return err_set(err, ERR_FAILED_PRECONDITION, "jq: %s",
                       problem ? problem : "the expression cannot be compiled");
    }
    *out = jq;
    return 0;
}

static int find(const char *expression, struct kept **out, err_t **err)
{
    struct kept *oldest = &kept[0];
    if (strlen(expression) > EXPRESSION_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "jq: the expression is too long");
    for (size_t i = 0; i < KEPT; i++) {
        if (str_eq(kept[i].expression, expression)) {
            *out = &kept[i];
            return 0;
        }
        if (kept[i].used < oldest->used)
            oldest = &kept[i];
    }
    jq_state *jq = NULL;
    if (compile(expression, &jq, err) < 0)
        return err_again(err);
    drop(oldest);
    *oldest = (struct kept){.expression = xstrdup(expression), .jq = jq};
    *out = oldest;
    return 0;
}

static int failed(jv result, err_t **err)
{
    jv message = jv_invalid_get_msg(result);
    bool text = jv_get_kind(message) == JV_KIND_STRING;
    int r = err_set(err, ERR_INVALID_ARGUMENT, "jq: %s",
                    text ? jv_string_value(message) : "the expression yields nothing");
    jv_free(message);
    return r;
}

/* Takes the result; it must be the only one. */
static int take(jq_state *jq, jv result, json_t **out, err_t **err)
{
    if (!jv_is_valid(result))
        return failed(result, err);
    jv text = jv_dump_string(result, 0);
    int r = json_read(jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text)), out, err);
    jv_free(text);
    jv more = jq_next(jq);
    bool several = jv_is_valid(more);
    jv_free(more);
    if (r == 0 && !several)
        return 0;
    if (r == 0) {
        json_decref(TAKE(*out));
        return err_set(err, ERR_INVALID_ARGUMENT, "jq: the expression yields more than one result");
    }
    return err_again(err);
}

int jq_paths(const char *expression, const json_t *object, json_t **out, err_t **err)
{
    struct kept *k = NULL;
    if (find(expression, &k, err) < 0)
        return err_again(err);
    k->used = ++now;
    AUTO_STR text = STR_INIT;
    json_write(object, JSON_NO_HTML, &text);
    jv input = jv_parse_sized(str_text(&text), (int)text.len);
    if (!jv_is_valid(input))
        return failed(input, err);
    jq_start(k->jq, input, 0);
    int r = take(k->jq, jq_next(k->jq), out, err);
    jq_start(k->jq, jv_null(), 0); /* lets go of the object */
    return r;
}
