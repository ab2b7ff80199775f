#include "tests/unit/test.h"

#include "common/argo/rbac.h"

static rbac_t *make(const char *policy, const char *fallback, bool regex)
{
    AUTO_ERR err = NULL;
    rbac_t *r = NULL;
    struct rbac_config c = {.policy = policy, .default_role = fallback, .regex = regex};
    if (rbac_new(&c, &r, &err) < 0)
        fail_msg("%s", err_text(err));
    return r;
}

static const char project_json[] =
    "{\"metadata\":{\"name\":\"shop\"},\"spec\":{\"roles\":["
    "{\"name\":\"ci\",\"policies\":[\"p, proj:shop:ci, applications, sync, shop/*, allow\","
    "\"p, proj:shop:ci, applications, sync, shop/prod*, deny\"],\"groups\":[\"team-a\",\"a, b\",\"evil\\ng, "
    "x, role:admin\"]},"
    "{\"name\":\"lead\",\"groups\":[\"team-b\"],\"policies\":[\"g, proj:shop:lead, role:admin\"]}]}}";

static const struct {
    const char *policy, *fallback;
    bool regex;
    const char *subject, *group;
    bool in_project;
    const char *resource, *action, *object;
    bool allowed;
} requests[] = {
    /* the built-in policy */
    {"", "", 0, "admin", NULL, 0, "applications", "delete", "p/x", true},
    {"", "", 0, "admin", NULL, 0, "applications", "update/apps/Deployment/ns/x", "p/x", true},
    {"", "", 0, "admin", NULL, 0, "applications", "action//Pod/restart", "p/ns/x", true},
    {"", "", 0, "admin", NULL, 0, "applications", "get", "x", false},
    {"", "", 0, "admin", NULL, 0, "clusters", "get", "https://a/b", true},
    {"", "", 0, "admin", NULL, 0, "extensions", "invoke", "x", false},
    {"", "", 0, "alice", NULL, 0, "applications", "get", "p/x", false},
    {"", "role:readonly", 0, "alice", NULL, 0, "applications", "get", "p/x", true},
    {"", "role:readonly", 0, "alice", NULL, 0, "applications", "sync", "p/x", false},
    {"", "role:readonly", 0, "", NULL, 0, "applications", "get", "p/x", true},
    /* plain update does not match update/… */
    {"p, alice, applications, update, */*, allow", "", 0, "alice", NULL, 0, "applications", "update", "p/x",
     true},
    {"p, alice, applications, update, */*, allow", "", 0, "alice", NULL, 0, "applications", "update//Pod/n/x",
     "p/x", false},
    {"p, alice, applications, *, */*, allow", "", 0, "alice", NULL, 0, "applications", "update//Pod/n/x",
     "p/x", true},
    /* subjects, groups, roles of roles */
    {"g, alice, role:admin", "", 0, "alice", NULL, 0, "applications", "sync", "p/x", true},
    {"g, team, role:a\ng, role:a, role:b\np, role:b, clusters, get, *, allow", "", 0, "alice", "team", 0,
     "clusters", "get", "c", true},
    {"g, role:a, role:b\ng, role:b, role:a\ng, team, role:a\np, role:b, clusters, get, *, allow", "", 0,
     "alice", "team", 0, "clusters", "get", "c", true},
    /* a group counts only through a g line */
    {"p, team, clusters, get, *, allow", "", 0, "alice", "team", 0, "clusters", "get", "c", false},
    {"p, team, clusters, get, *, allow\ng, team, role:x", "", 0, "alice", "team", 0, "clusters", "get", "c",
     true},
    /* deny wins within an evaluation, not over the default role nor over another group */
    {"p, alice, clusters, get, *, allow\np, alice, clusters, get, secret, deny", "", 0, "alice", NULL, 0,
     "clusters", "get", "secret", false},
    {"p, alice, clusters, get, *, allow\np, alice, clusters, get, secret, deny", "", 0, "alice", NULL, 0,
     "clusters", "get", "open", true},
    {"p, alice, clusters, get, secret, deny", "role:readonly", 0, "alice", NULL, 0, "clusters", "get",
     "secret", true},
    {"p, alice, clusters, get, *, deny\ng, team, role:readonly", "", 0, "alice", "team", 0, "clusters", "get",
     "c", true},
    /* globs */
    {"p, alice, applications, get, \"p/{a,b}-*\", allow", "", 0, "alice", NULL, 0, "applications", "get",
     "p/b-1/2", true},
    {"p, alice, applications, get, p/[, allow", "", 0, "alice", NULL, 0, "applications", "get", "p/[", false},
    {"p, alice, applications, get, P/x, allow", "", 0, "alice", NULL, 0, "applications", "get", "p/x", false},
    /* regular expressions are searched for, not anchored */
    {"p, alice, applications, get, ^p/x.+, allow", "", 1, "alice", NULL, 0, "applications", "get", "p/x1",
     true},
    {"p, alice, applications, get, x, allow", "", 1, "alice", NULL, 0, "applications", "get", "p/ax1", true},
    {"p, alice, applications, get, ^x, allow", "", 1, "alice", NULL, 0, "applications", "get", "p/x", false},
    {"p, alice, applications, get, (, allow", "", 1, "alice", NULL, 0, "applications", "get", "(", false},
    /* the built-in globs stand in that mode too */
    {"", "", 1, "admin", NULL, 0, "applications", "get", "p/x", true},
    /* roles of a project */
    {"", "", 0, "proj:shop:ci", NULL, 1, "applications", "sync", "shop/web", true},
    {"", "", 0, "proj:shop:ci", NULL, 1, "applications", "sync", "shop/prod-web", false},
    {"", "", 0, "proj:shop:ci", NULL, 1, "projects", "get", "shop", true},
    {"", "", 0, "proj:other:ci", NULL, 1, "applications", "sync", "shop/web", false},
    {"", "", 0, "proj:shop:gone", NULL, 1, "projects", "get", "shop", false},
    {"", "", 0, "alice", "team-a", 1, "applications", "sync", "shop/web", true},
    {"", "", 0, "alice", "team-a", 1, "applications", "sync", "shop/prod-web", false},
    {"", "", 0, "alice", "a, b", 1, "applications", "sync", "shop/web", true},
    {"", "", 0, "alice", "team-a", 0, "applications", "sync", "shop/web", false},
    {"", "", 0, "alice", "team-b", 1, "applications", "delete", "shop/web", true},
    {"", "", 0, "x", NULL, 1, "applications", "delete", "shop/web", false},
    {"", "", 0, "alice", "proj:shop:ci", 1, "applications", "sync", "shop/web", false},
};

static void decisions(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_JSON doc = NULL;
    ASSERT_OK(json_read_str(project_json, &doc, &err));
    AUTO(rbac_project_unref_p) rbac_project_t *project = rbac_project_new(doc);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        AUTO(rbac_unref_p) rbac_t *r = make(requests[i].policy, requests[i].fallback, requests[i].regex);
        char *groups[] = {(char *)requests[i].group, NULL};
        AUTO(rbac_caller_free_p) rbac_caller_t *c = rbac_caller_new(r, requests[i].subject, groups);
        if (rbac_allows(c, requests[i].in_project ? project : NULL, requests[i].resource, requests[i].action,
                        requests[i].object) != requests[i].allowed)
            fail_msg("case %zu: %s %s %s %s", i, requests[i].subject, requests[i].resource,
                     requests[i].action, requests[i].object);
    }
}

static void malformed_policies_are_refused(void **state)
{
    static const struct {
        const char *csv;
        bool ok;
    } cases[] = {
        {"", true},
        {"# comment\n\n  p , a , b,c ,d, allow ", true},
        {"p, a, b, c, d, allow, more", false},
        {"p, a, b, c, d", false},
        {"p, a, b, c, d, perhaps", false},
        {"g, a", false},
        {"q, a, b", false},
        {"g, \"a, b\", role:x", true},
        {"g, \"a\"\"b\", role:x", true},
        {"g, \"a, role:x", false},
        {"g, \"a\"b, role:x", false},
        {"g, a\"b, role:x", false},
        {"p, a, b, c, d, allow\nnonsense", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        if ((rbac_check_policy(cases[i].csv, &err) == 0) != cases[i].ok)
            fail_msg("%s: %s", cases[i].csv, err_text(err));
    }
}

/* One bad line takes away what the project's policy gives, rather than guessing at the rest. */
static void a_malformed_project_gives_nothing(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_JSON doc = NULL;
    ASSERT_OK(json_read_str("{\"metadata\":{\"name\":\"p\"},\"spec\":{\"roles\":[{\"name\":\"r\",\"groups\":["
                            "\"g\"],\"policies\":["
                            "\"p, proj:p:r, applications, *, p/*, allow\",\"p, proj:p:r, applications, "
                            "delete, p/*, denied\"]}]}}",
                            &doc, &err));
    AUTO(rbac_project_unref_p) rbac_project_t *project = rbac_project_new(doc);
    AUTO(rbac_unref_p) rbac_t *r = make("", "", false);
    char *groups[] = {"g", NULL};
    AUTO(rbac_caller_free_p) rbac_caller_t *c = rbac_caller_new(r, "alice", groups);
    assert_false(rbac_allows(c, project, "applications", "get", "p/x"));
}

static void hostile_patterns_end(void **state)
{
    AUTO_STR csv = STR_INIT;
    AUTO_STR text = STR_INIT;
    str_puts(&csv, "p, a, applications, get, ^(a+)+$, allow");
    for (int i = 0; i < 200; i++)
        str_putc(&text, 'a');
    str_putc(&text, '!');
    AUTO(rbac_unref_p) rbac_t *r = make(str_text(&csv), "", true);
    AUTO(rbac_caller_free_p) rbac_caller_t *c = rbac_caller_new(r, "a", NULL);
    assert_false(rbac_allows(c, NULL, "applications", "get", str_text(&text)));
}

static void objects(void **state)
{
    static const struct {
        const char *project, *ns, *name, *expect;
    } cases[] = {{"p", "argocd", "n", "p/n"},
                 {"p", "", "n", "p/n"},
                 {"p", "team", "n", "p/team/n"},
                 {"", "", "n", "default/n"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *o = rbac_app_object(cases[i].project, cases[i].ns, cases[i].name, "argocd");
        assert_string_equal(o, cases[i].expect);
    }
    AUTO(free_p)
    char *a = rbac_object_project("applications", "p/ns/n"), *b = rbac_object_project("projects", "p"),
         *c = rbac_object_project("clusters", "c");
    assert_string_equal(a, "p");
    assert_string_equal(b, "p");
    assert_string_equal(c, "");
}

TESTS(T(decisions), T(malformed_policies_are_refused), T(a_malformed_project_gives_nothing),
      T(hostile_patterns_end), T(objects))
