#include "api-server/auth/password.h"

#include "common/base/hash.h"
#include "common/base/rand.h"
#include "common/base/str.h"

#include <crypt.h>

/* Of no password that anybody can have: a hash of 32 random bytes, thrown away. */
static const char nobody[] = "$2a$10$6bNw2HLQYeqHYyBfLMsv/OiwqTymGIOOmGRqVjNiJ3ZBPzqT7tfDe";

static bool is_bcrypt(const char *hash)
{
    return strlen(hash) == 60 && !strncmp(hash, "$2", 2) && strchr("aby", hash[2]) && hash[3] == '$';
}

bool password_verify(const char *password, const char *hash)
{
    bool known = hash && is_bcrypt(hash);
    struct crypt_data *data = xcalloc(1, sizeof *data); /* 32 KiB: too large for a worker's stack */
    const char *made = crypt_r(password, known ? hash : nobody, data);
    bool ok = made && known && strlen(made) == 60 && equal_constant_time(made, hash, 60);
    wipe(data, sizeof *data);
    free(data);
    return ok;
}

void password_waste(const char *password)
{
    password_verify(password, NULL);
}

int password_hash(const char *password, char **out, err_t **err)
{
    char random[16], salt[CRYPT_GENSALT_OUTPUT_SIZE];
    if (strlen(password) > 72)
        return err_set(err, ERR_UNKNOWN, "bcrypt: password length exceeds 72 bytes");
    random_bytes(random, sizeof random);
    if (!crypt_gensalt_rn("$2a$", 10, random, sizeof random, salt, sizeof salt))
        return err_set(err, ERR_INTERNAL, "hash a password: no salt");
    struct crypt_data *data = xcalloc(1, sizeof *data);
    const char *made = crypt_r(password, salt, data);
    if (made && *made != '*')
        *out = xstrdup(made);
    wipe(data, sizeof *data);
    free(data);
    return *out ? 0 : err_set(err, ERR_INTERNAL, "hash a password: bcrypt failed");
}
