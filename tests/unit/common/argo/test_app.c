#include "common/argo/app.h"
#include "tests/unit/golden.h"

static json_t *parse(const char *text)
{
    AUTO_ERR err = NULL;
    json_t *v = NULL;
    AUTO(free_p) char *quoted = xstrdup(text);
    for (char *p = quoted; *p; p++)
        if (*p == '\'')
            *p = '"';
    if (json_read_str(quoted, &v, &err) < 0)
        fail_msg("%s: %s", text, err_text(err));
    return v;
}

static void assert_json(const json_t *have, const char *want)
{
    AUTO_JSON expected = parse(want);
    AUTO(free_p) char *a = json_text(have, 0);
    AUTO(free_p) char *b = json_text(expected, 0);
    if (!json_same(have, expected))
        fail_msg("%s\nis not\n%s", a, b);
}

/* Argo CD's normalisation of a specification; "" where it stays as it is. */
static void specifications(void **state)
{
    static const struct {
        const char *spec, *normal;
    } cases[] = {
        {"{'project':'p','source':{'repoURL':'r','path':'x'}}", ""},
        {"{'source':{'repoURL':'r'}}", "{'project':'default','source':{'repoURL':'r'}}"},
        {"{'project':'','source':{'repoURL':'r'}}", "{'project':'default','source':{'repoURL':'r'}}"},
        {"{'project':'p','syncPolicy':{}}", "{'project':'p'}"},
        {"{'project':'p','syncPolicy':{'automated':{}}}", ""},
        {"{'project':'p','source':{'helm':{}}}", "{'project':'p','source':{}}"},
        {"{'project':'p','source':{'helm':{'releaseName':'x'}}}", ""},
        {"{'project':'p','source':{'kustomize':{}}}", "{'project':'p','source':{}}"},
        {"{'project':'p','source':{'directory':{'recurse':false}}}", "{'project':'p','source':{}}"},
        {"{'project':'p','source':{'directory':{'recurse':true}}}", ""},
        {"{'project':'p','sources':[{'helm':{}},{'kustomize':{'namePrefix':'x'}}]}",
         "{'project':'p','sources':[{},{'kustomize':{'namePrefix':'x'}}]}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON spec = parse(cases[i].spec);
        AUTO_JSON app = json_object();
        json_object_set_nocheck(app, "spec", spec);
        bool changes = *cases[i].normal;
        assert_int_equal(app_normalize_spec(app), changes);
        assert_json(json_object_get(app, "spec"), changes ? cases[i].normal : cases[i].spec);
        assert_false(app_normalize_spec(app));
    }
}

static void sources_by_meaning(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"{'repoURL':'r'}", "{'repoURL':'r'}", true},
        {"{'repoURL':'r'}", "{'repoURL':'r','targetRevision':''}", true},
        {"{'repoURL':'r'}", "{'repoURL':'r','targetRevision':'HEAD'}", false},
        {"{'plugin':{'env':[]}}", "{'plugin':{}}", true},
        {"{'plugin':{'env':[{'name':'a','value':'b'}]}}", "{'plugin':{}}", false},
        {"{'plugin':{'parameters':[{'name':'a','array':[]}]}}", "{'plugin':{'parameters':[{'name':'a'}]}}",
         true},
        {"{'helm':{'valuesObject':{'a':1,'b':[2]}}}", "{'helm':{'valuesObject':{'b':[2],'a':1}}}", true},
        {"{'helm':{'valuesObject':{'replicas':0}}}", "{'helm':{'valuesObject':{}}}", false},
        {"{'helm':{'valuesObject':{'on':false,'x':1}}}", "{'helm':{'valuesObject':{'x':1}}}", false},
        {"[{'repoURL':'a'},{'repoURL':'b'}]", "[{'repoURL':'b'},{'repoURL':'a'}]", false},
        {"[{'repoURL':'a'}]", "[{'repoURL':'a'},{'repoURL':'a'}]", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON a = parse(cases[i].a);
        AUTO_JSON b = parse(cases[i].b);
        if (sources_same(a, b) != cases[i].same || sources_same(b, a) != cases[i].same)
            fail_msg("%s, %s", cases[i].a, cases[i].b);
    }
}

/* A hydrator's sources are one, wherever else sources stand. */
static void effective_sources(void **state)
{
    AUTO_JSON app = parse(
        "{'spec':{'sources':[{'repoURL':'x'}],'sourceHydrator':{'drySource':{'repoURL':'dry','path':'p'},"
        "'syncSource':{'targetBranch':'b','path':'q'}}}}");
    AUTO_JSON sources = app_sources(app);
    assert_false(app_multi_source(app));
    assert_json(sources, "[{'repoURL':'dry','path':'q','targetRevision':'b'}]");
    AUTO_JSON elsewhere = parse("{'spec':{'sourceHydrator':{'drySource':{'repoURL':'dry'},"
                                "'syncSource':{'repoURL':'wet','targetBranch':'b','path':'q'}}}}");
    AUTO_JSON one = app_single_source(elsewhere);
    assert_json(one, "{'repoURL':'wet','path':'q','targetRevision':'b'}");
    AUTO_JSON several = parse("{'spec':{'source':{'repoURL':'x'},'sources':[{'repoURL':'a'}]}}");
    assert_true(app_multi_source(several));
    AUTO_JSON none = parse("{'spec':{'source':{'repoURL':'x'},'sources':[]}}");
    assert_false(app_multi_source(none));
}

/* Of equal messages the first condition of the type keeps its time, and only that. */
static void conditions(void **state)
{
    static const char *const evaluated[] = {"A", "B", NULL};
    AUTO_JSON old = parse("[{'type':'A','message':'one','lastTransitionTime':'2020-01-01T00:00:00Z'},"
                          "{'type':'A','message':'two','lastTransitionTime':'2020-01-02T00:00:00Z'},"
                          "{'type':'B','message':'gone','lastTransitionTime':'2020-01-03T00:00:00Z'},"
                          "{'type':'Z','message':'other','lastTransitionTime':'2020-01-04T00:00:00Z'}]");
    AUTO_JSON current = json_array();
    condition_add(current, "B", "new");
    condition_add(current, "A", "two");
    condition_add(current, "A", "one");
    wall_t now;
    assert_true(rfc3339_parse("2021-01-01T00:00:00Z", &now));
    AUTO_JSON list = conditions_set(old, evaluated, current, now);
    assert_json(list, "[{'type':'A','message':'one','lastTransitionTime':'2020-01-01T00:00:00Z'},"
                      "{'type':'A','message':'two','lastTransitionTime':'2021-01-01T00:00:00Z'},"
                      "{'type':'B','message':'new','lastTransitionTime':'2021-01-01T00:00:00Z'},"
                      "{'type':'Z','message':'other','lastTransitionTime':'2020-01-04T00:00:00Z'}]");
    AUTO_JSON none = json_array();
    AUTO_JSON left = conditions_set(old, evaluated, none, now);
    assert_int_equal(json_array_size(left), 1);
}

static void patches_of_status(void **state)
{
    static const struct {
        const char *old, *new, *patch;
    } cases[] = {
        {"{'sync':{'status':'Synced'},'summary':{}}", "{'sync':{'status':'Synced'}}", ""},
        {"{'sync':{'status':'Synced'}}", "{'sync':{'status':'Synced'},'summary':{},'health':{}}", ""},
        {"{'sync':{'status':'Synced'}}", "{'sync':{'status':'OutOfSync'}}",
         "{'sync':{'status':'OutOfSync'}}"},
        {"{'health':{'status':'X','message':'m'}}", "{'health':{'status':'X'}}",
         "{'health':{'message':null}}"},
        {"{'conditions':[1]}", "{}", "{'conditions':null}"},
        {"{'operationState':{'a':1},'x':1}", "{'operationState':{'a':1},'x':2}", "{'x':2}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON old = parse(cases[i].old);
        AUTO_JSON new = parse(cases[i].new);
        AUTO_JSON patch = status_patch(old, new);
        if (!*cases[i].patch)
            assert_null(patch);
        else
            assert_json(patch, cases[i].patch);
    }
}

/* A document is whatever somebody wrote. */
static void specs_are_normalized(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"{}", "{\"spec\":{\"project\":\"default\"}}"},
        {"{\"spec\":null}", "{\"spec\":{\"project\":\"default\"}}"},
        {"{\"spec\":\"x\"}", "{\"spec\":{\"project\":\"default\"}}"},
        {"{\"spec\":{\"project\":7,\"sources\":{}}}", "{\"spec\":{\"project\":\"default\",\"sources\":{}}}"},
        {"{\"spec\":{\"project\":\"p\",\"syncPolicy\":{}}}", "{\"spec\":{\"project\":\"p\"}}"},
        {"{\"spec\":{\"project\":\"p\",\"syncPolicy\":{\"automated\":{}}}}", NULL},
        {"{\"spec\":{\"project\":\"p\",\"source\":{\"directory\":{\"recurse\":false}}}}",
         "{\"spec\":{\"project\":\"p\",\"source\":{}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON app = json_of(cases[i].before);
        AUTO_JSON want = json_of(cases[i].after ? cases[i].after : cases[i].before);
        assert_int_equal(app_normalize_spec(app), cases[i].after != NULL);
        assert_json_same(app, want, cases[i].before);
        assert_false(app_normalize_spec(app));
    }
}

TESTS(T(specs_are_normalized), T(specifications), T(sources_by_meaning), T(effective_sources), T(conditions),
      T(patches_of_status))
