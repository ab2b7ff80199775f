/* A token: whatever it says, it is accepted only if it is the one that the key signs for its own claims. */
#include "tests/fuzz/fuzz.h"

#include "api-server/auth/jwt.h"

static const char key[] = "c2VjcmV0";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *token = take_text(&data, &size);
    struct jwt j;
    wall_t now = {1700000000 * NS_PER_SEC};
    if (jwt_parse(token, &j, NULL) < 0) {
        REQUIRE(!j.claims);
        return 0;
    }
    REQUIRE(jwt_shaped(token));
    if (jwt_check(token, &j, key, sizeof key - 1, now, NULL) == 0) {
        REQUIRE(!strcmp(j.alg, "HS256"));
        REQUIRE(!j.exp || j.exp > 1700000000);
        REQUIRE(jwt_check(token, &j, "other", 5, now, NULL) < 0);
    }
    AUTO(free_p) char *mine = jwt_sign(j.claims, key, sizeof key - 1);
    struct jwt k;
    REQUIRE(jwt_parse(mine, &k, NULL) == 0);
    REQUIRE(json_same(j.claims, k.claims));
    jwt_dispose(&k);
    jwt_dispose(&j);
    return 0;
}
