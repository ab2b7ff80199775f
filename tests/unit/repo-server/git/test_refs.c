#include "tests/unit/test.h"
#include "repo-server/git/refs.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"
#define D "dddddddddddddddddddddddddddddddddddddddd"
#define E "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

static const char advertised[] = A
    " HEAD refs/heads/main\n" B " refs/heads/1.0\n" C " refs/heads/both\n" A " refs/heads/main\n" D
    " refs/pull/1/head\n" D " refs/tags/1.0\n" D " refs/tags/app-2.1.0\n" E " refs/tags/both\n" D
    " refs/tags/v1.1.0\n" E " refs/tags/v1.1.0^{}\n" C " refs/tags/v2.0.0\n" A " refs/remotes/origin/x\n";

static void resolves(void **state)
{
    static const struct {
        const char *revision, *prefix, *text, *ref;
    } cases[] = {
        {"", NULL, A, "refs/heads/main"},
        {"HEAD", NULL, A, "refs/heads/main"},
        {"main", NULL, A, "refs/heads/main"},
        {"refs/heads/main", NULL, A, "refs/heads/main"},
        {"both", NULL, C, "refs/heads/both"}, /* the first advertised */
        {"refs/tags/both", NULL, E, "refs/tags/both"},
        {"1.0", NULL, B, "refs/heads/1.0"},
        {"v1.1.0", NULL, E, "refs/tags/v1.1.0"}, /* peeled */
        {"1.x", NULL, E, "refs/tags/v1.1.0"},
        {"*", NULL, C, "refs/tags/v2.0.0"},
        {"2.x", "app-", D, "refs/tags/app-2.1.0"},
        {"main", "app-", A, "refs/heads/main"},
        {"refs/pull/1/head", NULL, D, "refs/pull/1/head"},
        {"origin/x", NULL, A, "refs/remotes/origin/x"},
        {"abcdef0", NULL, "abcdef0", NULL},
        {"ABCDEF0123", NULL, "ABCDEF0123", NULL},
        {"0123456789012345678901234567890123456789", NULL, "0123456789012345678901234567890123456789", NULL},
        {"abcdef", NULL, NULL, NULL}, /* too short */
        {"v1.1", NULL, NULL, NULL},   /* a version is a name, not a range */
        {"pull/1/head", NULL, NULL, NULL},
        {"refs/heads/none", NULL, NULL, NULL},
    };
    AUTO_ERR err = NULL;
    AUTO(git_refs_unref_p) git_refs_t *refs = NULL;
    ASSERT_OK(git_refs_read(advertised, sizeof(advertised) - 1, &refs, &err));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct git_revision got = {};
        AUTO_ERR why = NULL;
        git_refs_resolve(refs, cases[i].revision, cases[i].prefix, &got, &why);
        if (!str_eq(got.text, cases[i].text) || !str_eq(got.ref, cases[i].ref))
            fail_msg("'%s': %s %s %s", cases[i].revision, str_or_empty(got.text), str_or_empty(got.ref),
                     err_text(why));
        if (!cases[i].text)
            assert_non_null(strstr(err_text(why), "to a commit SHA: revision not found"));
        git_revision_dispose(&got);
    }
}

static void a_full_commit_needs_no_list(void **state)
{
    struct git_revision got = {};
    AUTO_ERR err = NULL;
    ASSERT_OK(git_refs_resolve(NULL, A, NULL, &got, &err));
    assert_string_equal(got.text, A);
    git_revision_dispose(&got);
}

static void lists_sorted(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(git_refs_unref_p) git_refs_t *refs = NULL;
    ASSERT_OK(git_refs_read(advertised, sizeof(advertised) - 1, &refs, &err));
    assert_int_equal(git_refs_count(refs), 11);
    AUTO(strv_free_p) char **tags = git_refs_names(refs, "refs/tags/");
    AUTO(free_p) char *joined = strv_join(tags, " ");
    assert_string_equal(joined, "1.0 app-2.1.0 both v1.1.0 v2.0.0");
    AUTO(git_refs_unref_p) git_refs_t *none = NULL;
    ASSERT_OK(git_refs_read("", 0, &none, &err));
    assert_int_equal(git_refs_count(none), 0);
}

static void malformed_lists_are_refused(void **state)
{
    static const char *const bad[] = {"x", A, (A " "), ("zz" A),
                                      "gggggggggggggggggggggggggggggggggggggggg HEAD"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_ERR err = NULL;
        git_refs_t *refs = NULL;
        assert_int_equal(git_refs_read(bad[i], strlen(bad[i]), &refs, &err), -ERR_DATA_LOSS);
    }
}

TESTS(T(resolves), T(a_full_commit_needs_no_list), T(lists_sorted), T(malformed_lists_are_refused))
