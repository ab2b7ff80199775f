#include "repo-server/jsonnet/imports.h"
#include "tests/unit/test.h"

/* "^" stands for the mark. */
static void names_after_the_keywords_are_marked(void **state)
{
    static const struct {
        const char *text, *marked;
    } cases[] = {
        {"importstr 'a'", "importstr'^a'"},
        {"importstr \"a\"", "importstr\"^a\""},
        {"importbin 'a'", "importbin'^a'"},
        {"importstr  'a'", "importstr '^a'"},
        {"importstr'a'", "importstr'^a'"},
        {"importstr\n\t'a'", "importstr\n\t'^a'"},
        {"importstr @'a''b'", "importstr@'^a''b'"},
        {"importstr /* x */ # y\n 'a'", "importstr /* x */ # y\n'^a'"},
        {"import 'a'", "import 'a'"},
        {"{a: importstr 'a', b: import 'a'}", "{a: importstr'^a', b: import 'a'}"},
        {"importstr 'a' + importstr 'b\\'c'", "importstr'^a' + importstr'^b\\'c'"},
        {"'importstr \\'a\\''", "'importstr \\'a\\''"},
        {"\"importstr 'a'\"", "\"importstr 'a'\""},
        {"@'importstr ''a'''", "@'importstr ''a'''"},
        {"# importstr 'a'\nimportstr 'b'", "# importstr 'a'\nimportstr'^b'"},
        {"// importstr 'a'\n1", "// importstr 'a'\n1"},
        {"/* importstr 'a' */ importstr 'b'", "/* importstr 'a' */ importstr'^b'"},
        {"|||\n  importstr 'a'\n||| + importstr 'b'", "|||\n  importstr 'a'\n||| + importstr'^b'"},
        {"|||-\n\n  |||\n\n   importstr 'a'\n ||| + importstr 'b'",
         "|||-\n\n  |||\n\n   importstr 'a'\n ||| + importstr'^b'"},
        {"|||\nimportstr 'a'", "|||\nimportstr 'a'"},
        {"myimportstr 'a'", "myimportstr 'a'"},
        {"importstrs 'a'", "importstrs 'a'"},
        {"importstr_ 'a'", "importstr_ 'a'"},
        {"importstr x 'a'", "importstr x 'a'"},
        {"importstr", "importstr"},
        {"importstr ", "importstr "},
        {"importstr @", "importstr @"},
        {"importstr '", "importstr'^"},
        {"importstr 'a", "importstr'^a"},
        {"'open importstr 'a'", "'open importstr 'a'"},
        {"/* open importstr 'a'", "/* open importstr 'a'"},
        {"/", "/"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR out = STR_INIT;
        jsonnet_mark_imports(cases[i].text, strlen(cases[i].text), &out);
        for (size_t k = 0; k < out.len; k++)
            out.p[k] = out.p[k] == JSONNET_AS_IS ? '^' : out.p[k];
        assert_string_equal(str_text(&out), cases[i].marked);
    }
}

TESTS(T(names_after_the_keywords_are_marked))
