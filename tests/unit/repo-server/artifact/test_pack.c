#include "tests/unit/repo-server/fixture/fixture.h"
#include "repo-server/artifact/pack.h"

#include <fcntl.h>
#include <unistd.h>

static int make(const char *archive, const char *inner, uint64_t max, tree_backend_t **out, err_t **err)
{
    AUTO(free_p) char *from = xasprintf("%s/%s", fx_dir(), archive);
    AUTO(free_p) char *to = xasprintf("%s/pack", fx_dir());
    AUTO(close_p) int fd = open(from, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    int r = pack_make(fd, to, &(struct pack_options){.max_bytes = max, .root = inner}, err);
    return r == 0 ? pack_open(to, out, err) : r;
}

/* "a.txt=content dir/ link->target", depth first. The caller's. */
static void describe(tree_t *t, const char *path, str_t *out)
{
    struct tree_entries entries = {};
    AUTO_ERR err = NULL;
    ASSERT_OK(tree_list(t, path, NULL, &entries, &err));
    for (size_t i = 0; i < entries.n; i++) {
        const struct tree_entry *e = &entries.v[i];
        AUTO(free_p) char *full = path_join(path, e->name);
        AUTO_STR text = STR_INIT;
        if (e->node.kind == NODE_DIR) {
            str_printf(out, "%s/ ", full);
            describe(t, full, out);
        } else if (e->node.kind == NODE_LINK) {
            ASSERT_OK(tree_read_link(t, full, &text, &err));
            str_printf(out, "%s->%s ", full, str_text(&text));
        } else {
            ASSERT_OK(tree_read(t, full, &text, &err));
            str_printf(out, "%s=%s%s ", full, str_text(&text), e->node.executable ? "!" : "");
        }
    }
    tree_entries_dispose(&entries);
}

static void archives_become_trees(void **state)
{
    fx_sh("mkdir -p a/web/b/c && cd a && printf 1 > web/z && printf 2 > web/b/y && printf 22 > web/b/x.sh && "
          "chmod "
          "+x web/b/x.sh && ln -s ../z web/b/up && ln -s /z web/abs && mkfifo web/fifo && ln web/z web/zz && "
          "tar -czf ../a.tgz web && tar -cf ../a.tar web && tar -C web -czf ../flat.tgz . && "
          "tar --format=pax -czf ../pax.tgz web && touch top && tar -czf ../two.tgz web top");
    static const struct {
        const char *archive, *root, *expected;
    } cases[] = {
        {"a.tgz", "web", "abs->z b/ b/c/ b/up->../z b/x.sh=22! b/y=2 z=1 "},
        {"a.tar", "web", "abs->z b/ b/c/ b/up->../z b/x.sh=22! b/y=2 z=1 "},
        {"pax.tgz", "*", "abs->z b/ b/c/ b/up->../z b/x.sh=22! b/y=2 z=1 "},
        {"two.tgz", "*", "abs->z b/ b/c/ b/up->../z b/x.sh=22! b/y=2 z=1 "},
        {"flat.tgz", NULL, "abs->z b/ b/c/ b/up->../z b/x.sh=22! b/y=2 z=1 "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_STR got = STR_INIT;
        tree_backend_t *b = NULL;
        ASSERT_OK(make(cases[i].archive, cases[i].root, 1 << 20, &b, &err));
        tree_t *t = tree_new(b, NULL);
        describe(t, "", &got);
        tree_free(t);
        /* Which of two hard links comes first is the file system's choice. */
        char *zz = strstr(str_text(&got), "zz=1 ");
        if (zz)
            memcpy(zz, "z=1 ", 5);
        assert_string_equal(str_text(&got), cases[i].expected);
    }
}

static void equal_content_has_equal_ids(void **state)
{
    AUTO_ERR err = NULL;
    tree_backend_t *one = NULL, *two = NULL;
    fx_sh("mkdir -p e/x e/y && printf 1 > e/x/f && printf 1 > e/y/f && tar -czf e.tgz e && touch -d "
          "2001-01-01 e/x/f && "
          "tar -cf e.tar e");
    ASSERT_OK(make("e.tgz", NULL, 0, &one, &err));
    ASSERT_OK(make("e.tar", NULL, 0, &two, &err));
    assert_memory_equal(&one->root.id, &two->root.id, sizeof(one->root.id));
    struct tree_entries top = {}, inner = {};
    ASSERT_OK(one->ops->list(one, &one->root.id, &top, &err));
    ASSERT_OK(one->ops->list(one, &top.v[0].node.id, &inner, &err));
    assert_int_equal(inner.n, 2);
    assert_memory_equal(&inner.v[0].node.id, &inner.v[1].node.id, sizeof(inner.v[0].node.id));
    tree_entries_dispose(&top);
    tree_entries_dispose(&inner);
    tree_backend_free(one);
    tree_backend_free(two);
}

static void archives_that_lead_out_are_refused(void **state)
{
    fx_sh("mkdir -p o && cd o && printf 1 > f && tar -czPf ../up.tgz --transform 's,f,../f,' f && "
          "tar -czPf ../abs.tgz --transform 's,^,/,' f && ln -s ../.. l && tar -czf ../link.tgz l && "
          "rm l && ln -s . l && tar -cf ../through.tar l && mkdir d && printf 1 > d/f && "
          "tar -rf ../through.tar --transform 's,d,l,' d/f && printf text > ../plain && "
          "head -c 5000000 /dev/zero > zero && tar -czf ../big.tgz zero && "
          "tar -czf ../whole.tgz f && head -c 60 ../whole.tgz > ../cut.tgz && "
          "tar --sparse -czf ../sparse.tgz f && truncate -s 1T hole && tar --sparse -czf ../hole.tgz hole && "
          "rm hole");
    static const struct {
        const char *archive, *root, *error;
    } cases[] = {
        {"up.tgz", NULL, "illegal filepath in archive: ../f"},
        {"abs.tgz", NULL, "illegal filepath in archive: /f"},
        {"link.tgz", NULL, "illegal filepath in symlink: ../.."},
        {"through.tar", NULL, "illegal filepath in archive: l/f"},
        {"plain", NULL, "read the archive"},
        {"big.tgz", NULL, "the archive is too large"},
        {"hole.tgz", NULL, "the archive is too large"},
        {"cut.tgz", NULL, "read the archive"},
        {"whole.tgz", "web", "the archive has no directory 'web'"},
        {"whole.tgz", "f", "the archive has no directory 'f'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        tree_backend_t *b = NULL;
        int r = make(cases[i].archive, cases[i].root, 1 << 20, &b, &err);
        if (r >= 0 || !strstr(err_text(err), cases[i].error))
            fail_msg("%s: %d %s", cases[i].archive, r, err_text(err));
        AUTO(free_p) char *left = fx_out("ls | grep '^pack[.]' || true");
        assert_string_equal(left, "");
    }
}

/* Any byte of a pack may rot: what is read then is an error, never other content. */
static void damage_is_noticed(void **state)
{
    AUTO_ERR err = NULL;
    tree_backend_t *b = NULL;
    fx_sh("mkdir -p g && printf good > g/f && tar -czf g.tgz g");
    ASSERT_OK(make("g.tgz", "g", 0, &b, &err));
    tree_backend_free(b);
    AUTO(free_p) char *path = xasprintf("%s/pack", fx_dir());
    AUTO(close_p) int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);
    for (off_t i = 0; i < size; i++) {
        unsigned char c;
        AUTO_ERR why = NULL;
        AUTO_STR text = STR_INIT;
        assert_int_equal(pread(fd, &c, 1, i), 1);
        c ^= 0x10;
        assert_int_equal(pwrite(fd, &c, 1, i), 1);
        int r = pack_open(path, &b, &why);
        if (r == 0) {
            tree_t *t = tree_new(b, NULL);
            r = tree_read(t, "f", &text, &why);
            tree_free(t);
        }
        assert_int_equal(r, -ERR_DATA_LOSS);
        c ^= 0x10;
        assert_int_equal(pwrite(fd, &c, 1, i), 1);
    }
}

REPO_TESTS(fx_begin, fx_end, T(archives_become_trees), T(equal_content_has_equal_ids),
           T(archives_that_lead_out_are_refused), T(damage_is_noticed))
