#include "tests/unit/test.h"
#include "repo-server/artifact/index.h"
#include "common/base/str.h"

#include <sys/resource.h>

/* The lines of an index given as text; "!" and the error for a bad one. The caller's. */
static char *reduced(const char *text, size_t n)
{
    AUTO_ERR err = NULL;
    char *lines = NULL;
    size_t size = 0;
    FILE *in = fmemopen((void *)text, n, "r"), *out = open_memstream(&lines, &size);
    int r = index_reduce(in, out, &err);
    fclose(in);
    fclose(out);
    if (r == 0)
        return lines;
    free(lines);
    return xasprintf("!%s", err_text(err));
}

static void indexes_become_lines(void **state)
{
    static const struct {
        const char *yaml, *lines;
    } cases[] = {
        {"apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    urls: [a.tgz, b.tgz]\n    digest: ab\n"
         "  - version: v2\n    urls:\n    - https://x/c.tgz\ngenerated: now\n",
         "web\t1.0.0\tab\ta.tgz\nweb\tv2\t\thttps://x/c.tgz\n"},
        {"{\"entries\": {\"a\": [{\"version\": \"1\", \"maintainers\": [{\"version\": \"no\", \"urls\": "
         "[\"no\"]}], "
         "\"annotations\": {\"digest\": \"no\"}, \"urls\": [\"y\"]}]}, \"more\": {\"entries\": {\"b\": "
         "[{\"version\": "
         "\"2\"}]}}}",
         "a\t1\t\ty\n"},
        {"entries: {}", ""},
        {"entries:\n  a:\n  - name: a\n  - version: 1\n  b: []\n  c: null\n  d: {version: 1}\n  e: [text, "
         "[1]]\n",
         "a\t1\t\t\n"},
        {"entries:\n  \"a\\tb\":\n  - version: 1\n  c:\n  - version: \"1\\n2\"\n  - version: 3\n",
         "c\t3\t\t\n"},
        {"entries:\n  a:\n  - urls: [[nested, list], u, w]\n    version: 1\n  - {[odd, key]: x, version: "
         "2}\n",
         "a\t1\t\tu\na\t2\t\t\n"},
        {"x: &a [1]\nentries:\n  b:\n  - version: 1\n    digest: *a\n    urls: *a\n", "b\t1\t\t\n"},
        {"", "!the index has no entries"},
        {"text", "!the index has no entries"},
        {"[entries]", "!the index has no entries"},
        {"a: b", "!the index has no entries"},
        {"entries: [", "!the index is no YAML: line 2: did not find expected node content"},
        {"<html><body>404</body>", "!the index has no entries"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p)
        char *got = reduced(*cases[i].yaml ? cases[i].yaml : "\n", strlen(cases[i].yaml) + !*cases[i].yaml);
        if (strcmp(got, cases[i].lines) != 0)
            fail_msg("case %zu: %s", i, got);
    }
}

static void what_would_fill_the_memory_is_refused(void **state)
{
    AUTO_STR deep = STR_INIT;
    AUTO_STR large = STR_INIT;
    str_puts(&deep, "entries: {a: [{x: ");
    for (int i = 0; i < 5000; i++)
        str_putc(&deep, '[');
    AUTO(free_p) char *got = reduced(deep.p, deep.len);
    assert_string_equal(got, "!the index is nested too deeply");
    str_puts(&large, "entries: {a: [{description: \"");
    for (int i = 0; i < 20 << 20; i += 16)
        str_puts(&large, "0123456789abcdef");
    AUTO(free_p) char *too = reduced(large.p, large.len);
    assert_string_equal(too, "!the index has a value that is too large");
}

enum { BIG_VERSIONS = 100000 };

/* 50 MB and 100,000 versions: none of it stays in memory. */
static void large_indexes_take_no_memory(void **state)
{
    AUTO_ERR err = NULL;
    struct rusage before, after;
    index_entries_t found = {};
    FILE *in = tmpfile(), *out = tmpfile();
    fputs("apiVersion: v1\nentries:\n", in);
    for (int i = 0; i < BIG_VERSIONS; i++) {
        if (i % 100 == 0)
            fprintf(in, "  chart-%d:\n", i / 100);
        fprintf(in, "  - {version: 1.0.%d, description: '%0500d', urls: [c-%d.tgz]}\n", i % 100, i, i);
    }
    assert_true(ftell(in) > 50 << 20);
    rewind(in);
    getrusage(RUSAGE_SELF, &before);
    ASSERT_OK(index_reduce(in, out, &err));
    rewind(out);
    ASSERT_OK(index_read(out, "chart-999", &found, &err));
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(found.n, 100);
    assert_string_equal(found.v[99].url, "c-99999.tgz");
#ifndef CARGOCD_SANITIZE
    assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 4 << 10); /* KiB */
#endif
    index_entries_free(&found);
    fclose(in);
    fclose(out);
}

static void lines_are_read_by_name(void **state)
{
    static const char lines[] = "web\t1\td\tu\nweb2\t1\td\tu\nbroken line\nweb\t2\t\tx\n";
    index_entries_t all = {}, one = {};
    AUTO_ERR err = NULL;
    FILE *in = fmemopen((void *)lines, sizeof(lines) - 1, "r");
    ASSERT_OK(index_read(in, NULL, &all, &err));
    rewind(in);
    ASSERT_OK(index_read(in, "web", &one, &err));
    fclose(in);
    assert_int_equal(all.n, 3);
    assert_int_equal(one.n, 2);
    assert_string_equal(one.v[1].version, "2");
    assert_string_equal(one.v[1].digest, "");
    assert_string_equal(one.v[1].url, "x");
    index_entries_free(&all);
    index_entries_free(&one);
}

TESTS(T(indexes_become_lines), T(what_would_fill_the_memory_is_refused), T(large_indexes_take_no_memory),
      T(lines_are_read_by_name))
