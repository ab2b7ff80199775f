/* Golden cases are files below tests/golden. */
#ifndef CARGOCD_TESTS_UNIT_GOLDEN_H
#define CARGOCD_TESTS_UNIT_GOLDEN_H

#include "tests/unit/test.h"
#include "common/base/file.h"
#include "common/json/json.h"

/* tests/golden/<name>, from the root of the sources or below build/. */
static inline UNUSED void golden_read(const char *name, str_t *out)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *path = xasprintf("tests/golden/%s", name);
    if (file_read(path, out, &err) < 0)
        fail_msg("%s (tests run in the root of the sources)", err_text(err));
}

static inline UNUSED json_t *json_of(const char *text)
{
    AUTO_ERR err = NULL;
    json_t *v = NULL;
    if (json_read_str(text, &v, &err) < 0)
        fail_msg("%s in %s", err_text(err), text);
    return v;
}

/* Runs every line of tests/golden/<name> as a case; `what` tells where it stands. Fails when there are fewer
 * than `least`, so that a file that went missing or short does not pass. */
static inline UNUSED void golden_each(const char *name, size_t least,
                                      void (*run)(const json_t *c, const char *what))
{
    AUTO_STR text = STR_MAX(32 << 20);
    golden_read(name, &text);
    view_t rest = {str_text(&text), text.len}, line;
    size_t n = 0;
    for (size_t at = 1; view_split(&rest, '\n', &line); at++) {
        if (!line.n)
            continue;
        AUTO_ERR err = NULL;
        AUTO_JSON c = NULL;
        ASSERT_OK(json_read(line.p, line.n, &c, &err));
        AUTO(free_p)
        char *what = xasprintf("%s:%zu %s", name, at, str_or_empty(json_str_at(c, "name")));
        run(c, what);
        n++;
    }
    assert_true(n >= least);
}

static inline UNUSED void assert_json_same(const json_t *have, const json_t *wanted, const char *what)
{
    if (json_same(have, wanted))
        return;
    AUTO(free_p) char *a = json_text(have, JSON_GO | JSON_PRETTY);
    AUTO(free_p) char *b = json_text(wanted, JSON_GO | JSON_PRETTY);
    fail_msg("%s: %s\ninstead of\n%s", what, a, b);
}

#endif
