/* Values files: local ones in the source's tree, ones of other sources ("$ref/…"), remote ones, globs. */
#include "common/base/glob.h"
#include "repo-server/helm/helm.h"

enum { MAX_MATCHES = 1000, MAX_GLOB_DEPTH = 100 };

/* Where a path leads: a tree, its export, and the cleaned path in it. */
struct place {
    tree_t *tree;
    struct export *export;
    const char *role; /* of the tree */
    char *path;
};

static int unknown_ref(struct helm *h, const char *name, err_t **err)
{
    AUTO_STR all = STR_INIT;
    /* It was fetched for what the Application says, before its .argocd-source.yaml was read. */
    if (h->in->ref_names && strv_contains(h->in->ref_names, name))
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "failed to find repo of \"%s\": the Application itself names no file of it", name);
    for (size_t i = 0; h->in->ref_names && h->in->ref_names[i]; i++)
        str_printf(&all, "%s%s", i ? ", " : "", h->in->ref_names[i]);
    for (size_t i = 0; !h->in->ref_names && i < h->in->nrefs; i++)
        str_printf(&all, "%s%s", i ? ", " : "", h->in->refs[i].name);
    if (!all.len)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "source referenced \"%s\", but no source has a 'ref' field defined", name);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "source referenced \"%s\", which is not one of the available sources (%s)", name,
                   str_text(&all));
}

/* The export of another source's tree, made when it is first used. */
static int ref_export(struct helm *h, const struct render_ref *ref, struct place *out, err_t **err)
{
    size_t i = 0;
    out->tree = ref->tree;
    if (h->names_only) {
        out->role = ref->name;
        return 0;
    }
    while (i < h->ref_of.n && h->ref_of.v[i] != ref)
        i++;
    if (i == h->ref_of.n)
        return err_set(err, ERR_INTERNAL, "the source %s was not prepared", ref->name);
    out->export = &h->refs.v[i];
    return 0;
}

static int outside(const char *path, err_t **err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "file '%s' resolved to outside repository root", path);
}

static int locate_ref(struct helm *h, const char *raw, struct place *out, bool *is_ref, err_t **err)
{
    size_t n = strcspn(raw, "/");
    *is_ref = false;
    if (*raw != '$' || !h->in->multi_source)
        return 0;
    AUTO(free_p) char *name = xstrndup(raw, n);
    for (size_t i = 0; i < h->in->nrefs; i++) {
        if (!str_eq(h->in->refs[i].name, name))
            continue;
        *is_ref = true;
        AUTO(free_p) char *rest = build_env_subst(h->in->env, raw[n] ? raw + n + 1 : "", h->in->trace);
        out->path = path_clean(rest);
        return path_escapes(out->path) ? outside(raw, err) : ref_export(h, &h->in->refs[i], out, err);
    }
    return unknown_ref(h, name, err);
}

/* A path as the source spells it, in the right tree. */
static int locate(struct helm *h, const char *raw, struct place *out, err_t **err)
{
    bool is_ref;
    *out = (struct place){.tree = h->in->tree, .export = &h->src, .role = ""};
    int r = locate_ref(h, raw, out, &is_ref, err);
    if (r < 0 || is_ref)
        return r;
    AUTO(free_p) char *path = build_env_subst(h->in->env, raw, h->in->trace);
    out->path = *path == '/' ? path_clean(path + strspn(path, "/")) : path_join(h->plan->path, path);
    if (path_escapes(out->path))
        return outside(path, err);
    if (strcmp(out->path, ".") == 0)
        return err_set(err, ERR_INTERNAL, "file '%s' resolved to the repository root", path);
    return 0;
}

/* Brings the file, if it is there, and gives its path on the host. */
static int bring(struct helm *h, const struct place *p, bool *exists, char **host, err_t **err)
{
    struct tree_place found = {};
    int r = tree_look(p->tree, p->path, true, &found, err);
    *exists = r == 0 && found.node.kind == NODE_FILE;
    tree_place_dispose(&found);
    if (h->names_only) {
        if (r == 0)
            *host = xasprintf("%s\n%s", p->role, p->path);
        return r;
    }
    if (r == 0 && *exists)
        r = export_path(p->export, p->path, err);
    if (r == 0 && *exists) /* it may have come before with the chart, unnoted */
        r = tree_whole(p->tree, p->path, err);
    if (r == 0)
        *host = xasprintf("%s/%s", p->export->dir, p->path);
    return r;
}

/* ---- globs ---- */

static bool is_glob(const char *s)
{
    return strpbrk(s, "*?[") != NULL;
}

struct search {
    tree_t *tree;
    char **parts; /* of the pattern */
    VEC(char *) found;
};

static int search_from(struct search *s, const char *dir, size_t i, unsigned depth, err_t **err);

/* One path that fits the pattern up to component i. */
static int search_path(struct search *s, const char *path, size_t i, unsigned depth, err_t **err)
{
    struct tree_place place = {};
    int r = tree_look(s->tree, path, true, &place, err);
    enum node_kind kind = place.node.kind;
    tree_place_dispose(&place);
    if (r < 0)
        return r;
    if (s->parts[i + 1])
        return kind == NODE_DIR ? search_from(s, path, i + 1, depth + 1, err) : 0;
    if (kind != NODE_FILE)
        return 0;
    if (s->found.n >= MAX_MATCHES)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "values file glob matched more than %d files",
                       MAX_MATCHES);
    VEC_PUSH(&s->found, xstrdup(path));
    return 0;
}

/* Only names that fit are listed, so that others make no difference to the trace. */
static int search_names(struct search *s, const char *dir, size_t i, unsigned depth, err_t **err)
{
    struct tree_select fits = {.include = s->parts[i], .dirs = s->parts[i + 1] != NULL};
    struct tree_entries entries = {};
    int r = tree_list(s->tree, dir, &fits, &entries, err);
    for (size_t k = 0; r == 0 && k < entries.n; k++) {
        AUTO(free_p) char *path = path_join(dir, entries.v[k].name);
        if (glob_match(s->parts[i], entries.v[k].name, "/"))
            r = search_path(s, path, i, depth, err);
    }
    tree_entries_dispose(&entries);
    return r;
}

/* "**": here, and in every directory below. Alone at the end it stands for all files. */
static int search_below(struct search *s, const char *dir, size_t i, unsigned depth, err_t **err)
{
    bool last = !s->parts[i + 1];
    struct tree_select dirs = {.suffixes = last ? NULL : "/", .dirs = true}; /* no name ends with a slash */
    struct tree_entries entries = {};
    int r = last ? 0 : search_from(s, dir, i + 1, depth + 1, err);
    if (r == 0)
        r = tree_list(s->tree, dir, &dirs, &entries, err);
    for (size_t k = 0; r == 0 && k < entries.n; k++) {
        AUTO(free_p) char *path = path_join(dir, entries.v[k].name);
        if (entries.v[k].node.kind == NODE_DIR)
            r = search_from(s, path, i, depth + 1, err);
        else if (last)
            r = search_path(s, path, i, depth, err);
    }
    tree_entries_dispose(&entries);
    return r;
}

static int search_from(struct search *s, const char *dir, size_t i, unsigned depth, err_t **err)
{
    struct tree_place place = {};
    if (depth > MAX_GLOB_DEPTH)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s: directories are nested too deeply", dir);
    int r = tree_look(s->tree, dir, true, &place, err);
    bool is_dir = place.node.kind == NODE_DIR;
    tree_place_dispose(&place);
    if (r < 0 || !is_dir)
        return r;
    if (str_eq(s->parts[i], "**"))
        return search_below(s, dir, i, depth, err);
    if (strpbrk(s->parts[i], "*?[{"))
        return search_names(s, dir, i, depth, err);
    AUTO(free_p) char *path = path_join(dir, s->parts[i]);
    return search_path(s, path, i, depth, err);
}

static int cmp_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- the list ---- */

struct value_file {
    char *host; /* its path, or a URL: each is given once */
    bool from_glob;
};

struct value_files {
    VEC(struct value_file) v;
};

static void add_file(struct value_files *l, char *host_take, bool from_glob)
{
    VEC_FOREACH(&l->v, f) {
        if (!str_eq(f->host, host_take))
            continue;
        if (f->from_glob && !from_glob) { /* listed by name: then its place is there */
            free(f->host);
            VEC_REMOVE(&l->v, (size_t)(f - l->v.v));
            break;
        }
        free(host_take);
        return;
    }
    VEC_PUSH(&l->v, (struct value_file){host_take, from_glob});
}

static int add_matches(struct helm *h, const struct place *p, const char *raw, struct value_files *l,
                       err_t **err)
{
    struct search s = {.tree = p->tree, .parts = strv_split(p->path, "/", true)};
    int r = *s.parts ? search_from(&s, "", 0, 0, err) : 0;
    VEC_SORT(&s.found, cmp_texts);
    if (r == 0 && !s.found.n && !json_bool_at(h->spec, "ignoreMissingValueFiles"))
        r = err_set(err, ERR_NOT_FOUND, "values file glob \"%s\" matched no files", raw);
    VEC_FOREACH(&s.found, f) {
        struct place one = *p;
        one.path = *f;
        bool exists;
        char *host = NULL;
        if (r == 0)
            r = bring(h, &one, &exists, &host, err);
        if (host)
            add_file(l, host, true);
        free(*f);
    }
    VEC_FREE(&s.found);
    strv_free(s.parts);
    return r;
}

/* "https://…": helm fetches it. */
static int remote_scheme(struct helm *h, const char *path, bool *remote, err_t **err)
{
    static char *const fallback[] = {"https", "http", NULL};
    const char *sep = strstr(path, "://");
    *remote = sep && !memchr(path, '/', (size_t)(sep - path));
    if (!*remote)
        return 0;
    AUTO(free_p) char *scheme = xstrndup(path, (size_t)(sep - path));
    render_note_option(h->in, "valueSchemes");
    if (!strv_contains(h->in->value_schemes ? h->in->value_schemes : fallback, scheme))
        return err_set(err, ERR_INVALID_ARGUMENT, "the URL scheme '%s' is not allowed", scheme);
    return 0;
}

/* helm is to trust the server as the ConfigMap of trusted certificates says. */
static void trust_host(struct helm *h, const char *url)
{
    const struct remote_settings *s = h->in->settings->remote;
    const char *host = strstr(url, "://") + 3;
    AUTO(free_p) char *name = xstrndup(host, strcspn(host, ":/?#"));
    AUTO(free_p) char *ca = s ? remote_authorities(s->tls_dir, name) : NULL;
    if (ca)
        str_printf(&h->authorities, "%s\n", ca);
}

static int add_value_file(struct helm *h, const char *raw, struct value_files *l, err_t **err)
{
    AUTO(free_p) char *text = build_env_subst(h->in->env, raw, h->in->trace);
    bool remote, exists;
    int r = remote_scheme(h, text, &remote, err);
    if (r < 0)
        return r;
    if (remote) {
        trust_host(h, text);
        add_file(l, xstrdup(text), false);
        return 0;
    }
    struct place p = {};
    char *host = NULL;
    r = locate(h, raw, &p, err);
    if (r == 0 && is_glob(p.path)) {
        r = add_matches(h, &p, raw, l, err);
    } else if (r == 0) {
        r = bring(h, &p, &exists, &host, err);
        if (r == 0 && !exists && json_bool_at(h->spec, "ignoreMissingValueFiles"))
            free(host);
        else if (r == 0)
            add_file(l, host, false);
    }
    free(p.path);
    return r;
}

int helm_value_files(struct helm *h, words_t *out, err_t **err)
{
    struct value_files l = {};
    const json_t *list = json_object_get(h->spec, "valueFiles");
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        const char *raw = json_string_value(json_array_get(list, i));
        r = raw ? add_value_file(h, raw, &l, err)
                : err_set(err, ERR_INVALID_ARGUMENT, "valueFiles has an entry that is no text");
    }
    VEC_FOREACH(&l.v, f) {
        if (r == 0)
            words_add(out, f->host);
        free(f->host);
    }
    VEC_FREE(&l.v);
    return r;
}

int helm_file_parameter(struct helm *h, const char *path, char **out, err_t **err)
{
    struct place p = {};
    bool exists;
    int r = locate(h, path, &p, err);
    if (r == 0)
        r = bring(h, &p, &exists, out, err);
    free(p.path);
    return r;
}

/* ---- names only ---- */

static int visit_file(const struct render_input *in, const char *name,
                      int (*fn)(void *arg, tree_t *tree, const char *path, err_t **err), void *arg,
                      err_t **err)
{
    const char *line = strchr(name, '\n');
    if (!line)
        return fn(arg, NULL, name, err);
    AUTO(free_p) char *role = xstrndup(name, (size_t)(line - name));
    tree_t *tree = in->tree;
    for (size_t i = 0; *role && i < in->nrefs; i++)
        if (str_eq(in->refs[i].name, role))
            tree = in->refs[i].tree;
    return fn(arg, tree, line + 1, err);
}

int helm_each_value_file(const struct render_input *in, const struct render_plan *plan,
                         int (*fn)(void *arg, tree_t *tree, const char *path, err_t **err), void *arg,
                         err_t **err)
{
    struct helm h = {
        .in = in, .plan = plan, .spec = json_object_get(plan->source, "helm"), .names_only = true};
    words_t files = {};
    int r = helm_value_files(&h, &files, err);
    VEC_FOREACH(&files, f)
        if (r == 0)
            r = visit_file(in, *f, fn, arg, err);
    words_free(&files);
    return r;
}
