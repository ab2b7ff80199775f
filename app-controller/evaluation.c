#include "app-controller/evaluation.h"
#include "common/base/log.h"

static json_t *delete_by_jq(void *ctx, const char *expression, const json_t *object)
{
    struct evaluation *e = ctx;
    AUTO_ERR err = NULL;
    json_t *out = NULL;
    if (eval_jq_delete(e->eval, expression, object, &out, &err) == 0)
        return out;
    if (err_code(err) == ERR_FAILED_PRECONDITION && !e->failure)
        e->failure = TAKE(err);
    else
        log_debug(NULL, "ignoreDifferences '%s': %s", expression, err_text(err));
    return NULL;
}

void evaluation_open(struct controller *ctl, const struct compare_input *in, struct evaluation *e)
{
    *e = (struct evaluation){.in = in, .eval = ctl->eval};
    e->options.ignore_aggregated_roles = settings_ignore_aggregated_roles(in->settings);
    e->rules = comparison_rules(in, &e->options.nrules);
    e->options.rules = e->rules;
    e->options.types = settings_known_types(in->settings, &e->options.ntypes);
    e->options.jq_delete = delete_by_jq;
    e->options.jq_ctx = e;
}

void evaluation_close(struct evaluation *e)
{
    comparison_rules_free(e->in, e->rules, e->options.nrules);
    err_free(e->failure);
}

static const struct script *find_script(const void *settings, const char *group, const char *kind)
{
    return settings_health_script(settings, group, kind);
}

struct health_overrides evaluation_health(eval_t *eval, const settings_t *settings)
{
    return (struct health_overrides){
        .find = find_script, .run = eval_health, .settings = settings, .evaluator = eval};
}
