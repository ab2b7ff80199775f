/* "pattern NUL text NUL separators": any pattern ends soon; a text with all its characters escaped matches
 * itself only;
 * "**" matches everything. */
#include "tests/fuzz/fuzz.h"
#include "common/base/glob.h"

/* Plain characters, ?, * and ** decided by a table instead of by backtracking: reach[i] tells whether the
 * pattern so far matches the first i bytes of the text. */
static bool by_table(const char *pattern, const char *text, const char *separators)
{
    bool reach[101] = {true}, next[101];
    size_t n = strlen(text);
    for (const char *p = pattern; *p; p++) {
        bool star = *p == '*', any = star && p[1] == '*';
        memset(next, 0, sizeof(next));
        for (size_t i = 0; i <= n; i++) {
            bool free_char = i > 0 && !strchr(separators, text[i - 1]);
            if (star)
                next[i] = reach[i] || (i > 0 && next[i - 1] && (any || free_char));
            else
                next[i] = i > 0 && reach[i - 1] && (*p == '?' ? free_char : *p == text[i - 1]);
        }
        while (star && p[1] == '*')
            p++;
        memcpy(reach, next, sizeof(reach));
    }
    return reach[n];
}

static bool is_simple(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s >= 0x80 || strchr("[]{}\\", *s))
            return false;
    return true;
}

static void escaped_matches_itself(const char *text, const char *other, const char *separators)
{
    AUTO_STR pattern = STR_INIT;
    for (const char *p = text; *p; p++)
        str_printf(&pattern, "\\%c", *p);
    REQUIRE(glob_match(str_text(&pattern), text, separators));
    REQUIRE(glob_match(str_text(&pattern), other, separators) == (strcmp(text, other) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *pattern = take_text(&data, &size);
    AUTO(free_p) char *text = take_text(&data, &size);
    AUTO(free_p) char *separators = take_text(&data, &size);
    if (strlen(text) > 200 || strlen(pattern) > 100)
        return 0;
    bool valid = glob_valid(pattern), matches = glob_match(pattern, text, separators);
    REQUIRE(valid || !matches);
    REQUIRE(glob_match("**", text, separators));
    if (is_simple(pattern) && is_simple(text) && strlen(text) <= 100)
        REQUIRE(matches == by_table(pattern, text, separators));
    glob_or_regex_match(pattern, text);
    shell_match(pattern, text);
    if (utf8_valid(text, strlen(text)) && strlen(text) < 100)
        escaped_matches_itself(text, pattern, separators);
    return 0;
}
