/* A cluster's Secret: the entry and the connection that it describes. */
#include "tests/fuzz/fuzz.h"
#include "common/argo/cluster_secret.h"
#include "common/kube/kube_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON secret = NULL;
    struct cluster_spec c, copy;
    struct kube_config config, copied, own = {.server = (char *)"https://10.0.0.1", .token = (char *)"t"};
    if (json_read((const char *)data, size, &secret, NULL) < 0 || cluster_spec_parse(secret, &c, NULL) < 0)
        return 0;
    cluster_spec_copy(&copy, &c);
    REQUIRE(cluster_spec_same_connection(&c, &copy));
    for (size_t i = 0; i < 2; i++)
        if (kube_config_of_cluster(c.server, c.name, c.config, i ? &own : NULL, &config, NULL) == 0) {
            kube_config_copy(&copied, &config);
            REQUIRE(str_eq(copied.server, config.server) && str_eq(copied.token, config.token));
            kube_config_dispose(&config);
            kube_config_dispose(&copied);
        }
    cluster_spec_dispose(&c);
    cluster_spec_dispose(&copy);
    return 0;
}
