/* Values as somebody with access to Redis would put them there, and, since the cipher keeps a fuzzer out,
 * plain texts of its making that were sealed by us: what comes out has to be what went in. */
#include "common/net/redis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static seal_t *seal;
    const wall_t now = {1700000000 * NS_PER_SEC};
    AUTO_STR out = STR_MAX(1 << 20), sealed = STR_MAX(2 << 20), again = STR_MAX(1 << 20);
    if (!seal)
        seal = seal_new(&(struct seal_key){1, {1, 2, 3}}, 1);
    if (seal_open(seal, "key", data, size, now, 1 << 20, &out, NULL) == 0)
        abort(); /* a forgery */
    if (size > 1 << 20)
        return 0;
    seal_close(seal, "key", data, size, SECONDS(1), now, &sealed);
    if (seal_open(seal, "key", sealed.p, sealed.len, now, 1 << 20, &again, NULL) < 0 || again.len != size ||
        (size && memcmp(again.p, data, size) != 0))
        abort();
    return 0;
}
