/* A list gives the same items and fields however it is cut into pieces. The first byte of the input seeds the
 * cutting. */
#include "tests/fuzz/fuzz.h"
#include "common/json/scan.h"

enum { MAX_ITEM = 4096 };

static int on_item(void *arg, const char *p, size_t n)
{
    str_t *log = arg;
    str_printf(log, "item %zu ", n);
    str_add(log, p, n);
    return 0;
}

static int on_field(void *arg, const char *key, const char *p, size_t n)
{
    str_t *log = arg;
    str_printf(log, "field %zu %s %zu ", strlen(key), key, n);
    str_add(log, p, n);
    return 0;
}

/* step 0: the whole at once. */
static int feed(const char *p, size_t n, uint32_t step, str_t *log)
{
    struct json_list l;
    json_list_init(&l, MAX_ITEM);
    l.on_item = on_item;
    l.on_field = on_field;
    l.arg = log;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n;) {
        size_t take = n - i;
        if (step) {
            step = step * 1103515245u + 12345u;
            take = min_size(take, 1 + (step >> 16) % 7);
        }
        char *piece = xmemdup(p + i, take);
        r = json_list_feed(&l, piece, take, NULL);
        free(piece);
        i += take;
    }
    if (r == 0)
        r = json_list_end(&l, NULL);
    json_list_dispose(&l);
    return r;
}

/* A well-formed list is complete, and its items are those that the reader finds. */
static void agrees_with_reader(const char *p, size_t n, int result, const str_t *log)
{
    AUTO_JSON v = NULL;
    if (json_read(p, n, &v, NULL) < 0 || !json_is_map(v) || result == -ERR_RESOURCE_EXHAUSTED)
        return;
    size_t items = 0;
    for (const char *at = str_text(log); (at = memmem(at, log->len - (size_t)(at - log->p), "item ", 5));
         at++)
        items++;
    const json_t *list = json_at(v, "items");
    REQUIRE(result == 0 || n > 1024);
    REQUIRE(result < 0 || !json_is_array(list) || items >= json_array_size(list));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    AUTO_STR whole = STR_INIT, pieces = STR_INIT;
    const char *p = (const char *)data + 1;
    int a = feed(p, size - 1, 0, &whole), b = feed(p, size - 1, data[0] + 1u, &pieces);
    REQUIRE(a == b);
    REQUIRE(whole.len == pieces.len && (!whole.len || memcmp(whole.p, pieces.p, whole.len) == 0));
    if (whole.len)
        agrees_with_reader(p, size - 1, a, &whole);
    return 0;
}
