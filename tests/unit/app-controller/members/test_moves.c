#include "tests/unit/test.h"
#include "app-controller/members/moves.h"

struct holder {
    const char *working; /* on this */
    int asked;
};

static bool let_go(void *ctx, const char *key, const char *rv)
{
    struct holder *h = ctx;
    h->asked++;
    assert_true(strchr(key, '/') && *rv);
    return !h->working || strcmp(h->working, key) != 0;
}

/* As it goes: asked, written, looked at, let go of, answered, taken. */
static void one_changes_hands(void **state)
{
    struct moves asker, holder;
    struct holder h = {.working = "ns/b"};
    uint64_t number, none;
    moves_init(&asker);
    moves_init(&holder);
    AUTO(free_p) char *nothing = moves_question(&asker, &none);
    assert_string_equal(nothing, "");
    assert_false(moves_unwritten(&asker) || moves_pending(&asker));
    moves_answer(&holder, "asker", nothing, let_go, &h);
    moves_answer(&holder, "asker", NULL, let_go, &h);
    assert_int_equal(h.asked, 0);

    moves_ask(&asker, "ns/a", "11");
    moves_ask(&asker, "ns/b", "12");
    AUTO(free_p) char *question = moves_question(&asker, &number);
    assert_non_null(strstr(question, " ns/a=11 ns/b=12"));
    assert_true(moves_unwritten(&asker));
    moves_wrote(&asker, number);
    assert_false(moves_unwritten(&asker));

    moves_answer(&holder, "asker", question, let_go, &h);
    assert_false(moves_unwritten(&holder)); /* it works on one of them */
    h.working = NULL;
    moves_answer(&holder, "asker", question, let_go, &h);
    assert_true(moves_unwritten(&holder));
    AUTO(free_p) char *answers = moves_answers(&holder);
    int before = h.asked;
    moves_answer(&holder, "asker", question, let_go, &h); /* has been answered */
    assert_int_equal(h.asked, before);
    assert_int_equal(moves_answered(answers, "asker"), number);
    assert_int_equal(moves_answered(answers, "ask"), 0);
    assert_int_equal(moves_answered(NULL, "asker"), 0);

    AUTO(strv_free_p) char **early = moves_take(&asker, number - 1);
    AUTO(strv_free_p) char **rest = moves_take(&asker, moves_answered(answers, "asker"));
    assert_string_equal(early[0], "ns/a"); /* whose number is an earlier one */
    assert_string_equal(rest[0], "ns/b");
    assert_false(moves_pending(&asker));
    moves_dispose(&asker);
    moves_dispose(&holder);
}

/* An answer to a question is none to the next one about the same application. */
static void who_asks_again_is_answered_again(void **state)
{
    struct moves asker, holder;
    struct holder h = {};
    uint64_t first, second;
    moves_init(&asker);
    moves_init(&holder);
    moves_ask(&asker, "ns/a", "1");
    AUTO(free_p) char *one = moves_question(&asker, &first);
    moves_answer(&holder, "asker", one, let_go, &h);
    moves_ask(&asker, "ns/a", "2");
    AUTO(free_p) char *two = moves_question(&asker, &second);
    assert_true(second > first);
    assert_null(strstr(two, "=1"));
    AUTO(free_p) char *old = moves_answers(&holder);
    AUTO(strv_free_p) char **none = moves_take(&asker, moves_answered(old, "asker"));
    assert_null(none[0]);
    moves_withdraw(&asker, "ns/a");
    assert_false(moves_pending(&asker));
    assert_true(moves_unwritten(&asker));
    AUTO(free_p) char *empty = moves_question(&asker, &second);
    assert_string_equal(empty, "");
    moves_dispose(&asker);
    moves_dispose(&holder);
}

static void odd_texts_are_no_questions(void **state)
{
    static const char *const odd[] = {"", "x", "=", " ns/a=1", "99999999999999999999999 ns/a=1", "-5 ns/a=1"};
    struct moves m;
    struct holder h = {};
    moves_init(&m);
    for (size_t i = 0; i < ARRAY_LEN(odd); i++)
        moves_answer(&m, "other", odd[i], let_go, &h);
    assert_int_equal(h.asked, 0);
    assert_false(moves_unwritten(&m));
    moves_answer(&m, "other", "7 nonsense  ns/a=1 =", let_go, &h);
    assert_true(moves_unwritten(&m));
    moves_dispose(&m);
}

static void long_questions_are_cut(void **state)
{
    struct moves m;
    uint64_t number;
    moves_init(&m);
    for (int i = 0; i < 5000; i++) {
        AUTO(free_p) char *key = xasprintf("some-namespace/application-of-a-long-name-%d", i);
        moves_ask(&m, key, "123456");
    }
    AUTO(free_p) char *text = moves_question(&m, &number);
    assert_true(strlen(text) < (110 << 10));
    moves_wrote(&m, number);
    assert_true(moves_unwritten(&m)); /* the rest comes next */
    AUTO(strv_free_p) char **some = moves_take(&m, number);
    assert_true(strv_len(some) > 1000 && strv_len(some) < 5000);
    assert_true(moves_pending(&m));
    moves_dispose(&m);
}

TESTS(T(one_changes_hands), T(who_asks_again_is_answered_again), T(odd_texts_are_no_questions),
      T(long_questions_are_cut))
