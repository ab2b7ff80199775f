/* `kustomize edit`, on the document instead of the file (kubectl has no such command, and an edit costs no
 * program). */
#include "common/base/semver.h"
#include "repo-server/kustomize/kustomize.h"

#include <ctype.h>

struct edit {
    json_t *doc;
    const json_t *spec;
    const struct render_input *in;
    const char *dir;
    words_t *commands;
};

static void command(struct edit *e, const char *fmt, ...) PRINTF(2, 3);
static void command(struct edit *e, const char *fmt, ...)
{
    if (!e->commands)
        return;
    va_list ap;
    va_start(ap, fmt);
    VEC_PUSH(e->commands, xvasprintf(fmt, ap));
    va_end(ap);
}

/* A list or map of the document, made when it is not there. Borrowed. */
static json_t *part(struct edit *e, const char *key, bool list)
{
    json_t *v = json_object_get(e->doc, key);
    if (list ? !json_is_array(v) : !json_is_map(v)) {
        v = list ? json_array() : json_object();
        json_object_set_new(e->doc, key, v);
    }
    return v;
}

static int cmp_named(const void *a, const void *b)
{
    return strcmp(str_or_empty(json_str_at(*(json_t *const *)a, "name")),
                  str_or_empty(json_str_at(*(json_t *const *)b, "name")));
}

static void sort_by_name(struct edit *e, const char *key)
{
    json_t *list = part(e, key, true), *sorted = json_array();
    VEC(json_t *) items = {};
    for (size_t i = 0; i < json_array_size(list); i++)
        VEC_PUSH(&items, json_incref(json_array_get(list, i)));
    VEC_SORT(&items, cmp_named);
    VEC_FOREACH(&items, item)
        json_array_append_new(sorted, *item);
    VEC_FREE(&items);
    json_object_set_new(e->doc, key, sorted);
}

/* Puts an entry in place of the one of the same name. */
static void put_named(json_t *list, json_t *entry_take)
{
    const char *name = json_str_at(entry_take, "name");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (str_eq(json_str_at(json_array_get(list, i), "name"), name)) {
            json_array_set_new(list, i, entry_take);
            return;
        }
    }
    json_array_append_new(list, entry_take);
}

/* ---- images ---- */

/* [name=]new[:tag][@digest], as the program splits it: the first slash ends a host, which may have a port;
 * then the first colon and the first at sign count. */
static void split_image(const char *text, json_t *out, const char *name_key)
{
    const char *slash = strchr(text, '/'), *from = slash && slash > text ? slash : text;
    const char *at = strchr(from, '@'), *colon = strchr(from, ':');
    if (at && colon && at < colon)
        colon = NULL;
    const char *name_end = colon ? colon
                           : at  ? at
                                 : text + strlen(text),
               *tag_end = at ? at : text + strlen(text);
    json_object_set_new(out, name_key, json_stringn(text, (size_t)(name_end - text)));
    if (colon)
        json_object_set_new(out, "newTag", json_stringn(colon + 1, (size_t)(tag_end - colon - 1)));
    if (at)
        json_put_str(out, "digest", at + 1);
}

/* NULL when it says nothing but a name. */
static json_t *parse_image(const char *arg)
{
    const char *equals = strchr(arg, '=');
    json_t *entry = json_object();
    if (equals && equals > arg) {
        json_object_set_new(entry, "name", json_stringn(arg, (size_t)(equals - arg)));
        split_image(equals + 1, entry, "newName");
    } else {
        split_image(equals ? equals + 1 : arg, entry, "name");
    }
    if (equals || !str_eq(json_str_at(entry, "name"), arg))
        return entry;
    json_decref(entry);
    return NULL;
}

static json_t *find_named(json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(str_or_empty(json_str_at(json_array_get(list, i), "name")), name))
            return json_array_get(list, i);
    return NULL;
}

/* "*" is what `before` has, nothing when there is none. */
static void keep_stars(json_t *entry, const json_t *before)
{
    static const char *const fields[] = {"newName", "newTag", "digest"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *now = json_str_at(entry, fields[i]), *old = json_str_at(before, fields[i]);
        if (str_eq(now, "*") && !str_empty(old))
            json_set_str(entry, fields[i], old);
        else if (now && (!*now || strcmp(now, "*") == 0))
            json_object_del(entry, fields[i]);
    }
}

/* What the file has and the source does not name comes after; of equal names there the first counts. */
static void add_others(struct edit *e, const char *key, json_t *list_take)
{
    const json_t *have = json_object_get(e->doc, key);
    for (size_t i = 0; i < json_array_size(have); i++) {
        json_t *item = json_array_get(have, i);
        if (!find_named(list_take, str_or_empty(json_str_at(item, "name"))))
            json_array_append(list_take, item);
    }
    json_object_set_new(e->doc, key, list_take);
    sort_by_name(e, key);
}

static int set_images(struct edit *e, err_t **err)
{
    const json_t *images = json_object_get(e->spec, "images");
    json_t *have = json_object_get(e->doc, "images");
    AUTO_JSON list = json_array();
    AUTO_STR line = STR_INIT;
    for (size_t i = 0; i < json_array_size(images); i++) {
        AUTO(free_p)
        char *arg = build_env_subst(e->in->env, str_or_empty(json_string_value(json_array_get(images, i))),
                                    e->in->trace);
        json_t *entry = parse_image(arg);
        str_printf(&line, " %s", arg);
        if (!entry)
            return err_set(
                err, ERR_INVALID_ARGUMENT,
                "`kustomize edit set image%s` failed exit status 1: Error: invalid format of image "
                "'%s', use [old=]new[:tag][@digest]",
                str_text(&line), arg);
        put_named(list, entry);
    }
    if (!json_array_size(images))
        return 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *entry = json_array_get(list, i);
        keep_stars(entry, find_named(have, str_or_empty(json_str_at(entry, "name"))));
    }
    add_others(e, "images", TAKE(list));
    command(e, "kustomize edit set image%s", str_text(&line));
    return 0;
}

/* ---- replicas ---- */

static int set_replicas(struct edit *e, err_t **err)
{
    const json_t *replicas = json_object_get(e->spec, "replicas");
    AUTO_JSON list = json_array();
    AUTO_STR line = STR_INIT;
    for (size_t i = 0; i < json_array_size(replicas); i++) {
        const json_t *r = json_array_get(replicas, i), *count = json_object_get(r, "count");
        const char *name = str_or_empty(json_str_at(r, "name"));
        int64_t n;
        if (!json_to_i64(count, &n) && !(json_is_string(count) && str_to_i64(json_string_value(count), &n)))
            return err_set(err, ERR_INVALID_ARGUMENT, "expected integer value for count. Received: %s",
                           str_or_empty(json_string_value(count)));
        json_t *entry = json_object();
        json_set_str(entry, "name", name);
        json_object_set_new(entry, "count", json_integer(n));
        put_named(list, entry);
        str_printf(&line, " %s=%lld", name, (long long)n);
        if (strchr(name, '='))
            return err_set(
                err, ERR_INVALID_ARGUMENT,
                "`kustomize edit set replicas%s` failed exit status 1: Error: invalid format of replicas, "
                "use name=count",
                str_text(&line));
    }
    if (!json_array_size(replicas))
        return 0;
    add_others(e, "replicas", TAKE(list));
    command(e, "kustomize edit set replicas%s", str_text(&line));
    return 0;
}

/* ---- labels and annotations ---- */

static int put_pairs(struct edit *e, json_t *into, const json_t *pairs, const char *what, bool subst,
                     bool force, const char *flags, err_t **err)
{
    AUTO(free_p) const char **keys = json_sorted_keys(pairs);
    AUTO_STR line = STR_INIT;
    for (size_t i = 0; keys[i]; i++) {
        const char *raw = str_or_empty(json_str_at(pairs, keys[i]));
        AUTO(free_p) char *value = subst ? build_env_subst(e->in->env, raw, e->in->trace) : xstrdup(raw);
        if (!force && json_object_get(into, keys[i]))
            return err_set(err, ERR_FAILED_PRECONDITION,
                           "%s %s already in kustomization file. Use --force to override.", what, keys[i]);
        str_printf(&line, " %s:%s", keys[i], value);
        size_t n = strlen(value);
        bool quoted = n >= 2 && value[0] == '"' && value[n - 1] == '"';
        json_object_set_new(into, keys[i], json_stringn(value + quoted, n - 2 * (size_t)quoted));
    }
    if (line.len)
        command(e, "kustomize edit add %s%s%s", what, flags, str_text(&line));
    return 0;
}

/* Labels that stay out of selectors go to an entry of `labels` with the same reach, or a new one. */
static json_t *label_entry(struct edit *e, bool templates)
{
    json_t *list = part(e, "labels", true);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *l = json_array_get(list, i);
        if (json_bool_at(l, "includeSelectors") || json_bool_at(l, "includeTemplates") != templates)
            continue;
        if (!json_is_map(json_object_get(l, "pairs")))
            json_object_set_new(l, "pairs", json_object());
        return json_object_get(l, "pairs");
    }
    json_t *l = json_object();
    json_object_set_new(l, "pairs", json_object());
    if (templates)
        json_object_set_new(l, "includeTemplates", json_true());
    json_array_append_new(list, l);
    return json_object_get(l, "pairs");
}

static int add_labels(struct edit *e, err_t **err)
{
    const json_t *labels = json_object_get(e->spec, "commonLabels");
    bool without = json_bool_at(e->spec, "labelWithoutSelector"),
         templates = json_bool_at(e->spec, "labelIncludeTemplates");
    bool force = json_bool_at(e->spec, "forceCommonLabels");
    if (!json_object_size(labels))
        return 0;
    if (templates && !without)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "--without-selector flag must be specified for --include-templates to work");
    AUTO(free_p)
    char *flags = xasprintf("%s%s%s", force ? " --force" : "", without ? " --without-selector" : "",
                            templates ? " --include-templates" : "");
    json_t *into = without ? label_entry(e, templates) : part(e, "commonLabels", false);
    return put_pairs(e, into, labels, "label", true, force, flags, err);
}

static int add_annotations(struct edit *e, err_t **err)
{
    const json_t *annotations = json_object_get(e->spec, "commonAnnotations");
    bool force = json_bool_at(e->spec, "forceCommonAnnotations");
    if (!json_object_size(annotations))
        return 0;
    return put_pairs(e, part(e, "commonAnnotations", false), annotations, "annotation",
                     json_bool_at(e->spec, "commonAnnotationsEnvsubst"), force, force ? " --force" : "", err);
}

/* ---- the rest ---- */

static void set_text(struct edit *e, const char *key, const char *what)
{
    const char *value = json_str_at(e->spec, key);
    if (str_empty(value))
        return;
    json_set_str(e->doc, key, value);
    command(e, "kustomize edit set %s -- %s", what, value);
}

/* Patches are appended to a list; anything else in its place is an error, an empty value too. */
static int add_patches(struct edit *e, err_t **err)
{
    const json_t *patches = json_object_get(e->spec, "patches"), *have = json_object_get(e->doc, "patches");
    if (json_array_size(patches) && have && !json_is_array(have))
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "expected 'patches' field in kustomization.yaml to be a list");
    for (size_t i = 0; i < json_array_size(patches); i++)
        json_array_append_new(part(e, "patches", true), json_copy_deep(json_array_get(patches, i)));
    if (json_array_size(patches))
        command(e, "# kustomization.yaml updated with patches");
    return 0;
}

/* What kustomize does to a file that it edits: old names of fields become new ones. */
static void modernize(struct edit *e)
{
    static const struct {
        const char *old, *new;
    } lists[] = {{"bases", "resources"}, {"imageTags", "images"}};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        AUTO_JSON old = json_incref(json_object_get(e->doc, lists[i].old));
        if (!old)
            continue;
        if (json_array_size(old))
            json_array_extend(part(e, lists[i].new, true), old);
        json_object_del(e->doc, lists[i].old);
    }
}

static bool has_text(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_string_value(json_array_get(list, i)), text))
            return true;
    return false;
}

static int add_components(struct edit *e, err_t **err)
{
    AUTO_STR line = STR_INIT;
    words_t found = {};
    int r = component_paths(e->in, e->spec, e->dir, &found, err);
    VEC_FOREACH(&found, c) {
        json_t *list = part(e, "components", true);
        if (r < 0 || has_text(list, *c))
            continue;
        json_array_append_new(list, json_str_new(*c));
        str_printf(&line, " %s", *c);
    }
    if (line.len)
        command(e, "kustomize edit add component%s", str_text(&line));
    words_free(&found);
    return r;
}

int kustomization_edit(json_t *kustomization, const json_t *spec, const struct render_input *in,
                       const char *dir, words_t *commands, err_t **err)
{
    struct edit e = {kustomization, spec, in, dir, commands};
    modernize(&e);
    set_text(&e, "namePrefix", "nameprefix");
    set_text(&e, "nameSuffix", "namesuffix");
    int r = set_images(&e, err);
    if (r == 0)
        r = set_replicas(&e, err);
    if (r == 0)
        r = add_labels(&e, err);
    if (r == 0)
        r = add_annotations(&e, err);
    if (r < 0)
        return r;
    set_text(&e, "namespace", "namespace");
    r = add_patches(&e, err);
    return r < 0 ? r : add_components(&e, err);
}

bool kustomization_has_edits(const json_t *spec)
{
    static const char *const fields[] = {"namePrefix", "nameSuffix",   "images",
                                         "replicas",   "commonLabels", "commonAnnotations",
                                         "namespace",  "patches",      "components"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!json_is_zero(json_object_get(spec, fields[i])))
            return true;
    return false;
}
