/* Golden cases: every directory below tests/golden/render is one.
 *
 *   repo/         what is committed         setup.sh     run in the work tree before the commit (links, odd
 * bytes) request.json  see fixture/render.h      needs        programs, one a line; without them the case is
 * skipped manifests     expected, one a line      error        or: the expected error (a part of it) warnings
 * expected, one a line; absent: none
 *
 * UPDATE_GOLDEN=1 writes what came instead of comparing. GOLDEN=part runs only cases whose name contains it.
 */
#include "tests/unit/repo-server/fixture/render.h"
#include "common/base/file.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT "tests/golden/render"

static bool read_text(const char *name, const char *file, str_t *out)
{
    AUTO(free_p) char *path = xasprintf(ROOT "/%s/%s", name, file);
    return file_read(path, out, NULL) == 0;
}

static void write_text(const char *name, const char *file, const str_t *text)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *path = xasprintf(ROOT "/%s/%s", name, file);
    if (text->len)
        ASSERT_OK(file_write(path, text->p, text->len, 0644, &err));
    else
        unlink(path);
}

static void join_lines(char **v, size_t n, str_t *out)
{
    for (size_t i = 0; i < n; i++)
        str_printf(out, "%s\n", v[i]);
}

static size_t compare(const char *name, const char *file, const str_t *got)
{
    AUTO_STR expected = STR_INIT;
    read_text(name, file, &expected);
    if (strcmp(str_text(&expected), str_text(got)) == 0)
        return 0;
    print_error("%s: %s\n--- expected\n%s--- got\n%s", name, file, str_text(&expected), str_text(got));
    return 1;
}

static size_t compare_error(const char *name, err_t *err)
{
    AUTO_STR expected = STR_INIT;
    bool wanted = read_text(name, "error", &expected);
    while (expected.len && expected.p[expected.len - 1] == '\n')
        str_truncate(&expected, expected.len - 1);
    if (wanted == (err != NULL) && (!wanted || strstr(err_text(err), str_text(&expected))))
        return 0;
    print_error("%s: expected the error '%s', got '%s'\n", name, str_text(&expected), err_text(err));
    return 1;
}

static bool can_run(const char *name)
{
    AUTO_STR needs = STR_INIT;
    if (!read_text(name, "needs", &needs))
        return true;
    bool helm = strstr(str_text(&needs), "helm"), kustomize = strstr(str_text(&needs), "kustomize");
    if ((!helm || fx_can_run("helm")) && (!kustomize || fx_can_run("kustomize")))
        return true;
    print_message("%s: skipped, not installed: %s", name, str_text(&needs));
    return false;
}

/* Returns how many comparisons failed. */
static size_t run_case(struct fx_clone *clone, const char *name)
{
    AUTO_STR request_text = STR_INIT;
    AUTO_JSON request = NULL;
    AUTO_ERR err = NULL;
    char cwd[4096];
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    if (!read_text(name, "request.json", &request_text))
        fail_msg("%s: no request.json", name);
    ASSERT_OK(json_read(request_text.p, request_text.len, &request, &err));
    fx_sh("cd golden && git checkout -q --orphan 'case-%s' && { git rm -rfq . 2>/dev/null || true; } && git "
          "clean -fdxq; "
          "d=%s/" ROOT "/%s; "
          "[ ! -d $d/repo ] || cp -a $d/repo/. . ; [ ! -f $d/setup.sh ] || sh -e $d/setup.sh",
          name, cwd, name);
    struct render_output out = {};
    fx_render(clone, fx_commit("golden", name), request, NULL, &out, &err);
    AUTO_STR manifests = STR_INIT;
    AUTO_STR warnings = STR_INIT;
    join_lines(out.manifests.v, err ? 0 : out.manifests.n, &manifests);
    join_lines(out.warnings.v, err ? 0 : out.warnings.n, &warnings);
    render_output_dispose(&out);
    if (getenv("UPDATE_GOLDEN")) {
        AUTO_STR error = STR_INIT;
        if (err)
            str_printf(&error, "%s\n", err_text(err));
        write_text(name, "manifests", &manifests);
        write_text(name, "warnings", &warnings);
        write_text(name, "error", &error);
        return 0;
    }
    return compare_error(name, err) + compare(name, "manifests", &manifests) +
           compare(name, "warnings", &warnings);
}

static void golden_cases(void **state)
{
    struct fx_clone clone;
    struct dirent **list = NULL;
    const char *only = getenv("GOLDEN");
    size_t failed = 0, ran = 0;
    fx_repo("golden");
    fx_commit("golden", "base");
    fx_clone_open(&clone, "golden");
    int n = scandir(ROOT, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        if (name[0] != '.' && (!only || strstr(name, only)) && can_run(name)) {
            failed += run_case(&clone, name);
            ran++;
        }
        free(list[i]);
    }
    free(list);
    fx_clone_close(&clone);
    print_message("%zu cases\n", ran);
    assert_true(ran > 0);
    assert_int_equal(failed, 0);
}

REPO_TESTS(fx_begin, fx_end, T(golden_cases))
