/* What holds for every pair of a target and a live object, whatever they are: the live object after an apply
 * differs in nothing from the target, as the comparison sees it, and the same apply again changes nothing;
 * what is predicted differs in nothing from what is wanted. */
#include "common/engine/diff.h"
#include "common/engine/strategic.h"
#include "common/json/patch.h"
#include "tests/unit/golden.h"

static char *status_pointers[] = {"/status", NULL};
static struct ignore_rule status_rule = {.group = "*", .kind = "*", .pointers = status_pointers};
static struct normalize_options options = {.rules = &status_rule, .nrules = 1};

static json_t *with_last_applied(const json_t *target)
{
    json_t *o = json_copy_deep(target);
    object_drop_annotation(o, LAST_APPLIED);
    AUTO(free_p) char *text = json_text(o, JSON_GO);
    object_set_annotation(o, LAST_APPLIED, text);
    return o;
}

static const struct schema *schema_of(const json_t *o)
{
    AUTO(free_p) char *group = object_group(o);
    AUTO(free_p) char *version = object_version(o);
    return kind_schema(group, version, object_kind(o));
}

/* The live object as a client-side apply of the target leaves it; *patched: what there was to do; NULL:
 * nothing.
 */
static json_t *apply(const json_t *target, const json_t *live, char **patched)
{
    AUTO_ERR err = NULL;
    AUTO_JSON modified = with_last_applied(target);
    AUTO_JSON original = object_last_applied(live);
    const struct schema *schema = schema_of(target);
    AUTO_JSON patch = NULL;
    json_t *after = NULL;
    if (schema)
        ASSERT_OK(strategic_three_way(original, modified, live, schema, &patch, &err));
    else
        patch = json_merge_three_way(original, modified, live);
    *patched = json_object_size(patch) > 0 ? json_text(patch, JSON_GO) : NULL;
    if (schema)
        ASSERT_OK(strategic_merge_apply(live, patch, schema, &after, &err));
    else
        after = json_merge_apply(live, patch);
    return after;
}

static void demand_same(const json_t *target, const json_t *live, const char *what, const char *when)
{
    AUTO_ERR err = NULL;
    struct diff_result r = {};
    ASSERT_OK(diff_objects_compare(target, live, &options, &r, &err));
    if (r.modified) {
        AUTO(free_p) char *patch = json_text(json_merge_diff(r.normalized_live, r.predicted_live), JSON_GO);
        fail_msg("%s: %s there is a difference: %s", what, when, patch);
    }
    diff_result_dispose(&r);
}

/* Without members that are null or empty: with those neither kubectl nor gitops-engine comes to rest (a null
 * is sent again and again; of an empty map that somebody fills, all is to be removed, and never is). */
static void strip(json_t *v)
{
    if (json_is_array(v))
        for (size_t i = 0; i < json_array_size(v); i++)
            strip(json_array_get(v, i));
    if (!json_is_map(v))
        return;
    void *next;
    for (void *it = json_object_iter(v); it; it = next) {
        next = json_object_iter_next(v, it);
        json_t *child = json_object_iter_value(it);
        strip(child);
        if (json_is_null(child) || (json_is_map(child) && !json_object_size(child)) ||
            (json_is_array(child) && !json_array_size(child)))
            json_object_del(v, json_object_iter_key(it));
    }
}

static bool comparable(const json_t *c)
{
    return json_is_map(json_at(c, "target")) && json_is_map(json_at(c, "live"));
}

/* The second patch may still say in which order elements stand among those of others, as kubectl's does; it
 * changes nothing. */
static void settles(const json_t *c, const char *what)
{
    if (!comparable(c))
        return;
    AUTO_JSON target = json_copy_deep(json_at(c, "target"));
    const json_t *live = json_at(c, "live");
    strip(target);
    AUTO(free_p) char *first = NULL;
    AUTO(free_p) char *second = NULL;
    AUTO_JSON once = apply(target, live, &first);
    demand_same(target, once, what, "after an apply");
    AUTO_JSON twice = apply(target, once, &second);
    if (second && !strstr(second, "$setElementOrder/"))
        fail_msg("%s: a second apply has something to do: %s", what, second);
    assert_json_same(twice, once, what);
}

static void predicts(const json_t *c, const char *what)
{
    AUTO_ERR err = NULL;
    struct diff_result r = {};
    if (!comparable(c))
        return;
    ASSERT_OK(diff_objects_compare(json_at(c, "target"), json_at(c, "live"), &options, &r, &err));
    /* The prediction no longer says what was applied last, so that it stands for itself. */
    AUTO_JSON predicted = json_copy_deep(r.predicted_live);
    object_drop_annotation(predicted, LAST_APPLIED);
    demand_same(json_at(c, "target"), predicted, what, "in what is predicted");
    assert_int_equal(r.modified, !json_same(r.predicted_live, r.normalized_live));
    diff_result_dispose(&r);
}

static void recorded_pairs(void **state)
{
    golden_each("diff/pairs.jsonl", 380, settles);
    golden_each("diff/applied-v1.20.jsonl", 39, settles);
    golden_each("diff/cases.jsonl", 20, settles);
}

static void predictions(void **state)
{
    golden_each("diff/pairs.jsonl", 380, predicts);
    golden_each("diff/applied-v1.20.jsonl", 39, predicts);
}

/* ---- pairs that nobody thought of ---- */

static uint64_t seed = 88172645463325252ull;

static size_t below(size_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed % n);
}

static bool is_identity(const char *key)
{
    static const char *const names[] = {"apiVersion",    "kind", "metadata",  "name",
                                        "containerPort", "port", "mountPath", "type",
                                        "key",           "uid",  "ip",        "devicePath"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], key) == 0)
            return true;
    return false;
}

/* Takes some things away and changes others, but not what names an element. */
static void change(json_t *v, size_t depth)
{
    if (json_is_array(v)) {
        for (size_t i = json_array_size(v); i-- > 0;) {
            if (below(12) == 0)
                json_array_remove(v, i);
            else
                change(json_array_get(v, i), depth + 1);
        }
        return;
    }
    if (!json_is_map(v))
        return;
    void *next;
    for (void *it = json_object_iter(v); it; it = next) {
        next = json_object_iter_next(v, it);
        json_t *child = json_object_iter_value(it);
        const char *key = json_object_iter_key(it);
        if (is_identity(key))
            continue;
        if (depth && below(10) == 0)
            json_object_del(v, key);
        else if (json_is_string(child) && below(8) == 0)
            json_object_iter_set_new(v, it, json_string(below(2) ? "changed" : "other"));
        else if (json_is_integer(child) && below(8) == 0)
            json_object_iter_set_new(v, it, json_integer((json_int_t)below(5)));
        else
            change(child, depth + 1);
    }
}

static size_t tried;

/* The applied object drifts, the source moves on. */
static void settles_after_changes(const json_t *c, const char *what)
{
    for (int round = 0; round < 20; round++) {
        AUTO(free_p) char *any = NULL;
        AUTO_JSON start = apply(json_at(c, "target"), json_at(c, "live"), &any);
        AUTO_JSON changed = json_copy_deep(c);
        json_t *live = json_copy_deep(start);
        change(json_object_get(live, "spec"), 0);
        change(json_object_get(live, "data"), 0);
        json_object_set_new(changed, "live", live);
        change(json_at(changed, "target", "spec"), 0);
        change(json_at(changed, "target", "data"), 0);
        settles(changed, what);
        tried++;
    }
}

static void changed_pairs(void **state)
{
    golden_each("diff/applied-v1.20.jsonl", 39, settles_after_changes);
    assert_true(tried >= 39 * 20);
}

TESTS(T(recorded_pairs), T(predictions), T(changed_pairs))
