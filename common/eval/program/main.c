/* cargocd-eval: evaluates what it is asked on its standard input until that ends (common/eval/eval.h). It is
 * started with an empty environment and limits, and holds nothing of value. */
#include "common/eval/eval.h"
#include "common/eval/program/jq_paths.h"

#include <stdio.h>
#include <unistd.h>

static json_t *answer_of(const json_t *request)
{
    AUTO_ERR err = NULL;
    json_t *value = NULL, *answer = json_object();
    const json_t *object = json_object_get(request, "object");
    int r;
    if (str_eq(json_str_at(request, "op"), "paths")) {
        r = jq_paths(str_or_empty(json_str_at(request, "expression")), object, &value, &err);
    } else {
        struct script s = {str_or_empty(json_str_at(request, "source")), json_bool_at(request, "openLibs")};
        r = script_run(&s, object, json_object_get(request, "params"), &value, &err);
    }
    if (r < 0) {
        json_set_str(answer, "error", err_text(err));
        json_object_set_new_nocheck(answer, "code", json_integer(err_code(err)));
    } else if (value) {
        json_object_set_new_nocheck(answer, "value", value);
    }
    return answer;
}

static bool read_all(void *p, size_t n)
{
    return fread(p, 1, n, stdin) == n;
}

static bool write_answer(const json_t *answer)
{
    AUTO_STR text = STR_MAX(EVAL_MAX_MESSAGE);
    unsigned char size[4];
    json_write(answer, JSON_NO_HTML, &text);
    if (str_overflowed(&text))
        return false;
    for (size_t i = 0; i < sizeof(size); i++)
        size[i] = (unsigned char)(text.len >> (8 * i));
    return fwrite(size, 1, 4, stdout) == 4 && fwrite(text.p, 1, text.len, stdout) == text.len &&
           fflush(stdout) == 0;
}

static bool serve(void)
{
    unsigned char size[4];
    AUTO_JSON request = NULL;
    AUTO_STR text = STR_MAX(EVAL_MAX_MESSAGE);
    if (!read_all(size, sizeof(size)))
        return false;
    size_t n = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
    char *to = n < EVAL_MAX_MESSAGE ? str_reserve(&text, n + 1) : NULL;
    if (!to || !read_all(to, n) || json_read(to, n, &request, NULL) < 0)
        return false;
    AUTO_JSON answer = answer_of(request);
    return write_answer(answer);
}

int main(void)
{
    while (serve())
        ;
    jq_paths_dispose();
    return 0;
}
