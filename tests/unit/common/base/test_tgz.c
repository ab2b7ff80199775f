#include "common/base/tgz.h"
#include "common/base/file.h"
#include "common/base/proc.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;

static int setup(void **state)
{
    return dir_make_temp(NULL, "tgz-test-", &dir, NULL);
}

static int teardown(void **state)
{
    dir_remove(dir, NULL);
    free(dir);
    return 0;
}

static char *run(const char *script)
{
    AUTO_ERR err = NULL;
    AUTO_STR out = STR_INIT;
    char *argv[] = {"/bin/sh", "-ec", (char *)script, NULL};
    char *env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
    struct proc_result result;
    ASSERT_OK(proc_run(&(struct proc_spec){.argv = argv, .env = env, .cwd = dir}, &out, NULL, &result, &err));
    if (result.exit_status)
        fail_msg("%s: exit %d", script, result.exit_status);
    return str_take(&out);
}

/* ---- what is written, tar reads; what tar writes, is read ---- */

static void written_archives_are_tar(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *path = xasprintf("%s/a.tgz", dir);
    char deep[300], sum[SHA256_HEX];
    uint64_t size = 0;
    memset(deep, 'd', sizeof(deep));
    deep[120] = deep[240] = '/';
    deep[sizeof(deep) - 1] = '\0';
    AUTO(close_p) int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    AUTO(tgz_writer_free_p) tgz_writer_t *w = tgz_writer_new(fd);
    ASSERT_OK(tgz_add_dir(w, "sub", &err));
    ASSERT_OK(tgz_add_file(w, "sub/run", true, "#!/bin/sh\n", 10, &err));
    ASSERT_OK(tgz_add_file(w, "empty", false, "", 0, &err));
    ASSERT_OK(tgz_add_file(w, deep, false, "long", 4, &err));
    ASSERT_OK(tgz_add_link(w, "sub/link", "../empty", &err));
    ASSERT_OK(tgz_add_link(w, "far", deep, &err));
    ASSERT_OK(tgz_writer_finish(w, sum, &size, &err));
    AUTO(free_p)
    char *told = run("sha256sum < a.tgz | cut -c1-64 | tr -d '\\n'; stat -c ' %s' a.tgz | tr -d '\\n'");
    AUTO(free_p) char *mine = xasprintf("%s %llu", sum, (unsigned long long)size);
    assert_string_equal(told, mine);
    AUTO(free_p)
    char *list = run(
        "mkdir x && tar xzf a.tgz -C x && cat x/sub/run x/d*/d*/d* && readlink x/sub/link && test -x "
        "x/sub/run && test ! -s x/empty && readlink x/far | wc -c | tr -d ' \\n'");
    assert_string_equal(list, "#!/bin/sh\nlong../empty\n300");
}

static int extract(const char *file, bool keep, uint64_t max, err_t **err)
{
    AUTO(free_p) char *path = xasprintf("%s/%s", dir, file);
    AUTO(free_p) char *to = xasprintf("%s/out", dir);
    free(run("rm -rf out; mkdir out"));
    AUTO(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return tgz_extract(fd, to, &(struct tgz_extract_options){keep, max}, err);
}

static void archives_of_tar_are_read(void **state)
{
    AUTO_ERR err = NULL;
    free(run("mkdir -p src/d && cd src && echo one > d/one && ln -s d/one rel && mkfifo pipe && "
             "printf '#!' > run && chmod 755 run && n=$(printf '%0150d' 0) && echo l > $n && "
             "for f in gnu pax ustar; do tar --format=$f -czf ../$f.tgz $( [ $f = ustar ] && echo d rel run "
             "|| echo . ); "
             "done"));
    static const char *const formats[] = {"gnu.tgz", "pax.tgz", "ustar.tgz"};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        ASSERT_OK(extract(formats[i], false, 0, &err));
        AUTO(free_p) char *got = run("cd out; cat d/one; readlink rel; stat -c %a run; test ! -e pipe");
        assert_string_equal(got, "one\nd/one\n644\n");
        ASSERT_OK(extract(formats[i], true, 0, &err));
        AUTO(free_p) char *kept = run("cd out; stat -c %a run");
        assert_string_equal(kept, "755\n");
        if (i < 2)
            free(run("cd out; test -f $(printf '%0150d' 0)"));
    }
}

static void archives_that_lead_out_are_refused(void **state)
{
    static const struct {
        const char *make, *text; /* NULL: fine */
    } cases[] = {
        {"echo x > f; tar czf bad.tgz --transform 's|^f|../f|' -P f", "illegal filepath in archive: ../f"},
        {"echo x > f; tar czf bad.tgz --transform 's|^f|a/../../f|' -P f", "illegal filepath in archive"},
        {"echo x > f; tar czf bad.tgz --transform 's|^f|/f|' -P f", NULL}, /* below the root */
        {"mkdir -p l; ln -sfn ../../up l/up; tar czf bad.tgz l/up", "illegal filepath in symlink: ../../up"},
        {"ln -sfn /etc/passwd abs; tar czf bad.tgz abs", NULL}, /* made relative: etc/passwd of the root */
        /* A link and then a file through it. */
        {"mkdir -p w; echo x > w/f; ln -sfn . s; tar cf bad.tar s; tar rf bad.tar --transform 's|^w|s|' w/f; "
         "gzip -f "
         "bad.tar; mv bad.tar.gz bad.tgz",
         "enter a directory"},
        {"head -c 100 /dev/urandom > bad.tgz", "not gzip"},
        {"echo x > f; tar czf t.tgz f; head -c 60 t.tgz > bad.tgz", "unexpected EOF"},
        {"printf x | gzip > bad.tgz", "unexpected EOF"},
        {"head -c 600 /dev/urandom | gzip > bad.tgz", "checksum"},
        {"head -c 3000000 /dev/zero > z; tar czf bad.tgz z", "unexpected EOF"}, /* a bomb, over the limit */
        {": | gzip > bad.tgz", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        free(run(cases[i].make));
        int r = extract("bad.tgz", false, 1 << 20, &err);
        if (cases[i].text ? r >= 0 || !strstr(err_text(err), cases[i].text) : r < 0)
            fail_msg("%s: %d '%s'", cases[i].make, r, err_text(err));
        free(run("test ! -e f.out; test -d out"));
    }
    AUTO_ERR err = NULL;
    free(run("ln -sfn /etc/passwd abs; tar czf bad.tgz abs"));
    ASSERT_OK(extract("bad.tgz", false, 0, &err));
    AUTO(free_p) char *link = run("readlink out/abs");
    assert_string_equal(link, "etc/passwd\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(written_archives_are_tar), T(archives_of_tar_are_read),
                                       T(archives_that_lead_out_are_refused)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
