/* cargocd: the commands that need no server, completion, and the step to another program for the rest. */
#include "cli/print.h"
#include "cli/render.h"
#include "cli/run.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* The program beside this one; only returns when it cannot be run. */
static int become(const char *program, char **argv)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    AUTO(free_p) char *path = NULL;
    if (n > 0) {
        self[n] = 0;
        *strrchr(self, '/') = 0;
        path = xasprintf("%s/%s", self, program);
        execv(path, argv);
    }
    return fail_with(EXIT_GENERIC, "cannot run %s: %s", path ? path : program, strerror(errno));
}

static int become_remote(char **argv)
{
    return become("cargocd-remote", argv);
}

/* ---- completion ---- */

/* Names that only the server knows: the command that lists them. */
static int complete_from_server(char *program, enum operand operand)
{
    static const char *const lists[][4] = {[OPERAND_APP] = {"app", "list", "-o", "name"},
                                           [OPERAND_PROJECT] = {"proj", "list", "-o", "name"},
                                           [OPERAND_CLUSTER] = {"cluster", "list", "-o", "server"}};
    char *argv[6] = {program};
    for (size_t i = 0; i < 4; i++)
        argv[i + 1] = (char *)(uintptr_t)lists[operand][i];
    return become_remote(argv);
}

static void complete_contexts(void)
{
    AUTO(free_p) char *dir = NULL;
    AUTO_JSON config = NULL;
    if (config_dir(run_environment, &dir, NULL) < 0)
        return;
    AUTO(free_p) char *path = xasprintf("%s/config", dir);
    if (config_read(path, &config, NULL) < 0)
        return;
    size_t i;
    json_t *context;
    json_array_foreach(json_object_get(config, "contexts"), i, context) {
        printf_out("%s\n", str_or_empty(json_str_at(context, "name")));
    }
}

static int complete(char *program, size_t n, char **words)
{
    AUTO_STR text = STR_INIT;
    enum operand operand;
    completion_answer(n, words, &text, &operand);
    print_str(&text);
    fflush(stdout);
    if (operand == OPERAND_CONTEXT)
        complete_contexts();
    if (operand == OPERAND_APP || operand == OPERAND_PROJECT || operand == OPERAND_CLUSTER)
        return complete_from_server(program, operand);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "__complete"))
        return complete(argv[0], (size_t)argc - 2, argv + 2);
    int status = run_main(argc, argv);
    return status == RUN_ELSEWHERE ? become_remote(argv)
           : status == RUN_RENDER  ? become("cargocd-render", render_words())
           : status == RUN_COMPARE ? become("cargocd-compare", argv)
                                   : status;
}
