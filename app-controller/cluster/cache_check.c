/* Health checks of the settings and the jq expressions of ignored updates are anybody's programs. They run in
 * helper processes and may take their time, so that the thread that brings objects in only hands them over.
 *
 * An update is judged by itself, the object before it against the object after it, whatever the cache holds
 * by then: of several updates in a row each is either ignored or told, in any order. An expression that fails
 * leaves the object whole: what it was to ignore counts as a change then. */
#include "app-controller/cluster/cache_internal.h"
#include "common/base/hash.h"
#include "common/base/log.h"

struct cache_check {
    char *group, *kind, *ns, *name, *uid, *rv;
    pack_t *doc, *before; /* before: of an update; NULL: a health check */
    settings_t *settings; /* holds the script and the rules */
    const struct script *script;
};

uint64_t cache_script_hash(const settings_t *settings, const char *group, const char *kind)
{
    const struct script *s = settings_health_script(settings, group, kind);
    return s ? hash_content(s->source, strlen(s->source), s->open_libs) | 1 : 0;
}

bool cache_kind_outdated(const cache_kind_t *k, const settings_t *settings)
{
    return k->rules != cache_rules_hash(settings) ||
           k->script != cache_script_hash(settings, k->group, k->kind);
}

uint64_t cache_rules_hash(const settings_t *settings)
{
    static const char *const prefixes[] = {"application.resourceTrackingMethod",
                                           "application.instanceLabelKey",
                                           "installationID",
                                           "resource.customLabels",
                                           "resource.ignoreResourceUpdatesEnabled",
                                           "resource.customizations.ignoreResourceUpdates",
                                           "resource.customizations.ignoreDifferences"};
    uint64_t sum = 1;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)settings_data(settings), key, value) {
        bool matters = strcmp(key, "resource.customizations") == 0;
        for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
            matters = matters || str_has_prefix(key, prefixes[i]);
        if (matters)
            sum += json_hash(value, hash_content(key, strlen(key), 0)); /* in whatever order */
    }
    return sum;
}

void cache_set_checker(cache_t *c, cache_checker_fn checker)
{
    LOCKED(&c->lock);
    c->checker = checker;
}

static void check_free(struct cache_check *k)
{
    char *texts[] = {k->group, k->kind, k->ns, k->name, k->uid, k->rv};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    pack_free(k->doc);
    pack_free(k->before);
    settings_unref(k->settings);
    free(k);
}

static struct cache_check *check_new(const cache_t *c, const struct obj *o, pack_t *doc_take)
{
    struct cache_check *k = xcalloc(1, sizeof(*k));
    *k = (struct cache_check){.group = xstrdup(o->of->group),
                              .kind = xstrdup(o->of->kind),
                              .ns = xstrdup(o->ns),
                              .name = xstrdup(o->name),
                              .uid = xstrdup(o->uid),
                              .rv = xstrdup(o->rv),
                              .doc = doc_take,
                              .settings = settings_ref(c->settings)};
    return k;
}

static void set_health(struct obj *o, enum health_status status, const char *message)
{
    intern_unref(o->health_message);
    o->health = (uint8_t)status;
    o->health_message = str_empty(message) ? NULL : intern(message);
}

bool cache_check_later(cache_t *c, struct obj *o, const json_t *doc)
{
    const struct script *script = settings_health_script(c->settings, o->of->group, o->of->kind);
    if (!script || !c->checker || (object_deleting(doc) && !health_held_as_hook(doc)))
        return false;
    struct obj_key key = {o->of->group, o->of->kind, o->ns, o->name};
    const struct obj *old = cache_lookup(c, &key);
    if (old && strcmp(old->uid, o->uid) == 0)
        set_health(o, (enum health_status)old->health, old->health_message);
    else
        set_health(o, HEALTH_PROGRESSING, "Waiting for the health check");
    AUTO_JSON masked = json_copy_deep(doc);
    mask_for_storage(masked, c->mask_key);
    struct cache_check *k = check_new(c, o, pack_json(masked));
    k->script = script;
    if (!c->checker(c->ctx, k)) {
        set_health(o, HEALTH_UNKNOWN, "too many objects wait for their health check");
        check_free(k);
    }
    return true;
}

static void store_health(cache_t *c, const struct cache_check *k, enum health_status status,
                         const char *message)
{
    notes_t notes = {};
    {
        LOCKED(&c->lock);
        struct obj_key key = {k->group, k->kind, k->ns, k->name};
        struct obj *o = cache_lookup(c, &key);
        if (o && strcmp(o->uid, k->uid) == 0 && strcmp(o->rv, k->rv) == 0 &&
            (o->health != status || !str_same(o->health_message, message))) {
            set_health(o, status, message);
            cache_note(c, o, &notes);
        }
    }
    notes_tell(c, &notes);
}

/* Whether a jq expression has a say in updates of the object. */
static bool ignored_by_jq(const cache_t *c, const struct obj *o)
{
    size_t n;
    const struct ignore_rule *rules = settings_ignore_update_rules(c->settings, &n);
    AUTO_JSON named = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!rules[i].jq || !rules[i].jq[0])
            continue;
        if (!named) {
            AUTO(free_p) char *api = *o->of->group ? xasprintf("%s/%s", o->of->group, o->of->version) : NULL;
            json_t *meta = json_object();
            named = json_object();
            json_set_str(meta, "name", o->name);
            json_set_str(meta, "namespace", o->ns);
            json_set_str(named, "apiVersion", api ? api : o->of->version);
            json_set_str(named, "kind", o->of->kind);
            json_object_set_new_nocheck(named, "metadata", meta);
        }
        if (ignore_rule_matches(&rules[i], named))
            return true;
    }
    return false;
}

bool cache_update_later(cache_t *c, const struct obj *old, const struct obj *now)
{
    if (!c->checker || !old->content || !now->content || !old->update_hash || !now->update_hash ||
        !ignored_by_jq(c, now))
        return false;
    struct cache_check *k = check_new(c, now, pack_copy(now->content));
    k->before = pack_copy(old->content);
    if (c->checker(c->ctx, k))
        return true;
    check_free(k);
    return false;
}

static json_t *delete_by_jq(void *eval, const char *expression, const json_t *object)
{
    AUTO_ERR err = NULL;
    json_t *out = NULL;
    if (eval_jq_delete(eval, expression, object, &out, &err) == 0)
        return out;
    log_debug(NULL, "ignoreResourceUpdates '%s': %s", expression, err_text(err));
    return NULL;
}

static bool is_ignored(const struct cache_check *k, eval_t *eval)
{
    struct normalize_options options = {.jq_delete = delete_by_jq, .jq_ctx = eval};
    options.rules = settings_ignore_update_rules(k->settings, &options.nrules);
    json_t *before = pack_open(k->before), *now = pack_open(k->doc);
    normalize_by_rules(&before, &options);
    normalize_by_rules(&now, &options);
    bool same = json_equal(before, now);
    json_decref(before);
    json_decref(now);
    return same;
}

static void judge_update(cache_t *c, eval_t *eval, const struct cache_check *k)
{
    notes_t notes = {};
    if (is_ignored(k, eval))
        return;
    {
        LOCKED(&c->lock);
        struct obj_key key = {k->group, k->kind, k->ns, k->name};
        struct obj *o = cache_lookup(c, &key);
        if (o && strcmp(o->uid, k->uid) == 0)
            cache_note(c, o, &notes);
    }
    notes_tell(c, &notes);
}

static void judge_health(cache_t *c, eval_t *eval, const struct cache_check *k)
{
    AUTO_ERR err = NULL;
    AUTO_JSON doc = pack_open(k->doc);
    struct health h = {};
    if (eval_health(eval, k->script, doc, &h, &err) < 0)
        h = (struct health){HEALTH_UNKNOWN, xstrdup(err_text(err))};
    store_health(c, k, h.status, h.message);
    health_dispose(&h);
}

void cache_check_run(cache_t *c, eval_t *eval, struct cache_check *k)
{
    if (k->before)
        judge_update(c, eval, k);
    else
        judge_health(c, eval, k);
    check_free(k);
}
