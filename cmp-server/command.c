#include "cmp-server/service.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/proc.h"
#include "common/base/vec.h"

#include <unistd.h>

enum { OUTPUT_MAX = 100 << 20, ERRORS_MAX = 1 << 20, GRACE_S = 5 };

extern char **environ;

/* "A=b" entries; a later one replaces an earlier one of the same name. */
struct env {
    VEC(char *) list;
    map_t at; /* name: index + 1 */
};

static void env_set(struct env *e, const char *name, size_t n, char *entry_take)
{
    AUTO(free_p) char *key = xstrndup(name, n);
    size_t at = (size_t)map_get(&e->at, key);
    if (at) {
        free(e->list.v[at - 1]);
        e->list.v[at - 1] = entry_take;
    } else {
        VEC_PUSH(&e->list, entry_take);
        map_put(&e->at, key, (void *)e->list.n);
    }
}

/* Argo CD names the helper "argocd", which images of plugins need not have: it is this program, too. */
static void find_askpass(struct env *e)
{
    char self[4096];
    size_t name = (size_t)map_get(&e->at, ASKPASS_NAME_ENV), helper = (size_t)map_get(&e->at, "GIT_ASKPASS");
    if (!name || !helper || strcmp(e->list.v[name - 1], ASKPASS_NAME_ENV "=" ASKPASS_NAME) != 0 ||
        strcmp(e->list.v[helper - 1], "GIT_ASKPASS=argocd") != 0)
        return;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n > 0)
        env_set(e, "GIT_ASKPASS", strlen("GIT_ASKPASS"), xasprintf("GIT_ASKPASS=%.*s", (int)n, self));
}

static void make_env(const Plugin__ManifestRequestMetadata *meta, struct env *e)
{
    for (char **own = environ; *own; own++)
        env_set(e, *own, strcspn(*own, "="), xstrdup(*own));
    for (size_t i = 0; i < meta->n_env; i++) {
        const Plugin__EnvEntry *v = meta->env[i];
        if (!str_empty(v->name) && !strchr(v->name, '='))
            env_set(e, v->name, strlen(v->name), xasprintf("%s=%s", v->name, str_or_empty(v->value)));
    }
    find_askpass(e);
    VEC_PUSH(&e->list, NULL);
}

static void env_dispose(struct env *e)
{
    VEC_FOREACH(&e->list, s)
        free(*s);
    VEC_FREE(&e->list);
    map_dispose(&e->at);
}

static int judge(const char *shown, const struct proc_result *result, const str_t *errs, err_t **err)
{
    view_t said = view_trim((view_t){str_text(errs), errs->len});
    if (result->exit_status == 0)
        return 0;
    if (result->exit_status > 128)
        return err_set(err, ERR_UNKNOWN, "`%s` failed signal %d%s%.*s", shown, result->exit_status - 128,
                       said.n ? ": " : "", (int)said.n, said.n ? said.p : "");
    return err_set(err, ERR_UNKNOWN, "`%s` failed exit status %d%s%.*s", shown, result->exit_status,
                   said.n ? ": " : "", (int)said.n, said.n ? said.p : "");
}

int command_run(const struct grpc_call_info *call, const struct source *s, char *const *argv, str_t *out,
                err_t **err)
{
    AUTO_STR errs = STR_MAX(ERRORS_MAX);
    AUTO(free_p) char *shown = proc_describe(argv);
    struct env env = {};
    struct proc_result result = {};
    int64_t left = call->has_deadline ? mono_left(call->deadline) - MILLIS(100) : 0;
    if (call->has_deadline && left <= 0)
        return err_set(err, ERR_DEADLINE_EXCEEDED, "`%s` was not run: no time is left", shown);
    make_env(s->meta, &env);
    out->max = OUTPUT_MAX;
    struct proc_spec spec = {
        .argv = argv,
        .env = env.list.v,
        .cwd = s->app,
        .timeout_ns = left,
        .grace_ns = SECONDS(GRACE_S),
        .canceled = call->canceled,
    };
    mono_t begun = mono_now();
    int r = proc_run(&spec, out, &errs, &result, err);
    if (r == 0)
        r = judge(shown, &result, &errs, err);
    env_dispose(&env);
    char took[32];
    snprintf(took, sizeof(took), "%.3f", (double)(mono_now().ns - begun.ns) / 1e9);
    log_info(LOGF({"command", shown}, {"seconds", took}), r < 0 ? "plugin command failed" : "plugin command");
    if (out->len && out->p[out->len - 1] == '\n')
        str_truncate(out, out->len - 1);
    return r;
}
