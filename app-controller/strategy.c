/* Design. Objects are kept without the owners of their fields, which are most of an object; so the live
 * object is read anew when it has to be compared, which is when its version or the target is another (the
 * verdict is kept). A dry run says for which version it was made: when that is not the one that was read,
 * both are asked for again. */
#include "app-controller/strategy.h"
#include "app-controller/apply.h"
#include "app-controller/impersonation.h"
#include "app-controller/metrics.h"
#include "common/argo/app.h"
#include "common/engine/apply_diff.h"
#include "common/engine/mask.h"

enum { ATTEMPTS = 3 };

static bool compare_option(const struct compare_input *in, const char *option)
{
    return annotation_has(in->doc, ANNOTATION_COMPARE, option);
}

enum strategy strategy_choose(const struct controller *ctl, const struct compare_input *in,
                              const json_t *target)
{
    bool server_side = ctl->options.server_side_diff || compare_option(in, "ServerSideDiff=true");
    if (server_side && !compare_option(in, "ServerSideDiff=false"))
        return STRATEGY_SERVER_SIDE;
    AUTO(free_p) char *own = resource_option(target, "ServerSideApply");
    if (own)
        return strcmp(own, "true") == 0 ? STRATEGY_STRUCTURED : STRATEGY_THREE_WAY;
    return options_have(json_at(in->doc, "spec", "syncPolicy", "syncOptions"), "ServerSideApply=true")
               ? STRATEGY_STRUCTURED
               : STRATEGY_THREE_WAY;
}

struct request {
    struct controller *ctl;
    const struct compare_input *in;
    kube_t *kube; /* as whom the sync would apply */
    const struct kube_resource *resource;
    const json_t *target;
};

static const char *namespace_of(const struct request *q)
{
    return q->resource->namespaced ? object_namespace(q->target) : NULL;
}

static int read_live(const struct request *q, json_t **out, err_t **err)
{
    return kube_get(cluster_kube(q->in->cluster), q->resource, namespace_of(q), object_name(q->target), NULL,
                    out, err);
}

static int try_apply(const struct request *q, json_t **out, err_t **err)
{
    struct kube_params params = {.field_manager = FIELD_MANAGER, .force = true, .dry_run = true};
    AUTO_JSON body = json_copy_deep(q->target);
    if (object_is_secret(body))
        normalize_secret(body); /* what is owned as stringData could not be found in the answer */
    json_drop_at(body, "metadata", "managedFields");
    json_drop_at(body, "metadata", "creationTimestamp");
    if (!q->resource->namespaced)
        json_drop_at(body, "metadata", "namespace");
    metrics_applied(q->ctl, "apply");
    if (kube_patch(q->kube, q->resource, namespace_of(q), object_name(q->target), KUBE_PATCH_APPLY, body,
                   &params, out, err) < 0) {
        mask_error(err, &q->target, 1);
        return err_wrap(err, "error running server side apply in dryrun mode for resource %s/%s",
                        object_kind(q->target), object_name(q->target));
    }
    return 0;
}

/* Both sides of one version; *predicted NULL unless the API server is to try. */
static int ask(const struct request *q, enum strategy s, json_t **live, json_t **predicted, err_t **err)
{
    for (int attempt = 1;; attempt++) {
        if (read_live(q, live, err) < 0)
            return err_again(err);
        if (s != STRATEGY_SERVER_SIDE)
            return 0;
        if (try_apply(q, predicted, err) < 0)
            return err_again(err);
        if (attempt == ATTEMPTS ||
            strcmp(object_resource_version(*live), object_resource_version(*predicted)) == 0)
            return 0;
        json_decref(*live);
        json_decref(*predicted);
        *live = *predicted = NULL;
    }
}

static int compare(const struct request *q, enum strategy s, const struct normalize_options *options,
                   struct diff_result *out, err_t **err)
{
    AUTO_JSON live = NULL;
    AUTO_JSON predicted = NULL;
    if (ask(q, s, &live, &predicted, err) < 0)
        return err_again(err);
    AUTO_JSON target = json_copy_deep(q->target);
    json_t *const all[] = {target, live, predicted};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i])
            mask_for_storage(all[i], q->ctl->mask_key);
    tracking_bridge(settings_tracking(q->in->settings), target, live);
    if (comparison_drop_managed(q->in, options, predicted ? predicted : target, live, err) < 0)
        return err_again(err);
    if (s == STRATEGY_SERVER_SIDE)
        return diff_server_side(predicted, live, FIELD_MANAGER,
                                compare_option(q->in, "IncludeMutationWebhook=true"), options, out, err);
    return diff_structured(target, live, FIELD_MANAGER, options, out, err);
}

int strategy_compare(struct controller *ctl, const struct compare_input *in, enum strategy s,
                     const json_t *target, const struct normalize_options *options, struct diff_result *out,
                     err_t **err)
{
    AUTO(free_p) char *group = object_group(target);
    AUTO(free_p) char *version = object_version(target);
    kube_api_t *api = cluster_api(in->cluster);
    kube_t *other = NULL;
    AUTO_ERR failure = NULL;
    struct request q = {.ctl = ctl,
                        .in = in,
                        .resource = api ? kube_api_find(api, group, version, object_kind(target)) : NULL,
                        .target = target};
    int code = 0;
    if (!q.resource)
        code = err_set(&failure, ERR_UNAVAILABLE, "the cluster does not serve %s %s",
                       str_or_empty(json_str_at(target, "apiVersion")), object_kind(target));
    else if (s == STRATEGY_SERVER_SIDE)
        code = impersonation_open(in->settings, in->project, in->doc, in->cluster, true, &other, &failure);
    q.kube = other ? other : cluster_kube(in->cluster);
    if (code == 0)
        code = compare(&q, s, options, out, &failure);
    if (code < 0 && err_code(failure) == ERR_NOT_FOUND) {
        *out = (struct diff_result){
            .modified = true, .normalized_live = json_null(), .predicted_live = json_copy_deep(target)};
        mask_for_storage(out->predicted_live, ctl->mask_key);
        code = 0;
    } else if (code < 0) {
        err_move(err, TAKE(failure));
    }
    impersonation_close(other);
    kube_api_unref(api);
    return code;
}
