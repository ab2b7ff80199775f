/* Health checks of the settings are anybody's programs. They run in helper processes and may take their time,
 * so that the thread that brings objects in only hands them over. */
#include "app-controller/cluster/cache_internal.h"
#include "common/base/hash.h"

struct cache_check {
    char *group, *kind, *ns, *name, *uid, *rv;
    pack_t *doc;
    settings_t *settings; /* holds the script */
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
    settings_unref(k->settings);
    free(k);
}

static struct cache_check *check_new(const cache_t *c, const struct obj *o, const json_t *doc,
                                     const struct script *script)
{
    struct cache_check *k = xcalloc(1, sizeof(*k));
    AUTO_JSON masked = json_copy_deep(doc);
    mask_for_storage(masked, c->mask_key);
    *k = (struct cache_check){.group = xstrdup(o->of->group),
                              .kind = xstrdup(o->of->kind),
                              .ns = xstrdup(o->ns),
                              .name = xstrdup(o->name),
                              .uid = xstrdup(o->uid),
                              .rv = xstrdup(o->rv),
                              .doc = pack_json(masked),
                              .settings = settings_ref(c->settings),
                              .script = script};
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
    struct cache_check *k = check_new(c, o, doc, script);
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

void cache_check_run(cache_t *c, eval_t *eval, struct cache_check *k)
{
    AUTO_ERR err = NULL;
    AUTO_JSON doc = pack_open(k->doc);
    struct health h = {};
    if (eval_health(eval, k->script, doc, &h, &err) < 0)
        h = (struct health){HEALTH_UNKNOWN, xstrdup(err_text(err))};
    store_health(c, k, h.status, h.message);
    health_dispose(&h);
    check_free(k);
}
