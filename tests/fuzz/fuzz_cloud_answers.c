/* "file NUL answer": shared files of AWS, and what token services answer. */
#include "k8s-auth/aws.h"
#include "k8s-auth/fetch.h"
#include "tests/fuzz/fuzz.h"

#include "common/json/json.h"

static void answer(const char *text)
{
    AUTO_JSON o = NULL;
    struct sigv4_key k = {};
    struct token t = {};
    if (aws_credentials_of_xml(text, &k, NULL) == 0) {
        REQUIRE(!str_empty(k.id) && !str_empty(k.secret) && !str_empty(k.token));
        sigv4_key_dispose(&k);
    }
    if (json_read_str(text, &o, NULL) == 0 && token_of_oauth(o, &t, NULL) == 0) {
        REQUIRE(!str_empty(t.text));
        free(t.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *file = take_text(&data, &size);
    AUTO(free_p) char *text = take_text(&data, &size);
    struct aws_files f = {};
    aws_files_parse(&f, file, true);
    aws_files_parse(&f, file, false);
    aws_value(&f, "default", "region");
    aws_files_dispose(&f);
    answer(text);
    return 0;
}
