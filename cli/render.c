/* `cargocd render`: the repository server's own code, in a program beside this one, which gets the command's
 * own options and nothing else. */
#include "cli/render.h"
#include "common/base/vec.h"

static VEC(char *) words;

char **render_words(void)
{
    return words.v;
}

static void pass_text(const struct run *r, const char *name)
{
    const char *value = args_text(r->args, name);
    if (!str_empty(value))
        VEC_PUSH(&words, xasprintf("--%s=%s", name, value));
}

int render(struct run *r, err_t **err)
{
    static const char *const texts[] = {
        "file",           "local",          "revision", "kube-version", "helm-binary", "kustomize-binary",
        "kubectl-binary", "tls-certs-path", "ssh-path", "output"};
    if (str_empty(args_text(r->args, "file")) || args_count(r->args))
        return run_usage(r);
    VEC_PUSH(&words, xstrdup(r->program));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        pass_text(r, texts[i]);
    char *const *apis = args_list(r->args, "api-versions");
    for (size_t i = 0; apis && apis[i]; i++)
        VEC_PUSH(&words, xasprintf("--api-versions=%s", apis[i]));
    VEC_PUSH(&words, NULL);
    return RUN_RENDER;
}
