/* Frames of gRPC: what is put together from pieces is what comes at once. */
#include "common/net/grpc.h"
#include "tests/fuzz/fuzz.h"

static int take(void *arg, const char *p, size_t n, err_t **err)
{
    str_t *out = arg;
    REQUIRE(n <= 4096);
    str_printf(out, "%zu:", n);
    str_add(out, p, n);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grpc_reader whole = {.max = 4096}, pieces = {.max = 4096};
    AUTO_STR a = STR_INIT;
    AUTO_STR b = STR_INIT;
    int r = grpc_reader_feed(&whole, data, size, take, &a, NULL), s = 0;
    for (size_t i = 0; s == 0 && i < size; i++)
        s = grpc_reader_feed(&pieces, data + i, 1, take, &b, NULL);
    REQUIRE(r == s && strcmp(str_text(&a), str_text(&b)) == 0 && a.len == b.len);
    grpc_reader_dispose(&whole);
    grpc_reader_dispose(&pieces);
    AUTO_STR text = STR_INIT;
    AUTO_STR back = STR_INIT;
    AUTO(free_p) char *message = take_text(&data, &size);
    grpc_message_escape(message, &text);
    grpc_message_unescape(str_text(&text), text.len, &back);
    REQUIRE(strcmp(str_text(&back), message) == 0);
    int64_t ns;
    if (grpc_timeout_read(message, &ns))
        REQUIRE(ns >= 0);
    return 0;
}
