#include "tests/unit/test.h"
#include "cli/app/spec.h"
#include "cli/options.h"

static int load(void *arg, const char *where, str_t *out, err_t **err)
{
    if (strcmp(where, "values.yaml") != 0)
        return err_set(err, ERR_NOT_FOUND, "no %s", where);
    str_puts(out, arg);
    return 0;
}

static json_t *quoted(const char *text)
{
    AUTO(free_p) char *copy = xstrdup(text);
    AUTO_ERR err = NULL;
    json_t *v = NULL;
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    ASSERT_OK(json_read_str(copy, &v, &err));
    return v;
}

static int parse(const char *line, char ***words, args_t **args)
{
    static const struct option *const tables[] = {app_spec_options, source_position_option, NULL};
    assert_int_equal(shell_split(line, words, NULL), 0);
    return args_parse(tables, NULL, strv_len(*words), *words, args, NULL);
}

struct spec_case {
    const char *before, *line, *after; /* specs */
    int64_t position;
};

static void check(const struct spec_case *c)
{
    AUTO_ERR err = NULL;
    AUTO(strv_free_p) char **words = NULL;
    AUTO(args_free_p) args_t *args = NULL;
    AUTO_JSON spec = quoted(c->before), *expected = quoted(c->after);
    const struct spec_files files = {load, (void *)(uintptr_t) "a: {b: 1}\n"};
    assert_int_equal(parse(c->line, &words, &args), 0);
    ASSERT_OK(spec_set(spec, c->position, args, &files, &err));
    if (!json_same(spec, expected)) {
        AUTO(free_p) char *text = json_text(spec, JSON_GO);
        fail_msg("%s: %s instead of %s", c->line, text, c->after);
    }
}

static void sources(void **state)
{
    static const struct spec_case cases[] = {
        {"{}", "--repo r --path p --revision v --ref q --helm-chart c",
         "{'destination':{},'source':{'repoURL':'r','path':'p','targetRevision':'v','ref':'q','chart':'c'}}",
         0},
        {"{'source':{'path':'p','x':1}}", "--path ''", "{'destination':{},'source':{'x':1}}", 0},
        {"{}",
         "--helm-set a=b,c --helm-set 'd=1\\,2' --helm-set-string a=x --values v1 --values v2 --release-name "
         "''",
         "{'destination':{},'source':{'helm':{'valueFiles':['v1','v2'],'parameters':[{'name':'a','value':'x',"
         "'forceString':true},"
         "{'name':'d','value':'1\\\\,2'}]}}}",
         0},
        {"{}", "--release-name ''", "{'destination':{},'source':{}}", 0},
        {"{'source':{'helm':{'values':'x: y'}}}", "--values-literal-file values.yaml",
         "{'destination':{},'source':{'helm':{'valuesObject':{'a':{'b':1}}}}}", 0},
        {"{'source':{'kustomize':{'images':['a:1','b=c:2']}}}",
         "--kustomize-image a:2 --kustomize-image b=d --kustomize-image e@sha256:0 --kustomize-replica r=3 "
         "--nameprefix p-",
         "{'destination':{},'source':{'kustomize':{'images':['a:2','b=d','e@sha256:0'],'replicas':[{'name':'"
         "r','count':3}],"
         "'namePrefix':'p-'}}}",
         0},
        {"{}", "--kustomize-common-label a=b --kustomize-force-common-label",
         "{'destination':{},'source':{'kustomize':{'commonLabels':{'a':'b'},'forceCommonLabels':true}}}", 0},
        {"{}",
         "--directory-recurse --directory-exclude x --jsonnet-tla-str a=b=c --jsonnet-ext-var-code d "
         "--jsonnet-libs l",
         "{'destination':{},'source':{'directory':{'recurse':true,'exclude':'x','jsonnet':{'tlas':[{'name':'"
         "a','value':'b=c'}],"
         "'extVars':[{'name':'d','value':'','code':true}],'libs':['l']}}}}",
         0},
        {"{'source':{'plugin':{'name':'x','env':[{'name':'A','value':'1'}]}}}",
         "--plugin-env A=2 --plugin-env B=",
         "{'destination':{},'source':{'plugin':{'name':'x','env':[{'name':'A','value':'2'},{'name':'B','"
         "value':''}]}}}",
         0},
        {"{'sources':[{'path':'a'},{'path':'b'}]}", "--path c",
         "{'destination':{},'sources':[{'path':'a'},{'path':'c'}]}", 2},
        {"{'sources':[{'path':'a'}]}", "--path c", "{'destination':{},'sources':[{'path':'a'},{'path':'c'}]}",
         -1},
        {"{}", "--dry-source-repo r --hydrate-to-branch b --path ignored",
         "{'destination':{},'sourceHydrator':{'drySource':{'repoURL':'r'},'hydrateTo':{'targetBranch':'b'}}}",
         0},
        {"{'sourceHydrator':{'drySource':{'repoURL':'r'},'hydrateTo':{'targetBranch':'b'}}}",
         "--hydrate-to-branch ''", "{'destination':{},'sourceHydrator':{'drySource':{'repoURL':'r'}}}", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(&cases[i]);
}

static void policies(void **state)
{
#define S "'destination':{},'source':{}"
    static const struct spec_case cases[] = {
        {"{}", "--dest-server s --dest-namespace n --project p --revision-history-limit 3",
         "{'destination':{'server':'s','namespace':'n'},'source':{},'project':'p','revisionHistoryLimit':3}",
         0},
        {"{}", "--sync-policy auto --auto-prune --self-heal=false",
         "{" S ",'syncPolicy':{'automated':{'prune':true,'selfHeal':false}}}", 0},
        {"{}", "--auto-prune", "{" S ",'syncPolicy':{'automated':{'enabled':false,'prune':true}}}", 0},
        {"{'syncPolicy':{'automated':{}}}", "--sync-policy none", "{" S "}", 0},
        {"{'syncPolicy':{'automated':{},'syncOptions':['A=b']}}", "--sync-policy manual",
         "{" S ",'syncPolicy':{'syncOptions':['A=b']}}", 0},
        {"{'syncPolicy':{'syncOptions':['A=b']}}", "--sync-option C=d --sync-option '!A=b' --sync-option C=d",
         "{" S ",'syncPolicy':{'syncOptions':['C=d']}}", 0},
        {"{'syncPolicy':{'syncOptions':['A=b']}}", "--sync-option '!A=b'", "{" S "}", 0},
        {"{}", "--sync-retry-limit 2 --sync-retry-backoff-max-duration 90s",
         "{" S
         ",'syncPolicy':{'retry':{'limit':2,'backoff':{'duration':'5s','maxDuration':'1m30s','factor':2}}}}",
         0},
        {"{'syncPolicy':{'retry':{'limit':2}}}", "--sync-retry-limit 0", "{" S "}", 0},
        {"{}", "--sync-retry-refresh", "{" S ",'syncPolicy':{'retry':{'refresh':true}}}", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(&cases[i]);
}

static void refused(void **state)
{
    static const char *const cases[][2] = {
        {"--helm-set a", "expected helm parameter of the form param=value but received: a"},
        {"--helm-set-file a", "expected helm file parameter of the form param=path but received: a"},
        {"--kustomize-replica a=x", "expected integer value for count. Received: x"},
        {"--kustomize-replica a", "expected parameter of the form: name=count. Received: a"},
        {"--kustomize-common-label a=b=c", "labels should have key=value, but instead got: a=b=c"},
        {"--plugin-env a", "expected env entry of the form: param=value but received: a"},
        {"--sync-policy bad", "Invalid sync-policy: bad"},
        {"--sync-retry-limit -1", "Invalid sync-retry-limit [-1]"},
        {"--values-literal-file other", "no other"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(strv_free_p) char **words = NULL;
        AUTO(args_free_p) args_t *args = NULL;
        AUTO_JSON spec = json_object();
        const struct spec_files files = {load, NULL};
        assert_int_equal(parse(cases[i][0], &words, &args), 0);
        assert_true(spec_set(spec, 0, args, &files, &err) < 0);
        assert_string_equal(err_text(err), cases[i][1]);
    }
}

static void parameters(void **state)
{
    char *list[] = {(char[]){"a=1"}, (char[]){"b=2,3"}, NULL};
    AUTO_ERR err = NULL;
    AUTO_JSON app = quoted("{'spec':{'source':{'helm':{'parameters':[{'name':'a','value':'0'}]}}}}");
    ASSERT_OK(spec_set_parameters(app, -1, list, &err));
    AUTO_JSON expected = quoted("[{'name':'a','value':'1'},{'name':'b','value':'2\\\\,3'}]");
    assert_true(json_same(json_at(app, "spec", "source", "helm", "parameters"), expected));
    AUTO_JSON other = quoted("{'spec':{'source':{'kustomize':{}}}}");
    assert_true(spec_set_parameters(other, -1, list, &err) < 0);
    assert_string_equal(err_text(err), "Parameters can only be set against Helm applications");
}

static void texts(void **state)
{
    char *labels[] = {(char[]){"a=b"}, (char[]){"c="}, NULL}, *bad[] = {(char[]){"a"}, NULL};
    char *annotations[] = {(char[]){"x=y=z"}, (char[]){"w"}, NULL};
    AUTO_JSON into = json_object(), *notes = json_object(), *infos = NULL;
    assert_int_equal(labels_parse(labels, into, NULL), 0);
    assert_string_equal(json_str_at(into, "a"), "b");
    assert_string_equal(json_str_at(into, "c"), "");
    assert_true(labels_parse(bad, into, NULL) < 0);
    annotations_parse(annotations, notes);
    assert_string_equal(json_str_at(notes, "x"), "y=z");
    assert_string_equal(json_str_at(notes, "w"), "");
    assert_int_equal(infos_parse(labels, &infos, NULL), 0);
    assert_string_equal(json_str_at(json_array_get(infos, 0), "name"), "a");
    int64_t position;
    AUTO_JSON app = quoted("{'spec':{'sources':[{'name':'one'},{'name':'two'}]}}");
    assert_int_equal(source_position(app, "two", &position, NULL), 0);
    assert_int_equal(position, 2);
    assert_int_equal(source_position(app, "three", &position, NULL), -ERR_NOT_FOUND);
}

/* The command's own table. */
static const struct option unset_like[] = {
    LIST("parameter", "", .shorthand = 'p'),
    LIST("values", ""),
    BOOL("values-literal", ""),
    BOOL("ignore-missing-value-files", ""),
    BOOL("nameprefix", ""),
    BOOL("namesuffix", ""),
    BOOL("kustomize-version", ""),
    BOOL("kustomize-namespace", ""),
    LIST("kustomize-image", ""),
    LIST("kustomize-replica", ""),
    BOOL("ignore-missing-components", ""),
    LIST("plugin-env", ""),
    BOOL("pass-credentials", ""),
    BOOL("ref", ""),
    OPTIONS_END,
};

static void unsetting(void **state)
{
    static const struct {
        const char *before, *line, *after;
        bool changed, nothing;
    } cases[] = {
        {"{'helm':{'parameters':[{'name':'a'},{'name':'b'}],'valueFiles':['v']}}", "-p a --values v",
         "{'helm':{'parameters':[{'name':'b'}]}}", true, false},
        {"{'helm':{'valuesObject':{'x':1},'values':''}}", "--values-literal", "{'helm':{}}", true, false},
        {"{'helm':{}}", "", "{'helm':{}}", false, true},
        {"{'helm':{}}", "-p x", "{'helm':{}}", false, false},
        {"{'kustomize':{'images':['a:1','b=c:2'],'namePrefix':'p'}}", "--kustomize-image b --nameprefix",
         "{'kustomize':{'images':['a:1']}}", true, false},
        {"{'kustomize':{'replicas':[{'name':'r','count':1}]}}", "--kustomize-replica r", "{'kustomize':{}}",
         true, false},
        {"{'ref':'r','helm':{}}", "--ref", "{'helm':{}}", true, false},
        {"{'plugin':{'env':[{'name':'A','value':'1'}]}}", "--plugin-env A", "{'plugin':{}}", true, false},
        {"{'path':'x'}", "--nameprefix", "{'path':'x'}", false, false},
    };
    static const struct option *const tables[] = {unset_like, NULL};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(strv_free_p) char **words = NULL;
        AUTO(args_free_p) args_t *args = NULL;
        AUTO_JSON source = quoted(cases[i].before), *expected = quoted(cases[i].after);
        bool changed, nothing;
        assert_int_equal(shell_split(cases[i].line, &words, NULL), 0);
        assert_int_equal(args_parse(tables, NULL, strv_len(words), words, &args, NULL), 0);
        spec_unset(source, args, &changed, &nothing);
        if (!json_same(source, expected) || changed != cases[i].changed || nothing != cases[i].nothing) {
            AUTO(free_p) char *text = json_text(source, JSON_GO);
            fail_msg("case %zu: %s %d %d", i, text, changed, nothing);
        }
    }
}

TESTS(T(sources), T(policies), T(refused), T(parameters), T(texts), T(unsetting))
