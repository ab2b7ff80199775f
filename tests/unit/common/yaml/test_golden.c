/* Golden cases below tests/golden/yaml, whose outcomes are those of sigs.k8s.io/yaml v1.6.0 and apimachinery
 * v0.36.1:
 *
 *   read/<case>.yaml          a document; <case>.json: its JSON; <case>.err: our message where it is refused
 *   read/<case>.strict.yaml   the same with strict keys
 *   read/generated.jsonl      a case per line: {"in": document, "strict": true, "out": JSON; without it:
 * refused} write/<case>.json         a value; <case>.out: how it is written write/generated.jsonl     {"in":
 * JSON, "out": YAML} split/<case>.yaml         a stream; <case>.out: per piece its size, a line break and its
 * bytes; "BAD" for a malformed separator. Pieces as Kubernetes hands them on: with \n, and closed by one.
 */
#include "tests/unit/test.h"
#include "common/base/file.h"
#include "common/base/vec.h"
#include "common/yaml/yaml.h"

#include <dirent.h>

static const char root[] = "tests/golden/yaml";

static void load(const char *path, str_t *out)
{
    AUTO_ERR err = NULL;
    str_reset(out);
    ASSERT_OK(file_read(path, out, &err));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Calls fn(path without the suffix) for each file of the folder that has the suffix. */
static void each(const char *folder, const char *suffix, void (*fn)(const char *stem))
{
    AUTO(free_p) char *path = xasprintf("%s/%s", root, folder);
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, by_name), seen = 0;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        if (str_has_suffix(name, suffix)) {
            AUTO(free_p) char *stem = xasprintf("%s/%.*s", path, (int)(strlen(name) - strlen(suffix)), name);
            fn(stem);
            seen++;
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    assert_true(seen > 10);
}

static void each_line(const char *file, void (*fn)(size_t line, const json_t *c))
{
    AUTO_STR text = STR_INIT;
    AUTO(free_p) char *path = xasprintf("%s/%s", root, file);
    load(path, &text);
    view_t rest = {text.p, text.len}, line;
    size_t n = 0;
    while (view_split(&rest, '\n', &line) && line.n) {
        AUTO_ERR err = NULL;
        AUTO_JSON c = NULL;
        ASSERT_OK(json_read(line.p, line.n, &c, &err));
        fn(++n, c);
    }
    assert_true(n > 100);
}

/* The outcome in JSON, or the message. */
static bool outcome(const char *p, size_t n, bool strict, str_t *out)
{
    AUTO_ERR err = NULL;
    AUTO_JSON v = NULL;
    str_reset(out);
    int r = yaml_read(p, n, &(struct yaml_options){.strict_keys = strict}, &v, &err);
    if (r == 0)
        json_write(v, JSON_GO, out);
    else
        str_puts(out, err_text(err));
    assert_true(r == 0 || v == NULL);
    return r == 0;
}

static void read_case(const char *stem)
{
    AUTO_STR text = STR_INIT, got = STR_INIT, want = STR_INIT;
    AUTO(free_p) char *in = xasprintf("%s.yaml", stem);
    load(in, &text);
    bool ok = outcome(str_text(&text), text.len, str_has_suffix(stem, ".strict"), &got);
    AUTO(free_p) char *expected = xasprintf("%s.%s", stem, ok ? "json" : "err");
    load(expected, &want);
    str_truncate(&want, want.len - 1);
    if (strcmp(str_text(&got), str_text(&want)) != 0)
        fail_msg("%s: got %s", in, str_text(&got));
}

static void read_line(size_t line, const json_t *c)
{
    AUTO_STR got = STR_INIT;
    json_t *in = json_at(c, "in");
    const char *want = json_str_at(c, "out");
    bool ok = outcome(json_string_value(in), json_string_length(in), json_bool_at(c, "strict"), &got);
    if (ok != (want != NULL) || (ok && strcmp(str_text(&got), want) != 0))
        fail_msg("read/generated.jsonl:%zu: %s: %s", line, json_string_value(in), str_text(&got));
}

static void reads(void **state)
{
    each("read", ".yaml", read_case);
    each_line("read/generated.jsonl", read_line);
}

/* What was written must be expected, and read back identical where goyaml can hold the numbers. */
static void check_written(const char *where, const json_t *v, const char *want, bool back)
{
    AUTO_ERR err = NULL;
    AUTO_STR got = STR_INIT;
    AUTO_JSON again = NULL;
    yaml_write(v, &got);
    if (strcmp(str_text(&got), want) != 0)
        fail_msg("%s: got %s", where, str_text(&got));
    ASSERT_OK(yaml_read(got.p, got.len, NULL, &again, &err));
    if (back && !json_same(v, again))
        fail_msg("%s does not read back", where);
}

static void write_case(const char *stem)
{
    AUTO_ERR err = NULL;
    AUTO_STR text = STR_INIT, want = STR_INIT;
    AUTO_JSON v = NULL;
    AUTO(free_p) char *in = xasprintf("%s.json", stem), *expected = xasprintf("%s.out", stem);
    load(in, &text);
    load(expected, &want);
    ASSERT_OK(json_read(str_text(&text), text.len, &v, &err));
    check_written(in, v, str_text(&want), !str_has_suffix(stem, "/numbers"));
}

/* 2^64 is the one number of the generated cases that goyaml cannot hold: it becomes a float. */
static void write_line(size_t line, const json_t *c)
{
    AUTO_ERR err = NULL;
    AUTO_JSON v = NULL;
    AUTO(free_p) char *where = xasprintf("write/generated.jsonl:%zu", line);
    const char *in = json_str_at(c, "in");
    ASSERT_OK(json_read_str(in, &v, &err));
    check_written(where, v, json_str_at(c, "out"), !strstr(in, "18446744073709551616"));
}

static void writes(void **state)
{
    each("write", ".json", write_case);
    each_line("write/generated.jsonl", write_line);
}

/* A piece as Kubernetes hands it on: \r\n becomes \n, and the last line ends with one. */
static void add_piece(view_t piece, str_t *out)
{
    AUTO_STR lines = STR_INIT;
    for (size_t i = 0; i < piece.n; i++)
        if (piece.p[i] != '\r' || i + 1 == piece.n || piece.p[i + 1] != '\n')
            str_putc(&lines, piece.p[i]);
    if (lines.p[lines.len - 1] != '\n')
        str_putc(&lines, '\n');
    str_printf(out, "%zu\n%s", lines.len, str_text(&lines));
}

static void split_case(const char *stem)
{
    AUTO_ERR err = NULL;
    AUTO_STR text = STR_INIT, want = STR_INIT, got = STR_INIT;
    AUTO(free_p) char *in = xasprintf("%s.yaml", stem), *expected = xasprintf("%s.out", stem);
    load(in, &text);
    load(expected, &want);
    struct yaml_splitter s;
    view_t piece;
    yaml_split_init(&s, str_text(&text), text.len);
    while (yaml_split_next(&s, &piece))
        add_piece(piece, &got);
    if (yaml_split_end(&s, &err) < 0)
        str_puts(&got, "BAD\n");
    if (strcmp(str_text(&got), str_text(&want)) != 0)
        fail_msg("%s: got %s", in, str_text(&got));
}

static void splits(void **state)
{
    each("split", ".yaml", split_case);
}

TESTS(T(reads), T(writes), T(splits))
