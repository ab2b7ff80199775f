/* app diff: the live objects beside what a sync would make of them, as the server worked it out when it
 * compared the application. */
#include "cli/app/show.h"
#include "cli/diff.h"
#include "cli/print.h"
#include "cli/remote/commands.h"

struct pair {
    const json_t *item; /* borrowed */
    char *key;
    json_t *live, *target; /* NULL: there is none */
};
typedef VEC(struct pair) pairs_t;

static int by_key(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    return strcmp(x->key, y->key);
}

/* The first of the two members that holds an object, as a document; NULL. */
static int object_of(const json_t *item, const char *better, const char *other, json_t **out, err_t **err)
{
    const char *text = json_str_at(item, better);
    if (str_empty(text) || str_eq(text, "null"))
        text = json_str_at(item, other);
    *out = NULL;
    return str_empty(text) || str_eq(text, "null") ? 0 : json_read_str(text, out, err);
}

static const char *text(const json_t *item, const char *key)
{
    return str_or_empty(json_str_at(item, key));
}

static void pairs_dispose(pairs_t *pairs)
{
    VEC_FOREACH(pairs, p) {
        free(p->key);
        json_decref(p->live);
        json_decref(p->target);
    }
    VEC_FREE(pairs);
}

static bool differs(const struct pair *p)
{
    return p->live && p->target ? !json_same(p->live, p->target) : p->live || p->target;
}

/* Hooks come and go: they are no part of the state. */
static int read_pairs(const json_t *items, pairs_t *pairs, err_t **err)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)items, i, item) {
        if (json_bool_at(item, "hook"))
            continue;
        struct pair p = {.item = item};
        int rc = object_of(item, "normalizedLiveState", "liveState", &p.live, err);
        if (rc == 0 && json_str_at(item, "targetState"))
            rc = object_of(item, p.live ? "predictedLiveState" : "targetState", "targetState", &p.target,
                           err);
        p.key = xasprintf("%s/%s/%s/%s", text(item, "group"), text(item, "kind"), text(item, "namespace"),
                          text(item, "name"));
        VEC_PUSH(pairs, p);
        if (rc < 0)
            return err_wrap(err, "%s", p.key);
    }
    VEC_SORT(pairs, by_key);
    return 0;
}

static int print_pair(const struct pair *p, err_t **err)
{
    printf_out("\n===== %s/%s %s/%s ======\n", text(p->item, "group"), text(p->item, "kind"),
               text(p->item, "namespace"), text(p->item, "name"));
    return diff_print(text(p->item, "name"), p->live, p->target, err);
}

/* ---- the command ---- */

static int refuse_others(const struct run *r, err_t **err)
{
    static const char *const options[] = {"local", "revision", "revisions", "server-side-diff",
                                          "server-side-generate"};
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (args_given(r->args, options[i]))
            return err_set(err, ERR_UNIMPLEMENTED,
                           "--%s is not available: differences are those of the last comparison", options[i]);
    return 0;
}

static int fetch_items(client_t *c, const struct run *r, json_t **out, err_t **err)
{
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_STR path = STR_INIT;
    AUTO_JSON app = NULL;
    const char *refresh = args_bool(r->args, "hard-refresh") ? "hard"
                          : args_bool(r->args, "refresh")    ? "normal"
                                                             : NULL;
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &name, &ns);
    app_path(name, ns, "/managed-resources", &path);
    int rc = app_fetch(c, name, ns, refresh, &app, err);
    return rc == 0 ? client_get(c, str_text(&path), out, err) : rc;
}

static int print_pairs(const pairs_t *pairs, bool *found, err_t **err)
{
    int rc = 0;
    *found = false;
    for (size_t i = 0; rc == 0 && i < pairs->n; i++) {
        if (!differs(&pairs->v[i]))
            continue;
        *found = true;
        rc = print_pair(&pairs->v[i], err);
    }
    return rc;
}

int app_diff(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO_JSON answer = NULL;
    pairs_t pairs = {};
    bool found = false;
    if (args_count(r->args) != 1) {
        run_usage(r);
        return 2;
    }
    int rc = refuse_others(r, err);
    if (rc == 0)
        rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = fetch_items(c, r, &answer, err);
    if (rc == 0)
        rc = read_pairs(json_object_get(answer, "items"), &pairs, err);
    if (rc == 0)
        rc = print_pairs(&pairs, &found, err);
    pairs_dispose(&pairs);
    return rc == 0 && found && args_bool(r->args, "exit-code") ? (int)args_int(r->args, "diff-exit-code")
                                                               : rc;
}
