/* Plain directories of YAML and JSON.
 *
 * Two passes, as Argo CD makes them: first the candidates are chosen and their sizes added up, so that too
 * much is refused before anything is parsed; then they are parsed in order. Each file is read once, between
 * the passes its text is kept (the limit bounds that). */
#include "repo-server/directory/jsonnet_files.h"
#include "repo-server/parse.h"

#define SKIP_MARKER "+argocd:skip-file-rendering"

enum { MAX_DEPTH = 100, MAX_FILES = 100000, MAX_FILE = 256 << 20 };

struct candidate {
    char *path; /* below the application's directory */
    str_t text;
};

struct scan {
    const struct render_input *in;
    const char *root; /* the application's directory */
    struct tree_select select;
    int64_t total;
    struct render_output *out;
    VEC(struct candidate) files;
};

static void scan_dispose(struct scan *s)
{
    VEC_FOREACH(&s->files, f) {
        free(f->path);
        str_dispose(&f->text);
    }
    VEC_FREE(&s->files);
}

static bool has_marker(const str_t *text)
{
    return text->len && memmem(text->p, text->len, SKIP_MARKER, strlen(SKIP_MARKER));
}

/* Of the links among the candidates only those to files count. */
static int check_link(struct scan *s, const char *full, const char *relative, bool *skip, err_t **err)
{
    struct tree_place place = {};
    AUTO_ERR why = NULL;
    int r = tree_look(s->in->tree, full, true, &place, &why);
    *skip = place.node.kind != NODE_FILE;
    if (r == 0 && place.node.kind == NODE_ABSENT)
        render_warn(s->out, "%s: skipped: the destination of the symlink is missing", relative);
    else if (r == 0 && *skip)
        render_warn(s->out, "%s: skipped: a symlink to what is no file", relative);
    tree_place_dispose(&place);
    if (r == -ERR_FAILED_PRECONDITION)
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "invalid manifest file \"%s\": illegal filepath in symlink at \"%s\"", relative,
                       relative);
    return r < 0 ? err_move(err, TAKE(why)) : 0;
}

static int too_large(err_t **err)
{
    return err_set(err, ERR_RESOURCE_EXHAUSTED, "exceeded max combined manifest file size");
}

static int add_file(struct scan *s, const char *relative, err_t **err)
{
    AUTO(free_p) char *full = path_join(s->root, relative);
    int64_t limit = s->in->settings->max_directory_bytes;
    AUTO_STR text = STR_MAX(MAX_FILE);
    int r = tree_read(s->in->tree, full, &text, err);
    if (r == -ERR_RESOURCE_EXHAUSTED)
        return too_large(err);
    if (r == 0)
        parse_decode(&text);
    if (r < 0 || has_marker(&text))
        return r;
    /* Jsonnet's size is jsonnet's business. */
    s->total += str_has_suffix(relative, ".jsonnet") ? 0 : (int64_t)text.len;
    if (limit && s->total > limit)
        return too_large(err);
    if (s->files.n >= MAX_FILES)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "more than %d manifest files", MAX_FILES);
    VEC_PUSH(&s->files, (struct candidate){xstrdup(relative), text});
    text = (str_t)STR_INIT;
    return 0;
}

static int scan_dir(struct scan *s, const char *relative, unsigned depth, err_t **err);

static int scan_entry(struct scan *s, const char *relative, const struct tree_entry *e, unsigned depth,
                      err_t **err)
{
    AUTO(free_p) char *path = *relative ? xasprintf("%s/%s", relative, e->name) : xstrdup(e->name);
    if (e->node.kind == NODE_MODULE)
        return 0; /* a submodule that is not there is an empty directory */
    if (e->node.kind == NODE_DIR)
        return scan_dir(s, path, depth + 1, err);
    bool skip = false;
    AUTO(free_p) char *full = path_join(s->root, path);
    int r = e->node.kind == NODE_LINK ? check_link(s, full, path, &skip, err) : 0;
    return r < 0 || skip ? r : add_file(s, path, err);
}

static int scan_dir(struct scan *s, const char *relative, unsigned depth, err_t **err)
{
    if (depth > MAX_DEPTH)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s: directories are nested too deeply", relative);
    AUTO(free_p) char *full = path_join(s->root, relative);
    AUTO(free_p) char *base = *relative ? xasprintf("%s/", relative) : xstrdup("");
    struct tree_select select = s->select;
    struct tree_entries entries = {};
    select.base = base;
    int r = tree_list(s->in->tree, full, &select, &entries, err);
    for (size_t i = 0; r == 0 && i < entries.n; i++)
        r = scan_entry(s, relative, &entries.v[i], depth, err);
    tree_entries_dispose(&entries);
    return r;
}

/* ---- parsing ---- */

static int json_file(const struct candidate *f, rendered_objects_t *objects, err_t **err)
{
    json_t *doc = NULL;
    AUTO_ERR why = NULL;
    int r = parse_json_object(str_text(&f->text), f->text.len, &doc, &why);
    if (r == -ERR_OUT_OF_RANGE)
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "Found multiple objects in \"%s\". Only single objects are allowed in JSON files.",
                       f->path);
    if (r < 0)
        return err_set(err, ERR_FAILED_PRECONDITION, "Failed to unmarshal \"%s\": %s", f->path,
                       err_text(why));
    rendered_add(objects, doc, f->path);
    return 0;
}

static bool looks_like_manifest(const str_t *text)
{
    static const char *const marks[] = {"apiVersion:", "kind:", "metadata:"};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (!text->len || !memmem(text->p, text->len, marks[i], strlen(marks[i])))
            return false;
    return true;
}

/* Argo CD takes a file that cannot be parsed for none of its business, unless it has yielded an object or
 * looks like a manifest. Then at least a warning says so. */
static int yaml_file(const struct candidate *f, rendered_objects_t *objects, struct render_output *out,
                     err_t **err)
{
    size_t before = objects->n;
    AUTO_ERR why = NULL;
    struct parse p = {.name = f->path, .objects = objects};
    int r = parse_run(&p, str_text(&f->text), f->text.len, &why);
    if (r == 0)
        return 0;
    if (objects->n > before || looks_like_manifest(&f->text))
        return err_set(err, ERR_FAILED_PRECONDITION, "Failed to unmarshal \"%s\": %s", f->path,
                       err_text(why));
    if (!str_has_prefix(f->path, ".argocd-source"))
        render_warn(out, "%s: ignored: %s", f->path, err_text(why));
    return 0;
}

static int parse_file(const struct candidate *f, struct jsonnet_files *j, rendered_objects_t *objects,
                      struct render_output *out, err_t **err)
{
    if (str_has_suffix(f->path, ".jsonnet"))
        return jsonnet_file(j, f->path, &f->text, objects, err);
    if (str_has_suffix(f->path, ".json"))
        return json_file(f, objects, err);
    return yaml_file(f, objects, out, err);
}

int directory_render(const struct render_input *in, const struct render_plan *plan,
                     rendered_objects_t *objects, struct render_output *out, err_t **err)
{
    const json_t *d = json_object_get(plan->source, "directory");
    const char *include = json_str_at(d, "include"), *exclude = json_str_at(d, "exclude");
    struct scan s = {.in = in, .root = plan->path, .out = out};
    s.select = (struct tree_select){
        .suffixes = json_bool_at(d, "disableExtensionFilter") ? NULL : ".yaml|.yml|.json|.jsonnet",
        .dirs = json_bool_at(d, "recurse"),
        .include = str_empty(include) ? NULL : include,
        .exclude = str_empty(exclude) ? NULL : exclude,
    };
    int r = scan_dir(&s, "", 0, err);
    if (r < 0)
        err_wrap(err, "failed to get potentially valid manifests");
    struct jsonnet_files j = {.in = in, .root = plan->path, .spec = json_object_get(d, "jsonnet")};
    for (size_t i = 0; r == 0 && i < s.files.n; i++) {
        if (str_has_suffix(s.files.v[i].path, ".jsonnet") && !in->directory_enabled)
            continue;
        r = parse_file(&s.files.v[i], &j, objects, out, err);
    }
    jsonnet_files_dispose(&j);
    scan_dispose(&s);
    return r;
}
