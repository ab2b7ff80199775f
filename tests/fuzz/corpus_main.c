/* Runs a fuzz target over its corpus as an ordinary test that prints TAP: test_corpus_<name> [file...].
 * Without arguments the files are those of tests/fuzz/corpus/<name>, and the empty input. */
#include "tests/fuzz/fuzz.h"
#include "common/base/file.h"

#include <dirent.h>

static unsigned done;

static void run(const char *name, const char *p, size_t n)
{
    char *exact = xmemdup(p, n); /* a buffer of its own, so that the sanitizer sees a read past its end */
    printf("# %s\n", name);
    fflush(stdout);
    LLVMFuzzerTestOneInput((const uint8_t *)exact, n);
    free(exact);
    printf("ok %u - %s\n", ++done, name);
}

static bool run_file(const char *path)
{
    AUTO_ERR err = NULL;
    AUTO_STR text = STR_INIT;
    if (file_read(path, &text, &err) < 0) {
        printf("not ok %u - %s\n", ++done, err_text(err));
        return false;
    }
    run(path, str_text(&text), text.len);
    return true;
}

static int is_visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static bool run_folder(const char *path)
{
    struct dirent **entries;
    bool ok = true;
    int n = scandir(path, &entries, is_visible, alphasort);
    for (int i = 0; i < n; i++) {
        AUTO(free_p) char *file = xasprintf("%s/%s", path, entries[i]->d_name);
        ok = run_file(file) && ok;
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return ok && n > 0;
}

int main(int argc, char **argv)
{
    bool ok = true;
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            ok = run_file(argv[i]) && ok;
    } else {
        const char *base = strrchr(argv[0], '/');
        const char *name = str_after(base ? base + 1 : argv[0], "test_corpus_");
        AUTO(free_p) char *folder = xasprintf("tests/fuzz/corpus/%s", str_or_empty(name));
        run("empty", "", 0);
        ok = run_folder(folder);
        if (!ok)
            printf("not ok %u - %s has no files\n", ++done, folder);
    }
    printf("1..%u\n", done);
    return ok ? 0 : 1;
}
