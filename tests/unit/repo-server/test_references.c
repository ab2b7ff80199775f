/* Sources that take values from other sources: how these are named, and which may be. */
#include "tests/unit/repo-server/fixture/server.h"

#include <nng/nng.h>
#include <stdlib.h>

static struct fx_server server;
static char *url;

static int setup(void **state)
{
    fx_begin(state);
    rpc_setup();
    server.options = fx_server_options();
    fx_server_start(&server, "server");
    fx_repo("both");
    fx_write("both/chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    fx_write("both/chart/templates/x.yaml",
             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {v: '{{ .Values.v }}'}\n");
    fx_write("both/values.yaml", "v: old\n");
    fx_commit("both", "one");
    fx_sh("cd both && git tag old && git push -q origin old");
    fx_write("both/values.yaml", "v: new\n");
    fx_commit("both", "two");
    url = fx_file_url("both");
    return 0;
}

static int teardown(void **state)
{
    fx_server_stop(&server);
    free(url);
    nng_fini();
    return fx_end(state);
}

typedef Cargocd__Repo__GenerateManifestRequest__RefSourcesEntry entry_t;

struct refs {
    Cargocd__Repo__RefTarget targets[2];
    entry_t entries[2], *list[2];
};

/* References by these names (without "$"; NULL: one only) to the repository of the source itself. */
static fx_request_t *ask(struct fx_ask *a, struct refs *r, const char *one, const char *two, const char *file)
{
    static char source[200];
    const char *const names[] = {one, two};
    snprintf(source, sizeof(source), "{\"path\":\"chart\",\"helm\":{\"valueFiles\":[\"%s\"]}}", file);
    fx_request_t *q = fx_ask(a, url, source);
    for (size_t i = 0; i < 2 && names[i]; i++) {
        cargocd__repo__ref_target__init(&r->targets[i]);
        cargocd__repo__generate_manifest_request__ref_sources_entry__init(&r->entries[i]);
        r->targets[i].repo = &a->repo;
        r->targets[i].target_revision = (char *)"old";
        r->entries[i].key = (char *)names[i];
        r->entries[i].value = &r->targets[i];
        r->list[i] = &r->entries[i];
        q->n_ref_sources++;
    }
    q->ref_sources = r->list;
    q->has_multiple_sources = true;
    return q;
}

static void names_are_checked(void **state)
{
    static const struct {
        const char *one, *two, *text;
    } cases[] = {
        {"$a.b", NULL, "failed to get ref sources: sources.ref a.b cannot contain any special characters"},
        {"$", NULL, "sources.ref  cannot contain any special characters except '_' and '-'"},
        {"$a", "$b/c", "sources.ref b/c cannot contain"},
        {"$same", "$same", "invalid sources: multiple sources had the same `ref` key"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fx_ask a;
        struct refs r = {};
        fx_refused(&server, ask(&a, &r, cases[i].one, cases[i].two, "values.yaml"), ERR_INVALID_ARGUMENT,
                   cases[i].text);
    }
}

static void charts_are_no_references(void **state)
{
    struct fx_ask a;
    struct refs r = {};
    fx_request_t *q = ask(&a, &r, "$vals", NULL, "$vals/values.yaml");
    r.targets[0].chart = (char *)"web";
    fx_refused(
        &server, q, ERR_INVALID_ARGUMENT,
        "source has a 'chart' field defined, but Helm charts are not yet not supported for 'ref' sources");
}

/* Nothing is checked out, so that a repository can be had at two revisions at a time. */
static void one_repository_may_be_had_at_two_revisions(void **state)
{
    if (str_empty(getenv("HELM")) && !fx_has("helm"))
        skip();
    struct fx_ask a;
    struct refs r = {};
    fx_expect(&server, ask(&a, &r, "$My_vals-1", NULL, "$My_vals-1/values.yaml"), "\"v\":\"old\"");
}

REPO_TESTS(setup, teardown, T(names_are_checked), T(charts_are_no_references),
           T(one_repository_may_be_had_at_two_revisions))
