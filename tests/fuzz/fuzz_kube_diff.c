/* "target NUL live NUL last applied": the three ways to compare. A difference is one between what comes out;
 * what merges can be applied. */
#include "tests/fuzz/fuzz.h"
#include "common/engine/apply_diff.h"
#include "common/engine/diff.h"
#include "common/engine/ignored.h"
#include "common/engine/ownership.h"
#include "common/engine/strategic.h"
#include "common/kinds/kinds.h"

static const struct ignore_rule rules[] = {
    {.group = "*",
     .kind = "*",
     .pointers = (char *[]){(char *)"/spec/replicas", (char *)"/spec/template/spec/containers/0", NULL},
     .managers = (char *[]){(char *)"hpa", NULL}}};
static const struct normalize_options options = {.rules = rules, .nrules = ARRAY_LEN(rules)};

static void check(int r, struct diff_result *d)
{
    if (r < 0)
        return;
    AUTO_STR paths = STR_MAX(1 << 16);
    REQUIRE(d->modified == !json_same(d->normalized_live, d->predicted_live));
    diff_paths(d->normalized_live, d->predicted_live, 5, &paths);
    diff_result_dispose(d);
}

static void compare(const json_t *target, const json_t *live)
{
    struct diff_result d = {};
    check(diff_objects_compare(target, live, &options, &d, NULL), &d);
    d = (struct diff_result){};
    check(diff_structured(target, live, "argocd-controller", &options, &d, NULL), &d);
    d = (struct diff_result){};
    check(diff_server_side(target, live, "argocd-controller", false, &options, &d, NULL), &d);
}

static void merge(const json_t *target, const json_t *live, const json_t *last)
{
    AUTO(free_p) char *group = object_group(target);
    AUTO(free_p) char *version = object_version(target);
    const struct schema *s = kind_schema(group, version, object_kind(target));
    AUTO_JSON patch = NULL;
    AUTO_JSON result = NULL;
    AUTO_JSON other = NULL;
    if (strategic_three_way(last, target, live, s, &patch, NULL) == 0)
        strategic_merge_apply(live, patch, s, &result, NULL);
    strategic_merge_apply(live, target, s, &other, NULL);
}

static void own(const json_t *target, const json_t *live)
{
    const json_t *managed = json_at(live, "metadata", "managedFields");
    AUTO_JSON a = fields_owned(managed, "kubectl", "Apply");
    AUTO_JSON b = fields_owned_by_others(managed, "kubectl", "Apply");
    AUTO_JSON every = fields_owned(managed, NULL, NULL);
    AUTO_JSON appliers = ownership_client_appliers(managed);
    AUTO_JSON t = json_copy_deep(target);
    AUTO_JSON l = json_copy_deep(live);
    REQUIRE(json_is_map(a) && json_is_map(b) && json_is_map(every) && json_is_array(appliers));
    json_decref(fields_union(a, b));
    json_decref(ownership_migrate(managed, "kubectl", "argocd-controller"));
    ignored_drop_managed(t, l, managed, rules, ARRAY_LEN(rules));
    json_decref(ignored_respect(target, live, &options));
    json_decref(json_restrict(target, live));
    json_decref(diff_without_claim_defaults(target, live));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *tt = take_text(&data, &size);
    AUTO(free_p) char *tl = take_text(&data, &size);
    AUTO(free_p) char *ta = take_text(&data, &size);
    AUTO_JSON target = NULL;
    AUTO_JSON live = NULL;
    AUTO_JSON last = NULL;
    if (json_read_str(tt, &target, NULL) < 0 || json_read_str(tl, &live, NULL) < 0 || !json_is_map(target) ||
        !json_is_map(live))
        return 0;
    if (json_read_str(ta, &last, NULL) == 0 && json_is_map(last)) {
        AUTO(free_p) char *text = json_text(last, JSON_GO);
        object_set_annotation(live, "kubectl.kubernetes.io/last-applied-configuration", text);
    }
    compare(target, live);
    merge(target, live, json_is_map(last) ? last : NULL);
    own(target, live);
    return 0;
}
