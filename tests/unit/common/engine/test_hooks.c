#include "tests/unit/golden.h"
#include "tests/unit/kit/hostile.h"
#include "common/engine/annotations.h"
#include "common/engine/hooks.h"

static const struct word {
    const char *text;
    unsigned bit;
} types[] = {{"PreSync", HOOK_PRE_SYNC},      {"Sync", HOOK_SYNC}, {"PostSync", HOOK_POST_SYNC},
             {"SyncFail", HOOK_SYNC_FAIL},    {"Skip", HOOK_SKIP}, {"PreDelete", HOOK_PRE_DELETE},
             {"PostDelete", HOOK_POST_DELETE}},
  policies[] = {{"BeforeHookCreation", HOOK_DELETE_BEFORE},
                {"HookSucceeded", HOOK_DELETE_SUCCEEDED},
                {"HookFailed", HOOK_DELETE_FAILED}};

static unsigned bits(const json_t *list, const struct word *words, size_t n)
{
    unsigned out = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        unsigned bit = 0;
        for (size_t w = 0; w < n; w++)
            if (strcmp(json_string_value(json_array_get(list, i)), words[w].text) == 0)
                bit = words[w].bit;
        assert_true(bit);
        out |= bit;
    }
    return out;
}

static void assert_same(const char *what, const char *field, long long have, long long wanted)
{
    if (have != wanted)
        fail_msg("%s: %s is %lld instead of %lld", what, field, have, wanted);
}

static void run_case(const json_t *c, const char *where)
{
    AUTO_JSON o = json_object();
    json_put_at(o, json_copy_deep(json_at(c, "annotations")), "metadata", "annotations");
    AUTO(free_p) char *text = json_text(json_at(c, "annotations"), JSON_GO);
    AUTO(free_p) char *what = xasprintf("%s%s", where, text);
    int64_t wave = json_int_at(c, "wave");
    if (wave > WAVE_MAX || wave < -WAVE_MAX)
        wave = wave > 0 ? WAVE_MAX : -WAVE_MAX;
    assert_same(what, "types", hook_types(o), bits(json_at(c, "types"), types, ARRAY_LEN(types)));
    assert_same(what, "hook", object_is_hook(o), json_bool_at(c, "hook"));
    assert_same(what, "skip", object_is_skipped(o), json_bool_at(c, "skip"));
    assert_same(what, "ignored", object_is_ignored_hook(o), json_bool_at(c, "ignored"));
    assert_same(what, "delete", hook_delete_policies(o),
                bits(json_at(c, "delete"), policies, ARRAY_LEN(policies)));
    assert_same(what, "wave", object_wave(o), wave);
}

static void as_argo_cd(void **state)
{
    golden_each("hooks/cases.jsonl", 480, run_case);
}

static void spoil_case(const json_t *c, const char *what)
{
    struct hostile random = {json_hash(c, 2)};
    AUTO_JSON o = json_object();
    json_put_at(o, json_copy_deep(json_at(c, "annotations")), "metadata", "annotations");
    for (int i = 0; i < 20; i++) {
        AUTO_JSON bad = hostile_document(&random, o);
        unsigned all = HOOK_PRE_SYNC | HOOK_SYNC | HOOK_POST_SYNC | HOOK_SYNC_FAIL | HOOK_SKIP |
                       HOOK_PRE_DELETE | HOOK_POST_DELETE;
        assert_int_equal(hook_types(bad) & ~all, 0);
        assert_true(hook_delete_policies(bad) >= 1 && hook_delete_policies(bad) <= 7);
        int wave = object_wave(bad);
        assert_true(wave <= WAVE_MAX && wave >= -WAVE_MAX);
        if (object_is_ignored_hook(bad) && !object_is_hook(bad))
            fail_msg("%s: an ignored hook that is none", what);
    }
}

static void wrong_types(void **state)
{
    golden_each("hooks/cases.jsonl", 480, spoil_case);
}

static void lists_in_annotations(void **state)
{
    static const struct {
        const char *text, *items; /* the items, each in brackets */
    } cases[] = {
        {"", ""},
        {",", ""},
        {" , ,\t", ""},
        {"a", "[a]"},
        {" a , b", "[a][b]"},
        {"a b,c", "[a b][c]"},
        {"\xc2\xa0"
         "a\xe3\x80\x80,\xe2\x80\x83"
         "b\xc2\x85",
         "[a][b]"},
        {"\xc2", "[\xc2]"},   /* not UTF-8: no blank */
        {"a\xa0", "[a\xa0]"}, /* the second byte of a blank, alone */
        {"\xc3\xa0,\xe0", "[\xc3\xa0][\xe0]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR have = STR_INIT;
        view_t rest = view_of(cases[i].text), item;
        while (annotation_next(&rest, &item)) {
            str_putc(&have, '[');
            str_add(&have, item.p, item.n);
            str_putc(&have, ']');
        }
        assert_string_equal(str_text(&have), cases[i].items);
    }
}

static void options(void **state)
{
    static const struct {
        const char *list, *name, *value; /* NULL: none */
    } cases[] = {
        {"Prune=false", "Prune", "false"},
        {"Prune", "Prune", NULL},
        {"PruneLast=true", "Prune", NULL},
        {"Prune=", "Prune", ""},
        {"A=1, Prune=confirm ,B=2", "Prune", "confirm"},
        {"Prune=a,Prune=b", "Prune", "a"},
        {"prune=false", "Prune", NULL},
        {"Prune = false", "Prune", NULL},
        {"Prune=a=b", "Prune", "a=b"},
        {"", "Prune", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON o = json_object();
        object_set_annotation(o, ANNOTATION_SYNC_OPTIONS, cases[i].list);
        AUTO(free_p) char *value = annotation_value(o, ANNOTATION_SYNC_OPTIONS, cases[i].name);
        if (!str_eq(value, cases[i].value))
            fail_msg("%s: %s", cases[i].list, str_or_empty(value));
        assert_int_equal(annotation_has(o, ANNOTATION_SYNC_OPTIONS, "Prune=false"),
                         strcmp(cases[i].list, "Prune=false") == 0);
    }
    AUTO_JSON none = json_object();
    assert_null(annotation_value(none, ANNOTATION_SYNC_OPTIONS, "Prune"));
    assert_false(annotation_has(none, ANNOTATION_SYNC_OPTIONS, ""));
}

TESTS(T(as_argo_cd), T(wrong_types), T(lists_in_annotations), T(options))
