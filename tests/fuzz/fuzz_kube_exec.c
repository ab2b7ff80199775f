/* What a credential plugin printed: a credential is a token, a certificate with its key, or both. */
#include "tests/fuzz/fuzz.h"
#include "common/kube/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const versions[] = {"client.authentication.k8s.io/v1",
                                           "client.authentication.k8s.io/v1beta1"};
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct kube_credential c = {};
        if (kube_exec_read((const char *)data, size, versions[i], &c, NULL) < 0)
            continue;
        REQUIRE(c.token || (c.cert_pem && c.key_pem));
        REQUIRE(!c.cert_pem == !c.key_pem);
        kube_credential_dispose(&c);
    }
    return 0;
}
