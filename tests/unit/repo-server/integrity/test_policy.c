#include "repo-server/integrity/gpg.h"
#include "tests/unit/golden.h"

#define KEY "0123456789ABCDEF"

static void policies_apply_by_url(void **state)
{
    static const struct {
        const char *policies, *url;
        int mode; /* negative: refused */
    } cases[] = {
        {"[]", "https://h/a", INTEGRITY_NONE},
        {"[{\"repos\":[{\"url\":\"*\"}],\"gpg\":{\"mode\":\"head\"}}]", "https://h/a", INTEGRITY_HEAD},
        {"[{\"repos\":[{\"url\":\"https://h/*\"}],\"gpg\":{\"mode\":\"strict\"}}]", "https://h/a/b",
         INTEGRITY_STRICT},
        {"[{\"repos\":[{\"url\":\"https://o/*\"}],\"gpg\":{\"mode\":\"strict\"}}]", "https://h/a",
         INTEGRITY_NONE},
        {"[{\"repos\":[{\"url\":\"*\"},{\"url\":\"!https://h/a\"}],\"gpg\":{\"mode\":\"head\"}}]",
         "https://h/a", INTEGRITY_NONE},
        {"[{\"repos\":[{\"url\":\"!https://h/a\"},{\"url\":\"*\"}],\"gpg\":{\"mode\":\"head\"}}]",
         "https://h/a", INTEGRITY_NONE},
        {"[{\"repos\":[{\"url\":\"*\"}],\"gpg\":{\"mode\":\"none\"}}]", "https://h/a", INTEGRITY_NONE},
        {"[{\"repos\":[{\"url\":\"*\"}]}]", "https://h/a", INTEGRITY_NONE},
        {"[{\"repos\":[{\"url\":\"*\"}],\"gpg\":{\"mode\":\"hard\"}}]", "https://h/a", -1},
        {"[{\"repos\":[{\"url\":\"*\"}],\"gpg\":{\"mode\":\"head\"}},{\"repos\":[{\"url\":\"https://"
         "*\"}],\"gpg\":{"
         "\"mode\":\"none\"}}]",
         "https://h/a", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *text = xasprintf("{\"git\":{\"policies\":%s}}", cases[i].policies);
        AUTO_JSON spec = json_of(text);
        AUTO_ERR err = NULL;
        struct integrity_policy p;
        int r = integrity_policy_of(spec, cases[i].url, true, &p, &err);
        if ((r < 0) != (cases[i].mode < 0) || (r == 0 && (int)p.mode != cases[i].mode))
            fail_msg("%s: %d, mode %d", cases[i].policies, r, (int)p.mode);
        if (cases[i].mode >= 0) {
            ASSERT_OK(integrity_policy_of(spec, cases[i].url, false, &p, &err));
            assert_int_equal(p.mode, INTEGRITY_NONE);
        }
    }
}

static void problems_are_told_once_for_each_key(void **state)
{
    char commit[32][41];
    signatures_t list = {};
    AUTO_JSON keys = json_of("[\"" KEY "\",\"AAAABBBBCCCCDDDDEEEEFFFF1111222233334444\",\"nonsense\"]");
    struct integrity_policy p = {INTEGRITY_STRICT, keys};
    static const struct {
        const char *revision, *key;
        enum signature_status status;
        const char *problem; /* NULL: none */
    } cases[] = {
        {"1", KEY, SIGNATURE_GOOD, NULL},
        {"2", "1111222233334444", SIGNATURE_GOOD, NULL},
        {"3", "9999999999999999", SIGNATURE_GOOD, "signed with unallowed key (key_id=9999999999999999)"},
        {"4", "9999999999999999", SIGNATURE_GOOD, NULL},
        {"5", "", SIGNATURE_UNSIGNED, "unsigned (key_id=)"},
        {"6", "", SIGNATURE_UNSIGNED, "unsigned (key_id=)"},
        {"7", "7777777777777777", SIGNATURE_REVOKED_KEY, "signed with revoked key (key_id=7777777777777777)"},
        {"8", KEY, SIGNATURE_BAD, "bad signature (key_id=" KEY ")"},
        {"9", "8888888888888888", SIGNATURE_EXPIRED, "expired signature"},
        {"a", "6666666666666666", SIGNATURE_EXPIRED_KEY, "signed with expired key"},
        {"b", "5555555555555555", SIGNATURE_MISSING_KEY, "signed with key not in keyring"},
        {"c", "", SIGNATURE_UNSIGNED, "unsigned"},
        {"d", "", SIGNATURE_UNSIGNED, "unsigned"},
        {"e", "", SIGNATURE_UNSIGNED, NULL}, /* the eleventh */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memset(commit[i], cases[i].revision[0], 40);
        commit[i][40] = '\0';
        struct signature s = {xstrdup(commit[i]), xstrdup("Ada <a@b>"), cases[i].status, ""};
        snprintf(s.key, sizeof(s.key), "%s", cases[i].key);
        VEC_PUSH(&list, s);
    }
    AUTO_JSON result = integrity_result(&p, &list);
    const json_t *problems = json_object_get(json_array_get(json_object_get(result, "Checks"), 0),
                                             "Problems");
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (!cases[i].problem)
            continue;
        AUTO(free_p)
        char *want = xasprintf("Failed verifying revision %s by 'Ada <a@b>': %s", commit[i],
                               cases[i].problem);
        const char *got = str_or_empty(json_string_value(json_array_get(problems, n++)));
        if (!str_has_prefix(got, want))
            fail_msg("%s instead of %s", got, want);
    }
    assert_int_equal(json_array_size(problems), n);
    AUTO(free_p) char *all = integrity_problems(result);
    assert_true(str_has_prefix(all, "GIT/GPG: Failed verifying revision 3333"));
    AUTO(free_p) char *legacy = integrity_legacy_text(&list);
    assert_string_equal(legacy, "Good signature from Ada <a@b> key " KEY);
    signatures_free(&list);
    signatures_t good = {};
    VEC_PUSH(&good, (struct signature){xstrdup("v1"), xstrdup("x"), SIGNATURE_GOOD, KEY});
    AUTO_JSON passed = integrity_result(&p, &good);
    AUTO(free_p) char *text = json_text(passed, JSON_GO);
    assert_string_equal(text, "{\"Checks\":[{\"Name\":\"GIT/GPG\",\"Problems\":null}]}");
    assert_null(integrity_problems(passed));
    signatures_free(&good);
}

static void status_lines_are_read(void **state)
{
    static const struct {
        const char *text;
        bool found;
        enum signature_status status;
    } cases[] = {
        {"[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG " KEY " Ada <a@b>\n[GNUPG:] VALIDSIG x\n", true, SIGNATURE_GOOD},
        {"[GNUPG:] BADSIG " KEY " x", true, SIGNATURE_BAD},
        {"[GNUPG:] ERRSIG " KEY " 22 8 00 1 9\n[GNUPG:] NO_PUBKEY " KEY "\n", true, SIGNATURE_MISSING_KEY},
        {"[GNUPG:] EXPKEYSIG " KEY " x\n", true, SIGNATURE_EXPIRED_KEY},
        {"[GNUPG:] REVKEYSIG " KEY " x\n", true, SIGNATURE_REVOKED_KEY},
        {"[GNUPG:] EXPSIG " KEY " x\n", true, SIGNATURE_EXPIRED},
        /* A name cannot add a line, and two signatures are not one. */
        {"[GNUPG:] GOODSIG " KEY " x\n[GNUPG:] GOODSIG " KEY " y\n", false, SIGNATURE_GOOD},
        {"[GNUPG:] BADSIG " KEY " [GNUPG:] GOODSIG " KEY " x\n", true, SIGNATURE_BAD},
        {"GOODSIG " KEY " x\n", false, SIGNATURE_GOOD},
        {"[GNUPG:] GOODSIG 123 x\n", false, SIGNATURE_GOOD},
        {"", false, SIGNATURE_GOOD},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum signature_status status = SIGNATURE_UNSIGNED;
        char key[17] = "";
        bool found = gpg_status_read(cases[i].text, &status, key);
        if (found != cases[i].found || (found && (status != cases[i].status || strcmp(key, KEY) != 0)))
            fail_msg("%s", cases[i].text);
    }
}

TESTS(T(policies_apply_by_url), T(problems_are_told_once_for_each_key), T(status_lines_are_read))
