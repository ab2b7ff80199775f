/* app diff: the live objects beside what a sync would make of them, as the server worked it out when it
 * compared the application; each pair is handed to diff(1), or to what KUBECTL_EXTERNAL_DIFF names. */
#include "cli/app/show.h"
#include "cli/print.h"
#include "cli/remote/commands.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "common/yaml/yaml.h"

#include <stdio.h>
#include <unistd.h>

enum { OUTPUT_MAX = 256 << 20 };

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

/* ---- the other program ---- */

static int write_side(const char *path, const json_t *object, err_t **err)
{
    AUTO_STR yaml = STR_INIT;
    if (object)
        yaml_write(object, &yaml);
    return file_write(path, str_text(&yaml), yaml.len, 0600, err);
}

static int run_diff(const char *live, const char *target, err_t **err)
{
    const char *other = getenv("KUBECTL_EXTERNAL_DIFF");
    AUTO(strv_free_p) char **words = NULL;
    AUTO_STR out = STR_MAX(OUTPUT_MAX), errs = STR_MAX(1 << 20);
    struct proc_result result;
    int rc = shell_split(str_empty(other) ? "diff" : other, &words, err);
    if (rc < 0)
        return err_wrap(err, "KUBECTL_EXTERNAL_DIFF");
    size_t n = strv_len(words);
    AUTO(free_p) const char **argv = xcalloc(n + 3, sizeof(*argv));
    memcpy(argv, words, n * sizeof(*argv));
    argv[n] = live;
    argv[n + 1] = target;
    const struct proc_spec spec = {.argv = (char *const *)argv, .env = environ};
    rc = proc_run(&spec, &out, &errs, &result, err);
    print_str(&out);
    fwrite(str_text(&errs), 1, errs.len, stderr);
    return rc;
}

/* A name from the server as one of a file. */
static char *file_name(const char *name)
{
    char *copy = xstrdup(*name && *name != '.' ? name : "object");
    for (char *p = copy; *p; p++)
        if (*p == '/')
            *p = '_';
    return copy;
}

static int print_pair(const struct pair *p, err_t **err)
{
    AUTO(free_p) char *dir = NULL, *live = NULL, *target = NULL, *name = file_name(text(p->item, "name"));
    printf_out("\n===== %s/%s %s/%s ======\n", text(p->item, "group"), text(p->item, "kind"),
               text(p->item, "namespace"), text(p->item, "name"));
    int rc = dir_make_temp(NULL, "cargocd-diff-", &dir, err);
    if (rc < 0)
        return rc;
    live = xasprintf("%s/%.200s-live.yaml", dir, name);
    target = xasprintf("%s/%.200s", dir, name);
    rc = write_side(live, p->live, err);
    if (rc == 0)
        rc = write_side(target, p->target, err);
    if (rc == 0)
        rc = run_diff(live, target, err);
    dir_remove(dir, NULL);
    return rc;
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
