/* From pairs and hooks to sorted tasks. */
#include "common/engine/sync_tasks.h"
#include "common/engine/annotations.h"

#include <ctype.h>

const char *sync_phase_name(enum sync_phase p)
{
    static const char *const names[PHASE_MAX] = {"PreSync", "Sync", "PostSync", "SyncFail"};
    return names[p];
}

static const char *const op_names[] = {"", "Running", "Succeeded", "Failed", "Error"};

const char *op_phase_name(enum op_phase p)
{
    return op_names[p];
}

enum op_phase op_phase_parse(const char *name)
{
    for (size_t i = 1; i < ARRAY_LEN(op_names); i++)
        if (str_eq(name, op_names[i]))
            return (enum op_phase)i;
    return OP_PENDING;
}

bool task_is_prune(const struct sync_task *t)
{
    return !t->target && t->live;
}

bool task_delete_before_creation(const struct sync_task *t)
{
    return t->is_hook && t->op == OP_PENDING && t->live && t->target && (t->hook_delete & HOOK_DELETE_BEFORE);
}

static void task_free(struct sync_task *t)
{
    free(t->group);
    free(t->version);
    free(t->kind);
    free(t->ns);
    free(t->name);
    json_decref(t->target);
    json_decref(t->live);
    free(t->message);
    free(t);
}

void sync_tasks_free(struct sync_plan *p)
{
    VEC_FOREACH(&p->tasks, t)
        task_free(*t);
    VEC_FREE(&p->tasks);
}

static struct sync_task *add_task(struct sync_plan *p, enum sync_phase phase, json_t *target, json_t *live)
{
    const json_t *o = target ? target : live;
    struct sync_task *t = xcalloc(1, sizeof(*t));
    t->phase = phase;
    t->target = json_incref(target);
    t->live = json_incref(live);
    t->group = object_group(o);
    t->version = object_version(o);
    t->kind = xstrdup(object_kind(o));
    t->name = xstrdup(object_name(o));
    /* Targets without a namespace get the destination's, cluster-scoped ones included: clients find results
     * by it. */
    const char *ns = object_namespace(o);
    t->ns = xstrdup(target && !*ns ? str_or_empty(p->input->ns) : ns);
    t->wave = object_wave(o);
    t->place = p->tasks.n;
    VEC_PUSH(&p->tasks, t);
    return t;
}

static bool selected(const struct sync_input *in, const json_t *o)
{
    size_t n = json_array_size(in->resources);
    if (!in->resources || !n)
        return true;
    AUTO(free_p) char *group = object_group(o);
    for (size_t i = 0; i < n; i++) {
        const json_t *r = json_array_get(in->resources, i);
        const char *ns = json_str_at(r, "namespace");
        if (str_same(json_str_at(r, "kind"), object_kind(o)) && str_same(json_str_at(r, "group"), group) &&
            str_same(json_str_at(r, "name"), object_name(o)) &&
            (str_empty(ns) || str_eq(ns, object_namespace(o))))
            return true;
    }
    return false;
}

static void add_resources(struct sync_plan *p)
{
    const struct sync_input *in = p->input;
    for (size_t i = 0; i < in->npairs; i++) {
        const struct sync_pair *pair = &in->pairs[i];
        const json_t *o = pair->target ? pair->target : pair->live;
        /* What exists is named as it is: a target may lack its namespace, or have one too many. */
        const json_t *named = pair->live ? pair->live : pair->target;
        if (!pair->self_referenced || !selected(in, named) || object_is_hook(o) || object_is_skipped(o))
            continue;
        struct sync_task *t = add_task(p, PHASE_SYNC, pair->target, pair->live);
        t->unmodified = !pair->modified;
    }
}

/* A hook as it is created: named, held by our finalizer, marked with the operation. */
static json_t *hook_object(const struct sync_input *in, const json_t *hook, enum sync_phase phase)
{
    json_t *o = json_copy_deep(hook);
    if (!*object_name(o)) {
        const char *revision = str_or_empty(in->revision);
        AUTO(free_p)
        char *suffix = xasprintf("%.*s-%s-%lld", strlen(revision) >= 8 ? 7 : 100, revision,
                                 sync_phase_name(phase), (long long)in->started_at);
        for (char *c = suffix; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        AUTO(free_p)
        char *name = xasprintf("%s%s", str_or_empty(json_str_at(o, "metadata", "generateName")), suffix);
        json_put_at(o, json_str_new(name), "metadata", "name");
    }
    json_t *finalizers = json_at(o, "metadata", "finalizers");
    if (!json_is_array(finalizers)) {
        finalizers = json_array();
        json_put_at(o, finalizers, "metadata", "finalizers");
    }
    bool held = false;
    for (size_t i = 0; i < json_array_size(finalizers); i++)
        held = held || str_eq(json_string_value(json_array_get(finalizers, i)), HOOK_FINALIZER);
    if (!held)
        json_array_append_new(finalizers, json_str_new(HOOK_FINALIZER));
    AUTO(free_p) char *mark = xasprintf("%s/%s", str_or_empty(in->operation_id), sync_phase_name(phase));
    object_set_annotation(o, ANNOTATION_HOOK_OPERATION, mark);
    return o;
}

static void add_hooks(struct sync_plan *p)
{
    static const struct {
        unsigned type;
        enum sync_phase phase;
    } phases[] = {{HOOK_PRE_SYNC, PHASE_PRE_SYNC},
                  {HOOK_SYNC, PHASE_SYNC},
                  {HOOK_POST_SYNC, PHASE_POST_SYNC},
                  {HOOK_SYNC_FAIL, PHASE_SYNC_FAIL}};
    const struct sync_input *in = p->input;
    for (size_t i = 0; !in->skip_hooks && i < in->nhooks; i++) {
        unsigned types = hook_types(in->hooks[i]);
        for (size_t k = 0; k < ARRAY_LEN(phases); k++) {
            if (!(types & phases[k].type))
                continue;
            AUTO_JSON o = hook_object(in, in->hooks[i], phases[k].phase);
            struct sync_task *t = add_task(p, phases[k].phase, o, NULL);
            t->is_hook = true;
            t->hook_delete = hook_delete_policies(o);
        }
    }
}

static char *live_key(const char *group, const char *kind, const char *ns, const char *name)
{
    return xasprintf("%s/%s/%s/%s", group, kind, ns, name);
}

static json_t *look_up(const map_t *lives, const struct sync_task *t)
{
    const char *places[] = {t->ns, ""}; /* what is cluster-scoped has none, whatever its target says */
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        AUTO(free_p) char *key = live_key(t->group, t->kind, places[i], t->name);
        json_t *live = map_get(lives, key);
        if (live)
            return live;
    }
    return NULL;
}

/* Gives hooks the objects that are there already, as the pairs know them. */
static void find_live(struct sync_plan *p)
{
    const struct sync_input *in = p->input;
    map_t lives = MAP_INIT(NULL);
    for (size_t i = 0; i < in->npairs; i++) {
        json_t *live = in->pairs[i].live;
        if (!live)
            continue;
        AUTO(free_p) char *group = object_group(live);
        AUTO(free_p)
        char *key = live_key(group, object_kind(live), object_namespace(live), object_name(live));
        map_put(&lives, key, live);
    }
    VEC_FOREACH(&p->tasks, it)
        if ((*it)->target && !(*it)->live)
            (*it)->live = json_incref(look_up(&lives, *it));
    map_dispose(&lives);
}

static int compare_int(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static void mirror_prune_waves(struct sync_plan *p)
{
    VEC(int) waves = {};
    VEC_FOREACH(&p->tasks, t) {
        bool known = !task_is_prune(*t);
        for (size_t i = 0; !known && i < waves.n; i++)
            known = waves.v[i] == (*t)->wave;
        if (!known)
            VEC_PUSH(&waves, (*t)->wave);
    }
    VEC_SORT(&waves, compare_int);
    VEC_FOREACH(&p->tasks, t) {
        for (size_t i = 0; task_is_prune(*t) && i < waves.n; i++) {
            if (waves.v[i] == (*t)->wave) {
                (*t)->wave = waves.v[waves.n - 1 - i];
                break;
            }
        }
    }
    VEC_FREE(&waves);
}

static void put_prunes_last(struct sync_plan *p)
{
    int last = 0;
    VEC_FOREACH(&p->tasks, t)
        if ((*t)->phase == PHASE_SYNC && (*t)->wave > last)
            last = (*t)->wave;
    VEC_FOREACH(&p->tasks, t)
        if (task_is_prune(*t) &&
            (p->input->prune_last || annotation_has((*t)->live, ANNOTATION_SYNC_OPTIONS, "PruneLast=true")))
            (*t)->wave = last + 1;
}

static int by_order(const void *a, const void *b)
{
    const struct sync_task *x = *(struct sync_task *const *)a, *y = *(struct sync_task *const *)b;
    if (x->phase != y->phase)
        return x->phase < y->phase ? -1 : 1;
    if (x->wave != y->wave)
        return x->wave < y->wave ? -1 : 1;
    int rx = kind_apply_rank(x->kind), ry = kind_apply_rank(y->kind);
    if (rx != ry)
        return rx < ry ? -1 : 1;
    int d = strcmp(x->name, y->name);
    return d ? d : (x->place > y->place) - (x->place < y->place);
}

static char *provides_namespace(const struct sync_task *t)
{
    return !*t->group && strcmp(t->kind, "Namespace") == 0 ? xstrdup(t->name) : NULL;
}

static char *needs_namespace(const struct sync_task *t)
{
    return *t->ns ? xstrdup(t->ns) : NULL;
}

static bool is_crd(const struct sync_task *t)
{
    return strcmp(t->group, "apiextensions.k8s.io") == 0 && strcmp(t->kind, "CustomResourceDefinition") == 0;
}

static char *provides_kind(const struct sync_task *t)
{
    const char *group = json_str_at(t->target, "spec", "group"),
               *kind = json_str_at(t->target, "spec", "names", "kind");
    return is_crd(t) && group && kind ? xasprintf("%s/%s", group, kind) : NULL;
}

static char *needs_kind(const struct sync_task *t)
{
    return xasprintf("%s/%s", t->group, t->kind);
}

/* Moves task i in front of task `at`, into its phase and wave. The places that `first` knows move along. */
static void move_up(struct sync_plan *p, size_t i, size_t at, map_t *first)
{
    struct sync_task *t = p->tasks.v[i];
    t->wave = p->tasks.v[at]->wave;
    t->phase = p->tasks.v[at]->phase;
    memmove(&p->tasks.v[at + 1], &p->tasks.v[at], (i - at) * sizeof(t));
    p->tasks.v[at] = t;
    MAP_FOREACH(first, e)
        if ((size_t)(uintptr_t)e->value > at)
            e->value = (void *)((uintptr_t)e->value + 1);
}

/* Moves what provides something in front of the first task that needs it. */
static void lift(struct sync_plan *p, char *(*provides)(const struct sync_task *),
                 char *(*needs)(const struct sync_task *))
{
    map_t first = MAP_INIT(NULL); /* k: what is needed, v: place + 1 of the first task that needs it */
    for (size_t i = 0; i < p->tasks.n; i++) {
        const struct sync_task *t = p->tasks.v[i];
        if (!t->target)
            continue;
        AUTO(free_p) char *given = provides(t);
        AUTO(free_p) char *needed = given ? NULL : needs(t);
        size_t at = given ? (size_t)(uintptr_t)map_get(&first, given) : 0;
        if (at)
            move_up(p, i, at - 1, &first);
        else if (needed && !map_has(&first, needed))
            map_put(&first, needed, (void *)(uintptr_t)(i + 1));
    }
    map_dispose(&first);
}

static void add_namespace(struct sync_plan *p)
{
    const struct sync_input *in = p->input;
    if (!in->namespace_target)
        return;
    struct sync_task *t = add_task(p, PHASE_PRE_SYNC, in->namespace_target, in->namespace_live);
    *t->ns = 0; /* added to a sync as it is, after targets got the destination's namespace */
}

void sync_tasks_build(struct sync_plan *p)
{
    add_resources(p);
    add_hooks(p);
    add_namespace(p);
    find_live(p);
    mirror_prune_waves(p);
    put_prunes_last(p);
    VEC_SORT(&p->tasks, by_order);
    lift(p, provides_namespace, needs_namespace);
    lift(p, provides_kind, needs_kind);
}
