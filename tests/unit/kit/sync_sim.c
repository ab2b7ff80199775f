#include "tests/unit/kit/sync_sim.h"
#include "common/engine/annotations.h"
#include "common/engine/script.h"

static const struct kind {
    const char *kind, *api;
    bool namespaced;
} kinds[] = {
    {"ConfigMap", "v1", true},
    {"Secret", "v1", true},
    {"Service", "v1", true},
    {"Namespace", "v1", false},
    {"Workflow", "argoproj.io/v1alpha1", true},
    {"Job", "batch/v1", true},
    {"Widget", "example.com/v1", true},
    {"Gadget", "example.com/v1", true}, /* not served */
    {"CustomResourceDefinition", "apiextensions.k8s.io/v1", false},
    {"ClusterRole", "rbac.authorization.k8s.io/v1", false},
};

static const struct kind *kind_of(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(kinds[i].kind, kind))
            return &kinds[i];
    abort();
}

/* gitops-engine by itself has no scripts: what has a bundled one has no health here. */
static const struct script *find_script(const void *settings, const char *group, const char *kind)
{
    return script_bundled(group, kind);
}

static int no_health(void *evaluator, const struct script *s, const json_t *object, struct health *out,
                     err_t **err)
{
    return 0;
}

static const struct health_overrides without_scripts = {.find = find_script, .run = no_health};

static const char *text(const json_t *rule, const char *field)
{
    return str_or_empty(json_str_at(rule, field));
}

/* ---- objects of a case ---- */

static json_t *manifest(const json_t *rule, bool target)
{
    static const char *const annotations[][2] = {
        {"w", "argocd.argoproj.io/sync-wave"},
        {"h", "argocd.argoproj.io/hook"},
        {"d", "argocd.argoproj.io/hook-delete-policy"},
        {"o", ANNOTATION_SYNC_OPTIONS},
        {"helm", "helm.sh/hook"},
        {"hw", "helm.sh/hook-weight"},
    };
    const struct kind *k = kind_of(text(rule, "k"));
    const char *name = text(rule, "n"), *ns = text(rule, "ns");
    json_t *o = json_object();
    json_set_str(o, "apiVersion", k->api);
    json_set_str(o, "kind", k->kind);
    AUTO(free_p) char *prefix = xasprintf("%s-", name);
    if (json_bool_at(rule, "gn"))
        json_put_at(o, json_str_new(prefix), "metadata", "generateName");
    else
        json_put_at(o, json_str_new(name), "metadata", "name");
    for (size_t i = 0; i < ARRAY_LEN(annotations); i++)
        if (*text(rule, annotations[i][0]))
            object_set_annotation(o, annotations[i][1], text(rule, annotations[i][0]));
    /* The comparison has put the destination's namespace into ordinary objects that lack one. */
    if (k->namespaced && !*ns && (!target || !object_is_hook(o)))
        ns = "web";
    if (*ns && (k->namespaced || target))
        json_put_at(o, json_str_new(ns), "metadata", "namespace");
    if (strcmp(k->kind, "CustomResourceDefinition") == 0) {
        json_put_at(o, json_str_new("example.com"), "spec", "group");
        json_put_at(o, json_str_new(text(rule, "crd")), "spec", "names", "kind");
    }
    AUTO(free_p) char *image = xasprintf("img/%s", name);
    if (strcmp(k->kind, "Workflow") == 0)
        json_put_at(o, json_pack("[{s:s}]", "image", image), "spec", "template", "spec", "containers");
    return o;
}

static char *key_of(const char *kind, const char *ns, const char *name)
{
    return xasprintf("%s/%s/%s", kind, kind_of(kind)->namespaced ? str_or_empty(ns) : "", name);
}

static const json_t *rule_in(const json_t *list, const char *kind, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *r = json_array_get(list, i);
        if (strcmp(text(r, "k"), kind) == 0 && strcmp(text(r, "n"), name) == 0)
            return r;
    }
    /* A generated name begins with the given one. */
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *r = json_array_get(list, i);
        size_t n = strlen(text(r, "n"));
        if (json_bool_at(r, "gn") && strcmp(text(r, "k"), kind) == 0 && strncmp(text(r, "n"), name, n) == 0 &&
            name[n] == '-')
            return r;
    }
    return NULL;
}

static const json_t *rule_of(const struct sim *s, const char *kind, const char *name)
{
    const json_t *r = rule_in(json_at(s->c, "targets"), kind, name);
    return r ? r : rule_in(json_at(s->c, "live"), kind, name);
}

static void object_free(void *p)
{
    struct sim_object *x = p;
    json_decref(x->doc);
    free(x);
}

static void set_status(struct sim_object *x, int tick)
{
    const char *kind = object_kind(x->doc), *end = text(x->rule, "end");
    bool done = tick - x->born >= json_int_at(x->rule, "delay");
    end = *end ? end : "Succeeded";
    if (strcmp(kind, "Workflow") == 0) {
        const char *phase = done ? end : "Running";
        AUTO(free_p) char *message = xasprintf("is %s", phase);
        json_put_at(x->doc, json_str_new(phase), "status", "phase");
        json_put_at(x->doc, json_str_new(message), "status", "message");
    } else if (strcmp(kind, "Job") == 0) {
        const char *type = strcmp(end, "Failed") == 0 || strcmp(end, "Suspended") == 0 ? end : "Complete";
        AUTO(free_p) char *message = xasprintf("job %s", type);
        json_t *list = json_array();
        if (done)
            json_array_append_new(
                list, json_pack("{s:s,s:s,s:s}", "type", type, "status", "True", "message", message));
        json_put_at(x->doc, list, "status", "conditions");
    }
}

static struct sim_object *add_object(struct sim *s, json_t *doc_take, const json_t *rule, int born)
{
    struct sim_object *x = xcalloc(1, sizeof(*x));
    *x = (struct sim_object){.doc = doc_take, .born = born, .deleted_at = -1, .rule = rule};
    /* A namespace that a sync makes by itself carries no tracking. */
    x->untracked = !rule && strcmp(object_kind(doc_take), "Namespace") == 0;
    AUTO(free_p) char *uid = xasprintf("u%d", ++s->uids);
    json_put_at(doc_take, json_str_new(uid), "metadata", "uid");
    set_status(x, s->tick);
    AUTO(free_p) char *key = key_of(object_kind(doc_take), object_namespace(doc_take), object_name(doc_take));
    map_put(&s->objects, key, x);
    return x;
}

static void mark_deleted(struct sim_object *x, int tick)
{
    x->deleted_at = tick;
    json_put_at(x->doc, json_str_new("2024-01-01T00:00:00Z"), "metadata", "deletionTimestamp");
}

void sim_init(struct sim *s, const json_t *c)
{
    *s = (struct sim){.c = c,
                      .objects = MAP_INIT(object_free),
                      .results = json_array(),
                      .actions = json_array(),
                      .fuel = -1};
    s->phase = OP_RUNNING;
    const json_t *live = json_at(c, "live");
    for (size_t i = 0; i < json_array_size(live); i++) {
        const json_t *l = json_array_get(live, i), *rule = rule_of(s, text(l, "k"), text(l, "n"));
        int born = json_int_at(rule, "vanish") ? 0 : -100;
        struct sim_object *x = add_object(s, manifest(l, false), rule, born);
        if (json_bool_at(l, "fin"))
            json_put_at(x->doc, json_pack("[s]", HOOK_FINALIZER), "metadata", "finalizers");
        if (json_bool_at(l, "deleting"))
            mark_deleted(x, 0);
    }
}

void sim_dispose(struct sim *s)
{
    map_dispose(&s->objects);
    map_dispose(&s->made);
    map_dispose(&s->applied);
    json_decref(s->results);
    json_decref(s->actions);
    free(s->message);
}

struct sim_object *sim_find(const struct sim *s, const char *kind, const char *ns, const char *name)
{
    AUTO(free_p) char *key = key_of(kind, ns, name);
    return map_get(&s->objects, key);
}

static struct sim_object *find(const struct sim *s, const json_t *o)
{
    return sim_find(s, object_kind(o), object_namespace(o), object_name(o));
}

static bool held(const struct sim_object *x)
{
    return json_array_size(json_at(x->doc, "metadata", "finalizers")) > 0;
}

static bool is_due(const struct sim *s, const struct sim_object *x)
{
    int64_t vanish = json_int_at(x->rule, "vanish");
    return (x->deleted_at >= 0 && !held(x) && s->tick >= x->deleted_at + json_int_at(x->rule, "linger")) ||
           (vanish > 0 && s->tick >= x->born + vanish);
}

static void sweep(struct sim *s, bool all, const struct sim_object *one)
{
    MAP_FOREACH(&s->objects, e) {
        struct sim_object *x = e->value;
        if ((all || x == one) && is_due(s, x))
            map_del(&s->objects, e->key);
    }
}

/* ---- effects ---- */

/* False when the pass dies here. */
static bool act(struct sim *s, const char *verb, const json_t *o)
{
    if (s->killed || s->fuel == 0) {
        s->killed = true;
        return false;
    }
    if (s->fuel > 0)
        s->fuel--;
    AUTO(free_p) char *what = xasprintf("%s %s/%s", verb, object_kind(o), object_name(o));
    json_array_append_new(s->actions, json_str_new(what));
    return true;
}

static void count_hook(struct sim *s, const json_t *o)
{
    const char *mark = object_annotation(o, ANNOTATION_HOOK_OPERATION);
    if (!mark)
        return;
    AUTO(free_p) char *key = xasprintf("%s %s", object_name(o), mark);
    map_put(&s->made, key, (void *)((uintptr_t)map_get(&s->made, key) + 1));
}

static void change(struct sim_object *x, json_t *doc)
{
    static const char *const kept[] = {"uid", "deletionTimestamp", "finalizers"};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        json_t *old = json_at(x->doc, "metadata", kept[i]);
        if (old && !json_at(doc, "metadata", kept[i]))
            json_put_at(doc, json_incref(old), "metadata", kept[i]);
    }
    json_t *status = json_object_get(x->doc, "status");
    if (status)
        json_object_set_nocheck(doc, "status", status);
    json_decref(x->doc);
    x->doc = doc;
}

static bool apply(struct sim *s, struct sync_task *t, char **message)
{
    const json_t *rule = rule_of(s, t->kind, t->name);
    if (json_bool_at(rule, "fail")) {
        *message = xasprintf("cannot apply %s", t->name);
        return false;
    }
    json_t *doc = json_copy_deep(t->target);
    if (!kind_of(t->kind)->namespaced)
        json_drop_at(doc, "metadata", "namespace");
    else if (!*object_namespace(doc))
        json_put_at(doc, json_str_new(t->ns), "metadata", "namespace");
    struct sim_object *x = find(s, doc);
    if (x)
        change(x, doc);
    else
        count_hook(s, (x = add_object(s, doc, rule, s->tick))->doc);
    if (s->adopts_answers) {
        json_decref(t->live);
        t->live = json_copy_deep(x->doc);
    }
    AUTO(free_p) char *what = xasprintf("%s/%s", t->kind, t->name);
    map_put(&s->applied, what, NULL);
    *message = xasprintf("%s applied", what);
    return true;
}

static void set_live(struct sync_task *t, const struct sim_object *x)
{
    json_decref(t->live);
    t->live = x ? json_copy_deep(x->doc) : NULL;
}

/* Takes the finalizer off, if it is there. */
static void release(struct sim *s, struct sync_task *t)
{
    if (!t->live || !health_held_as_hook(t->live) || !act(s, "release", t->live))
        return;
    struct sim_object *x = find(s, t->live);
    json_drop_at(t->live, "metadata", "finalizers");
    if (x) {
        json_drop_at(x->doc, "metadata", "finalizers");
        sweep(s, false, x);
    }
}

/* False when it was gone already. */
static bool delete_object(struct sim *s, const json_t *o)
{
    if (!act(s, "delete", o))
        return true;
    struct sim_object *x = find(s, o);
    if (!x)
        return false;
    if (x->deleted_at < 0)
        mark_deleted(x, s->tick);
    sweep(s, false, x);
    return true;
}

/* ---- the runner ---- */

static bool option(const struct sim *s, const char *name)
{
    return json_bool_at(s->c, "options", name);
}

static void prune(struct sim *s, struct sync_plan *p, struct sync_task *t)
{
    enum result_code code = RESULT_PRUNE_SKIPPED;
    const char *message = "ignored (requires pruning)";
    if (option(s, "prune") && prune_forbidden(t->live, p->input->default_prune)) {
        message = "ignored (no prune)";
    } else if (option(s, "prune")) {
        if (!object_deleting(t->live))
            delete_object(s, t->live);
        code = RESULT_PRUNED;
        message = "pruned";
    }
    if (!s->killed)
        sync_set_result(p, t, code, sync_result_phase(code, false), message);
}

static bool unconfirmed(const struct sync_plan *p)
{
    for (size_t i = 0; !p->input->prune_confirmed && i < p->nrun; i++)
        if (task_is_prune(p->run[i]) && prune_needs_confirmation(p->run[i]->live, p->input->default_prune))
            return true;
    return false;
}

static void delete_before(struct sim *s, struct sync_plan *p)
{
    for (size_t i = 0; i < p->nrun; i++) {
        struct sync_task *t = p->run[i];
        if (!task_delete_before_creation(t))
            continue;
        if (delete_object(s, t->live))
            p->outcome = RUN_PENDING;
        else
            set_live(t, NULL);
    }
}

static void run_group(struct sim *s, struct sync_plan *p)
{
    for (size_t i = 0; i < p->nrun; i++)
        if (p->run[i]->is_hook && p->run[i]->op == OP_PENDING)
            release(s, p->run[i]);
    if (unconfirmed(p)) {
        p->outcome = RUN_PENDING;
        return;
    }
    for (size_t i = 0; i < p->nrun; i++)
        if (task_is_prune(p->run[i]))
            prune(s, p, p->run[i]);
    delete_before(s, p);
    enum sync_outcome outcome = p->outcome;
    for (size_t i = 0; outcome == RUN_SUCCESSFUL && i < p->nrun; i++) {
        struct sync_task *t = p->run[i];
        AUTO(free_p) char *message = NULL;
        if (!t->target || !act(s, "apply", t->target))
            continue;
        enum result_code code = apply(s, t, &message) ? RESULT_SYNCED : RESULT_SYNC_FAILED;
        if (code == RESULT_SYNC_FAILED)
            p->outcome = RUN_FAILED;
        sync_set_result(p, t, code, sync_result_phase(code, false), message);
    }
}

static void try_group(struct sim *s, struct sync_plan *p)
{
    if (unconfirmed(p) && !p->input->dry_run)
        return;
    for (size_t i = 0; i < p->nrun; i++) {
        struct sync_task *t = p->run[i];
        if (!t->target || t->skip_dry_run)
            continue;
        AUTO(free_p) char *what = xasprintf("try %s/%s", t->kind, t->name);
        AUTO(free_p) char *bad = xasprintf("bad %s", t->name);
        json_array_append_new(s->actions, json_str_new(what));
        if (json_bool_at(rule_of(s, t->kind, t->name), "failDry")) {
            sync_set_result(p, t, RESULT_SYNC_FAILED, OP_FAILED, bad);
            p->outcome = RUN_FAILED;
        } else if (p->input->dry_run) {
            sync_set_result(p, t, RESULT_SYNCED, OP_SUCCEEDED, "tried");
        }
    }
}

static void stop_hooks(struct sim *s, struct sync_plan *p)
{
    for (size_t i = 0; i < p->nrun; i++) {
        struct sync_task *t = p->run[i];
        AUTO(free_p) char *message = NULL;
        enum op_phase phase = sync_hook_phase(p->input->health, t->live, &message, NULL);
        release(s, t);
        if (phase == OP_RUNNING || (t->hook_delete & HOOK_DELETE_FAILED))
            delete_object(s, t->live);
        if (s->killed)
            return;
        if (phase == OP_RUNNING)
            sync_set_result(p, t, t->code, OP_FAILED, "Terminated");
        else
            sync_set_result(p, t, t->code, phase, message);
    }
}

static void look_up(struct sim *s, struct sync_task *t)
{
    const struct sim_object *x = sim_find(s, t->kind, t->ns, t->name);
    set_live(t, x);
    if (x && s->cannot_look && !s->terminate) {
        json_decref(t->live);
        t->live = json_incref(t->target);
    }
}

static void carry_out(struct sim *s, struct sync_plan *p, enum sync_step step)
{
    for (size_t i = 0; i < p->nrun && step == STEP_FIND; i++)
        look_up(s, p->run[i]);
    for (size_t i = 0; i < p->nrun && step == STEP_FINALIZE; i++)
        release(s, p->run[i]);
    for (size_t i = 0; i < p->nrun && step == STEP_DELETE_HOOKS; i++)
        delete_object(s, p->run[i]->live);
    if (step == STEP_DRY_RUN)
        try_group(s, p);
    else if (step == STEP_RUN && s->terminate)
        stop_hooks(s, p);
    else if (step == STEP_RUN)
        run_group(s, p);
}

/* ---- a pass ---- */

typedef VEC(struct sync_pair) pairs_t;

static json_t *live_of(const struct sim *s, const json_t *target)
{
    struct sim_object *x = find(s, target);
    return x && !x->untracked ? json_copy_deep(x->doc) : NULL;
}

static bool has_target(const struct sim *s, const pairs_t *pairs, const json_t *o)
{
    for (size_t i = 0; i < pairs->n; i++)
        if (pairs->v[i].target && find(s, pairs->v[i].target) == find(s, o))
            return true;
    return false;
}

static void make_pairs(struct sim *s, pairs_t *pairs, json_t *hooks)
{
    const json_t *targets = json_at(s->c, "targets");
    for (size_t i = 0; i < json_array_size(targets); i++) {
        const json_t *rule = json_array_get(targets, i);
        json_t *o = manifest(rule, true);
        if (object_is_hook(o)) {
            json_array_append_new(hooks, o);
            continue;
        }
        json_t *live = live_of(s, o);
        VEC_PUSH(pairs, (struct sync_pair){o, live, !live || !json_bool_at(rule, "same"), true});
    }
    size_t n = pairs->n;
    pairs_t with_target = {pairs->v, n, 0};
    MAP_FOREACH(&s->objects, e) {
        struct sim_object *x = e->value;
        with_target.v = pairs->v;
        if (!x->untracked && !has_target(s, &with_target, x->doc))
            VEC_PUSH(pairs, (struct sync_pair){NULL, json_copy_deep(x->doc), true, true});
    }
}

static json_t *selection(const struct sim *s)
{
    const json_t *select = json_at(s->c, "options", "select");
    if (!json_array_size(select))
        return NULL;
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(select); i++) {
        const char *item = json_string_value(json_array_get(select, i)), *slash = strchr(item, '/');
        AUTO(free_p) char *kind = xstrndup(item, (size_t)(slash - item));
        const char *api = kind_of(kind)->api, *version = strchr(api, '/');
        AUTO(free_p) char *group = xstrndup(api, version ? (size_t)(version - api) : 0);
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:s}", "group", group, "kind", kind, "name", slash + 1));
    }
    return list;
}

static void plan_namespace(const struct sim *s, struct sync_input *in)
{
    const json_t *targets = json_at(s->c, "targets");
    for (size_t i = 0; i < json_array_size(targets); i++) {
        const json_t *t = json_array_get(targets, i);
        if (strcmp(text(t, "k"), "Namespace") == 0 && strcmp(text(t, "n"), "web") == 0 && !*text(t, "h"))
            return;
    }
    struct sim_object *x = sim_find(s, "Namespace", "", "web");
    if (!option(s, "createNs") || (x && !option(s, "nsMeta")))
        return;
    in->namespace_target = json_pack("{s:s,s:s,s:{s:s}}", "apiVersion", "v1", "kind", "Namespace", "metadata",
                                     "name", "web");
    in->namespace_live = x ? json_copy_deep(x->doc) : NULL;
}

static bool defines(const struct sync_plan *p, const char *kind)
{
    VEC_FOREACH(&p->tasks, t)
        if ((*t)->target && strcmp((*t)->kind, "CustomResourceDefinition") == 0 &&
            str_eq(json_str_at((*t)->target, "spec", "names", "kind"), kind))
            return true;
    return false;
}

static void validate(struct sim *s, struct sync_plan *p)
{
    VEC_FOREACH(&p->tasks, it) {
        struct sync_task *t = *it;
        AUTO(free_p) char *why = NULL;
        if (strcmp(t->kind, "Gadget") == 0 &&
            !sim_find(s, "CustomResourceDefinition", "", "gadgets.example.com")) {
            t->skip_dry_run = defines(p, "Gadget") || annotation_has(t->target, ANNOTATION_SYNC_OPTIONS,
                                                                     "SkipDryRunOnMissingResource=true");
            if (!t->skip_dry_run)
                why = xstrdup("Gadget.example.com \"\" not found");
        } else if (json_bool_at(rule_in(json_at(s->c, "targets"), t->kind, t->name), "forbid")) {
            why = xasprintf("not permitted: %s", t->name);
        }
        if (why)
            sync_task_invalid(p, t, why);
    }
}

static void record(struct sim *s, const struct sync_plan *p)
{
    json_decref(s->results);
    s->results = json_copy_deep(p->results);
}

static void run_plan(struct sim *s, struct sync_plan *p)
{
    enum sync_step step;
    while ((step = s->terminate ? sync_plan_terminate(p) : sync_plan_next(p)) != STEP_END) {
        if (p->nrun == 0 || p->outcome != RUN_SUCCESSFUL)
            abort(); /* a step is about something, and begins without a failure */
        if (step != STEP_DRY_RUN && step != STEP_FIND)
            record(s, p);
        if (step == STEP_RUN && s->before_run)
            s->before_run(s, p);
        carry_out(s, p, step);
        if (s->killed)
            return;
    }
    if (s->fuel == 0) {
        s->killed = true; /* dies before the end is on record */
        return;
    }
    record(s, p);
    s->phase = p->phase;
    free(s->message);
    s->message = xstrdup(p->message);
}

static void time_goes_on(struct sim *s)
{
    s->tick++;
    MAP_FOREACH(&s->objects, e)
        set_status(e->value, s->tick);
    sweep(s, true, NULL);
}

void sim_pass(struct sim *s)
{
    pairs_t pairs = {};
    AUTO_JSON hooks = json_array();
    AUTO_JSON resources = selection(s);
    s->killed = false;
    s->pass++;
    json_array_clear(s->actions);
    make_pairs(s, &pairs, hooks);
    size_t nhooks = json_array_size(hooks);
    AUTO(free_p) json_t **list = xcalloc(nhooks + 1, sizeof(*list));
    for (size_t i = 0; i < nhooks; i++)
        list[i] = json_array_get(hooks, i);
    struct sync_input in = {
        .pairs = pairs.v,
        .npairs = pairs.n,
        .hooks = list,
        .nhooks = nhooks,
        .resources = resources,
        .skip_hooks = option(s, "skipHooks") || resources,
        .ns = "web",
        .health = &without_scripts,
        .revision = "0123456789abcdef",
        .started_at = 1700000000,
        .operation_id = "op",
        .prune = option(s, "prune"),
        .prune_last = option(s, "pruneLast"),
        .apply_out_of_sync_only = option(s, "outOfSync"),
        .dry_run = option(s, "dryRun"),
        .default_prune = str_or_empty(json_str_at(s->c, "options", "defaultPrune")),
        .prune_confirmed = option(s, "confirmed"),
    };
    plan_namespace(s, &in);
    struct sync_plan p;
    sync_plan_init(&p, &in, json_copy_deep(s->results));
    validate(s, &p);
    run_plan(s, &p);
    sync_plan_dispose(&p);
    VEC_FOREACH(&pairs, it) {
        json_decref(it->target);
        json_decref(it->live);
    }
    VEC_FREE(&pairs);
    json_decref(in.namespace_target);
    json_decref(in.namespace_live);
    time_goes_on(s);
}

void sim_idle(struct sim *s, int passes)
{
    while (passes-- > 0)
        time_goes_on(s);
}

bool sim_ended(const struct sim *s)
{
    return s->phase == OP_SUCCEEDED || s->phase == OP_FAILED || s->phase == OP_ERROR;
}

/* ---- reports ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef VEC(char *) texts_t;

static json_t *take_texts(texts_t *list, bool sort)
{
    json_t *out = json_array();
    if (sort)
        VEC_SORT(list, by_text);
    VEC_FOREACH(list, t) {
        json_array_append_new(out, json_str_new(*t));
        free(*t);
    }
    VEC_FREE(list);
    return out;
}

json_t *sim_cluster(const struct sim *s)
{
    texts_t list = {};
    MAP_FOREACH(&s->objects, e) {
        const struct sim_object *x = e->value;
        VEC_PUSH(&list,
                 xasprintf("%s%s%s", e->key, x->deleted_at >= 0 ? " deleting" : "", held(x) ? " held" : ""));
    }
    return take_texts(&list, true);
}

json_t *sim_results(const struct sim *s)
{
    texts_t list = {};
    for (size_t i = 0; i < json_array_size(s->results); i++) {
        const json_t *r = json_array_get(s->results, i), *images = json_object_get(r, "images");
        AUTO_STR all = STR_INIT;
        for (size_t k = 0; k < json_array_size(images); k++)
            str_printf(&all, "%s%s", k ? "," : "", json_string_value(json_array_get(images, k)));
        VEC_PUSH(&list,
                 xasprintf("%s/%s/%s/%s %s %s|%s|%s|%s|%s", text(r, "group"), text(r, "kind"),
                           text(r, "namespace"), text(r, "name"), text(r, "syncPhase"), text(r, "hookType"),
                           text(r, "status"), text(r, "hookPhase"), text(r, "message"), str_text(&all)));
    }
    return take_texts(&list, true);
}

static view_t verb_of(const char *action, view_t *kind)
{
    view_t rest = view_of(action), verb;
    view_split(&rest, ' ', &verb);
    view_split(&rest, '/', kind);
    return verb;
}

static bool side_by_side(const char *a, const char *b)
{
    view_t ka, kb, va = verb_of(a, &ka), vb = verb_of(b, &kb);
    bool any_kind = view_eq(va, "delete") || view_eq(va, "release");
    return va.n == vb.n && memcmp(va.p, vb.p, va.n) == 0 &&
           (any_kind || (ka.n == kb.n && memcmp(ka.p, kb.p, ka.n) == 0));
}

json_t *sim_actions(const struct sim *s)
{
    size_t n = json_array_size(s->actions);
    texts_t list = {};
    for (size_t i = 0; i < n; i++)
        VEC_PUSH(&list, xstrdup(json_string_value(json_array_get(s->actions, i))));
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && side_by_side(list.v[i], list.v[end]);)
            end++;
        qsort(list.v + i, end - i, sizeof(*list.v), by_text);
    }
    return take_texts(&list, false);
}
