#include "repo-server/git/pktline.h"
#include "tests/unit/test.h"

/* A server's words, given in pieces of `step` bytes. */
struct words {
    const char *p;
    size_t n, at, step;
};

static int on_read(void *arg, char *buf, size_t size, size_t *n, err_t **err)
{
    struct words *w = arg;
    *n = min_size(min_size(size, w->step), w->n - w->at);
    memcpy(buf, w->p + w->at, *n);
    w->at += *n;
    return 0;
}

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"
#define Z "0000000000000000000000000000000000000000"

static struct pkt_reader *reader_of(struct words *w, const char *p, size_t n, size_t step)
{
    static struct pkt_reader r;
    *w = (struct words){p, n, 0, step};
    r = (struct pkt_reader){.read = on_read, .arg = w};
    return &r;
}

static void lines_are_read_whatever_the_pieces(void **state)
{
    AUTO_STR text = STR_INIT;
    pkt_add(&text, "hello %d\n", 1);
    str_puts(&text, "00040000");
    AUTO(free_p) char *long_text = xcalloc(PKT_MAX - 4 + 1, 1);
    memset(long_text, 'x', PKT_MAX - 4);
    for (int i = 0; i < 5; i++)
        pkt_add(&text, "%s", long_text);
    for (size_t step = 1; step < 100000; step = step * 7 + 1) {
        struct words w;
        enum pkt_kind kind;
        view_t line;
        AUTO_ERR err = NULL;
        struct pkt_reader *r = reader_of(&w, text.p, text.len, step);
        ASSERT_OK(pkt_next(r, &kind, &line, &err));
        assert_true(kind == PKT_DATA && view_eq(line, "hello 1\n"));
        ASSERT_OK(pkt_next(r, &kind, &line, &err));
        assert_true(kind == PKT_DATA && line.n == 0);
        ASSERT_OK(pkt_next(r, &kind, &line, &err));
        assert_true(kind == PKT_FLUSH);
        for (int i = 0; i < 5; i++) {
            ASSERT_OK(pkt_next(r, &kind, &line, &err));
            assert_true(kind == PKT_DATA && view_eq(line, long_text));
        }
        ASSERT_OK(pkt_next(r, &kind, &line, &err));
        assert_true(kind == PKT_END);
    }
}

static void lines_that_are_none_are_refused(void **state)
{
    static const struct {
        const char *text;
        enum err_code code;
        const char *part;
    } cases[] = {
        {"0001", ERR_UNAVAILABLE, "malformed"},
        {"0002", ERR_UNAVAILABLE, "malformed"},
        {"0003x", ERR_UNAVAILABLE, "malformed"},
        {"fff1", ERR_UNAVAILABLE, "malformed"},
        {"ffff", ERR_UNAVAILABLE, "malformed"},
        {"<!DO", ERR_UNAVAILABLE, "malformed"},
        {"00 5x", ERR_UNAVAILABLE, "malformed"},
        {"-004", ERR_UNAVAILABLE, "malformed"},
        {"000", ERR_UNAVAILABLE, "too early"},
        {"0006x", ERR_UNAVAILABLE, "too early"},
        {"fff0x", ERR_UNAVAILABLE, "too early"},
        {"000fERR no\x1b[1m\n", ERR_UNAVAILABLE, "the server says: no [1m"},
        {"0026ERR upload-pack: not our ref abcd\n", ERR_NOT_FOUND, "not our ref abcd"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct words w;
        enum pkt_kind kind;
        view_t line;
        AUTO_ERR err = NULL;
        struct pkt_reader *r = reader_of(&w, cases[i].text, strlen(cases[i].text), 3);
        assert_int_equal(pkt_next(r, &kind, &line, &err), -(int)cases[i].code);
        if (!strstr(err_text(err), cases[i].part))
            fail_msg("%s: %s", cases[i].text, err_text(err));
    }
}

static int read_advert(const str_t *text, struct pkt_advert *a, err_t **err)
{
    struct words w;
    *a = (struct pkt_advert){};
    return pkt_read_advert(reader_of(&w, str_text(text), text->len, 1000), a, err);
}

/* A line whose text has a NUL in it. */
static void add_first(str_t *out, const char *ref, const char *capabilities)
{
    str_printf(out, "%04zx%s", 4 + strlen(ref) + 1 + strlen(capabilities) + 1, ref);
    str_putc(out, '\0');
    str_printf(out, "%s\n", capabilities);
}

static void what_the_server_has_is_read(void **state)
{
    for (int http = 0; http < 2; http++) {
        AUTO_STR text = STR_INIT;
        AUTO_ERR err = NULL;
        struct pkt_advert a;
        if (http) {
            pkt_add(&text, "# service=git-upload-pack\n");
            str_puts(&text, "0000");
        }
        add_first(&text, A " HEAD", "multi_ack shallow side-band-64k agent=git/2");
        pkt_add(&text, A " refs/heads/main\n");
        pkt_add(&text, B " refs/tags/v1\n");
        pkt_add(&text, C " refs/tags/v1^{}\n");
        pkt_add(&text, "shallow " C "\n");
        str_puts(&text, "0000");
        ASSERT_OK(read_advert(&text, &a, &err));
        assert_int_equal(a.refs.n, 3);
        assert_true(pkt_capable(&a, "shallow") && pkt_capable(&a, "side-band-64k") &&
                    pkt_capable(&a, "multi_ack"));
        assert_false(pkt_capable(&a, "side-band") || pkt_capable(&a, "agent") || pkt_capable(&a, "allow"));
        assert_string_equal(pkt_find(&a, A), A);
        assert_string_equal(pkt_find(&a, B), B);
        assert_string_equal(pkt_find(&a, C), B);
        assert_string_equal(pkt_find(&a, "ccccccc"), B);
        assert_string_equal(pkt_find(&a, "aaaaaaa"), A);
        assert_null(pkt_find(&a, "abababa"));
        assert_null(pkt_find(&a, ""));
        pkt_advert_dispose(&a);
    }
}

static void lists_that_are_none_are_refused(void **state)
{
    static const struct {
        const char *lines[3];
        enum err_code code;
    } cases[] = {
        {{"" Z " capabilities^{}\n"}, ERR_OK},
        {{A "\n"}, ERR_UNAVAILABLE},
        {{A " \n"}, ERR_UNAVAILABLE},
        {{"junk\n"}, ERR_UNAVAILABLE},
        {{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA refs/heads/x\n"}, ERR_UNAVAILABLE},
        {{A "  refs/heads/x\n", B " refs/heads/y^{}\n"}, ERR_UNAVAILABLE},
        {{B " refs/heads/y^{}\n"}, ERR_UNAVAILABLE},
        {{"# service=git-upload-pack\n", A " HEAD\n"}, ERR_UNAVAILABLE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR text = STR_INIT;
        AUTO_ERR err = NULL;
        struct pkt_advert a;
        for (size_t k = 0; k < 3 && cases[i].lines[k]; k++)
            pkt_add(&text, "%s", cases[i].lines[k]);
        str_puts(&text, "0000");
        assert_int_equal(read_advert(&text, &a, &err), -(int)cases[i].code);
        assert_int_equal(a.refs.n > 1, 0);
        pkt_advert_dispose(&a);
        str_truncate(&text, text.len - 4); /* without its end */
        assert_true(read_advert(&text, &a, &err) < 0);
        pkt_advert_dispose(&a);
    }
    struct pkt_advert a;
    AUTO_ERR err = NULL;
    assert_int_equal(read_advert(&(str_t){}, &a, &err), -ERR_NOT_FOUND);
    pkt_advert_dispose(&a);
}

static void cuts_are_added_and_taken_away(void **state)
{
    AUTO_STR text = STR_INIT;
    AUTO_ERR err = NULL;
    struct words w;
    shallow_t set = {};
    map_put(&set, C, &set);
    pkt_add(&text, "shallow " A "\n");
    pkt_add(&text, "shallow " B);
    pkt_add(&text, "unshallow " C "\n");
    str_puts(&text, "0000");
    ASSERT_OK(pkt_read_shallow(reader_of(&w, text.p, text.len, 9), &set, &err));
    assert_true(map_has(&set, A) && map_has(&set, B) && !map_has(&set, C));
    static const char *const bad[] = {"0035shallow zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\n",
                                      "0010shallow abc\n", "0008NAK\n", "0009nope\n", ""};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(pkt_read_shallow(reader_of(&w, bad[i], strlen(bad[i]), 9), &set, &err) < 0);
    map_dispose(&set);
}

TESTS(T(lines_are_read_whatever_the_pieces), T(lines_that_are_none_are_refused),
      T(what_the_server_has_is_read), T(lists_that_are_none_are_refused), T(cuts_are_added_and_taken_away))
