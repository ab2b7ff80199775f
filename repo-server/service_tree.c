/* Methods that are answered from a commit and its tree. */
#include "common/base/map.h"
#include "repo-server/doublestar.h"
#include "repo-server/git/meta.h"
#include "repo-server/repo.h"

enum { MAX_DEPTH = 200, MAX_ENTRIES = 500000, FILES_MAX = 200 << 20 };

/* Ends a request with an error; a damaged clone is replaced and the request tried once more. */
static void fail(struct request *q, struct opened *o, err_t *err)
{
    if (err->code == ERR_DATA_LOSS && o->lease) {
        git_lease_corrupt(o->lease);
        opened_close(o);
        if (request_again(q))
            return;
    }
    opened_close(o);
    request_fail(q, err);
}

static void free_json(void *p)
{
    json_decref(p);
}

static int take_integrity(struct request *q, const ProtobufCBinaryData *spec, err_t **err)
{
    json_t *doc = NULL;
    int r = request_integrity(q, spec, &doc, err);
    q->data = doc;
    q->data_free = free_json;
    return r;
}

/* ---- RevisionMetadata ---- */

static int add_verified(struct request *q, json_t *meta, err_t **err)
{
    AUTO_JSON result = NULL;
    AUTO(free_p) char *legacy = NULL;
    int r = request_verify(q, q->data, &result, &legacy, err);
    if (r == 0 && result) {
        json_object_set(meta, "sourceIntegrityResult", result);
        json_put_str(meta, "signatureInfo", legacy);
    }
    return r;
}

static void metadata(void *arg)
{
    struct request *q = arg;
    const struct target *t = &q->targets.v[0];
    struct opened o;
    AUTO_ERR err = NULL;
    AUTO_JSON meta = NULL;
    int r = target_open(q->repo, t, &o, &err);
    if (r == 0)
        r = git_commit_metadata(o.lease, t->commit, t->refs, &meta, &err);
    if (r == 0 && q->data)
        r = add_verified(q, meta, &err);
    if (r < 0) {
        fail(q, &o, err);
        return;
    }
    opened_close(&o);
    AUTO(free_p) char *text = json_text(meta, JSON_GO);
    Cargocd__Repo__RevisionMetadataResponse out = CARGOCD__REPO__REVISION_METADATA_RESPONSE__INIT;
    out.metadata = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    request_reply(q, &out.base);
}

static void metadata_ready(struct request *q)
{
    if (q->data) /* programs are run */
        request_work(q, metadata);
    else
        metadata(q);
}

void serve_revision_metadata(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const Cargocd__Repo__RevisionMetadataRequest *m = (const void *)in;
    struct request *q = request_new(ctx, call, in, "RevisionMetadata", metadata_ready);
    AUTO_ERR err = NULL;
    int r = 0;
    if (!git_is_short_commit(m->revision))
        r = err_set(&err, ERR_INVALID_ARGUMENT, "revision %s must be resolved", m->revision);
    if (r == 0)
        r = request_target(q, "", m->repo, m->revision, NULL, false, &err);
    if (r == 0)
        r = take_integrity(q, &m->source_integrity, &err);
    if (r < 0)
        request_fail(q, err);
    else
        request_go(q);
}

/* ---- walking all of a tree ---- */

struct visit {
    tree_backend_t *tree;
    bool hidden; /* directories whose names begin with a dot, too */
    /* `path` of a file or link; its directory is `dir` ("." at the root). */
    int (*on_file)(struct visit *v, const char *dir, const char *path, const struct tree_entry *e,
                   err_t **err);
    void (*on_dir)(struct visit *v, const char *path);
    void *arg;
    size_t entries;
};

static int visit(struct visit *v, const struct node_id *id, const char *dir, unsigned depth, err_t **err)
{
    struct tree_entries list = {};
    if (depth > MAX_DEPTH)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s: directories are nested too deeply", dir);
    int r = v->tree->ops->list(v->tree, id, &list, err);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        const struct tree_entry *e = &list.v[i];
        AUTO(free_p) char *path = *dir ? xasprintf("%s/%s", dir, e->name) : xstrdup(e->name);
        if (++v->entries > MAX_ENTRIES)
            r = err_set(err, ERR_RESOURCE_EXHAUSTED, "the repository has more than %d files", MAX_ENTRIES);
        else if (e->node.kind == NODE_DIR && (v->hidden || e->name[0] != '.')) {
            if (v->on_dir)
                v->on_dir(v, path);
            r = visit(v, &e->node.id, path, depth + 1, err);
        } else if (v->on_file && (e->node.kind == NODE_FILE || e->node.kind == NODE_LINK)) {
            r = v->on_file(v, *dir ? dir : ".", path, e, err);
        }
    }
    tree_entries_dispose(&list);
    return r;
}

/* ---- ListApps ---- */

struct app_list {
    map_t apps; /* path to type, static */
    bool helm, kustomize;
};

static int note_app(struct visit *v, const char *dir, const char *path, const struct tree_entry *e,
                    err_t **err)
{
    struct app_list *l = v->arg;
    const char *mark = source_mark(e->name, l->helm, l->kustomize);
    if (mark)
        map_put(&l->apps, dir, (void *)mark);
    return 0;
}

static void reply_apps(struct request *q, const map_t *apps)
{
    Cargocd__Repo__ListAppsResponse out = CARGOCD__REPO__LIST_APPS_RESPONSE__INIT;
    Cargocd__Repo__ListAppsResponse__AppsEntry *entries = xcalloc(apps->n + 1, sizeof(*entries));
    Cargocd__Repo__ListAppsResponse__AppsEntry **list = xcalloc(apps->n + 1, sizeof(*list));
    MAP_FOREACH(apps, e) {
        size_t i = out.n_apps++;
        cargocd__repo__list_apps_response__apps_entry__init(&entries[i]);
        entries[i].key = e->key;
        entries[i].value = e->value;
        list[i] = &entries[i];
    }
    out.apps = list;
    request_reply(q, &out.base);
    free(entries);
    free(list);
}

/* A plugin that finds the repository its own is the answer, whatever else there is. */
static int plugin_app(struct request *q, bool *found, err_t **err)
{
    struct opened o;
    struct build_env env = {};
    AUTO_JSON source = json_object();
    AUTO(strv_free_p) char **names = plugin_names(q->repo->render_settings.plugins);
    if (!*names)
        return 0;
    int r = target_open(q->repo, &q->targets.v[0], &o, err);
    if (r < 0)
        return r;
    AUTO(tree_free_p) tree_t *tree = opened_tree(&o, NULL);
    struct render_input in = {
        .tree = tree,
        .source = source,
        .env = &env,
        .settings = &q->repo->render_settings,
        .app_name = "",
        .deadline = mono_after(mono_now(), 2 * q->repo->options.exec_timeout_ns),
        .canceled = rpc_call_canceled(q->call),
    };
    r = plugin_detect(&in, "", found, err);
    opened_close(&o);
    return r;
}

static void list_apps(void *arg)
{
    struct request *q = arg;
    const Cargocd__Repo__ListAppsRequest *m = (const void *)q->in;
    const Cargocd__Repo__SourceTypes *types = m->source_types;
    struct app_list l = {.helm = !types || types->helm, .kustomize = !types || types->kustomize};
    struct opened o;
    AUTO_ERR err = NULL;
    int r = target_open(q->repo, &q->targets.v[0], &o, &err);
    bool plugin = false;
    if (r == 0)
        r = plugin_app(q, &plugin, &err);
    if (plugin)
        map_put(&l.apps, ".", "Plugin");
    struct visit v = {.tree = o.backend, .hidden = true, .on_file = note_app, .arg = &l};
    if (r == 0 && !plugin)
        r = visit(&v, &o.backend->root.id, "", 0, &err);
    if (r < 0) {
        fail(q, &o, err);
    } else {
        opened_close(&o);
        reply_apps(q, &l.apps);
    }
    map_dispose(&l.apps);
}

static void list_apps_ready(struct request *q)
{
    request_work(q, list_apps);
}

void serve_list_apps(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const Cargocd__Repo__ListAppsRequest *m = (const void *)in;
    struct request *q = request_new(ctx, call, in, "ListApps", list_apps_ready);
    AUTO_ERR err = NULL;
    if (request_target(q, "", m->repo, m->revision, NULL, false, &err) < 0)
        request_fail(q, err);
    else
        request_go(q);
}

/* ---- GetDirectories ---- */

typedef VEC(char *) texts_t;

static void note_dir(struct visit *v, const char *path)
{
    texts_t *list = v->arg;
    VEC_PUSH(list, xstrdup(path));
}

static void free_texts(texts_t *t)
{
    VEC_FOREACH(t, p)
        free(*p);
    VEC_FREE(t);
}

static void get_directories(void *arg)
{
    struct request *q = arg;
    texts_t dirs = {};
    struct opened o;
    AUTO_ERR err = NULL;
    int r = target_open(q->repo, &q->targets.v[0], &o, &err);
    struct visit v = {
        .tree = o.backend, .hidden = q->repo->options.hidden_directories, .on_dir = note_dir, .arg = &dirs};
    if (r == 0)
        r = request_must_verify(q, q->data, &err);
    if (r == 0)
        r = visit(&v, &o.backend->root.id, "", 0, &err);
    if (r < 0) {
        fail(q, &o, err);
    } else {
        Cargocd__Repo__GetDirectoriesResponse out = CARGOCD__REPO__GET_DIRECTORIES_RESPONSE__INIT;
        opened_close(&o);
        out.paths = dirs.v;
        out.n_paths = dirs.n;
        request_reply(q, &out.base);
    }
    free_texts(&dirs);
}

static void get_directories_ready(struct request *q)
{
    request_work(q, get_directories);
}

void serve_get_directories(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const Cargocd__Repo__GetDirectoriesRequest *m = (const void *)in;
    struct request *q = request_new(ctx, call, in, "GetDirectories", get_directories_ready);
    AUTO_ERR err = NULL;
    int r = request_target(q, "", m->repo, m->revision, NULL, m->no_revision_cache, &err);
    if (r == 0)
        r = take_integrity(q, &m->source_integrity, &err);
    if (r < 0)
        request_fail(q, err);
    else
        request_go(q);
}

/* ---- GetFiles ---- */

struct file_list {
    const char *pattern;
    bool new_globbing;
    tree_t *tree;
    map_t files; /* path to struct text */
    size_t bytes;
};

struct text {
    size_t n;
    char *p;
};

static void text_free(void *p)
{
    struct text *t = p;
    free(t->p);
    free(t);
}

static int note_file(struct visit *v, const char *dir, const char *path, const struct tree_entry *e,
                     err_t **err)
{
    struct file_list *l = v->arg;
    if (!(l->new_globbing ? doublestar_match(l->pattern, path) : pathspec_match(l->pattern, path)))
        return 0;
    AUTO_STR text = STR_MAX(FILES_MAX);
    AUTO_ERR why = NULL;
    int r = tree_read(l->tree, path, &text, &why);
    if (r == -ERR_NOT_FOUND || r == -ERR_FAILED_PRECONDITION)
        return 0; /* a link to nothing, to a directory, or out of the repository */
    l->bytes += text.len;
    if (r == 0 && l->bytes > FILES_MAX)
        r = err_set(&why, ERR_RESOURCE_EXHAUSTED, "the files that match '%s' are too large", l->pattern);
    if (r < 0)
        return err_move(err, TAKE(why));
    struct text *t = xmalloc(sizeof(*t));
    t->n = text.len;
    t->p = str_take(&text);
    map_put(&l->files, path, t);
    return 0;
}

static void reply_files(struct request *q, const map_t *files)
{
    Cargocd__Repo__GetFilesResponse out = CARGOCD__REPO__GET_FILES_RESPONSE__INIT;
    Cargocd__Repo__GetFilesResponse__FilesEntry *entries = xcalloc(files->n + 1, sizeof(*entries));
    Cargocd__Repo__GetFilesResponse__FilesEntry **list = xcalloc(files->n + 1, sizeof(*list));
    MAP_FOREACH(files, e) {
        const struct text *t = e->value;
        size_t i = out.n_files++;
        cargocd__repo__get_files_response__files_entry__init(&entries[i]);
        entries[i].key = e->key;
        entries[i].value = (ProtobufCBinaryData){t->n, (uint8_t *)t->p};
        list[i] = &entries[i];
    }
    out.files = list;
    request_reply(q, &out.base);
    free(entries);
    free(list);
}

static void get_files(void *arg)
{
    struct request *q = arg;
    const Cargocd__Repo__GetFilesRequest *m = (const void *)q->in;
    struct file_list l = {
        .pattern = *m->path ? m->path : ".", .new_globbing = m->new_globbing, .files = MAP_INIT(text_free)};
    struct opened o;
    AUTO_ERR err = NULL;
    int r = target_open(q->repo, &q->targets.v[0], &o, &err);
    struct visit v = {.tree = o.backend, .hidden = true, .on_file = note_file, .arg = &l};
    if (r == 0)
        r = request_must_verify(q, q->data, &err);
    if (r == 0) {
        l.tree = opened_tree(&o, NULL);
        r = visit(&v, &v.tree->root.id, "", 0, &err);
    }
    tree_free(l.tree);
    if (r < 0) {
        fail(q, &o, err);
    } else {
        opened_close(&o);
        reply_files(q, &l.files);
    }
    map_dispose(&l.files);
}

static void get_files_ready(struct request *q)
{
    request_work(q, get_files);
}

void serve_get_files(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const Cargocd__Repo__GetFilesRequest *m = (const void *)in;
    struct request *q = request_new(ctx, call, in, "GetFiles", get_files_ready);
    AUTO_ERR err = NULL;
    int r = request_target(q, "", m->repo, m->revision, NULL, m->no_revision_cache, &err);
    if (r == 0)
        r = take_integrity(q, &m->source_integrity, &err);
    if (r < 0)
        request_fail(q, err);
    else
        request_go(q);
}
