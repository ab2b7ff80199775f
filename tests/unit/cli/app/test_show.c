#include "tests/unit/test.h"
#include "cli/app/show.h"
#include "cli/app/tree.h"

#include <time.h>

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

static const char app_text[] =
    "{'metadata':{'name':'a','namespace':'ns'},"
    "'spec':{'destination':{'name':'c','namespace':'d'},'source':{'repoURL':'r','path':'p','targetRevision':'"
    "main',"
    "'helm':{'valueFiles':['x','y'],'parameters':[{'name':'n','value':'v'}]}},"
    "'syncPolicy':{'automated':{'prune':true}}},"
    "'status':{'sync':{'status':'OutOfSync','revision':'0123456789abcdef'},'health':{'status':'Missing'},"
    "'conditions':[{'type':'B','message':'m','lastTransitionTime':'2026-01-02T03:04:05Z'},{'type':'A','"
    "message':'x'},"
    "{'type':'B','message':'m2'}],"
    "'history':[{'id':0,'deployedAt':'2026-01-02T03:04:05Z','revision':'aaaaaaaaaa','source':{'repoURL':'r','"
    "targetRevision':'v1'}},"
    "{'id':1,'deployedAt':'2026-01-02T03:04:06Z','revisions':['bbbbbbbbbb','1.0'],'sources':[{'repoURL':'r','"
    "targetRevision':'v2'},"
    "{'repoURL':'s','targetRevision':'1.0'}]},"
    "{'id':2,'deployedAt':'2026-01-02T03:04:07Z','revision':'cccccccccc','source':{'repoURL':'r'}}]}}";

static void names(void **state)
{
    static const char *const cases[][4] = {{"a", "", "a", ""},
                                           {"a", "n", "a", "n"},
                                           {"m/a", "n", "a", "m"},
                                           {"m/a/b", "", "a/b", "m"},
                                           {"a", NULL, "a", ""}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *name = NULL, *ns = NULL;
        app_name_split(cases[i][0], cases[i][1], &name, &ns);
        assert_string_equal(name, cases[i][2]);
        assert_string_equal(ns, cases[i][3]);
    }
    AUTO_JSON bare = quoted("{'metadata':{'name':'a'}}");
    AUTO(free_p) char *name = app_qualified_name(bare);
    assert_string_equal(name, "a");
}

static void table(void **state)
{
    AUTO_JSON apps = json_array();
    AUTO_STR out = STR_INIT;
    json_array_append_new(apps, quoted(app_text));
    json_array_append_new(apps, quoted("{'metadata':{'name':'b'},'spec':{'project':'p'}}"));
    show_app_table(apps, &out);
    assert_string_equal(
        str_text(&out),
        "NAME\tCLUSTER\tNAMESPACE\tPROJECT\tSTATUS\tHEALTH\tSYNCPOLICY\tCONDITIONS\tREPO\tPATH\tTARGET\n"
        "ns/a\tc\td\tdefault\tOutOfSync\tMissing\tAuto-Prune\tA,B(2)\tr\tp\tmain\n"
        "b\t\t\tp\t\t\tManual\t<none>\t\t\t\n");
}

static void summary(void **state)
{
    AUTO_JSON app = quoted(app_text);
    AUTO_STR out = STR_INIT;
    show_summary(app, "https://u", NULL, &out);
    assert_string_equal(str_text(&out), "Name:               ns/a\n"
                                        "Project:            default\n"
                                        "Server:             c\n"
                                        "Namespace:          d\n"
                                        "URL:                https://u\n"
                                        "Source:\n"
                                        "- Repo:             r\n"
                                        "  Target:           main\n"
                                        "  Path:             p\n"
                                        "  Helm Values:      x,y\n"
                                        "SyncWindow:         Sync Allowed\n"
                                        "Sync Policy:        Automated (Prune)\n"
                                        "Sync Status:        OutOfSync from main (0123456)\n"
                                        "Health Status:      Missing\n");
}

static void sync_windows(void **state)
{
#define W(k) "{'kind':'" k "','schedule':'* * * * *','duration':'1h'}"
    static const char *const cases[][2] = {
        {"{'assignedWindows':[" W("deny") "],'activeWindows':[" W("deny") "],'canSync':false}",
         "Sync Denied\nAssigned Windows:   deny:* * * * *:1h\n"},
        {"{'assignedWindows':[" W("deny") "],'activeWindows':[" W("deny") "],'canSync':true}",
         "Manual Allowed\nAssigned Windows:   deny:* * * * *:1h\n"},
        {"{'assignedWindows':[" W("allow") "," W("deny") "],'activeWindows':[" W("allow") "]}",
         "Sync Allowed\nAssigned Windows:   allow:* * * * *:1h,deny:* * * * *:1h\n"},
        {"{'assignedWindows':[" W("allow") "],'canSync':false}",
         "Sync Denied\nAssigned Windows:   allow:* * * * *:1h\n"},
        {"{'assignedWindows':[" W("deny") "]}", "Sync Allowed\nAssigned Windows:   deny:* * * * *:1h\n"},
        {"{}", "Unknown\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON app = quoted("{}"), *windows = quoted(cases[i][0]);
        AUTO_STR out = STR_INIT;
        show_summary(app, "u", windows, &out);
        const char *at = strstr(str_text(&out), "SyncWindow:         ");
        assert_non_null(at);
        at += strlen("SyncWindow:         ");
        if (strncmp(at, cases[i][1], strlen(cases[i][1])) != 0)
            fail_msg("case %zu: %s", i, at);
    }
}

static void revisions(void **state)
{
    static const char *const cases[][2] = {
        {"{'spec':{'source':{'targetRevision':'abcdef0'}},'status':{'sync':{'status':'Synced','revision':'"
         "0123456789'}}}",
         "Synced to abcdef0\n"},
        {"{'spec':{'source':{}},'status':{'sync':{'status':'Synced','revision':'0123456789'}}}",
         "Synced to  (0123456)\n"},
        {"{'spec':{'source':{'targetRevision':'1.0'}},'status':{'sync':{'status':'Synced','revision':'1.0.0'}"
         "}}",
         "Synced to 1.0\n"},
        {"{'status':{'sync':{'status':'Unknown'}}}", "Unknown\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON app = quoted(cases[i][0]);
        AUTO_STR out = STR_INIT;
        show_summary(app, "u", NULL, &out);
        const char *at = strstr(str_text(&out), "Sync Status:        ") + strlen("Sync Status:        ");
        if (strncmp(at, cases[i][1], strlen(cases[i][1])) != 0)
            fail_msg("case %zu: %s", i, at);
    }
}

static void parts(void **state)
{
    AUTO_JSON app = quoted(app_text);
    AUTO_STR conditions = STR_INIT, history = STR_INIT, ids = STR_INIT, parameters = STR_INIT;
    setenv("TZ", "UTC", 1); /* lint: allow setenv, because the test has one thread and shows local times */
    tzset();
    show_conditions(app, &conditions);
    assert_string_equal(str_text(&conditions),
                        "CONDITION\tMESSAGE\tLAST TRANSITION\n"
                        "B\tm\t2026-01-02 03:04:05 +0000 UTC\nA\tx\t<nil>\nB\tm2\t<nil>\n");
    show_history(app, &history);
    assert_string_equal(str_text(&history), "SOURCE\tr\nID\tDATE\tREVISION\n"
                                            "0\t2026-01-02 03:04:05 +0000 UTC\tv1 (aaaaaaa)\n"
                                            "1\t2026-01-02 03:04:06 +0000 UTC\tv2 (bbbbbbb)\n"
                                            "2\t2026-01-02 03:04:07 +0000 UTC\t (ccccccc)\n"
                                            "\nSOURCE\ts\nID\tDATE\tREVISION\n"
                                            "1\t2026-01-02 03:04:06 +0000 UTC\t1.0\n");
    show_history_ids(app, &ids);
    assert_string_equal(str_text(&ids), "0\n1\n2\n");
    show_parameters(app_source_at(app, -1), &parameters);
    assert_string_equal(str_text(&parameters), "NAME\tVALUE\nn\tv\n");
}

/* Values of more than 80 characters end in "...". */
static void long_values(void **state)
{
    for (size_t n = 79; n <= 82; n++) {
        AUTO_STR value = STR_INIT, out = STR_INIT;
        for (size_t i = 0; i < n; i++)
            str_puts(&value, "\xc3\xa4");
        AUTO_JSON source = quoted("{'helm':{'parameters':[{'name':'n'}]}}");
        json_object_set_new(json_array_get(json_at(source, "helm", "parameters"), 0), "value",
                            json_str_new(str_text(&value)));
        show_parameters(source, &out);
        size_t shown = out.len - strlen("NAME\tVALUE\nn\t\n");
        assert_int_equal(shown, n > 80 ? 2 * 77 + 3 : 2 * n);
    }
}

static void operation(void **state)
{
    AUTO_JSON done = quoted(
        "{'phase':'Succeeded','startedAt':'2026-01-02T03:04:05Z','finishedAt':'2026-01-02T03:05:07Z',"
        "'message':'ok','syncResult':{'revisions':['a','b'],'sources':[{}]}}");
    AUTO_JSON running = quoted("{'phase':'Running','startedAt':'2026-01-02T03:04:05Z'}");
    AUTO_STR out = STR_INIT, other = STR_INIT;
    show_operation(done, &out);
    assert_string_equal(str_text(&out), "Operation:          Sync\n"
                                        "Sync Revision:      a, b\n"
                                        "Phase:              Succeeded\n"
                                        "Start:              2026-01-02 03:04:05 +0000 UTC\n"
                                        "Finished:           2026-01-02 03:05:07 +0000 UTC\n"
                                        "Duration:           1m2s\n"
                                        "Message:            ok\n");
    show_operation(running, &other);
    assert_non_null(strstr(str_text(&other), "Finished:           <nil>\n"));
}

static const char tree_text[] =
    "{'nodes':[{'kind':'Deployment','group':'apps','name':'d','namespace':'n','uid':'1'},"
    "{'kind':'ReplicaSet','group':'apps','name':'r','namespace':'n','uid':'2','parentRefs':[{'uid':'1'}],"
    "'health':{'status':'Healthy','message':'why'}},"
    "{'kind':'Pod','name':'p','namespace':'n','uid':'3','parentRefs':[{'uid':'2'}]},"
    "{'kind':'ReplicaSet','group':'apps','name':'q','namespace':'n','uid':'4','parentRefs':[{'uid':'1'}]},"
    "{'kind':'Loop','name':'l','uid':'5','parentRefs':[{'uid':'5'}]}],"
    "'orphanedNodes':[{'kind':'Secret','name':'o','namespace':'n','uid':'6'}]}";

static void trees(void **state)
{
    AUTO_JSON tree = quoted(tree_text);
    AUTO_JSON app = quoted(
        "{'status':{'resources':[{'kind':'Deployment','group':'apps','name':'d','status':'Synced',"
        "'health':{'status':'Healthy'}}]}}");
    AUTO_STR drawn = STR_INIT, flat = STR_INIT, deep = STR_INIT, detailed = STR_INIT;
    tree_of_app(tree, app, false, &drawn);
    assert_string_equal(str_text(&drawn), "KIND/NAME\tSTATUS\tHEALTH\tMESSAGE\n"
                                          "Deployment/d\tSynced\tHealthy\t\n"
                                          "├─ReplicaSet/r\t\tHealthy\t\n"
                                          "│ └─Pod/p\t\t\t\n"
                                          "└─ReplicaSet/q\t\t\t\n");
    tree_of_resources(tree, TREE_FLAT, true, true, &flat);
    assert_string_equal(
        str_text(&flat),
        "GROUP\tKIND\tNAMESPACE\tNAME\tORPHANED\napps\tDeployment\tn\td\tNo\n\tSecret\tn\to\tYes\n");
    tree_of_resources(tree, TREE_TREE, true, false, &deep);
    assert_string_equal(str_text(&deep), "GROUP\tKIND\tNAMESPACE\tNAME\tORPHANED\n"
                                         "apps\tDeployment\tn\td\tNo\n"
                                         "├─apps\tReplicaSet\tn\tr\tNo\n"
                                         "│ └─\tPod\tn\tp\tNo\n"
                                         "└─apps\tReplicaSet\tn\tq\tNo\n");
    tree_of_app(tree, app, true, &detailed);
    assert_non_null(strstr(str_text(&detailed), "├─ReplicaSet/r\t\tHealthy\t<unknown>\t\twhy\n"));
}

/* Nodes that are below themselves and each other: each is drawn once. */
static void tangled(void **state)
{
    AUTO_JSON tree = quoted("{'nodes':[{'kind':'A','name':'a','uid':'1'},{'kind':'B','name':'b','uid':'1','"
                            "parentRefs':[{'uid':'1'}]},"
                            "{'kind':'C','name':'c','uid':'1','parentRefs':[{'uid':'1'}]},"
                            "{'kind':'D','name':'d','uid':'2','parentRefs':[{'uid':'3'}]},"
                            "{'kind':'E','name':'e','uid':'3','parentRefs':[{'uid':'2'}]}]}");
    AUTO_STR out = STR_INIT;
    tree_of_resources(tree, TREE_TREE, true, false, &out);
    assert_string_equal(
        str_text(&out),
        "GROUP\tKIND\tNAMESPACE\tNAME\tORPHANED\n\tA\t\ta\tNo\n├─\tB\t\tb\tNo\n│ └─\tC\t\tc\tNo\n");
}

TESTS(T(names), T(table), T(summary), T(sync_windows), T(revisions), T(parts), T(long_values), T(operation),
      T(trees), T(tangled))
