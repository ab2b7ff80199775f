#include "cli/diff.h"
#include "cli/args.h"
#include "cli/print.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "common/yaml/yaml.h"

#include <stdio.h>
#include <unistd.h>

enum { OUTPUT_MAX = 256 << 20 };

static int write_side(const char *path, const json_t *object, err_t **err)
{
    AUTO_STR yaml = STR_INIT;
    if (object)
        yaml_write(object, &yaml);
    return file_write(path, str_text(&yaml), yaml.len, 0600, err);
}

static int run_diff(const char *live, const char *target, err_t **err)
{
    const char *other = getenv("KUBECTL_EXTERNAL_DIFF");
    AUTO(strv_free_p) char **words = NULL;
    AUTO_STR out = STR_MAX(OUTPUT_MAX), errs = STR_MAX(1 << 20);
    struct proc_result result;
    int rc = shell_split(str_empty(other) ? "diff" : other, &words, err);
    if (rc < 0)
        return err_wrap(err, "KUBECTL_EXTERNAL_DIFF");
    size_t n = strv_len(words);
    AUTO(free_p) const char **argv = xcalloc(n + 3, sizeof(*argv));
    memcpy(argv, words, n * sizeof(*argv));
    argv[n] = live;
    argv[n + 1] = target;
    const struct proc_spec spec = {.argv = (char *const *)argv, .env = environ};
    rc = proc_run(&spec, &out, &errs, &result, err);
    print_str(&out);
    fwrite(str_text(&errs), 1, errs.len, stderr);
    return rc;
}

/* A name of an object as one of a file. */
static char *file_name(const char *name)
{
    char *copy = xstrdup(*name && *name != '.' ? name : "object");
    for (char *p = copy; *p; p++)
        if (*p == '/')
            *p = '_';
    return copy;
}

int diff_print(const char *name, const json_t *live, const json_t *target, err_t **err)
{
    AUTO(free_p) char *dir = NULL, *live_path = NULL, *target_path = NULL, *file = file_name(name);
    int rc = dir_make_temp(NULL, "cargocd-diff-", &dir, err);
    if (rc < 0)
        return rc;
    live_path = xasprintf("%s/%.200s-live.yaml", dir, file);
    target_path = xasprintf("%s/%.200s", dir, file);
    rc = write_side(live_path, live, err);
    if (rc == 0)
        rc = write_side(target_path, target, err);
    if (rc == 0)
        rc = run_diff(live_path, target_path, err);
    dir_remove(dir, NULL);
    return rc;
}
