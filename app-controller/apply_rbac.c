/* Roles and bindings on the client side. */
#include "app-controller/apply.h"
#include "common/engine/rbac_reconcile.h"
#include "common/kinds/kinds.h"

/* The role that a binding is for cannot be changed. */
static int recreate_binding(const struct applier *a, json_t **live, err_t **err)
{
    if (apply_delete(a, *live, "Background", err) < 0)
        return err_again(err);
    json_decref(*live);
    *live = NULL;
    return 0;
}

static int drop_aggregation(const struct applier *a, const struct kube_resource *r, json_t **live,
                            err_t **err)
{
    struct kube_params params = {.field_manager = FIELD_MANAGER};
    AUTO_JSON patch = json_object();
    json_object_set_new_nocheck(patch, "aggregationRule", json_null());
    json_t *answer = NULL;
    if (kube_patch(a->kube, r, r->namespaced ? object_namespace(*live) : NULL, object_name(*live),
                   KUBE_PATCH_MERGE, patch, &params, &answer, err) < 0)
        return err_again(err);
    json_decref(*live);
    *live = answer;
    return 0;
}

static int prepare_rbac(const struct applier *a, const struct kube_resource *r, const json_t *body,
                        enum rbac_operation op, json_t **live, err_t **err)
{
    if (rbac_opted_out(*live))
        return 0;
    if (op == RBAC_RECREATE)
        return recreate_binding(a, live, err);
    if (op == RBAC_UPDATE && rbac_drops_aggregation(body, *live))
        return drop_aggregation(a, r, live, err);
    return 0;
}

/* What a reconciliation makes anew has never been applied when the apply comes. */
int apply_rbac(const struct applier *a, const struct kube_resource *r, const json_t *body, json_t **live,
               const struct apply_options *o, char **message, json_t **result, err_t **err)
{
    static const char failed[] = "error running kubectl auth reconcile";
    AUTO(free_p) char *note = NULL;
    AUTO(free_p) char *name = apply_name(body);
    enum rbac_operation op = rbac_reconcile(body, *live, &note);
    if (!o->dry_run && prepare_rbac(a, r, body, op, live, err) < 0)
        return err_wrap(err, failed);
    bool made = !o->dry_run && !*live;
    int code = apply_client_side(a, r, body, live, o, message, result, err);
    if (code < 0 && made && r->namespaced && err_code(*err) == ERR_NOT_FOUND)
        return err_wrap(err, "%s: error getting namespace %s", failed, object_namespace(body));
    if (code < 0)
        return code;
    AUTO(free_p) char *applied = *message;
    if (made) {
        free(applied);
        applied = xasprintf("%s configured", name);
        apply_warn_unmanaged(r, body, &applied);
    }
    *message = xasprintf("%s reconciled%s%s%s%s", name, o->dry_run ? " (dry run)" : "", note ? ". " : "",
                         str_or_empty(note), applied);
    return 0;
}
