#include "tests/unit/repo-server/fixture/fixture.h"
#include "repo-server/jsonnet/jsonnet.h"

/* Everything that is imported is its own name in quotes. */
static int import(void *arg, const char *base, const char *rel, char **found, str_t *text, err_t **err)
{
    size_t *n = arg;
    (*n)++;
    if (strcmp(rel, "none") == 0)
        return err_set(err, ERR_NOT_FOUND, "nowhere");
    *found = xasprintf("%s%s", base, rel);
    str_printf(text, "'%s'", rel);
    return 0;
}

static int run(jsonnet_t *j, const char *program, str_t *out, err_t **err)
{
    AUTO_STR text = STR_INIT;
    AUTO_JSON none = json_array();
    str_puts(&text, program);
    return jsonnet_run(j, "dir/x.jsonnet", &text, none, none, out, err);
}

static void one_child_evaluates_many_programs(void **state)
{
    static const struct {
        const char *program, *result, *error;
    } cases[] = {
        {"1 + 1", "2\n", NULL},
        {"import 'a'", "\"a\"\n", NULL},
        {"importstr 'a'", "\"'a'\"\n", NULL},
        {"(import 'a') + (importstr 'b')", "\"a'b'\"\n", NULL},
        {"local a = import 'a', b = importstr 'a'; [a, b, import 'a', importstr 'a']",
         "[\n   \"a\",\n   \"'a'\",\n   \"a\",\n   \"'a'\"\n]\n", NULL},
        {"[importstr 'both', import 'both', \"importstr 'both'\"]",
         "[\n   \"'both'\",\n   \"both\",\n   \"importstr 'both'\"\n]\n", NULL},
        {"importstr 'none'", NULL, "couldn't open import \"none\": nowhere\n\tdir/x.jsonnet:1:1-17"},
        {"[importstr 'a', error 'no']", NULL, "dir/x.jsonnet:1:17-27"},
        {"import 'none'", NULL, "couldn't open import \"none\": nowhere\n\tdir/x.jsonnet:1:1-14"},
        {"\n  error 'no'", NULL, "RUNTIME ERROR: no\n\tdir/x.jsonnet:2:3-13"},
        {"assert false : 'x'; 1", NULL, "RUNTIME ERROR: x"},
        {"std.thisFile", "\"dir/x.jsonnet\"\n", NULL},
        {"local std = {a: 1}; std.a", "1\n", NULL},
        {"[1, ", NULL, "STATIC ERROR: dir/x.jsonnet:1:5: unexpected end of file"},
        {"'still here'", "\"still here\"\n", NULL},
    };
    size_t asked = 0;
    jsonnet_t *j = jsonnet_new(&(struct jsonnet_options){
        .deadline = mono_after(mono_now(), SECONDS(60)), .import = import, .arg = &asked});
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_STR out = STR_INIT;
        int r = run(j, cases[i].program, &out, &err);
        if (cases[i].result ? r < 0 || strcmp(str_text(&out), cases[i].result) != 0
                            : r != -ERR_FAILED_PRECONDITION || !strstr(err_text(err), cases[i].error))
            fail_msg("%s: %d %s %s", cases[i].program, r, str_text(&out), err_text(err));
    }
    assert_int_equal(asked, 11); /* a name is asked for once as a program, once as it is */
    jsonnet_free(j);
}

static void endless_programs_end_at_the_deadline(void **state)
{
    static const char endless[] = "local f(n) = std.foldl(function(a, b) a + b, std.range(0, 10000000), n); "
                                  "[f(i) for i in std.range(0, 1000000)]";
    AUTO_ERR err = NULL;
    AUTO_STR out = STR_INIT;
    mono_t start = mono_now();
    jsonnet_t *j = jsonnet_new(
        &(struct jsonnet_options){.deadline = mono_after(start, MILLIS(500)), .import = import});
    assert_int_equal(run(j, endless, &out, &err), -ERR_DEADLINE_EXCEEDED);
    jsonnet_free(j);
    assert_true(mono_now().ns - start.ns < SECONDS(10));
    atomic_bool canceled = true;
    AUTO_ERR why = NULL;
    j = jsonnet_new(&(struct jsonnet_options){
        .deadline = mono_after(mono_now(), SECONDS(60)), .canceled = &canceled, .import = import});
    assert_int_equal(run(j, endless, &out, &why), -ERR_CANCELED);
    jsonnet_free(j);
}

static void a_child_that_dies_is_replaced(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_STR out = STR_INIT;
    jsonnet_t *j = jsonnet_new(
        &(struct jsonnet_options){.deadline = mono_after(mono_now(), SECONDS(60)), .import = import});
    int r = run(j, "local f(s, n) = if n == 0 then std.length(s) else f(s + s, n - 1); f('x', 60)", &out,
                &err);
    assert_int_equal(r, -ERR_RESOURCE_EXHAUSTED);
    ASSERT_OK(run(j, "1", &out, &err));
    assert_string_equal(str_text(&out), "1\n");
    jsonnet_free(j);
}

REPO_TESTS(fx_begin, fx_end, T(one_child_evaluates_many_programs), T(endless_programs_end_at_the_deadline),
           T(a_child_that_dies_is_replaced))
